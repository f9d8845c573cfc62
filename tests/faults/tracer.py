"""Stops a program at each system call by which it, or a program that it started, changes something.

What strace injects counts for each process by itself; here all processes of a run are counted as one, so that "killed at its
87th change" means the same each time, and a test can do anything at that instant: kill one or all, or edit a file.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

# <linux/ptrace.h>, <linux/wait.h>
_TRACEME, _CONT, _CONT_TO_SYSCALL, _SETOPTIONS, _DETACH, _SYSCALL_INFO = 0, 7, 24, 0x4200, 17, 0x420E
_OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x100000  # SYSGOOD, FORK, VFORK, CLONE, EXEC, EXITKILL
_WALL, _WNOTHREAD = 0x40000000, 0x20000000
_EVENT_EXEC = 4
_INFO = struct.Struct("=B3xIQQ7Q")
_ENTRY = 1
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# Of x86-64: name by number, for each the position of its path or, with "fd", of its descriptor.
# fmt: off
_CALLS: dict[int, tuple[str, int | str | None]] = {
    1: ("write", "fd"), 18: ("pwrite64", "fd"), 20: ("writev", "fd"), 40: ("sendfile", "fd"), 77: ("ftruncate", "fd"),
    74: ("fsync", "fd"), 75: ("fdatasync", "fd"), 91: ("fchmod", "fd"), 93: ("fchown", "fd"), 73: ("flock", "fd"),
    2: ("open", 0), 85: ("creat", 0), 257: ("openat", 1), 59: ("execve", 0), 76: ("truncate", 0), 62: ("kill", None),
    82: ("rename", 1), 264: ("renameat", 3), 316: ("renameat2", 3), 83: ("mkdir", 0), 258: ("mkdirat", 1), 84: ("rmdir", 0),
    86: ("link", 1), 265: ("linkat", 3), 87: ("unlink", 0), 263: ("unlinkat", 1), 88: ("symlink", 1), 266: ("symlinkat", 2),
    90: ("chmod", 0), 268: ("fchmodat", 1), 92: ("chown", 0), 94: ("lchown", 0), 260: ("fchownat", 1), 280: ("utimensat", 1),
    326: ("copy_file_range", None), 285: ("fallocate", "fd"), 272: ("unshare", None), 165: ("mount", 1), 166: ("umount2", 0),
    155: ("pivot_root", 0), 161: ("chroot", 0), 188: ("setxattr", 0), 259: ("mknodat", 1),
}
# fmt: on
_OPENS = {"open": 1, "openat": 2}
# What Debian's commands start by the dozen.
_HELPERS = ("sh", "env", "find", "touch", "id")


@functools.cache
def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    return libc


def _ptrace(request: int, pid: int, address: int = 0, data: Any = 0) -> None:
    if _libc().ptrace(request, pid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def is_possible() -> bool:
    """Whether system calls are known by number here."""
    return platform.system() == "Linux" and platform.machine() == "x86_64"


class Point:
    """The instant before a system call that changes something.

    :ivar number: the how manieth of the run, from 1
    :ivar call: name of the call and the path that it is about
    :ivar module: the module's process
    :ivar by_module: whether the module itself makes it, rather than a program that it started
    """

    def __init__(self, number: int, pid: int, call: str, run: _Run) -> None:
        self.number, self.call, self._pid, self._run = number, call, pid, run
        self.module = run.module
        self.by_module = pid == run.module

    def signal(self, number: int, whom: str) -> None:
        """Send a signal to the ``module``, to the ``caller`` of this call, or to ``all`` processes of the run."""
        pids = {"module": {self._run.module}, "caller": {self._pid}, "all": set(self._run.tracees)}[whom]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


class _Run:
    def __init__(self, at: Callable[[Point], None]) -> None:
        self.module = 0
        self.status = 0
        self.tracees: set[int] = set()
        self.let_go: list[int] = []
        self._at = at
        self._count = 0

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        """Trace until the last process of the run has ended."""
        self.module = process.pid
        os.waitpid(process.pid, _WALL)
        self.tracees.add(process.pid)
        _ptrace(_SETOPTIONS, process.pid, data=_OPTIONS)
        # Whatever it does before it says so, which for Python is much, is not of interest.
        _ptrace(_CONT, process.pid)
        _pid, status = os.waitpid(process.pid, _WALL)
        if os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP:
            _ptrace(_CONT_TO_SYSCALL, process.pid)
        else:
            raise RuntimeError(f"the program did not stop itself first: {status}")
        while self.tracees:
            pid, status = os.waitpid(-1, _WALL | _WNOTHREAD)
            if not os.WIFSTOPPED(status):
                self.tracees.discard(pid)
                if pid == self.module:
                    process.returncode = self.status = os.waitstatus_to_exitcode(status)
                continue
            with contextlib.suppress(ProcessLookupError):  # killed meanwhile; its end is reported next
                self._stopped(pid, os.WSTOPSIG(status), status >> 16)

    def _stopped(self, pid: int, stop: int, event: int) -> None:
        is_new = pid not in self.tracees
        self.tracees.add(pid)
        deliver = 0
        if stop == signal.SIGTRAP | 0x80:
            self._at_call(pid)
        elif event == _EVENT_EXEC:
            # Apache itself is not ours, and one that stays must not have us as its tracer.
            if os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("apache2"):
                self.tracees.discard(pid)
                self.let_go.append(pid)
                _ptrace(_DETACH, pid)
                return
        elif not event and not (is_new and stop == signal.SIGSTOP):
            deliver = stop
        _ptrace(_CONT_TO_SYSCALL, pid, data=deliver)

    def _at_call(self, pid: int) -> None:
        buffer = ctypes.create_string_buffer(_INFO.size)
        _ptrace(_SYSCALL_INFO, pid, _INFO.size, ctypes.addressof(buffer))
        kind, _arch, _ip, _sp, number, *arguments = _INFO.unpack(buffer.raw)
        if kind == _ENTRY and number in _CALLS:
            call = _described(pid, *_CALLS[number], arguments)
            if call:
                self._count += 1
                self._at(Point(self._count, pid, call, self))


def _described(pid: int, name: str, where: int | str | None, arguments: Sequence[int]) -> str | None:
    """The call in words; None if it changes nothing that lasts: pipes, devices, commands that are not there."""
    if name in _OPENS and not arguments[_OPENS[name]] & _WRITES:
        return None
    if where is None:
        return name
    if where == "fd":
        if arguments[0] < 3:
            return None
        try:
            path = os.readlink(f"/proc/{pid}/fd/{arguments[0]}")
        except OSError:
            return None
    else:
        path = _string(pid, arguments[int(where)])
    if name == "execve" and (not os.path.exists(path) or os.path.basename(path) in _HELPERS):
        return None
    return None if path.startswith(("/dev/", "/proc/", "pipe:", "socket:", "anon_inode:")) else f"{name} {path}"


def _string(pid: int, address: int) -> str:
    if not address:
        return ""  # the call means its descriptor
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        # Not beyond the page, behind which there may be nothing.
        return memory.read(4096 - address % 4096).partition(b"\0")[0].decode("utf-8", "replace")


def run(
    command: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path, at: Callable[[Point], None]
) -> tuple[int, list[int]]:
    """Run a program, which stops itself by SIGSTOP when it begins, and call ``at`` at each point.

    Returns its exit code (negative for a signal) and the Apaches that it started and that are still there after some seconds.
    """
    run = _Run(at)
    failures: list[BaseException] = []

    def body() -> None:
        try:
            with output.open("wb") as out, errors.open("wb") as err:
                process = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    preexec_fn=_trace_me,  # noqa: PLW1509 (nothing but one system call)
                )
                run.follow(process)
        except BaseException as exc:  # noqa: BLE001 (raised below)
            failures.append(exc)
            for pid in run.tracees:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    # In a thread of its own, which waits for its own children alone.
    thread = threading.Thread(target=body)
    _libc()
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return run.status, _still_there(run.let_go)


def _trace_me() -> None:
    _ptrace(_TRACEME, 0)


def _still_there(pids: Sequence[int]) -> list[int]:
    for _attempt in range(100):
        pids = [pid for pid in pids if os.path.exists(f"/proc/{pid}/exe")]
        if not pids:
            break
        time.sleep(0.05)
    return list(pids)
