"""What a run says of itself. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import types
import typing as t

from . import plan as planning
from .apache import managed_domains
from .certificates import Certificate, Choice
from .dns import records as dns
from .dns import remembered
from .dns.remembered import Groups
from .files import Kind
from .host.rehearsal import Rehearsal
from .host.transaction import Outcome
from .lineages import Failure, when_again
from .orders import Entry, Orders
from .orders import shown as shown_time
from .plan import Current, Plan
from .publication import Publications

# Lists that grow with the domains cost Ansible more time than the run itself; beyond this they come on request.
MANY_DOMAINS = 200
# Nobody reads more, and Ansible prints each with its frame.
MANY_WARNINGS = 50
_NO_ENTRIES: t.Mapping[str, Entry] = types.MappingProxyType({})
_NO_FAILURES: t.Mapping[str, Failure] = types.MappingProxyType({})
_NO_PAIR = Certificate("", "")
_OBSOLETE = "dns_records_obsolete"
LISTS = ("urls", "dns_records", "dns_record_sets", _OBSOLETE, "certificate_names", "certificate_orders")


def lists(
    publications: Publications,
    wanted: t.Collection[str] | None,
    entries: t.Mapping[str, Entry] = _NO_ENTRIES,
    failures: t.Mapping[str, Failure] = _NO_FAILURES,
    obsolete: Groups = (),
    is_remembered: bool = True,
) -> dict[str, t.Any]:
    """The lists that grow with the domains: those that are wanted, or all if there are few domains.

    :arg entries: what became of mod_md's orders
    :arg failures: orders of certbot that this run has seen fail, by mail domain
    :arg obsolete: records that are not wanted any more
    :arg is_remembered: whether a later run can tell of them too; if not, this one does, however many they are
    """
    few = sum(len(item.provider.domains) for item in publications.items) <= MANY_DOMAINS
    chosen = set(LISTS if few else ()) if wanted is None else set(wanted)
    if wanted is None and obsolete:
        is_long = sum(len(group.domains) for group in obsolete) > MANY_DOMAINS
        chosen = chosen - {_OBSOLETE} if is_long and is_remembered else chosen | {_OBSOLETE}
    found: dict[str, t.Any] = {}
    if "urls" in chosen:
        found["urls"] = [request.to_dict() for request in publications.requests]
    if "dns_records" in chosen:
        found["dns_records"] = [record.to_dict() for record in publications.records]
    if "dns_record_sets" in chosen:
        found["dns_record_sets"] = dns.record_sets(publications.records)
    if _OBSOLETE in chosen:
        found[_OBSOLETE] = remembered.listed(obsolete, publications.settings.dns.ttl)
    if "certificate_names" in chosen:
        found["certificate_names"] = list(_certificate_names(publications))
    if "certificate_orders" in chosen:
        found["certificate_orders"] = [
            *_certificate_orders(publications.orders, entries),
            *_lineage_orders(publications, failures),
        ]
    return found


def _certificate_names(publications: Publications) -> t.Iterator[dict[str, t.Any]]:
    """What serves each host name over TLS, or why nothing does; nothing of what is taken away."""
    for item in publications.items if publications.desired else ():
        for name, domain in (host for group in item.groups for host in group.hosts):
            yield _certificate_name(name, domain, item.provider.id, item.choices[name], publications.moment)
        for name, (domain, choice) in item.extra.items():
            yield _certificate_name(name, domain, item.provider.id, choice, publications.moment)


def _certificate_name(name: str, domain: str, provider: str, choice: Choice, now: float) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {"name": name, "domain": domain, "provider": provider, "reason": choice.reason}
    if choice.pair:
        entry["certificate_file"], entry["certificate_key_file"] = choice.pair.file, choice.pair.key
        entry["days_left"], entry["lifetime_left"] = choice.facts.days_left(now), choice.facts.lifetime_left(now)
    return entry


def _certificate_orders(orders: Orders, entries: t.Mapping[str, Entry]) -> t.Iterator[dict[str, t.Any]]:
    """What becomes of the certificate of each mail domain that has one ordered, and when."""
    for domain, item in orders.managed.items():
        entry = entries.get(item.name, Entry())
        state = "there" if item.name not in orders.pending else "failed" if entry.words else "ordered"
        yield {
            "domain": domain,
            "names": list(item.names),
            "state": state,
            "reason": entry.words,
            "next": shown_time(entry.tries),
        }
    for domain in (domain for domain in orders.later if domain not in orders.managed):
        yield {"domain": domain, "names": [], "state": "later", "reason": "", "next": shown_time(orders.later_at)}


def _lineage_orders(publications: Publications, failures: t.Mapping[str, Failure]) -> t.Iterator[dict[str, t.Any]]:
    """The same for what certbot orders."""
    lineages = publications.lineages
    names: dict[str, list[str]] = {}
    for item in publications.items:
        for name, domain in (host for group in item.groups for host in group.hosts):
            if item.choices[name].pair == lineages.own.get(domain, _NO_PAIR):
                names.setdefault(domain, []).append(name)
        for name, (domain, choice) in item.extra.items():
            if choice.pair == lineages.own.get(domain, _NO_PAIR):
                names.setdefault(domain, []).append(name)
    signing = publications.signing
    if signing and signing.choice.pair == lineages.own.get(signing.host, _NO_PAIR):
        names[signing.host] = [signing.host]
    for domain in dict.fromkeys((*names, *lineages.ordered, *lineages.failed, *lineages.later)):
        failure = failures.get(domain) or lineages.failed.get(domain)
        planned = lineages.planned.get(domain)
        state = (
            "failed" if failure else "ordered" if domain in lineages.ordered else "later" if domain in lineages.later else "there"
        )
        until = lineages.later_at if state == "later" else 0
        yield {
            "domain": domain,
            "names": list(planned.hosts) if planned else names.get(domain, []),
            "state": state,
            "reason": failure.words if failure else "",
            "next": when_again(failure) if failure else shown_time(until),
        }


def _signing(publications: Publications) -> dict[str, t.Any]:
    """The pair that signs profiles by a host name, and its copy; empty where there is none."""
    signing = publications.signing
    if signing is None or signing.choice.pair is None or signing.signer is None:
        return {}
    choice, now = signing.choice, publications.moment
    return {
        "host": signing.host,
        "reason": choice.reason,
        "certificate_file": signing.choice.pair.file,
        "certificate_key_file": signing.choice.pair.key,
        "days_left": choice.facts.days_left(now),
        "lifetime_left": choice.facts.lifetime_left(now),
        "copy_file": signing.signer.certificate,
        "copy_chain_file": signing.signer.chain,
        "group": signing.group,
    }


def together(results: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
    """The results of several turns in one."""
    changed = [result for result in results if result["changed"]]
    if len(results) == 1 or not changed:
        return results[-1]
    # A turn that only has Apache read its configuration once more is not rehearsed.
    written = [result for result in changed if result["changed_files"] or any(result["enabled"].values())] or changed
    return {
        **results[-1],
        "changed": True,
        "changed_files": sorted({path for result in changed for path in result["changed_files"]}),
        "enabled": _joined([result["enabled"] for result in changed]),
        "disabled": _joined([result["disabled"] for result in changed]),
        "rehearsed": all(result["rehearsed"] for result in written),
        "rehearsal": next((result["rehearsal"] for result in written if not result["rehearsed"]), ""),
        "reloaded": any(result["reloaded"] for result in changed),
        "asked": sum(result["asked"] for result in changed),
        "diff": [entry for result in changed for entry in result["diff"]],
    }


def _joined(switched: t.Iterable[t.Mapping[str, t.Sequence[str]]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for item in switched:
        for kind, names in item.items():
            found[kind] = tuple(sorted({*found.get(kind, ()), *names}))
    return found


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
    entries: t.Mapping[str, Entry] = _NO_ENTRIES,
    failures: t.Mapping[str, Failure] = _NO_FAILURES,
) -> dict[str, t.Any]:
    """The result of a run that did not fail, or of one of its turns.

    :arg wanted: as for ``lists``, with ``entries`` and ``failures``
    """
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
        "certificates_managed": any(map(managed_domains.is_file_name, plan.manifest.named("conf"))),
        "certificate_store": publications.orders.store,
        "signing": _signing(publications),
        "signing_managed": any(
            owned.kind is Kind.SIGNING for holding in plan.manifest.providers.values() for owned in holding.files.values()
        ),
        "certificates_obsolete": [
            {"certificate_file": pair.file, "certificate_key_file": pair.key, "delete_command": command}
            for pair, command in publications.obsolete.items()
        ],
        "diff": planning.diffs(plan, current),
        **lists(publications, wanted, entries, failures, plan.obsolete_records, bool(plan.manifest.instance)),
    }
