"""One run: from the checked input and what is on the host to the plan and the report.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from . import clients, plan
from .apache import neighbours, signing
from .apache import sites as site
from .apache.common import HEADER
from .apache.sites import HostGroup
from .dns import records as dns
from .documents import Document, apple, outlook, pacc, thunderbird
from .host import certificates as tls
from .host.transaction import Host, blocked_by
from .input.model import Provider
from .input.reading import InputError
from .input.settings import Settings
from .plan import Current, Desired, Manifest, Plan

# A certificate a domain would make ten thousand runs of openssl.
_COMPARED_CERTIFICATES = 20


@dataclasses.dataclass(frozen=True)
class Preparation:
    """What a run will do and say."""

    plan: Plan
    current: Current
    requests: tuple[clients.Request, ...]
    records: tuple[dns.Record, ...]
    warnings: tuple[str, ...]


def prepare(settings: Settings, host: Host) -> Preparation:
    """Work out what to publish. Raises InputError for what cannot be done on this host; nothing is written."""
    certificates = _certificates(settings, host)
    problems = list(_certificate_problems(settings, certificates))
    settings = _settle_responder(settings, host, problems)
    problems.extend(_root_problems(settings))
    warnings: list[str] = []
    manifest = host.manifest()
    served = _served_documents(settings, manifest, warnings)
    groups = {
        provider.id: _host_groups(settings, provider, served[provider.id].labels, certificates, warnings)
        for provider in settings.providers
    }
    foreign = neighbours.virtual_hosts(host.neighbours(manifest))
    groups = _widened(settings, groups, manifest, foreign)
    _check_signing(settings, groups, host, problems, warnings)
    prefix = _site_prefix(settings, groups, foreign, problems, warnings)
    served = _served_over_tls(settings, served, groups, host, warnings)
    records = {provider.id: dns.records(provider, settings.dns, served[provider.id]) for provider in settings.providers}
    zone_files = _zone_files(settings, records)
    desired = [
        _desired(settings, provider, groups[provider.id], prefix, host, zone_files.get(provider.id, {}), warnings)
        for provider in settings.providers
    ]
    current = host.current((path for item in desired for path in item.files), manifest)
    dropped = set(current.manifest) - {item.provider for item in desired} if settings.purge else set()
    has_pacc = any(item.pacc for item in served.values())
    modules = site.modules(settings.site, [group for item in groups.values() for group in item], has_pacc)
    result = plan.make(desired, dropped, modules, current, settings.adopt)
    problems.extend(result.problems)
    if problems:
        raise InputError(problems)
    return Preparation(
        plan=result,
        current=current,
        requests=_requests(settings, groups),
        records=tuple(record for provider in settings.providers for record in records[provider.id]),
        warnings=(*warnings, *result.warnings),
    )


def prepare_removal(settings: Settings, host: Host) -> Preparation:
    """Work out how to take away the providers that are named, or all with ``purge``. Raises InputError."""
    current = host.current((), host.manifest())
    dropped = set(current.manifest) if settings.purge else {provider.id for provider in settings.providers}
    wanted = {domain: provider.id for provider in settings.providers for domain in provider.domains}
    problems = [
        f"provider {provider}: {', '.join(domains)} is served on this host by provider {name}, which serves "
        f"{_some(holding.domains)}: name that one"
        for name, holding in sorted(current.manifest.items())
        if name not in dropped
        for provider, domains in sorted(plan.by_provider(holding.domains, wanted).items())
    ]
    if problems:
        raise InputError(problems)
    result = plan.make((), dropped, (), current)
    served = _served_documents(settings, current.manifest, [])
    records = [record for provider in settings.providers for record in dns.records(provider, settings.dns, served[provider.id])]
    return Preparation(result, current, (), tuple(records), result.warnings)


def _settle_responder(settings: Settings, host: Host, problems: list[str]) -> Settings:
    """Decide whether the responder answers, which needs mod_lua (on Debian part of the package apache2-bin)."""
    available = host.has_module("lua")
    for option, wanted in (("responder", settings.responder == "lua"), ("well_known", settings.site.well_known)):
        if wanted and not available:
            problems.append(
                f"{option}: Apache's module lua is not available here ({host.layout.available('mods')}/lua.load); on Debian "
                "the package apache2-bin brings it"
            )
    personal = available if settings.responder == "auto" else settings.responder == "lua"
    for option, given in (("signing_certificate", settings.site.signer), ("setup_pages", settings.pages)):
        if given and not personal:
            problems.append(f"{option}: needs the responder, which needs Apache's module lua (responder: lua)")
    return dataclasses.replace(settings, site=dataclasses.replace(settings.site, personal=personal))


def _documents(settings: Settings, provider: Provider) -> list[Document]:
    personal = settings.site.personal
    documents = [thunderbird.render(provider), outlook.render(provider, personal), *apple.render(provider, personal)]
    if settings.pacc:
        documents.append(pacc.render(provider))
    return [*(document for document in documents if document is not None), *settings.pages.get(provider.id, {}).values()]


def _served_documents(settings: Settings, manifest: Manifest, warnings: list[str]) -> dict[str, dns.Served]:
    """The digests of PACC documents by provider: that of this run, and those that clients got until now.

    A client that has the old document, or an old record from a cache, goes on working during a change. The next run finds the
    new digest alone in the manifest.
    """
    earlier: dict[str, tuple[str, ...]] = {}
    for holding in manifest.values() if settings.pacc else ():
        known = [digest for path, digests in holding.files.items() if path.endswith(f"/{pacc.PATH}") for digest in digests]
        # By domain, because a domain may have had its document from a provider of another name.
        earlier.update((domain, tuple(known)) for domain in holding.domains)
    found = {}
    for provider in settings.providers:
        document = pacc.render(provider) if settings.pacc else None
        digests: tuple[str, ...] = ()
        if document is not None:
            before = [digest for domain in provider.domains for digest in earlier.get(domain, ())]
            digests = tuple(dict.fromkeys((plan.digest(document.content), *before)))
        elif settings.pacc:
            warnings.append(
                f"{provider.id}: PACC can say nothing of it (servers with TLS on the default port, the address as user name): "
                "there is no document"
            )
        found[provider.id] = dns.Served(digests, https_port=settings.site.https_port)
    return found


def _served_over_tls(
    settings: Settings,
    served: t.Mapping[str, dns.Served],
    groups: t.Mapping[str, tuple[HostGroup, ...]],
    host: Host,
    warnings: list[str],
) -> dict[str, dns.Served]:
    """With the hosts that answer over TLS, and the digests of their keys if records shall name them; each is read once."""
    digests: dict[str, str] = {}
    found = {}
    for provider_id, item in served.items():
        keys = {}
        for group in groups[provider_id] if settings.tlsa else ():
            if group.certificate is None:
                continue
            file = group.certificate.file
            if file not in digests:
                facts = host.certificate_facts(file)
                digests[file] = tls.key_digest(facts.public_key) if facts else ""
                if facts is None:
                    warnings.append(f"{provider_id}: dns_tlsa: openssl cannot read {file}, so there are no TLSA records of it")
            keys.update(dict.fromkeys(group.names, digests[file]))
        found[provider_id] = dataclasses.replace(item, keys=keys, secure=site.secure_names(groups[provider_id]))
    return found


def _desired(
    settings: Settings,
    provider: Provider,
    groups: tuple[HostGroup, ...],
    prefix: str,
    host: Host,
    zone_files: t.Mapping[str, bytes],
    warnings: list[str],
) -> Desired:
    documents = _documents(settings, provider)
    warnings.extend(f"{provider.id}: {warning}" for document in documents for warning in document.warnings)
    sites = site.site_files(provider, groups, documents, settings.site, host.layout, prefix)
    files = {**zone_files}
    enabled: dict[str, list[str]] = {"sites": [], "conf": []}
    for item in (*site.document_files(provider, documents, settings.site), *sites):
        files[item.path] = item.content
        if item.enabled_in:
            enabled[item.enabled_in].append(item.link_name)
    return Desired(provider.id, provider.domains, files, {kind: tuple(sorted(names)) for kind, names in enabled.items() if names})


def _certificates(settings: Settings, host: Host) -> tls.Certificates:
    def names_of(path: str) -> t.Collection[str] | None:
        output = host.certificate_names(path)
        return None if output is None else tls.names_in(output)

    return tls.Certificates(settings.certificate_file, settings.certificate_key_file, host.exists, names_of)


def _certificate_problems(settings: Settings, certificates: tls.Certificates) -> t.Iterator[str]:
    """A certificate that the administrator named must be there, at least for the provider's first domain."""
    if not (settings.https and settings.certificate_is_given):
        return
    for provider in settings.providers:
        for path in certificates.missing(provider.domains[0]):
            which = "certificate_file" if path == certificates.at(provider.domains[0]).file else "certificate_key_file"
            yield f"{which}: {path} does not exist on this host"


