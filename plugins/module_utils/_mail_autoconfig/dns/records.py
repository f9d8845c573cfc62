"""The DNS records that clients look up, as plain data and as zone text.

PRIVATE to the collection. RFC 2782 (SRV), 6186 and 8314 section 5.1 (mail), 6764 (CalDAV, CardDAV), 8620 section 2.2 (JMAP),
5804 section 1.8 (ManageSieve), 8659 (CAA), 6698 and 7671 (TLSA); zone text is that of RFC 1035 section 5.1;
``_autodiscover`` is Microsoft's, ``_ua-auto-config`` that of draft-ietf-mailmaint-pacc-03, ``_validation-persist`` that of
draft-ietf-acme-dns-persist-01.
"""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
import typing as t
from urllib.parse import urlsplit

from ..clients import ALL_LABELS, LABELS, PACC_LABEL
from ..input import reading
from ..input.model import Dav, Provider
from .remembered import PLACEHOLDER, Groups, Pattern, grouped

# Service names by server type and socket type, in the order clients should prefer.
_MAIL_SERVICES = {
    ("imap", "SSL"): "_imaps",
    ("imap", "STARTTLS"): "_imap",
    ("pop3", "SSL"): "_pop3s",
    ("pop3", "STARTTLS"): "_pop3",
    ("smtp", "SSL"): "_submissions",
    ("smtp", "STARTTLS"): "_submission",
}
# Those that may be said not to be offered: Claws Mail and aerc know no other name than _submission.
_REFUSABLE = ("_imap", "_imaps", "_pop3", "_pop3s")
FURTHER_DOMAINS = ("own", "cname", "srv")
_FIELDS = {
    "A": ("address",),
    "AAAA": ("address",),
    "CAA": ("flags", "tag", "value"),
    "CNAME": ("target",),
    "MX": ("preference", "exchange"),
    "SRV": ("priority", "weight", "port", "target"),
    "TLSA": ("usage", "selector", "matching_type", "data"),
    "TXT": ("text",),
}
# In the place of a mail domain while records are made; nobody can have it (RFC 6761 section 6.4).
_ANY_DOMAIN = "mail-domain.invalid"
# RFC 1035 section 3.3: a character-string is at most this long.
_MAX_STRING = 255

Values = tuple[t.Union[str, int], ...]


@dataclasses.dataclass(frozen=True, order=True)
class Record:
    """One record: absolute owner with its final dot, TTL in seconds, and the fields of its rdata in the order of its RFC.

    :ivar domain: the mail domain that it belongs to
    """

    owner: str
    type: str
    values: Values
    ttl: int
    domain: str

    @property
    def rdata(self) -> str:
        """The rdata in presentation form (RFC 1035 section 5.1)."""
        if self.type == "TXT":
            return character_strings(str(self.values[0]))
        if self.type == "CAA":
            return f"{self.values[0]} {self.values[1]} {character_strings(str(self.values[2]))}"
        return " ".join(str(value) for value in self.values)

    def to_dict(self) -> dict[str, t.Any]:
        """As the module returns it."""
        fields = dict(zip(_FIELDS[self.type], self.values))
        return {
            "domain": self.domain,
            "owner": self.owner,
            "type": self.type,
            "ttl": self.ttl,
            "rdata": self.rdata,
            "fields": fields,
        }


@dataclasses.dataclass(frozen=True)
class Validation:
    """A standing proof for an authority that an account may have certificates (ACME challenge dns-persist-01).

    :ivar issuer: the authority's name in DNS
    :ivar account: URL of the account (RFC 8555 section 7.3)
    :ivar wildcard: for the mail domain with everything below it, rather than for each of its host names alone
    :ivar until: when it ends, in seconds since the epoch; 0 for never
    """

    issuer: str
    account: str
    wildcard: bool = False
    until: int = 0

    @property
    def text(self) -> str:
        """The record: an issue-value of RFC 8659 section 4.2."""
        parts = [self.issuer, f"accounturi={self.account}"]
        parts += ["policy=wildcard"] if self.wildcard else []
        parts += [f"persistUntil={self.until}"] if self.until else []
        return "; ".join(parts)


