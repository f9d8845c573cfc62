"""What an administrator wants a domain to say: his providers, and what the role has published. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from .._mail_autoconfig.clients import LABELS, PACC_LABEL
from .._mail_autoconfig.dns.records import DnsOptions, records
from .._mail_autoconfig.documents.logins import PLACEHOLDERS
from .._mail_autoconfig.input.model import Provider, Server
from .model import NO_TLS, STARTTLS, TLS, Service

_MODES = {"SSL": TLS, "STARTTLS": STARTTLS, "plain": NO_TLS}
_KINDS = ("imap", "pop3", "smtp")

# Owner without its final dot and in lower case, and type.
Key = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class RRset:
    """The records of an owner and type as they should be.

    :ivar sure: whether they must be there; what follows from a provider alone may be published otherwise
    """

    owner: str
    type: str
    rdatas: tuple[str, ...]
    ttl: int = 300
    sure: bool = True

    def lines(self) -> tuple[str, ...]:
        """As a zone file has them."""
        return tuple(f"{self.owner}. {self.ttl} IN {self.type} {rdata}" for rdata in self.rdatas)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What one domain should say; nothing is wanted where nobody said anything.

    :ivar services: every way in and out that is offered, best first; none if nobody said
    :ivar rrsets: the records that should be there
    :ivar urls: where documents should be, without query and with the host in lower case; None if nobody said
    :ivar left_out: whether there are providers, none of which has the domain; its records and URLs may be known all the same
    """

    services: tuple[Service, ...] = ()
    rrsets: tuple[RRset, ...] = ()
    urls: frozenset[str] | None = None
    left_out: bool = False

    @property
    def known(self) -> bool:
        """Whether anybody said anything."""
        return bool(self.services)

    def rrset(self, owner: str, kind: str) -> RRset | None:
        """What is wanted of an owner."""
        return next((each for each in self.rrsets if (each.owner, each.type) == (owner, kind)), None)

    def host(self, host: str) -> bool:
        """Whether a host should exist."""
        return any(each.owner == host and each.type in ("A", "AAAA", "CNAME") for each in self.rrsets)

    def page(self, url: str) -> bool:
        """Whether a document should be at a URL."""
        return self.urls is not None and place(url) in self.urls


def place(url: str) -> str:
    """A URL without scheme, port and query."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{parts.path}".lower()


def wanted(
    domain: str,
    providers: t.Sequence[Provider],
    given: t.Iterable[t.Mapping[str, t.Any]],
    urls: t.Iterable[t.Mapping[str, t.Any]],
    login: str = "",
) -> Wanted:
    """What is wanted of a domain.

    :arg given: records as the role returns them (``dns_records``)
    :arg urls: look-ups as the role returns them (``urls``)
    :arg login: the login name of who is asked for, where it does not follow from the address
    """
    provider = next((each for each in providers if domain in each.domains), None)
    known = [record for record in given if record["domain"] == domain]
    rrsets = _published(known) if known else _implied(provider, domain) if provider else ()
    places = frozenset(place(str(each["url"])) for each in urls if _belongs(str(each["url"]), domain))
    services = _services(provider, domain, login) if provider else ()
    return Wanted(services, rrsets, places if places else _places(provider, domain), bool(providers) and provider is None)


def _belongs(url: str, domain: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == domain or host in [f"{label}.{domain}" for label in (*LABELS, PACC_LABEL)]


def _services(provider: Provider, domain: str, login: str) -> tuple[Service, ...]:
    listed = (*provider.incoming, *provider.outgoing)
    return tuple(_service(server, domain, login) for server in listed if server.type in _KINDS and server.socket_type in _MODES)


def _service(server: Server, domain: str, login: str) -> Service:
    name = server.username.replace("%EMAILLOCALPART%@%EMAILDOMAIN%", "%EMAILADDRESS%")
    if login and server.username in PLACEHOLDERS:
        name = login
    return Service(server.type, server.host_for(domain), server.port, _MODES[server.socket_type], name, server.authentication)


def _published(known: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[RRset, ...]:
    groups: dict[tuple[str, str, int], list[str]] = {}
    for record in known:
        key = (str(record["owner"]).lower().rstrip("."), str(record["type"]), int(record["ttl"]))
        groups.setdefault(key, []).append(str(record["rdata"]))
    return tuple(RRset(owner, kind, tuple(sorted(rdatas)), ttl) for (owner, kind, ttl), rdatas in groups.items())


def _implied(provider: Provider, domain: str) -> tuple[RRset, ...]:
    """What follows from a provider: the services' records. Addresses are unknown, and so is how further domains are published."""
    found = [record for record in records(provider, DnsOptions()) if record.domain == domain and record.type == "SRV"]
    plain = [record.to_dict() for record in found if "_autodiscover" not in record.owner]
    return tuple(dataclasses.replace(rrset, sure=False) for rrset in _published(plain))


def _places(provider: Provider | None, domain: str) -> frozenset[str] | None:
    """Where documents should be by a provider alone: at the hosts of its first domain."""
    if provider is None or domain != provider.domains[0]:
        return None
    return frozenset((f"autoconfig.{domain}/mail/config-v1.1.xml", f"autodiscover.{domain}/autodiscover/autodiscover.xml"))
