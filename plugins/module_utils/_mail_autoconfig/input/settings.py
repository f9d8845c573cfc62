"""The whole input of a run: providers, and what the administrator says of this host.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import posixpath
import re
import typing as t

from ..apache import directives as apache
from ..apache import signing
from ..apache.managed_domains import CHALLENGES, DNS_01, HTTP_01, LETS_ENCRYPT, TLS_ALPN_01, AcmeOptions
from ..apache.sites import PHP_MODES, SiteOptions
from ..certificates import CERTBOT, FOUND, MOD_MD, ORDERING, SOURCES
from ..clients import ALL_LABELS
from ..dns.records import FURTHER_DOMAINS, DnsOptions, Validation
from ..dns.remembered import Gone
from ..documents import Document, page
from ..host.debian import DEFAULT_CONFIG_DIRECTORY
from ..lineages import CERTBOT_DIRECTORY
from . import logins, reading
from .model import (
    STARTTLS_NOWHERE,
    STARTTLS_WISHES,
    Provider,
    default_provider,
    mail_domain,
    read_content,
    read_providers,
)
from .placeholders import user_name
from .reading import Fields, InputError, shown

LETS_ENCRYPT_FILE = "/etc/letsencrypt/live/{domain}/fullchain.pem"
LETS_ENCRYPT_KEY = "/etc/letsencrypt/live/{domain}/privkey.pem"
RESPONDERS = ("auto", "lua", "none")
_OUR_SUFFIXES = (".conf", ".lua", ".html", ".json", ".mobileconfig", ".xml")
# In dns_caa, the authority of acme_directory.
_OWN_AUTHORITY = "auto"
_UNKNOWN_AUTHORITY = "the name of the authority of acme_directory is not known here; it is among caaIdentities in that directory"
# What goes with domain alone, and what says it in a list of providers.
_IN_PROVIDERS = {
    "mail_host": "each server has its own hostname",
    "username": "each server has its own username",
    "pop3": "a server of type pop3 is among incoming",
    "starttls": "each server has its own socket_type",
}
# Sections that would end up around or beside a virtual host, where Apache does not allow them.
_TOO_WIDE = ("virtualhost", "macro")


@dataclasses.dataclass(frozen=True)
class Settings:
    """A checked input.

    :ivar responder: ``auto`` is to be settled on the host, by whether it has mod_lua
    :ivar signing_host: name in the certificate that signs profiles, where it is not given by its path; empty for none
    :ivar signing_with_tls_key: whether the administrator wants a key to serve both
    :ivar pages: rendered setup pages by provider and language
    :ivar list_domains: whether a provider's file may name its domains
    :ivar pacc: whether to publish PACC's document too, tlsa: whether records name the keys of the hosts
    :ivar dns_records_gone: records of former settings that are in DNS no more
    :ivar zone_file: path of the zone text, in which ``{domain}`` may stand; empty for none
    :ivar certificates: one of ``certificates.SOURCES``, for providers that do not say it themselves
    :ivar logins: login names that do not follow from the address, by address as ``logins.key`` has it
    :ivar certificate_extra_names: as those of a provider, for providers that do not say any
    :ivar acme: how certificates are ordered
    :ivar allow_removal: whether any domain may go, ``removed_domains`` which ones may
    :ivar certificate_file: pattern with ``{domain}`` and ``*``; ``certificate_is_given`` tells a wish from the default
    """

    providers: tuple[Provider, ...]
    site: SiteOptions
    responder: str
    https: bool
    certificates: str
    certificate_extra_names: tuple[str, ...]
    certificate_file: str
    certificate_key_file: str
    certificate_is_given: bool
    acme: AcmeOptions
    signing_host: str
    signing_with_tls_key: bool
    pages: t.Mapping[str, t.Mapping[str, Document]]
    logins: t.Mapping[str, str]
    dns: DnsOptions
    dns_records_gone: Gone
    list_domains: bool
    pacc: bool
    tlsa: bool
    zone_file: str
    config_directory: str
    certbot_directory: str
    state_directory: str
    adopt: bool
    purge: bool
    allow_removal: bool
    removed_domains: tuple[str, ...]

    @property
    def removable(self) -> tuple[str, ...] | None:
        """The mail domains that providers of this run may lose; None for any."""
        return None if self.allow_removal else self.removed_domains

    def source(self, provider: Provider) -> str:
        """Where a provider's certificates come from."""
        return provider.certificates or self.certificates

    def logins_of(self, provider: Provider) -> dict[str, str]:
        """Those of the addresses of a provider."""
        return {
            address: self.logins[address] for domain in provider.domains for address in self._addresses_by_domain.get(domain, ())
        }

    @functools.cached_property
    def _addresses_by_domain(self) -> dict[str, list[str]]:
        """The addresses that have a login of their own; a thousand providers must not look through all of them each."""
        found: dict[str, list[str]] = {}
        for address in self.logins:
            found.setdefault(address.rpartition("@")[2], []).append(address)
        return found

    @functools.cached_property
    def extra_names(self) -> dict[str, tuple[str, ...]]:
        """The host names beside those for mail clients that ordered certificates are to have, by mail domain.

        A name without ``{domain}`` goes with the first domain.
        """
        found = {
            domain: tuple(
                pattern.replace("{domain}", domain)
                for pattern in provider.certificate_extra_names or self.certificate_extra_names
                if number == 0 or "{domain}" in pattern
            )
            for provider in self.providers
            if self.source(provider) in ORDERING
            for number, domain in enumerate(provider.domains)
        }
        return {domain: names for domain, names in found.items() if names}

    @property
    def ordering(self) -> tuple[str, ...]:
        """The sources of certificates of this run that order them from an authority."""
        signed = {self.certificates} if self.signing_host else set()
        return tuple(source for source in ORDERING if source in {*self.ordering_served, *signed})

    @property
    def ordering_served(self) -> tuple[str, ...]:
        """Those of them that order what sites are served with."""
        used = {self.source(provider) for provider in self.providers}
        return tuple(source for source in ORDERING if source in used)


