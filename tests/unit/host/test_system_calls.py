"""What the kernel is asked for, in its own numbers (linux/sched.h, linux/mount.h, linux/prctl.h). No real one is asked."""

from __future__ import annotations

import ctypes
import errno
import os
import types
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import system_calls
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.system_calls import (
    SystemCalls,
    UnavailableError,
)

NAMES = ("unshare", "mount", "umount2", "prctl", "pivot_root")


class Kernel:
    """In the place of the C library. ``refused`` is the number of the error for the calls that it names."""

    def __init__(self) -> None:
        self.asked: list[tuple[t.Any, ...]] = []
        self.refused: dict[tuple[t.Any, ...], int] = {}

    def function(self, name: str) -> t.Callable[..., int]:
        def call(*arguments: t.Any) -> int:
            asked = (name, *arguments)
            self.asked.append(asked)
            ctypes.set_errno(self.refused.get(asked, 0))
            return -1 if asked in self.refused else 0

        return call


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    found = Kernel()
    library = types.SimpleNamespace(**{name: found.function(name) for name in NAMES})
    monkeypatch.setattr(system_calls.ctypes, "CDLL", lambda _name, use_errno: library if use_errno else None)
    return found


def test_constants_are_those_of_the_kernel() -> None:
    numbers = {name: getattr(system_calls, name) for name in dir(system_calls) if name.startswith(("CLONE_", "MS_"))}
    assert numbers == {
        "CLONE_NEWNS": 0x20000,
        "CLONE_NEWUTS": 0x4000000,
        "CLONE_NEWIPC": 0x8000000,
        "CLONE_NEWPID": 0x20000000,
        "CLONE_NEWNET": 0x40000000,
        "MS_RDONLY": 1,
        "MS_NOSUID": 2,
        "MS_NODEV": 4,
        "MS_NOEXEC": 8,
        "MS_REMOUNT": 32,
        "MS_NOATIME": 1024,
        "MS_NODIRATIME": 2048,
        "MS_BIND": 4096,
        "MS_REC": 16384,
        "MS_PRIVATE": 1 << 18,
        "MS_RELATIME": 1 << 21,
    }


def test_a_process_gets_namespaces_of_its_own_and_dies_with_its_parent(kernel: Kernel) -> None:
    calls = SystemCalls()
    calls.unshare(system_calls.CLONE_NEWNS)
    calls.die_with_parent()
    assert kernel.asked == [("unshare", 0x20000), ("prctl", 1, 9, 0, 0, 0)]


def test_a_file_system_is_mounted_with_what_is_said_of_it(kernel: Kernel) -> None:
    SystemCalls().mount("tmpfs", "/a\udcff", "tmpfs", 2, "size=4k")
    SystemCalls().mount("none", "/", None, 16384)
    assert kernel.asked == [
        ("mount", b"tmpfs", b"/a\xff", b"tmpfs", 2, b"size=4k"),
        ("mount", b"none", b"/", None, 16384, None),
    ]


def test_no_options_are_the_default(kernel: Kernel) -> None:
    SystemCalls().mount("tmpfs", "/a", "tmpfs")
    SystemCalls().bind("/a", "/b")
    assert kernel.asked == [("mount", b"tmpfs", b"/a", b"tmpfs", 0, None), ("mount", b"/a", b"/b", None, 4096, None)]


@pytest.mark.parametrize(
    ("known", "flags"), [(0, 0), (2 | 4 | 8 | 1024 | 2048, 2 | 4 | 8 | 1024 | 2048), (1 | 16 | 0x1000, 1 << 21), (0x2000, 0)]
)
def test_what_is_read_only_keeps_what_the_kernel_lets_nobody_take_away(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, known: int, flags: int
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: types.SimpleNamespace(f_flag=known))
    SystemCalls().bind("/a", "/b", read_only=True, flags=16384)
    assert kernel.asked == [
        ("mount", b"/a", b"/b", None, 4096 | 16384, None),
        ("mount", b"none", b"/b", None, 1 | 32 | 4096 | flags, None),
    ]


def test_what_cannot_be_made_read_only_is_not_left_writable(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: types.SimpleNamespace(f_flag=0))
    kernel.refused[("mount", b"none", b"/b", None, 1 | 32 | 4096, None)] = errno.EPERM
    with pytest.raises(PermissionError) as error:
        SystemCalls().bind("/a", "/b", read_only=True)
    assert (error.value.errno, error.value.strerror, error.value.filename) == (1, "Operation not permitted", "/b")
    assert kernel.asked[-1] == ("umount2", b"/b", 2)


def test_what_the_kernel_refuses_is_told_with_its_words_and_the_path(kernel: Kernel) -> None:
    kernel.refused = {
        ("mount", b"/a", b"/b", None, 4096, None): errno.ENOENT,
        ("umount2", b"/b", 2): errno.EINVAL,
        ("unshare", 1): errno.ENOSPC,
    }
    calls = SystemCalls()
    found = []
    for call, arguments in ((calls.bind, ("/a", "/b")), (calls.unmount, ("/b",)), (calls.unshare, (1,))):
        with pytest.raises(OSError, match=" ") as error:
            call(*arguments)  # type: ignore[operator]
        found.append((error.value.errno, error.value.filename))
    assert found == [(errno.ENOENT, "/b"), (errno.EINVAL, "/b"), (errno.ENOSPC, None)]


def test_the_old_root_is_let_go_of(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "chdir", lambda path: kernel.asked.append(("chdir", path)))
    SystemCalls().change_root("/new")
    assert kernel.asked == [("chdir", "/new"), ("pivot_root", b".", b"."), ("umount2", b".", 2), ("chdir", "/")]
    kernel.refused[("pivot_root", b".", b".")] = errno.EBUSY
    with pytest.raises(OSError, match="busy") as error:
        SystemCalls().change_root("/new")
    assert error.value.filename == "/new"


def test_a_c_library_that_lacks_one_of_them_is_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_calls.ctypes, "CDLL", lambda _name, use_errno: types.SimpleNamespace())
    with pytest.raises(UnavailableError, match=r"^the C library does not offer what is needed \(.*unshare"):
        SystemCalls()
