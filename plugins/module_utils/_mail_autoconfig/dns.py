"""The DNS records that clients look up, as plain data.

PRIVATE to the collection. RFC 2782 (SRV), 6186 and 8314 section 5.1 (mail), 6764 (CalDAV, CardDAV), 8620 section 2.2 (JMAP),
5804 section 1.8 (ManageSieve); ``_autodiscover`` is Microsoft's.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t
from urllib.parse import urlsplit

from . import reading
from .model import Dav, Provider

# Service names by server type and socket type; the offered ones only, in the order clients should prefer.
_MAIL_SERVICES = {
    ("imap", "SSL"): "_imaps",
    ("imap", "STARTTLS"): "_imap",
    ("pop3", "SSL"): "_pop3s",
    ("pop3", "STARTTLS"): "_pop3",
    ("smtp", "SSL"): "_submissions",
    ("smtp", "STARTTLS"): "_submission",
}


@dataclasses.dataclass(frozen=True, order=True)
class Record:
    """One record: absolute owner with its final dot, TTL in seconds, rdata in presentation form (RFC 1035 section 5.1)."""

    owner: str
    type: str
    rdata: str
    ttl: int

    def to_dict(self) -> dict[str, t.Any]:
        """As the module returns it."""
        return {"owner": self.owner, "type": self.type, "ttl": self.ttl, "rdata": self.rdata}


def records(provider: Provider, addresses: tuple[str, ...], ttl: int) -> list[Record]:
    """All records of all domains of a provider, sorted; host records only where the addresses are known."""
    found: set[Record] = set()
    for domain in provider.domains:
        found.update(_host_records(domain, addresses, ttl))
        # The port must be 443 and the record the only one: Outlook and Thunderbird ignore port and priority.
        found.add(_srv("_autodiscover", domain, f"autodiscover.{domain}", 443, ttl, weight=0))
        found.update(_mail_records(provider, domain, ttl))
        for service, dav in (("_caldav", provider.caldav), ("_carddav", provider.carddav)):
            found.update(_url_records(service, domain, dav, ttl))
        if provider.jmap:
            target = _url_target(provider.jmap.url, domain)
            if target:
                found.add(_srv("_jmap", domain, target, urlsplit(provider.jmap.url).port or 443, ttl))
    return sorted(found)


def _host_records(domain: str, addresses: tuple[str, ...], ttl: int) -> t.Iterator[Record]:
    for host in ("autoconfig", "autodiscover"):
        for address in addresses:
            kind = "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
            yield Record(f"{host}.{domain}.", kind, address, ttl)


def _mail_records(provider: Provider, domain: str, ttl: int) -> t.Iterator[Record]:
    seen = set()
    for server in (*provider.incoming, *provider.outgoing):
        service = _MAIL_SERVICES.get((server.type, server.socket_type))
        if service and service not in seen:
            seen.add(service)
            yield _srv(service, domain, server.host_for(domain), server.port, ttl)
    if provider.managesieve:
        yield _srv("_sieve", domain, provider.managesieve.host_for(domain), provider.managesieve.port, ttl)


def _url_records(service: str, domain: str, dav: Dav | None, ttl: int) -> t.Iterator[Record]:
    if dav is None:
        return
    parts = urlsplit(dav.url)
    target = _url_target(dav.url, domain)
    if not target:
        return
    secure = parts.scheme == "https"
    name = service + ("s" if secure else "")
    yield _srv(name, domain, target, parts.port or (443 if secure else 80), ttl)
    path = parts.path or "/"
    if "%EMAIL" not in path:
        yield Record(f"{name}._tcp.{domain}.", "TXT", '"path=' + path.replace("\\", "\\\\").replace('"', '\\"') + '"', ttl)


def _url_target(url: str, domain: str) -> str:
    """The host of a URL as the target of an SRV record; empty where it is an address, which a target cannot be."""
    host = (urlsplit(url).hostname or "").lower().replace("%emaildomain%", domain)
    try:
        return reading.hostname(host)
    except ValueError:
        return ""


def _srv(service: str, domain: str, target: str, port: int, ttl: int, weight: int = 1) -> Record:
    return Record(f"{service}._tcp.{domain}.", "SRV", f"0 {weight} {port} {target}.", ttl)
