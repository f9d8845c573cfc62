"""A whole mail domain on loopback: a name server, web hosts and mail servers, healthy until a test breaks something.

Everything is of our own and in this process, so that one fault can be made at a time, also one that no real server has.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import (
    apple,
    outlook,
    pacc,
    thunderbird,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider

from tools.certificates import Authority

DOMAIN = "server.tld"
ADDRESS = f"anna@{DOMAIN}"
PASSWORD = "Very secret 1"  # noqa: S105
HOSTS = ("autoconfig", "autodiscover")
XML = "text/xml; charset=utf-8"


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, *_arguments: Any) -> None:
        """A client that goes away is none of ours."""


class NameServer:
    """Resolver and server of the zone in one: answers from ``records``, and follows aliases when it is asked to.

    :ivar records: rdatas by owner (without the final dot) and type
    :ivar codes: an answer code by owner, in place of data
    :ivar zone_records: what differs where a server of the zone is asked rather than a resolver
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.codes: dict[str, str] = {}
        self.zone_records: dict[tuple[str, str], list[str]] = {}
        self.authoritative = True
        self.validated = False
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, sock = self.request
                with contextlib.suppress(Exception):
                    sock.sendto(outer.answer(data), self.client_address)

        self._server = _Udp(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, data: bytes) -> bytes:
        question = dns.message.from_wire(data)
        (asked,) = question.question
        answer = dns.message.make_response(question)
        recursive = bool(question.flags & dns.flags.RD)
        owner, kind = str(asked.name).rstrip(".").lower(), dns.rdatatype.to_text(asked.rdtype)
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


def asked_for(text: bytes) -> bytes:
    """The address in a request."""
    found = re.search(rb"([a-z]+)(@|%40)server\.tld", text)
    return found[1] + b"@server.tld" if found else b"%EMAILADDRESS%"


Reply = tuple[int, dict[str, str], bytes]


class Web:
    """HTTP and HTTPS hosts: ``pages`` by (scheme, host, path); a page may be a function of (method, target, body)."""

    def __init__(self, contexts: dict[str, ssl.SSLContext]) -> None:
        self.pages: dict[tuple[str, str, str], Reply | Callable[[str, str, bytes], Reply] | bytes] = {}
        self.contexts = contexts
        self.log: list[str] = []
        self.slow: dict[tuple[str, str, str], float] = {}
        self.headers: list[str] = []
        self.only_old_tls = False
        self.http, self.https = self._serve("http"), self._serve("https")

    def close(self) -> None:
        for server in (self.http, self.https):
            server.shutdown()
            server.server_close()

    def context(self) -> ssl.SSLContext:
        """A context that shows the certificate of whichever host is asked for."""
        first = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        first.load_cert_chain(*self.contexts["default"].pair)  # type: ignore[attr-defined]
        if self.only_old_tls:
            first.minimum_version, first.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
            first.set_ciphers("ALL:@SECLEVEL=0")

        def choose(link: Any, name: str | None, _context: ssl.SSLContext) -> None:
            link.context = self.contexts.get(name or "", self.contexts["default"])

        first.sni_callback = choose
        return first

    def _serve(self, scheme: str) -> Any:
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                link = self.request
                link.settimeout(10)
                with contextlib.suppress(OSError, ValueError):
                    if scheme == "https":
                        link = outer.context().wrap_socket(link, server_side=True)
                    outer.reply(scheme, link)
                    with contextlib.suppress(OSError):
                        link.shutdown(socket.SHUT_RDWR)
                link.close()

        server = _Tcp(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    def reply(self, scheme: str, link: Any) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += link.recv(65536) or b"\r\n\r\n"
        head, _separator, body = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        method, target, _version = lines[0].split(" ")
        headers = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines[1:])}
        while len(body) < int(headers.get("content-length", 0)):
            body += link.recv(65536)
        host, path = headers["host"].partition(":")[0], target.partition("?")[0]
        self.log.append(f"{method} {scheme}://{host}{target}")
        self.headers.append(head.decode())
        key = (scheme, host, path if (scheme, host, path) in self.pages else path.lower())
        time.sleep(self.slow.get(key, 0))
        page = self.pages.get(key, (404, {"Content-Type": "text/html"}, b"<html>not here</html>"))
        page = page(method, target, body) if callable(page) else page
        if isinstance(page, bytes):
            link.sendall(page)
            return
        status, given, content = page
        given = {"Content-Length": str(len(content)), **given}
        text = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        link.sendall(f"HTTP/1.1 {status} Word\r\n{text}\r\n".encode() + (b"" if method == "HEAD" else content))


