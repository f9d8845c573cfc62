"""Everything that is asked about one domain, as frozen facts; what they mean is said in ``verdicts``.

PRIVATE to the collection. Questions that do not depend on each other are asked at the same time.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import ssl
import typing as t
from urllib.parse import urlsplit

from .._mail_autoconfig.clients import AUTOCONFIG_PATH, AUTODISCOVER_PATH, PACC_LABEL, PACC_PATH, PROFILE_PATH, WELL_KNOWN_PATH
from . import certificates, playing
from . import clients as table
from .certificates import Shown
from .model import Endpoint, Service
from .names import NO_ANSWER, Names, mx_of
from .names import Answer as Found
from .parsing import DocumentError, apple, autodiscover, mozilla, pacc
from .playing import Play, World
from .readers import SERVICE_NAMES, Who
from .servers import LoginResult, ServerFacts, login, probe
from .wanted import Key, Wanted
from .web import Answer, Question, Web

HOSTS = ("autoconfig", "autodiscover", PACC_LABEL)
# Which mechanisms stand behind what is published, best first, with what every server takes.
_MECHANISMS = {
    "password-cleartext": ("PLAIN", "LOGIN"),
    "password-encrypted": ("CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-1"),
}

_Value = t.TypeVar("_Value")


@dataclasses.dataclass(frozen=True)
class Page:
    """What is at one of the usual places.

    :ivar key: ``autoconfig``, ``well_known``, ``autodiscover``, ``autodiscover_apex``, ``json``, ``profile`` or ``pacc``
    :ivar document: as its reader gives it; None where it cannot be read
    :ivar problem: the code of why it cannot, and the sentence
    """

    key: str
    question: Question
    answer: Answer
    document: t.Any = None
    problem: tuple[str, str] = ("", "")


@dataclasses.dataclass(frozen=True)
class ZoneFacts:
    """What the servers of the zone say, each of them.

    :ivar silent: the servers that do not answer, or not as a server of the zone
    :ivar reached: whether any of them answered anything; if not, it may well be that this machine may not ask them
    :ivar answers: by owner and type, one for each server that answers
    """

    name: str = ""
    servers: tuple[tuple[str, str], ...] = ()
    silent: tuple[str, ...] = ()
    reached: bool = True
    answers: t.Mapping[Key, tuple[Found, ...]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is there.

    :ivar given: host names whose addresses the administrator gives in place of DNS
    :ivar records: what clients see, by owner and type
    :ivar hosts: what the addresses of each web host show
    :ivar servers: each way in or out that a client ends at or that is wanted, with what is there
    :ivar logins: how a login ended, where one was tried; the second with the other form of the user name
    """

    who: Who
    wanted: Wanted
    given: frozenset[str] = frozenset()
    records: t.Mapping[Key, Found] = dataclasses.field(default_factory=dict)
    zone: ZoneFacts = ZoneFacts()
    hosts: t.Mapping[str, tuple[Shown, ...]] = dataclasses.field(default_factory=dict)
    pages: tuple[Page, ...] = ()
    plays: tuple[Play, ...] = ()
    servers: tuple[tuple[Service, ServerFacts], ...] = ()
    logins: tuple[tuple[Service, LoginResult, LoginResult | None], ...] = ()

    @property
    def domain(self) -> str:
        """The mail domain."""
        return self.who.domain

    def page(self, key: str) -> Page | None:
        """One of the usual places."""
        return next((page for page in self.pages if page.key == key), None)

    def record(self, owner: str, kind: str) -> Found:
        """What clients see of an owner; an answer that never came where nobody asked."""
        return self.records.get((owner, kind), Found("TIMEOUT"))

    def addresses(self, host: str) -> tuple[str, ...]:
        """The addresses of a host."""
        return (*self.record(host, "AAAA").rdatas, *self.record(host, "A").rdatas)


@dataclasses.dataclass(frozen=True)
class Means:
    """What a run has to ask with.

    :ivar pool: threads that ask; nothing that runs in them waits for another of them
    :ivar password: for logins, empty for none
    """

    names: Names
    web: Web
    trust: ssl.SSLContext
    pool: concurrent.futures.Executor
    timeout: float = 5
    ispdb: bool = False
    given: frozenset[str] = frozenset()
    password: str = dataclasses.field(default="", repr=False)

    def at_once(self, ask: t.Callable[..., _Value], arguments: t.Iterable[tuple[t.Any, ...]]) -> list[_Value]:
        """Ask several times at the same time; the answers in their order."""
        return [future.result() for future in [self.pool.submit(ask, *each) for each in arguments]]


