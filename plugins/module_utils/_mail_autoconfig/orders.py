"""Which certificates are ordered in a run, which later, and which cannot be. Pure.

PRIVATE to the collection. One certificate for each mail domain, so that a dead domain fails alone. A name is ordered only if it
leads to this host, because an authority counts failed validations and locks out whoever has too many; and new orders are counted,
because it counts those too.
"""

from __future__ import annotations

import calendar
import dataclasses
import functools
import re
import time
import typing as t

from .apache.managed_domains import DNS_01, AcmeOptions, ManagedDomain
from .certificates import Certificate, covers
from .findings import Findings, some

# Let's Encrypt allows 300 new orders an account in this time (seconds).
WINDOW = 3 * 60 * 60
# After this share of its lifetime a certificate is renewed, and its names have to lead here still (MDRenewWindow).
_RENEWED_AT = 2 / 3
# The namespace of the types of problems that an authority tells (RFC 8555 section 6.7).
PROBLEM_KINDS = "urn:ietf:params:acme:error:"
_RETRY_AFTER = re.compile(r"retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)", re.IGNORECASE)
_NO_FINDINGS = Findings()


@dataclasses.dataclass(frozen=True)
class Entry:
    """What mod_md's store has of one managed domain; times in seconds since the epoch, 0 for never.

    :ivar names: those that it was told to have a certificate for
    :ivar certified: those in its certificate; empty without one
    :ivar begins: the beginning of its validity, with ``ends``, 0 where that is not known
    :ivar staged: whether one lies there that is used from the next reload on
    :ivar errors: how often the order that is under way has failed
    :ivar tried: when it was tried last
    :ivar tries: when it is tried again
    :ivar words: why it failed or stands still
    :ivar reached: whether the authority could be reached at all, and had no trouble of its own
    :ivar again: before when the authority wants no more orders; 0 where there is no such limit
    :ivar authority: the directory of the one that the certificate is from (URL); empty where there is none, or it is not known
    """

    names: tuple[str, ...] = ()
    certified: tuple[str, ...] = ()
    begins: float = 0
    ends: float = 0
    staged: bool = False
    errors: int = 0
    tried: float = 0
    tries: float = 0
    words: str = ""
    reached: bool = True
    again: float = 0
    authority: str = ""

    def has(self, names: t.Collection[str]) -> bool:
        """Whether there is a certificate for these names, in use or from the next reload on."""
        return self.staged or all(covers(self.certified, name) for name in names)

    def is_valid(self, now: float, share: float = 1) -> bool:
        """Whether its certificate is valid, and less than a share of its lifetime is over."""
        return not self.ends or now < self.begins + (self.ends - self.begins) * share


@dataclasses.dataclass(frozen=True)
class Addresses:
    """What a name has in DNS; ``failure`` says why nothing is known of it."""

    found: tuple[str, ...] = ()
    failure: str = ""


@dataclasses.dataclass(frozen=True)
class Ledger:
    """What a run has to know to order certificates.

    :ivar entries: by name of the managed domain
    :ivar addresses: by host name, of those without a certificate
    :ivar own: the addresses that lead here
    :ivar missing: paths by option that the administrator named and that are not there
    :ivar others: names that somebody else has managed, each with file and line
    :ivar takes_profiles: whether this mod_md knows profiles of certificates
    :ivar issued: when the certificates in the store came, also those of others
    :ivar now: the time
    """

    store: str = ""
    entries: t.Mapping[str, Entry] = dataclasses.field(default_factory=dict)
    addresses: t.Mapping[str, Addresses] = dataclasses.field(default_factory=dict)
    own: frozenset[str] = frozenset()
    others: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    missing: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    takes_profiles: bool = True
    issued: tuple[float, ...] = ()
    now: float = 0

    def leads_here(self, name: str) -> bool:
        """Whether all addresses of a name lead here: an authority takes any of them."""
        found = self.addresses.get(name, Addresses()).found
        return bool(found) and self.own.issuperset(found)

    def is_unknown(self, name: str) -> bool:
        """Whether DNS did not tell anything."""
        return bool(self.addresses.get(name, Addresses()).failure)

    def why_not(self, name: str) -> str:
        """Which record of a name is missing or wrong."""
        there = self.addresses.get(name, Addresses())
        wrong = sorted(set(there.found) - self.own)
        if wrong:
            return f"leads to {some(wrong)}, which is not this host"
        return there.failure or "has no address in DNS"


