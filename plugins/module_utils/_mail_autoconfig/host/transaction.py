"""A change of the host: carried out, proven by Apache's answers, or taken back.

PRIVATE to the collection. Commit, configtest, reload, ask; on every other way out everything of ours goes back, Apache is brought
back and asked again. Killed in between, the next run finds in the manifest what is ours and carries on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
import time
import typing as t

from .. import manifest as manifests
from ..apache import dump
from ..files import File, Kind
from ..manifest import Manifest, Owned
from ..plan import BACKUP_SUFFIX, Current, Plan
from ..questions import UNKNOWN_HOST, Answer, Expectation, Question
from . import asking, filesystem, interrupts
from .commands import Result, Runner
from .journal import Journal
from .means import USUAL, Means
from .platform import Platform
from .server import Process, Server, ServerError

MANIFEST = "manifest.json"
RELOAD_MARKER = "reload-pending"
# What that file says from the moment in which Apache is told, with the unit that it runs in.
_RELOADING = "reloading "
_NO_GROUND = dump.Dump()
_ORDER = (Kind.DOCUMENT, Kind.LOGINS, Kind.ZONE, Kind.SCRIPT, Kind.CERTIFICATE, Kind.SIGNING)
# Behind those, the configuration.
_SNIPPETS, _SITES, _LOSERS = 5, 6, 7


class ApplyError(Exception):
    """The host could not be brought to the desired state.

    :ivar details: what Apache or a command said
    :ivar rolled_back: whether the host is as it was before; None where nothing was changed
    :ivar rehearsed: whether the change was rehearsed; None where it did not come to that
    :ivar rehearsal: why it was not
    """

    def __init__(self, message: str, details: str = "", rolled_back: bool | None = None, rehearsed: bool | None = None) -> None:
        super().__init__(message)
        self.details = details
        self.rolled_back = rolled_back
        self.rehearsed = rehearsed
        self.rehearsal = ""


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What Apache is asked, and what it must say of its own configuration.

    :ivar expectations: of our hosts
    :ivar wishes: of the sites of others, which may have reasons to answer otherwise
    :ivar neighbours: asked before and after
    :ivar ground: the configuration without ours
    """

    expectations: tuple[Expectation, ...] = ()
    wishes: tuple[Expectation, ...] = ()
    neighbours: tuple[Question, ...] = ()
    ground: dump.Dump = _NO_GROUND


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was proven.

    :ivar running: whether Apache runs, so that it could be asked
    :ivar reloaded: whether it was made to read its configuration again
    :ivar asked: how many questions were answered as they should be
    :ivar warnings: what is not answered as one would wish
    :ivar before: what the sites of others answered before
    :ivar skipped: sites of others that could not be compared
    """

    running: bool = False
    reloaded: bool = False
    asked: int = 0
    warnings: tuple[str, ...] = ()
    before: t.Mapping[Question, Answer] = dataclasses.field(default_factory=dict)
    skipped: tuple[str, ...] = ()


class Transaction:
    """Carries plans out on one instance of Apache.

    :arg means: how it is asked
    """

    def __init__(
        self,
        platform: Platform,
        run: Runner,
        server: Server,
        state_directory: str,
        means: Means = USUAL,
    ) -> None:
        self._platform = platform
        self._run = run
        self._server = server
        self._state = state_directory
        self._ask = means.ask
        self._patience = means.patience
        self._journal = Journal()
        self._made: tuple[str, ...] = ()
        self._fresh: t.Mapping[Question, str] = {}
        self._with_ours: dict[Question, Answer] = {}

    def carry_out(
        self,
        plan: Plan,
        current: Current,
        inspection: Inspection,
        reload: bool = True,
        fresh: t.Mapping[Question, str] | None = None,
        keep: bool = False,
    ) -> Outcome:
        """Carry a plan out. Raises ApplyError, and then the host is as before unless the error says otherwise.

        :arg reload: whether to reload Apache and ask it; otherwise the next run, or whoever reloads, has that to do
        :arg fresh: what sites of others answer, in an answer's ``words``, where Apache has read what is on disk now: somebody may
            have changed one and not reloaded Apache yet
        :arg keep: leave everything as it is after a failure, because it is thrown away as a whole
        """
        self._fresh = fresh or {}
        running = self._server.master() is not None
        # An Apache that did not survive a reload of ours is ours to bring back; one that somebody has stopped is not.
        lost = None if running else self._lost()
        unit, old = self._server.unit() if lost is None else lost, self._server.workers()
        running = running or (lost is not None and reload)
        reloads = reload and running and plan.needs_reload
        asks = running and (reloads or not plan.needs_reload)
        comparable = self._comparable(inspection) if asks and lost is None else []
        before = asking.settled(comparable, self._ask)
        skipped = tuple(str(question) for question in comparable if question not in before)
        tried_reload = False
        try:
            self._commit(plan, current)
            if plan.needs_reload:
                self._judge(inspection)
            if reloads:
                tried_reload = True
                self._journal.write(self._marker, _reloading(unit))
                if lost is None:
                    self._server.reload()
                else:
                    self._server.start(unit)
            if asks:
                self._prove(inspection, before)
            is_due = plan.needs_reload and (running or lost is not None)
            self._finish(plan, current, old, waits=running, reloaded=reloads or not is_due)
        except BaseException as exc:
            if keep:
                raise _as_error(exc) from exc
            with interrupts.held_back():
                raise self._rolled_back(exc, unit, old if tried_reload else None, before) from exc
        if not asks:
            return Outcome(running, reloads)
        unmet = asking.complaints(inspection.wishes, self._ask, 0)
        return Outcome(running, reloads, len(inspection.expectations) + len(before), tuple(unmet), before, skipped)

    def _comparable(self, inspection: Inspection) -> list[Question]:
        """The questions about the sites of others, without those for unknown names that come to a site of ours today.

        Such a default of ours gives way when somebody else has a site at the address, and then the answer is another one.
        """
        result = self._told(self._platform.control(*dump.QUESTIONS))
        found = dump.read(result.output).virtual_hosts if result.status == 0 else ()
        others = {host.place for host in inspection.ground.virtual_hosts}
        ours = {(host.ip, host.port) for host in found if host.default and host.place not in others}
        return [
            question
            for question in inspection.neighbours
            if question.host != UNKNOWN_HOST or (question.ip, question.port) not in ours
        ]

    # -- forward ------------------------------------------------------------------------------------------------------

    def _commit(self, plan: Plan, current: Current) -> None:
        """In an order in which Apache can start after each step, and is never told more than is there."""
        for path in plan.adopt:
            copy = _free_copy(path)
            if copy:
                self._journal.keep_copy(path, copy)
        self._announce(plan)
        for path in plan.leftovers:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        for path in plan.repair:
            self._journal.repair(path)
        self._switch_on("mods", plan.enable.get("mods", ()))
        self._write(plan, current)
        for kind in ("conf", "sites"):
            self._switch_on(kind, plan.enable.get(kind, ()))
        for kind in ("sites", "conf"):
            self._switch_off(kind, plan.disable.get(kind, ()))

    def _announce(self, plan: Plan) -> None:
        """Write down what will be ours, and that Apache has to read it, before anything of it is there."""
        if plan.manifest != plan.before or plan.write or plan.remove:
            # With the directories, because a run that is killed behind them can tell nobody that it has made them.
            self._made = tuple(
                sorted({made for path in plan.write for made in filesystem.missing_directories(os.path.dirname(path))})
            )
            between = manifests.in_between(plan.before, plan.manifest)
            directories = tuple(dict.fromkeys((*between.directories, *self._made)))
            self._write_state(MANIFEST, manifests.write(dataclasses.replace(between, directories=directories)))
        if plan.is_read_at_start and not os.path.lexists(self._marker):
            self._journal.write(self._marker, b"")

    def _write(self, plan: Plan, current: Current) -> None:
        """Write what Apache reads at requests first, then snippets, then sites; those that lose names come last."""
        conf = self._platform.available("conf")

        def rank(file: File) -> int:
            if file.kind is not Kind.CONFIGURATION:
                return _ORDER.index(file.kind)
            if os.path.dirname(file.path) == conf:
                return _SNIPPETS
            return _LOSERS if _names(current.files[file.path].content or b"") - _names(file.content) else _SITES

        # Sites may need the definitions in our snippets as soon as they are there; and no host may be without a site in between.
        switched = {_SITES: ("conf",), _LOSERS: ("conf", "sites")}
        for number, files in itertools.groupby(sorted(plan.write.values(), key=lambda file: (rank(file), file.path)), rank):
            for kind in switched.get(number, ()):
                self._switch_on(kind, plan.enable.get(kind, ()))
            for file in files:
                self._journal.write(file.path, file.content, current.files[file.path], file.kind.mode, file.gid)

    def _switch_on(self, kind: str, names: t.Iterable[str]) -> None:
        for name in names:
            for link in self._platform.links(kind, name):
                self._journal.link(link.path, link.target)

    def _switch_off(self, kind: str, names: t.Iterable[str]) -> None:
        for name in names:
            for link in self._platform.links(kind, name):
                self._journal.remove(link.path)

    def _write_state(self, name: str, content: bytes) -> None:
        self._journal.write(os.path.join(self._state, name), content)

    def _judge(self, inspection: Inspection) -> None:
        """Let Apache read the whole configuration, and look whether every neighbour has kept its place in it."""
        begun = time.monotonic()
        result = self._told(self._platform.control(*dump.QUESTIONS))
        # Telling its configuration it passes over a key that is missing, for which a reload fails, also somebody else's.
        tested = self._told(self._platform.control("-t")) if result.status == 0 else result
        if tested.status != 0:
            result = tested
        if result.status != 0:
            raise ApplyError("Apache refuses the new configuration", result.errors.strip() or result.output[-2000:])
        # Reading it once more is what a reload does, and then it starts workers.
        self._server.reload_seconds = max(self._server.reload_seconds / 2, 10 * (time.monotonic() - begun))
        found = dump.read(result.output)
        problems = [
            f"{host.place} would not be the default of {host.address} any more"
            for host in inspection.ground.virtual_hosts
            if host.default and (host.file, host.line) not in _defaults(found, host.address)
        ]
        places = {(host.file, host.line, host.address) for host in found.virtual_hosts}
        problems += [
            f"{host.place} would not be at {host.address} any more"
            for host in inspection.ground.virtual_hosts
            if (host.file, host.line, host.address) not in places
        ]
        if problems:
            raise ApplyError("the new configuration would take something away from other sites", "\n".join(problems))

    def _prove(self, inspection: Inspection, before: t.Mapping[Question, Answer]) -> None:
        wrong = asking.complaints(inspection.expectations, self._ask, self._patience)
        if wrong:
            raise ApplyError("Apache does not answer as it should", "\n".join(wrong[:20]))
        others = self._with_ours = asking.unlike(before, self._ask, self._patience, self._fresh)
        if others:
            said = [f"{question}: {answer}, before {before[question]}" for question, answer in others.items()]
            raise ApplyError("sites of others do not answer as before", "\n".join(said[:20]))

    def _finish(self, plan: Plan, current: Current, old: frozenset[Process], waits: bool, reloaded: bool) -> None:
        """Remove what nobody reads any more, and say so in the manifest."""
        goes = {path: plan.before.files[path] for path in (*plan.remove, *plan.manifest.retired)}
        kept: dict[str, Owned] = {}
        if not reloaded or (waits and goes and plan.is_read_at_start and not self._server.outlive(old)):
            # A worker that opens a script which is gone is killed by mod_lua, with all its connections.
            # A key does not wait for that: at worst the download of a profile fails.
            kinds = (Kind.SCRIPT, Kind.DOCUMENT, Kind.LOGINS, *(() if reloaded else (Kind.SIGNING,)))
            kept = {path: owned for path, owned in goes.items() if owned.kind in kinds}
        for path in goes:
            if path not in kept:
                self._journal.remove(path, current.files.get(path))
        # Also of files that are gone already: a run that was killed then has left their directories.
        for path, owned in plan.before.files.items():
            is_gone = path in goes or path not in plan.manifest.files
            if is_gone and path not in kept and not os.path.lexists(path):
                _remove_empty_directories(path, owned.kind, plan.before)
        after = dataclasses.replace(plan.manifest, retired=kept, directories=self._directories(plan))
        if after.providers or after.retired:
            if after != plan.before or plan.write or plan.remove:
                self._write_state(MANIFEST, manifests.write(after))
        else:
            self._journal.remove(os.path.join(self._state, MANIFEST))
        if reloaded and os.path.lexists(self._marker):
            self._journal.remove(self._marker)
        self._note(plan)

    def _directories(self, plan: Plan) -> tuple[str, ...]:
        made = dict.fromkeys((*plan.before.directories, *self._made))
        return tuple(sorted(path for path in made if os.path.isdir(path)))

    def _note(self, plan: Plan) -> None:
        """Keep the system's own notes of what was switched on; they are for people, so that a failure matters to nobody."""
        for switched, is_on in ((plan.enable, True), (plan.disable, False)):
            for kind, names in switched.items():
                for path, there in (note for name in names for note in self._platform.note(kind, name, is_on)):
                    with contextlib.suppress(OSError):
                        if there:
                            filesystem.make_directories(os.path.dirname(path))
                            filesystem.touch(path)
                        elif os.path.lexists(path):
                            os.unlink(path)

    def _told(self, command: t.Sequence[str]) -> Result:
        try:
            return self._run(command, self._platform.environment)
        except OSError as exc:
            raise ApplyError(f"{command[0]} cannot be run: {exc}") from exc

    # -- back ---------------------------------------------------------------------------------------------------------

    def _rolled_back(
        self, exc: BaseException, unit: str, reloaded: frozenset[Process] | None, before: t.Mapping[Question, Answer]
    ) -> ApplyError | BaseException:
        """Put everything back; the error to raise.

        :arg reloaded: Apache's workers of before it was told to reload; None if it was not
        """
        details = getattr(exc, "details", "")
        failures = self._journal.take_back()
        others: dict[Question, Answer] = {}
        if reloaded is not None:
            failures += self._brought_back(unit, reloaded if isinstance(exc, ServerError) else frozenset())
            others = {} if failures else asking.unlike(before, self._ask, self._patience, self._fresh)
        message = str(exc) or type(exc).__name__
        # Apache has read everything once more, so that what differs now as it did then has not come with ours.
        if others and all(answer.shape == self._with_ours.get(question, Answer()).shape for question, answer in others.items()):
            message += (
                "; nor do they without ours, because somebody had changed their files and not reloaded Apache: run again; "
                "everything of ours was put back"
            )
            return ApplyError(message, details, False)
        failures += [f"{question}: {answer}, before {before[question]}" for question, answer in others.items()]
        if failures:
            return ApplyError(f"{message}; not everything could be put back: {'; '.join(failures)}", details, False)
        return ApplyError(f"{message}; everything was put back as it was", details, True)

    def _brought_back(self, unit: str, old: frozenset[Process]) -> list[str]:
        """The same as ``_bring_back``, of which a next run knows where this one is killed or fails."""
        note = Journal()
        with contextlib.suppress(OSError):
            note.write(self._marker, _reloading(unit))
        failures = self._bring_back(unit, old)
        if self._server.master() is not None:
            note.take_back()
        return failures

    def _bring_back(self, unit: str, old: frozenset[Process]) -> list[str]:
        """Let Apache serve what it served before; why it does not.

        :arg old: workers that can only go on serving if a reload that failed has done nothing
        """
        if self._server.serving() & old and not self._server.workers() - old:
            return []
        try:
            if self._server.serving():
                self._server.reload()
            else:
                self._server.start(unit)
        except ServerError as exc:
            try:
                if self._server.serving():
                    return [f"Apache goes on with what it read last: {exc} ({exc.details})"]
                self._server.start(unit)
            except ServerError:
                return [f"{exc} ({exc.details})"]
        return []

    def _lost(self) -> str | None:
        """The unit of an Apache that has not run since a run of ours reloaded it, empty without one; None if it is not so."""
        text = (filesystem.read(self._marker).content or b"").decode("utf-8", "replace")
        return text[len(_RELOADING) :].strip() if text.startswith(_RELOADING) else None

    @property
    def _marker(self) -> str:
        return os.path.join(self._state, RELOAD_MARKER)


