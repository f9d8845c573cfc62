"""Clients that find nothing, or ask, where no fault says why: what their makers decided. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..gathering import Facts
from ..model import ERROR, INFO, WARNING, Endpoint, Finding, Service
from ..playing import Play
from . import settings

_ONLY_SUBMISSION = ("aerc", "horde", "claws")


def settled(found: Facts) -> t.Iterator[Play]:
    """The clients; those that try one server after the other end at the first that works."""
    refused = {service.endpoint for service, first, _second in found.logins if first.outcome == "refused"}
    works = settings.working(found) - refused
    for play in found.plays:
        services = tuple(_first(service, play.further, works) for service in play.services)
        yield dataclasses.replace(play, services=services)


def _first(service: Service, further: t.Sequence[Service], works: t.Collection[Endpoint]) -> Service:
    """The first that works of a service and of those that come after it; the service itself if none does."""
    same = (service, *(each for each in further if each.protocol == service.protocol))
    return next((each for each in same if each.endpoint in works), service)


def judge(found: Facts, others: t.Iterable[Finding]) -> t.Iterator[Finding]:
    """Findings of single clients; ``others`` are what is known already."""
    explained = {client for finding in others if finding.severity in (ERROR, WARNING) for client in finding.clients}
    insecure = [play for play in found.plays if play.insecure]
    if insecure and not any(finding.code == "http.downgrade" for finding in others):
        what = "settings come over plain HTTP, where anybody on the way can change them"
        mend = ("serve them over HTTPS: run the role with a certificate that names the host",)
        hit = tuple(play.client.id for play in insecure)
        severity = WARNING if set(hit) & explained else ERROR
        if not set(hit) <= explained:
            yield Finding("http.insecure", severity, insecure[0].winner.partition("?")[0], what, "", hit, mend)
    left = [play for play in found.plays if play.client.id not in explained]
    yield from _no_outgoing(found, [play for play in left if _lacks_outgoing(play)])
    for play in left:
        if play.because and not _lacks_outgoing(play):
            what = f"{play.client.name} does not set itself up: {play.because}"
            where = play.asked[0].partition("?")[0] if play.asked else found.domain
            yield Finding("client.nothing", INFO, where, what, "", (play.client.id,), ())
        elif play.asks and play.client.id != "apple":  # an unsigned profile is a finding of the document
            what = f"{play.client.name} asks the user: {'; '.join(play.asks)}"
            yield Finding("client.asks", INFO, play.winner.partition("?")[0], what, "", (play.client.id,), _answers(play))


def _answers(play: Play) -> tuple[str, ...]:
    if "DNSSEC" in "".join(play.asks):
        return ("sign the zone (DNSSEC)", "or give the domain an autoconfig host of its own, with a certificate")
    return ("give the domain an autodiscover host of its own, with a certificate",)


def _lacks_outgoing(play: Play) -> bool:
    """Whether it has an incoming server by SRV and no outgoing one, because it does not know ``_submissions``."""
    return play.client.id in _ONLY_SUBMISSION and bool(play.because) and [each.protocol for each in play.services] == ["imap"]


def _no_outgoing(found: Facts, plays: t.Sequence[Play]) -> t.Iterator[Finding]:
    if plays:
        owner = f"_submission._tcp.{found.domain}"
        names = ", ".join(play.client.name for play in plays)
        what = f"no outgoing server for {names}: they look for _submission only, and port 465 is under _submissions"
        mend = ("offer port 587 with STARTTLS too, and add it to outgoing of the provider: the role then has the record",)
        yield Finding("client.no_outgoing", INFO, f"{owner} SRV", what, "", tuple(play.client.id for play in plays), mend)
