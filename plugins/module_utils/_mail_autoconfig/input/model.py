"""What a mail provider offers: the data behind every document, site and record.

PRIVATE to the collection. Built from plain dictionaries (the options of the module), immutable afterwards. The words are
those of Mozilla's format, draft-ietf-mailmaint-autoconfig and the ISPDB (thunderbird/autoconfig).
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ..certificates import SOURCES
from ..clients import ALL_LABELS
from . import reading
from .placeholders import user_name
from .reading import Check, Fields, InputError, shown

INCOMING_TYPES = ("imap", "pop3", "jmap", "ews", "owa", "graph", "activeSync", "exchange", "nntp")
OUTGOING_TYPES = ("smtp",)
URL_TYPES = ("jmap", "ews", "owa", "graph", "activeSync")
SOCKET_TYPES = ("SSL", "STARTTLS", "plain")
PASSWORD_METHODS = ("password-cleartext", "password-encrypted")
INCOMING_AUTHENTICATION = (*PASSWORD_METHODS, "OAuth2", "GSSAPI", "NTLM", "TLS-client-cert", "client-IP-address", "none")
OUTGOING_AUTHENTICATION = (*INCOMING_AUTHENTICATION, "smtp-after-pop")

# IANA's ports of each service, by socket type (RFC 8314; 465 rather than 587 for SSL as its section 3.3 says).
STANDARD_PORTS = {
    "imap": {"SSL": 993, "STARTTLS": 143, "plain": 143},
    "pop3": {"SSL": 995, "STARTTLS": 110, "plain": 110},
    "smtp": {"SSL": 465, "STARTTLS": 587, "plain": 25},
    "nntp": {"SSL": 563, "STARTTLS": 119, "plain": 119},
    "exchange": {"SSL": 443, "STARTTLS": 443, "plain": 80},
    "managesieve": {"SSL": 4190, "STARTTLS": 4190, "plain": 4190},
}
STARTTLS_PORTS = (25, 110, 119, 143, 587)
# Ports on which nothing but TLS from the first byte is spoken (RFC 8314 section 3; IANA's list).
TLS_PORTS = (465, 563, 993, 995)
# In the short form: where STARTTLS stands in the place of TLS from the first byte.
STARTTLS_NOWHERE, STARTTLS_OUTGOING, STARTTLS_ALL = STARTTLS_WISHES = ("none", "outgoing", "all")
# Words of other programs, by their lower-case spelling, and what they mean here.
_TYPE_HINTS = {
    "imaps": "imap",
    "imap4": "imap",
    "pop": "pop3",
    "pop3s": "pop3",
    **dict.fromkeys(("smtps", "submission", "submissions"), "smtp"),
}
_SOCKET_TYPE_HINTS = {
    "tls": "SSL for TLS from the first byte, or STARTTLS",
    "ssl/tls": "SSL",
    **dict.fromkeys(("none", "no", "off"), "plain"),
}
_AUTHENTICATION_HINTS = {
    **dict.fromkeys(("plain", "login", "password", "cleartext", "normal"), "password-cleartext"),
    **dict.fromkeys(("secure", "encrypted", "cram-md5"), "password-encrypted"),
    "xoauth2": "OAuth2",
    "kerberos": "GSSAPI",
}


@dataclasses.dataclass(frozen=True)
class Text:
    """A text for people; ``lang`` is a language tag (BCP 47) or empty."""

    text: str
    lang: str = ""


@dataclasses.dataclass(frozen=True)
class Link:
    """A page for people with its descriptions, as ``documentation``, ``instruction`` and ``enable`` have it."""

    url: str
    texts: tuple[Text, ...] = ()


@dataclasses.dataclass(frozen=True)
class Pop3Options:
    """What a POP3 client does with fetched messages; ``None`` and 0 leave it to the client."""

    leave_messages_on_server: bool | None = None
    download_on_biff: bool | None = None
    days_to_leave_messages_on_server: int = 0
    check_interval: int = 0


@dataclasses.dataclass(frozen=True)
class Server:
    """One way in or out.

    :ivar hostname: lower-case ASCII, may hold ``%EMAILDOMAIN%``; empty where ``url`` names the server
    :ivar authentication: methods in order of preference
    :ivar username: with placeholders; empty for an outgoing server without authentication
    """

    type: str
    hostname: str = ""
    port: int = 0
    socket_type: str = ""
    authentication: tuple[str, ...] = ("password-cleartext",)
    username: str = "%EMAILADDRESS%"
    url: str = ""
    owa_url: str = ""
    ews_url: str = ""
    eas_url: str = ""
    pop3: Pop3Options | None = None
    restriction: tuple[str, ...] = ()
    add_this_server: bool | None = None

    def host_for(self, domain: str) -> str:
        """The host name for the addresses of one domain."""
        return self.hostname.replace("%EMAILDOMAIN%", domain)


@dataclasses.dataclass(frozen=True)
class FormField:
    """A field of a login page, by its HTML ``id`` and ``name``."""

    id: str = ""
    name: str = ""


@dataclasses.dataclass(frozen=True)
class LoginForm:
    """How to log in to web mail without asking, as ``loginPageInfo`` has it."""

    url: str
    username: str = "%EMAILADDRESS%"
    username_field: FormField = FormField()
    password_field: FormField = FormField()
    login_button: FormField = FormField()


@dataclasses.dataclass(frozen=True)
class WebMail:
    """Where web mail is."""

    login_page: str
    login_form: LoginForm | None = None


@dataclasses.dataclass(frozen=True)
class OAuth2:
    """The provider's own OAuth2 end points (RFC 6749); Thunderbird uses them only for issuers it knows."""

    issuer: str
    scope: str = ""
    auth_url: str = ""
    token_url: str = ""


