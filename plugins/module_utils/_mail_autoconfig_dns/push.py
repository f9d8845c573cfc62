"""From the module's options to the changed zones.

PRIVATE to the collection. Everything is read and judged before the first zone is changed, and each zone fails alone.
"""

from __future__ import annotations

import dataclasses
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


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What has to be done.

    :ivar plans: by zone, sorted; those of zones that cannot be changed have problems
    :ivar left: obsolete RRsets of which nothing can be said, because their zone is not given or cannot be asked
    """

    plans: tuple[Plan, ...]
    left: tuple[RRset, ...] = ()


def prepare(options: Options, server: NameServer) -> Prepared:
    """What has to be done. Changes nothing. Raises ServerError where nothing can be said of any zone."""
    zones, missing = _zones(options, server)
    wanted, obsolete = (_by_zone(rrsets, zones, missing) for rrsets in (options.rrsets, options.obsolete))
    held, unread, obsolete = _read_both(wanted, obsolete, server)
    plans = [planning.make(zone, wanted.get(zone, ()), held[zone], options.state, obsolete.get(zone, ())) for zone in held]
    problems: dict[str, dict[str, None]] = {zone: {why: None} for zone, why in unread.items()}
    for rrset in options.rrsets:
        if rrset.owner in missing:
            # Of an owner without a zone nobody knows what the name of that would be.
            problems.setdefault(zones.get(rrset.owner, ""), {})[missing[rrset.owner]] = None
    plans += [Plan(zone, (), problems=tuple(lines)) for zone, lines in problems.items()]
    judged = {rrset for rrsets in obsolete.values() for rrset in rrsets}
    left = tuple(rrset for rrset in options.obsolete if rrset not in judged)
    return Prepared(tuple(sorted(plans, key=lambda plan: plan.zone)), left)


def _read_both(
    wanted: t.Mapping[str, list[RRset]], obsolete: t.Mapping[str, list[RRset]], server: NameServer
) -> tuple[dict[str, Held], dict[str, str], dict[str, list[RRset]]]:
    """The same as ``_read`` for both, and the obsolete ones that can be read: one may lie in a zone that was made since.

    It keeps nothing else of the zone that it lay in before.
    """
    both = {zone: [*wanted.get(zone, ()), *obsolete.get(zone, ())] for zone in {**wanted, **obsolete}}
    held, unread = _read(both, server)
    readable = dict(obsolete)
    for zone in [zone for zone in unread if zone in obsolete]:
        readable[zone] = [rrset for rrset in obsolete[zone] if not _read({zone: [rrset]}, server)[1]]
        if zone in wanted or readable[zone]:
            again, why = _read({zone: [*wanted.get(zone, ()), *readable[zone]]}, server)
            held.update(again)
            unread = {**{other: words for other, words in unread.items() if other != zone}, **why}
    return held, unread, readable


def _zones(options: Options, server: NameServer) -> tuple[dict[str, str], dict[str, str]]:
    """The zone of each owner that has one, and why the server cannot serve some, by owner."""
    owners = dict.fromkeys(rrset.owner for rrset in (*options.rrsets, *options.obsolete))
    if not options.zones:
        return server.find_zones(owners)
    given = set(options.zones)
    zones = {owner: zone for owner in owners for zone in [zone_of(owner, given)] if zone}
    missing = server.check_zones(sorted(set(zones.values())))
    return zones, {owner: missing[zone] for owner, zone in zones.items() if zone in missing}


def _by_zone(rrsets: t.Iterable[RRset], zones: t.Mapping[str, str], missing: t.Collection[str]) -> dict[str, list[RRset]]:
    found: dict[str, list[RRset]] = {}
    for rrset in rrsets:
        if rrset.owner in zones and rrset.owner not in missing:
            found.setdefault(zones[rrset.owner], []).append(rrset)
    return found


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


def gone(plans: t.Iterable[Plan], reports: t.Iterable[t.Mapping[str, t.Any]]) -> list[RRset]:
    """The obsolete RRsets that are gone for certain."""
    return [rrset for plan, report in zip(plans, reports) if not report["failed"] for rrset in plan.gone]


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
