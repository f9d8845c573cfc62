"""One run at a time on an Apache: a lock that the kernel gives back whatever happens to its holder.

PRIVATE to the collection. The lock is on Apache's configuration directory itself (flock(2)), so nothing is written for it, and
two runs that were given different state directories still wait for each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
import typing as t

_PAUSE = 0.2


class LockError(Exception):
    """Somebody else has held the lock for too long."""


@contextlib.contextmanager
def held(directory: str, seconds: float) -> t.Iterator[None]:
    """Hold the lock on a directory. Raises LockError after the seconds, with who holds it; OSError if there is no directory."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _take(descriptor, directory, seconds)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, directory: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                holder = _holder(descriptor) or "it cannot be told which"
                raise LockError(
                    f"another run works on {directory} ({holder}) and did not end within {seconds:.0f} s (lock_timeout); nothing "
                    "was changed"
                ) from None
        time.sleep(_PAUSE)


def _holder(descriptor: int) -> str:
    """The process that holds the lock, as the kernel lists it (proc(5), /proc/locks)."""
    status = os.fstat(descriptor)
    inode = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii") as stream:
            found = re.search(rf"FLOCK +ADVISORY +WRITE +(\d+) {inode} ", stream.read())
        if not found:
            return ""
        with open(f"/proc/{found[1]}/cmdline", "rb") as stream:
            command = " ".join(stream.read().decode("utf-8", "replace").split("\0")).strip()
    except OSError:
        return ""
    return f"process {found[1]}: {command[:120]}"
