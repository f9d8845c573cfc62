"""Which certificates certbot orders in a run. Pure.

PRIVATE to the collection. Each mail domain has a lineage of its own (certbot's word for a certificate with all its renewals), so
that none of somebody else's ever changes, a dead domain fails alone, and what a customer had goes with him. Only what is missing
is ordered: a host name that any good certificate on this host names has one.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import typing as t

from . import clients, orders
from .apache.managed_domains import AcmeOptions
from .certificates import Certificate, Certificates, Origin, PairFacts
from .findings import Findings, some
from .orders import Ledger

# What certbot itself takes on every system.
CERTBOT_DIRECTORY = "/etc/letsencrypt"
# Let's Encrypt locks out whoever fails five validations an hour, host name and account.
BETWEEN_ATTEMPTS = 60 * 60
_NO_FINDINGS = Findings()


@dataclasses.dataclass(frozen=True)
class Failure:
    """An order that failed.

    :ivar at: when, in seconds since the epoch
    :ivar directory: of which authority (URL)
    :ivar words: why, as certbot said it
    :ivar until: before when it is not tried again, in seconds since the epoch; 0 where it may be at any time
    :ivar alone: whether it concerns this order alone, rather than an authority that is away, in trouble, or has had enough of us
    """

    at: float
    directory: str
    words: str
    until: float = 0
    alone: bool = True

    def forbids(self, directory: str, now: float) -> bool:
        """Whether it is too early to try again."""
        return self.directory == directory and self.at <= now < self.until


@dataclasses.dataclass(frozen=True)
class Store:
    """What there is of certbot on a host.

    :ivar directory: of its configuration
    :ivar reload: a command for a shell that lets Apache use a renewed certificate
    :ivar is_installed: whether it can be run
    :ivar takes_profiles: whether it knows profiles of certificates
    :ivar is_renewing: whether something runs ``certbot renew`` by itself
    :ivar taken: names of lineages that are there, also broken ones
    :ivar validated: the names in lineages that it validates from our document root, by lineage
    :ivar issued: when its certificates came, in seconds since the epoch
    :ivar failures: by mail domain
    """

    directory: str = ""
    reload: str = ""
    is_installed: bool = False
    takes_profiles: bool = True
    is_renewing: bool = False
    taken: frozenset[str] = frozenset()
    validated: t.Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    issued: tuple[float, ...] = ()
    failures: t.Mapping[str, Failure] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Lineage:
    """What certbot is to have: the name of a lineage, and the host names in it, the first of which is its common name."""

    name: str
    hosts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Lineages:
    """What certbot has for our mail domains, and what it is to get.

    :ivar own: lineages that are there, by mail domain
    :ivar planned: what mail domains are to have for which something is missing, by mail domain
    :ivar ordered: what of it this run orders
    :ivar missing: host names that are not ordered, with the reason
    :ivar nameless: mail domains for whose lineage no name is free
    :ivar failed: mail domains whose order has failed a short time ago
    :ivar later: mail domains for which a later run orders, from ``later_at`` on
    """

    own: t.Mapping[str, Certificate] = dataclasses.field(default_factory=dict)
    planned: t.Mapping[str, Lineage] = dataclasses.field(default_factory=dict)
    ordered: t.Mapping[str, Lineage] = dataclasses.field(default_factory=dict)
    missing: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    nameless: tuple[str, ...] = ()
    failed: t.Mapping[str, Failure] = dataclasses.field(default_factory=dict)
    later: tuple[str, ...] = ()
    later_at: float = 0
    findings: Findings = _NO_FINDINGS

    def why_none(self, host: str, domain: str) -> str:
        """Why a host name has no certificate."""
        if host in self.missing:
            return f"not ordered: it {self.missing[host]}"
        if domain in self.failed:
            return f"the order failed: {self.failed[domain].words}"
        if domain in self.nameless:
            return "not ordered: no name is free for its lineage"
        return "certbot is to order it" if domain in self.ordered else "a later run orders it"


def is_ours(names: t.Collection[str]) -> bool:
    """Whether a certificate names hosts for mail clients of one mail domain, and nothing else."""
    parts = [name.partition(".") for name in names]
    return len({domain for _label, _dot, domain in parts}) == 1 and all(
        label in clients.ALL_LABELS for label, _dot, _domain in parts
    )


def names_of(domain: str) -> tuple[str, ...]:
    """What the lineage of a mail domain may be called: the second if somebody else has the first."""
    return f"autoconfig.{domain}", f"autoconfig.{domain}-mail_autoconfig"


def name_of(pair: Certificate) -> str:
    """What the lineage of a pair in certbot's ``live`` is called."""
    return os.path.basename(os.path.dirname(pair.file))


def is_at(pair: Certificate, directory: str) -> bool:
    """Whether a pair is a lineage of certbot.

    :arg directory: certbot's
    """
    return pair.file.startswith(f"{directory}/live/")