def gather(who: Who, wanted: Wanted, means: Means) -> Facts:
    """Ask everything about one domain."""
    domain = who.domain
    facts = Facts(who, wanted, given=means.given)
    first = means.names.look_up(domain, "SOA")
    if first.code != "NOERROR" and not (means.given and not first.answered):
        # Nothing else would be answered; but addresses that are given can be asked without any name server.
        return dataclasses.replace(facts, records={(domain, "SOA"): first})
    keys = list(dict.fromkeys(_keys(domain, wanted)))
    records = dict(zip(keys, means.at_once(means.names.look_up, keys)))
    more = [key for key in _further_keys(records) if key not in records]
    records.update(zip(more, means.at_once(means.names.look_up, more)))
    facts = dataclasses.replace(facts, records=records)
    if not any(found.answered for found in records.values()):
        return facts
    facts = dataclasses.replace(facts, zone=_zone(domain, [*keys, *more], means), hosts=_hosts(facts, means))
    facts = dataclasses.replace(facts, pages=_pages(facts, means))
    plays = _plays(who, means)
    facts = dataclasses.replace(facts, plays=plays, servers=_servers(plays, wanted, means))
    return dataclasses.replace(facts, logins=_logins(facts, means))


# -- names ----------------------------------------------------------------------------------------------------------------


def _keys(domain: str, wanted: Wanted) -> t.Iterator[Key]:
    """What is looked up in any case."""
    for kind in ("SOA", "NS", "A", "AAAA", "MX", "TXT", "CAA"):
        yield domain, kind
    for label in HOSTS:
        for kind in ("A", "AAAA", "CAA"):
            yield f"{label}.{domain}", kind
        yield f"_443._tcp.{label}.{domain}", "TLSA"
    for service in (*SERVICE_NAMES, "_autodiscover"):
        yield f"{service}._tcp.{domain}", "SRV"
    yield f"_{PACC_LABEL}.{domain}", "TXT"
    for rrset in wanted.rrsets:
        yield rrset.owner, rrset.type


def _further_keys(records: t.Mapping[Key, Found]) -> t.Iterator[Key]:
    """The addresses of hosts that records name."""
    for (_owner, kind), found in records.items():
        if kind == "MX":
            targets = [host for _preference, host in mx_of(found.rdatas)[:5]]
        elif kind == "SRV":
            targets = [rdata.split(" ")[3].rstrip(".") for rdata in found.rdatas[:5]]
        else:
            continue
        for target in filter(None, targets):
            yield target, "A"
            yield target, "AAAA"


def _zone(domain: str, keys: t.Sequence[Key], means: Means) -> ZoneFacts:
    """What the servers of the zone say of the names that lie in it."""
    name = means.names.zone_of(domain)
    servers = means.names.servers_of(name)
    alive = [means.names.at(server, name, "SOA") for server in servers]
    silent = tuple(server[0] for server, answer in zip(servers, alive) if not (answer.answered and answer.authoritative))
    usable = [server for server in servers if server[0] not in silent]
    inside = [key for key in keys if key[0] == name or key[0].endswith(f".{name}")]
    arguments = [(server, *key) for key in inside for server in usable]
    answers = means.at_once(means.names.at, arguments)
    by_key: dict[Key, tuple[Found, ...]] = {}
    for (_server, owner, kind), answer in zip(arguments, answers):
        if answer.answered and answer.authoritative:
            by_key[owner, kind] = (*by_key.get((owner, kind), ()), answer)
    return ZoneFacts(name, servers, silent, not alive or any(answer.code != NO_ANSWER for answer in alive), by_key)


# -- web hosts ------------------------------------------------------------------------------------------------------------


def _hosts(facts: Facts, means: Means) -> dict[str, tuple[Shown, ...]]:
    hosts = [facts.domain, *(f"{label}.{facts.domain}" for label in HOSTS)]
    found = [(host, facts.addresses(host)) for host in hosts]
    asked = [(host, addresses) for host, addresses in found if addresses]
    port = means.web.port_of("https://host/")
    shown = means.at_once(certificates.look, [(host, addresses, port, means.trust, means.timeout) for host, addresses in asked])
    return {host: each for (host, _addresses), each in zip(asked, shown)}


