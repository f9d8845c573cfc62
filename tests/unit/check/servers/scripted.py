"""Mail servers on loopback that say what a test has them say, hostile ones too."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.model import Endpoint

HOST = "mail.server.tld"
END = "<end>"
TLS = "<tls>"


class Conversation:
    """The server's side of one connection."""

    def __init__(self, link: socket.socket, context: ssl.SSLContext) -> None:
        self._link = link
        self._context = context
        self._buffer = b""

    def say(self, text: str | bytes) -> None:
        """Send lines; the end of the last is added."""
        self._link.sendall(text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode() + b"\r\n")

    def hear(self) -> str:
        """The next line of the client; END if there is none."""
        while b"\n" not in self._buffer:
            data = self._link.recv(4096)
            if not data:
                return END
            self._buffer += data
        line, _newline, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def encrypt(self) -> None:
        """The handshake."""
        self._link = self._context.wrap_socket(self._link, server_side=True)

    def close(self) -> None:
        self._link.close()


Behaviour = Callable[[Conversation], None]


class Server:
    """Listens on loopback; each connection is one conversation in a thread of its own.

    :ivar heard: all lines of all clients
    """

    def __init__(self, behaviour: Behaviour, context: ssl.SSLContext, address: str = "127.0.0.1") -> None:
        self._behaviour = behaviour
        self._context = context
        self._socket = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.port = self._socket.getsockname()[1]
        self.heard: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def endpoint(self, protocol: str, tls: str = "tls") -> Endpoint:
        return Endpoint(protocol, HOST, self.port, tls)

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                link, _address = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(link,), daemon=True).start()

    def _converse(self, link: socket.socket) -> None:
        talk = Conversation(link, self._context)
        hear = talk.hear

        def noted() -> str:
            line = hear()
            self.heard.append(line)
            return line

        talk.hear = noted  # type: ignore[method-assign]
        # A client that goes away is none of the server's business.
        with contextlib.suppress(OSError, ssl.SSLError, ValueError):
            self._behaviour(talk)
        with contextlib.suppress(OSError):
            talk.close()


@contextlib.contextmanager
def serving(behaviour: Behaviour, context: ssl.SSLContext, address: str = "127.0.0.1") -> Iterator[Server]:
    server = Server(behaviour, context, address)
    try:
        yield server
    finally:
        server.close()


def script(*lines: str) -> Behaviour:
    """Says each line, and hears one for each ``?``; ``<tls>`` is a handshake. At the end it listens until the client goes."""

    def behave(talk: Conversation) -> None:
        for line in lines:
            if line == TLS:
                talk.encrypt()
            elif line == "?":
                talk.hear()
            else:
                talk.say(line)
        while talk.hear() != END:
            pass

    return behave


CAPABILITY = "* CAPABILITY IMAP4rev1 {}"
DIALOGUES = {
    ("imap", "tls"): (TLS, "* OK hi", "?", "* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=CRAM-MD5\na1 OK done"),
    ("imap", "starttls"): (
        *("* OK hi", "?", "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\na1 OK done", "?", "a2 OK begin", TLS),
        *("?", "* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=CRAM-MD5\na3 OK done"),
    ),
    ("pop3", "tls"): (TLS, "+OK hi", "?", "+OK\nSASL PLAIN CRAM-MD5\nUSER\n."),
    ("pop3", "starttls"): ("+OK hi", "?", "+OK\nSTLS\n.", "?", "+OK", TLS, "?", "+OK\nSASL PLAIN CRAM-MD5\nUSER\n."),
    ("smtp", "tls"): (TLS, "220 hi", "?", "250-hi\n250 AUTH PLAIN CRAM-MD5"),
    ("smtp", "starttls"): (
        "220-hi\n220 hi",
        "?",
        "250-hi\n250 STARTTLS",
        "?",
        "220 go",
        TLS,
        "?",
        "250-hi\n250 AUTH PLAIN CRAM-MD5",
    ),
    ("managesieve", "tls"): (TLS, '"SASL" "PLAIN CRAM-MD5"\nOK'),
    ("managesieve", "starttls"): ('"SASL" ""\n"STARTTLS"\nOK', "?", "OK", TLS, '"SASL" "PLAIN CRAM-MD5"\nOK'),
}
