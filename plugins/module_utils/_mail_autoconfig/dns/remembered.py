"""Records that runs have told of, as the next ones remember them, and which of them nobody wants any more. Pure.

PRIVATE to the collection. Very many domains have the same records but for their names, so that those are kept once.
"""

from __future__ import annotations

import dataclasses
import typing as t

# In the place of a mail domain; no record has it in any other meaning.
PLACEHOLDER = "%EMAILDOMAIN%"
# Owner and type of a record set (RFC 2181 section 5).
Key = tuple[str, str]


class Pattern(t.NamedTuple):
    """A record of any domain, in presentation form (RFC 1035 section 5.1)."""

    owner: str
    type: str
    rdata: str

    def key(self, domain: str) -> Key:
        """Which record set it belongs to for a domain."""
        return self.owner.replace(PLACEHOLDER, domain), self.type


@dataclasses.dataclass(frozen=True, order=True)
class Group:
    """Domains, each with a record of every pattern; both sorted."""

    patterns: tuple[Pattern, ...]
    domains: tuple[str, ...]


Groups = tuple[Group, ...]


@dataclasses.dataclass(frozen=True)
class Gone:
    """What somebody has said is in DNS no more: record sets, and all of some domains."""

    keys: frozenset[Key] = frozenset()
    domains: frozenset[str] = frozenset()


def grouped(patterns: t.Mapping[str, t.Iterable[Pattern]]) -> Groups:
    """The patterns of each domain as groups, sorted."""
    found: dict[tuple[Pattern, ...], list[str]] = {}
    for domain, items in patterns.items():
        found.setdefault(tuple(sorted(set(items))), []).append(domain)
    return tuple(sorted(Group(items, tuple(sorted(domains))) for items, domains in found.items() if items))


def keys(groups: t.Iterable[Group]) -> set[Key]:
    """The record sets of all domains."""
    return {pattern.key(domain) for group in groups for domain in group.domains for pattern in group.patterns}


def without(groups: t.Iterable[Group], gone: Gone) -> Groups:
    """The same without what is gone, a group for domains that have the same left."""
    left: dict[str, list[Pattern]] = {}
    for group in groups:
        for domain in group.domains:
            if domain not in gone.domains:
                left.setdefault(domain, []).extend(item for item in group.patterns if item.key(domain) not in gone.keys)
    return grouped(left)


def left_over(had: t.Sequence[Group], wanted: t.Sequence[Group]) -> Groups:
    """What was wanted before and is not any more. A record set that is wanted with other data takes the place of its own."""
    return () if had == wanted else without(had, Gone(frozenset(keys(wanted))))


def obsolete(before: Groups, new: Groups, wanted: t.Iterable[Group]) -> Groups:
    """All that is not wanted any more: of before, without what has come back, and new."""
    taken = Gone(frozenset(keys((*wanted, *new))))
    return without((*without(before, taken), *new), Gone())


def listed(groups: t.Iterable[Group], ttl: int) -> list[dict[str, t.Any]]:
    """The records as the module returns them, sorted. They are removed whatever their TTL is."""
    found = [
        {
            "domain": domain,
            "owner": pattern.owner.replace(PLACEHOLDER, domain),
            "type": pattern.type,
            "ttl": ttl,
            "rdata": pattern.rdata.replace(PLACEHOLDER, domain),
        }
        for group in groups
        for domain in group.domains
        for pattern in group.patterns
    ]
    return sorted(found, key=lambda entry: (entry["domain"], entry["owner"], entry["type"], entry["rdata"]))