def read(options: t.Mapping[str, t.Any]) -> Settings:
    """Read the module's options. Raises InputError with every mistake of all of them."""
    problems: list[str] = []
    fields = Fields(options, "", problems)
    providers = _read_providers(fields, problems)
    file, key = fields.text("certificate_file", _path_pattern), fields.text("certificate_key_file", _path_pattern)
    if bool(file) != bool(key):
        fields.problem("certificate_key_file" if file else "certificate_file", "is required with its counterpart")
    elif key.count("*") > file.count("*"):
        fields.problem("certificate_key_file", "has more * than certificate_file, whose parts they stand for")
    chain, chain_key = read_content(fields)
    acme = _read_acme(fields)
    if file and fields.given("certificate_content"):
        fields.problem("certificate_content", "comes in the place of certificate_file; give one of them")
    settings = Settings(
        providers=tuple(_with_content(provider, chain, chain_key) for provider in providers),
        site=_read_site(fields),
        responder=fields.text("responder", reading.one_of(*RESPONDERS), default="auto"),
        https=bool(fields.boolean("https", True)),
        certificates=fields.text("certificates", reading.one_of(*SOURCES), default=FOUND),
        certificate_extra_names=fields.texts("certificate_extra_names", reading.host_pattern),
        certificate_file=file or LETS_ENCRYPT_FILE,
        certificate_key_file=key or LETS_ENCRYPT_KEY,
        certificate_is_given=bool(file),
        acme=acme,
        signing_host=fields.text("signing_host", reading.hostname),
        signing_with_tls_key=bool(fields.boolean("signing_with_tls_key")),
        pages=_read_pages(fields, providers),
        logins=logins.read(fields, providers),
        dns=_read_dns(fields, providers, acme.authority),
        dns_records_gone=_read_gone(fields),
        list_domains=bool(fields.boolean("list_domains", True)),
        pacc=bool(fields.boolean("pacc")),
        tlsa=bool(fields.boolean("dns_tlsa")),
        zone_file=fields.text("dns_zone_file", _zone_file),
        config_directory=fields.text("config_directory", _path, default=DEFAULT_CONFIG_DIRECTORY),
        certbot_directory=fields.text("certbot_directory", _path, default=CERTBOT_DIRECTORY),
        state_directory=fields.text("state_directory", _path, default="/var/lib/mail_autoconfig"),
        adopt=bool(fields.boolean("adopt")),
        purge=bool(fields.boolean("purge")),
        allow_removal=bool(fields.boolean("allow_removal")),
        removed_domains=fields.texts("removed_domains", reading.hostname),
    )
    fields.close()
    _check_signing_host(settings, fields)
    _check_orders(settings, fields)
    _check_extra_names(settings, fields)
    _check_removed_domains(settings, fields)
    if problems:
        raise InputError(problems)
    return settings


