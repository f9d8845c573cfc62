"""Kills a run at the calls by which it changes something, and looks at what is left."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.faults import tracer
from tests.faults.harness import Bed, Tree, differences, mixed, providers, steady


def _foreign_files(bed: Bed) -> None:
    """A document and a site in our places, from before us."""
    document = bed.apache.document_root / "server.tld/mail/config-v1.1.xml"
    document.parent.mkdir(parents=True)
    document.write_text("<clientConfig/>\n")
    document.chmod(0o640)
    port = bed.apache.http_port
    site = f"<VirtualHost *:{port}>\n ServerName autoconfig.server.tld\n Redirect 410 /\n</VirtualHost>\n"
    for name in ("autoconfig.server.tld", "zz-autoconfig.server.tld"):
        (bed.apache.config_directory / f"sites-available/{name}.conf").write_text(site)


def _certificate_without_autodiscover(bed: Bed) -> None:
    bed.authority.issue(bed.directory / "live/server.tld", ["server.tld", "autoconfig.server.tld"])


class Scenario(NamedTuple):
    """A run to kill.

    :ivar before: the options of the runs before it
    :ivar meanwhile: what happened on the host between those and it
    :ivar between: part of a question that may be answered otherwise for a moment: of a domain that moves to another provider, the
        file of the one that it leaves is written anew without it before the site that sends it is
    :ivar is_refused: whether Apache refuses what it makes; the next run is then the last one of before
    """

    options: Mapping[str, Any]
    before: Sequence[Mapping[str, Any]] = ()
    meanwhile: Callable[[Bed], object] | None = None
    is_refused: bool = False
    between: str = ""


_ONE, _TWO = providers("server.tld"), providers("server.tld", "other.example")
_BOTH_IN_ONE = providers("server.tld")
_BOTH_IN_ONE["providers"][0]["domains"].append("other.example")
SCENARIOS = {
    "first install": Scenario(_ONE),
    "first install, rehearsed": Scenario({**_ONE, "rehearse": True}),
    "change": Scenario(providers("server.tld", display_name="Another name"), [_ONE]),
    "new provider": Scenario(_TWO, [_ONE]),
    "removal": Scenario({"state": "absent", **providers("other.example")}, [_TWO]),
    "removal of everything": Scenario({"state": "absent", "purge": True}, [_TWO]),
    "domain moves": Scenario(_TWO, [_BOTH_IN_ONE], between="other.example/mail/config-v1.1.xml"),
    "adopt": Scenario({**_ONE, "adopt": True}, meanwhile=_foreign_files),
    "lua to none": Scenario({**_ONE, "responder": "none"}, [_ONE]),
    "none to lua": Scenario(_ONE, [{**_ONE, "responder": "none"}]),
    "logins come": Scenario({**_ONE, "logins": {"user@server.tld": "u"}}, [_ONE]),
    "logins change": Scenario({**_ONE, "logins": {"user@server.tld": "u"}}, [{**_ONE, "logins": {"user@server.tld": "v"}}]),
    "logins go": Scenario(_ONE, [{**_ONE, "logins": {"user@server.tld": "u"}}]),
    "certificate comes": Scenario(_ONE, [{**_ONE, "https": False}]),
    "certificate goes": Scenario(_ONE, [_ONE], _certificate_without_autodiscover),
    "refused by Apache": Scenario({**_ONE, "extra_directives": "NoSuchDirective on"}, [_ONE], is_refused=True),
}


class Way(NamedTuple):
    """A way to be killed: a signal, and to whom it goes when one of the run's processes is at a call."""

    name: str
    signal: int
    whom: str


# The machine stops; somebody stops the module; the out-of-memory killer takes the command or the module; Ctrl-C.
WAYS = (
    Way("KILL all", signal.SIGKILL, "all"),
    Way("TERM module", signal.SIGTERM, "module"),
    Way("KILL caller", signal.SIGKILL, "caller"),
    Way("KILL module", signal.SIGKILL, "module"),
    Way("INT all", signal.SIGINT, "all"),
)


