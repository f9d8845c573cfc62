"""The setup page for people: what it is told of a provider, and the policy that browsers hold it to.

PRIVATE to the collection. The page is a template of the role, rendered on the controller once a language; the responder fills
in the address. The policy lets the page's own style and script run, known by their digests, and nothing from anywhere else
(Content Security Policy Level 3, section 2.3.1).
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html.parser
import typing as t

from ..input.model import Provider, Server, Text
from . import Document, apple, logins, outlook

MEDIA_TYPE = "text/html; charset=utf-8"
END = "</html>"
_INLINE = ("style", "script")
_PROTOCOLS = {"imap": "IMAP", "pop3": "POP3", "smtp": "SMTP"}
_SECURITY = {"SSL": "SSL/TLS", "STARTTLS": "STARTTLS", "plain": "none"}


@dataclasses.dataclass(frozen=True)
class Page:
    """A rendered page on the host, for the responder."""

    language: str
    file: str
    policy: str


class PageError(ValueError):
    """A page that no browser would show as it is meant."""


class _Inline(html.parser.HTMLParser):
    """Collects the texts of inline styles and scripts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.texts: dict[str, list[str]] = {name: [] for name in _INLINE}
        self._within = ""

    def handle_starttag(self, tag: str, attrs: t.Any) -> None:
        self._within = tag if tag in _INLINE else ""
        if self._within:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within:
            self.texts[self._within][-1] += data


def document(language: str, text: str) -> Document:
    """The page as a document. Raises PageError."""
    content = text.replace("\r\n", "\n").strip() + "\n"
    if not content.endswith(END + "\n"):
        raise PageError(f"the page does not end in {END}")
    return Document(path(language), MEDIA_TYPE, content.encode())


def path(language: str) -> str:
    """Where the page of a language lies below the provider's directory."""
    return f"page/{language}.html"


def language(document_path: str) -> str:
    """The language of the page that lies at a path."""
    return document_path.rpartition("/")[2].partition(".")[0]


def policy(content: bytes) -> str:
    """The value of the header Content-Security-Policy. Raises PageError if placeholders would change what it is computed of."""
    reader = _Inline()
    reader.feed(content.decode())
    reader.close()
    sources = {name: sorted({_digest(text) for text in texts if text}) for name, texts in reader.texts.items()}
    if any("%EMAIL" in text or "%STATE%" in text for texts in reader.texts.values() for text in texts):
        raise PageError("a style or script of the page holds a placeholder, with which its digest would change")
    parts = ["default-src 'none'"]
    parts.extend(f"{name}-src {' '.join(digests)}" for name, digests in sources.items() if digests)
    parts.extend(["img-src 'self' data:", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"])
    return "; ".join(parts)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def facts(provider: Provider, https: bool = True, port: int = 0, has_logins: bool = False) -> dict[str, t.Any]:
    """What the template is told of a provider; ``logo`` and ``qr`` are for the controller to add.

    :arg port: where the sites answer, over HTTPS or without it; 0 for the usual one
    :arg has_logins: whether some logins do not follow from the address, so that the page knows none before it is asked
    """
    profile = bool(apple.render(provider))
    scheme, usual = ("https", 443) if https else ("http", 80)
    host = f"autoconfig.{provider.domains[0]}" + (f":{port}" if port not in (0, usual) else "")
    servers = [
        *(_row(server, "incoming", has_logins) for server in provider.incoming if server.type in _PROTOCOLS),
        *(_row(server, "outgoing", has_logins) for server in provider.outgoing),
    ]
    return {
        "id": provider.id,
        "display_name": provider.display_name,
        "domains": list(provider.domains),
        "help_links": [
            {"url": link.url, "text": text.text, "lang": text.lang}
            for link in (*provider.documentation, *provider.instructions)
            for text in (link.texts or (Text(link.url),))
        ],
        "profile_path": "/mail.mobileconfig" if profile else "",
        "profile_url": f"{scheme}://{host}/mail.mobileconfig" if profile else "",
        "webmail": provider.webmail.login_page if provider.webmail else "",
        "servers": servers,
        "outlook": outlook.render(provider) is not None,
        "has_logins": has_logins,
    }


def _row(server: Server, direction: str, has_logins: bool) -> dict[str, t.Any]:
    return {
        "protocol": _PROTOCOLS[server.type],
        "direction": direction,
        "host": server.hostname,
        "port": server.port,
        "security": _SECURITY[server.socket_type],
        "username": server.username,
        "login": logins.PLACEHOLDERS.get(server.username, server.username) if has_logins else server.username,
    }