def _check_signing(
    settings: Settings,
    groups: t.Mapping[str, tuple[HostGroup, ...]],
    host: Host,
    problems: list[str],
    warnings: list[str],
) -> None:
    """Refuse a pair that cannot sign, or that the web server's user should not be able to read."""
    signer = settings.site.signer
    if signer is None:
        warnings.extend(
            f"{provider.id}: Apple's profile is not signed: iPhones and Macs show it as Not Signed or Unverified, and install it "
            "all the same; signing_certificate and signing_key sign it"
            for provider in settings.providers
            if apple.render(provider)
        )
        return
    now = time.time()
    found = host.pair_facts(signer)
    problems.extend(signing.problems(signer, found, now))
    warnings.extend(filter(None, [signing.warning(found, now)]))
    if not settings.signing_with_tls_key:
        problems.extend(_tls_key_problems(signer, found, groups, host))


def _tls_key_problems(
    signer: signing.Signer, found: signing.PairFacts, groups: t.Mapping[str, tuple[HostGroup, ...]], host: Host
) -> t.Iterator[str]:
    """The signing key must not be a TLS key, whose owner is root alone for good reason."""
    used = {group.certificate for item in groups.values() for group in item if group.certificate}
    for certificate in sorted(used, key=lambda pair: pair.file)[:_COMPARED_CERTIFICATES]:
        facts = host.certificate_facts(certificate.file)
        if facts and facts.public_key == found.public_key:
            yield (
                f"signing_key: {signer.key} is the TLS key of {certificate.file}, and everything that runs as {found.user} could "
                "read it: make a pair of its own, or say signing_with_tls_key: true"
            )
            return


