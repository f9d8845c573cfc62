"""The file systems of a twin of the host: everything of the host is seen, what is written goes to memory.

PRIVATE to the collection. Formats are those of ``proc_pid_mountinfo(5)``, ``unix(7)`` and the kernel's ``overlayfs.rst``.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import typing as t

from .system_calls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC, SystemCalls

# Made anew, or shown as they are; what is mounted below them is not looked at.
SPECIAL = ("/proc", "/sys", "/dev", "/run")
# Views of the kernel, and mounts that come when somebody looks: nothing to copy.
# fmt: off
PSEUDO = frozenset((
    "autofs", "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cpuset", "debugfs", "devpts", "devtmpfs",
    "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nfsd", "nsfs", "proc", "pstore", "resctrl", "rpc_pipefs", "securityfs",
    "selinuxfs", "smackfs", "sysfs", "tracefs",
))
# fmt: on
# Over this directory the twin is put together: the twin has another one of its own in any case.
_SCRATCH = "/run"
_ROOT = f"{_SCRATCH}/root"
_FLAGS = {"nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC}
# With it a directory of the host can be renamed, as it can there; kernels before 4.10 do not know it.
_RENAME = "redirect_dir=on"
# Of /run, not these: by the first one programs know that systemd runs; the others can be large, and Apache has no part in them.
_NOT_OF_RUN = frozenset(("systemd", "containerd", "containers", "credentials", "docker", "media", "netns", "udev", "user"))


class TwinError(Exception):
    """There can be no twin; the text says why, in plain words."""


class Mount(t.NamedTuple):
    """A line of mountinfo: ``flags`` are those of mount(2) that bind what is in it."""

    number: int
    parent: int
    point: str
    kind: str
    read_only: bool = False
    flags: int = 0


class Entry(t.NamedTuple):
    """A directory (itself is the empty path), or a link to one (then ``link`` is its target), below another one."""

    path: str
    owner: int
    group: int
    mode: int
    link: str | None = None


class View(t.NamedTuple):
    """How the twin's files differ from the host's; all paths are absolute and free of links.

    :ivar size: bytes that may be written
    :ivar sockets: paths of sockets on which the host's programs listen
    """

    size: int
    empty_directories: tuple[str, ...] = ()
    empty_files: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()


# -- reading ----------------------------------------------------------------------------------------------------------


def read_mounts(content: bytes) -> list[Mount]:
    """The lines of /proc/self/mountinfo."""
    mounts = []
    for line in content.splitlines():
        before, _separator, after = line.partition(b" - ")
        number, parent, _device, _root, point, options = before.split(b" ")[:6]
        kind, _source, super_options = after.split(b" ", 2)
        names = os.fsdecode(options).split(",")
        mounts.append(
            Mount(
                int(number),
                int(parent),
                os.fsdecode(_unescaped(point)),
                os.fsdecode(kind),
                read_only="ro" in names or b"ro" in super_options.split(b","),
                flags=sum(flag for name, flag in _FLAGS.items() if name in names),
            )
        )
    return mounts


def _unescaped(field: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)


def visible(mounts: t.Sequence[Mount]) -> list[Mount]:
    """The mounts that a path leads to, each after the one that it lies in: without those that others lie over."""
    numbers = {mount.number for mount in mounts}
    children: dict[int, list[Mount]] = {}
    for mount in mounts:
        if mount.parent in numbers and mount.parent != mount.number:
            children.setdefault(mount.parent, []).append(mount)
    found = []
    waiting = [mount for mount in mounts if mount.point == "/" and (mount.parent not in numbers or mount.parent == mount.number)]
    while waiting:
        mount = waiting.pop()
        inside = children.get(mount.number, [])
        over = [child for child in inside if child.point == mount.point]
        if over:
            waiting.append(over[-1])
            continue
        found.append(mount)
        points = {child.point for child in inside}
        waiting += [child for child in reversed(inside) if not any(above in points for above in _above(child.point))]
    return found


def _above(path: str) -> t.Iterator[str]:
    """The directories that a path lies in, without the root."""
    path = os.path.dirname(path)
    while path != "/":
        yield path
        path = os.path.dirname(path)


def is_below(path: str, directories: t.Container[str]) -> bool:
    """Whether a path is one of the directories or lies in one."""
    return path in directories or any(above in directories for above in _above(path))


def holder(path: str, mounts: t.Iterable[Mount]) -> Mount | None:
    """The innermost of the mounts that a path lies in."""
    found = [mount for mount in mounts if mount.point == "/" or is_below(path, {mount.point})]
    return max(found, key=lambda mount: len(mount.point), default=None)


def read_sockets(content: bytes) -> list[str]:
    """The absolute paths in /proc/net/unix. Those that a program gave as relative ones cannot be known."""
    lines = [line.split(None, 7) for line in content.splitlines()]
    return sorted({os.fsdecode(fields[7]) for fields in lines if len(fields) == 8 and fields[7].startswith(b"/")})


def skeleton(directory: str, without: t.Container[str] = ()) -> list[Entry]:
    """A directory and those below it, outermost first, with links to directories; not those of the given names right in it.

    What cannot be read, or goes away meanwhile, is left out. Raises OSError if there is no such directory.
    """
    entries = [_entry("", os.stat(directory))]
    waiting = [""]
    while waiting:
        parent = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(os.path.join(directory, parent)) as items:
            for item in items:
                path = os.path.join(parent, item.name)
                if path not in without and item.is_dir():
                    link = os.readlink(item.path) if item.is_symlink() else None
                    entries.append(_entry(path, item.stat(follow_symlinks=False), link))
                    waiting += [path] if link is None else []
    return sorted(entries)


def _entry(path: str, status: os.stat_result, link: str | None = None) -> Entry:
    return Entry(path, status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode), link)


# -- making -----------------------------------------------------------------------------------------------------------


def enter(calls: SystemCalls, view: View) -> None:
    """Make the mount namespace of the calling process the twin's, with its root and working directory in it.

    The process must have a mount namespace of its own, and be in the namespace of processes whose /proc is to be seen.
    Raises TwinError, and OSError with the path.
    """
    calls.mount("none", "/", None, MS_REC | MS_PRIVATE)
    with open("/proc/self/mountinfo", "rb") as stream:
        mounts = visible(read_mounts(stream.read()))
    fresh = _fresh(view)
    blanks = [_entry(path, os.stat(path)) for path in view.empty_files]
    calls.mount("tmpfs", _SCRATCH, "tmpfs", MS_NODEV | MS_NOSUID, f"size={view.size},mode=755")
    os.mkdir(_ROOT)
    # Why a write below a mount does not stay in the twin, by mount point: not at all, or only read-only.
    refused = {mount.point: _lay(calls, mount, f"{_SCRATCH}/{number}") for number, mount in enumerate(mounts)}
    _require(view.writable, mounts, refused)
    _show_kernel(calls)
    for path in view.sockets:
        _sever(calls, path, copied=_is_copied(holder(path, mounts), refused))
    for number, (directory, entries) in enumerate(fresh.items()):
        _replace(calls, directory, entries, f"{_SCRATCH}/directory-{number}")
    for number, blank in enumerate(blanks):
        _cover(calls, blank, f"{_SCRATCH}/file-{number}")
    calls.change_root(_ROOT)


def _fresh(view: View) -> dict[str, list[Entry]]:
    """What takes the place of directories: of what programs share while they run, and of those asked for."""
    shared = sorted({os.path.realpath(path) for path in ("/run", "/var/run", "/var/lock", "/dev/shm")})  # noqa: S108 (covered)
    fresh: dict[str, list[Entry]] = {}
    for path in (*shared, *sorted(view.empty_directories)):
        # Those that lie in another one are part of it.
        if not is_below(path, fresh) and os.path.isdir(path):
            fresh[path] = skeleton(path, _NOT_OF_RUN if path in shared else ())
    if not any(entry.path == "lock" for entry in fresh["/run"]):
        fresh["/run"].append(Entry("lock", 0, 0, 0o1777))
    return fresh


def _lay(calls: SystemCalls, mount: Mount, layer: str) -> str:
    """Show a mount in the twin, under a layer of its own if possible, otherwise read-only; why it has no layer, or nothing.

    A file system that is read-only on the host is so in the twin, without a reason: a write is refused here as it is there.
    """
    if is_below(mount.point, SPECIAL) or mount.kind in PSEUDO:
        return "a view of the system"
    target = _ROOT + mount.point
    reason = ""
    try:
        if os.path.isdir(mount.point) and not mount.read_only:
            try:
                _overlay(calls, mount, target, layer)
                return ""
            except OSError as exc:
                reason = f"{mount.kind}: {exc.strerror}"
        elif not mount.read_only:
            reason = "mounted as a single file"
        calls.bind(mount.point, target, read_only=True)
    except OSError as exc:
        return reason or f"{mount.kind}: {exc.strerror}"
    return reason


def _overlay(calls: SystemCalls, mount: Mount, target: str, layer: str) -> None:
    """Lay a layer of memory over a mount. Raises OSError."""
    upper, work = f"{layer}/upper", f"{layer}/work"
    for directory in (layer, upper, work):
        os.mkdir(directory)
    _copy_status(mount.point, upper)  # What is seen as its root is the layer's.
    os.chdir(mount.point)
    # From within, so that no character of its path means anything here.
    options = f"lowerdir=.,upperdir={upper},workdir={work}"
    try:
        calls.mount("overlay", target, "overlay", mount.flags, f"{options},{_RENAME}")
    except OSError:
        calls.mount("overlay", target, "overlay", mount.flags, options)


def _copy_status(source: str, target: str) -> None:
    status = os.stat(source)
    os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, stat.S_IMODE(status.st_mode))
    with contextlib.suppress(OSError):
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))


def _require(paths: t.Iterable[str], mounts: t.Sequence[Mount], refused: t.Mapping[str, str]) -> None:
    """Raises TwinError if a path lies in a mount that has no layer. What lies below /run is the twin's own in any case."""
    for path in paths:
        mount = holder(path, mounts)
        if mount is None or is_below(path, ("/run",)):
            continue
        if refused[mount.point]:
            raise TwinError(f"{path} lies in the mount {mount.point}, which cannot be copied on write ({refused[mount.point]})")


