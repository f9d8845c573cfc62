"""Apple's configuration profile, signed or not.

PRIVATE to the collection. Keys: apple/device-management, ``TopLevel.yaml``, ``com.apple.mail.managed.yaml``; CMS: RFC 5652.
"""

from __future__ import annotations

import dataclasses
import plistlib
import typing as t
from xml.parsers import expat

from ..._mail_autoconfig import der
from . import LARGEST, DocumentError, trees

_DOCTYPE = b'<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">'
_ACCOUNTS = {"EmailTypeIMAP": "imap", "EmailTypePOP": "pop3"}


@dataclasses.dataclass(frozen=True)
class Mail:
    """A mail payload; ``incoming`` and ``outgoing`` are (host, port, whether UseSSL, user name or None, authentication)."""

    protocol: str
    incoming: tuple[str, int, bool, str | None, str]
    outgoing: tuple[str, int, bool, str | None, str]


@dataclasses.dataclass(frozen=True)
class Profile:
    """A profile.

    :ivar identifiers: identifier and UUID of the profile and of each payload
    :ivar signers: the certificates in the signature, the signer's first; none if it is not signed
    """

    mails: tuple[Mail, ...]
    identifiers: tuple[tuple[str, str], ...]
    has_password: bool
    signers: tuple[der.Certificate, ...] = ()


def read(data: bytes) -> Profile:
    """Read a profile. Raises DocumentError."""
    if len(data) > LARGEST:
        raise DocumentError("too_large", "it is larger than settings can be")
    if not data.strip():
        raise DocumentError("empty", "it is empty")
    signers: tuple[der.Certificate, ...] = ()
    if data[:1] == b"\x30":
        try:
            data, signers = der.signed(data)
        except der.DerError as exc:
            raise DocumentError("not_signed", f"its signature cannot be read: {exc}") from None
    if trees.looks_like_html(data):
        raise DocumentError("html", "it is a web page")
    # The one document type that a property list has; anything else is refused before it is parsed.
    data = data.replace(_DOCTYPE, b"", 1)
    trees.root(data)
    try:
        value = plistlib.loads(data, fmt=plistlib.FMT_XML)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, expat.ExpatError) as exc:
        raise DocumentError("not_plist", f"it is not a property list ({str(exc)[:100]})") from None
    if not isinstance(value, dict) or value.get("PayloadType") != "Configuration":
        raise DocumentError("wrong_root", "it is no configuration profile (PayloadType is not Configuration)")
    content = value.get("PayloadContent")
    payloads = [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []
    mails = [each for each in payloads if each.get("PayloadType") == "com.apple.mail.managed"]
    return Profile(
        mails=tuple(_mail(each) for each in mails),
        identifiers=tuple(
            (str(each.get("PayloadIdentifier", "")), str(each.get("PayloadUUID", ""))) for each in (value, *payloads)
        ),
        has_password=any(key in each for each in mails for key in ("IncomingPassword", "OutgoingPassword")),
        signers=signers,
    )


def _mail(payload: dict[str, t.Any]) -> Mail:
    return Mail(_ACCOUNTS.get(str(payload.get("EmailAccountType")), ""), _way(payload, "Incoming"), _way(payload, "Outgoing"))


def _way(payload: dict[str, t.Any], direction: str) -> tuple[str, int, bool, str | None, str]:
    prefix = f"{direction}MailServer"
    port, name = payload.get(f"{prefix}PortNumber"), payload.get(f"{prefix}Username")
    return (
        str(payload.get(f"{prefix}HostName", ""))[:253].lower(),
        port if isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536 else 0,
        payload.get(f"{prefix}UseSSL") is True,
        name if isinstance(name, str) else None,
        str(payload.get(f"{prefix}Authentication", ""))[:50],
    )