def _some(names: t.Sequence[str]) -> str:
    """A list of names for a message, not longer than a line."""
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _root_problems(settings: Settings) -> t.Iterator[str]:
    for option, path in (("document_root", settings.site.document_root), ("state_directory", settings.state_directory)):
        blocker = blocked_by(path)
        if blocker is not None:
            yield f"{option}: {blocker} is not a directory"


def _host_groups(
    settings: Settings, provider: Provider, labels: t.Sequence[str], certificates: tls.Certificates, warnings: list[str]
) -> tuple[HostGroup, ...]:
    """Group the host names by certificate, and warn of those that have none."""
    first = provider.domains[0]

    def certificate_for(name: str, domain: str) -> site.Certificate | None:
        return certificates.choose(name, (domain, first)) if settings.https else None

    domains = [domain for domain in provider.domains if dns.has_hosts(provider, domain, settings.dns.further_domains)]
    groups = site.host_groups(domains, certificate_for, labels)
    without = [name for group in groups if group.certificate is None for name in group.names]
    if not settings.https:
        warnings.append(f"{provider.id}: https is off: Delta Chat, aerc and Geary ask over HTTPS only")
    elif without:
        warnings.append(
            f"{provider.id}: no certificate names {_some(without)} (looked at {certificates.at(first).file}): "
            "served over HTTP only, which K-9 marks as untrusted and Delta Chat, aerc, Geary and Outlook do not ask"
        )
    if provider.id in settings.pages and settings.https and f"autoconfig.{first}" in without:
        warnings.append(
            f"{provider.id}: the setup page's QR code leads to https://autoconfig.{first}, which no certificate serves yet; "
            "run again when there is one, or with https: false"
        )
    if any(name.startswith(f"{clients.PACC_LABEL}.") for name in without):
        warnings.append(
            f"{provider.id}: PACC is over HTTPS alone: without a certificate that names it, a host of it is not announced"
        )
    return groups