def _reloading(unit: str) -> bytes:
    return f"{_RELOADING}{unit}\n".encode()


def _as_error(exc: BaseException) -> ApplyError:
    return exc if isinstance(exc, ApplyError) else ApplyError(str(exc) or type(exc).__name__, getattr(exc, "details", ""))


def _defaults(found: dump.Dump, address: str) -> set[tuple[str, int]]:
    return {(host.file, host.line) for host in found.virtual_hosts if host.default and host.address == address}


def _names(content: bytes) -> set[bytes]:
    """The host names of a site of ours."""
    return set(re.findall(rb"^ *Server(?:Name|Alias) (\S+)$", content, re.MULTILINE))


def _free_copy(path: str) -> str:
    """Where a copy of a file goes, beside those of earlier runs; empty if there is the same one, as a killed run leaves it."""
    copy, number, saved = path + BACKUP_SUFFIX, 0, filesystem.save(path)
    while os.path.lexists(copy):
        if filesystem.save(copy) == saved:
            return ""
        number += 1
        copy = f"{path}{BACKUP_SUFFIX}.{number}"
    return copy


def _remove_empty_directories(path: str, kind: Kind, before: Manifest) -> None:
    """The directories of a provider that its last document leaves empty, and those above them that we made."""
    directory = os.path.dirname(path)
    levels = 2 if kind is Kind.DOCUMENT else 0
    while levels or directory in before.directories:
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            pass
        except OSError:
            return
        directory, levels = os.path.dirname(directory), max(0, levels - 1)