@dataclasses.dataclass(frozen=True)
class Dav:
    """A CalDAV, CardDAV or JMAP service by its URL."""

    url: str
    username: str = "%EMAILADDRESS%"


@dataclasses.dataclass(frozen=True)
class Profile:
    """What Apple's devices show of a configuration profile, and when it goes (TopLevel in apple/device-management).

    :ivar consent: agreements by language that the user must accept; one without a language is for all others
    :ivar removal_date: ``YYYY-MM-DD``, empty for never
    """

    organization: str = ""
    description: str = ""
    consent: tuple[Text, ...] = ()
    removal_disallowed: bool | None = None
    removal_date: str = ""


@dataclasses.dataclass(frozen=True)
class InputField:
    """A value that a client should ask for (Mozilla's ``inputField``; no client read does)."""

    key: str
    label: str
    value: str = ""


@dataclasses.dataclass(frozen=True)
class Provider:
    """One set of servers and the mail domains that use it.

    :ivar id: literal host name that names the provider
    :ivar domains: at least one, lower-case ASCII; the first names the sites
    :ivar logo: path of an image on the controller, for the setup page
    :ivar certificates: one of ``certificates.SOURCES``; empty for what the administrator says of all
    :ivar certificate_extra_names: host names, or patterns with ``{domain}``, that ordered certificates are to have, too
    :ivar certificate_content: a chain (PEM) in the place of a path, with its key; empty for none
    """

    id: str
    domains: tuple[str, ...]
    display_name: str
    short_name: str
    incoming: tuple[Server, ...]
    outgoing: tuple[Server, ...]
    documentation: tuple[Link, ...] = ()
    instructions: tuple[Link, ...] = ()
    enable: tuple[Link, ...] = ()
    webmail: WebMail | None = None
    oauth2: OAuth2 | None = None
    caldav: Dav | None = None
    carddav: Dav | None = None
    jmap: Dav | None = None
    managesieve: Server | None = None
    input_fields: tuple[InputField, ...] = ()
    config_update_url: str = ""
    profile: Profile | None = None
    logo: str = ""
    certificates: str = ""
    certificate_extra_names: tuple[str, ...] = ()
    certificate_content: str = ""
    certificate_key_content: str = dataclasses.field(default="", repr=False)

    @classmethod
    def from_dict(cls, value: t.Mapping[str, t.Any]) -> Provider:
        """Build one provider. Raises InputError with every mistake, paths relative to the provider."""
        problems: list[str] = []
        provider = read_provider(Fields(value, "", problems))
        if problems:
            raise InputError(problems)
        return provider

    @classmethod
    def for_domain(cls, domain: str, **wishes: t.Any) -> Provider:
        """The provider that the domain alone implies, with the wishes of :func:`default_provider`. Raises InputError."""
        return cls.from_dict(default_provider(domain, **wishes))

    @property
    def jmap_service(self) -> Dav | None:
        """The JMAP service, by the option or as an incoming server."""
        servers = (Dav(server.url, server.username) for server in self.incoming if server.type == "jmap")
        return self.jmap or next(servers, None)

    def to_dict(self) -> dict[str, t.Any]:
        """The options that build this provider again, without those that have no value."""
        return t.cast("dict[str, t.Any]", _plain(self))