@dataclasses.dataclass(frozen=True)
class DnsOptions:
    """What an administrator says of the records.

    :ivar addresses: of this host, for the host names of the mail domains
    :ivar host: what those names are aliases of instead; empty for none
    :ivar further_domains: for the domains of a provider after its first: ``own`` host names like those of the first, ``cname``
        aliases of the first one's, ``srv`` no host names at all
    :ivar not_offered: whether to say of mail services that they are not offered (RFC 6186 section 3.4)
    :ivar mx: preference and host
    :ivar caa: authorities that may issue certificates for the host names
    :ivar validation: a standing proof for an authority; None for none
    """

    ttl: int = 300
    addresses: tuple[str, ...] = ()
    host: str = ""
    further_domains: str = "own"
    not_offered: bool = False
    mx: tuple[tuple[int, str], ...] = ()
    caa: tuple[str, ...] = ()
    validation: Validation | None = None


@dataclasses.dataclass(frozen=True)
class Served:
    """What the sites of a provider serve, as far as records speak of it.

    :ivar pacc: digests (SHA-256, hexadecimal) of the PACC documents that clients may get; none without such a document
    :ivar secure: host names that answer over TLS; None for all
    :ivar keys: digest (likewise) of the public key that answers for TLS, by host name
    :ivar https_port: where it does
    """

    pacc: tuple[str, ...] = ()
    secure: t.Collection[str] | None = None
    keys: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    https_port: int = 443

    @property
    def labels(self) -> tuple[str, ...]:
        """The hosts of a mail domain that answer clients."""
        return ALL_LABELS if self.pacc else LABELS


def records(provider: Provider, options: DnsOptions, served: Served = Served()) -> list[Record]:
    """All records of all domains of a provider, sorted; host records only where it is known where they lead."""
    forms = {domain: _form(provider, domain, options.further_domains) for domain in provider.domains}
    zones = (_Zone(provider, domain, options, served, form) for domain, form in forms.items())
    return sorted({record for zone in zones for record in zone.records()})


def has_hosts(provider: Provider, domain: str, further_domains: str) -> bool:
    """Whether a domain has host names of its own."""
    return _form(provider, domain, further_domains) != "srv"


def _form(provider: Provider, domain: str, further_domains: str) -> str:
    """How a domain is published; the first of a provider always by host names of its own."""
    return "own" if domain == provider.domains[0] else further_domains


class _Alike(t.NamedTuple):
    """All that makes the records of a mail domain differ from those of another one, but for its name.

    :ivar form: how it is published
    :ivar announces_pacc: whether its host of PACC answers over TLS
    :ivar keys: digest of the public key by label, of those that have one
    """

    form: str
    announces_pacc: bool
    keys: tuple[tuple[str, str], ...]


def to_remember(provider: Provider, options: DnsOptions, served: Served = Served()) -> Groups:
    """The records of a provider as the next run remembers them.

    Without MX: mail may go on where settings end, and a run must not tell anybody to stop it.
    """
    alike: dict[_Alike, list[str]] = {}
    for domain in provider.domains:
        secure = served.secure is None or f"{PACC_LABEL}.{domain}" in served.secure
        keys = tuple((label, key) for label in served.labels for key in [served.keys.get(f"{label}.{domain}")] if key)
        alike.setdefault(_Alike(_form(provider, domain, options.further_domains), secure, keys), []).append(domain)
    found: dict[str, tuple[Pattern, ...]] = {}
    for kind, domains in alike.items():
        found.update(dict.fromkeys(domains, _patterns(provider, options, served, kind)))
    return grouped(found)


