"""What our hosts must answer after a change, asked as clients ask. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import itertools
import re
import typing as t
from xml.sax.saxutils import escape

from . import clients
from .apache.dump import VirtualHost
from .apache.routes import ROUTES
from .apache.sites import HostGroup, SiteOptions
from .certificates import Certificate, PairFacts
from .documents import Document, apple, outlook, pacc, thunderbird
from .publication import Publication, Publications
from .questions import MANY, Expectation, Question

_USER = "mail_autoconfig"
_UNKNOWN_PATH = "/mail_autoconfig-unknown"
_DER = b"\x30"
# How the responder escapes what stands in no tag.
_QUOTES = {'"': "&quot;", "'": "&apos;"}
# Microsoft's request (MS-OXDSCLI section 2.2.3.1).
_REQUEST = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
    "<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>"
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
    "</AcceptableResponseSchema></Request></Autodiscover>"
)


def of_hosts(publications: Publications, pairs: t.Mapping[Certificate, PairFacts]) -> tuple[Expectation, ...]:
    """What our own hosts must answer: everything at the first and last of a provider, something at each site and certificate."""
    found: list[Expectation] = []
    if not publications.desired:
        return ()  # what is taken away has no answers
    for item in publications.items:
        for number, group in enumerate(item.groups):
            thorough = number in (0, len(item.groups) - 1)
            hosts = dict.fromkeys((group.hosts[0], group.hosts[-1]) if thorough else (group.hosts[0],))
            for host, domain in hosts:
                found.extend(_of_host(publications, item, group, host, domain, pairs, thorough))
    return tuple(found)


def of_certificates(publications: Publications, pairs: t.Mapping[Certificate, PairFacts]) -> dict[Certificate, Expectation]:
    """One question for each certificate of our hosts, to see whether it is shown."""
    port = publications.settings.site.https_port
    ips = publications.placement.addresses.get(port, ())
    groups = {group.certificate: group for item in publications.items for group in item.groups if group.certificate}
    return {
        pair: Expectation(
            Question("https", group.hosts[0][0], port, clients.AUTOCONFIG_PATH, ips[0]), 200, certificate=fingerprint
        )
        for pair, group in groups.items()
        for fingerprint in filter(None, [_fingerprint(publications, group, pairs)])
        if ips
    }


def _fingerprint(publications: Publications, group: HostGroup, pairs: t.Mapping[Certificate, PairFacts]) -> str:
    """Of the certificate that hosts must show; empty for any.

    One that mod_md brings may come at each reload. Without any certificate it answers 503, which is no good answer anyhow.
    """
    if group.certificate is None or publications.orders.names.intersection(group.names):
        return ""
    return pairs[group.certificate].fingerprint


def _of_host(
    publications: Publications,
    item: Publication,
    group: HostGroup,
    host: str,
    domain: str,
    pairs: t.Mapping[Certificate, PairFacts],
    thorough: bool,
) -> t.Iterator[Expectation]:
    options = publications.settings.site
    scheme, port = ("https", options.https_port) if group.certificate else ("http", options.http_port)
    certificate = _fingerprint(publications, group, pairs)
    for ip in publications.placement.addresses[port]:
        for path, method, body, expected, beginning in itertools.islice(_answers(item, options, domain), None if thorough else 1):
            question = Question(scheme, host, port, path, ip, method, body)
            yield Expectation(question, 200, expected, beginning, certificate=certificate)
        if thorough:
            yield Expectation(Question(scheme, host, port, _UNKNOWN_PATH, ip), 404, certificate=certificate)
    for ip in publications.placement.addresses[options.http_port] if group.certificate else ():
        question = Question("http", host, options.http_port, clients.AUTOCONFIG_PATH, ip)
        yield Expectation(question, 302, location=_secure(item, group, domain, options.https_port))


def _answers(item: Publication, options: SiteOptions, domain: str) -> t.Iterator[tuple[str, str, bytes, bytes | None, bytes]]:
    """Path, method, body, and the very bytes that must come, or their beginning."""
    for document in item.documents:
        if document.path in (thunderbird.PATH, pacc.PATH):
            yield ROUTES[document.path].path, "GET", b"", document.content, b""
    for document in item.documents:
        if document.path == outlook.PATH and options.personal:
            for address, login in _asked_for(item, domain):
                body = _REQUEST.format(address=escape(address)).encode()
                yield clients.AUTODISCOVER_PATH, "POST", body, _filled(document, address, login), b""
        elif document.path == outlook.PATH:
            yield clients.AUTODISCOVER_PATH, "GET", b"", document.content, b""
        elif document.path == apple.GENERAL_PATH:
            yield clients.PROFILE_PATH, "GET", b"", None if options.signer else document.content, _DER if options.signer else b""
        elif document.path.startswith("page/"):
            yield "/", "GET", b"", None, b""


def _asked_for(item: Publication, domain: str) -> list[tuple[str, str]]:
    """Addresses of a domain with their logins: one that has none of its own, and one that has."""
    own = ((address, login) for address, login in sorted(item.logins.items()) if address.endswith(f"@{domain}"))
    return [(f"{_USER}@{domain}", ""), *itertools.islice(own, 1)]


def _filled(document: Document, address: str, login: str) -> bytes:
    """The document as the responder fills it in.

    :arg login: empty where it follows from the address
    """
    user, _at, domain = address.partition("@")
    values = {"EMAILADDRESS": address, "EMAILLOCALPART": user, "EMAILDOMAIN": domain}
    values.update(EMAILLOGINADDRESS=login or address, EMAILLOGINLOCALPART=login or user)
    pieces = re.split(f"%({'|'.join(values)})%", document.content.decode())
    filled = [escape(values[piece], _QUOTES) if number % 2 else piece for number, piece in enumerate(pieces)]
    return "".join(filled).encode()


def _secure(item: Publication, group: HostGroup, domain: str, port: int) -> str:
    """Where HTTP leads: the same domain's host for the file, over TLS."""
    hosts = [host for host, other in group.hosts if other == domain]
    host = next((host for host in hosts if host.startswith("autoconfig.")), hosts[0])
    return f"https://{host}" + ("" if port == 443 else f":{port}") + clients.AUTOCONFIG_PATH


def of_domains(publications: Publications, neighbours: t.Sequence[VirtualHost]) -> tuple[Expectation, ...]:
    """What the sites of the mail domains themselves should answer with ``well_known``: those of them that are on this host."""
    options = publications.settings.site
    if not options.well_known:
        return ()
    names = {name for host in neighbours if host.port == options.https_port for name in host.names}
    return tuple(
        Expectation(Question("https", domain, options.https_port, clients.WELL_KNOWN_PATH), 200, document.content)
        for item in publications.items
        for document in item.documents
        if document.path == thunderbird.PATH
        for domain in item.provider.domains
        if domain in names
    )[:MANY]
