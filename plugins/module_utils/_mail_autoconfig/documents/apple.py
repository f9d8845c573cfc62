"""Apple's configuration profile for mail, calendars and address books.

PRIVATE to the collection. Keys: apple/device-management, ``TopLevel.yaml``, ``CommonPayloadKeys.yaml``,
``com.apple.mail.managed.yaml``, ``com.apple.caldav.account.yaml``, ``com.apple.carddav.account.yaml``. A device replaces the
profile that has the same identifier, and in it updates the payloads that have the same identifier and UUID. So both follow
from the address: the same at every download, another for every address. The personal document holds placeholders that the
responder fills in; the general one leaves out what is personal, and the device asks for it.
"""

from __future__ import annotations

import datetime
import plistlib
import typing as t
import uuid
from urllib.parse import urlsplit

from ..input.model import Dav, Provider, Server
from . import Document

GENERAL_PATH = "mail/mail.mobileconfig"
PERSONAL_PATH = "mail/personal.mobileconfig"
MEDIA_TYPE = "application/x-apple-aspen-config"
# The responder puts the UUID (version 5, RFC 9562 section 5.5) of the address in the namespace here.
_UUID_PLACEHOLDER = "%UUID-{}%"
_MAIL = "com.apple.mail.managed"
_AUTHENTICATION = {
    "password-cleartext": "EmailAuthPassword",
    "password-encrypted": "EmailAuthCRAMMD5",
    "NTLM": "EmailAuthNTLM",
    "none": "EmailAuthNone",
    "client-IP-address": "EmailAuthNone",
    "smtp-after-pop": "EmailAuthNone",
}
_ACCOUNT_TYPES = {"imap": "EmailTypeIMAP", "pop3": "EmailTypePOP"}

Payload = dict[str, t.Any]


def render(provider: Provider, personal: bool = False) -> tuple[Document, ...]:
    """Render the general profile, and with ``personal`` the one for the responder to fill in; none if there is no mail in it."""
    incoming, outgoing = mail_servers(provider)
    if incoming is None or outgoing is None:
        return ()
    content = _bytes(_profile(provider, incoming, outgoing, False))
    warnings = tuple(_warnings(provider, incoming, outgoing))
    general = Document(GENERAL_PATH, MEDIA_TYPE, content, warnings, download_name(provider))
    if not personal:
        return (general,)
    return (general, Document(PERSONAL_PATH, MEDIA_TYPE, _bytes(_profile(provider, incoming, outgoing, True))))


def download_name(provider: Provider) -> str:
    """The name under which a browser saves the profile."""
    return f"{provider.id}.mobileconfig"


def mail_servers(provider: Provider) -> tuple[Server | None, Server | None]:
    """The servers of the mail payload, which has room for one each way: IMAP before POP3, implicit TLS before STARTTLS.

    There is no key that demands STARTTLS, so where both are offered the port on which nothing is sent in the clear is safer.
    """
    return _preferred(provider.incoming, ("imap", "pop3")), _preferred(provider.outgoing, ("smtp",))


def _preferred(servers: t.Iterable[Server], types: tuple[str, ...]) -> Server | None:
    usable = [server for server in servers if server.type in types and _authentication(server)]
    order = ("SSL", "STARTTLS", "plain")
    return min(usable, key=lambda server: (types.index(server.type), order.index(server.socket_type)), default=None)


def _authentication(server: Server) -> str:
    """Apple's word for the first method that Apple knows; empty if there is none."""
    return next((_AUTHENTICATION[method] for method in server.authentication if method in _AUTHENTICATION), "")


def _bytes(profile: Payload) -> bytes:
    return plistlib.dumps(profile, sort_keys=True)


class _Identity:
    """Identifiers and UUIDs of one profile: those of the provider, or of the address by way of placeholders."""

    def __init__(self, provider: Provider, personal: bool) -> None:
        self._namespace = uuid.uuid5(uuid.NAMESPACE_URL, f"https://autoconfig.{provider.id}/mail.mobileconfig")
        self._personal = personal
        self._root = ".".join(reversed(provider.id.split("."))) + ".autoconfig"

    def _uuid(self, name: str) -> str:
        value = uuid.uuid5(self._namespace, name)
        return _UUID_PLACEHOLDER.format(value) if self._personal else str(value).upper()

    def keys(self, payload_type: str, suffix: str = "") -> Payload:
        """The keys that every payload has (CommonPayloadKeys)."""
        identifier = f"{self._root}.{self._uuid('')}" if self._personal else self._root
        return {
            "PayloadType": payload_type,
            "PayloadVersion": 1,
            "PayloadIdentifier": f"{identifier}.{suffix}" if suffix else identifier,
            "PayloadUUID": self._uuid(suffix),
        }


