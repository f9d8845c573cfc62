"""A twin of the host: a piece of Python runs in namespaces of its own over a copy-on-write view of the files, and nothing stays.

PRIVATE to the collection. For rehearsing a change: what is written is written to memory, what is started ends with the twin, the
network is a loopback with the host's addresses on which nobody else listens.

Three processes: the *warden*, a child of the caller, makes the namespaces and ends them; the *first* process of the twin, its
``init``, makes the file systems and reaps; the *worker* does the work. The kernel kills the warden when the caller dies, the
first process when the warden dies, and the twin with its first process: whatever happens to the caller, nothing stays behind.

Not separated from the host, so that work must not touch it:

- devices (``/dev`` cannot be changed, but a device can be written to), kernel modules, the clock, keyrings, cgroups and their
  limits, the processor's time;
- sockets that lie neither below ``/run`` nor, by their absolute path, in this network namespace's ``/proc/net/unix``: programs
  with a ``PrivateNetwork`` of their own, and Postfix's, which are named relative to its queue. Abstract ones are separated.

What a rehearsal does not meet though the change would:

- a port on which another program of the host listens, because the network is the twin's own;
- a full disk, quotas; SELinux, AppArmor and the limits of systemd's unit, because it is not systemd that starts Apache here.

What is otherwise than on the host, and can make a rehearsal fail where the change would not:

- nothing but the host's own addresses is reachable: no name server, no ACME, no other host. Link-local IPv6 addresses and
  addresses that are only routed to the host are missing;
- no program of the host runs: no PHP-FPM, no database, no systemd, no syslog;
- a file system that the overlay refuses (FAT, an overlay over an overlay over an overlay) is read-only, as is a file that is
  mounted by itself; the same file system mounted in two places has a layer in each;
- file numbers and hard links; locks are other locks;
- ``/run`` has its directories, without systemd's and without any file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import select
import signal
import stat
import sys
import time
import typing as t

from . import twin_filesystems, twin_network
from .system_calls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    SystemCalls,
    UnavailableError,
)
from .twin_filesystems import TwinError

MEBIBYTE = 1024 * 1024
# Less cannot take the logs and documents of a change.
LEAST_MEMORY = 8 * MEBIBYTE

_NAMESPACES = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID
# Seconds for the kernel to end the processes of a twin.
_GRACE = 10
# What a process of the twin would use to speak to programs of the host, or take for itself though it is the caller's.
_VARIABLES = (
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "MAINPID",
    "NOTIFY_SOCKET",
    "SSH_AUTH_SOCK",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "XDG_RUNTIME_DIR",
)
# Python ignores these by itself; a worker in Python wants them so too.
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)

Work = t.Callable[[], t.Any]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of work in a twin.

    :ivar ran: whether it ran to its end
    :ivar reason: why not, in plain words
    :ivar value: what it returned, through JSON
    """

    ran: bool
    reason: str = ""
    value: t.Any = None


def run(
    work: Work,
    *,
    empty_directories: t.Iterable[str] = (),
    empty_files: t.Iterable[str] = (),
    writable: t.Iterable[str] = (),
    remove: t.Iterable[str] = (),
    timeout: float = 60,
    memory: int = 256 * MEBIBYTE,
) -> Outcome:
    """Do work in a twin of the host, as root, with ``/`` as the working directory; what it returns must be plain JSON data.

    Standard input and outputs are ``/dev/null`` there, and all other descriptors of the caller too. Paths are absolute, links in
    them are followed; those that do not exist are ignored. Never raises an exception of its own; one that a signal handler of
    the caller raises meanwhile ends the twin and is passed on.

    :param empty_directories: in these there are no files, only the same directories (logs, which are copied when written to)
    :param empty_files: these have no contents
    :param writable: where work writes; there is no twin if what is written there cannot be kept from the host
    :param remove: these are removed before work begins (process numbers)
    :param timeout: seconds until everything ends
    :param memory: bytes that can be written at most; never more than a quarter of what is available
    """
    try:
        calls = _calls()
        view = twin_filesystems.View(
            _size(memory),
            _real(empty_directories, stat.S_ISDIR),
            _real(empty_files, lambda mode: stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)),
            tuple(map(os.path.realpath, writable)),
            _sockets(),
        )
        twin = _Twin(calls, view, twin_network.survey(), tuple(remove), work)
        return twin.run(timeout)
    except (TwinError, UnavailableError) as exc:
        return Outcome(False, str(exc))
    except OSError as exc:
        return Outcome(False, f"the twin cannot be prepared ({_told(exc)})")


