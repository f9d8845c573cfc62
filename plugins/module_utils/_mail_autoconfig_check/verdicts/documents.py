"""What documents say by themselves: forms over which single clients stumble. Pure.

PRIVATE to the collection. Which client stumbles over what: its own code, named in ``clients``.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import typing as t

from ..clients import CLIENTS
from ..gathering import HOSTS, Facts, Page
from ..model import ERROR, INFO, WARNING, Finding
from ..names import unquoted
from ..parsing import apple, autodiscover, mozilla, pacc
from ..readers import STARTTLS_PORTS, TLS_PORTS
from . import mends

_SOCKETS = ("SSL", "STARTTLS", "plain")
_READ_FILE = tuple(client.id for client in CLIENTS if any(step.kind == "autoconfig" for step in client.steps))
_READ_POX = tuple(client.id for client in CLIENTS if client.outlook)
_STRICT = tuple(client.id for client in CLIENTS if client.reader.strict)
_NEED_METHOD = tuple(client.id for client in CLIENTS if client.reader.needs_authentication)
_NEED_DOMAIN = tuple(client.id for client in CLIENTS if client.reader.needs_domain)
_WHOLE_NAMES = tuple(client.id for client in CLIENTS if client.reader.whole_placeholders)
_ODD = ("thunderbird", "k9", "evolution")


def judge(found: Facts) -> t.Iterator[Finding]:
    """Everything that is wrong with the documents; the same bytes at two places are judged once."""
    seen: set[bytes] = set()
    for page in found.pages:
        if page.document is None or page.answer.body in seen:
            continue
        seen.add(page.answer.body)
        where = page.question.url.partition("?")[0]
        if isinstance(page.document, mozilla.Document):
            yield from _mozilla(found, where, page.document)
        elif isinstance(page.document, autodiscover.Document):
            yield from _autodiscover(found, where, page)
        elif isinstance(page.document, apple.Profile):
            yield from _profile(where, page.document)
        elif isinstance(page.document, pacc.Document):
            yield from _pacc(found, where, page)


def _mozilla(found: Facts, where: str, document: mozilla.Document) -> t.Iterator[Finding]:
    again = mends.publish(found.domain)
    if not re.fullmatch(r"[A-Za-z0-9.-]+", document.id):
        what = "the id of the provider is no host name: K-9 rejects the file"
        yield Finding("document.id", ERROR, where, what, document.id[:100], _STRICT, ("write a host name as the id", *again))
    if not any(document.domains):
        what = "the file names no domain: Thunderbird and K-9 reject it"
        yield Finding(
            "document.no_domain", ERROR, where, what, "", _NEED_DOMAIN, (f"add <domain>{found.domain}</domain>", *again)
        )
    mail = [server for server in document.servers if server.type in ("imap", "pop3", "smtp")]
    for direction in ("incoming", "outgoing"):
        if not any(server.direction == direction for server in mail):
            what = f"the file has no {direction} server for mail"
            yield Finding(f"document.no_{direction}", ERROR, where, what, "", _READ_FILE, again)
    for server in mail:
        yield from _server(where, server, again)
    outgoing = [server for server in mail if server.direction == "outgoing"]
    imap = [server for server in mail if server.type == "imap"]
    if len(outgoing) > 1 or len(imap) > 1:
        what = "there are several servers of a kind: most clients take the first, Evolution and aerc the last"
        yield Finding("document.several_servers", INFO, where, what, "", ("evolution", "aerc"), ("keep one of each kind",))
    if imap and mail[0].type != "imap":
        what = "the first server is not IMAP: FairEmail and Geary look at the first only"
        yield Finding("document.first_not_imap", WARNING, where, what, mail[0].type, ("fairemail", "geary"), ("put IMAP first",))


def _server(where: str, server: mozilla.Server, again: tuple[str, ...]) -> t.Iterator[Finding]:
    """One server of Mozilla's file."""
    name = f"{server.type} {server.hostname[:100]}"
    sockets = server.socket_types
    if not sockets or not set(sockets) & set(_SOCKETS):
        what = f"{name}: the socketType is none of SSL and STARTTLS"
        yield Finding(
            "document.socket_type", ERROR, where, what, ", ".join(sockets)[:100], _READ_FILE, ("write SSL or STARTTLS", *again)
        )
    elif sockets[0] == "plain":
        what = f"{name}: clients send the password without TLS, and K-9 rejects the whole file"
        mend = ("socket_type: SSL or STARTTLS for the server in the provider",)
        yield Finding("document.plain", ERROR, where, what, "plain", _READ_FILE, mend)
    if not re.fullmatch("[0-9]{1,5}", server.port) or not 0 < int(server.port) < 65536:
        what = f"{name}: there is no port"
        yield Finding("document.port", ERROR, where, what, server.port[:20], _READ_FILE, ("write the port", *again))
    if not re.fullmatch(r"[A-Za-z0-9.-]+", server.hostname.replace("%EMAILDOMAIN%", "x")):
        what = f"{name}: the host name cannot be used"
        yield Finding("document.hostname", ERROR, where, what, server.hostname[:100], _READ_FILE, again)
    if not server.authentication:
        what = f"{name}: no authentication is named: Thunderbird drops the server, K-9 the file"
        fixed = ("write <authentication>password-cleartext</authentication>", *again)
        yield Finding("document.authentication", ERROR, where, what, "", _NEED_METHOD, fixed)
    username = (server.username or "").strip()
    if "%" in username and username not in ("%EMAILADDRESS%", "%EMAILLOCALPART%"):
        what = f"{name}: the user name mixes a placeholder with text, which some clients do not fill in"
        whole = ("username: '%EMAILADDRESS%' or '%EMAILLOCALPART%'",)
        yield Finding("document.username", WARNING, where, what, username[:100], _WHOLE_NAMES, whole)
    odd = [each for each in server.odd if "empty" not in each or server.direction == "incoming"]
    if odd:
        what = f"{name}: {odd[0]}: clients that do not trim or look closely stumble over it"
        # Thunderbird and Evolution log in with the spaces.
        severity = ERROR if username != (server.username or "") else WARNING
        yield Finding("document.odd", severity, where, what, "; ".join(odd)[:200], _ODD, again)


