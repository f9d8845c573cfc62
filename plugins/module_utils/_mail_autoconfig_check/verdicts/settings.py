"""One truth: what documents and records say, against each other and against what is wanted. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..gathering import Facts, Page
from ..model import ERROR, NO_TLS, WARNING, Finding, Service
from ..names import srv_of
from ..parsing import apple, autodiscover, mozilla, pacc
from ..readers import SERVICE_NAMES, Taken, from_autodiscover, from_pacc, from_profile, from_srv
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
    truth = found.wanted.services or (sources[0].services if sources else ())
    against = "what is wanted" if found.wanted.known else sources[0].where if sources else ""
    for source in sources:
        if source.services != truth:
            yield from _compare(found, source, truth, against)


def _compare(found: Facts, source: Source, truth: tuple[Service, ...], against: str) -> t.Iterator[Finding]:
    for service in source.services:
        same_kind = [each for each in truth if each.protocol == service.protocol]
        match = next((each for each in same_kind if each.endpoint == service.endpoint), None)
        mend = mends.publish(found.domain)
        if service.tls == NO_TLS and match is None:
            continue  # the document says more of it
        if match is None:
            # A protocol that one place has and another has not is no second truth, unless somebody said what is wanted.
            if same_kind or found.wanted.known:
                what = f"{service} is not in {against}: {', '.join(map(str, same_kind)) or 'nothing of that kind'}"
                yield Finding("settings.differ", ERROR, source.where, what, str(service), source.hit, mend)
            continue
        if service.username and match.username and service.username != match.username:
            what = f"{service}: the user name is {service.username}, in {against} {match.username}"
            yield Finding("settings.username", ERROR, source.where, what, service.username, source.hit, mend)
        if service.authentication and match.authentication and not set(service.authentication) & set(match.authentication):
            what = f"{service}: the authentication is {service.authentication[0]}, in {against} {match.authentication[0]}"
            yield Finding("settings.authentication", WARNING, source.where, what, service.authentication[0], source.hit, mend)


def _documents(found: Facts) -> t.Iterator[Source]:
    for page in found.pages:
        services = _services(found, page)
        if services:
            yield Source(page.question.url.partition("?")[0], services, asked(found, page))


def _services(found: Facts, page: Page) -> tuple[Service, ...]:
    """What a document says, without any client's opinion where it has one."""
    document, who = page.document, found.who
    if isinstance(document, mozilla.Document):
        return tuple(_service(found, server) for server in document.servers if _usable(server))
    taken = Taken()
    if isinstance(document, autodiscover.Document):
        # LoginName and SPA that are not said are findings of the document.
        taken = from_autodiscover(document, "thunderbird", who)
        named = {protocol.server.lower() for protocol in document.protocols if protocol.login_name}
        return tuple(
            each if each.host in named else dataclasses.replace(each, username="", authentication=()) for each in taken.services
        )
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
        server.type, host, int(server.port), _TLS[socket], found.who.form(server.username or ""), server.authentication
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
