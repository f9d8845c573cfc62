"""What the facts of a domain mean: findings, each with its cause, whom it hits and what mends it. Pure.

PRIVATE to the collection. A fault is named where it lies, once: a host without an address has no fault of HTTP, a host with
a wrong certificate no missing documents.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..gathering import Facts
from ..model import (
    ASKS,
    ERROR,
    FAILS,
    SEVERITIES,
    WORKS,
    ClientResult,
    DomainReport,
    Finding,
    RecordFacts,
    verdict_of,
)
from ..playing import Play
from ..servers import judge, judge_login
from . import clients, documents, records, settings, web


def report(facts: Facts) -> DomainReport:
    """The report of a domain."""
    facts = dataclasses.replace(facts, plays=tuple(clients.settled(facts)))
    there = records.domain(facts)
    listed: list[Finding] = [*there]
    if not there:
        listed += [*records.judge(facts), *web.judge(facts), *documents.judge(facts), *settings.judge(facts), *_servers(facts)]
        listed += clients.judge(facts, listed)
    found = tuple(sorted(dict.fromkeys(listed), key=lambda finding: SEVERITIES.index(finding.severity)))
    held = records.facts(facts)
    zone, stale = records.zone_lines(facts, held)
    return DomainReport(
        domain=facts.domain,
        address=facts.who.address,
        verdict=verdict_of(found),
        clients=tuple(_client(play, found, facts) for play in facts.plays),
        servers=tuple(_with_login(facts)),
        certificates=tuple(shown.facts for each in facts.hosts.values() for shown in each[:1]),
        records=tuple(each for each in held if _tells(each)),
        zone=zone,
        stale=stale,
        findings=found,
    )


def _tells(record: RecordFacts) -> bool:
    return bool(record.wanted or record.found)


def _with_login(facts: Facts) -> t.Iterator[t.Any]:
    """The servers, each with how a login ended."""
    logins = {service.endpoint: (first, second) for service, first, second in facts.logins}
    for service, server in facts.servers:
        first, second = logins.get(service.endpoint, (None, None))
        best = second if second is not None and second.outcome == "accepted" else first
        yield dataclasses.replace(server, login=best)


def _servers(facts: Facts) -> t.Iterator[Finding]:
    """Faults of the mail servers, with the clients that end there.

    Servers that only a wrong document names are not judged: the document is the fault.
    """
    logins = {service.endpoint: (service, first, second) for service, first, second in facts.logins}
    true = {service.endpoint for service in settings.truth(facts)}
    for service, server in facts.servers:
        if service.endpoint not in true:
            continue
        hit = tuple(play.client.id for play in facts.plays if service.endpoint in [each.endpoint for each in play.services])
        if not server.addresses:
            yield _without_address(facts, service.host, str(service), hit)
            continue
        found = [*judge(service, server)]
        if service.endpoint in logins:
            known = {finding.code for finding in found}
            login = judge_login(*logins[service.endpoint])
            found += [each for each in login if each.code != "server.login_no_mechanism" or "server.authentication" not in known]
        for finding in found:
            yield dataclasses.replace(finding, clients=hit)


def _without_address(facts: Facts, host: str, where: str, hit: tuple[str, ...]) -> Finding:
    what = f"{host} has no address"
    mends = (f"add A and AAAA records of {host}", "name another host in the provider")
    return Finding("server.no_address", ERROR, where, what, "", hit, mends)


def _client(play: Play, found: t.Sequence[Finding], facts: Facts) -> ClientResult:
    """The result of a client, with what the servers make of its settings."""
    result = play.result()
    if result.verdict not in (WORKS, ASKS):
        return result
    true = {service.endpoint for service in settings.truth(facts)}
    works = settings.working(facts)
    for service in play.services:
        if service.username != service.username.strip():
            return dataclasses.replace(result, verdict=FAILS, because="it would log in with the spaces around the user name")
        if service.endpoint not in true and (facts.wanted.known or service.endpoint not in works):
            return dataclasses.replace(result, verdict=FAILS, because=f"it would use {service}, which is not what is offered")
    endpoints = [str(service) for service in play.services]
    for finding in found:
        at_server = finding.code.startswith("server.") and any(finding.where.startswith(endpoint) for endpoint in endpoints)
        of_client = finding.code.startswith("settings.") and play.client.id in finding.clients
        if finding.severity == ERROR and (at_server or of_client):
            return dataclasses.replace(result, verdict=FAILS, because=f"{finding.where}: {finding.what}")
    return result