def _autodiscover(found: Facts, where: str, page: Page) -> t.Iterator[Finding]:
    document: autodiscover.Document = page.document
    again = mends.publish(found.domain)
    if document.error_code:
        what = "the answer to an address of the domain is Microsoft's error document"
        seen = f"{document.error_code} {document.error_message}"
        yield Finding("document.autodiscover_error", ERROR, where, what, seen, _READ_POX, again)
        return
    if document.redirect_url or document.redirect_address:
        return  # followed by those that do
    if document.namespaces != (autodiscover.ROOT_NAMESPACE, autodiscover.RESPONSE_NAMESPACE):
        what = "the namespaces of Autodiscover and Response are not Microsoft's"
        yield Finding(
            "document.namespace", ERROR, where, what, " ".join(document.namespaces)[:200], ("outlook", "outlook-cloud"), again
        )
    if document.accounts != 1:
        what = "there must be exactly one Account"
        yield Finding("document.accounts", ERROR, where, what, str(document.accounts), _READ_POX, again)
    if document.accounts and (document.account_type, document.action) != ("email", "settings"):
        what = "AccountType and Action must be email and settings, in lower case"
        seen = f"{document.account_type} {document.action}"
        yield Finding("document.account_type", ERROR, where, what, seen, ("outlook", "outlook-cloud", "fairemail"), again)
    for protocol in document.protocols:
        yield from _protocol(where, protocol, again)