def default_provider(
    domain: str, mail_host: str = "", username: str = "", pop3: bool = False, starttls: str = STARTTLS_NOWHERE
) -> dict[str, t.Any]:
    """The options for a domain of which little is known: IMAP and submission over TLS on ``mail.<domain>``.

    :arg username: as of a server, the same for all; empty for the address
    :arg pop3: whether there is POP3, too; after IMAP, because many clients look only at the first
    :arg starttls: one of :data:`STARTTLS_WISHES`
    """
    common = {"hostname": mail_host or f"mail.{domain}", **({"username": username} if username else {})}
    incoming = {**common, "socket_type": "STARTTLS" if starttls == STARTTLS_ALL else "SSL"}
    outgoing = {**common, "socket_type": "SSL" if starttls == STARTTLS_NOWHERE else "STARTTLS"}
    return {
        "domains": [domain],
        "incoming": [{"type": kind, **incoming} for kind in ("imap", "pop3") if pop3 or kind == "imap"],
        "outgoing": [{"type": "smtp", **outgoing}],
    }


def read_providers(entries: list[Fields]) -> tuple[Provider, ...]:
    """Read all providers and check them against each other; problems go to the fields' list."""
    providers = tuple(read_provider(fields) for fields in entries)
    ids: dict[str, str] = {}
    domains: dict[str, str] = {}
    for fields, provider in zip(entries, providers):
        follows_from_a_double_domain = not fields.given("id") and provider.id in domains
        if provider.id and provider.id in ids and not follows_from_a_double_domain:
            fields.problem("id", f"'{provider.id}' is the id of {ids[provider.id]} already")
        ids.setdefault(provider.id, fields.path)
        for domain in provider.domains:
            if domain in domains:
                fields.problem("domains", f"'{domain}' belongs to {domains[domain]} already")
            domains.setdefault(domain, fields.path)
    return providers


