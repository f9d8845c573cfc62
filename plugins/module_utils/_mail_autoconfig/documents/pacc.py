"""The settings as JSON of PACC, "Automatic Configuration of Email, Calendar, and Contact Server Settings".

PRIVATE to the collection, and experimental: draft-ietf-mailmaint-pacc-03, an Internet-Draft of which every version so far
has changed names (``smtp`` of -02 is ``submit``). A client fetches the document from ``ua-auto-config.<domain>`` and takes it
only if a TXT record has the digest of its octets, which is in ``dns``. Servers are named by host alone: implicit TLS on the
default port and the mail address as the user name are understood, so what is offered otherwise is left out.
"""

from __future__ import annotations

import json
import typing as t
from urllib.parse import urlsplit

from ..input.model import PASSWORD_METHODS, Dav, Provider, Server
from . import Document

PATH = "pacc/user-agent-configuration.json"
MEDIA_TYPE = "application/json"
_SERVERS = {"imap": ("imap", 993), "pop3": ("pop3", 995), "smtp": ("submit", 465)}
_ADDRESS = "%EMAILADDRESS%"
# Lengths that the draft allows for the names of a provider.
_NAME, _SHORT_NAME = 60, 20

_Skip = t.Callable[[str, str], None]


def render(provider: Provider) -> Document | None:
    """Render the provider's document; None if it offers nothing that the draft can say."""
    warnings: list[str] = []

    def skip(what: str, why: str) -> None:
        warnings.append(f"{what}: is left out of the PACC document, {why}")

    protocols = {**dict(_servers(provider, skip)), **dict(_services(provider, skip))}
    if not protocols:
        return None
    info: dict[str, t.Any] = {
        "provider": {
            "name": provider.display_name[:_NAME].rstrip(),
            "shortName": provider.short_name[:_SHORT_NAME].rstrip(),
        }
    }
    if provider.documentation:
        info["help"] = {"documentation": provider.documentation[0].url}
    # Mozilla's oauth2 says nothing of public clients (draft-ietf-mailmaint-oauth-public), so no issuer is named for them.
    document = {"authentication": {"password": True}, "info": info, "protocols": protocols}
    text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True)
    return Document(PATH, MEDIA_TYPE, f"{text}\n".encode(), tuple(warnings))


def _servers(provider: Provider, skip: _Skip) -> t.Iterator[tuple[str, dict[str, str]]]:
    """The first server of each kind that the draft can name."""
    named = set()
    for server in (*provider.incoming, *provider.outgoing):
        if server.type not in _SERVERS or server.type in named:
            continue
        key, port = _SERVERS[server.type]
        reason = _cannot_be_named(server, port, provider)
        if reason:
            skip(f"{server.type} {server.hostname}", reason)
            continue
        named.add(server.type)
        yield key, {"host": server.host_for(provider.domains[0])}


def _cannot_be_named(server: Server, port: int, provider: Provider) -> str:
    """Why a server cannot be named by its host; empty if it can."""
    if (server.socket_type, server.port) != ("SSL", port):
        return f"which knows TLS on port {port} only"
    if server.username != _ADDRESS:
        return "whose clients log in with the whole address"
    if not set(server.authentication) & set(PASSWORD_METHODS):
        return "which can only say that a password is accepted"
    if "%" in server.hostname and len(provider.domains) > 1:
        return "which is the same for all domains"
    return ""


def _services(provider: Provider, skip: _Skip) -> t.Iterator[tuple[str, dict[str, str]]]:
    for key, service in (("jmap", provider.jmap_service), ("caldav", provider.caldav), ("carddav", provider.carddav)):
        if service is None:
            continue
        reason = _cannot_be_linked(key, service)
        if reason:
            skip(key, reason)
        else:
            yield key, {"url": service.url}


def _cannot_be_linked(key: str, service: Dav) -> str:
    """Why a service cannot be named by its URL; empty if it can."""
    parts = urlsplit(service.url)
    if parts.scheme != "https" or parts.port is not None:
        return "which knows HTTPS on its default port only"
    if "%EMAIL" in service.url.upper():
        return "which is the same for everybody"
    if service.username != _ADDRESS:
        return "whose clients log in with the whole address"
    if key != "jmap" and parts.path in ("", "/"):
        return "which needs the path of the service"
    return ""