def _protocol(where: str, protocol: autodiscover.Protocol, again: tuple[str, ...]) -> t.Iterator[Finding]:
    name = f"{protocol.type[:10]} {protocol.server[:100]}"
    outlook = ("outlook", "outlook-cloud")
    if protocol.type not in ("IMAP", "POP3", "SMTP"):
        if protocol.type.upper() in ("IMAP", "POP", "POP3", "SMTP"):
            what = f"{name}: the Type must be IMAP, POP3 or SMTP in capitals"
            yield Finding("document.type", WARNING, where, what, protocol.type[:20], _READ_POX, again)
        return
    if protocol.login_name is None:
        what = f"{name}: there is no LoginName, so that Outlook logs in with what stands before the @"
        mend = ("mail_autoconfig_responder: auto, with mod_lua in Apache, fills it in for each user",)
        yield Finding("document.login_name", WARNING, where, what, "", outlook, mend)
    if protocol.spa is None or protocol.spa.lower() == "on":
        what = f"{name}: SPA is on, or not said, which means on: Outlook then tries NTLM, which Dovecot and Postfix do not offer"
        yield Finding("document.spa", WARNING, where, what, protocol.spa or "", outlook, ("write <SPA>off</SPA>", *again))
    values = [value for value in (protocol.ssl, protocol.spa, protocol.auth_required) if value is not None]
    if any(value not in ("on", "off") for value in values):
        what = f"{name}: SSL, SPA and AuthRequired must be on or off"
        yield Finding("document.on_off", ERROR, where, what, ", ".join(values)[:100], _READ_POX, again)
        return
    encryption, port = (protocol.encryption or "").lower(), int(protocol.port) if protocol.port.isdigit() else 0
    if not 0 < port < 65536:
        yield Finding("document.port", ERROR, where, f"{name}: there is no port", protocol.port[:20], _READ_POX, again)
    elif protocol.ssl == "off" or encryption == "none":
        what = f"{name}: clients send the password without TLS"
        yield Finding(
            "document.plain", ERROR, where, what, f"SSL {protocol.ssl}, Encryption {protocol.encryption}", _READ_POX, again
        )
    elif (encryption == "tls" and port in TLS_PORTS) or (encryption == "ssl" and port in STARTTLS_PORTS):
        what = f"{name}: Encryption {protocol.encryption} on port {port}: to Outlook TLS is STARTTLS, SSL is TLS from the start"
        right = "TLS" if port in STARTTLS_PORTS else "SSL"
        yield Finding("document.encryption", ERROR, where, what, "", outlook, (f"write <Encryption>{right}</Encryption>", *again))


def _profile(where: str, profile: apple.Profile) -> t.Iterator[Finding]:
    hit = ("apple",)
    if profile.has_password:
        what = "the profile has a password in it, for everybody to read"
        yield Finding("document.profile_password", ERROR, where, what, "", hit, ("take it out; devices ask for it",))
    if not profile.mails:
        yield Finding("document.profile_no_mail", ERROR, where, "the profile sets up no mail account", "", hit, ())
    for mail in profile.mails[:1]:
        for direction, way in (("incoming", mail.incoming), ("outgoing", mail.outgoing)):
            if not way[2]:
                what = f"the {direction} server of the profile is without UseSSL: the device sends the password without TLS"
                yield Finding("document.plain", ERROR, where, what, way[0], hit, ("set UseSSL",))
    if len(set(profile.identifiers)) != len(profile.identifiers):
        what = "identifiers of the profile are not different: accounts replace each other"
        yield Finding("document.profile_identifiers", WARNING, where, what, "", hit, ("derive them from the address",))
    if not profile.signers:
        what = "the profile is not signed: devices show that, and install it all the same"
        mend = ("mail_autoconfig_signing_certificate and mail_autoconfig_signing_key",)
        yield Finding("document.profile_unsigned", INFO, where, what, "", hit, mend)
    for signer in profile.signers[:1]:
        if signer.not_after < datetime.datetime.now(datetime.timezone.utc):
            what = "the certificate that signed the profile has expired: devices show it as not verified"
            mend = ("renew the certificate of mail_autoconfig_signing_certificate",)
            yield Finding("document.profile_expired", WARNING, where, what, signer.not_after.isoformat(), hit, mend)


def _pacc(found: Facts, where: str, page: Page) -> t.Iterator[Finding]:
    owner = f"_{HOSTS[2]}.{found.domain}"
    texts = [unquoted(rdata) for rdata in found.record(owner, "TXT").rdatas]
    if not pacc.digests(texts):
        if found.wanted.rrset(owner, "TXT") is None:
            what = f"{owner} has no TXT record with the digest of the document, without which no client takes it"
            yield Finding(
                "dns.pacc_digest.missing", WARNING, where, what, "", ("himalaya",), ("push the records of the last run",)
            )
        return
    body = page.answer.body
    if not _digest_is_in(body, texts) and found.wanted.rrset(owner, "TXT") is None:
        what = f"the digest in {owner} is not that of the document: clients reject it"
        yield Finding(
            "dns.pacc_digest.differs",
            WARNING,
            where,
            what,
            "; ".join(texts)[:200],
            ("himalaya",),
            ("push the records of the last run",),
        )


def _digest_is_in(body: bytes, texts: t.Iterable[str]) -> bool:
    return hashlib.sha256(body).digest() in pacc.digests(texts)