def _is_copied(mount: Mount | None, refused: t.Mapping[str, str]) -> bool:
    return mount is not None and not mount.read_only and not refused[mount.point]


def _show_kernel(calls: SystemCalls) -> None:
    """The twin's own processes; devices and the kernel's view of the hardware as they are. Raises OSError."""
    calls.mount("proc", f"{_ROOT}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    calls.bind("/dev", f"{_ROOT}/dev", flags=MS_REC)
    calls.make_read_only(f"{_ROOT}/dev")
    if os.path.isdir("/sys"):
        calls.bind("/sys", f"{_ROOT}/sys", read_only=True)


def _sever(calls: SystemCalls, path: str, *, copied: bool) -> None:
    """Take a socket of the host out of the twin: it would be the host's own program that answers."""
    target = _ROOT + path
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if stat.S_ISSOCK(os.lstat(target).st_mode):
            if copied:
                os.unlink(target)
            else:
                _cover(calls, Entry(path, 0, 0, 0o600), f"{_SCRATCH}/no-socket")


def _replace(calls: SystemCalls, directory: str, entries: t.Iterable[Entry], place: str) -> None:
    """Mount directories without files over one of the host. Raises OSError."""
    if not os.path.isdir(_ROOT + directory):
        return
    for entry in entries:
        path = os.path.join(place, entry.path)
        if entry.link is not None:
            os.symlink(entry.link, path)
        else:
            os.mkdir(path)
            os.chown(path, entry.owner, entry.group)
            os.chmod(path, entry.mode)
    calls.bind(place, _ROOT + directory)


def _cover(calls: SystemCalls, file: Entry, place: str) -> None:
    """Mount an empty file over one of the host. Raises OSError."""
    if not os.path.lexists(_ROOT + file.path):
        return
    with open(place, "wb"):
        os.chown(place, file.owner, file.group)
        os.chmod(place, file.mode)
    calls.bind(place, _ROOT + file.path)