def read_provider(fields: Fields) -> Provider:
    """Read one provider; problems go to the fields' list, and then the result is not to be used."""
    domains = fields.texts("domains", mail_domain, required=True)
    provider_id = fields.text("id", reading.hostname, default=domains[0] if domains else "")
    display_name = fields.text("display_name", default=provider_id)
    chain, key = read_content(fields)
    input_fields = tuple(_read_input_field(entry) for entry in fields.mappings("input_fields"))
    username = user_name(field.key for field in input_fields)
    provider = Provider(
        id=provider_id,
        domains=domains,
        display_name=display_name,
        short_name=fields.text("short_name", default=display_name[:20].rstrip()),
        incoming=_read_servers(fields, "incoming", INCOMING_TYPES, INCOMING_AUTHENTICATION, username),
        outgoing=_read_servers(fields, "outgoing", OUTGOING_TYPES, OUTGOING_AUTHENTICATION, username),
        documentation=_read_links(fields, "documentation"),
        instructions=_read_links(fields, "instructions"),
        enable=_read_links(fields, "enable"),
        webmail=_read_webmail(fields.mapping("webmail"), username),
        oauth2=_read_oauth2(fields.mapping("oauth2")),
        caldav=_read_dav(fields.mapping("caldav"), username),
        carddav=_read_dav(fields.mapping("carddav"), username),
        jmap=_read_dav(fields.mapping("jmap"), username),
        managesieve=_read_managesieve(fields.mapping("managesieve")),
        input_fields=input_fields,
        config_update_url=fields.text("config_update_url", reading.url),
        profile=_read_profile(fields.mapping("profile")),
        logo=fields.text("logo"),
        certificates=fields.text("certificates", reading.one_of(*SOURCES)),
        certificate_extra_names=fields.texts("certificate_extra_names", reading.host_pattern),
        certificate_content=chain,
        certificate_key_content=key,
    )
    fields.close()
    return provider


def mail_domain(value: str) -> str:
    """As ``reading.hostname``, for what stands behind the ``@`` of addresses. Raises ValueError.

    A domain without a dot is refused: mail addresses have fully-qualified domains (RFC 5321 section 2.3.5), and no authority
    certifies its hosts. So is a host name for clients: below it, clients would look for ``autoconfig.autoconfig.server.tld``.
    """
    if "@" in value:
        raise ValueError(f"{shown(value)} is an address; the domain is what stands behind its @")
    name = reading.hostname(value)
    label, dot, rest = name.partition(".")
    if not dot:
        raise ValueError(f"{shown(value)} has no dot: write the whole domain, for example {name}.tld")
    if label in ALL_LABELS:
        raise ValueError(f"{shown(value)} is the name of a host for mail clients (did you mean {rest}?)")
    return name


def read_content(fields: Fields) -> tuple[str, str]:
    """A certificate and its key as texts (PEM); problems go to the fields' list, and never show them."""
    names = ("certificate_content", "certificate_key_content")
    for name, counterpart in (names, names[::-1]):
        if fields.given(counterpart) and not fields.given(name):
            fields.problem(name, "is required with its counterpart")
    return fields.secret(names[0], _chain), fields.secret(names[1], _key)


def secrets(options: t.Any, is_secret: bool = False) -> t.Iterator[str]:
    """The strings of an input, not read yet, that nothing may show: contents of certificates, and private keys wherever they are.

    By a part of the name, so that a misspelt one counts.
    """
    if isinstance(options, dict):
        for name, value in options.items():
            yield from secrets(value, is_secret or "_content" in str(name))
    elif isinstance(options, (list, tuple)):
        for value in options:
            yield from secrets(value, is_secret)
    elif isinstance(options, str) and options and (is_secret or "PRIVATE KEY-----" in options):
        yield options


def _chain(value: str) -> str:
    if "PRIVATE KEY-----" in value:
        raise ValueError("has a private key in it, which belongs into certificate_key_content")
    return _pem(value, "CERTIFICATE", "a certificate")


def _key(value: str) -> str:
    return _pem(value, "PRIVATE KEY", "a private key")


def _pem(value: str, label: str, what: str) -> str:
    """A text in PEM form (RFC 7468), with one line break at its end."""
    block = rf"-----BEGIN [A-Z0-9 ]*{label}-----\s.*-----END [A-Z0-9 ]*{label}-----"
    if not value.isascii() or not re.search(block, value, re.DOTALL):
        raise ValueError(f"is not {what} in PEM form (-----BEGIN {label}-----)")
    return value.replace("\r\n", "\n").strip() + "\n"