def _with_content(provider: Provider, chain: str, key: str) -> Provider:
    """The provider with the certificate of all, unless it has one of its own."""
    if provider.certificate_content or not chain:
        return provider
    return dataclasses.replace(provider, certificate_content=chain, certificate_key_content=key)


def _read_acme(fields: Fields) -> AcmeOptions:
    return AcmeOptions(
        contact=fields.text("acme_contact", _contact),
        agreement=bool(fields.boolean("acme_agreement")),
        directory=fields.text("acme_directory", _directory_url, default=LETS_ENCRYPT),
        profile=fields.text("acme_profile", _profile),
        challenges=fields.texts("acme_challenges", reading.one_of(*CHALLENGES), default=(HTTP_01,)),
        dns_command=fields.text("acme_dns_command", _path),
        eab_file=fields.text("acme_eab_file", _path),
        ca_file=fields.text("acme_ca_file", _path),
        wait_seconds=fields.integer("acme_wait_seconds", 0, 3600, "a time to wait in seconds", 300),
        new_orders=fields.integer("acme_new_orders", 1, 100000, "a number of orders", 250),
    )


def _check_orders(settings: Settings, fields: Fields) -> None:
    """What an order needs."""
    acme = settings.acme
    if acme.dns_command and DNS_01 not in acme.challenges:
        fields.problem("acme_dns_command", "goes with acme_challenges: [dns-01]")
    if DNS_01 in acme.challenges and not acme.dns_command:
        fields.problem("acme_dns_command", "is required for the challenge dns-01: what sets and removes its records")
    if not settings.ordering:
        return
    if acme.challenges == (TLS_ALPN_01,):
        _check_validation_by_tls(settings, fields)
    served, sources = settings.ordering_served, " or ".join(settings.ordering)
    if settings.tlsa and MOD_MD in served:
        fields.problem("dns_tlsa", "cannot go with certificates: mod_md, which makes a new key for each certificate")
    if served and not settings.https:
        fields.problem("certificates", f"{' or '.join(served)} orders certificates, and https is off")
    if not acme.agreement:
        fields.problem(
            "acme_agreement", f"must be true for certificates: {sources}: it says that you agree to the terms of {acme.directory}"
        )
    if not acme.contact:
        fields.problem(
            "acme_contact", f"is required for certificates: {sources}: an address at which the authority may write to you"
        )
    if settings.ordering == (CERTBOT,):
        _check_certbot(acme, fields)


def _check_extra_names(settings: Settings, fields: Fields) -> None:
    """Each of them belongs to one certificate that is ordered, and is nothing else yet."""
    option = "certificate_extra_names"
    for provider in settings.providers:
        if provider.certificate_extra_names and settings.source(provider) not in ORDERING:
            fields.problem(option, f"of provider {provider.id} goes with certificates: {' or '.join(ORDERING)}")
    if settings.certificate_extra_names and not settings.ordering_served:
        fields.problem(option, f"goes with certificates: {' or '.join(ORDERING)}")
    ours = {f"{label}.{domain}": domain for provider in settings.providers for domain in provider.domains for label in ALL_LABELS}
    known: dict[str, str] = {settings.signing_host: "signing_host"}
    for domain, names in settings.extra_names.items():
        for name in sorted({name for name in names if names.count(name) > 1}):
            fields.problem(option, f"'{name}' is there twice for {domain}")
        for name in names:
            if len(name) > reading.LONGEST_NAME:
                fields.problem(option, f"'{name}' is longer than {reading.LONGEST_NAME} characters")
            elif name in ours:
                fields.problem(option, f"'{name}' is among the host names of {ours[name]} already")
            elif known.setdefault(name, domain) != domain:
                fields.problem(option, f"'{name}' would be in the certificates of {known[name]} and of {domain}; name it for one")


def _check_removed_domains(settings: Settings, fields: Fields) -> None:
    for provider in settings.providers:
        for domain in sorted({*provider.domains} & {*settings.removed_domains}):
            message = f"'{domain}' is among the domains of provider {provider.id}; take it out of one of the two"
            fields.problem("removed_domains", message)