def _patterns(provider: Provider, options: DnsOptions, served: Served, kind: _Alike) -> tuple[Pattern, ...]:
    """The records of any domain of a kind."""
    secure = {f"{PACC_LABEL}.{_ANY_DOMAIN}"} if kind.announces_pacc else set()
    keys = {f"{label}.{_ANY_DOMAIN}": key for label, key in kind.keys}
    of_any = dataclasses.replace(served, secure=secure, keys=keys)
    return tuple(
        Pattern(record.owner.replace(_ANY_DOMAIN, PLACEHOLDER), record.type, record.rdata.replace(_ANY_DOMAIN, PLACEHOLDER))
        for record in _Zone(provider, _ANY_DOMAIN, options, of_any, kind.form).records()
        if record.type != "MX"
    )


class _Zone:
    """The records of one mail domain."""

    def __init__(self, provider: Provider, domain: str, options: DnsOptions, served: Served, form: str) -> None:
        self._provider = provider
        self._domain = domain
        self._options = options
        self._served = served
        self._first = provider.domains[0]
        self._form = form

    def _record(self, name: str, kind: str, *values: str | int) -> Record:
        owner = f"{name}.{self._domain}." if name else f"{self._domain}."
        return Record(owner, kind, values, self._options.ttl, self._domain)

    def _srv(self, service: str, target: str, port: int, weight: int = 1) -> Record:
        return self._record(f"{service}._tcp", "SRV", 0, weight, port, f"{target}.")

    def records(self) -> t.Iterator[Record]:
        """All of them."""
        if self._form != "srv":
            yield from self._hosts()
            yield from self._pacc()
            yield from self._validation()
            yield from self._tlsa()
        yield from self._autodiscover()
        yield from self._mail()
        for service, dav in (("_caldav", self._provider.caldav), ("_carddav", self._provider.carddav)):
            yield from self._dav(service, dav)
        yield from self._jmap()
        for preference, host in self._options.mx:
            yield self._record("", "MX", preference, f"{host}.")

    def _hosts(self) -> t.Iterator[Record]:
        for host in self._served.labels:
            if self._form == "cname":
                yield self._record(host, "CNAME", f"{host}.{self._first}.")
            elif self._options.host:
                yield self._record(host, "CNAME", f"{self._options.host}.")
            else:
                yield from self._addresses(host)

    def _addresses(self, host: str) -> t.Iterator[Record]:
        for address in self._options.addresses:
            yield self._record(host, "A" if ipaddress.ip_address(address).version == 4 else "AAAA", address)
        # Not beside an alias, which must be alone at its name (RFC 1034 section 3.6.2).
        for authority in self._options.caa:
            yield self._record(host, "CAA", 0, "issue", authority)

    def _pacc(self) -> t.Iterator[Record]:
        """One record a digest: a client takes a document that has any of them. It asks over TLS alone."""
        if self._served.secure is not None and f"{PACC_LABEL}.{self._domain}" not in self._served.secure:
            return
        for digest in self._served.pacc:
            encoded = base64.b64encode(bytes.fromhex(digest)).decode()
            yield self._record(f"_{PACC_LABEL}", "TXT", f"v=UAAC1; a=sha256; d={encoded}")

    def _validation(self) -> t.Iterator[Record]:
        """Below a name, so that it may be an alias."""
        validation = self._options.validation
        if validation is None:
            return
        for name in ("",) if validation.wildcard else self._served.labels:
            yield self._record(f"_validation-persist.{name}".rstrip("."), "TXT", validation.text)

    def _tlsa(self) -> t.Iterator[Record]:
        """The public key of each host (DANE-EE, SPKI, SHA-256), which a renewed certificate with the same key keeps true."""
        for label in self._served.labels:
            key = self._served.keys.get(f"{label}.{self._domain}")
            if key:
                yield self._record(f"_{self._served.https_port}._tcp.{label}", "TLSA", 3, 1, 1, key)

    def _autodiscover(self) -> t.Iterator[Record]:
        """One record, on port 443: Outlook and Thunderbird ignore port and priority, and ask the host whatever they say."""
        if self._options.host:
            return  # an alias is no target (RFC 2782); clients ask autodiscover.D before they look for the record
        domain = self._domain if self._form == "own" else self._first
        yield self._srv("_autodiscover", f"autodiscover.{domain}", 443, weight=0)

    def _mail(self) -> t.Iterator[Record]:
        seen = set()
        for server in (*self._provider.incoming, *self._provider.outgoing):
            service = _MAIL_SERVICES.get((server.type, server.socket_type))
            if service and service not in seen:
                seen.add(service)
                yield self._srv(service, server.host_for(self._domain), server.port)
        if self._options.not_offered:
            # Without encryption a service is not announced, but it is offered, under the name that STARTTLS has.
            plain = {server.type for server in self._provider.incoming if server.socket_type == "plain"}
            seen.update(_MAIL_SERVICES.get((kind, "STARTTLS"), "") for kind in plain)
            for service in sorted(set(_REFUSABLE) - seen):
                yield self._record(f"{service}._tcp", "SRV", 0, 0, 0, ".")
        if self._provider.managesieve:
            yield self._srv("_sieve", self._provider.managesieve.host_for(self._domain), self._provider.managesieve.port)

    def _dav(self, service: str, dav: Dav | None) -> t.Iterator[Record]:
        target = _url_target(dav.url, self._domain) if dav else ""
        if dav is None or not target:
            return
        parts = urlsplit(dav.url)
        secure = parts.scheme == "https"
        name = service + ("s" if secure else "")
        yield self._srv(name, target, parts.port or (443 if secure else 80))
        path = parts.path or "/"
        if "%EMAIL" not in path:
            yield self._record(f"{name}._tcp", "TXT", f"path={path}")

    def _jmap(self) -> t.Iterator[Record]:
        service = self._provider.jmap_service
        target = _url_target(service.url, self._domain) if service else ""
        if service and target:
            yield self._srv("_jmap", target, urlsplit(service.url).port or 443)