@dataclasses.dataclass(frozen=True)
class Orders:
    """What a run has managed, and what of it is still to come.

    :ivar managed: by mail domain
    :ivar pending: managed domains whose certificate is not there yet, by name
    :ivar missing: host names that are not ordered, with the reason
    :ivar later: mail domains for which a later run orders, from ``later_at`` on
    """

    managed: t.Mapping[str, ManagedDomain] = dataclasses.field(default_factory=dict)
    pending: tuple[str, ...] = ()
    missing: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    later: tuple[str, ...] = ()
    later_at: float = 0
    findings: Findings = _NO_FINDINGS
    store: str = ""

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The host names whose certificate mod_md has a say in: as soon as it has one, it puts that before any other."""
        return frozenset(name for item in self.managed.values() for name in item.names)

    @functools.cached_property
    def pairs(self) -> frozenset[Certificate | None]:
        """Where mod_md has their certificates, whether they are there or not."""
        return frozenset(map(self.pair_of, self.managed))

    def pair_of(self, domain: str) -> Certificate | None:
        """Where mod_md has the certificate of a mail domain, whether it is there or not; None without one."""
        if domain not in self.managed:
            return None
        directory = f"{self.store}/domains/{self.managed[domain].name}"
        return Certificate(f"{directory}/pubcert.pem", f"{directory}/privkey.pem")

    def is_any_staged(self, entries: t.Mapping[str, Entry]) -> bool:
        """Whether a reload would bring a new certificate."""
        return any(entries[item.name].staged for item in self.managed.values() if item.name in entries)

    def why_none(self, host: str, domain: str) -> str:
        """Why a host name has no certificate."""
        if host in self.missing:
            return f"not ordered: it {self.missing[host]}"
        return "a later run orders it" if domain in self.later else "ordered, and not there yet"


def names_to_look_up(wanted: t.Mapping[str, t.Sequence[str]], entries: t.Mapping[str, Entry], now: float) -> list[str]:
    """The host names whose addresses matter: those without a certificate, and those whose certificate is to be renewed."""
    found = []
    for names in wanted.values():
        lasting = _certified(names, entries, now, _RENEWED_AT)
        found += [name for name in names if name not in lasting]
    return found


def plan(wanted: t.Mapping[str, t.Sequence[str]], ledger: Ledger, options: AcmeOptions) -> Orders:
    """Work out what is ordered.

    :arg wanted: host names by mail domain, in the order in which they are to be ordered
    """
    problems = [f"{option}: {path} does not exist on this host" for option, path in ledger.missing.items()]
    problems += refusals(wanted, options)
    if wanted and options.profile and not ledger.takes_profiles:
        problems.append("acme_profile: this Apache's mod_md knows no profiles (MDProfile); leave it out, or update Apache")
    problems += [
        f"certificates: {place} has {name} managed by mod_md already: take it out there, or leave certificates at found"
        for names in wanted.values()
        for name in names
        for place in filter(None, [ledger.others.get(name)])
    ]
    found = {domain: _of_domain(names, ledger, options) for domain, names in wanted.items()}
    left = room(options, ledger.issued, ledger.now)
    managed: dict[str, ManagedDomain] = {}
    pending: list[str] = []
    later: list[str] = []
    # What was begun in an earlier run comes first, so that it does not go again.
    for domain, names in sorted(found.items(), key=lambda item: not _is_begun(item[1], ledger)):
        kept = tuple(name for name in _certified(names, ledger.entries, ledger.now) if name in names)
        is_new = len(kept) < len(names)
        if is_new and left <= 0:
            later.append(domain)
        elif is_new:
            left -= 1
            pending.append(names[0])
        covered = kept if domain in later else names
        if covered:
            managed[domain] = ManagedDomain(covered)
    missing = {name: ledger.why_not(name) for domain, names in wanted.items() for name in names if name not in found[domain]}
    ordered = frozenset(pending)
    before = _of_before([item.name for item in managed.values() if item.name not in ordered], ledger, options)
    return Orders(
        managed=managed,
        pending=tuple(pending),
        missing=missing,
        later=tuple(later),
        later_at=room_at(ledger.issued, ledger.now) if later else 0,
        findings=found_out(problems, missing, later) + Findings(warnings=tuple(before)),
        store=ledger.store if wanted else "",
    )


def refusals(wanted: t.Mapping[str, t.Sequence[str]], options: AcmeOptions) -> list[str]:
    """Which names the authority cannot have certificates for, in words."""
    reasons = {name: options.refusal(name) for names in wanted.values() for name in names}
    return [f"certificates: {name}: {reason}" for name, reason in reasons.items() if reason]


def found_out(problems: t.Sequence[str], missing: t.Mapping[str, str], later: t.Sequence[str]) -> Findings:
    """What to say of names that are not ordered, and of mail domains whose turn comes later."""
    warnings = []
    reasons: dict[str, list[str]] = {}
    for name, reason in missing.items():
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        warnings.append(f"no certificate is ordered for {some(names)}: it {reason}; publish its record, then run again")
    if later:
        warnings.append(
            f"{len(later)} mail domains get their certificates in a later run, because authorities limit new orders "
            f"(acme_new_orders): {some(later)}"
        )
    return Findings(tuple(problems), tuple(warnings))


def _of_before(managed: t.Iterable[str], ledger: Ledger, options: AcmeOptions) -> t.Iterator[str]:
    """What to say of managed domains whose certificates are from another authority: mod_md asks the new one at renewal only."""
    found: dict[str, list[str]] = {}
    for name in managed:
        authority = ledger.entries.get(name, Entry()).authority
        if authority and authority != options.directory:
            found.setdefault(authority, []).append(name)
    for authority, names in sorted(found.items()):
        yield (
            f"acme_directory: mod_md goes on with the certificates of {authority} for {some(names)} until it renews them, and "
            f"only then asks {options.directory}; to have them ordered there now, delete the directories of these names below "
            f"{ledger.store}/domains and {ledger.store}/staging and run again: until then the hosts are served over HTTP only"
        )


def _of_domain(names: t.Sequence[str], ledger: Ledger, options: AcmeOptions) -> tuple[str, ...]:
    """The names of a mail domain that one certificate is to have; the one that names it in the store already comes first."""
    asked_by_dns = options.challenges == (DNS_01,)
    kept = set(_certified(names, ledger.entries, ledger.now, _RENEWED_AT))
    # Of a name that has a certificate, a name server that does not answer is no reason to drop it.
    kept.update(name for name in _certified(names, ledger.entries, ledger.now) if ledger.is_unknown(name))
    found = [name for name in names if asked_by_dns or name in kept or ledger.leads_here(name)]
    return tuple(sorted(found, key=lambda name: name not in ledger.entries))


def _certified(names: t.Sequence[str], entries: t.Mapping[str, Entry], now: float, share: float = 1) -> list[str]:
    """The names that have a certificate which is valid, and of which less than a share of its lifetime is over."""
    certified = [entries[name].certified for name in names if name in entries and entries[name].is_valid(now, share)]
    return [name for name in names if any(covers(those, name) for those in certified)]


def _is_begun(names: t.Sequence[str], ledger: Ledger) -> bool:
    return any(set(ledger.entries[name].names) == set(names) for name in names if name in ledger.entries)


def room(options: AcmeOptions, issued: t.Iterable[float], now: float) -> int:
    """How many orders the authority takes now.

    :arg issued: when certificates came, in seconds since the epoch
    """
    return max(0, options.new_orders - len(_recent(issued, now)))


def room_at(issued: t.Iterable[float], now: float) -> float:
    """When the authority takes new orders again."""
    return min(_recent(issued, now), default=now) + WINDOW


def _recent(issued: t.Iterable[float], now: float) -> list[float]:
    return [moment for moment in issued if now - moment < WINDOW]


def again_in(words: str) -> float:
    """When an authority wants to be asked again, as Let's Encrypt says so in what it limits; 0 where it does not."""
    found = _RETRY_AFTER.search(words)
    try:
        return float(calendar.timegm(time.strptime(" ".join(found.groups()), "%Y-%m-%d %H:%M:%S"))) if found else 0
    except ValueError:
        return 0


