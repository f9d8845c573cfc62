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
VERIFY = {
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
    "failed": "the connection failed",
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
CERTIFICATE_FAULTS = frozenset((*VERIFY.values(), "invalid"))
# The first that fits; all are kinds of OSError.
_KINDS: tuple[tuple[str, tuple[type[Exception], ...]], ...] = (
    ("timeout", (TimeoutError, socket.timeout, ssl.SSLWantReadError, ssl.SSLWantWriteError)),
    ("reset", (ssl.SSLZeroReturnError, ssl.SSLEOFError, BrokenPipeError, ConnectionResetError, ConnectionAbortedError)),
    ("refused", (ConnectionRefusedError,)),
)
# What the system says of itself, and what a router says of the other side.
_NUMBERS = {
    **dict.fromkeys((errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT), "no_route"),
    **dict.fromkeys((errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN), "unreachable"),
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
        """Seconds that are left. Raises TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def share(self, part: float) -> Deadline:
        """An earlier one, after a part of what is left. Raises TimeoutError."""
        return Deadline(self.left() * part)


def failure(exc: BaseException) -> LinkError:
    """An exception of sockets and TLS in our words."""
    if isinstance(exc, LinkError):
        return exc
    if isinstance(exc, ssl.SSLCertVerificationError):
        return LinkError(VERIFY.get(exc.verify_code, "invalid"), exc.verify_message or "")
    for code, kinds in _KINDS:
        if isinstance(exc, kinds):
            return LinkError(code)
    if isinstance(exc, ssl.SSLError):
        return _of_tls(exc)
    # Not what the exception says: that may be what was to be sent.
    words = getattr(exc, "strerror", None) or type(exc).__name__
    return LinkError(_NUMBERS.get(getattr(exc, "errno", None) or 0, "failed"), words)


def words_of(exc: ssl.SSLError) -> str:
    """What OpenSSL says, as people write."""
    return str(exc.reason or exc).replace("_", " ").lower()


def _of_tls(exc: ssl.SSLError) -> LinkError:
    """An alert of the other side, or that there is no such side."""
    words = words_of(exc)
    handshake = ("alert", "unsupported protocol", "no shared", "no ciphers", "legacy")
    return LinkError("handshake" if any(word in words for word in handshake) else "garbage", words)


def connect(address: str, port: int, deadline: Deadline, part: float = 1.0) -> socket.socket:
    """A TCP connection to one address, for a part of the time that is left. Raises LinkError."""
    if not 0 < port < 65536:
        # Of which the system would take the lower bits.
        raise LinkError("failed", "no such port")
    try:
        return socket.create_connection((address, port), deadline.left() * part)
    except (OSError, ValueError) as exc:
        raise failure(exc) from None


def start_tls(plain: socket.socket, host: str, context: ssl.SSLContext, deadline: Deadline) -> ssl.SSLSocket:
    """TLS on a connection, which is closed if that fails. Raises LinkError."""
    try:
        plain.settimeout(deadline.left())
        return context.wrap_socket(plain, server_hostname=host)
    except (OSError, ValueError) as exc:
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
            plain = connect(address, port, deadline, 0.5 if others else 1.0)
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