def _calls() -> SystemCalls:
    """The system calls. Raises TwinError or UnavailableError where there can be no twin."""
    if not sys.platform.startswith("linux"):
        raise TwinError("not Linux")
    if os.geteuid() != 0:
        raise TwinError("not root")
    return SystemCalls()


def _size(memory: int) -> int:
    """How many bytes may be written. Raises TwinError if that is too little."""
    size = min([memory, *(amount // 4 for amount in _amounts())])
    if size < LEAST_MEMORY:
        raise TwinError(f"too little memory ({size // MEBIBYTE} MiB can be used)")
    return size


def _amounts() -> t.Iterator[int]:
    """How many bytes of memory there are for us: in the machine, and by the limits of a container."""
    with contextlib.suppress(OSError), open("/proc/meminfo", encoding="ascii") as stream:
        for line in stream:
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as stream:
            yield int(stream.read())


def _real(paths: t.Iterable[str], fits: t.Callable[[int], bool]) -> tuple[str, ...]:
    """The paths without links that exist and are of the kind."""
    found = set()
    for path in map(os.path.realpath, paths):
        with contextlib.suppress(OSError):
            if fits(os.stat(path).st_mode):
                found.add(path)
    return tuple(sorted(found))


def _sockets() -> tuple[str, ...]:
    with open("/proc/net/unix", "rb") as stream:
        paths = twin_filesystems.read_sockets(stream.read())
    # Not the path itself, whose last part is the socket's.
    return tuple(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)) for path in paths)


class _Twin(t.NamedTuple):
    """A twin that is still to be made, and what is to be done in it."""

    calls: SystemCalls
    view: twin_filesystems.View
    network: twin_network.Network
    remove: tuple[str, ...]
    work: Work

    # -- the caller ---------------------------------------------------------------------------------------------------

    def run(self, timeout: float) -> Outcome:
        """Make the twin, wait for what comes of it, and leave nothing of it. Raises OSError if there can be no process."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        caller, warden = os.getpid(), 0
        reader, writer = os.pipe()
        try:
            # No handler of the caller may act in a child, nor between a child's birth and our knowing it.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            warden = os.fork()
            if warden == 0:
                self._guard(caller, writer, mask)
            os.close(writer)
            writer = -1
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            return _answer(reader, timeout)
        finally:
            try:
                signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            finally:
                if warden:
                    _end(warden)
                for descriptor in (reader, writer):
                    if descriptor >= 0:
                        os.close(descriptor)
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    # -- the warden ---------------------------------------------------------------------------------------------------

    def _guard(self, caller: int, writer: int, mask: set[int | signal.Signals]) -> t.NoReturn:
        """Make the namespaces, and end them: when their first process ends, or on SIGTERM. All signals are blocked."""
        try:
            self.calls.die_with_parent()
            if os.getppid() == caller:
                writer = _leave_caller(writer)
                self._unshare()
                watched, held = os.pipe()
                first = os.fork()
                if first == 0:
                    os.close(held)
                    self._begin(watched, writer, mask)
                _watch(first, writer)
        except BaseException as exc:  # noqa: BLE001 (nothing may return into a copy of the caller)
            _send(writer, Outcome(False, _refusal(exc)))
        finally:
            os._exit(0)

    def _unshare(self) -> None:
        try:
            self.calls.unshare(_NAMESPACES)
        except OSError as exc:
            raise TwinError(f"the system does not allow namespaces ({exc.strerror})") from exc

    # -- the first process --------------------------------------------------------------------------------------------

    def _begin(self, watched: int, writer: int, mask: set[int | signal.Signals]) -> t.NoReturn:
        """Make the twin, have the work done, and reap until it is."""
        status = 1
        try:
            self.calls.die_with_parent()
            # Its parent is in another namespace, hence 0 to getppid: the pipe tells whether it lives.
            if not select.select([watched], [], [], 0)[0]:
                os.close(watched)
                self._furnish()
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                worker = os.fork()
                if worker == 0:
                    self._labour(writer)
                status = _reap(worker, writer)
        except BaseException as exc:  # noqa: BLE001 (nothing may return into a copy of the caller)
            status = 0
            _send(writer, Outcome(False, _refusal(exc)))
        finally:
            os._exit(status)

    def _furnish(self) -> None:
        """Files and network. Raises TwinError."""
        try:
            twin_filesystems.enter(self.calls, self.view)
        except OSError as exc:
            raise TwinError(f"the system does not allow the twin's file systems ({_told(exc)})") from exc
        try:
            twin_network.enter(self.network)
            # The rest of it is not the network's but the whole system's.
            self.calls.bind("/proc/sys", "/proc/sys", read_only=True)
        except OSError as exc:
            raise TwinError(f"the system does not allow the twin's network ({_told(exc)})") from exc
        for path in self.remove:
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as exc:
                raise TwinError(f"{path} cannot be removed in the twin ({exc.strerror})") from exc

    # -- the worker ---------------------------------------------------------------------------------------------------

    def _labour(self, writer: int) -> t.NoReturn:
        """Do the work and send what it returns."""
        process = os.getpid()
        try:
            outcome = Outcome(True, value=self.work())
            json.dumps(outcome.value)
        except BaseException as exc:  # noqa: BLE001 (nothing may return into a copy of the caller)
            outcome = Outcome(False, _short(f"{type(exc).__name__}: {exc}"))
        try:
            # Not so in a process that work forked and that came back here.
            if os.getpid() == process:
                _send(writer, outcome)
        finally:
            os._exit(0)


# -- processes --------------------------------------------------------------------------------------------------------


def _leave_caller(writer: int) -> int:
    """Take leave of what the caller has open, of its terminal, signals and environment; the writer's new number."""
    os.setsid()
    # Of a caller without standard input and output, it may have got the number of one of them.
    writer = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, 3)
    for number in signal.valid_signals():
        if number not in _IGNORED and signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in {0, 1, 2, *map(int, os.listdir("/proc/self/fd"))} - {writer}:
        # Replaced and not closed: an object of the caller that is collected later would close what has its number by then.
        with contextlib.suppress(OSError):
            os.dup2(nothing, descriptor)
            os.set_inheritable(descriptor, descriptor <= 2)
    for name in _VARIABLES:
        os.environ.pop(name, None)
    # Where memory runs out, the twin goes first.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as stream:
        stream.write("1000")
    return writer


