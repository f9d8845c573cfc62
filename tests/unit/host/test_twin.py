"""The pure parts of a twin of the host: what the kernel tells of mounts, sockets and addresses, and what a twin says."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import (
    system_calls,
    twin,
    twin_filesystems,
    twin_network,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.system_calls import (
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.twin_filesystems import Mount

MOUNTINFO = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard
28 27 0:25 /sub /srv/a\040b\011c\134d ro,nosuid,nodev,noexec,relatime - tmpfs none rw,size=4k
29 27 0:26 / /data rw - btrfs /dev/sdb ro,space_cache
30 27 0:27 / /mnt/a,b:c rw,nosuid shared:7 - fuse.s - odd\040name rw
"""


def mount(number: int, parent: int, point: str) -> Mount:
    return Mount(number, parent, point, "ext4")


def points(mounts: Sequence[Mount]) -> list[tuple[int, str]]:
    return [(item.number, item.point) for item in twin_filesystems.visible(mounts)]


def test_mounts_are_read() -> None:
    proc, root, tmpfs, btrfs, fuse = twin_filesystems.read_mounts(MOUNTINFO)
    assert proc == Mount(22, 27, "/proc", "proc")
    assert root == Mount(27, 1, "/", "ext4")
    assert tmpfs == Mount(28, 27, "/srv/a b\tc\\d", "tmpfs", read_only=True, flags=MS_NOSUID | MS_NODEV | MS_NOEXEC)
    assert btrfs.read_only
    assert (fuse.point, fuse.kind, fuse.read_only, fuse.flags) == ("/mnt/a,b:c", "fuse.s", False, MS_NOSUID)


def test_mounts_with_names_that_are_no_unicode_are_read() -> None:
    (odd,) = twin_filesystems.read_mounts(b"28 27 0:25 / /srv/\xff rw - tmpfs none rw\n")
    assert os.fsencode(odd.point) == b"/srv/\xff"


def test_this_machine_has_a_root() -> None:
    mounts = twin_filesystems.visible(twin_filesystems.read_mounts(Path("/proc/self/mountinfo").read_bytes()))
    assert mounts[0].point == "/"
    assert len({item.point for item in mounts}) == len(mounts)


def test_mounts_come_after_what_they_lie_in() -> None:
    assert points([mount(3, 2, "/var/log"), mount(2, 1, "/var"), mount(1, 0, "/")]) == [(1, "/"), (2, "/var"), (3, "/var/log")]


def test_mounts_under_others_are_not_seen() -> None:
    mounts = [
        mount(1, 1, "/"),
        mount(2, 1, "/"),  # over the first one
        mount(3, 1, "/under"),
        mount(4, 2, "/srv/below"),
        mount(5, 2, "/srv"),  # came later, over 4
        mount(6, 5, "/srv"),  # over 5
        mount(7, 5, "/srv/lost"),
        mount(8, 6, "/srv/seen"),
        mount(9, 2, "/srv-other"),
    ]
    assert points(mounts) == [(2, "/"), (5 + 1, "/srv"), (8, "/srv/seen"), (9, "/srv-other")]


def test_the_innermost_mount_of_a_path() -> None:
    mounts = [mount(1, 0, "/"), mount(2, 1, "/var"), mount(3, 2, "/var/log")]
    found = {path: twin_filesystems.holder(path, mounts) for path in ("/", "/variable", "/var", "/var/lib/a", "/var/log/a")}
    assert [item.number if item else 0 for item in found.values()] == [1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("path", "below"), [("/run", True), ("/run/a/b", True), ("/running", False), ("/", False), ("/var/run", False)]
)
def test_paths_below_directories(path: str, *, below: bool) -> None:
    assert twin_filesystems.is_below(path, ("/run", "/dev")) is below


def test_sockets_are_read() -> None:
    content = (
        b"Num       RefCount Protocol Flags    Type St Inode Path\n"
        b"0000000000000000: 00000002 00000000 00010000 0001 01 19047 /srv/with space\n"
        b"0000000000000000: 00000003 00000000 00000000 0001 03 19048\n"
        b"0000000000000000: 00000002 00000000 00010000 0001 01 19049 @/abstract\n"
        b"0000000000000000: 00000002 00000000 00010000 0001 01 19050 private/smtp\n"
        b"0000000000000000: 00000002 00000000 00010000 0001 01 19051 /srv/a.sock\n"
    )
    assert twin_filesystems.read_sockets(content) == ["/srv/a.sock", "/srv/with space"]


