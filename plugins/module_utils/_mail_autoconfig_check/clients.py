"""The one table of clients: what each asks, in which order, what it takes, what ends its search.

PRIVATE to the collection. Data only; ``playing`` walks it. Sources are the clients' own code as named at each entry, where
nothing else is said; what was seen of the clients themselves in November 2026 agrees.
"""

from __future__ import annotations

import dataclasses

# What ends a search: settings that the client can use; the first document that can be parsed; the first text whose tags are
# nested, whatever it is about; the first status of success, after which the other questions of the same group are not looked
# at; the first status 200, after which nothing is.
SETTINGS, DOCUMENT, NESTED, GROUP_STATUS, STATUS = "settings", "document", "nested", "group status", "status"

AUTOCONFIG, AUTODISCOVER, REDIRECT, JSON, SRV, MX, ISPDB, TXT, PROFILE, PACC = (
    "autoconfig",
    "autodiscover",
    "redirect",
    "json",
    "srv",
    "mx",
    "ispdb",
    "txt",
    "profile",
    "pacc",
)

IMAP_SRV = ("_imaps", "_imap")
POP3_SRV = ("_pop3s", "_pop3")
SUBMISSION_SRV = ("_submissions", "_submission")


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing that a client does.

    :ivar kind: one of the constants above
    :ivar url: with ``{domain}``, ``{address}`` (percent-encoded), ``{raw}`` and ``{md5}`` (of the address); for MX the host is
        ``{domain}``, which the engine fills in with what the MX gives
    :ivar method: of the request
    :ivar media_type: of a body that is posted
    :ivar services: for SRV, the names that the client knows; ``_imaps`` for ``_imaps._tcp.<domain>``
    :ivar ends: what ends the search
    :ivar group: steps of which the first success counts
    :ivar bases: for MX, which parts of the host's name: ``host`` itself, ``rest`` without its first label, ``base`` its
        registrable domain
    """

    kind: str
    url: str = ""
    method: str = "GET"
    media_type: str = "text/xml; charset=utf-8"
    services: tuple[str, ...] = ()
    ends: str = SETTINGS
    group: str = ""
    bases: tuple[str, ...] = ("rest", "base")


@dataclasses.dataclass(frozen=True)
class Reader:
    """What a client takes from Mozilla's file.

    :ivar incoming: types that it knows
    :ivar last_incoming: whether the last server counts (else the first that can be used)
    :ivar last_outgoing: likewise
    :ivar first_only: whether it looks at the first server only, whatever its type
    :ivar strict: whether one server that it cannot use makes it refuse the file
    :ivar literal_id: whether the provider's ``id`` may have no placeholder
    :ivar needs_domain: whether it wants a ``<domain>``
    :ivar media_types: those that it parses; none for any
    :ivar unknown_socket: what it takes an unknown ``socketType`` for (``none``, ``starttls``; ``port`` for what is usual on the
        port); empty if it drops the server
    :ivar plain: whether it takes a server without TLS
    :ivar authentication: methods that it knows; none for any
    :ivar needs_authentication: whether a server must name one
    :ivar whole_placeholders: whether it fills in a placeholder only if it is the whole user name
    :ivar username: whether it takes the user name from the file at all
    :ivar needs_username: whether servers for sending must have one too
    :ivar trims: whether it takes spaces around the user name away
    :ivar tries_all: whether it goes on to the next server that the file names where one does not work
    """

    incoming: tuple[str, ...] = ("imap",)
    last_incoming: bool = False
    last_outgoing: bool = False
    first_only: bool = False
    strict: bool = False
    literal_id: bool = False
    needs_domain: bool = False
    media_types: tuple[str, ...] = ()
    unknown_socket: str = ""
    plain: bool = True
    authentication: tuple[str, ...] = ()
    needs_authentication: bool = False
    whole_placeholders: bool = False
    username: bool = True
    needs_username: bool = False
    trims: bool = True
    tries_all: bool = False


@dataclasses.dataclass(frozen=True)
class Client:
    """One client.

    :ivar nothing: what the user sees if it finds nothing
    :ivar outlook: whose rules it reads Autodiscover by: ``thunderbird``, ``outlook``, ``delta``, ``fairemail``
    :ivar distrusts_http: whether it asks before it uses settings that came over plain HTTP or by an MX without DNSSEC
    :ivar distrusts_strangers: whether it asks before it follows Autodiscover to a host of another domain
    :ivar full_redirects: whether it follows redirects to full URLs only, not to a path on the same host
    :ivar cannot: why even a full answer leaves a question open
    """

    id: str
    name: str
    steps: tuple[Step, ...]
    nothing: str = "it guesses host names, or the user types the settings"
    reader: Reader = Reader()
    outlook: str = ""
    distrusts_http: bool = False
    distrusts_strangers: bool = False
    full_redirects: bool = False
    cannot: str = ""


_PASSWORDS = ("password-cleartext", "password-encrypted")
_OLD_AUTODISCOVER = "/autodiscover/autodiscover.xml"


def _autoconfig(
    *forms: str, query: str = "", well_known_query: str = "", ends: str = SETTINGS, group: str = ""
) -> tuple[Step, ...]:
    """Mozilla's file at the usual places: ``https``, ``https-well-known``, ``http`` and ``http-well-known`` in any order."""
    urls = {
        "": "://autoconfig.{domain}/mail/config-v1.1.xml" + query,
        "-well-known": "://{domain}/.well-known/autoconfig/mail/config-v1.1.xml" + well_known_query,
    }
    steps = []
    for form in forms:
        scheme, _dash, place = form.partition("-")
        steps.append(Step(AUTOCONFIG, scheme + urls[f"-{place}" if place else ""], ends=ends, group=group))
    return tuple(steps)


