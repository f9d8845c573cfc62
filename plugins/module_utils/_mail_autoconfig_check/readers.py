"""What a client takes from a document or from records: pure, by the rules that ``clients`` has of it.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .clients import IMAP_SRV, POP3_SRV, SUBMISSION_SRV, Reader
from .model import ADDRESS, LOCAL_PART, NO_TLS, STARTTLS, TLS, Service
from .names import Srv
from .parsing import apple, autodiscover, mozilla, pacc

_SOCKETS = {"SSL": TLS, "STARTTLS": STARTTLS, "plain": NO_TLS}
STARTTLS_PORTS = (25, 110, 143, 587)
TLS_PORTS = (465, 993, 995)
_TYPES = {"IMAP": "imap", "POP3": "pop3", "SMTP": "smtp"}
SERVICES = {"_imaps": ("imap", TLS), "_imap": ("imap", STARTTLS), "_pop3s": ("pop3", TLS), "_pop3": ("pop3", STARTTLS)}
SERVICES.update({"_submissions": ("smtp", TLS), "_submission": ("smtp", STARTTLS)})
SERVICE_NAMES = (*IMAP_SRV, *POP3_SRV, *SUBMISSION_SRV)
_APPLE = {
    "EmailAuthPassword": "password-cleartext",
    "EmailAuthCRAMMD5": "password-encrypted",
    "EmailAuthNTLM": "NTLM",
    "EmailAuthNone": "none",
}


@dataclasses.dataclass(frozen=True)
class Taken:
    """What came out: one way in and one out, or why not.

    :ivar further: what the client tries next where these do not work
    :ivar asks: what the client would ask the user
    """

    services: tuple[Service, ...] = ()
    because: str = ""
    asks: str = ""
    further: tuple[Service, ...] = ()


@dataclasses.dataclass(frozen=True)
class Who:
    """The user that clients are played with."""

    address: str

    @property
    def local_part(self) -> str:
        """What stands before the ``@``."""
        return self.address.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """What stands after it."""
        return self.address.rpartition("@")[2]

    def form(self, username: str) -> str:
        """A user name as its form: a personal one becomes the placeholder that it came from."""
        text = username.replace("%EMAILLOCALPART%@%EMAILDOMAIN%", ADDRESS).replace(f"{LOCAL_PART}@{self.domain}", ADDRESS)
        if text.lower() == self.address.lower():
            return ADDRESS
        return LOCAL_PART if text.lower() == self.local_part.lower() else text[:320]


def _usual(port: int) -> str:
    """The mode that is usual on a port, where nothing says which it is."""
    return STARTTLS if port in STARTTLS_PORTS else TLS


# -- Mozilla's file -------------------------------------------------------------------------------------------------------


def from_mozilla(document: mozilla.Document, media_type: str, reader: Reader, who: Who) -> Taken:
    """What a client takes from the file."""
    because = _refusal(document, media_type, reader)
    if because:
        return Taken(because=because)
    found: list[Service] = []
    further: list[Service] = []
    for direction, types, last in (
        ("incoming", reader.incoming, reader.last_incoming),
        ("outgoing", ("smtp",), reader.last_outgoing),
    ):
        listed = [server for server in document.servers if server.direction == direction]
        if reader.first_only:
            listed = listed[:1]
        read = [_service(server, reader, who) for server in listed if server.type in types]
        usable = [service for service, _because in read if service]
        reasons = [reason for _service_, reason in read if reason]
        if reader.strict and reasons:
            return Taken(because=f"it refuses the whole file, because of one server: {reasons[0]}")
        if not usable:
            return Taken(because=reasons[0] if reasons else f"no {direction} server of a type that it knows ({', '.join(types)})")
        found.append(usable[-1] if last else usable[0])
        further += usable[1:] if reader.tries_all else []
    return Taken(tuple(found), further=tuple(further))


def _refusal(document: mozilla.Document, media_type: str, reader: Reader) -> str:
    """Why a client does not take the file at all."""
    if reader.media_types and media_type not in reader.media_types:
        return f"it parses {' and '.join(reader.media_types[:2])} only, and the type is {media_type or 'not given'}"
    if reader.literal_id and not re.fullmatch(r"[A-Za-z0-9.-]+", document.id):
        return f"the id of the provider is no host name: {document.id[:100]!r}"
    if reader.needs_domain and not any(document.domains):
        return "the file names no domain"
    return ""


def _service(server: mozilla.Server, reader: Reader, who: Who) -> tuple[Service | None, str]:
    """A server as the client takes it, or why it does not."""
    name = f"{server.type.upper()} {server.hostname[:100]}"
    host = server.hostname.replace("%EMAILDOMAIN%", who.domain).lower()
    if not re.fullmatch(r"[a-z0-9.-]{1,253}", host):
        return None, f"{name}: the host name cannot be used"
    port = int(server.port) if re.fullmatch("[0-9]{1,5}", server.port) else 0
    if not 0 < port < 65536:
        return None, f"{name}: there is no port"
    known = [socket for socket in server.socket_types if socket in _SOCKETS and (reader.plain or socket != "plain")]
    unknown = _usual(port) if reader.unknown_socket == "port" else reader.unknown_socket
    tls = _SOCKETS[known[0]] if known else unknown
    if not tls:
        return None, f"{name}: the socketType {', '.join(server.socket_types)[:50] or 'is missing'} cannot be used"
    methods = tuple(each for each in server.authentication if not reader.authentication or each in reader.authentication)
    if reader.needs_authentication and not methods:
        return None, f"{name}: no authentication that it knows ({', '.join(server.authentication)[:100] or 'none is given'})"
    if server.username is None and (reader.strict or reader.needs_username or server.direction == "incoming"):
        return None, f"{name}: there is no user name"
    written = (server.username or "") if not reader.trims else (server.username or "").strip()
    username = who.form(written) if reader.username else ""
    return Service(server.type, host, port, tls, username, methods), ""


# -- Autodiscover ---------------------------------------------------------------------------------------------------------


def from_autodiscover(document: autodiscover.Document, rules: str, who: Who) -> Taken:
    """What a client takes from the answer.

    :arg rules: whose it reads by: ``thunderbird``, ``outlook``, ``delta`` or ``fairemail``; ``nobody`` for what is meant
    """
    if document.error_code:
        return Taken(because=f"the answer is Microsoft's error {document.error_code}: {document.error_message}")
    exact = (document.account_type, document.action)
    if rules in ("outlook", "fairemail") and tuple(map(str.lower, exact) if rules == "outlook" else exact) != (
        "email",
        "settings",
    ):
        return Taken(because="AccountType and Action are not email and settings")
    incoming, outgoing, asks = None, None, ""
    services: list[Service] = []
    for protocol in document.protocols:
        service = _protocol(protocol, rules, who)
        if service is None:
            continue
        services.append(service)
        if service.protocol == "smtp":
            outgoing = outgoing or service
        elif incoming is None or (incoming.protocol, service.protocol) == ("pop3", "imap"):
            incoming = service
        if rules == "outlook" and (protocol.domain_required or "").lower() == "on" and "@" not in (protocol.login_name or "@"):
            asks = "DomainRequired is on and the LoginName has no domain: it asks for one"
    if incoming is None or outgoing is None:
        return Taken(because=f"the answer has no {'incoming' if incoming is None else 'outgoing'} server that can be used")
    further = [service for service in services if service not in (incoming, outgoing)] if rules == "delta" else []
    return Taken((incoming, outgoing), asks=asks, further=tuple(further))


def _protocol(protocol: autodiscover.Protocol, rules: str, who: Who) -> Service | None:
    kind = _TYPES.get(protocol.type.upper() if rules in ("outlook", "delta") else protocol.type, "")
    if kind == "pop3" and rules == "delta":
        return None
    port = int(protocol.port) if re.fullmatch("[0-9]{1,5}", protocol.port) else 0
    host = protocol.server.lower()
    if not kind or not 0 < port < 65536 or not re.fullmatch(r"[a-z0-9.-]{1,253}", host):
        return None
    if rules == "thunderbird" and any(
        value in ("", "true", "false") for value in (protocol.ssl, protocol.spa, protocol.encryption)
    ):
        return None  # no string to it, which ends in an exception
    without_name = LOCAL_PART if rules == "outlook" else ADDRESS
    name = ADDRESS if rules == "delta" else who.form(protocol.login_name or without_name)
    secure = (protocol.spa or ("on" if rules == "outlook" else "off")).lower() == "on"
    return Service(kind, host, port, _tls(protocol, port, rules), name, ("NTLM" if secure else "password-cleartext",))


def _tls(protocol: autodiscover.Protocol, port: int, rules: str) -> str:
    encryption, off = (protocol.encryption or "").lower(), (protocol.ssl or "").lower() == "off"
    if rules == "outlook":
        named = {"none": NO_TLS, "ssl": TLS, "tls": STARTTLS, "auto": _usual(port)}
        return named.get(encryption, NO_TLS if off else TLS)
    if rules == "nobody" and port not in (*STARTTLS_PORTS, *TLS_PORTS):
        return {"none": NO_TLS, "ssl": TLS, "tls": STARTTLS}.get(encryption, NO_TLS if off else TLS)
    if off or (rules in ("thunderbird", "nobody") and encryption == "none"):
        return NO_TLS
    return _usual(port)


# -- records --------------------------------------------------------------------------------------------------------------


def from_srv(records: t.Mapping[str, t.Sequence[Srv]]) -> Taken:
    """What a client takes from the SRV records of the names that it knows, in its order."""
    best: dict[str, tuple[tuple[int, int, int], Service]] = {}
    for index, (name, found) in enumerate(records.items()):
        protocol, tls = SERVICES[name]
        for record in found:
            if record.target:
                # Claws Mail and aerc take 465 for implicit TLS whatever the name.
                mode = TLS if record.port in (465, 993, 995) else tls
                rank = (record.priority, index, -record.weight)
                service = Service(protocol, record.target, record.port, mode)
                best[protocol] = min(best.get(protocol, (rank, service)), (rank, service))
    incoming = best.get("imap") or best.get("pop3")
    outgoing = best.get("smtp")
    services = tuple(each[1] for each in (incoming, outgoing) if each)
    if incoming and outgoing:
        return Taken(services)
    missing = " and ".join(name for name, each in (("incoming", incoming), ("outgoing", outgoing)) if not each)
    return Taken(services, because=f"the SRV records that it knows lead to no {missing} server")


# -- Apple's profile and PACC ---------------------------------------------------------------------------------------------


def from_profile(profile: apple.Profile, who: Who) -> Taken:
    """What Apple's devices take from a profile."""
    if not profile.mails:
        return Taken(because="the profile has no mail account")
    mail = profile.mails[0]
    services = []
    for protocol, way in ((mail.protocol, mail.incoming), ("smtp", mail.outgoing)):
        host, port, secure, username, authentication = way
        if not protocol or not host or not port:
            return Taken(because="a server of the mail account lacks its type, host or port")
        tls = _usual(port) if secure else NO_TLS
        name = "" if username is None else who.form(username)
        services.append(Service(protocol, host, port, tls, name, (_APPLE.get(authentication, authentication),)))
    asks = "" if profile.signers else "the profile is not signed: the device shows that, and asks whether to install it"
    return Taken(tuple(services), asks=asks)


def from_pacc(document: pacc.Document) -> Taken:
    """What a client takes from PACC's document: implicit TLS on the default ports."""
    hosts = dict(document.hosts)
    incoming = next(
        (Service(kind, hosts[kind], port, TLS, ADDRESS) for kind, port in (("imap", 993), ("pop3", 995)) if kind in hosts), None
    )
    submission = hosts.get("submit") or hosts.get("smtp")
    outgoing = Service("smtp", submission, 465, TLS, ADDRESS) if submission else None
    if incoming is None or outgoing is None:
        return Taken(because="the document has no incoming and outgoing server")
    return Taken((incoming, outgoing))