def test_a_skeleton_has_directories_only(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b").chmod(0o2750)
    (tmp_path / "other").mkdir()
    (tmp_path / "a/file").touch()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "broken").symlink_to("missing")
    os.mkfifo(tmp_path / "fifo")
    entries = twin_filesystems.skeleton(str(tmp_path), {"other"})
    assert [(entry.path, entry.link) for entry in entries] == [("", None), ("a", None), ("a/b", None), ("link", "a")]
    assert entries[2].mode == 0o2750


def netlink(kind: int, body: bytes) -> bytes:
    message = struct.pack("=LHHLL", 16 + len(body), kind, 0, 1, 0) + body
    return message + bytes(-len(message) % 4)


def address_body(family: int, *attributes: tuple[int, bytes]) -> bytes:
    body = struct.pack("=BBBBL", family, 24, 0, 0, 1)
    for kind, value in attributes:
        body += struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
    return body


def test_netlink_messages_are_read() -> None:
    data = netlink(20, b"abcde") + netlink(3, b"")
    assert list(twin_network.read_messages(data)) == [(20, b"abcde"), (3, b"")]
    assert list(twin_network.read_messages(bytes(16))) == [], "no message is shorter than its header"


def test_addresses_are_read() -> None:
    own, peer = ipaddress.ip_address("192.0.2.7"), ipaddress.ip_address("192.0.2.8")
    six = ipaddress.ip_address("2001:db8::7")
    label = (3, b"eth0\0")
    assert twin_network.read_address(address_body(socket.AF_INET, label, (1, peer.packed), (2, own.packed))) == own
    assert twin_network.read_address(address_body(socket.AF_INET6, label, (1, six.packed))) == six
    assert twin_network.read_address(address_body(socket.AF_INET6)) is None
    assert twin_network.read_address(address_body(socket.AF_PACKET, (1, b"abcdef"))) is None


@pytest.mark.parametrize(
    ("ip", "number", "is_fatal"),
    [
        ("192.0.2.7", 0, False),
        ("192.0.2.7", errno.EEXIST, False),
        ("192.0.2.7", errno.EPERM, True),
        ("2001:db8::7", errno.EPERM, False),
    ],
)
def test_a_twin_needs_the_addresses_of_ipv4(monkeypatch: pytest.MonkeyPatch, ip: str, number: int, is_fatal: bool) -> None:
    monkeypatch.setattr(twin_network, "_bring_up", lambda name: None)
    monkeypatch.setattr(twin_network, "_add", lambda netlink, index, address: number)
    network = twin_network.Network((ipaddress.ip_address(ip),))
    with pytest.raises(PermissionError, match=ip) if is_fatal else contextlib.nullcontext():
        twin_network.enter(network)


def test_the_last_whole_answer_counts() -> None:
    whole, cut = b'\n[true, "", {"a": 1}]\n', b'\n[true, "", {"a'
    assert twin._last(whole) == twin.Outcome(True, value={"a": 1})
    assert twin._last(cut + b'\n[false, "killed", null]\n') == twin.Outcome(False, "killed")
    assert twin._last(cut) is None


def test_memory_is_a_quarter_of_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "_amounts", lambda: [400 * twin.MEBIBYTE, 200 * twin.MEBIBYTE])
    assert twin._size(20 * twin.MEBIBYTE) == 20 * twin.MEBIBYTE
    assert twin._size(80 * twin.MEBIBYTE) == 50 * twin.MEBIBYTE
    monkeypatch.setattr(twin, "_amounts", lambda: [20 * twin.MEBIBYTE])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert twin.run(lambda: 1) == twin.Outcome(False, "too little memory (5 MiB can be used)")


def test_where_there_is_no_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(system_calls, "ctypes", None)
    assert twin.run(lambda: 1) == twin.Outcome(False, "this Python has no ctypes")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert twin.run(lambda: 1) == twin.Outcome(False, "not root")
    monkeypatch.setattr(twin.sys, "platform", "freebsd14")
    assert twin.run(lambda: 1) == twin.Outcome(False, "not Linux")
