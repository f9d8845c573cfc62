"""The steps of a change, each written down before it is taken, so that they can be taken back in turn.

PRIVATE to the collection. Only what a step of ours has changed is put back, and only if nobody has changed it since: links and
modules that somebody else enabled meanwhile stay. Taken back in the opposite order, because in which order Apache could start
after each step, it can after each step back.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ..plan import ABSENT, DIRECTORY_MODE, FileState
from . import filesystem
from .filesystem import ChangedMeanwhileError, Saved


class _Step(t.NamedTuple):
    path: str
    before: Saved | None
    after: Saved | None


class Journal:
    """What was done. Every method raises OSError where the system refuses it."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self._directories: list[str] = []
        self._modes: list[tuple[str, int, int, int]] = []

    def write(self, path: str, content: bytes, seen: FileState | None = None, mode: int = 0o644, gid: int = -1) -> None:
        """Replace a file. Raises ChangedMeanwhileError if it is not as it was ``seen``."""
        before = filesystem.save(path)
        if seen is not None and (before.state if before else ABSENT) != seen:
            raise ChangedMeanwhileError(f"{path} was changed by somebody else while this run worked")
        self.make_directory(os.path.dirname(path))
        after = Saved(FileState("file", content, mode, os.geteuid()))
        self._steps.append(_Step(path, before, after))
        filesystem.write(path, content, mode, gid=gid)

    def keep_copy(self, path: str, copy: str) -> None:
        """Copy a file with its owner and mode, to where nothing is."""
        saved = filesystem.save(path)
        if saved is not None:
            self._steps.append(_Step(copy, None, saved))
            filesystem.put_back(copy, saved)

    def remove(self, path: str, seen: FileState | None = None) -> None:
        """Remove a file or link. Raises ChangedMeanwhileError if it is not as it was ``seen``."""
        before = filesystem.save(path)
        if before is None:
            return
        if seen is not None and before.state != seen:
            raise ChangedMeanwhileError(f"{path} was changed by somebody else while this run worked")
        self._steps.append(_Step(path, before, None))
        os.unlink(path)

    def link(self, path: str, target: str) -> None:
        """Make a link, unless one is there."""
        if os.path.lexists(path):
            return
        self.make_directory(os.path.dirname(path))
        self._steps.append(_Step(path, None, Saved(FileState("other"), target)))
        filesystem.link(path, target)

    def make_directory(self, path: str) -> None:
        """Make a directory with all above it."""
        if os.path.isdir(path):
            return
        self._directories.extend(filesystem.missing_directories(path))
        filesystem.make_directories(path)

    def repair(self, path: str) -> None:
        """Give a directory our mode and owner back."""
        status = os.lstat(path)
        self._modes.append((path, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid))
        if status.st_uid != os.geteuid():
            os.chown(path, os.geteuid(), os.getegid())
        os.chmod(path, DIRECTORY_MODE)

    @property
    def made(self) -> tuple[str, ...]:
        """The directories that were made."""
        return tuple(dict.fromkeys(self._directories))

    def take_back(self) -> list[str]:
        """Put everything back as it was; what could not be, in words."""
        failures = []
        for step in reversed(self._steps):
            try:
                now = filesystem.save(step.path)
                if _same(now, step.before):
                    continue
                if _same(now, step.after):
                    filesystem.put_back(step.path, step.before)
                else:
                    failures.append(f"{step.path} was changed by somebody else and is left")
            except OSError as exc:
                failures.append(f"{step.path}: {exc.strerror}")
        for path, mode, uid, gid in reversed(self._modes):
            try:
                os.chmod(path, mode)
                if os.geteuid() == 0:
                    os.chown(path, uid, gid)
            except OSError as exc:
                failures.append(f"{path}: {exc.strerror}")
        for path in sorted(self.made, reverse=True):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        self._steps.clear()
        self._modes.clear()
        self._directories.clear()
        return failures


def _same(now: Saved | None, other: Saved | None) -> bool:
    """Whether a path is as it was once, its group aside."""
    if now is None or other is None:
        return now is other
    return (now.state, now.target) == (other.state, other.target)