class Finding(NamedTuple):
    """What was wrong after a kill; ``kind`` is one of KINDS."""

    kind: str
    where: str
    detail: str


KINDS = ("not started", "mixed answer", "next run wrong", "half done", "left running")


class Sweep:
    """One scenario on a bed: what an undisturbed run makes of it, and what is left after others."""

    def __init__(self, bed: Bed, scenario: Scenario) -> None:
        self._bed, self._options, self._between = bed, scenario.options, scenario.between
        bed.undo()
        for options in scenario.before:
            bed.publish(options)
        if scenario.meanwhile:
            scenario.meanwhile(bed)
        self._old = bed.tree()
        bed.undo(self._old)
        self._old_answers = bed.answers()
        self._next = scenario.before[-1] if scenario.is_refused else scenario.options
        if scenario.is_refused:
            assert bed.run(self._options).get("failed")
        bed.publish(self._next)
        self._new, self._new_answers = bed.tree(), bed.answers()
        self._seen: dict[Any, list[tuple[str, str]]] = {}

    def points(self) -> list[tracer.Point]:
        """Where the run changes something."""
        self._bed.undo(self._old)
        found: list[tracer.Point] = []
        self._bed.trace(self._options, found.append)
        return found

    def kill(self, point: tracer.Point, way: Way) -> list[Finding]:
        """Kill the run there; what is wrong afterwards."""

        def at(current: tracer.Point) -> None:
            if current.number == point.number:
                current.signal(way.signal, way.whom)

        self._bed.undo(self._old)
        _status, _result, left = self._bed.trace(self._options, at)
        found = [("left running", f"processes {left}")] if left else []
        found += [("mixed answer", text) for text in self._mixed()]
        disk = self._bed.tree()
        if way.signal in (signal.SIGTERM, signal.SIGINT):
            off = min((differences(disk, tree) for tree in (self._old, self._new)), key=len)
            found += [("half done", ", ".join(off))] if off else []
        key = steady(disk)
        if key not in self._seen:
            self._seen[key] = list(self._afterwards(disk))
        where = f"{way.name} at {point.number}, {point.call.replace(str(self._bed.directory), '')}"
        return [Finding(kind, where, detail) for kind, detail in [*found, *self._seen[key]]]

    def _mixed(self) -> list[str]:
        """Answers that are neither wholly old nor wholly new."""
        found = mixed(self._bed.answers(), self._old_answers, self._new_answers)
        return [text for text in found if not (self._between and self._between in text.partition(": ")[0])]

    def _afterwards(self, disk: Tree) -> Iterator[tuple[str, str]]:
        """What Apache and the next run make of what is on the disk."""
        failure = self._bed.restart()
        if failure:
            yield "not started", failure
        else:
            yield from (("mixed answer", text) for text in self._mixed())
        try:
            result = self._bed.run(self._next)
        except AssertionError as exc:
            yield "next run wrong", str(exc)
            return
        if result.get("failed"):
            yield "next run wrong", result["msg"]
            return
        if not failure:
            self._bed.settle(result)
        yield from (("next run wrong", text) for text in self._wrong_in_the_end(restart=bool(failure)))

    def _wrong_in_the_end(self, *, restart: bool) -> Iterator[str]:
        if restart:
            (self._bed.apache.state_directory / "reload-pending").unlink(missing_ok=True)
            failure = self._bed.restart()
            if failure:
                yield failure
                return
        off = differences(self._bed.tree(), self._new)
        if off:
            yield f"not as after an undisturbed run: {', '.join(off)}"
        yield from mixed(self._bed.answers(), self._new_answers)


def evenly(points: Sequence[tracer.Point], count: int) -> list[tracer.Point]:
    """So many of them, evenly spaced."""
    return [points[(2 * index + 1) * len(points) // (2 * count)] for index in range(min(count, len(points)))]
