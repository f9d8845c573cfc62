"""From the module's options to the changed zones.

PRIVATE to the collection. Everything is read and judged before the first zone is changed, and each zone fails alone.
"""

from __future__ import annotations

import typing as t

from . import plan as planning
from .exchange import LOST, ServerError
from .plan import Change, Held, Plan, RRset
from .records import Options, zone_of
from .server import PREREQUISITE_CODES, NameServer

# So many RRsets are named in a message.
SHOWN = 5
# So many zones that failed are named in a message.
SHOWN_ZONES = 20


def prepare(options: Options, server: NameServer) -> list[Plan]:
    """What has to be done, by zone, sorted; a zone that cannot be changed has problems. Changes nothing.

    Raises ServerError where nothing can be said of any zone.
    """
    wanted, missing = _by_zone(options, server)
    held, unread = _read(wanted, server)
    plans = [planning.make(zone, wanted[zone], held[zone], options.state) for zone in held]
    plans += [*missing, *(Plan(zone, (), problems=(why,)) for zone, why in unread.items())]
    return sorted(plans, key=lambda plan: plan.zone)


def _by_zone(options: Options, server: NameServer) -> tuple[dict[str, list[RRset]], list[Plan]]:
    """The RRsets by zone, and what there is instead of a plan for zones that the server does not have."""
    owners = {rrset.owner: "" for rrset in options.rrsets}
    if options.zones:
        given = set(options.zones)
        zones = {owner: zone_of(owner, given) or "" for owner in owners}
        missing = server.check_zones(sorted(set(zones.values())))
        failed = [Plan(zone, (), problems=(why,)) for zone, why in missing.items()]
    else:
        zones, missing = server.find_zones(owners)
        # What the name of their zone would be, nobody knows.
        failed = [Plan("", (), problems=tuple(missing.values()))] if missing else []
    wanted: dict[str, list[RRset]] = {}
    for rrset in options.rrsets:
        zone = zones.get(rrset.owner, "")
        if zone and zone not in missing:
            wanted.setdefault(zone, []).append(rrset)
    return wanted, failed


def _read(wanted: t.Mapping[str, t.Sequence[RRset]], server: NameServer) -> tuple[dict[str, Held], dict[str, str]]:
    """What the server has, by zone, and why some zones could not be read. Raises ServerError where the server is the reason."""
    try:
        return server.read(wanted), {}
    except ServerError as exc:
        if not exc.of_zone:
            raise
    # One after the other, because an error of all at once does not tell whose it is.
    held: dict[str, Held] = {}
    unread: dict[str, str] = {}
    for zone, rrsets in wanted.items():
        try:
            held.update(server.read({zone: rrsets}))
        except ServerError as exc:
            if not exc.of_zone:
                raise
            unread[zone] = str(exc)
    return held, unread


def foretell(plans: t.Iterable[Plan]) -> list[dict[str, t.Any]]:
    """The reports of a push that goes well."""
    return [planning.report(plan, plan.changes, _failed(plan.problems)) for plan in plans]


def push(plans: t.Sequence[Plan], server: NameServer) -> list[dict[str, t.Any]]:
    """Change one zone after the other, then read all of them back; a report of each. A zone that fails keeps no other.

    Where the server answers nobody any more, the rest is left alone.
    """
    done: dict[str, tuple[Change, ...]] = {}
    failed = {plan.zone: _failed(plan.problems) for plan in plans if plan.problems}
    lost = ""
    for plan in plans:
        if lost and plan.changes:
            failed[plan.zone] = f"it was not tried, because before it: {lost}"
        elif not plan.problems:
            done[plan.zone], error = _pushed(plan, server)
            if error:
                failed[plan.zone] = str(error)
                lost = "" if error.of_zone else str(error)
    changed = {zone: changes for zone, changes in done.items() if changes}
    failed = {**_unseen(changed, server), **failed}
    return [planning.report(plan, done.get(plan.zone, ()), failed.get(plan.zone, "")) for plan in plans]


def _pushed(plan: Plan, server: NameServer) -> tuple[tuple[Change, ...], ServerError | None]:
    """The changes that are done, and what has kept the others."""
    done: list[Change] = []
    try:
        for part, message in server.updates(plan.zone, plan.changes):
            _send(plan.zone, part, message, server)
            done.extend(part)
    except ServerError as exc:
        return tuple(done), exc
    return tuple(done), None


def _unseen(changed: t.Mapping[str, t.Sequence[Change]], server: NameServer) -> dict[str, str]:
    """Read what was written: servers may ignore a part without a word (RFC 2136 section 3.4.2). What is wrong, by zone."""
    not_read = "the update was carried out, but could not be read back"
    try:
        held, unread = _read({zone: [change.rrset for change in changes] for zone, changes in changed.items()}, server)
    except ServerError as exc:
        return dict.fromkeys(changed, f"{not_read}: {exc}")
    wrong = {zone: planning.differences(changed[zone], held[zone], before=False) for zone in held}
    return {
        **{zone: f"{not_read}: {why}" for zone, why in unread.items()},
        **{
            zone: f"the server carried out the update, but {len(lines)} record sets are not as wanted: {'; '.join(lines[:SHOWN])}"
            for zone, lines in wrong.items()
            if lines
        },
    }


def _failed(problems: t.Sequence[str]) -> str:
    more = len(problems) - SHOWN
    return "; ".join([*problems[:SHOWN], *([f"and {more} more"] if more > 0 else ())])


def summary(reports: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """What to say where zones have failed; empty where none has."""
    failed = [report for report in reports if report["failed"]]
    if not failed:
        return ""
    lines = [f"zone {report['zone'] or '(none)'}: {report['failed']}" for report in failed[:SHOWN_ZONES]]
    more = len(failed) - len(lines)
    others = ", and the others are as wanted" if len(failed) < len(reports) else ""
    head = f"{len(failed)} of {len(reports)} zones failed{others}:"
    return "\n".join([head, *lines, *([f"and {more} more zones"] if more > 0 else ())])


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
        message = f"{error}; {exc}; whether the zone was changed is not known, the next run will see"
        raise ServerError(message, of_zone=exc.of_zone) from exc
    if error.code == LOST:
        if not planning.differences(part, held, before=False):
            return
        raise ServerError(f"{error}; when it was read again, the update was not carried out, or not yet", of_zone=True)
    found = planning.differences(part, held, before=True)
    which = "; ".join(found[:SHOWN]) or "which records is not to be seen any more"
    message = f"somebody changed it between our reading and writing, so that nothing was changed ({error.code}): {which}"
    raise ServerError(f"{message}; run again", of_zone=True)