def _pages(facts: Facts, means: Means) -> tuple[Page, ...]:
    """The usual places, where there are hosts for them."""
    who, domain = facts.who, facts.domain
    query = "?emailaddress={address}"
    post = table.Step(table.AUTODISCOVER, method="POST")
    places = {
        "autoconfig": playing.question(table.Step("", f"https://autoconfig.{{domain}}{AUTOCONFIG_PATH}{query}"), who),
        "well_known": playing.question(table.Step("", f"https://{{domain}}{WELL_KNOWN_PATH}{query}"), who),
        "autodiscover": playing.question(post, who, url=f"https://autodiscover.{domain}{AUTODISCOVER_PATH}"),
        "autodiscover_apex": playing.question(post, who, url=f"https://{domain}{AUTODISCOVER_PATH}"),
        "json": playing.question(table.BY_ID["outlook-cloud"].steps[0], who),
        "profile": playing.question(table.Step("", f"https://autoconfig.{{domain}}{PROFILE_PATH}{query}"), who),
        "pacc": Question("GET", f"https://{PACC_LABEL}.{domain}{PACC_PATH}"),
    }
    answers = means.at_once(means.web.fetch, [(question,) for question in places.values()])
    return tuple(_page(key, question, answer) for (key, question), answer in zip(places.items(), answers))


_READERS: dict[str, t.Callable[[bytes], t.Any]] = {
    "autoconfig": mozilla.read,
    "well_known": mozilla.read,
    "autodiscover": autodiscover.read,
    "autodiscover_apex": autodiscover.read,
    "json": autodiscover.read_json,
    "profile": apple.read,
    "pacc": pacc.read,
}


def _page(key: str, question: Question, answer: Answer) -> Page:
    if not answer.ok:
        return Page(key, question, answer)
    try:
        return Page(key, question, answer, _READERS[key](answer.body))
    except DocumentError as exc:
        return Page(key, question, answer, problem=(exc.code, str(exc)))


# -- clients and servers --------------------------------------------------------------------------------------------------


def _plays(who: Who, means: Means) -> tuple[Play, ...]:
    """Every client; what they certainly ask is asked beforehand, all at once."""
    beforehand = dict.fromkeys(question for client in table.CLIENTS for question in playing.questions(client, who))
    means.at_once(means.web.fetch, [(question,) for question in beforehand])
    world = World(who, means.web, means.names, means.ispdb)
    return tuple(playing.play(client, world) for client in table.CLIENTS)


def _servers(plays: t.Iterable[Play], wanted: Wanted, means: Means) -> tuple[tuple[Service, ServerFacts], ...]:
    """What is at each way in or out, each place asked once; the first that names it says what is published."""
    services: dict[Endpoint, Service] = {}
    for service in (*wanted.services, *(service for play in plays for service in play.tried)):
        known = services.setdefault(service.endpoint, service)
        if not known.authentication and service.authentication:
            services[service.endpoint] = service
    # The same port with two modes is two questions, and one of them fails: both are what somebody is told.
    arguments = [(endpoint, means.names.addresses(endpoint.host), means.trust, means.timeout) for endpoint in services]
    facts = means.at_once(probe, arguments)
    return tuple((services[each.endpoint], each) for each in facts)


def confirmed(facts: Facts) -> frozenset[Endpoint]:
    """Where a password may go: what the administrator wants; else what the domain's own hosts say over verified HTTPS.

    What DNS alone names is not among them, nor what came through a redirect to another domain.
    """
    if facts.wanted.known:
        return frozenset(service.endpoint for service in facts.wanted.services)
    own = (facts.domain, *(f"{label}.{facts.domain}" for label in HOSTS))
    trusted = [play for play in facts.plays if "://" in play.winner and _direct(play, own)]
    return frozenset(service.endpoint for play in trusted for service in play.tried)


def _direct(play: Play, own: t.Collection[str]) -> bool:
    """Whether the answer came over HTTPS, and everything that led to it was asked of the domain's own hosts."""
    hosts = [urlsplit(url).hostname for url in (*play.asked, play.winner) if "://" in url]
    return not play.insecure and play.winner.startswith("https:") and all(host in own for host in hosts)


def _logins(facts: Facts, means: Means) -> tuple[tuple[Service, LoginResult, LoginResult | None], ...]:
    """A login at each server that may have the password, with the published name; if that is refused, with the other form."""
    if not means.password:
        return ()
    allowed = confirmed(facts)
    return tuple(_login(service, facts.who, means) for service, _facts in facts.servers if service.endpoint in allowed)


def _login(service: Service, who: Who, means: Means) -> tuple[Service, LoginResult, LoginResult | None]:
    names = {"%EMAILADDRESS%": who.address, "": who.address, "%EMAILLOCALPART%": who.local_part}
    name = names.get(service.username, service.username)
    other = who.local_part if name == who.address else who.address
    first = _log_in(service, name, means)
    second = _log_in(service, other, means) if first.outcome == "refused" else None
    return service, first, second


def _log_in(service: Service, name: str, means: Means) -> LoginResult:
    mechanisms = [each for method in service.authentication for each in _MECHANISMS.get(method, ())] or ["PLAIN", "LOGIN"]
    addresses = means.names.addresses(service.host)
    return login(service.endpoint, addresses, means.trust, name, means.password, mechanisms, means.timeout)