class Mail:
    """A mail server on one port; ``tls`` is ``tls``, ``starttls`` or ``none``.

    :ivar logins: (user name, password) pairs that were tried
    """

    def __init__(self, protocol: str, tls: str, context: ssl.SSLContext) -> None:
        self.protocol, self.tls, self.context = protocol, tls, context
        self.accounts = {ADDRESS: PASSWORD}
        self.mechanisms = ["PLAIN"]
        self.offers_starttls = True
        self.logins: list[tuple[str, str]] = []
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError, IndexError):
                    _Dialogue(outer, self.request).run()

        self.server = _Tcp(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
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
            good = self.server.accounts.get(name) == password
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


class Certificates:
    """Pairs of an authority, made once for all tests."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory / "ca")

    def context(self, *names: str) -> ssl.SSLContext:
        """A context of a server with a certificate for the names."""
        place = self.directory / names[0]
        if not place.exists():
            self.authority.issue(place, names)
        return self.of(place / "fullchain.pem", place / "privkey.pem")

    @staticmethod
    def of(certificate: Path, key: Path) -> ssl.SSLContext:
        """A context of a server with a pair."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.pair = (certificate, key)  # type: ignore[attr-defined]
        return context


class World:
    """The healthy domain server.tld, as the role publishes it."""

    def __init__(self, certificates: Certificates, mode: str = "tls") -> None:
        self.certificates = certificates
        hosts = [DOMAIN, *(f"{label}.{DOMAIN}" for label in (*HOSTS, "ua-auto-config"))]
        web, mail = certificates.context(*hosts), certificates.context(f"mail.{DOMAIN}")
        self.mail_context = mail
        other = certificates.context("shop.example")
        self.web = Web({**dict.fromkeys(hosts, web), "default": other})
        self.imap, self.smtp = Mail("imap", mode, mail), Mail("smtp", mode, mail)
        socket_type = "SSL" if mode == "tls" else "STARTTLS"
        self.options = {
            "domains": [DOMAIN],
            "incoming": [{"type": "imap", "hostname": f"mail.{DOMAIN}", "port": self.imap.port, "socket_type": socket_type}],
            "outgoing": [{"type": "smtp", "hostname": f"mail.{DOMAIN}", "port": self.smtp.port, "socket_type": socket_type}],
        }
        self.provider = Provider.from_dict(self.options)
        self.dns = NameServer()
        self._name()
        self.publish(self.provider)

    def _name(self) -> None:
        add = self.dns.records
        add[DOMAIN, "SOA"] = ["ns.server.tld. hostmaster.server.tld. 1 3600 600 86400 300"]
        add[DOMAIN, "NS"] = [f"ns.{DOMAIN}."]
        for name in ("ns.", "mail.", "autoconfig.", "autodiscover.", ""):
            add[f"{name}{DOMAIN}", "A"] = ["127.0.0.1"]
        add[DOMAIN, "MX"] = [f"10 mail.{DOMAIN}."]
        add[DOMAIN, "TXT"] = ['"v=spf1 mx -all"']
        suffix = "s" if self.imap.tls == "tls" else ""
        add[f"_imap{suffix}._tcp.{DOMAIN}", "SRV"] = [f"0 1 {self.imap.port} mail.{DOMAIN}."]
        add[f"_submission{suffix}._tcp.{DOMAIN}", "SRV"] = [f"0 1 {self.smtp.port} mail.{DOMAIN}."]
        add[f"_autodiscover._tcp.{DOMAIN}", "SRV"] = [f"0 0 443 autodiscover.{DOMAIN}."]

    def publish(self, provider: Provider) -> None:
        """Serve the documents as the role's sites do."""
        file = (200, {"Content-Type": XML}, thunderbird.render(provider).content)
        document = outlook.render(provider, personal=True)
        assert document is not None
        profile = apple.render(provider, personal=True)[1].content
        pox, aspen = document.content, "application/x-apple-aspen-config"

        def answer(_method: str, _target: str, body: bytes) -> Reply:
            return 200, {"Content-Type": XML}, pox.replace(b"%EMAILADDRESS%", asked_for(body))

        def personal(_method: str, target: str, _body: bytes) -> Reply:
            return 200, {"Content-Type": aspen}, profile.replace(b"%EMAILADDRESS%", asked_for(target.encode()))

        url = f"https://autodiscover.{DOMAIN}/autodiscover/autodiscover.xml"
        pages = self.web.pages
        for path in ("/mail/config-v1.1.xml", "/.well-known/mail-v1.xml"):
            pages["https", f"autoconfig.{DOMAIN}", path] = file
        pages["https", DOMAIN, "/.well-known/autoconfig/mail/config-v1.1.xml"] = file
        for host in (DOMAIN, f"autodiscover.{DOMAIN}"):
            pages["https", host, "/autodiscover/autodiscover.xml"] = answer
        json = f'{{"Protocol":"AutodiscoverV1","Url":"{url}"}}'.encode()
        pages["https", f"autodiscover.{DOMAIN}", "/autodiscover/autodiscover.json"] = (
            200,
            {"Content-Type": "application/json"},
            json,
        )
        pages["https", f"autoconfig.{DOMAIN}", "/mail.mobileconfig"] = personal
        pages["http", f"autodiscover.{DOMAIN}", "/autodiscover/autodiscover.xml"] = (302, {"Location": url}, b"")

    def publish_pacc(self) -> None:
        """PACC's document, with its host and digest."""
        document = pacc.render(Provider.for_domain(DOMAIN))
        assert document is not None
        digest = base64.b64encode(hashlib.sha256(document.content).digest()).decode()
        self.dns.records[f"ua-auto-config.{DOMAIN}", "A"] = ["127.0.0.1"]
        self.dns.records[f"_ua-auto-config.{DOMAIN}", "TXT"] = [f'"v=UAAC1; a=sha256; d={digest}"']
        page = (200, {"Content-Type": "application/json"}, document.content)
        self.web.pages["https", f"ua-auto-config.{DOMAIN}", "/.well-known/user-agent-configuration.json"] = page

    def page(self, host: str, path: str, scheme: str = "https") -> tuple[str, str, str]:
        """The key of a page."""
        return scheme, f"{host}.{DOMAIN}" if host else DOMAIN, path

    def params(self, **more: Any) -> dict[str, Any]:
        """Options of the module that mean this world."""
        return {
            "domains": [DOMAIN],
            "resolver": [f"127.0.0.1:{self.dns.port}"],
            "ports": {"53": self.dns.port, "80": self.web.http.server_address[1], "443": self.web.https.server_address[1]},
            "ca_file": str(self.certificates.authority.certificate),
            "timeout": 2,
            **more,
        }

    def wanted(self) -> dict[str, Any]:
        """What an administrator says who wants what is there."""
        urls = [
            f"https://autoconfig.{DOMAIN}/mail/config-v1.1.xml",
            f"https://autodiscover.{DOMAIN}/autodiscover/autodiscover.xml",
            f"https://{DOMAIN}/autodiscover/autodiscover.xml",
            f"https://{DOMAIN}/.well-known/autoconfig/mail/config-v1.1.xml",
            f"https://autoconfig.{DOMAIN}/mail.mobileconfig",
        ]
        owners = [f"{label}.{DOMAIN}" for label in HOSTS]
        records = [
            {"domain": DOMAIN, "owner": f"{owner}.", "type": kind, "ttl": 300, "rdata": rdata}
            for (owner, kind), rdatas in self.dns.records.items()
            for rdata in rdatas
            if kind in ("SRV", "TLSA", "CAA") or (kind in ("A", "AAAA") and owner in owners)
        ]
        return {"providers": [self.options], "published": {"dns_records": records, "urls": [{"url": url} for url in urls]}}

    def close(self) -> None:
        for server in (self.dns, self.web, self.imap, self.smtp):
            server.close()


@contextlib.contextmanager
def world(certificates: Certificates, mode: str = "tls") -> Iterator[World]:
    """A world that ends with the test."""
    made = World(certificates, mode)
    try:
        yield made
    finally:
        made.close()