def _read_servers(
    fields: Fields, key: str, types: tuple[str, ...], authentication: tuple[str, ...], username: Check
) -> tuple[Server, ...]:
    entries = fields.mappings(key)
    if not entries:
        fields.problem(key, "at least one server is needed")
    return tuple(_read_server(entry, types, authentication, username) for entry in entries)


def _read_server(fields: Fields, types: tuple[str, ...], authentication: tuple[str, ...], username: Check) -> Server:
    server_type = fields.text("type", reading.one_of(*types, hints=_TYPE_HINTS), required=True)
    by_url = server_type in URL_TYPES
    method = reading.one_of(*authentication, hints=_AUTHENTICATION_HINTS)
    methods = fields.texts("authentication", method, default=("password-cleartext",))
    needs_user = server_type != "smtp" or any(each not in ("none", "client-IP-address") for each in methods)
    socket_type, port = _read_port(fields, server_type)
    server = Server(
        type=server_type,
        hostname=fields.text("hostname", reading.server_hostname, required=not by_url),
        port=port,
        socket_type=socket_type,
        authentication=methods,
        username=fields.text("username", username, default="%EMAILADDRESS%" if needs_user else ""),
        url=fields.text("url", reading.url, required=by_url),
        owa_url=fields.text("owa_url", reading.url),
        ews_url=fields.text("ews_url", reading.url),
        eas_url=fields.text("eas_url", reading.url),
        pop3=_read_pop3(fields.mapping("pop3"), fields, server_type),
        restriction=fields.texts("restriction"),
        add_this_server=fields.boolean("add_this_server", None),
    )
    fields.close()
    return server


def _read_port(fields: Fields, server_type: str) -> tuple[str, int]:
    """Read socket type and port; each implies the other, and SSL is implied where neither is given.

    Anything but SSL on a port of TLS is refused. Clients that read Autodiscover begin with TLS there whatever the answer says
    (ExchangeAutoDiscover.sys.mjs), and none of Mozilla's 163 files has it. SSL on a port of STARTTLS is possible (Postfix's
    ``smtpd_tls_wrappermode`` on 587, the guide's port 25), and a warning: :mod:`.doubts`.
    """
    port = fields.port("port")
    implied = "STARTTLS" if port in STARTTLS_PORTS else "SSL"
    if server_type in URL_TYPES:
        implied = ""
    socket_type = fields.text("socket_type", reading.one_of(*SOCKET_TYPES, hints=_SOCKET_TYPE_HINTS), default=implied)
    if port in TLS_PORTS and socket_type in ("STARTTLS", "plain"):
        usual = STANDARD_PORTS.get(server_type, {}).get(socket_type)
        other = f", or port {usual}" if usual else ""
        fields.problem("socket_type", f"{socket_type} is not spoken on port {port} (did you mean SSL{other}?)")
    if not port:
        port = STANDARD_PORTS.get(server_type, {}).get(socket_type, 0)
    return socket_type, port


def _read_pop3(fields: Fields | None, server: Fields, server_type: str) -> Pop3Options | None:
    if fields is None:
        return None
    if server_type != "pop3":
        server.problem("pop3", "is only for servers of type pop3")
    options = Pop3Options(
        leave_messages_on_server=fields.boolean("leave_messages_on_server", None),
        download_on_biff=fields.boolean("download_on_biff", None),
        days_to_leave_messages_on_server=fields.integer("days_to_leave_messages_on_server", 1, 36500, "a number of days"),
        check_interval=fields.integer("check_interval", 1, 10080, "a number of minutes"),
    )
    fields.close()
    return None if options == Pop3Options() else options


def _read_links(fields: Fields, key: str) -> tuple[Link, ...]:
    links = []
    for entry in fields.mappings(key):
        links.append(
            Link(
                url=entry.text("url", reading.url, required=True),
                texts=tuple(_read_text(item) for item in entry.mappings("texts")),
            )
        )
        entry.close()
    return tuple(links)


