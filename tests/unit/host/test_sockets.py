"""Which ports are listened on, and by whom."""

from __future__ import annotations

import os
import socket
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import sockets
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.sockets import Listener

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ANY = "0.0.0.0"  # noqa: S104 (read, not bound to)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_listener_of_this_process_is_found_with_its_holder(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    (found,) = [item for item in sockets.listeners() if item.port == port]
    assert found.ip == "127.0.0.1"
    name = Path("/proc/self/comm").read_text().strip()
    assert sockets.holder(port) == (os.getpid(), name)


def test_a_holder_may_have_a_name_that_is_no_text(listening: socket.socket) -> None:
    comm = Path("/proc/self/comm")
    before = comm.read_bytes()
    comm.write_bytes(b"h\xf6ren")
    try:
        assert sockets.holder(listening.getsockname()[1]) == (os.getpid(), "h\N{REPLACEMENT CHARACTER}ren")
    finally:
        comm.write_bytes(before)


def test_a_connection_is_no_listener(listening: socket.socket) -> None:
    with socket.create_connection(listening.getsockname()) as client:
        assert client.getsockname()[1] not in {item.port for item in sockets.listeners()}


def test_a_port_that_nobody_has_has_no_holder(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    listening.close()
    assert sockets.holder(port) == (0, "")
    assert sockets.reachable("*", port, sockets.listeners()) == ""


@pytest.mark.skipif(sys.byteorder == "big", reason="the kernel prints words of the machine")
def test_addresses_are_read_as_the_kernel_prints_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    rest = "00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 {} 1 0000000000000000 100 0 0 10 0\n"
    (tmp_path / "tcp").write_text(
        head
        + "   0: 0100007F:1F90 "
        + rest.format("0A", 11)
        + "   1: 00000000:0050 "
        + rest.format("0A", 12)
        + "   2: 0100007F:0051 "
        + rest.format("01", 13)
    )
    (tmp_path / "tcp6").write_text(
        head
        + "   0: 00000000000000000000000000000000:01BB "
        + rest.format("0A", 14)
        + "   1: B80D0120000000000000000007000000:01BB "
        + rest.format("0A", 15)
    )
    real = open
    monkeypatch.setattr("builtins.open", lambda path, **options: real(str(path).replace("/proc/net", str(tmp_path)), **options))
    assert sockets.listeners() == [
        Listener("127.0.0.1", 8080, "11"),
        Listener(ANY, 80, "12"),
        Listener("::", 443, "14"),
        Listener("2001:db8::7", 443, "15"),
    ]
    (tmp_path / "tcp6").unlink()
    assert len(sockets.listeners()) == 2


@pytest.mark.parametrize(
    ("ip", "ips", "expected"),
    [
        ("*", [ANY], "127.0.0.1"),
        ("*", ["192.0.2.7", ANY], "127.0.0.1"),
        ("*", ["192.0.2.7"], "192.0.2.7"),
        ("*", [], ""),
        ("192.0.2.7", [ANY], "192.0.2.7"),
        ("192.0.2.7", ["192.0.2.7"], "192.0.2.7"),
        ("192.0.2.7", ["192.0.2.8"], ""),
        ("[2001:db8::7]", ["::"], "2001:db8::7"),
        ("[2001:db8::7]", ["2001:db8::7"], "2001:db8::7"),
    ],
)
def test_a_virtual_host_is_reached_where_apache_listens(ip: str, ips: list[str], expected: str) -> None:
    found = [Listener(item, 80, "0") for item in ips]
    assert sockets.reachable(ip, 80, found) == expected
    assert sockets.reachable(ip, 81, found) == ""


@pytest.mark.parametrize(("only_six", "expected"), [("0\n", "127.0.0.1"), ("1\n", "::1"), ("", "127.0.0.1")])
def test_a_socket_for_all_is_reached_over_the_loopback_that_it_speaks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, only_six: str, expected: str
) -> None:
    if only_six:
        (tmp_path / "bindv6only").write_text(only_six)
    real = open
    there = f"{tmp_path}/bindv6only"
    monkeypatch.setattr(
        "builtins.open", lambda path, **options: real(there if path == "/proc/sys/net/ipv6/bindv6only" else path, **options)
    )
    assert sockets.reachable("*", 80, [Listener("::", 80, "0")]) == expected
