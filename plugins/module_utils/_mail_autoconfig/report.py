"""What a run says of itself. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from . import plan as planning
from .dns import records as dns
from .host.rehearsal import Rehearsal
from .host.transaction import Outcome
from .plan import Current, Plan
from .publication import Publications

# Lists that grow with the domains cost Ansible more time than the run itself; beyond this they come on request.
MANY_DOMAINS = 200
# Nobody reads more, and Ansible prints each with its frame.
MANY_WARNINGS = 50
LISTS = ("urls", "dns_records", "dns_record_sets", "certificate_names")


def lists(publications: Publications, wanted: t.Collection[str] | None) -> dict[str, t.Any]:
    """The lists that grow with the domains: those that are wanted, or all if there are few domains."""
    few = sum(len(item.provider.domains) for item in publications.items) <= MANY_DOMAINS
    chosen = set(LISTS if few else ()) if wanted is None else set(wanted)
    found: dict[str, t.Any] = {}
    if "urls" in chosen:
        found["urls"] = [request.to_dict() for request in publications.requests]
    if "dns_records" in chosen:
        found["dns_records"] = [record.to_dict() for record in publications.records]
    if "dns_record_sets" in chosen:
        found["dns_record_sets"] = dns.record_sets(publications.records)
    if "certificate_names" in chosen:
        found["certificate_names"] = list(_certificate_names(publications))
    return found


def _certificate_names(publications: Publications) -> t.Iterator[dict[str, t.Any]]:
    """What serves each host name over TLS, or why nothing does; nothing of what is taken away."""
    for item in publications.items if publications.desired else ():
        for name, domain in (host for group in item.groups for host in group.hosts):
            choice = item.choices[name]
            entry: dict[str, t.Any] = {"name": name, "domain": domain, "provider": item.provider.id, "reason": choice.reason}
            if choice.pair:
                now = publications.moment
                entry["certificate_file"], entry["certificate_key_file"] = choice.pair.file, choice.pair.key
                entry["days_left"], entry["lifetime_left"] = choice.facts.days_left(now), choice.facts.lifetime_left(now)
            yield entry


def shown(warnings: t.Sequence[str]) -> tuple[str, ...]:
    """The warnings that are shown: the first ones, and how many more there are."""
    more = len(warnings) - MANY_WARNINGS
    return (*warnings[:MANY_WARNINGS], *([f"and {more} more warnings, which come when these are gone"] if more > 0 else ()))


def result(
    publications: Publications,
    plan: Plan,
    current: Current,
    rehearsal: Rehearsal,
    outcome: Outcome,
    wanted: t.Collection[str] | None,
) -> dict[str, t.Any]:
    """The result of a run that did not fail."""
    return {
        "changed": plan.is_needed,
        "changed_files": sorted((*plan.write, *plan.remove)),
        "enabled": plan.enable,
        "disabled": plan.disable,
        "needs_reload": plan.needs_reload and not outcome.reloaded and outcome.running,
        "rehearsed": rehearsal.rehearsed,
        "rehearsal": rehearsal.reason,
        "apache_running": outcome.running,
        "reloaded": outcome.reloaded,
        "asked": outcome.asked,
        "certificates_obsolete": [
            {"certificate_file": pair.file, "certificate_key_file": pair.key} for pair in publications.obsolete
        ],
        "diff": planning.diffs(plan, current),
        **lists(publications, wanted),
    }