def _check_validation_by_tls(settings: Settings, fields: Fields) -> None:
    """Names that have no site of ours with TLS cannot be validated by one."""
    missing = f"is no site of ours, which the challenge {TLS_ALPN_01} needs; give {HTTP_01} in acme_challenges, too"
    if settings.signing_host and settings.certificates == MOD_MD:
        fields.problem("signing_host", missing)
    for provider in settings.providers:
        names = [name for domain in provider.domains for name in settings.extra_names.get(domain, ())]
        if names and settings.source(provider) == MOD_MD:
            fields.problem("certificate_extra_names", f"'{names[0]}' {missing}")


def _check_certbot(acme: AcmeOptions, fields: Fields) -> None:
    """What only mod_md can."""
    wishes = {
        "acme_challenges": acme.challenges != (HTTP_01,),
        "acme_eab_file": acme.eab_file != "",
    }
    for option in (option for option, is_wished in wishes.items() if is_wished):
        fields.problem(option, "is for certificates: mod_md; of what certbot can do otherwise, its cli.ini tells it")


def _check_signing_host(settings: Settings, fields: Fields) -> None:
    """What goes with a certificate that signs and serves nothing."""
    host = settings.signing_host
    if not host:
        return
    if settings.site.signer:
        fields.problem("signing_host", "comes in the place of signing_certificate and signing_key; give one of them")
    if settings.signing_with_tls_key:
        fields.problem("signing_with_tls_key", "goes with signing_key: what signing_host names must serve no site")
    if " " in settings.state_directory:
        fields.problem("state_directory", "holds a space, which the command that signs cannot have (signing_host)")
    for provider in settings.providers:
        servers = {server.host_for(domain) for server in (*provider.incoming, *provider.outgoing) for domain in provider.domains}
        ours = {f"{label}.{domain}" for domain in provider.domains for label in ALL_LABELS}
        if host in servers | ours | {*provider.domains}:
            fields.problem("signing_host", f"'{host}' serves clients (provider {provider.id}); name a host that serves nothing")


def _contact(value: str) -> str:
    local, at, domain = value.rpartition("@")
    if not re.fullmatch(r"[A-Za-z0-9.!#%&'*+/=?^_`{|}~-]+", local) or not at:
        raise ValueError(f"{shown(value)} is not a mail address")
    return f"{local}@{reading.hostname(domain)}"


def _directory_url(value: str) -> str:
    text = reading.url(value)
    if not text.startswith("https://"):
        raise ValueError(f"{shown(value)} is not an https URL: ACME is over HTTPS alone (RFC 8555 section 6.1)")
    apache.word(text)
    return text


def _profile(value: str) -> str:
    if not re.fullmatch("[A-Za-z0-9._-]+", value):
        raise ValueError(f"{shown(value)} is not the name of a profile (letters, digits and . _ -)")
    return value


def _read_providers(fields: Fields, problems: list[str]) -> tuple[Provider, ...]:
    domain, entries = fields.text("domain", mail_domain), fields.mappings("providers")
    wishes: dict[str, t.Any] = {
        "mail_host": fields.text("mail_host", reading.server_hostname),
        "username": fields.text("username", user_name()),
        "pop3": bool(fields.boolean("pop3")),
        "starttls": fields.text("starttls", reading.one_of(*STARTTLS_WISHES), default=STARTTLS_NOWHERE),
    }
    if fields.given("domain") and entries:
        fields.problem("domain", "is the short form of providers; give one of them")
    for name, instead in _IN_PROVIDERS.items():
        if wishes[name] not in ("", False, STARTTLS_NOWHERE) and not fields.given("domain"):
            fields.problem(name, f"goes with domain; with providers {instead}")
    if domain and not entries:
        entries = [Fields(default_provider(domain, **wishes), "domain", problems)]
    elif not entries and not fields.given("domain") and not fields.boolean("purge"):
        fields.problem("domain", "is required, or providers")
    return read_providers(entries)


def _read_site(fields: Fields) -> SiteOptions:
    return SiteOptions(
        document_root=fields.text("document_root", _path, default="/var/www/autoconfig"),
        server_admin=fields.text("server_admin", _word),
        listen=fields.texts("listen", _listen, default=("*",)),
        http_port=fields.port("http_port", 80),
        https_port=fields.port("https_port", 443),
        php=fields.text("php", reading.one_of(*PHP_MODES), default="none"),
        well_known=bool(fields.boolean("well_known")),
        log_directory=fields.text("log_directory", _path),
        log_queries=bool(fields.boolean("log_queries")),
        signer=_read_signer(fields),
        extra=_read_extra(fields),
    )


