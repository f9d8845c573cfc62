"""Which ports are listened on, and by whom: what ``ss -ltnp`` tells, without the program.

PRIVATE to the collection. Linux: proc(5), /proc/net/tcp and /proc/net/tcp6.
"""

from __future__ import annotations

import ipaddress
import os
import sys
import typing as t

_LISTENING = "0A"


class Listener(t.NamedTuple):
    """A listening TCP socket."""

    ip: str
    port: int
    inode: str


def listeners() -> list[Listener]:
    """All listening TCP sockets of this network namespace."""
    found = []
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as stream:
                lines = stream.read().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTENING:
                address, _colon, port = fields[1].partition(":")
                found.append(Listener(_ip(address), int(port, 16), fields[9]))
    return found


def _ip(text: str) -> str:
    """An address as the kernel prints it: words of four octets in the byte order of the machine."""
    words = [bytes.fromhex(text[index : index + 8]) for index in range(0, len(text), 8)]
    octets = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return str(ipaddress.ip_address(octets))


def holder(port: int) -> tuple[int, str]:
    """The number and name of a process that listens on a port; 0 and nothing where there is none, or it cannot be told."""
    inodes = {f"socket:[{listener.inode}]" for listener in listeners() if listener.port == port}
    for entry in os.listdir("/proc") if inodes else ():
        try:
            descriptors = f"/proc/{entry}/fd"
            if entry.isdigit() and any(os.readlink(f"{descriptors}/{name}") in inodes for name in os.listdir(descriptors)):
                with open(f"/proc/{entry}/comm", encoding="utf-8", errors="replace") as stream:
                    return int(entry), stream.read().strip()
        except OSError:
            continue
    return 0, ""


def reachable(ip: str, port: int, found: t.Iterable[Listener]) -> str:
    """Where to connect to reach a virtual host with an address, ``*`` for any; empty if nothing listens there.

    Of several addresses the loopback is preferred, where it is ``0.0.0.0`` or ``::`` that is listened on.
    """
    ips = sorted({listener.ip for listener in found if listener.port == port})
    if ip != "*":
        plain = ip.strip("[]")
        return plain if {plain, "0.0.0.0", "::"} & set(ips) else ""  # noqa: S104 (read, not bound to)
    for wildcard, loopback in (("0.0.0.0", "127.0.0.1"), ("::", _loopback())):  # noqa: S104
        if wildcard in ips:
            return loopback
    return ips[0] if ips else ""


def _loopback() -> str:
    """The loopback that a socket on ``::`` is reached by: IPv4 as well, unless the system says otherwise."""
    try:
        with open("/proc/sys/net/ipv6/bindv6only", encoding="ascii") as stream:
            return "::1" if stream.read().strip() == "1" else "127.0.0.1"
    except OSError:
        return "127.0.0.1"
