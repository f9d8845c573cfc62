"""PACC's document.

PRIVATE to the collection. draft-ietf-mailmaint-pacc-03 (and -02, which says ``smtp`` for ``submit``).
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import typing as t

from . import DocumentError
from .autodiscover import json_object


@dataclasses.dataclass(frozen=True)
class Document:
    """The hosts by protocol (imap, pop3, submit, smtp), and whether a password is accepted."""

    hosts: tuple[tuple[str, str], ...]
    password: bool


def read(data: bytes) -> Document:
    """Read the document. Raises DocumentError."""
    value = json_object(data)
    protocols = value.get("protocols")
    if not isinstance(protocols, dict):
        raise DocumentError("wrong_root", "it has no protocols")
    hosts = [(name, _host(protocols.get(name))) for name in ("imap", "pop3", "submit", "smtp")]
    authentication = value.get("authentication")
    password = isinstance(authentication, dict) and authentication.get("password") is True
    return Document(tuple((name, host) for name, host in hosts if host), password)


def _host(entry: t.Any) -> str:
    host = entry.get("host") if isinstance(entry, dict) else None
    return host[:253].lower() if isinstance(host, str) else ""


def digests(texts: t.Iterable[str]) -> tuple[bytes, ...]:
    """The SHA-256 digests in TXT records ``v=UAAC1; a=sha256; d=...``; what is none is passed over."""
    found = []
    for text in texts:
        tags = dict(part.strip().partition("=")[::2] for part in text.split(";"))
        if tags.get("v") == "UAAC1" and tags.get("a") == "sha256":
            try:
                found.append(base64.b64decode(tags.get("d", ""), validate=True))
            except (binascii.Error, ValueError):
                continue
    return tuple(found)
