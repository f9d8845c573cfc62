"""From the module's options to the changed zones.

PRIVATE to the collection. Everything is read and judged before the first zone is changed.
"""

from __future__ import annotations

import typing as t

from .._mail_autoconfig.input.reading import InputError
from . import plan as planning
from .exchange import LOST, ServerError
from .plan import Change, Plan, RRset
from .records import Options, zone_of
from .server import PREREQUISITE_CODES, NameServer

# So many RRsets are named in a message.
SHOWN = 5


class PushError(Exception):
    """A zone could not be changed, or not be seen to be.

    :ivar zones: reports of the zones that are done, as :func:`plan.report` makes them; of the failed one if part of it is
    """

    def __init__(self, message: str, zones: t.Sequence[dict[str, t.Any]]) -> None:
        self.zones = list(zones)
        super().__init__(message)


def prepare(options: Options, server: NameServer) -> list[Plan]:
    """What has to be done, by zone, sorted. Changes nothing. Raises InputError and ServerError."""
    wanted = _by_zone(options, server)
    held = server.read(wanted)
    plans = [planning.make(zone, rrsets, held[zone], options.state) for zone, rrsets in wanted.items()]
    problems = [problem for plan in plans for problem in plan.problems]
    if problems:
        raise InputError(problems)
    return plans


def _by_zone(options: Options, server: NameServer) -> dict[str, list[RRset]]:
    owners = {rrset.owner: "" for rrset in options.rrsets}
    if options.zones:
        given = set(options.zones)
        zones = {owner: zone_of(owner, given) or "" for owner in owners}
        problems = server.check_zones(sorted(set(zones.values())))
    else:
        zones, problems = server.find_zones(owners)
    if problems:
        raise InputError(problems)
    wanted: dict[str, list[RRset]] = {zone: [] for zone in sorted(set(zones.values()))}
    for rrset in options.rrsets:
        wanted[zones[rrset.owner]].append(rrset)
    return wanted


def push(plans: t.Sequence[Plan], server: NameServer) -> list[dict[str, t.Any]]:
    """Change one zone after the other, then read all of them back; a report of each.

    Raises PushError at the first zone that fails, and leaves the rest alone.
    """
    reports: list[dict[str, t.Any]] = []
    for plan in plans:
        done: list[Change] = []
        try:
            for part, message in server.updates(plan.zone, plan.changes):
                _send(plan.zone, part, message, server)
                done.extend(part)
        except ServerError as exc:
            if done:
                reports.append(planning.report(plan, done))
            raise PushError(f"zone {plan.zone}: {exc}", reports) from exc
        reports.append(planning.report(plan, plan.changes))
    _verify([plan for plan in plans if plan.changes], reports, server)
    return reports


def _verify(plans: t.Sequence[Plan], reports: t.Sequence[dict[str, t.Any]], server: NameServer) -> None:
    """Read what was written: servers may ignore a part without a word (RFC 2136 section 3.4.2). Raises PushError."""
    try:
        held = server.read({plan.zone: [change.rrset for change in plan.changes] for plan in plans})
    except ServerError as exc:
        raise PushError(f"all updates were carried out, but could not be read back: {exc}", reports) from exc
    wrong = {plan.zone: planning.differences(plan.changes, held[plan.zone], before=False) for plan in plans}
    found = [line for lines in wrong.values() for line in lines]
    if found:
        raise PushError(
            f"the server carried out the updates, but {len(found)} record sets are not as wanted: {'; '.join(found[:SHOWN])}",
            [report for report in reports if not wrong.get(report["zone"])],
        )


def _send(zone: str, part: t.Sequence[Change], message: t.Any, server: NameServer) -> None:
    """Send an update; if it fails, find out what became of it. Raises ServerError unless it was carried out after all."""
    try:
        server.send(message)
    except ServerError as error:
        if error.code not in (*PREREQUISITE_CODES, LOST):
            raise
        _settle(zone, part, server, error)


def _settle(zone: str, part: t.Sequence[Change], server: NameServer, error: ServerError) -> None:
    """Read again after an update that failed. Raises ServerError with what is to be seen, unless that is the wanted."""
    try:
        held = server.read({zone: [change.rrset for change in part]})[zone]
    except ServerError as exc:
        raise ServerError(f"{error}; {exc}; whether the zone was changed is not known, the next run will see") from exc
    if error.code == LOST:
        if not planning.differences(part, held, before=False):
            return
        raise ServerError(f"{error}; when it was read again, the update was not carried out, or not yet")
    found = planning.differences(part, held, before=True)
    which = "; ".join(found[:SHOWN]) or "which records is not to be seen any more"
    raise ServerError(
        f"somebody changed it between our reading and writing, so that nothing was changed ({error.code}): {which}; run again"
    )