def deletion(pair: Certificate, directory: str) -> str:
    """The command that deletes a lineage; empty for a pair that is not certbot's.

    :arg directory: certbot's
    """
    if not is_at(pair, directory):
        return ""
    elsewhere = "" if directory == CERTBOT_DIRECTORY else f" --config-dir {shlex.quote(directory)}"
    return f"certbot delete --cert-name {shlex.quote(name_of(pair))}{elsewhere}"


@dataclasses.dataclass(frozen=True)
class Apart:
    """Host names that are no sites of ours.

    :ivar signing: the one whose certificate signs; empty for none
    :ivar answering: our host that answers the challenges of each
    """

    signing: str = ""
    answering: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def leads_here(self, name: str, ledger: Ledger) -> bool:
        """Whether the authority's question for a name is answered here."""
        return ledger.leads_here(name) and ledger.leads_here(self.answering.get(name, name))

    def why_not(self, name: str, ledger: Ledger) -> str:
        """Which record is missing or wrong."""
        if not ledger.leads_here(name):
            return ledger.why_not(name)
        other = self.answering[name]
        return f"is answered for by {other}, which {ledger.why_not(other)}"


_NONE_APART = Apart()


def lacking(
    wanted: t.Mapping[str, t.Sequence[str]], certificates: Certificates, now: float, apart: Apart = _NONE_APART
) -> dict[str, tuple[str, ...]]:
    """The mail domains of which a host name has no certificate that lasts, with all their host names.

    :arg wanted: host names by mail domain; the one that signs stands for itself
    """
    return {
        domain: tuple(names)
        for domain, names in wanted.items()
        if not all(_lasts(certificates, name, domain, now, apart) for name in names) or _has_more(certificates, domain, names)
    }


def _lasts(certificates: Certificates, name: str, domain: str, now: float, apart: Apart) -> bool:
    """Whether a host name has a certificate that will do, and that need not have been renewed by now."""
    return any(
        _will_do(pair, facts, name, domain, apart) and not facts.is_ending(now) for pair, facts in certificates.naming(name)
    )


def _will_do(pair: Certificate, facts: PairFacts, name: str, domain: str, apart: Apart) -> bool:
    if _is_broken(pair, facts, domain):
        return False
    if name == apart.signing:
        # One that names others, too, is no good: its key may serve their sites.
        return facts.can_sign and facts.names == (name,)
    if name in apart.answering:
        return facts.is_usable and _is_named_as_ours(pair, facts, domain)
    return facts.is_usable


def _is_named_as_ours(pair: Certificate, facts: PairFacts, domain: str) -> bool:
    return facts.origin is Origin.CERTBOT and name_of(pair) in names_of(domain)


def _is_own(pair: Certificate, facts: PairFacts, domain: str) -> bool:
    return _is_named_as_ours(pair, facts, domain) and facts.is_renewable


def _is_broken(pair: Certificate, facts: PairFacts, domain: str) -> bool:
    """Whether it is a lineage of ours that serves, and that certbot cannot renew."""
    return _is_named_as_ours(pair, facts, domain) and not facts.is_renewable


def _has_more(certificates: Certificates, domain: str, names: t.Sequence[str]) -> bool:
    """Whether a lineage of a name of ours has host names that are not wanted, apart from those for mail clients."""
    return any(
        _is_own(pair, facts, domain) and bool(_beyond(facts, names))
        for name in names[:1]
        for pair, facts in certificates.naming(name)
    )


def _beyond(facts: PairFacts, names: t.Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in facts.names if name not in names and name.partition(".")[0] not in clients.ALL_LABELS)


def to_be_read(wanted: t.Mapping[str, t.Sequence[str]], certificates: Certificates) -> frozenset[str]:
    """The lineages of which has to be known which names they validate from our document root: whose names are not ours for sure.

    :arg wanted: host names by mail domain
    """
    return frozenset(
        name_of(pair)
        for domain, names in wanted.items()
        for name in names
        for pair, facts in certificates.naming(name)
        if _is_own(pair, facts, domain) and not is_ours(facts.names)
    )


