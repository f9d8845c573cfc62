"""Microsoft's Autodiscover answer (plain old XML) for IMAP, POP3 and SMTP.

PRIVATE to the collection. Elements and their order: Autodiscover web service reference for Exchange, "Protocol (POX)";
Encryption: MS-OXDSCLI section 2.2.4.1.1.2.6.22. The personal document holds placeholders, which the responder fills in. A
static one cannot say who asks, so it has no LoginName, and Outlook then logs in with the part before the ``@`` (Thunderbird,
Delta Chat and FairEmail with the whole address).
"""

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET

from ..input.model import Provider, Server
from . import Document, leaf, xml_bytes

PATH = "autodiscover/autodiscover.xml"
MEDIA_TYPE = "text/xml; charset=utf-8"
ROOT_NAMESPACE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
RESPONSE_NAMESPACE = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
_PROTOCOLS = (("imap", "IMAP"), ("pop3", "POP3"), ("smtp", "SMTP"))
_ENCRYPTION = {"SSL": "SSL", "STARTTLS": "TLS", "plain": "None"}
# What clients take for STARTTLS by the port alone: Thunderbird's Autodiscover reader (ExchangeAutoDiscover.sys.mjs).
_THUNDERBIRD_STARTTLS_PORTS = (25, 110, 143, 587)
_WITHOUT_LOGIN = ("none", "client-IP-address", "smtp-after-pop")


def render(provider: Provider, personal: bool = False) -> Document | None:
    """Render the provider's document, for the responder or as it is; None if it has no server of a kind that Outlook knows."""
    servers = list(_chosen(provider))
    if not servers:
        return None
    root = ET.Element("Autodiscover", {"xmlns": ROOT_NAMESPACE})
    response = ET.SubElement(root, "Response", {"xmlns": RESPONSE_NAMESPACE})
    account = ET.SubElement(response, "Account")
    leaf(account, "AccountType", "email")
    leaf(account, "Action", "settings")
    for name, server in servers:
        _protocol(account, name, server, provider.domains[0], personal)
    return Document(PATH, MEDIA_TYPE, xml_bytes(root), tuple(_warnings(provider, servers, personal)))


def _chosen(provider: Provider) -> t.Iterator[tuple[str, Server]]:
    """The preferred server of each kind: an Account has one of each, in Microsoft's order."""
    for server_type, name in _PROTOCOLS:
        for server in (*provider.incoming, *provider.outgoing):
            if server.type == server_type:
                yield name, server
                break


def _protocol(account: ET.Element, name: str, server: Server, domain: str, personal: bool) -> None:
    element = ET.SubElement(account, "Protocol")
    leaf(element, "Type", name)
    leaf(element, "Server", server.hostname if personal else server.host_for(domain))
    leaf(element, "Port", server.port)
    if personal:
        leaf(element, "LoginName", server.username)
    leaf(element, "DomainRequired", "off")
    leaf(element, "SPA", "on" if server.authentication[0] == "NTLM" else "off")
    leaf(element, "SSL", "off" if server.socket_type == "plain" else "on")
    leaf(element, "Encryption", _ENCRYPTION[server.socket_type])
    leaf(element, "AuthRequired", "off" if server.authentication[0] in _WITHOUT_LOGIN else "on")


def _warnings(provider: Provider, servers: list[tuple[str, Server]], personal: bool) -> t.Iterator[str]:
    if not personal and any(server.username not in ("", "%EMAILLOCALPART%") for _name, server in servers):
        yield (
            "Outlook gets no login name from a static answer and tries the part before the @, which fails where the "
            "server wants another: users type it in Outlook's next dialogue"
        )
    for name, server in servers:
        starttls_port = server.port in _THUNDERBIRD_STARTTLS_PORTS
        if server.socket_type != "plain" and starttls_port != (server.socket_type == "STARTTLS"):
            meant = "STARTTLS" if starttls_port else "SSL"
            yield f"{name} port {server.port}: Thunderbird's Autodiscover takes it for {meant}, whatever the answer says"
        if "%REALNAME%" in server.username:
            yield f"{name}: Outlook cannot be told %REALNAME%"
        if not personal and "%" in server.hostname and len(provider.domains) > 1:
            yield f"{name}: Outlook gets {server.host_for(provider.domains[0])} for the addresses of every domain"