def _read_signer(fields: Fields) -> signing.Signer | None:
    certificate, key = fields.text("signing_certificate", _command_path), fields.text("signing_key", _command_path)
    chain = fields.text("signing_chain", _command_path)
    if not (certificate or key or chain):
        return None
    for option in ("signing_certificate", "signing_key"):
        if not fields.given(option):
            fields.problem(option, "is required with its counterpart")
    return signing.Signer(certificate, key, chain)


def _read_pages(fields: Fields, providers: t.Iterable[Provider]) -> dict[str, dict[str, Document]]:
    """The setup pages; the first language of each provider is for those whose language there is none in."""
    ids = [provider.id for provider in providers]
    pages: dict[str, dict[str, Document]] = {}
    for entry in fields.mappings("setup_pages"):
        provider = entry.text("provider", reading.one_of(*ids), required=True)
        language = entry.text("language", _page_language, required=True)
        text = entry.text("html", str, required=True)
        entry.close()
        if language in pages.get(provider, {}):
            entry.problem("language", f"'{language}' is there for {provider} already")
        try:
            document = page.document(language, text)
            page.policy(document.content)
        except page.PageError as exc:
            entry.problem("html", str(exc))
        else:
            pages.setdefault(provider, {})[language] = document
    return pages


def _page_language(value: str) -> str:
    if not re.fullmatch("[a-z]{2,3}", value):
        raise ValueError(f"{shown(value)} is not a language (two or three letters, for example de)")
    return value


def _command_path(value: str) -> str:
    """A path that stands in a command line."""
    path = _path(value)
    if " " in path:
        raise ValueError(f"{shown(value)} holds a blank, which the command that signs cannot have")
    return path


def _read_dns(fields: Fields, providers: t.Iterable[Provider], authority: str) -> DnsOptions:
    """What is said of records.

    :arg authority: name of the authority of ``acme_directory``; empty where it is not known
    """
    options = DnsOptions(
        ttl=fields.integer("dns_ttl", 0, 2**31 - 1, "a TTL in seconds", 300),
        addresses=fields.texts("addresses", _public_address),
        host=fields.text("dns_host", reading.hostname),
        further_domains=fields.text("dns_further_domains", reading.one_of(*FURTHER_DOMAINS), default="own"),
        not_offered=bool(fields.boolean("dns_not_offered")),
        mx=tuple(_read_mx(entry) for entry in fields.mappings("dns_mx")),
        caa=_read_caa(fields, authority),
        validation=_read_validation(fields, authority),
    )
    if options.host and options.addresses:
        fields.problem("dns_host", "is for host names that are aliases; give it or addresses")
    if options.host and options.caa:
        fields.problem("dns_caa", "cannot stand beside the alias that dns_host makes (RFC 1034 section 3.6.2)")
    elif options.caa and not options.addresses:
        fields.problem("dns_caa", "goes with addresses: beside an alias of your own it could not stand (RFC 1034 section 3.6.2)")
    if options.host and options.further_domains == "srv":
        fields.problem(
            "dns_further_domains", "srv needs addresses instead of dns_host: the target of SRV must be no alias (RFC 2782)"
        )
    aliases = {f"{label}.{domain}" for provider in providers for domain in provider.domains for label in ALL_LABELS}
    if options.host in aliases:
        fields.problem("dns_host", f"'{options.host}' is one of the names that would be its aliases")
    return options


def _read_gone(fields: Fields) -> Gone:
    """Record sets, or the domains of which nothing is left."""
    keys, domains = set(), set()
    for entry in fields.mappings("dns_records_gone"):
        domain = entry.text("domain", reading.hostname)
        owner, kind = entry.text("owner").lower(), entry.text("type").upper()
        if owner and kind:
            keys.add((owner, kind))
        elif owner or kind:
            entry.problem("type" if owner else "owner", "is required with its counterpart")
        elif domain:
            domains.add(domain)
        elif not entry.given("domain"):
            entry.problem("domain", "is required, or owner and type")
        entry.text("rdata", str)
        entry.integer("ttl", 0, 2**31 - 1, "a TTL in seconds", 0)
        entry.close()
    return Gone(frozenset(keys), frozenset(domains))


