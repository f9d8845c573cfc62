"""The network of a twin of the host: a loopback that has the host's addresses and nothing behind it.

PRIVATE to the collection. Speaks rtnetlink (``rtnetlink(7)``), because hosts need not have any program for it, and because
it tells the addresses of IPv4 and IPv6 alike.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import os
import socket
import struct
import typing as t

Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

# What decides whether and where Apache can listen, and belongs to a network namespace.
SETTINGS = (
    "core/somaxconn",
    "ipv4/ip_nonlocal_bind",
    "ipv4/ip_unprivileged_port_start",
    "ipv6/bindv6only",
    "ipv6/ip_nonlocal_bind",
    "ipv6/conf/all/disable_ipv6",
    "ipv6/conf/default/disable_ipv6",
    "ipv6/conf/lo/disable_ipv6",
)
_DIRECTORY = "/proc/sys/net"

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_EXCL, _NLM_F_CREATE, _NLM_F_DUMP = 0x1, 0x4, 0x200, 0x400, 0x300
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_HEADER = struct.Struct("=LHHLL")  # length, type, flags, sequence, port
_ADDRESS = struct.Struct("=BBBBL")  # family, prefix length, flags, scope, index of the interface
_ATTRIBUTE = struct.Struct("=HH")  # length, type


class Network(t.NamedTuple):
    """What of a host's network its twin gets: addresses, and values of SETTINGS by name."""

    addresses: tuple[Address, ...] = ()
    settings: t.Mapping[str, str] = {}


def survey() -> Network:
    """What there is in the network namespace of the calling process. Raises OSError."""
    settings = {}
    for name in SETTINGS:
        with contextlib.suppress(OSError), open(f"{_DIRECTORY}/{name}", encoding="ascii") as stream:
            settings[name] = stream.read()
    return Network(tuple(_host_addresses()), settings)


def _host_addresses() -> t.Iterator[Address]:
    request = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.sendall(_message(_RTM_GETADDR, _NLM_F_REQUEST | _NLM_F_DUMP, request))
        while True:
            for kind, body in read_messages(netlink.recv(1 << 16)):
                if kind in (_NLMSG_DONE, _NLMSG_ERROR):
                    return
                if kind == _RTM_NEWADDR:
                    address = read_address(body)
                    if address is not None and not address.is_loopback and not address.is_link_local:
                        yield address


def read_messages(data: bytes) -> t.Iterator[tuple[int, bytes]]:
    """The messages of a netlink datagram: type and body."""
    while len(data) >= _HEADER.size:
        length, kind, _flags, _sequence, _port = _HEADER.unpack_from(data)
        if length < _HEADER.size:
            return
        yield kind, data[_HEADER.size : length]
        data = data[_aligned(length) :]


def read_address(body: bytes) -> Address | None:
    """The host's own address in the body of an RTM_NEWADDR message; None for a family other than IPv4 and IPv6."""
    family = body[0]
    if family not in (socket.AF_INET, socket.AF_INET6):
        return None
    found = {}
    rest = body[_ADDRESS.size :]
    while len(rest) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(rest)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = rest[_ATTRIBUTE.size : length]
        rest = rest[_aligned(length) :]
    # On a point-to-point link the other one is the peer's.
    own = found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS))
    return ipaddress.ip_address(own) if own else None


def enter(network: Network) -> None:
    """Give the network namespace of the calling process what the survey says. Raises OSError.

    The settings are the host's own, also ``ip_nonlocal_bind``: an address that the host does not have must fail here as it
    would there.
    """
    for name, value in network.settings.items():
        _set(f"{_DIRECTORY}/{name}", value)
    _bring_up("lo")
    index = socket.if_nametoindex("lo")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        for address in network.addresses:
            number = _add(netlink, index, address)
            # A kernel without IPv6, or with it turned off, leaves Apache without it here as there.
            if number not in (0, errno.EEXIST) and address.version == 4:
                raise OSError(number, os.strerror(number), str(address))


def _set(path: str, value: str) -> None:
    with contextlib.suppress(OSError):
        with open(path, encoding="ascii") as stream:
            if stream.read() == value:
                return
        with open(path, "w", encoding="ascii") as stream:
            stream.write(value)


def _bring_up(name: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH22x", name.encode(), 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), flags | _IFF_UP))


def _add(netlink: socket.socket, index: int, address: Address) -> int:
    """Give an interface an address, alone and not its network; the number of the error, 0 for none."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    body = _ADDRESS.pack(family, address.max_prefixlen, 0, 0, index)
    for kind in (_IFA_LOCAL, _IFA_ADDRESS):
        body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(address.packed), kind) + address.packed
    netlink.sendall(_message(_RTM_NEWADDR, _NLM_F_REQUEST | _NLM_F_ACK | _NLM_F_CREATE | _NLM_F_EXCL, body))
    for kind, answer in read_messages(netlink.recv(1 << 16)):
        if kind == _NLMSG_ERROR:
            return -int(struct.unpack_from("=i", answer)[0])
    return errno.EPROTO


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body


def _aligned(length: int) -> int:
    return (length + 3) & ~3
