"""Microsoft's Autodiscover answers: plain old XML, and the JSON of its second version.

PRIVATE to the collection. Autodiscover web service reference for Exchange ("POX"); the JSON as servers in the field give it.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t
from xml.etree import ElementTree as ET

from . import LARGEST, DocumentError, trees

_MOST_PROTOCOLS = 50
ROOT_NAMESPACE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
RESPONSE_NAMESPACE = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """One way in or out; a text is None where the element is absent."""

    type: str
    server: str = ""
    port: str = ""
    login_name: str | None = None
    domain_required: str | None = None
    spa: str | None = None
    ssl: str | None = None
    encryption: str | None = None
    auth_required: str | None = None


@dataclasses.dataclass(frozen=True)
class Document:
    """An answer: settings, a redirect or an error.

    :ivar namespaces: of the root and of its Response
    :ivar accounts: how many there are; the values are the first one's
    """

    namespaces: tuple[str, str] = ("", "")
    accounts: int = 0
    account_type: str = ""
    action: str = ""
    redirect_url: str = ""
    redirect_address: str = ""
    error_code: str = ""
    error_message: str = ""
    protocols: tuple[Protocol, ...] = ()


def read(data: bytes) -> Document:
    """Read the XML. Raises DocumentError."""
    root = trees.root(data)
    if trees.local(root) != "Autodiscover":
        html = trees.local(root).lower() == "html"
        what = "a web page" if html else f"<{trees.local(root)[:50]}>"
        raise DocumentError("html" if html else "wrong_root", f"it is {what}, not <Autodiscover>")
    response = trees.child(root, "Response")
    accounts = trees.children(response, "Account")
    account = accounts[0] if accounts else None
    error = trees.child(response, "Error")
    return Document(
        namespaces=(_namespace(root), "" if response is None else _namespace(response)),
        accounts=len(accounts),
        account_type=(trees.text(account, "AccountType") or "").strip(),
        action=(trees.text(account, "Action") or "").strip(),
        redirect_url=(trees.text(account, "RedirectUrl") or "").strip()[:2000],
        redirect_address=(trees.text(account, "RedirectAddr") or "").strip()[:320],
        error_code=(trees.text(error, "ErrorCode") or "").strip()[:20],
        error_message=(trees.text(error, "Message") or "").strip()[:200],
        protocols=tuple(_protocol(each) for each in trees.children(account, "Protocol")[:_MOST_PROTOCOLS]),
    )


def _namespace(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[0].lstrip("{")


def _protocol(element: ET.Element) -> Protocol:
    def text(name: str) -> str | None:
        found = trees.text(element, name)
        return None if found is None else found.strip()

    return Protocol(
        type=text("Type") or "",
        server=text("Server") or "",
        port=text("Port") or "",
        login_name=text("LoginName"),
        domain_required=text("DomainRequired"),
        spa=text("SPA"),
        ssl=text("SSL"),
        encryption=text("Encryption"),
        auth_required=text("AuthRequired"),
    )


def json_object(data: bytes) -> dict[str, t.Any]:
    """A JSON object. Raises DocumentError."""
    if len(data) > LARGEST:
        raise DocumentError("too_large", "it is larger than settings can be")
    if not data.strip():
        raise DocumentError("empty", "it is empty")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as exc:
        if trees.looks_like_html(data):
            raise DocumentError("html", "it is a web page") from None
        raise DocumentError("not_json", f"it is not JSON ({str(exc)[:100]})") from None
    if not isinstance(value, dict):
        raise DocumentError("wrong_root", "it is JSON, but no object")
    return value


def read_json(data: bytes) -> str:
    """The URL that the JSON names for AutodiscoverV1, where the XML is. Raises DocumentError."""
    value = json_object(data)
    url = value.get("Url")
    if not isinstance(url, str) or str(value.get("Protocol", "")).lower() != "autodiscoverv1":
        raise DocumentError("wrong_root", "it names no Url for the protocol AutodiscoverV1")
    return url[:2000]