def shown(moment: float) -> str:
    """A time as results have it (ISO 8601, UTC); empty for none."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)) if moment else ""


def unfinished(orders: Orders, entries: t.Mapping[str, Entry]) -> list[str]:
    """What to say of the orders that did not come to their end, with those that have the same reason in one line."""
    unknown = [name for name in orders.pending if name not in entries]
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, entry in ((name, entries[name]) for name in orders.pending if name in entries):
        again = f" (next attempt {shown(entry.tries)})" if entry.tries else ""
        reason = f"{entry.words}{again}" if entry.words else "the authority has not issued it in time"
        # What stands still without an attempt that failed is not gone on with.
        goes_on = "Apache goes on with the order, and the next run turns HTTPS on"
        then = goes_on if entry.errors or not entry.words else "the next run begins the order anew"
        reasons.setdefault((reason, then), []).append(name)
    lines = [
        f"no certificate yet for {some(names)}: {reason}; until then served over HTTP only, or with the certificate of before; "
        f"{then}"
        for (reason, then), names in reasons.items()
    ]
    if unknown:
        lines.append(
            f"no certificate yet for {some(unknown)}: nothing of an order was found in {orders.store}; if MDStoreDir names "
            "another directory, it must be a plain path, without variables and spaces and outside of <IfDefine>"
        )
    return lines
