"""Connections with an end: to every address of a host in turn, with TLS verified, and what was wrong in stable words.

PRIVATE to the collection. RFC 8305 (a dead address does not stop a client), 6125 (names in certificates). The whole of a
question has one deadline, however slowly the other side drips.
"""

from __future__ import annotations

import dataclasses
import errno
import socket
import ssl
import time
import typing as t

# X509_V_ERR_* of OpenSSL, as ssl.SSLCertVerificationError.verify_code has them, and our words.
_VERIFY = {
    2: "chain",
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "unknown_authority",
    20: "chain",
    21: "chain",
    62: "wrong_name",
    64: "wrong_name",
}
SENTENCES = {
    "chain": "the certificate does not lead to an authority that is trusted: an intermediate certificate is missing, or the "
    "authority is unknown",
    "expired": "the certificate has expired",
    "garbage": "what answers does not speak TLS",
    "handshake": "no TLS version or cipher in common",
    "invalid": "the certificate is not valid",
    "no_route": "this machine has no way to such an address",
    "not_yet_valid": "the certificate is not valid yet",
    "reset": "the connection was cut",
    "refused": "nothing listens",
    "self_signed": "the certificate is signed by itself",
    "timeout": "no answer in time",
    "unknown_authority": "the certificate is signed by an authority that is not trusted",
    "unreachable": "no way to the address",
    "wrong_name": "the certificate does not name this host",
}
# Of these the certificate is at fault; the rest is the connection's.
CERTIFICATE_FAULTS = frozenset((*_VERIFY.values(), "invalid"))
# What the system says of itself, and what a router says of the other side.
_ERRORS = {
    errno.ENETUNREACH: "no_route",
    errno.EADDRNOTAVAIL: "no_route",
    errno.EAFNOSUPPORT: "no_route",
    errno.EHOSTUNREACH: "unreachable",
    errno.ETIMEDOUT: "timeout",
    errno.ECONNREFUSED: "refused",
}


class LinkError(Exception):
    """Why there is no connection.

    :ivar code: a key of :data:`SENTENCES`
    :ivar detail: in the words of the system
    """

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        self.detail = detail[:200]
        super().__init__(f"{SENTENCES[code]}" + (f" ({self.detail})" if self.detail else ""))


@dataclasses.dataclass(frozen=True)
class Trust:
    """Whom to believe: the authorities of a file, or the system's."""

    ca_file: str = ""

    def context(self) -> ssl.SSLContext:
        """A context that verifies chain and name. Raises OSError if the file cannot be used."""
        return ssl.create_default_context(cafile=self.ca_file or None)


class Deadline:
    """A moment after which nothing is waited for.

    :arg seconds: from now
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left. Raises LinkError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise LinkError("timeout")
        return left


def failure(exc: BaseException) -> LinkError:
    """An exception of sockets and TLS in our words."""
    if isinstance(exc, LinkError):
        return exc
    if isinstance(exc, ssl.SSLCertVerificationError):
        return LinkError(_VERIFY.get(exc.verify_code, "invalid"), exc.verify_message or "")
    if isinstance(exc, ssl.SSLError):
        return _of_tls(exc.reason or str(exc))
    if isinstance(exc, (TimeoutError, socket.timeout)):
        return LinkError("timeout")
    code = _ERRORS.get(getattr(exc, "errno", None) or 0, "reset")
    return LinkError(code, "" if code in ("refused", "timeout") else getattr(exc, "strerror", "") or str(exc))


def _of_tls(words: str) -> LinkError:
    """What OpenSSL says: an alert of the other side, or that there is no such side."""
    handshake = ("ALERT", "UNSUPPORTED_PROTOCOL", "NO_SHARED", "NO_CIPHERS", "LEGACY")
    return LinkError("handshake" if any(word in words for word in handshake) else "garbage", words)


def connect(address: str, port: int, deadline: Deadline) -> socket.socket:
    """A TCP connection to one address. Raises LinkError."""
    try:
        return socket.create_connection((address, port), deadline.left())
    except (OSError, ValueError) as exc:
        raise failure(exc) from None


def start_tls(plain: socket.socket, host: str, context: ssl.SSLContext, deadline: Deadline) -> ssl.SSLSocket:
    """TLS on a connection, which is closed if that fails. Raises LinkError."""
    try:
        plain.settimeout(deadline.left())
        return context.wrap_socket(plain, server_hostname=host)
    except (OSError, ValueError, LinkError) as exc:
        plain.close()
        raise failure(exc) from None


class Link(t.NamedTuple):
    """A connection that came about; ``failures`` tell why other addresses of the host did not."""

    socket: socket.socket
    address: str
    failures: tuple[tuple[str, LinkError], ...]


def open_link(
    host: str, addresses: t.Sequence[str], port: int, context: ssl.SSLContext | None, deadline: Deadline
) -> tuple[Link | None, tuple[tuple[str, LinkError], ...]]:
    """The first address that answers, as a client tries them; with a context over TLS.

    A fault of TLS at one address ends the search, as it does for clients. No more than half of the time that is left goes to an
    address that does not answer, if there are others.
    """
    failures: list[tuple[str, LinkError]] = []
    for index, address in enumerate(addresses):
        others = index + 1 < len(addresses)
        try:
            plain = connect(address, port, Deadline(deadline.left() / 2) if others else deadline)
        except LinkError as exc:
            failures.append((address, exc))
            continue
        if context is None:
            return Link(plain, address, tuple(failures)), tuple(failures)
        try:
            return Link(start_tls(plain, host, context, deadline), address, tuple(failures)), tuple(failures)
        except LinkError as exc:
            # The one that decides comes last.
            return None, (*failures, (address, exc))
    return None, tuple(failures)
