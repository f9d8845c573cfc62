"""Which certificate serves which host name, and why. Pure.

PRIVATE to the collection. Clients hide TLS errors and take the host for absent (Thunderbird), so a name that no certificate has
must be served over HTTP alone rather than be redirected to an HTTPS that fails. ``host.certificates`` looks at what there is.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import hashlib
import typing as t

FOUND, GIVEN, MOD_MD, CERTBOT = "found", "given", "mod_md", "certbot"
# Where the certificates of a provider come from.
SOURCES = (FOUND, GIVEN, MOD_MD, CERTBOT)
# Those that order them from an authority.
ORDERING = (MOD_MD, CERTBOT)
_DAY = 86400
# Programs renew at a third of the lifetime; of a certificate that lives for years a third would be a warning for years.
_SHARE, _MOST_DAYS = 3, 30


@dataclasses.dataclass(frozen=True, order=True)
class Certificate:
    """A certificate chain and its key, as paths on the host."""

    file: str
    key: str


class Origin(enum.Enum):
    """Where a pair was found, in words for the result."""

    GIVEN = "certificate_file"
    CONTENT = "certificate_content"
    CERTBOT = "certbot"
    DEHYDRATED = "dehydrated"
    MOD_MD = "mod_md"
    NEIGHBOUR = "site of others"
    USED = "used until now"


@dataclasses.dataclass(frozen=True)
class PairFacts:
    """What there is to know of a certificate and its key; digests are SHA-256, hexadecimal.

    :ivar missing: the paths that do not exist
    :ivar problem: why it cannot serve; empty if it can
    :ivar is_input: whether the problem is a mistake (another key, no certificate) rather than the time that has passed
    :ivar is_for_others: whether the problem is that it is not for servers; it may sign
    :ivar doubt: what may be wrong with it, although it can serve; empty if nothing
    :ivar names: DNS names in it, lower case
    :ivar key: digest of its public key (SubjectPublicKeyInfo), as TLSA has it with selector 1 (RFC 6698)
    :ivar fingerprint: digest of the certificate (DER)
    :ivar begins: the time of its validity, in seconds since the epoch, with ``ends``; 0 where it is not known
    :ivar is_renewable: False for a lineage that certbot cannot renew, because its own file of it is broken
    """

    missing: tuple[str, ...] = ()
    problem: str = ""
    is_input: bool = True
    is_for_others: bool = False
    doubt: str = ""
    names: tuple[str, ...] = ()
    key: str = ""
    fingerprint: str = ""
    begins: float = 0
    ends: float = 0
    origin: Origin = Origin.GIVEN
    is_renewable: bool = True

    @property
    def is_usable(self) -> bool:
        """Whether it can serve."""
        return not (self.missing or self.problem)

    @property
    def can_sign(self) -> bool:
        """Whether it can sign what is no TLS."""
        return self.is_usable or (self.is_for_others and not self.missing)

    def days_left(self, now: float) -> int:
        """Whole days until its end."""
        return int((self.ends - now) // _DAY)

    def lifetime_left(self, now: float) -> float:
        """The share of its lifetime that is left, from 0 to 1."""
        life = self.ends - self.begins
        return round(min(max((self.ends - now) / life, 0.0), 1.0), 2) if life > 0 else 0.0

    def time_left(self, now: float) -> str:
        """How long it is valid still, in words."""
        days = self.days_left(now)
        words = {0: "less than a day", 1: "1 day"}.get(days, f"{days} days")
        return f"{words}, {self.lifetime_left(now):.0%} of its lifetime"

    def is_ending(self, now: float) -> bool:
        """Whether it should have been renewed by now."""
        return is_ending(self.begins, self.ends, now)


def is_ending(begins: float, ends: float, now: float) -> bool:
    """Whether a certificate should have been renewed by now; times in seconds since the epoch."""
    return 0 < ends < now + min((ends - begins) / _SHARE, _MOST_DAYS * _DAY)


@dataclasses.dataclass(frozen=True)
class Content:
    """A chain and its key (PEM)."""

    chain: bytes
    key: bytes = dataclasses.field(repr=False)

    def at(self, directory: str, name: str) -> Certificate:
        """Where it goes: another content goes elsewhere, so that no site ever finds a key that does not belong."""
        digest = hashlib.sha256(self.chain + self.key).hexdigest()[:8]
        return Certificate(f"{directory}/{name}-{digest}.pem", f"{directory}/{name}-{digest}.key")


@dataclasses.dataclass(frozen=True)
class Search:
    """Which certificates to look at.

    :ivar pairs: paths that may exist or not
    :ivar patterns: paths in which ``*`` stands for a part without a slash
    :ivar hosts: names that are to be served; others than ``pairs`` count only if they name one of them
    :ivar everywhere: whether to look at all places of this host
    :ivar contents: pairs that are not there yet, by where they go
    :ivar signing: the host name whose certificate signs profiles, one of ``hosts``; empty for none
    """

    pairs: tuple[Certificate, ...] = ()
    patterns: tuple[Certificate, ...] = ()
    hosts: frozenset[str] = frozenset()
    everywhere: bool = False
    contents: t.Mapping[Certificate, Content] = dataclasses.field(default_factory=dict)
    signing: str = ""

    @functools.cached_property
    def _wildcards(self) -> frozenset[str]:
        return frozenset(map(_wildcard, self.hosts))

    def wants(self, names: t.Iterable[str]) -> bool:
        """Whether a certificate with these names is for one of the hosts."""
        return any(name in self.hosts or name in self._wildcards for name in names)


@dataclasses.dataclass(frozen=True)
class Choice:
    """What serves a host name: nothing over TLS if there is no pair.

    :ivar reason: why this one, or why none, in words
    :ivar others: pairs that would do in its place
    """

    pair: Certificate | None = None
    facts: PairFacts = PairFacts()
    reason: str = ""
    others: tuple[Certificate, ...] = ()


@dataclasses.dataclass(frozen=True)
class Certificates:
    """Chooses certificates for host names.

    :ivar file: path pattern of the chain, ``{domain}`` is the mail domain, and ``*`` a part without a slash
    :ivar key: path pattern of the key
    :ivar facts: of every pair that may be chosen
    :ivar used: pairs that our sites use until now
    :ivar moment: when all this was so, in seconds since the epoch
    """

    file: str
    key: str
    facts: t.Mapping[Certificate, PairFacts]
    used: frozenset[Certificate] = frozenset()
    moment: float = 0

    def at(self, domain: str) -> Certificate:
        """The pair of paths for a mail domain, whether it exists or not."""
        return pair_at(self.file, self.key, domain)

    def of(self, domain: str) -> PairFacts:
        """What is known of it."""
        return self.facts.get(self.at(domain), PairFacts((self.at(domain).file,)))

    def choose(
        self, hosts: t.Sequence[tuple[str, str]], everywhere: bool, content: Certificate | None = None
    ) -> dict[str, Choice]:
        """The best pair for each host name of a provider.

        One that should have been renewed by now comes behind all that need not, unless nothing but literal paths counts. Then
        that of the host's mail domain comes first, then that of the provider's first domain, as ``file`` names them; then all
        others: rather our own than one that belongs to a site of others, rather one that all hosts of the domain can share,
        rather one with the name itself than with a wildcard, then as many hosts of the provider as possible, the one that is in
        use, the one that lasts longest.

        :arg hosts: host names with their mail domains, of which the first is the provider's first
        :arg everywhere: whether any pair will do, or only those that ``file`` names
        :arg content: a pair of the provider's own in the place of those that ``file`` names
        """
        is_pattern = "*" in self.file and content is None
        others = {host: self._naming(host, everywhere, is_pattern) for host, _domain in hosts}
        together = _Together(hosts, others)
        found = {}
        for host, domain in hosts:
            places = (content,) if content else (self.at(domain), self.at(hosts[0][1]))
            literal = [pair for pair in dict.fromkeys(places) if self._serves(pair, host)]
            # What a provider has brought serves as long as it can.
            named = self._lasting(literal, others[host]) if everywhere and not content else literal
            would_do = dict.fromkeys((*literal, *others[host]))
            if would_do:
                best = named[0] if named else self._best(others[host], host, domain, together)
                reason = _reason(self.facts[best], host, 0 if named else len(others[host]) - 1)
                found[host] = Choice(best, self.facts[best], reason, tuple(pair for pair in would_do if pair != best))
            else:
                place = "in certificate_content" if content else f"at {self.at(domain).file}"
                found[host] = Choice(reason=self._why_none(host, "on this host" if everywhere else place))
        return found

    def naming(self, host: str) -> list[tuple[Certificate, PairFacts]]:
        """The pairs that name a host, whether they can serve or not."""
        pairs = (*self._by_name.get(host, ()), *self._by_name.get(_wildcard(host), ()))
        return [(pair, self.facts[pair]) for pair in pairs]

    @functools.cached_property
    def _by_name(self) -> dict[str, list[Certificate]]:
        found: dict[str, list[Certificate]] = {}
        for pair, facts in self.facts.items():
            # What a provider has brought goes with it.
            for name in facts.names if facts.origin is not Origin.CONTENT else ():
                found.setdefault(name, []).append(pair)
        return found

    def outlives(self, choice: Choice, facts: PairFacts | None) -> bool:
        """Whether a pair should have been renewed by now, while that of a choice need not."""
        return facts is not None and facts.is_ending(self.moment) and not choice.facts.is_ending(self.moment)

    def _naming(self, host: str, everywhere: bool, is_pattern: bool) -> list[Certificate]:
        """The pairs that can serve a host, without those of literal paths unless any will do."""
        return [
            pair
            for pair, facts in self.naming(host)
            if facts.is_usable and (everywhere or (is_pattern and facts.origin is Origin.GIVEN))
        ]

    def _serves(self, pair: Certificate, host: str) -> bool:
        facts = self.facts.get(pair)
        return facts is not None and facts.is_usable and covers(facts.names, host)

    def _is_ending(self, pair: Certificate) -> bool:
        return self.facts[pair].is_ending(self.moment)

    def _lasting(self, literal: list[Certificate], others: t.Iterable[Certificate]) -> list[Certificate]:
        """Those of literal paths that need not have been renewed by now; all of them if that is so of no pair at all."""
        lasting = [pair for pair in literal if not self._is_ending(pair)]
        return lasting if lasting or not all(map(self._is_ending, others)) else literal

    def _best(self, pairs: t.Iterable[Certificate], host: str, domain: str, together: _Together) -> Certificate:
        def rank(pair: Certificate) -> tuple[t.Any, ...]:
            facts = self.facts[pair]
            return (
                self._is_ending(pair),
                facts.doubt != "",
                {Origin.GIVEN: 0, Origin.NEIGHBOUR: 2, Origin.USED: 2}.get(facts.origin, 1),
                not together.has_all_of(pair, domain),
                host not in facts.names,
                -together.of_provider[pair],
                pair not in self.used,
                -facts.ends,
                pair,
            )

        return min(pairs, key=rank)

    def _why_none(self, host: str, place: str) -> str:
        useless = [f"{pair.file} names it, but {facts.problem}" for pair, facts in self.naming(host) if facts.problem]
        return "; ".join(dict.fromkeys(useless)) or f"no certificate {place} names it"


class _Together:
    """How many hosts of a provider each pair can serve."""

    def __init__(self, hosts: t.Sequence[tuple[str, str]], pairs: t.Mapping[str, t.Sequence[Certificate]]) -> None:
        self.of_provider = collections.Counter(pair for host, _domain in hosts for pair in pairs[host])
        self._of_domain = collections.Counter((pair, domain) for host, domain in hosts for pair in pairs[host])
        self._hosts = collections.Counter(domain for _host, domain in hosts)

    def has_all_of(self, pair: Certificate, domain: str) -> bool:
        return self._of_domain[pair, domain] == self._hosts[domain]


def _reason(facts: PairFacts, host: str, others: int) -> str:
    by_wildcard = "" if host in facts.names else ", by a wildcard"
    more = f"; {others} more would do" if others else ""
    return f"{facts.origin.value}{by_wildcard}{more}"


def covers(names: t.Iterable[str], host: str) -> bool:
    """Whether one of a certificate's names is the host's; ``*`` stands for one whole label (RFC 6125 section 6.4.3)."""
    return any(name in (host, _wildcard(host)) for name in names)


def _wildcard(host: str) -> str:
    return f"*.{host.partition('.')[2]}"


def pair_at(file: str, key: str, domain: str) -> Certificate:
    """The pair of paths for a mail domain."""
    return Certificate(file.replace("{domain}", domain), key.replace("{domain}", domain))
