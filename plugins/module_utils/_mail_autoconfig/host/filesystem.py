"""Files, links and directories: read as they are, replaced in one step, put back as they were.

PRIVATE to the collection.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import glob
import os
import stat
import typing as t

from ..files import FILE_MODE
from ..plan import ABSENT, FileState

TEMPORARY = ".mail_autoconfig-"


class ChangedMeanwhileError(Exception):
    """Somebody else has changed a path since it was looked at."""


@dataclasses.dataclass(frozen=True)
class Saved:
    """A path as it was: a link by its target, or a file by its state."""

    state: FileState
    target: str = ""
    gid: int = -1


def real(path: str) -> str:
    """A path by where its directory leads; what is at its end stays itself, also if it is a link."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name)


def realpath_of_many() -> t.Callable[[str], str]:
    """``os.path.realpath`` for many paths at one moment: each directory on the way to them is looked up once."""

    @functools.cache
    def leads_to(path: str) -> str:
        above, name = os.path.split(path)
        if name in ("", os.curdir, os.pardir):
            return os.path.realpath(path)
        there = os.path.join(leads_to(above), name)
        return os.path.realpath(there) if os.path.islink(there) else there

    return leads_to


def real_of_many() -> t.Callable[[str], str]:
    """``real`` for many paths at one moment."""
    leads_to = realpath_of_many()

    def real_of_one(path: str) -> str:
        directory, name = os.path.split(path)
        return os.path.join(leads_to(directory), name)

    return real_of_one


def read(path: str) -> FileState:
    """What is at a path; a link counts as neither file nor absent. Raises OSError where it cannot be told."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return FileState("other")
        with open(path, "rb") as stream:
            return FileState("file", stream.read(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    except (FileNotFoundError, NotADirectoryError):
        return FileState("other") if _is_below_a_file(path) else ABSENT


def _is_below_a_file(path: str) -> bool:
    directory = os.path.dirname(path)
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    return not os.path.isdir(directory)


def blocked_by(path: str) -> str:
    """The part of a directory path that is there and is no directory; empty if there is none."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return "" if os.path.isdir(path) else path


def names(directory: str) -> list[str]:
    """What is in a directory, sorted; nothing where there is none."""
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []


def changed_since(paths: t.Iterable[str], moment: float | None) -> list[str]:
    """Those of the files, or of the links that lead to them, that were changed behind a moment; none without one."""
    return [path for path in paths if moment is not None and _changed_at(path) > moment + 1]


def _changed_at(path: str) -> float:
    try:
        return max(os.stat(path).st_ctime, os.lstat(path).st_ctime)
    except OSError:
        return 0


def save(path: str) -> Saved | None:
    """A path as it is, to be put back; None where nothing is."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(status.st_mode):
        return Saved(FileState("other"), os.readlink(path), status.st_gid)
    return Saved(read(path), "", status.st_gid)


def write(path: str, content: bytes, mode: int = FILE_MODE, uid: int = -1, gid: int = -1) -> None:
    """Replace a file in one step, durably: readers see the old one or the new one."""
    with _beside(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if (uid, gid) != (-1, -1):
                os.fchown(stream.fileno(), uid, gid)
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    sync(os.path.dirname(path))


def touch(path: str) -> None:
    """Make an empty file where nothing is, as a note that nobody misses after a power failure."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE))


def link(path: str, target: str) -> None:
    """Make a link where nothing is, or put it in the place of what is there, in one step."""
    with _beside(path) as temporary:
        os.symlink(target, temporary)
        os.replace(temporary, path)


@contextlib.contextmanager
def _beside(path: str) -> t.Iterator[str]:
    """Lend a path in the same directory, where nothing is; nothing is left there after a failure or a signal."""
    directory, name = os.path.split(path)
    # One name for each target, so that what a killed run leaves is found by the next one.
    temporary = os.path.join(directory, f"{TEMPORARY}{name}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    try:
        yield temporary
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def put_back(path: str, saved: Saved | None) -> None:
    """Make a path what it was, with its owner, group and mode."""
    if saved is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    elif saved.target:
        link(path, saved.target)
    elif saved.state.content is not None:
        is_root = os.geteuid() == 0
        make_directories(os.path.dirname(path))
        write(path, saved.state.content, saved.state.mode, saved.state.uid if is_root else -1, saved.gid if is_root else -1)


def changed_at(directory: str, pattern: str) -> tuple[float, ...]:
    """When files were changed last, in seconds since the epoch, sorted.

    :arg pattern: of their paths below the directory (glob)
    """
    found = []
    for path in glob.iglob(os.path.join(glob.escape(directory), pattern)):
        with contextlib.suppress(OSError):
            found.append(os.stat(path).st_mtime)
    return tuple(sorted(found))


def missing_directories(path: str) -> list[str]:
    """The directories on the way to one that are not there, outermost first, with itself."""
    missing: list[str] = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    return missing[::-1]


def make_directories(path: str) -> list[str]:
    """Make a directory with all above it, readable by everybody; those that were made, outermost first."""
    made = missing_directories(path)
    for directory in made:
        # The run has a umask that lets this through, so that no kill can leave a directory that the web server cannot enter.
        os.mkdir(directory, 0o755)
    return made


def sync(directory: str) -> None:
    """Make names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def ordinary_umask() -> t.Iterator[None]:
    """What is made can be read by everybody, whatever the administrator's umask is."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def why_not_writable(directory: str, size: int, files: int) -> str:
    """Why so much cannot be written into a directory, or where it is to be made; empty if it can.

    :arg size: bytes
    """
    there = directory
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    if not os.access(there, os.W_OK | os.X_OK):
        is_read_only = os.statvfs(there).f_flag & os.ST_RDONLY
        return "its file system is mounted read-only" if is_read_only else "this user may not write there"
    room = os.statvfs(there)
    if room.f_bavail * room.f_frsize < size:
        return f"its file system has {room.f_bavail * room.f_frsize >> 10} KiB left, and {size >> 10} may be needed"
    # Some file systems do not count them.
    if room.f_files and room.f_favail < files:
        return f"its file system takes {room.f_favail} more files, and {files} may be needed"
    return ""
