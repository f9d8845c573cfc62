"""The few system calls that Python does not offer (``os.unshare`` only since 3.12), through the C library.

PRIVATE to the collection. Constants are the kernel's, from ``linux/sched.h``, ``linux/mount.h`` and ``linux/prctl.h``.
"""

from __future__ import annotations

import os
import signal
import typing as t

try:
    import ctypes
except ImportError:  # Python built without libffi
    ctypes = None  # type: ignore[assignment]

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_RELATIME = 0x200000

_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1
_ST_RELATIME = 0x1000


class UnavailableError(Exception):
    """The system calls cannot be reached from this Python; the text says why."""


class SystemCalls:
    """System calls that raise OSError with the number, the system's words, and the path if there is one.

    Raises UnavailableError if there is no ``ctypes`` or no C library that offers them all.
    """

    def __init__(self) -> None:
        if ctypes is None:
            raise UnavailableError("this Python has no ctypes")
        try:
            library = ctypes.CDLL(None, use_errno=True)
            self._unshare = library.unshare
            self._mount = library.mount
            self._umount2 = library.umount2
            self._prctl = library.prctl
            self._pivot_root = library.pivot_root
        except (OSError, AttributeError, TypeError) as exc:
            raise UnavailableError(f"the C library does not offer what is needed ({exc})") from exc
        text, number = ctypes.c_char_p, ctypes.c_ulong
        self._mount.argtypes = (text, text, text, number, text)
        self._prctl.argtypes = (ctypes.c_int, number, number, number, number)

    def _call(self, function: t.Callable[..., int], *arguments: t.Any, path: str | None = None) -> None:
        if function(*arguments) == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)

    def unshare(self, namespaces: int) -> None:
        """Give the calling process namespaces of its own (the one of processes: its children)."""
        self._call(self._unshare, namespaces)

    def die_with_parent(self) -> None:
        """Have the kernel kill this process when its parent dies. The parent may be dead already: look afterwards."""
        self._call(self._prctl, _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)

    def mount(self, source: str, target: str, kind: str | None, flags: int = 0, options: str | None = None) -> None:
        """Mount a file system, or change a mount."""
        encoded = [os.fsencode(value) if value is not None else None for value in (source, target, kind)]
        self._call(self._mount, *encoded, flags, os.fsencode(options) if options else None, path=target)

    def bind(self, source: str, target: str, *, read_only: bool = False, flags: int = 0) -> None:
        """Show what is at one path at another one too, read-only if asked. Never leaves a writable one when that fails."""
        self.mount(source, target, None, MS_BIND | flags)
        if read_only:
            try:
                self.make_read_only(target)
            except OSError:
                self.unmount(target)
                raise

    def make_read_only(self, target: str) -> None:
        """Make a mount read-only, and only this mount: the file system stays as it is."""
        known = os.statvfs(target).f_flag
        # Those that the kernel lets nobody take away in a user namespace must be named again.
        flags = known & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME)
        flags |= MS_RELATIME if known & _ST_RELATIME else 0
        self.mount("none", target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | flags)

    def unmount(self, target: str) -> None:
        """Take a mount, and what is mounted below it, away from the tree at once."""
        self._call(self._umount2, os.fsencode(target), _MNT_DETACH, path=target)

    def change_root(self, root: str) -> None:
        """Make a mount point the root of the mount namespace, and let go of everything outside it."""
        os.chdir(root)
        # pivot_root(2): the old root then lies over the new one, from where it is taken away.
        self._call(self._pivot_root, b".", b".", path=root)
        self.unmount(".")
        os.chdir("/")