def _read_caa(fields: Fields, authority: str) -> tuple[str, ...]:
    names = fields.texts("dns_caa", reading.hostname)
    if _OWN_AUTHORITY in names and not authority:
        fields.problem("dns_caa", f"'{_OWN_AUTHORITY}': {_UNKNOWN_AUTHORITY}")
    return tuple(dict.fromkeys(authority if name == _OWN_AUTHORITY else name for name in names))


def _read_validation(fields: Fields, authority: str) -> Validation | None:
    entry = fields.mapping("dns_validation_persist")
    if entry is None or entry.is_empty:
        return None
    validation = Validation(
        issuer=entry.text("issuer", reading.hostname, default=authority),
        account=entry.text("accounturi", _account_url, required=True),
        wildcard=bool(entry.boolean("wildcard")),
        until=entry.integer("until", 1, 2**63 - 1, "a time in seconds since 1970", 0),
    )
    if not entry.given("issuer") and not authority:
        entry.problem("issuer", f"is required: {_UNKNOWN_AUTHORITY}")
    entry.close()
    return validation


def _account_url(value: str) -> str:
    """A URL as the value of a parameter (RFC 8659 section 4.2)."""
    text = reading.url(value)
    if ";" in text or not text.isascii():
        raise ValueError(f"{shown(value)} cannot stand in a record: ASCII without ; is allowed")
    return text


def _read_mx(fields: Fields) -> tuple[int, str]:
    entry = (
        fields.integer("preference", 0, 65535, "a preference", 10),
        fields.text("host", reading.hostname, required=True),
    )
    fields.close()
    return entry


def _read_extra(fields: Fields) -> tuple[apache.Node, ...]:
    text = fields.text("extra_directives", str)
    try:
        nodes = apache.parse(text)
        apache.write(nodes)
    except apache.ConfigurationError as exc:
        fields.problem("extra_directives", str(exc))
        return ()
    for name in _sections(nodes):
        if name.lower() in _TOO_WIDE:
            fields.problem("extra_directives", f"<{name}> cannot stand in a virtual host")
    return nodes


def _sections(nodes: t.Iterable[apache.Node]) -> t.Iterator[str]:
    """The names of all sections, however deep."""
    for node in nodes:
        if isinstance(node, apache.Section):
            yield node.name
            yield from _sections(node.children)


def _path(value: str) -> str:
    """An absolute path without what Apache, a shell or a regular expression's replacement would read otherwise."""
    if not re.match(r"/[A-Za-z0-9/._@+,:= -]*\Z", value) or "//" in value or "/../" in f"{value}/":
        raise ValueError(f"{shown(value)} is not an absolute path of letters, digits and / . _ @ + , : = -")
    path = posixpath.normpath(value)
    if path == "/":
        raise ValueError("'/' is the whole file system; name a directory in it")
    return path


def _path_pattern(value: str) -> str:
    """A path in which ``{domain}`` may stand, and ``*`` for a part without a slash."""
    _path(value.replace("{domain}", "domain").replace("*", "x"))
    return value


def _zone_file(value: str) -> str:
    """A pattern for files that are read by a name server, not by Apache."""
    path = value.replace("{domain}", "domain")
    if _path(path) != path:
        raise ValueError(f"{shown(value)} is not the plain path of a file: it has a part '.' or '..', or ends in /")
    if value.endswith(_OUR_SUFFIXES):
        raise ValueError(f"{shown(value)} has the suffix of another of our files ({', '.join(_OUR_SUFFIXES)})")
    return value


def _word(value: str) -> str:
    text = reading.text_line(value)
    apache.word(text)
    if text != value:
        raise ValueError(f"{shown(value)} holds line breaks or more than one blank in a row")
    return text


def _address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError(f"{shown(value)} is not an IPv4 or IPv6 address") from None
    if getattr(address, "scope_id", None):
        raise ValueError(f"{shown(value)} has a zone index, which means something on one host only")
    return str(address)


def _public_address(value: str) -> str:
    address = _address(value)
    if ipaddress.ip_address(address).is_unspecified or ipaddress.ip_address(address).is_multicast:
        raise ValueError(f"{shown(value)} is not the address of a host")
    return address


def _listen(value: str) -> str:
    if value == "*":
        return value
    address = _address(value.strip("[]"))
    return f"[{address}]" if ":" in address else address
