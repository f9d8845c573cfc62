"""One truth: what documents and records say, against each other and against what is wanted. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..gathering import Facts, Page
from ..model import ERROR, INFO, NO_TLS, WARNING, Endpoint, Finding, Service
from ..names import srv_of
from ..parsing import apple, autodiscover, mozilla, pacc
from ..readers import SERVICE_NAMES, SERVICES, Taken, from_autodiscover, from_pacc, from_profile, from_srv
from ..servers import judge as judge_server
from . import mends
from .web import _asked as asked

_TLS = {"SSL": "tls", "STARTTLS": "starttls", "plain": "none"}


@dataclasses.dataclass(frozen=True)
class Source:
    """What one place says; ``hit`` are the clients that ask there."""

    where: str
    services: tuple[Service, ...]
    hit: tuple[str, ...]


def judge(found: Facts) -> t.Iterator[Finding]:
    """Every place that says something else than is wanted, or than the first place says where nobody said what is wanted."""
    sources = [*_documents(found), *_records(found)]
    true = _truth(found, sources)
    against = "what is wanted" if found.wanted.known else sources[0].where if sources else ""
    mend = mends.publish(found.domain)
    yield from _refused(found, true)
    for source in sources:
        by_code: dict[str, list[str]] = {}
        for service in source.services if source.services != true else ():
            code, what = _difference(service, true, found.wanted.known, against)
            if code:
                by_code.setdefault(code, []).append(what)
        for code, whats in by_code.items():
            yield Finding(code, _severity(found, code, source, true), source.where, "; ".join(whats), "", source.hit, mend)


def _refused(found: Facts, true: t.Collection[Service]) -> t.Iterator[Finding]:
    """Records that say of a service that it is not offered, where documents offer it (RFC 6186 section 3.4)."""
    for name in SERVICE_NAMES if not found.wanted.rrsets else ():
        owner = f"{name}._tcp.{found.domain}"
        records = srv_of(found.record(owner, "SRV").rdatas)
        offered = [service for service in true if (service.protocol, service.tls) == SERVICES[name]]
        if offered and any(not record.target for record in records):
            hit = tuple(play.client.id for play in found.plays if f"{owner} SRV" in play.asked)
            what = f"{owner} says that the service is not offered, but {offered[0]} is"
            mend = (f"make it: {owner}. 300 IN SRV 0 1 {offered[0].port} {offered[0].host}.",)
            yield Finding("dns.srv.refused", WARNING, f"{owner} SRV", what, "", hit, mend)


def truth(found: Facts) -> tuple[Service, ...]:
    """What everything is held against: what is wanted, or what the first place says."""
    return _truth(found, [*_documents(found), *_records(found)])


def _truth(found: Facts, sources: t.Sequence[Source]) -> tuple[Service, ...]:
    return found.wanted.services or (sources[0].services if sources else ())


def _severity(found: Facts, code: str, source: Source, true: tuple[Service, ...]) -> str:
    """How bad a difference is: two ways that both work are no fault, unless somebody said what is wanted."""
    if code == "settings.authentication":
        return WARNING
    others = {service.endpoint for service in source.services} - {service.endpoint for service in true}
    if code == "settings.differ" and not found.wanted.known and others <= working(found):
        return INFO
    return ERROR


def working(found: Facts) -> frozenset[Endpoint]:
    """The servers at which nothing is wrong."""
    there = [(service, server) for service, server in found.servers if server.addresses]
    return frozenset(
        service.endpoint for service, server in there if not any(each.severity == ERROR for each in judge_server(service, server))
    )


def _difference(service: Service, truth: t.Sequence[Service], known: bool, against: str) -> tuple[str, str]:
    """What one service has otherwise, as a code and a sentence; both empty if nothing."""
    same_kind = [each for each in truth if each.protocol == service.protocol]
    match = next((each for each in same_kind if each.endpoint == service.endpoint), None)
    if match is None:
        # The document says more of what is without TLS. A protocol that one place has and another has not is no second truth,
        # unless somebody said what is wanted.
        if service.tls == NO_TLS or not (same_kind or known):
            return "", ""
        return "settings.differ", f"{service} is not in {against}: {', '.join(map(str, same_kind)) or 'nothing of that kind'}"
    if service.username and match.username and service.username != match.username:
        return "settings.username", f"{service}: the user name is {service.username}, in {against} {match.username}"
    if service.authentication and match.authentication and not set(service.authentication) & set(match.authentication):
        methods = service.authentication[0], match.authentication[0]
        return "settings.authentication", f"{service}: the authentication is {methods[0]}, in {against} {methods[1]}"
    return "", ""


def _documents(found: Facts) -> t.Iterator[Source]:
    """The documents; the same bytes at two places are one source."""
    bodies: dict[bytes, list[Page]] = {}
    for page in found.pages:
        bodies.setdefault(page.answer.body, []).append(page)
    for pages in bodies.values():
        services = _services(found, pages[0])
        if services:
            hit = dict.fromkeys(client for page in pages for client in asked(found, page))
            yield Source(pages[0].question.url.partition("?")[0], services, tuple(hit))


def _services(found: Facts, page: Page) -> tuple[Service, ...]:
    """What a document says, without any client's opinion where it has one."""
    document, who = page.document, found.who
    if isinstance(document, mozilla.Document):
        return tuple(_service(found, server) for server in document.servers if _usable(server))
    taken = Taken()
    if isinstance(document, autodiscover.Document):
        # LoginName and SPA that are not said are findings of the document.
        taken = from_autodiscover(document, "nobody", who)
        named = {protocol.server.lower() for protocol in document.protocols if protocol.login_name}
        taken = dataclasses.replace(
            taken, services=tuple(dataclasses.replace(each, authentication=()) for each in taken.services)
        )
        return tuple(each if each.host in named else dataclasses.replace(each, username="") for each in taken.services)
    if isinstance(document, apple.Profile):
        taken = from_profile(document, who)
    elif isinstance(document, pacc.Document):
        taken = from_pacc(document)
    return taken.services


def _usable(server: mozilla.Server) -> bool:
    port = int(server.port) if server.port.isascii() and server.port.isdigit() and len(server.port) < 6 else 0
    known = any(socket in _TLS for socket in server.socket_types)
    return server.type in ("imap", "pop3", "smtp") and 0 < port < 65536 and known and bool(server.hostname)


def _service(found: Facts, server: mozilla.Server) -> Service:
    host = server.hostname.replace("%EMAILDOMAIN%", found.domain).lower()
    socket = next(each for each in server.socket_types if each in _TLS)
    return Service(
        server.type, host, int(server.port), _TLS[socket], found.who.form((server.username or "").strip()), server.authentication
    )


def _records(found: Facts) -> t.Iterator[Source]:
    """SRV records, each name a place of its own; those that are wanted as such are held against that in ``records``."""
    for name in SERVICE_NAMES:
        owner = f"{name}._tcp.{found.domain}"
        if found.wanted.rrsets:
            continue
        taken = from_srv({name: tuple(sorted(srv_of(found.record(owner, "SRV").rdatas)))})
        if taken.services:
            hit = tuple(play.client.id for play in found.plays if f"{owner} SRV" in play.asked)
            yield Source(f"{owner} SRV", taken.services, hit)