def record_sets(found: t.Iterable[Record]) -> list[dict[str, t.Any]]:
    """All records of an owner and type as one entry (RFC 2181 section 5), as the module returns them; sorted."""
    groups: dict[tuple[str, str, int, str], list[str]] = {}
    for record in sorted(found):
        groups.setdefault((record.domain, record.owner, record.ttl, record.type), []).append(record.rdata)
    return [
        {"domain": domain, "owner": owner, "type": kind, "ttl": ttl, "rdata": rdata}
        for (domain, owner, ttl, kind), rdata in groups.items()
    ]


def _url_target(url: str, domain: str) -> str:
    """The host of a URL as the target of an SRV record; empty where it is an address, which a target cannot be."""
    host = (urlsplit(url).hostname or "").lower().replace("%emaildomain%", domain)
    try:
        return reading.hostname(host)
    except ValueError:
        return ""


def character_strings(text: str) -> str:
    """A text as quoted character-strings, each as long as one may be; what a zone file reads otherwise is escaped."""
    octets = text.encode()
    parts = [octets[index : index + _MAX_STRING] for index in range(0, len(octets), _MAX_STRING)] or [b""]
    return " ".join('"' + "".join(map(_escaped, part)) + '"' for part in parts)


def _escaped(octet: int) -> str:
    character = chr(octet)
    if character in '"\\':
        return f"\\{character}"
    return character if 32 <= octet < 127 else f"\\{octet:03d}"


def zone_text(found: t.Iterable[Record], header: str) -> str:
    """Records as zone text to ``$INCLUDE``: absolute owners, one line each, so that no origin or default matters."""
    lines = [f"{record.owner}\t{record.ttl}\tIN\t{record.type}\t{record.rdata}\n" for record in sorted(found)]
    return "".join([f"; {header}\n", *lines])


def zone_file(pattern: str, domain: str) -> str:
    """The path of the zone file for a domain; ``{domain}`` in the pattern is the domain."""
    return pattern.replace("{domain}", domain)