_ADDRESS = "?emailaddress={address}"
_EVOLUTION = "?emailaddress={address}&emailmd5={md5}"
_ISPDB = "https://autoconfig.thunderbird.net/v1.1/{domain}"
_MX = Step(MX, "https://autoconfig.{domain}/mail/config-v1.1.xml" + _ADDRESS)
_MAIL_V1 = "https://autoconfig.{domain}/.well-known/mail-v1.xml" + _ADDRESS

CLIENTS: tuple[Client, ...] = (
    Client(
        # mozilla/releases-comm-central cf9726f5: FindConfig, FetchConfig, readFromXML, ExchangeAutoDiscover
        "thunderbird",
        "Thunderbird",
        (
            *_autoconfig(
                *("https", "https-well-known", "http", "http-well-known"),
                query=_ADDRESS,
                well_known_query=_ADDRESS,
                ends=GROUP_STATUS,
                group="provider",
            ),
            Step(ISPDB, "https://live.thunderbird.net/autoconfig/v1.1/{domain}"),
            _MX,
            Step(AUTODISCOVER, "https://autodiscover.{domain}" + _OLD_AUTODISCOVER, "POST"),
            Step(AUTODISCOVER, "https://{domain}" + _OLD_AUTODISCOVER, "POST"),
            Step(REDIRECT, "http://autodiscover.{domain}" + _OLD_AUTODISCOVER),
            Step(SRV, "https://{domain}" + _OLD_AUTODISCOVER, "POST", services=("_autodiscover",)),
        ),
        reader=Reader(
            incoming=("imap", "pop3"),
            needs_domain=True,
            media_types=("text/xml", "application/xml", "text/rdf"),
            authentication=(*_PASSWORDS, "plain", "secure", "GSSAPI", "NTLM", "OAuth2", "none", "client-IP-address"),
            needs_authentication=True,
            trims=False,
        ),
        outlook="thunderbird",
        distrusts_strangers=True,
    ),
    Client(
        # thunderbird/thunderbird-android a59bd679: feature/autodiscovery/autoconfig
        "k9",
        "Thunderbird for Android (K-9)",
        (
            *_autoconfig("https", "https-well-known", "http", "http-well-known"),
            Step(ISPDB, _ISPDB),
            Step(MX, "https://autoconfig.{domain}/mail/config-v1.1.xml"),
        ),
        nothing="the user types the settings",
        reader=Reader(
            strict=True,
            literal_id=True,
            needs_domain=True,
            plain=False,
            authentication=("OAuth2", *_PASSWORDS),
            needs_authentication=True,
        ),
        distrusts_http=True,
    ),
    Client(
        # MicrosoftDocs/office-developer-exchange-docs: autodiscover-for-exchange; no Outlook was available
        "outlook",
        "Outlook classic",
        (
            Step(AUTODISCOVER, "https://{domain}" + _OLD_AUTODISCOVER, "POST"),
            Step(AUTODISCOVER, "https://autodiscover.{domain}" + _OLD_AUTODISCOVER, "POST"),
            Step(REDIRECT, "http://autodiscover.{domain}" + _OLD_AUTODISCOVER),
            Step(SRV, "https://{domain}" + _OLD_AUTODISCOVER, "POST", services=("_autodiscover",)),
        ),
        nothing="the user types the settings",
        outlook="outlook",
        distrusts_strangers=True,
    ),
    Client(
        # grommunio/gromox doc/autodiscover.7; c7solutions.com 2021/05: the cloud asks, and mostly ignores settings for IMAP
        "outlook-cloud",
        "Outlook new and mobile",
        (
            Step(JSON, "https://autodiscover.{domain}/autodiscover/autodiscover.json?Email={address}&Protocol=AutodiscoverV1"),
            Step(AUTODISCOVER, "https://autodiscover.{domain}" + _OLD_AUTODISCOVER, "POST"),
        ),
        nothing="the user types the settings",
        outlook="outlook",
        cannot="Microsoft's cloud asks in its place, and mostly ignores settings for IMAP: the user may have to type them",
    ),
    Client(
        # apple/device-management b6202ca; support.apple.com HT204208: nothing is looked up, a link installs a profile
        "apple",
        "Apple Mail",
        (Step(PROFILE, "https://autoconfig.{domain}/mail.mobileconfig" + _ADDRESS),),
        nothing="it looks nothing up and guesses host names; give people a link to a configuration profile",
    ),
    Client(
        # GNOME/evolution: src/mail/e-mail-autoconfig.c, e-srv-config-lookup.c; without trimming, and the last server counts
        "evolution",
        "Evolution",
        (
            *_autoconfig("https", "http", "https-well-known", "http-well-known", query=_EVOLUTION, well_known_query=_EVOLUTION),
            Step(ISPDB, _ISPDB),
            Step(MX, "https://autoconfig.{domain}/mail/config-v1.1.xml" + _EVOLUTION, bases=("host", "rest", "base")),
            Step(SRV, services=(*IMAP_SRV, *POP3_SRV, *SUBMISSION_SRV)),
        ),
        reader=Reader(
            incoming=("imap", "pop3"), last_incoming=True, last_outgoing=True, trims=False, authentication=(*_PASSWORDS, "plain")
        ),
    ),
    Client(
        # GNOME/gnome-online-accounts: src/goabackend/goamailclient.c
        "goa",
        "GNOME Online Accounts",
        (
            Step(AUTOCONFIG, _MAIL_V1, ends=DOCUMENT),
            *_autoconfig("https", "https-well-known", "http", query=_ADDRESS, ends=DOCUMENT),
            Step(ISPDB, _ISPDB),
            Step(MX, _MAIL_V1, bases=("host", "base")),
        ),
        nothing="the user types the settings",
        reader=Reader(unknown_socket="none", whole_placeholders=True),
    ),
    Client(
        # KDE/kmail-account-wizard 8163b657: src/ispdbservice.cpp, serverconfiguration.cpp
        "kmail",
        "KMail",
        (Step(ISPDB, _ISPDB), *_autoconfig("https", "http", "https-well-known", ends=STATUS)),
        reader=Reader(incoming=("imap", "pop3"), unknown_socket="none"),
    ),
    Client(
        # GNOME/geary 3e8d4f1a: src/client/accounts/accounts-autoconfig.vala
        "geary",
        "Geary",
        (*_autoconfig("https"), Step(ISPDB, _ISPDB)),
        reader=Reader(first_only=True, unknown_socket="none", username=False),
    ),
    Client(
        # M66B/FairEmail e23dd9df: EmailProvider.java; SRV scores higher than documents
        "fairemail",
        "FairEmail",
        (
            Step(SRV, services=(*IMAP_SRV, *SUBMISSION_SRV)),
            *_autoconfig(
                "https",
                "https-well-known",
                "http",
                "http-well-known",
                query="?emailaddress={raw}",
                well_known_query="?emailaddress={raw}",
            ),
            Step(ISPDB, _ISPDB),
            Step(AUTODISCOVER, "https://{domain}" + _OLD_AUTODISCOVER, "POST", media_type=""),
            Step(AUTODISCOVER, "https://autodiscover.{domain}" + _OLD_AUTODISCOVER, "POST", media_type=""),
        ),
        reader=Reader(first_only=True, whole_placeholders=True),
        outlook="fairemail",
    ),
    Client(
        # chatmail/core 48888898: src/configure.rs, auto_mozilla.rs, auto_outlook.rs, server_params.rs, net/http.rs; its parser
        # (quick-xml) minds neither the root nor what is missing at the end. Version 2.65 was held against all of it.
        "deltachat",
        "Delta Chat",
        (
            *_autoconfig("https", "https-well-known", query=_ADDRESS, ends=NESTED),
            Step(AUTODISCOVER, "https://{domain}" + _OLD_AUTODISCOVER, ends=NESTED),
            Step(AUTODISCOVER, "https://autodiscover.{domain}" + _OLD_AUTODISCOVER, ends=NESTED),
            Step(ISPDB, _ISPDB),
        ),
        nothing="it guesses imap.<domain>, smtp.<domain> and the like",
        reader=Reader(unknown_socket="port", needs_username=True, tries_all=True),
        outlook="delta",
        full_redirects=True,
    ),
    Client(
        # nextcloud/mail e5734fe2: lib/Service/AutoConfig/IspDb.php, MxRecord.php
        "nextcloud",
        "Nextcloud Mail",
        (
            *_autoconfig("https", "https-well-known", query=_ADDRESS, well_known_query=_ADDRESS),
            Step(ISPDB, _ISPDB),
            *_autoconfig("http", "http-well-known", query=_ADDRESS, well_known_query=_ADDRESS),
            _MX,
        ),
        reader=Reader(unknown_socket="none"),
    ),
    Client(
        # rjarry/aerc fab05311: lib/autoconfig; 0.20 asks DNS alone
        "aerc",
        "aerc",
        (
            Step(SRV, services=("_imap", "_imaps", "_submission"), ends=DOCUMENT),
            *_autoconfig("https", "https-well-known", query=_ADDRESS, well_known_query=_ADDRESS),
        ),
        reader=Reader(last_outgoing=True, unknown_socket="starttls", whole_placeholders=True),
    ),
    Client(
        # pimalaya/io-pim-discovery 5036dfa: cairn/spec/mechanisms.md
        "himalaya",
        "himalaya",
        (
            *_autoconfig("https", "https-well-known"),
            Step(TXT),
            Step(ISPDB, _ISPDB),
            Step(MX, "https://autoconfig.{domain}/mail/config-v1.1.xml"),
            Step(SRV, services=(*IMAP_SRV, *SUBMISSION_SRV)),
            Step(PACC, "https://ua-auto-config.{domain}/.well-known/user-agent-configuration.json"),
        ),
    ),
    Client(
        # eworm-de/claws-mail dad7dea8: src/wizard.c, src/gtk/gtkutils.c
        "claws",
        "Claws Mail",
        (Step(SRV, services=("_imaps", "_pop3s", "_submission")),),
        nothing="the user types the settings",
    ),
    Client(
        # horde/Mail_Autoconfig f1a4ca1: lib/Horde/Mail/Autoconfig/Driver
        "horde",
        "Horde",
        (
            Step(SRV, services=("_imaps", "_imap", "_pop3s", "_pop3", "_submission"), ends=DOCUMENT),
            *_autoconfig("http", "http-well-known", query=_ADDRESS, well_known_query=_ADDRESS),
            Step(ISPDB, _ISPDB),
        ),
    ),
    Client(
        # the-djmaze/snappymail: snappymail/v/0.0.0/app/libraries/RainLoop/Providers/... Autoconfig
        "snappymail",
        "SnappyMail",
        (
            Step(AUTOCONFIG, _MAIL_V1),
            *_autoconfig("https-well-known", "http"),
            Step(ISPDB, _ISPDB),
            Step(AUTODISCOVER, "https://autodiscover.{domain}" + _OLD_AUTODISCOVER, "POST"),
            Step(SRV, services=(*IMAP_SRV, *SUBMISSION_SRV)),
        ),
        outlook="thunderbird",
    ),
)

BY_ID = {client.id: client for client in CLIENTS}
