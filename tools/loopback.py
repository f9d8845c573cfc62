"""A name server and mail servers in this process, on loopback: for the demonstration, and for tests that break one thing."""

from __future__ import annotations

import base64
import contextlib
import socketserver
import ssl
import threading
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True


class Tcp(socketserver.ThreadingTCPServer):
    """A thread for each connection; a client that goes away is no error."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, *_arguments: Any) -> None:
        """A client that goes away is none of ours."""


class NameServer:
    """Resolver and server of the zone in one: answers from ``records``, and follows aliases when it is asked to.

    :ivar records: rdatas by owner (without the final dot) and type
    :ivar codes: an answer code by owner, in place of data
    :ivar unanswered: owners of whom it says nothing at all; ``everything`` for all
    :ivar asked: owner and type of each question, in their order
    :ivar zone_records: what differs where a server of the zone is asked rather than a resolver
    """

    def __init__(self, where: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.codes: dict[str, str] = {}
        self.unanswered: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.zone_records: dict[tuple[str, str], list[str]] = {}
        self.authoritative = True
        self.validated = False
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, sock = self.request
                with contextlib.suppress(Exception):
                    answer = outer.answer(data)
                    if answer:
                        sock.sendto(answer, self.client_address)

        self._server = _Udp(where, Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, data: bytes) -> bytes:
        """The message that answers one; empty for none."""
        question = dns.message.from_wire(data)
        (asked,) = question.question
        answer = dns.message.make_response(question)
        recursive = bool(question.flags & dns.flags.RD)
        owner, kind = str(asked.name).rstrip(".").lower(), dns.rdatatype.to_text(asked.rdtype)
        self.asked.append((owner, kind))
        if not self.unanswered.isdisjoint((owner, "everything")):
            return b""
        if not recursive and self.authoritative:
            answer.flags |= dns.flags.AA
        if recursive and self.validated:
            answer.flags |= dns.flags.AD
        if owner in self.codes:
            answer.set_rcode(dns.rcode.from_text(self.codes[owner]))
            return answer.to_wire()
        for _step in range(10):
            found = self._find(owner, kind, recursive)
            if found is None and not any(name == owner or name.endswith(f".{owner}") for name, _kind in self.records):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            if found is None:
                break
            answer.answer.append(dns.rrset.from_text_list(f"{owner}.", 300, "IN", found[0], found[1]))
            if found[0] == kind:
                break
            owner = found[1][0].rstrip(".")
        return answer.to_wire()

    def _find(self, owner: str, kind: str, recursive: bool) -> tuple[str, list[str]] | None:
        for each in (kind, "CNAME"):
            if not recursive and (owner, each) in self.zone_records:
                found = self.zone_records[owner, each]
                return (each, found) if found else None
            if self.records.get((owner, each)):
                return each, self.records[owner, each]
        return None


class Mail:
    """A mail server on one port; ``tls`` is ``tls``, ``starttls`` or ``none``.

    :ivar logins: (user name, password) pairs that were tried
    """

    def __init__(self, protocol: str, tls: str, context: ssl.SSLContext, where: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.protocol, self.tls, self.context = protocol, tls, context
        self.accounts: dict[str, str] = {}
        self.mechanisms = ["PLAIN"]
        self.offers_starttls = True
        self.logins: list[tuple[str, str]] = []
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError, IndexError):
                    _Dialogue(outer, self.request).run()

        self.server = Tcp(where, Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


class _Dialogue:
    """One connection to a mail server."""

    def __init__(self, server: Mail, link: Any) -> None:
        self.server, self.link, self.inside = server, link, False
        link.settimeout(10)

    def encrypt(self) -> None:
        self.link = self.server.context.wrap_socket(self.link, server_side=True)
        self.reader = self.link.makefile("rb")
        self.inside = True

    def say(self, *lines: str) -> None:
        self.link.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def run(self) -> None:
        self.reader = self.link.makefile("rb")
        if self.server.tls == "tls":
            self.encrypt()
        self.say("* OK ready" if self.server.protocol == "imap" else "220 ready ESMTP")
        while line := self.reader.readline(4096).decode():
            if not (self.imap if self.server.protocol == "imap" else self.smtp)(line.strip()):
                break
        self.link.close()

    def _mechanisms(self) -> list[str]:
        hidden = self.server.tls == "starttls" and not self.inside
        return [] if hidden else self.server.mechanisms

    def _starttls(self) -> bool:
        return self.server.tls == "starttls" and not self.inside and self.server.offers_starttls

    def accepts(self, encoded: str) -> bool:
        _zid, name, password = base64.b64decode(encoded).decode().split("\0")
        self.server.logins.append((name, password))
        return self.server.accounts.get(name) == password

    def imap(self, line: str) -> bool:
        tag, command, *rest = line.split(" ")
        command = command.upper()
        if command == "CAPABILITY":
            offers = [*(f"AUTH={each}" for each in self._mechanisms()), *(["STARTTLS"] if self._starttls() else [])]
            offers += [] if "PLAIN" in self._mechanisms() else ["LOGINDISABLED"]
            self.say(" ".join(["* CAPABILITY IMAP4rev1", *offers]), f"{tag} OK done")
        elif command == "STARTTLS" and self._starttls():
            self.say(f"{tag} OK go")
            self.encrypt()
        elif command == "AUTHENTICATE":
            if len(rest) < 2:
                self.say("+ ")
                rest.append(self.reader.readline(4096).decode().strip())
            self.say(f"{tag} OK in" if self.accepts(rest[1]) else f"{tag} NO [AUTHENTICATIONFAILED] no")
        elif command == "LOGIN":
            name, password = line.split(" ", 2)[2].strip('"').split('" "')
            self.server.logins.append((name, password))
            good = "PLAIN" in self._mechanisms() and self.server.accounts.get(name) == password
            self.say(f"{tag} OK in" if good else f"{tag} NO [AUTHENTICATIONFAILED] no")
        elif command == "LOGOUT":
            self.say("* BYE", f"{tag} OK")
            return False
        else:
            self.say(f"{tag} BAD what")
        return True

    def smtp(self, line: str) -> bool:
        command, *rest = line.split(" ")
        command = command.upper()
        if command == "EHLO":
            offers = [*([f"AUTH {' '.join(self._mechanisms())}"] if self._mechanisms() else []), "SIZE 1000"]
            offers = [*(["STARTTLS"] if self._starttls() else []), *offers]
            self.say("250-hello", *(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}")
        elif command == "STARTTLS" and self._starttls():
            self.say("220 go")
            self.encrypt()
        elif command == "AUTH":
            if len(rest) < 2:
                self.say("334 ")
                rest.append(self.reader.readline(4096).decode().strip())
            self.say("235 2.7.0 in" if self.accepts(rest[1]) else "535 5.7.8 no")
        elif command == "QUIT":
            self.say("221 bye")
            return False
        else:
            self.say("502 what")
        return True