def _watch(first: int, writer: int) -> None:
    """Wait for the end of the twin's first process, with which everything in the twin has ended; on SIGTERM bring it about."""
    told_to = False
    while True:
        if signal.sigwait({signal.SIGCHLD, signal.SIGTERM}) == signal.SIGTERM:
            told_to = True
            os.kill(first, signal.SIGKILL)
        process, status = os.waitpid(first, 0 if told_to else os.WNOHANG)
        if process == first:
            break
    if status and not told_to:
        _send(writer, Outcome(False, f"the twin's first process ended by itself ({_ending(status)})"))


def _reap(worker: int, writer: int) -> int:
    """Wait for the worker, and for whatever else comes to its end before; the exit status for the twin."""
    while True:
        process, status = os.wait()
        if process == worker:
            if status:
                _send(writer, Outcome(False, f"the work ended without an answer ({_ending(status)})"))
            return 0


def _ending(status: int) -> str:
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit status {os.WEXITSTATUS(status)}"


def _end(warden: int) -> None:
    """End a twin and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(warden, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE
        while os.waitpid(warden, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                # Something in the twin cannot be killed (a dead NFS server): it is left to the kernel.
                os.kill(warden, signal.SIGKILL)
                os.waitpid(warden, 0)
                return
            time.sleep(0.005)


# -- what is said -----------------------------------------------------------------------------------------------------


def _send(writer: int, outcome: Outcome) -> None:
    """Write an outcome as a line of its own, also after a line that was cut off."""
    data = memoryview(f"\n{json.dumps(dataclasses.astuple(outcome))}\n".encode("ascii"))
    while data:
        data = data[os.write(writer, data) :]


def _answer(reader: int, timeout: float) -> Outcome:
    """What comes through the pipe until everything in the twin has ended, or until the time is over."""
    deadline = time.monotonic() + timeout
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    data = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return _last(data) or Outcome(False, f"no end within {timeout:g} s")
        chunk = os.read(reader, 65536)
        if not chunk:
            return _last(data) or Outcome(False, "the twin ended without an answer")
        data += chunk


def _last(data: bytes | bytearray) -> Outcome | None:
    """The last outcome that was sent whole."""
    lines = [line for line in data.split(b"\n")[:-1] if line]
    return Outcome(*json.loads(lines[-1])) if lines else None


def _refusal(exc: BaseException) -> str:
    return str(exc) if isinstance(exc, TwinError) else _short(f"{type(exc).__name__}: {exc}")


def _told(exc: OSError) -> str:
    return f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc.strerror or exc)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 300 else f"{text[:297]}..."