def _widened(
    settings: Settings,
    groups: dict[str, tuple[HostGroup, ...]],
    manifest: Manifest,
    foreign: t.Iterable[neighbours.VirtualHost],
) -> dict[str, tuple[HostGroup, ...]]:
    """The same, where a wildcard stands for very many names without certificate, of the one provider that has the most.

    A second one could not have it, because Apache takes the first wildcard that fits; nor can any if a site that is read later
    has such names.
    """
    named = {provider.id for provider in settings.providers}
    others = [name for key, holding in manifest.items() if key not in named for name in holding.enabled.get("sites", ())]
    taken = not settings.purge and any(site.WIDE_PREFIX in name for name in others)
    labels = (*clients.LABELS, clients.PACC_LABEL)
    hidden = any(host.file > site.WIDE_PREFIX and name.partition(".")[0] in labels for host in foreign for name in host.names)
    if taken or hidden or not (settings.site.personal or settings.site.well_known):
        return groups
    sizes = [
        (len(group.names), key, index)
        for key, item in groups.items()
        for index, group in enumerate(item)
        if group.certificate is None and len(group.names) > site.MANY_NAMES
    ]
    if not sizes:
        return groups
    _size, key, index = max(sizes)
    item = list(groups[key])
    item[index] = dataclasses.replace(item[index], wide=True)
    return {**groups, key: tuple(item)}


def _ports(settings: Settings, groups: t.Iterable[HostGroup]) -> list[int]:
    ports = [settings.site.http_port]
    if any(group.certificate for group in groups):
        ports.append(settings.site.https_port)
    return ports


def _site_prefix(
    settings: Settings,
    groups: t.Mapping[str, tuple[HostGroup, ...]],
    foreign: t.Sequence[neighbours.VirtualHost],
    problems: list[str],
    warnings: list[str],
) -> str:
    """Hold our names against the sites that are there; the prefix that leaves them their places."""
    prefixes = [""]
    for provider in settings.providers:
        ports = _ports(settings, groups[provider.id])
        names = [name for group in groups[provider.id] for name in group.names]
        problems.extend(f"{provider.id}: {conflict}" for conflict in neighbours.conflicts(names, ports, foreign))
        shadows = neighbours.shadows(names, ports, foreign, settings.site.listen)
        warnings.extend(f"{provider.id}: {shadow}" for shadow in shadows)
        prefixes.extend(neighbours.site_prefix(group.names[0], ports, foreign) for group in groups[provider.id])
    return max(prefixes)


def _requests(settings: Settings, groups: t.Mapping[str, tuple[HostGroup, ...]]) -> tuple[clients.Request, ...]:
    found: list[clients.Request] = []
    for provider in settings.providers:
        secure = site.secure_names(groups[provider.id])
        hosts = {name for group in groups[provider.id] for name in group.names}
        if settings.site.well_known:
            # Whether the domain's own site has TLS is not ours to know; clients ask there over HTTPS first.
            hosts.update(provider.domains)
            secure.update(provider.domains if settings.https else ())
        profile, page = bool(apple.render(provider)), provider.id in settings.pages
        for domain in provider.domains:
            found.extend(clients.requests(domain, secure, hosts, profile, page))
            if not dns.has_hosts(provider, domain, settings.dns.further_domains):
                found.append(clients.request_by_srv(f"autodiscover.{provider.domains[0]}", secure))
    return tuple(found)


def _zone_files(settings: Settings, records: t.Mapping[str, list[dns.Record]]) -> dict[str, dict[str, bytes]]:
    """Zone text by provider and path; a file belongs to every provider that has records in it."""
    if not settings.zone_file:
        return {}
    owners: dict[str, set[str]] = {}
    found: dict[str, list[dns.Record]] = {}
    for provider in records:
        for record in records[provider]:
            path = dns.zone_file(settings.zone_file, record.domain)
            owners.setdefault(path, set()).add(provider)
            found.setdefault(path, []).append(record)
    files: dict[str, dict[str, bytes]] = {}
    for path, providers in owners.items():
        content = dns.zone_text(found[path], HEADER.text).encode()
        for provider in providers:
            files.setdefault(provider, {})[path] = content
    return files