def plan(
    wanted: t.Mapping[str, t.Sequence[str]],
    certificates: Certificates,
    store: Store,
    ledger: Ledger,
    options: AcmeOptions,
    apart: Apart = _NONE_APART,
) -> Lineages:
    """Work out what is ordered.

    :arg wanted: host names by mail domain, in the order in which they are to be ordered; the one that signs stands for itself
    """
    if not wanted:
        return Lineages()
    own = _own(wanted, certificates, apart, store)
    missing: dict[str, str] = {}
    nameless: list[str] = []
    planned: dict[str, Lineage] = {}
    ordered: dict[str, Lineage] = {}
    failed: dict[str, Failure] = {}
    later: list[str] = []
    broken: set[str] = set()
    left = orders.room(options, store.issued, ledger.now)
    for domain, names in lacking(wanted, certificates, ledger.now, apart).items():
        without = [name for name in names if not _lasts(certificates, name, domain, ledger.now, apart)]
        has_more = domain in own and bool(_beyond(own[domain][1], names))
        missing.update((name, apart.why_not(name, ledger)) for name in without if not apart.leads_here(name, ledger))
        lineage = _lineage(domain, names, own.get(domain), store, ledger, apart)
        broken |= {
            name_of(pair) for name in without for pair, facts in certificates.naming(name) if _is_broken(pair, facts, domain)
        }
        failure = store.failures.get(domain)
        if all(name in missing for name in without) and not has_more:
            continue
        if lineage is None:
            nameless.append(domain)
            continue
        planned[domain] = lineage
        if failure and failure.forbids(options.directory, ledger.now):
            failed[domain] = failure
        elif len(ordered) < left:
            ordered[domain] = lineage
        else:
            later.append(domain)
    findings = orders.found_out([*orders.refusals(wanted, options), *_absence(store, options)], missing, later)
    return Lineages(
        own={domain: pair for domain, (pair, _facts) in own.items()},
        planned=planned,
        ordered=ordered,
        missing=missing,
        nameless=tuple(nameless),
        failed=failed,
        later=tuple(later),
        later_at=orders.room_at(store.issued, ledger.now) if later else 0,
        findings=findings + Findings(warnings=tuple(_warnings(store, failed, nameless, broken))),
    )


def _own(
    wanted: t.Mapping[str, t.Sequence[str]], certificates: Certificates, apart: Apart, store: Store
) -> dict[str, tuple[Certificate, PairFacts]]:
    """The lineage of each mail domain that has one; one of another name may be renewed in another way than ours are."""
    found = {}
    for domain, names in wanted.items():
        pairs = {pair: facts for name in names for pair, facts in certificates.naming(name)}
        theirs = [
            (pair, facts)
            for pair, facts in pairs.items()
            if _is_own(pair, facts, domain) and _is_all_ours(facts.names, store.validated.get(name_of(pair), ()), apart)
        ]
        if theirs:
            found[domain] = max(theirs, key=lambda item: (len(item[1].names), item[1].ends, item[0]))
    return found


def _is_all_ours(names: t.Iterable[str], validated: t.Collection[str], apart: Apart) -> bool:
    """Whether a lineage of a name of ours has nothing that somebody else has put in.

    :arg validated: those that certbot validates from our document root
    """
    others = [name for name in names if name not in validated and name != apart.signing]
    return not others or is_ours(others)


def _lineage(
    domain: str, names: t.Sequence[str], own: tuple[Certificate, PairFacts] | None, store: Store, ledger: Ledger, apart: Apart
) -> Lineage | None:
    """The lineage that a mail domain is to have, with the host names that lead here; None where there is no name for it."""
    before = own[1].names if own else ()
    # What it has already does not go because a name server is silent for a moment.
    hosts = tuple(name for name in names if apart.leads_here(name, ledger) or (name in before and ledger.is_unknown(name)))
    free = [name for name in names_of(domain) if name not in store.taken]
    name = name_of(own[0]) if own else next(iter(free), "")
    return Lineage(name, hosts) if name else None


def _absence(store: Store, options: AcmeOptions) -> t.Iterator[str]:
    if options.profile and not store.takes_profiles:
        yield "acme_profile: this certbot is older than 4.0 and knows no profiles; leave it out, or install a newer one"
    if not store.is_installed:
        yield (
            "certificates: certbot is not here: install the package certbot, or let the role do it with "
            "mail_autoconfig_manage_apache: true"
        )


def _warnings(
    store: Store, failed: t.Mapping[str, Failure], nameless: t.Sequence[str], broken: t.Collection[str]
) -> t.Iterator[str]:
    yield from said(failed)
    if broken:
        yield (
            f"certbot cannot renew {some(sorted(broken))}: in {store.directory}/renewal the file of that name is broken or gone; "
            "a lineage of another name comes in its place"
        )
    for domain in nameless:
        yield (
            f"certbot cannot order for {domain}: in {store.directory} the lineages {' and '.join(names_of(domain))} are broken, "
            "or somebody else's; certbot certificates shows them"
        )
    if store.is_installed and not store.is_renewing:
        yield (
            f"nothing was found that runs certbot renew for {store.directory} by itself: without a timer or a line of cron its "
            "certificates expire"
        )


def said(failures: t.Mapping[str, Failure]) -> list[str]:
    """What to say of orders that failed, with those that have the same reason in one line."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for domain, failure in failures.items():
        reasons.setdefault((failure.words, when_again(failure)), []).append(domain)
    return [
        f"certbot has no certificate for {some(domains)}: {words}; until then served over HTTP only, or with the "
        f"certificate of before; {f'not tried again before {when}' if when else 'the next run tries again'}"
        for (words, when), domains in reasons.items()
    ]


def when_again(failure: Failure) -> str:
    """When an order may be tried again (ISO 8601, UTC); empty for at once."""
    return orders.shown(failure.until)
