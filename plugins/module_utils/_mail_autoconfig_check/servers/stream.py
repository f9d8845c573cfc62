"""Lines to and from one server, bounded in time and size whatever it does: the only part that touches sockets.

PRIVATE to the collection. The time limit is for the whole dialogue, not for each read: a server that sends a byte a second
gets no more time than a silent one.
"""

from __future__ import annotations

import socket
import ssl

from ..connections import Deadline, LinkError, connect, failure, words_of

# A whole dialogue of a real server is 2 to 4 KiB, and no line of the four protocols is longer than 8 KiB.
MAX_BYTES = 64 * 1024
MAX_SAID = 200


class DialogueError(Exception):
    """Why a dialogue ends early.

    :ivar problem: one of ``facts.PROBLEMS``
    :ivar detail: in the words of the server or the system, cleaned
    """

    def __init__(self, problem: str, detail: str = "") -> None:
        self.problem = problem
        self.detail = cleaned(detail)
        super().__init__(f"{problem}: {self.detail}" if self.detail else problem)


class HandshakeError(DialogueError):
    """TLS that did not come about.

    :ivar code: OpenSSL's code of what is wrong with the certificate (X509_V_ERR_...), 0 if it is something else
    """

    def __init__(self, detail: str, code: int = 0) -> None:
        self.code = code
        super().__init__("tls_failed", detail)


def cleaned(text: str) -> str:
    """What somebody else said, as one short line of printable characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * MAX_SAID]).split())[:MAX_SAID]


class Stream:
    """A connection to one address; a context manager that closes it.

    :arg address: IPv4 or IPv6, a literal
    :arg part: of the time that is left, which all of it may take
    :ivar injected: whether something came that belonged before TLS but was not asked for
    """

    def __init__(self, address: str, port: int, deadline: Deadline, part: float = 1.0) -> None:
        self.injected = False
        self._buffer = bytearray()
        self._received = 0
        try:
            self.deadline = deadline.share(part)
            self._socket: socket.socket = connect(address, port, self.deadline)
        except (OSError, LinkError) as exc:
            raise _problem(exc) from None

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()

    @property
    def is_own(self) -> bool:
        """Whether the other end is this machine."""
        try:
            return bool(self._socket.getsockname()[0] == self._socket.getpeername()[0])
        except OSError:
            return False

    @property
    def own_address(self) -> str:
        """Where we are, as EHLO says it without telling a name (RFC 5321 section 4.1.3)."""
        try:
            address = str(self._socket.getsockname()[0]).partition("%")[0]
        except OSError:
            address = "127.0.0.1"
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def send(self, line: str) -> None:
        """Send a line. Raises DialogueError."""
        try:
            self._socket.settimeout(self.deadline.left())
            self._socket.sendall(line.encode() + b"\r\n")
        except (OSError, ValueError) as exc:
            raise _problem(exc) from None

    def line(self, deadline: Deadline | None = None) -> str:
        """The next line without its end; bytes that are no UTF-8 are replaced. Raises DialogueError.

        :arg deadline: an earlier one for this line
        """
        while (end := self._buffer.find(b"\n")) < 0:
            self._buffer += self._some(deadline or self.deadline)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def rest(self) -> str:
        """What has come and is no line."""
        return bytes(self._buffer).decode("latin-1")

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """From here on in TLS. What came before and was not read is thrown away. Raises HandshakeError, DialogueError."""
        self.injected = self.injected or bool(self._buffer)
        self._buffer.clear()
        try:
            self._socket.settimeout(self.deadline.left())
            self._socket = context.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
            self._socket.settimeout(self.deadline.left())
            self._socket.do_handshake()
        except ssl.SSLCertVerificationError as exc:
            raise HandshakeError(exc.verify_message, exc.verify_code) from None
        except ssl.SSLError as exc:
            raise HandshakeError(words_of(exc)) from None
        except (OSError, ValueError) as exc:
            raise _problem(exc) from None

    @property
    def tls_version(self) -> str:
        """``TLSv1.3``, or empty without TLS."""
        return str(self._socket.version() or "") if isinstance(self._socket, ssl.SSLSocket) else ""

    @property
    def certificate(self) -> bytes:
        """That of the server (DER), empty without TLS."""
        return self._socket.getpeercert(binary_form=True) or b"" if isinstance(self._socket, ssl.SSLSocket) else b""

    def _some(self, deadline: Deadline) -> bytes:
        if self._received > MAX_BYTES:
            raise DialogueError("garbled", "more than any server says")
        try:
            self._socket.settimeout(min(deadline.left(), self.deadline.left()))
            data = self._socket.recv(4096)
        except (OSError, ValueError) as exc:
            raise _problem(exc) from None
        if not data:
            raise DialogueError("closed")
        self._received += len(data)
        return data


# What ``connections`` calls otherwise.
_PROBLEMS = {"reset": "closed", "garbage": "garbled", "handshake": "garbled"}


def _problem(exc: Exception) -> DialogueError:
    """What an error of the system means."""
    fault = failure(exc)
    problem = _PROBLEMS.get(fault.code, fault.code)
    return DialogueError(problem, fault.detail if problem in ("failed", "garbled") else "")
