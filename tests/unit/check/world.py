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

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import (
    apple,
    outlook,
    pacc,
    thunderbird,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider

from tools.certificates import Authority
from tools.loopback import Mail, NameServer, Tcp

DOMAIN = "server.tld"
ADDRESS = f"anna@{DOMAIN}"
PASSWORD = "Very secret 1"  # noqa: S105
HOSTS = ("autoconfig", "autodiscover")
XML = "text/xml; charset=utf-8"


def asked_for(text: bytes) -> bytes:
    """The address in a request."""
    found = re.search(rb"([a-z]+)(@|%40)server\.tld", text)
    return found[1] + b"@server.tld" if found else b"%EMAILADDRESS%"


Reply = tuple[int, dict[str, str], bytes]


class Web:
    """HTTP and HTTPS hosts: ``pages`` by (scheme, host, path); a page may be a function of (method, target, body)."""

    def __init__(self, contexts: dict[str, ssl.SSLContext], address: str = "127.0.0.1", usual_ports: bool = False) -> None:
        self.pages: dict[tuple[str, str, str], Reply | Callable[[str, str, bytes], Reply] | bytes] = {}
        self.contexts = contexts
        self.log: list[str] = []
        self.slow: dict[tuple[str, str, str], float] = {}
        self.headers: list[str] = []
        self.only_old_tls = False
        self.http = self._serve("http", (address, 80 if usual_ports else 0))
        self.https = self._serve("https", (address, 443 if usual_ports else 0))

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

    def _serve(self, scheme: str, where: tuple[str, int]) -> Any:
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

        server = Tcp(where, Handler)
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
    """The healthy domain server.tld, as the role publishes it.

    :arg usual_ports: whether web hosts and the name server have the ports that clients know, which only root may take
    """

    def __init__(
        self, certificates: Certificates, mode: str = "tls", address: str = "127.0.0.1", usual_ports: bool = False
    ) -> None:
        self.address = address
        self.certificates = certificates
        hosts = [DOMAIN, *(f"{label}.{DOMAIN}" for label in (*HOSTS, "ua-auto-config"))]
        web, mail = certificates.context(*hosts), certificates.context(f"mail.{DOMAIN}")
        self.mail_context = mail
        other = certificates.context("shop.example")
        self.web = Web({**dict.fromkeys(hosts, web), "default": other}, address, usual_ports)
        self.imap, self.smtp = (Mail(protocol, mode, mail, (address, 0)) for protocol in ("imap", "smtp"))
        self.imap.accounts = self.smtp.accounts = {ADDRESS: PASSWORD}
        socket_type = "SSL" if mode == "tls" else "STARTTLS"
        self.options = {
            "domains": [DOMAIN],
            "incoming": [{"type": "imap", "hostname": f"mail.{DOMAIN}", "port": self.imap.port, "socket_type": socket_type}],
            "outgoing": [{"type": "smtp", "hostname": f"mail.{DOMAIN}", "port": self.smtp.port, "socket_type": socket_type}],
        }
        self.provider = Provider.from_dict(self.options)
        self.dns = NameServer((address, 53 if usual_ports else 0))
        self._name()
        self.publish(self.provider)

    def _name(self) -> None:
        add = self.dns.records
        add[DOMAIN, "SOA"] = ["ns.server.tld. hostmaster.server.tld. 1 3600 600 86400 300"]
        add[DOMAIN, "NS"] = [f"ns.{DOMAIN}."]
        for name in ("ns.", "mail.", "autoconfig.", "autodiscover.", ""):
            add[f"{name}{DOMAIN}", "A"] = [self.address]
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
        self.dns.records[f"ua-auto-config.{DOMAIN}", "A"] = [self.address]
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
            "resolver": [f"{self.address}:{self.dns.port}"],
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
