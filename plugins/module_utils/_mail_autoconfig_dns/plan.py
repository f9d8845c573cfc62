"""What has to change in a zone: the wanted record sets held against those of the server. Pure, so that check mode cannot lie.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

# A diff is for people; beyond this they read the returned lists.
MAX_DIFFS = 1000
# DNSSEC's own records are at every name of a signed zone, also beside an alias (RFC 4034, RFC 2181 section 10.1).
_BESIDE_CNAME = frozenset(("CNAME", "KEY", "NSEC", "NSEC3", "RRSIG"))


@dataclasses.dataclass(frozen=True)
class RRset:
    """All records of one owner and type (RFC 2181 section 5).

    :ivar owner: absolute, in lower case, with its final dot
    :ivar ttl: seconds
    :ivar rdatas: values that can be compared and shown; dnspython's, which compare names without regard to case
    """

    owner: str
    type: str
    ttl: int
    rdatas: frozenset[t.Any]

    def __str__(self) -> str:
        return f"{self.owner} {self.type}"

    def lines(self) -> list[str]:
        """The records as in a zone file, sorted."""
        return sorted(f"{self.owner} {self.ttl} IN {self.type} {rdata}" for rdata in self.rdatas)


# What a server has of the owners that were asked for: owner -> type -> RRset.
Held = t.Mapping[str, t.Mapping[str, RRset]]


@dataclasses.dataclass(frozen=True)
class Change:
    """One RRset that becomes another; ``before`` is None where there was none, ``after`` where there shall be none."""

    before: RRset | None
    after: RRset | None

    @property
    def rrset(self) -> RRset:
        """Whichever side there is: both have the same owner and type."""
        return t.cast(RRset, self.after or self.before)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to do in one zone.

    :ivar zone: its name with the final dot
    :ivar changes: in the order of the owners (RFC 4034 section 6.1), so that a domain's stand together
    :ivar kept: RRsets that are to be removed but differ from what is given
    :ivar problems: why it cannot be done; then there are no changes
    :ivar gone: obsolete RRsets that are not there, or not there any more after the changes
    """

    zone: str
    changes: tuple[Change, ...]
    kept: tuple[RRset, ...] = ()
    problems: tuple[str, ...] = ()
    gone: tuple[RRset, ...] = ()


def make(zone: str, wanted: t.Iterable[RRset], held: Held, state: str, obsolete: t.Iterable[RRset] = ()) -> Plan:
    """Plan the way to all of ``wanted`` (``state`` is ``present``) or to none of it (``absent``), and to none of ``obsolete``.

    Records are ours to remove if the data is the given; the TTL does not tell whose they are.
    """
    wanted, obsolete = list(wanted), list(obsolete)
    removals, kept = _removals([*obsolete, *(wanted if state == "absent" else ())], held)
    going = {(change.rrset.owner, change.rrset.type) for change in removals}
    changes: list[Change] = []
    problems: list[str] = []
    for rrset in sorted(wanted if state == "present" else (), key=_order):
        node = {kind: current for kind, current in held.get(rrset.owner, {}).items() if (rrset.owner, kind) not in going}
        if rivals := _rivals(rrset, node):
            problems.append(
                f"{rrset}: the server has {', '.join(rivals)} at {rrset.owner}, and nothing can be beside a CNAME; "
                "remove the one or the other"
            )
        elif node.get(rrset.type) != rrset:
            changes.append(Change(node.get(rrset.type), rrset))
    if problems:
        return Plan(zone, (), tuple(kept), tuple(problems))
    changes = sorted([*changes, *removals], key=lambda change: _order(change.rrset))
    other = {(rrset.owner, rrset.type) for rrset in kept}
    gone = tuple(rrset for rrset in obsolete if (rrset.owner, rrset.type) not in other)
    return Plan(zone, tuple(changes), tuple(kept), gone=gone)


def _removals(rrsets: t.Iterable[RRset], held: Held) -> tuple[list[Change], list[RRset]]:
    """The changes that take RRsets away, and those that the server has with other data."""
    changes: list[Change] = []
    kept: list[RRset] = []
    for rrset in sorted(rrsets, key=_order):
        current = held.get(rrset.owner, {}).get(rrset.type)
        if current is not None and current.rdatas == rrset.rdatas:
            changes.append(Change(current, None))
        elif current is not None:
            kept.append(current)
    return changes, kept


def _order(rrset: RRset) -> tuple[list[str], str]:
    return rrset.owner.split(".")[::-1], rrset.type


def _rivals(rrset: RRset, node: t.Mapping[str, RRset]) -> list[str]:
    """Types at the owner beside which the RRset cannot be: servers ignore such an update without a word (RFC 2136, 3.4.2.2)."""
    if rrset.type == "CNAME":
        return sorted(set(node) - _BESIDE_CNAME)
    return ["CNAME"] if "CNAME" in node else []


def differences(changes: t.Iterable[Change], held: Held, before: bool) -> list[str]:
    """The RRsets of the changes that are not as they should be, a line each.

    :arg before: whether they should be as they were before the changes, or as after
    """
    found = []
    for change in changes:
        expected = change.before if before else change.after
        now = held.get(change.rrset.owner, {}).get(change.rrset.type)
        if now != expected:
            found.append(f"{change.rrset}: expected {_shown(expected)}, found {_shown(now)}")
    return found


def _shown(rrset: RRset | None) -> str:
    return "none" if rrset is None else f"{', '.join(sorted(map(str, rrset.rdatas)))} (TTL {rrset.ttl})"


def diffs(plans: t.Iterable[Plan]) -> list[dict[str, str]]:
    """The plans as Ansible shows differences: a zone each; capped."""
    entries = []
    room, left_out = MAX_DIFFS, 0
    for plan in plans:
        changes = plan.changes[:room]
        room -= len(changes)
        left_out += len(plan.changes) - len(changes)
        if changes:
            entries.append(
                {
                    "before_header": f"zone {plan.zone}",
                    "after_header": f"zone {plan.zone}",
                    "before": _text(change.before for change in changes),
                    "after": _text(change.after for change in changes),
                }
            )
    if left_out:
        entries.append({"prepared": f"({left_out} more record sets are not shown)\n"})
    return entries


def _text(rrsets: t.Iterable[RRset | None]) -> str:
    return "".join(f"{line}\n" for rrset in rrsets if rrset for line in rrset.lines())


def report(plan: Plan, changes: t.Sequence[Change], failed: str = "") -> dict[str, t.Any]:
    """What was done in a zone, as the module returns it.

    :arg changes: those of the plan that are done
    :arg failed: why not all of it is done
    """
    return {
        "zone": plan.zone,
        "changed": bool(changes),
        "added": [str(change.rrset) for change in changes if change.before is None],
        "replaced": [str(change.rrset) for change in changes if change.before and change.after],
        "removed": [str(change.rrset) for change in changes if change.after is None],
        "kept": [str(rrset) for rrset in plan.kept],
        "failed": failed,
    }
