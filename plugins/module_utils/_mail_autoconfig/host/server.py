"""The Apache that runs: which processes it has, who manages it, and how it is made to read its configuration again.

PRIVATE to the collection. Linux: proc(5).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import time
import typing as t

from . import sockets
from .commands import Result, Runner
from .platform import Platform

# How long a reload may take until new workers answer; thousands of virtual hosts need some seconds.
RELOAD_SECONDS = 30.0
# How long old workers may go on with what they have begun, before files that they may still open are kept.
OLD_WORKERS_SECONDS = 6.0
_PAUSE = 0.05


class ServerError(Exception):
    """Apache does not do what it was told; ``details`` is what it said."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


@dataclasses.dataclass(frozen=True, order=True)
class Process:
    """A process; ``begun`` tells it from a later one of the same number."""

    pid: int
    begun: int


class Server:
    """One running or stopped Apache.

    :arg pid_file: where the number of its first process is
    :arg error_log: its main error log; empty if it cannot be read
    """

    def __init__(self, platform: Platform, run: Runner, pid_file: str, error_log: str = "") -> None:
        self._platform = platform
        self._run = run
        self.pid_file = pid_file
        self.error_log = error_log
        self.reload_seconds = RELOAD_SECONDS

    # -- reading ------------------------------------------------------------------------------------------------------

    def master(self) -> Process | None:
        """Its first process; None if it does not run."""
        try:
            with open(self.pid_file, encoding="ascii") as stream:
                pid = int(stream.read().strip())
        except (OSError, ValueError):
            return None
        begun, _parent, name = _status(pid)
        return Process(pid, begun) if begun and is_apache(name) else None

    def workers(self) -> frozenset[Process]:
        """The processes that its first one has started."""
        master = self.master()
        if master is None:
            return frozenset()
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                begun, parent, _name = _status(int(entry))
                if parent == master.pid and begun:
                    found.append(Process(int(entry), begun))
        return frozenset(found)

    def serving(self) -> frozenset[Process]:
        """Those of its workers that take connections: one that only ends what it has begun has closed the sockets."""
        listening = {f"socket:[{listener.inode}]" for listener in sockets.listeners()}
        return frozenset(process for process in self.workers() if _has_one_of(process, listening))

    def read_at(self) -> float | None:
        """When it has read its configuration at the latest, in seconds since the epoch; None if it does not run.

        The workers that serve have all been started behind that.
        """
        serving = self.serving()
        return _booted() + min(process.begun for process in serving) / os.sysconf("SC_CLK_TCK") if serving else None

    def unit(self) -> str:
        """The systemd unit that it runs in; empty where another manages it, or nobody."""
        master = self.master()
        if master is None or not os.path.isdir("/run/systemd/system"):
            return ""
        with contextlib.suppress(OSError), open(f"/proc/{master.pid}/cgroup", encoding="ascii") as stream:
            found = re.search(r"/([^/\n]+\.service)$", stream.read(), re.MULTILINE)
            if found and f"MainPID={master.pid}" in self._told(["systemctl", "show", "-p", "MainPID", found[1]]).output:
                return found[1]
        return ""

    def log_position(self) -> int:
        """How long the error log is."""
        return _size(self.error_log)

    def log_since(self, position: int) -> str:
        """What came into the error log since then, and the end of another log that it names for more information."""
        text = _tail(self.error_log, position)
        others = dict.fromkeys(re.findall(r"See (/\S+) for more information", text))
        return "\n".join([text, *(_tail(path, max(0, _size(path) - 1000)) for path in others)]).strip()[-3000:]

    # -- telling ------------------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Let it read its configuration again, and wait until new workers alone take connections. Raises ServerError."""
        unit, master, old, position = self.unit(), self.master(), self.workers(), self.log_position()
        command = self._platform.service("reload", unit) if unit else self._platform.control("graceful")
        result = self._told(command)
        if result.status != 0:
            raise ServerError(f"{' '.join(command)} failed", result.said)
        self._wait_for_new(master, old, position)

    def _wait_for_new(self, master: Process | None, old: frozenset[Process], position: int) -> None:
        end = time.monotonic() + self.reload_seconds
        while time.monotonic() < end:
            if self.master() != master:
                # Another moment: what it says about itself may come a little later than its end.
                time.sleep(4 * _PAUSE)
                raise ServerError("Apache ended at the reload", self.log_since(position))
            if self.workers() - old and not self.serving() & old:
                return
            time.sleep(_PAUSE)
        if self.workers() - old:
            return
        raise ServerError(f"Apache had no new workers {self.reload_seconds:.0f} s after the reload", self.log_since(position))

    def outlive(self, old: frozenset[Process]) -> bool:
        """Wait a little for old workers to end; whether they did."""
        end = time.monotonic() + OLD_WORKERS_SECONDS
        while time.monotonic() < end:
            if not self.workers() & old:
                return True
            time.sleep(_PAUSE)
        return False

    def start(self, unit: str = "", arguments: t.Sequence[str] = ("start",)) -> None:
        """Start it, or start it again if it hangs; one that serves is left alone. Raises ServerError.

        :arg arguments: for its own command, where no service manager has it
        """
        if self.serving():
            return
        position = self.log_position()
        self._end_what_hangs()
        with contextlib.suppress(OSError):
            # Of a process that is dead; as long as nobody has collected it, Apache would take it for a running one.
            os.unlink(self.pid_file)
        command = self._platform.service("restart", unit) if unit else self._platform.control(*arguments)
        result = self._told(command)
        end = time.monotonic() + self.reload_seconds
        while time.monotonic() < end and result.status == 0:
            if self.workers():
                return
            time.sleep(_PAUSE)
        raise ServerError(f"{' '.join(command)} failed", "\n".join([result.said, self.log_since(position)]).strip())

    def _end_what_hangs(self) -> None:
        """End a first process that is there but serves nobody, with all that it has started."""
        master = self.master()
        if master is None:
            return
        for process in (master, *self.workers()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        end = time.monotonic() + 5
        while self.master() == master and time.monotonic() < end:
            time.sleep(_PAUSE)

    def _told(self, command: list[str]) -> Result:
        try:
            return self._run(command, self._platform.environment)
        except OSError as exc:
            raise ServerError(f"{command[0]} cannot be run: {exc}") from exc


def is_apache(name: str) -> bool:
    """Whether a process of this name is Apache."""
    return "apache" in name or "httpd" in name


def _has_one_of(process: Process, targets: t.Collection[str]) -> bool:
    """Whether a process has one of these open, as the links in proc(5) name it."""
    directory = f"/proc/{process.pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(f"{directory}/{name}") in targets:
                    return True
    return False


def _booted() -> float:
    """When the system was started, in seconds since the epoch."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _tail(path: str, position: int) -> str:
    """A text file from a position on, or from its beginning if it is shorter by now."""
    try:
        with open(path, "rb") as stream:
            stream.seek(position if position <= _size(path) else 0)
            lines = stream.read(65536).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    # That a graceful restart was asked for is no news.
    return "\n".join(line for line in lines if "AH00171" not in line)


def _status(pid: int) -> tuple[int, int, str]:
    """When a process began, its parent and its name; zeros for one that is not there or has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            head, _parenthesis, rest = stream.read().rpartition(")")
    except OSError:
        return 0, 0, ""
    fields = rest.split()
    return (0, 0, "") if fields[0] in "ZX" else (int(fields[19]), int(fields[1]), head.partition("(")[2])