def _read_text(fields: Fields) -> Text:
    text = Text(text=fields.text("text", required=True), lang=fields.text("lang", _language))
    fields.close()
    return text


def _language(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", value):
        raise ValueError(f"{shown(value)} is not a language tag (BCP 47, for example de or pt-BR)")
    return value


def _read_webmail(fields: Fields | None, username: Check) -> WebMail | None:
    if fields is None:
        return None
    webmail = WebMail(
        login_page=fields.text("login_page", reading.url, required=True),
        login_form=_read_login_form(fields.mapping("login_form"), username),
    )
    fields.close()
    return webmail


def _read_login_form(fields: Fields | None, username: Check) -> LoginForm | None:
    if fields is None:
        return None
    form = LoginForm(
        url=fields.text("url", reading.url, required=True),
        username=fields.text("username", username, default="%EMAILADDRESS%"),
        username_field=_read_form_field(fields.mapping("username_field")),
        password_field=_read_form_field(fields.mapping("password_field")),
        login_button=_read_form_field(fields.mapping("login_button")),
    )
    fields.close()
    return form


def _read_form_field(fields: Fields | None) -> FormField:
    if fields is None:
        return FormField()
    field = FormField(id=fields.text("id"), name=fields.text("name"))
    fields.close()
    return field


def _read_oauth2(fields: Fields | None) -> OAuth2 | None:
    if fields is None:
        return None
    oauth2 = OAuth2(
        issuer=fields.text("issuer", required=True),
        scope=fields.text("scope"),
        auth_url=fields.text("auth_url", reading.url, required=True),
        token_url=fields.text("token_url", reading.url, required=True),
    )
    fields.close()
    return oauth2


def _read_dav(fields: Fields | None, username: Check) -> Dav | None:
    if fields is None:
        return None
    dav = Dav(
        url=fields.text("url", reading.url, required=True),
        username=fields.text("username", username, default="%EMAILADDRESS%"),
    )
    fields.close()
    return dav


def _read_managesieve(fields: Fields | None) -> Server | None:
    if fields is None:
        return None
    server = Server(
        type="managesieve",
        hostname=fields.text("hostname", reading.server_hostname, required=True),
        port=fields.port("port", STANDARD_PORTS["managesieve"]["STARTTLS"]),
        socket_type=fields.text("socket_type", reading.one_of(*SOCKET_TYPES, hints=_SOCKET_TYPE_HINTS), default="STARTTLS"),
    )
    fields.close()
    return server


def _read_profile(fields: Fields | None) -> Profile | None:
    if fields is None:
        return None
    profile = Profile(
        organization=fields.text("organization"),
        description=fields.text("description"),
        consent=tuple(_read_text(entry) for entry in fields.mappings("consent")),
        removal_disallowed=fields.boolean("removal_disallowed", None),
        removal_date=fields.text("removal_date", _date),
    )
    fields.close()
    return None if profile == Profile() else profile


def _date(value: str) -> str:
    try:
        return datetime.datetime.strptime(value, "%Y-%m-%d").date().isoformat()
    except ValueError:
        raise ValueError(f"{shown(value)} is not a date (YYYY-MM-DD)") from None


def _read_input_field(fields: Fields) -> InputField:
    field = InputField(
        key=fields.text("key", required=True), label=fields.text("label", required=True), value=fields.text("value")
    )
    fields.close()
    return field


def _plain(value: t.Any) -> t.Any:
    """A dataclass as the options it came from: what is empty or not said is left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        is_sieve = isinstance(value, Server) and value.type == "managesieve"
        names = ("hostname", "port", "socket_type") if is_sieve else [field.name for field in dataclasses.fields(value)]
        items = {name: _plain(getattr(value, name)) for name in names}
        return {name: item for name, item in items.items() if item is False or item not in (None, "", 0, [], {})}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