def _profile(provider: Provider, incoming: Server, outgoing: Server, personal: bool) -> Payload:
    identity = _Identity(provider, personal)
    payloads = [_mail(identity, provider, incoming, outgoing, personal)]
    for name, dav in (("CalDAV", provider.caldav), ("CardDAV", provider.carddav)):
        if dav:
            payloads.append(_dav(identity, name, dav, provider, personal))
    profile = {
        **identity.keys("Configuration"),
        "PayloadContent": payloads,
        "PayloadDisplayName": provider.display_name,
        "PayloadOrganization": provider.display_name,
    }
    profile.update(_texts(provider))
    return profile


def _texts(provider: Provider) -> Payload:
    """What the administrator says of the profile."""
    options = provider.profile
    if options is None:
        return {}
    keys: Payload = {}
    if options.organization:
        keys["PayloadOrganization"] = options.organization
    if options.description:
        keys["PayloadDescription"] = options.description
    if options.consent:
        keys["ConsentText"] = {text.lang or "default": text.text for text in options.consent}
    if options.removal_disallowed is not None:
        keys["PayloadRemovalDisallowed"] = options.removal_disallowed
    if options.removal_date:
        keys["RemovalDate"] = datetime.datetime.fromisoformat(options.removal_date)
    return keys


def _mail(identity: _Identity, provider: Provider, incoming: Server, outgoing: Server, personal: bool) -> Payload:
    payload = {
        **identity.keys(_MAIL, "mail"),
        "PayloadDisplayName": f"{provider.display_name}: mail",
        "EmailAccountDescription": "%EMAILADDRESS%" if personal else provider.display_name,
        "EmailAccountType": _ACCOUNT_TYPES[incoming.type],
        **_server("Incoming", incoming, provider, personal),
        **_server("Outgoing", outgoing, provider, personal),
    }
    if personal:
        payload["EmailAddress"] = "%EMAILADDRESS%"
    if "EmailAuthNone" not in (_authentication(incoming), _authentication(outgoing)):
        payload["OutgoingPasswordSameAsIncomingPassword"] = True
    return payload


def _server(direction: str, server: Server, provider: Provider, personal: bool) -> Payload:
    """The keys of one server. Port and UseSSL are always said: the default of UseSSL is false (com.apple.mail.managed)."""
    prefix = f"{direction}MailServer"
    keys = {
        f"{prefix}Authentication": _authentication(server),
        f"{prefix}HostName": server.hostname if personal else server.host_for(provider.domains[0]),
        f"{prefix}PortNumber": server.port,
        # Also for STARTTLS: without it the device may send the password in the clear.
        f"{prefix}UseSSL": server.socket_type != "plain",
    }
    if personal and server.username and _authentication(server) != "EmailAuthNone":
        keys[f"{prefix}Username"] = server.username
    return keys


def _dav(identity: _Identity, name: str, dav: Dav, provider: Provider, personal: bool) -> Payload:
    url = dav.url if personal else dav.url.replace("%EMAILDOMAIN%", provider.domains[0])
    # urlsplit makes host names lower-case, placeholders too.
    host = t.cast(str, urlsplit(url).hostname).replace("%emaildomain%", "%EMAILDOMAIN%")
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    payload = {
        **identity.keys(f"com.apple.{name.lower()}.account", name.lower()),
        "PayloadDisplayName": f"{provider.display_name}: {name}",
        f"{name}AccountDescription": "%EMAILADDRESS%" if personal else provider.display_name,
        f"{name}HostName": host,
        f"{name}Port": parts.port or (443 if secure else 80),
        f"{name}UseSSL": secure,
    }
    if personal:
        payload[f"{name}Username"] = dav.username
    if parts.path not in ("", "/") and (personal or "%EMAIL" not in parts.path):
        payload[f"{name}PrincipalURL"] = parts.path
    return payload


def _warnings(provider: Provider, incoming: Server, outgoing: Server) -> t.Iterator[str]:
    for server in (incoming, outgoing):
        if server.socket_type == "plain":
            yield f"{server.type}: Apple Mail will send the password in the clear to port {server.port}"
        if "%EMAILDOMAIN%" in server.hostname and len(provider.domains) > 1:
            host = server.host_for(provider.domains[0])
            yield f"{server.type}: a profile without an address has {host} for the addresses of every domain"
        if "%REALNAME%" in server.username:
            yield f"{server.type}: Apple Mail cannot be told %REALNAME%"
