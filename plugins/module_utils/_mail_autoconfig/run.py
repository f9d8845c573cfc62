"""One run: options, survey, publications, plan, transaction, report.

PRIVATE to the collection. The only place that leads through all rooms; each step is in the room that its name promises.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import time
import types
import typing as t

from . import expectations, extra_names, publication, report
from . import plan as planning
from .apache import managed_domains
from .apache.common import HEADER
from .certificates import CERTBOT, MOD_MD, Certificate, PairFacts
from .extra_names import ExtraNames
from .files import Kind
from .findings import Findings, some
from .host import certbot, filesystem, interrupts, lock, managed
from .host.commands import Runner
from .host.means import USUAL, Means, Resolve
from .host.platform import Platform
from .host.rehearsal import BROKEN_AT_RELOAD, Rehearsal, Rehearser
from .host.survey import Survey, Surveyor
from .host.transaction import ApplyError, Inspection, Outcome, Transaction
from .input.reading import InputError
from .input.settings import Settings
from .lineages import BETWEEN_ATTEMPTS, Failure, Lineage, Lineages, Store, said
from .orders import Addresses, Entry, unfinished
from .plan import Current, Plan
from .publication import EMPTY_ZONE, Publications
from .questions import of_neighbours

# What a graceful restart needs besides the logs of our sites.
_SPARE_DESCRIPTORS = 32
_SPARE_BYTES = 1 << 20
# What an order leaves in a store: with its log, and what comes and goes meanwhile.
_BYTES_OF_ORDER, _FILES_OF_ORDER = 1 << 16, 32
_NO_ENTRIES: t.Mapping[str, Entry] = types.MappingProxyType({})
_NOTHING_ORDERED = certbot.Outcome()
_NO_PAIR = Certificate("", "")
# All that any provider may need.
_MODULES = ("alias", "authz_core", "env", "ext_filter", "headers", "lua", "md", "setenvif", "ssl")


@dataclasses.dataclass(frozen=True)
class Way:
    """How to run, rather than what to publish.

    :ivar state: ``present`` or ``absent``
    :ivar check: tell what a run would do, and write nothing
    :ivar reload: whether the run reloads Apache itself
    :ivar rehearse: whether to make the change in a twin of the host first
    :ivar lock_seconds: how long to wait for another run to end
    :ivar apache_is_coming: in check mode, take a missing Apache for one that the real run has just installed
    :ivar certbot_is_coming: likewise
    :ivar lists: those of the growing lists that are wanted in the result; None for all while they are short
    """

    state: str = "present"
    check: bool = False
    reload: bool = True
    rehearse: bool = True
    lock_seconds: float = 60
    apache_is_coming: bool = False
    certbot_is_coming: bool = False
    lists: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Preparation:
    """What a run will do and say.

    :ivar stale: certificates that were replaced without a reload
    """

    survey: Survey
    publications: Publications
    plan: Plan
    current: Current
    inspection: Inspection
    stale: tuple[str, ...] = ()

    @property
    def findings(self) -> Findings:
        """All that was found."""
        return self.publications.findings + self.plan.findings


@dataclasses.dataclass(frozen=True)
class Turn:
    """One change of the host, from the survey to what was proven; a run that orders certificates takes several.

    :ivar unread: files of others that somebody had changed since Apache read its configuration
    """

    ready: Preparation
    rehearsal: Rehearsal
    outcome: Outcome
    unread: tuple[str, ...] = ()


def run(
    settings: Settings, way: Way, platform: Platform, command: Runner, means: Means = USUAL
) -> tuple[dict[str, t.Any], tuple[str, ...]]:
    """One run; its result and its warnings. Raises InputError, LockError, ApplyError."""
    with contextlib.ExitStack() as stack:
        # In check mode too, for the rehearsal.
        stack.enter_context(filesystem.ordinary_umask())
        if not way.check:
            stack.enter_context(interrupts.raised())
            if os.path.isdir(platform.config_directory):
                stack.enter_context(lock.held(platform.config_directory, way.lock_seconds))
        # What a name leads to does not change between the turns of a run, and asking takes long.
        means = dataclasses.replace(means, resolve=_remembered(means.resolve))
        first = _turn(settings, way, platform, command, means)
        turns = [first]
        entries: t.Mapping[str, Entry] | None = None
        lineages = _NOTHING_ORDERED
        may_order = first.outcome.running and way.reload and not way.check
        serve = functools.partial(_turn, settings, way, platform, command, means)
        if first.ready.publications.orders.pending and may_order:
            # What a run has just proven needs no rehearsal to be read once more.
            reread = functools.partial(_turn, settings, dataclasses.replace(way, rehearse=False), platform, command, means, True)
            later, entries = _order(first, settings, means, reread, serve)
            turns += later
        if first.ready.publications.lineages.ordered and may_order:
            lineages = _order_lineages(first, settings, means)
            if lineages.issued:
                turns.append(serve())
                lineages = _without_useless(lineages, turns[-1].ready, settings)
        # What grows with the domains is told of the last one alone.
        results = [_result(turn, way, ()) for turn in turns[:-1]] + [_result(turns[-1], way, way.lists, entries or {}, lineages)]
        told = {**report.together(results), "timers": platform.timers()}
        return told, report.shown(_all_warnings(turns, way, entries, lineages))


def _result(
    turn: Turn,
    way: Way,
    lists: t.Collection[str] | None,
    entries: t.Mapping[str, Entry] = _NO_ENTRIES,
    lineages: certbot.Outcome = _NOTHING_ORDERED,
) -> dict[str, t.Any]:
    ready = turn.ready
    found = report.result(
        ready.publications, ready.plan, ready.current, turn.rehearsal, turn.outcome, lists, entries, lineages.failed
    )
    # What certbot orders is no file of ours, so that no plan has it.
    comes = bool(lineages.issued) or (way.check and bool(ready.publications.lineages.ordered))
    return {**found, "changed": found["changed"] or comes}


def _remembered(resolve: Resolve) -> Resolve:
    """The same, asking for each name once."""
    known: dict[str, Addresses] = {}

    def remembered(names: t.Sequence[str]) -> dict[str, Addresses]:
        known.update(resolve([name for name in dict.fromkeys(names) if name not in known]))
        return {name: known[name] for name in names}

    return remembered


def _turn(settings: Settings, way: Way, platform: Platform, command: Runner, means: Means, reread: bool = False) -> Turn:
    """Look at the host and bring it to the desired state.

    :arg reread: whether Apache has to read its configuration once more in any case
    """
    surveyor = Surveyor(platform, command, settings.state_directory, means)
    ready = prepare(settings, way, platform, surveyor, reread)
    unread = surveyor.unread(ready.survey.manifest) if ready.plan.needs_reload and ready.survey.running else []
    rehearsal, outcome = Rehearsal(False, _why_not_rehearsed(ready, way)), Outcome(ready.survey.running)
    if ready.plan.is_needed and not rehearsal.reason:
        rehearser = Rehearser(platform, command, surveyor.server(), surveyor.variables, settings.state_directory, means)
        rehearsal = rehearser.rehearse(ready.plan, ready.current, ready.inspection, surveyor.texts().values())
    if ready.plan.needs_reload and ready.survey.installed and not rehearsal.rehearsed:
        _require_reloadable(surveyor.risks(ready.survey.manifest), rehearsal)
    if ready.plan.is_needed and not way.check:
        certbot.forget(settings.state_directory, ready.plan.before.ordered - ready.plan.manifest.ordered)
        transaction = Transaction(platform, command, surveyor.server(), settings.state_directory, means)
        try:
            outcome = transaction.carry_out(ready.plan, ready.current, ready.inspection, way.reload, rehearsal.fresh)
        except ApplyError as exc:
            exc.rehearsed, exc.rehearsal = rehearsal.rehearsed, rehearsal.reason
            raise
    return Turn(ready, rehearsal, outcome, tuple(unread))


def _order(
    first: Turn, settings: Settings, means: Means, reread: t.Callable[[], Turn], serve: t.Callable[[], Turn]
) -> tuple[list[Turn], t.Mapping[str, Entry]]:
    """Let mod_md order certificates, wait for them, and serve them; what the store had at the end of the waiting.

    :arg reread: makes Apache read its configuration once more
    :arg serve: brings the host to the desired state with what is there by then
    """
    ordered = first.ready.publications.orders
    wanted = {item.name: item.names for item in ordered.managed.values() if item.name in ordered.pending}
    before = dict(first.ready.survey.ledger.entries)

    def look() -> dict[str, Entry]:
        found = managed.entries(ordered.store, wanted, lambda path: PairFacts(names=means.names(path)))
        return {name: managed.kept(entry, before.get(name, entry)) for name, entry in found.items()}

    known, now = look(), time.time()
    # After a change it is tried at once, unless the authority wants no more.
    failed = [
        name
        for name, entry in known.items()
        if managed.due_again(entry, now, now + settings.acme.wait_seconds)
        or (first.outcome.reloaded and name in before and before[name].errors and now >= entry.again)
    ]
    for name in failed:
        managed.forget_failure(ordered.store, name)
        before.pop(name, None)
    turns = []
    if failed or set(known) != set(wanted) or managed_domains.MODULE in first.ready.plan.enable.get("mods", ()):
        turns.append(reread())
    with _waiting("it waited for certificates"):
        found = managed.wait(look, wanted, settings.acme.wait_seconds, means.progress)
    if any(entry.staged for entry in found.values()):
        turns.append(reread())
    if any(entry.has(wanted[name]) for name, entry in found.items()):
        turns.append(serve())
    return turns, found


def _order_lineages(first: Turn, settings: Settings, means: Means) -> certbot.Outcome:
    """Let certbot order certificates; what became of that."""
    acme, store = settings.acme, first.ready.survey.certbot

    def arguments(lineage: Lineage) -> list[str]:
        return certbot.command(store, lineage, settings.site.document_root, acme, settings.tlsa)

    with _waiting("certbot ordered certificates"):
        return certbot.order_all(
            first.ready.publications.lineages.ordered,
            arguments,
            store.directory,
            settings.state_directory,
            acme,
            means.call,
            means.progress,
        )


def _without_useless(lineages: certbot.Outcome, ready: Preparation, settings: Settings) -> certbot.Outcome:
    """The same, where what was issued cannot serve as failures, so that the next run does not order it once more.

    :arg ready: what a turn has found behind the orders
    """
    kept, now = ready.publications.lineages, time.time()
    failed = {}
    for domain in sorted(lineages.issued & {*kept.ordered}):
        facts = ready.survey.pairs.get(kept.own.get(domain, _NO_PAIR), PairFacts())
        if facts.problem:
            words = f"what was issued cannot serve: {facts.problem}; is the clock of this host right?"
            failed[domain] = Failure(now, settings.acme.directory, words, now + BETWEEN_ATTEMPTS)
            certbot.remember(settings.state_directory, domain, failed[domain])
    return dataclasses.replace(lineages, failed={**lineages.failed, **failed})


@contextlib.contextmanager
def _waiting(what: str) -> t.Iterator[None]:
    """Between two changes of the host there is nothing to take back when somebody stops the run."""
    try:
        yield
    except interrupts.Interrupted as exc:
        message = f"{exc} while {what}: the hosts are served over HTTP, and the next run goes on"
        raise ApplyError(message, rolled_back=False) from exc


def prepare(settings: Settings, way: Way, platform: Platform, surveyor: Surveyor, reread: bool = False) -> Preparation:
    """Survey, publications and plan. Raises InputError for what cannot be done on this host; nothing is written.

    :arg reread: as for a turn
    """
    survey = surveyor.survey(publication.candidates(settings), settings.site.signer, settings.site.document_root, _MODULES)
    _require_usable(survey, way, platform, settings)
    if way.state == "present" and settings.ordering and survey.installed:
        extra = extra_names.judge(settings, survey)
        lacking = publication.lacking(settings, survey, extra)
        names = [name for names in lacking.values() for name in names]
        survey = dataclasses.replace(
            survey,
            ledger=surveyor.ledger(
                publication.to_order(settings, extra, MOD_MD),
                names,
                survey,
                settings.acme.files,
                settings.acme.profile,
                settings.dns.addresses,
                settings.dns.host,
            ),
            certbot=_certbot(settings, survey, surveyor, way, lacking, extra) if CERTBOT in settings.ordering else survey.certbot,
        )
    if way.state == "present":
        publications = publication.publish(settings, survey, platform)
    else:
        publications = publication.remove(settings, survey)
    real = filesystem.real_of_many()
    desired = [_moved(item, real) for item in publications.desired]
    paths = [file.path for item in desired for file in item.files]
    root = real(settings.site.document_root)
    directories = {os.path.dirname(file.path) for item in desired for file in item.files if file.kind is Kind.DOCUMENT}
    inner = {above for path in directories for above in _up_to(path, root)}
    manifest = survey.manifest
    if settings.adopt:
        strays = surveyor.strays([provider.domains[0] for provider in settings.providers], HEADER.text)
        unknown = {path: owned for path, owned in strays.items() if path not in manifest.files}
        manifest = dataclasses.replace(manifest, retired={**manifest.retired, **unknown})
    current = surveyor.current(paths, manifest, inner, HEADER.text)
    plan = planning.make(
        desired,
        publications.dropped,
        publications.modules,
        current,
        platform.config_directory,
        settings.adopt,
        EMPTY_ZONE,
        publications.displaced,
        removable=settings.removable,
        gone=settings.dns_records_gone,
    )
    stale: list[str] = []
    if survey.running and not plan.needs_reload:
        stale = surveyor.stale(expectations.of_certificates(publications, survey.pairs))
        is_staged = publications.orders.is_any_staged(survey.ledger.entries)
        plan = dataclasses.replace(plan, reload_pending=bool(stale) or is_staged or reread)
    ready = Preparation(survey, publications, plan, current, _inspection(publications, plan, survey), tuple(stale))
    problems = [*ready.findings.problems, *_room_problems(plan, current, survey), *_store_problems(publications, plan, survey)]
    broken = survey.broken or (surveyor.refused(manifest) if plan.needs_reload and survey.installed else "")
    if broken and plan.needs_reload:
        raise ApplyError("Apache's configuration is broken already, before any change of ours: mend it first", broken)
    if problems:
        raise InputError(problems)
    return ready


def _certbot(
    settings: Settings, survey: Survey, surveyor: Surveyor, way: Way, lacking: t.Collection[str], extra: ExtraNames
) -> Store:
    """What there is of certbot; ``lacking`` are mail domains for which it may have to order."""
    widened = publication.widened_lineages(settings, survey, extra)
    return _coming(surveyor.certbot(lacking, widened, settings.site.document_root, settings.acme.profile), way)


def _coming(store: Store, way: Way) -> Store:
    """In check mode, a certbot that the real run has just installed; its package brings a timer."""
    is_coming = way.check and way.certbot_is_coming
    return dataclasses.replace(store, is_installed=True, is_renewing=True) if is_coming else store


def _require_reloadable(risks: t.Sequence[str], rehearsal: Rehearsal) -> None:
    """Refuse to reload an Apache that would end."""
    if risks:
        error = ApplyError(BROKEN_AT_RELOAD, "\n".join(risks), rehearsed=False)
        error.rehearsal = rehearsal.reason
        raise error


def _require_usable(survey: Survey, way: Way, platform: Platform, settings: Settings) -> None:
    """Refuse a host that a run cannot work on at all."""
    if survey.manifest_problem and not settings.adopt:
        raise ApplyError(survey.manifest_problem)
    instance = survey.manifest.instance
    problems = []
    if not survey.installed and not (way.check and way.apache_is_coming):
        problems.append(f"config_directory: {platform.missing}")
    if instance and os.path.realpath(instance) != os.path.realpath(platform.config_directory):
        problems.append(
            f"state_directory: {settings.state_directory} belongs to the Apache of {instance}; give this one a "
            "state_directory and a document_root of its own"
        )
    if survey.installed and not os.access(platform.config_directory, os.W_OK):
        problems.append(f"config_directory: {platform.config_directory} cannot be written by this user: become: true is missing")
    if problems:
        raise InputError(problems)


def _moved(item: planning.Desired, real: t.Callable[[str], str]) -> planning.Desired:
    """The same with paths by where they lead, as the manifest has them."""
    return dataclasses.replace(item, files=tuple(dataclasses.replace(file, path=real(file.path)) for file in item.files))


def _up_to(path: str, root: str) -> t.Iterator[str]:
    """A directory and those above it, below a root."""
    while path.startswith(f"{root}/"):
        yield path
        path = os.path.dirname(path)


def _inspection(publications: Publications, plan: Plan, survey: Survey) -> Inspection:
    """What to ask; nothing of our hosts where only records change."""
    hosts = survey.ground.others(publications.adopted)
    options = publications.settings.site
    touched = plan.needs_reload or plan.repair or any(file.kind is not Kind.ZONE for file in plan.write.values())
    return Inspection(
        expectations=expectations.of_hosts(publications, survey.pairs) if touched else (),
        wishes=expectations.of_domains(publications, hosts) if touched else (),
        neighbours=tuple(of_neighbours(hosts, {80, options.http_port})) if plan.needs_reload else (),
        ground=survey.ground.without(publications.adopted).dump,
    )


def _room_problems(plan: Plan, current: Current, survey: Survey) -> t.Iterator[str]:
    """Whether what is to be written finds room, and Apache may open the logs that come with it."""
    needed: dict[int, int] = {}
    for path, file in plan.write.items():
        device, _free = current.room[os.path.dirname(path)]
        needed[device] = needed.get(device, _SPARE_BYTES) + len(file.content)
    for directory, (device, free) in sorted(current.room.items()):
        if needed.pop(device, 0) > free:
            yield f"{directory}: its file system has {free >> 20} MiB left, which is not enough for what is to be written"
    before = sum(_logs(current.files[path].content or b"") for path in (*plan.write, *plan.remove))
    after = sum(_logs(file.content) for file in plan.write.values())
    if after - before > 0 and after - before + _SPARE_DESCRIPTORS > survey.free_descriptors:
        yield (
            f"Apache may open {max(0, survey.free_descriptors)} more files, and the logs of these sites need {after - before}: "
            "raise its limit (LimitNOFILE of the service, APACHE_ULIMIT_MAX_FILES in envvars) and restart it"
        )


def _store_problems(publications: Publications, plan: Plan, survey: Survey) -> t.Iterator[str]:
    """Whether orders find room where they are kept.

    Apache ends at the reload where mod_md cannot write, and no rehearsal shows it, because a twin has room of its own.
    """
    orders, ordered = publications.orders, publications.lineages.ordered
    needed: dict[str, int] = {}
    if orders.managed and plan.needs_reload:
        needed.update(dict.fromkeys(managed.places(orders.store), len(orders.pending)))
    if ordered and survey.certbot.is_installed:
        needed.update(dict.fromkeys(certbot.places(survey.certbot.directory), len(ordered)))
    for directory, count in needed.items():
        reason = filesystem.why_not_writable(directory, _SPARE_BYTES + count * _BYTES_OF_ORDER, (count + 1) * _FILES_OF_ORDER)
        if reason:
            yield f"certificates: {directory} cannot take what is ordered: {reason}"


def _logs(content: bytes) -> int:
    return content.count(b"CustomLog ")


def _why_not_rehearsed(ready: Preparation, way: Way) -> str:
    """Why a change needs no rehearsal; empty if it does."""
    if not ready.plan.needs_reload:
        return "nothing is to be reloaded"
    if not ready.survey.installed:
        return "Apache is not installed yet"
    return "" if way.rehearse else "rehearse is false"


def _all_warnings(
    turns: t.Sequence[Turn], way: Way, entries: t.Mapping[str, Entry] | None, lineages: certbot.Outcome
) -> tuple[str, ...]:
    """What to say of a run: of what it publishes in the end, and of what each turn met on the way.

    :arg entries: what mod_md's store had at the end of the waiting; None if the run did not wait
    """
    last = turns[-1].ready
    found = [*turns[0].ready.plan.findings.warnings, *last.findings.warnings]
    for turn in turns:
        found += _warnings(turn.ready, way, turn.outcome, turn.unread)
    if entries is not None:
        found += unfinished(last.publications.orders, entries)
    elif last.publications.orders.pending and not way.check:
        found.append("certificates are not ordered: Apache does that, and it was not reloaded or does not run")
    found += said(lineages.failed)
    found += _not_begun(turns[0].ready.publications.lineages, way, lineages)
    return tuple(dict.fromkeys(found))


def _not_begun(wanted: Lineages, way: Way, lineages: certbot.Outcome) -> t.Iterator[str]:
    """What certbot was to order and was not asked for."""
    left = [domain for domain in wanted.ordered if domain not in lineages.begun]
    if not left or way.check:
        return
    if lineages.begun:
        yield f"the time was over (acme_wait_seconds), or the authority takes no more; later runs order for {some(left)}"
    else:
        yield f"nothing is ordered for {some(left)}: Apache has to answer the authority, and was not reloaded or does not run"


def _warnings(ready: Preparation, way: Way, outcome: Outcome, unread: t.Sequence[str]) -> t.Iterator[str]:
    yield from (f"{line}; the site of the domain itself decides that" for line in outcome.warnings)
    if outcome.skipped:
        yield f"sites of others that gave no steady answer before, and so were not compared: {some(outcome.skipped)}"
    if ready.stale:
        yield f"{some(ready.stale)} was replaced, and Apache still showed the certificate of before: it has to be reloaded"
    if unread:
        yield (
            f"somebody has changed {some(unread)} since Apache has read its configuration: with the reload that this run needs, "
            "that is served as well"
        )
    if not ready.survey.installed:
        yield "Apache is not installed yet; this shows what a fresh one would get."
    elif ready.plan.needs_reload and not outcome.running and not way.check:
        yield "Apache does not run, so that nobody could be asked; its configuration was tested. It is not started by this run."
