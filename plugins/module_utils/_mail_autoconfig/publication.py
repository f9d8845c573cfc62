"""What a run publishes: for each provider its documents, hosts, files and records, and what is wrong with them. Pure.

PRIVATE to the collection. Worked out from the settings and the survey alone.
"""

from __future__ import annotations

import dataclasses
import functools
import time
import typing as t

from . import clients, extra_names, lineages, orders, profile_signing
from .apache import challenges, managed_domains, neighbours, signing
from .apache import sites as site
from .apache.common import HEADER
from .apache.neighbours import Placement
from .apache.sites import HostGroup
from .certificates import (
    CERTBOT,
    GIVEN,
    MOD_MD,
    ORDERING,
    Certificate,
    Certificates,
    Choice,
    Content,
    PairFacts,
    Search,
    covers,
    pair_at,
)
from .dns import records as dns
from .documents import Document, apple, logins, outlook, pacc, thunderbird
from .extra_names import ExtraNames
from .files import File, Kind, digest, enabled
from .findings import Findings, of_each, some, total
from .host.platform import Platform
from .host.survey import Survey
from .input.doubts import doubts
from .input.model import Provider
from .input.settings import Settings
from .lineages import Lineages
from .manifest import Holding, Manifest, pairs_of
from .orders import Orders
from .plan import SHARED, SIGNING, Desired, by_provider
from .profile_signing import ProfileSigning

# A certificate a domain would make ten thousand comparisons of keys.
_COMPARED_CERTIFICATES = 20
_NO_ORDERS = Orders()
_NO_LINEAGES = Lineages()
# Where pairs go that providers bring, in the state directory.
_CONTENTS = "certificates"
# Where tables of logins go, likewise.
_LOGINS = "logins"
# What a zone file holds that has no records any more.
EMPTY_ZONE = dns.zone_text((), HEADER.text).encode()


@dataclasses.dataclass(frozen=True)
class Publication:
    """What one provider publishes.

    :ivar groups: its host names by certificate
    :ivar choices: why each host name has its certificate, or has none
    :ivar served: what records say of the hosts
    :ivar dns_options: how they say it
    :ivar logins: login names of its people that do not follow from the address
    :ivar extra: further names that its certificates are to have, each with its mail domain, and the choice
    :ivar answered: those of them whose challenges one of its sites answers
    """

    provider: Provider
    documents: tuple[Document, ...]
    groups: tuple[HostGroup, ...]
    choices: t.Mapping[str, Choice]
    served: dns.Served
    dns_options: dns.DnsOptions
    logins: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    extra: t.Mapping[str, tuple[str, Choice]] = dataclasses.field(default_factory=dict)
    answered: tuple[str, ...] = ()

    @functools.cached_property
    def records(self) -> tuple[dns.Record, ...]:
        """Its records; those of ten thousand domains are not made before somebody asks."""
        return tuple(dns.records(self.provider, self.dns_options, self.served))

    @property
    def certificates(self) -> list[Certificate]:
        """Those that serve its hosts."""
        return [group.certificate for group in self.groups if group.certificate]

    @property
    def names(self) -> list[str]:
        """All its host names."""
        return [name for group in self.groups for name in group.names]


@dataclasses.dataclass(frozen=True)
class Publications:
    """What a run publishes.

    :ivar settings: with what was left to the host decided
    :ivar desired: by provider, and what all share
    :ivar modules: of Apache, that are needed
    :ivar dropped: ids of providers that go
    :ivar adopted: paths of files of somebody else in whose place ours come
    :ivar moment: of the survey
    :ivar orders: certificates that mod_md orders for us
    :ivar lineages: certificates that certbot orders for us
    :ivar obsolete: certificates that our sites used before, and that nobody uses any more; for each the command that deletes it,
        empty where it may be for others too
    :ivar signing: what signs profiles by a host name; None without one
    """

    settings: Settings
    items: tuple[Publication, ...]
    placement: Placement
    desired: tuple[Desired, ...]
    modules: tuple[str, ...]
    dropped: frozenset[str]
    findings: Findings
    adopted: frozenset[str] = frozenset()
    moment: float = 0
    obsolete: t.Mapping[Certificate, str] = dataclasses.field(default_factory=dict)
    orders: Orders = _NO_ORDERS
    lineages: Lineages = _NO_LINEAGES
    signing: ProfileSigning | None = None

    @property
    def displaced(self) -> tuple[str, ...]:
        """Names of adopted sites that ours do not overwrite, because ours need names that are read later."""
        if not self.placement.prefix:
            return ()
        return tuple(sorted(path.rpartition("/")[2][: -len(".conf")] for path in self.adopted))

    @property
    def records(self) -> tuple[dns.Record, ...]:
        """The records of all providers."""
        return tuple(record for item in self.items for record in item.records)

    @property
    def requests(self) -> tuple[clients.Request, ...]:
        """What each client will ask."""
        return tuple(request for item in self.items for request in _requests(self.settings, item))


def candidates(settings: Settings) -> Search:
    """The certificates that a run may use."""
    signed = tuple(filter(None, [settings.signing_host]))
    if not (settings.https or signed):
        return Search()
    domains = dict.fromkeys(domain for provider in settings.providers for domain in provider.domains)
    named = (*(domains if settings.https else ()), *signed)
    pairs = tuple(dict.fromkeys(pair_at(settings.certificate_file, settings.certificate_key_file, domain) for domain in named))
    is_pattern = "*" in settings.certificate_file
    hosts = [f"{label}.{domain}" for domain in domains for label in clients.ALL_LABELS] if settings.https else []
    hosts += [name for names in settings.extra_names.values() for name in names]
    return Search(
        pairs=() if is_pattern else pairs,
        patterns=pairs if is_pattern else (),
        hosts=frozenset([*hosts, *signed]),
        everywhere=any(_looks_everywhere(settings, provider) for provider in settings.providers)
        or bool(signed and settings.certificates != GIVEN),
        contents=dict(filter(None, (_content(settings, provider) for provider in settings.providers))),
        signing=settings.signing_host,
    )


def _content(settings: Settings, provider: Provider) -> tuple[Certificate, Content] | None:
    """The pair that a provider brings: where it goes, and what it is."""
    if not (provider.certificate_content and settings.https):
        return None
    content = Content(provider.certificate_content.encode(), provider.certificate_key_content.encode())
    return content.at(f"{settings.state_directory}/{_CONTENTS}", provider.id), content


def _brought(settings: Settings, provider: Provider) -> Certificate | None:
    """Where the pair goes that a provider brings."""
    found = _content(settings, provider)
    return found[0] if found else None


def _looks_everywhere(settings: Settings, provider: Provider) -> bool:
    return settings.source(provider) != GIVEN


def lacking(settings: Settings, survey: Survey, extra: ExtraNames) -> dict[str, tuple[str, ...]]:
    """The mail domains for which certbot may have to order, with the host names that have to lead here."""
    apart = _apart(settings, survey, extra)
    found = lineages.lacking(to_order(settings, extra, CERTBOT), _certificates(settings, survey), survey.moment, apart)
    return {
        domain: (*names, *dict.fromkeys(apart.answering[name] for name in names if name in apart.answering))
        for domain, names in found.items()
    }


def widened_lineages(settings: Settings, survey: Survey, extra: ExtraNames) -> frozenset[str]:
    """The lineages of which has to be known whether their names are all ours."""
    return lineages.to_be_read(to_order(settings, extra, CERTBOT), _certificates(settings, survey))


def _apart(settings: Settings, survey: Survey, extra: ExtraNames) -> lineages.Apart:
    """The host names that are no sites of ours, and for which certbot orders all the same."""
    answering = {
        name: site_of
        for provider in settings.providers
        if settings.source(provider) == CERTBOT
        for site_of in [f"autoconfig.{provider.domains[0]}"]
        for domain in provider.domains
        for name in extra.ordered.get(domain, ())
    }
    if not settings.signing_host or settings.certificates != CERTBOT:
        return lineages.Apart("", answering)
    signing_host = settings.signing_host
    return lineages.Apart(signing_host, {signing_host: profile_signing.answering(settings, survey.manifest), **answering})


def to_order(settings: Settings, extra: ExtraNames, source: str) -> dict[str, tuple[str, ...]]:
    """The host names that need a certificate of a source, by mail domain; what signs stands for itself."""
    signed = [settings.signing_host] if settings.signing_host and source == settings.certificates else []
    return {host: (host,) for host in signed} | {
        domain: (*(f"{label}.{domain}" for label in _labels(settings, provider)), *extra.ordered.get(domain, ()))
        for provider in settings.providers
        if settings.source(provider) == source
        for domain in provider.domains
        if dns.has_hosts(provider, domain, settings.dns.further_domains)
    }


def _labels(settings: Settings, provider: Provider) -> tuple[str, ...]:
    has_pacc = settings.pacc and pacc.render(provider) is not None
    return clients.ALL_LABELS if has_pacc else clients.LABELS


def _certificates(settings: Settings, survey: Survey) -> Certificates:
    paths = settings.certificate_file, settings.certificate_key_file
    return Certificates(*paths, survey.pairs, survey.manifest.certificates, survey.moment)


def publish(settings: Settings, survey: Survey, platform: Platform) -> Publications:
    """Work out what to publish."""
    settings, responding = _settle_responder(settings, survey)
    certificates = _certificates(settings, survey)
    # Of a host without Apache nothing is known that decides what is ordered.
    ordered, kept = Orders(), Lineages()
    extra = extra_names.judge(settings, survey)
    if survey.installed:
        ordered = orders.plan(to_order(settings, extra, MOD_MD), survey.ledger, settings.acme)
        apart = _apart(settings, survey, extra)
        kept = lineages.plan(
            to_order(settings, extra, CERTBOT), certificates, survey.certbot, survey.ledger, settings.acme, apart
        )
    items, describing = _items(settings, certificates, survey.manifest, ordered, kept)
    items = tuple(_with_extra(settings, item, extra, survey, ordered, kept) for item in items)
    items = _widened(settings, items, survey)
    named = {item.provider.id for item in items} | {SHARED, SIGNING}
    others = {name: holding for name, holding in survey.manifest.providers.items() if name not in named and not settings.purge}
    signed = profile_signing.choose(settings, survey, ordered, kept, _served_pairs(items, others))
    if signed:
        settings = dataclasses.replace(settings, site=dataclasses.replace(settings.site, signer=signed.signer))
    wanted = _wanted(settings, items, survey.manifest, platform)
    placement = neighbours.place(wanted, survey.ground)
    desired = _desired(settings, items, placement, platform, ordered, survey.web_group)
    dropped = set(survey.manifest.providers) - named - set(others)
    if signed:
        desired.append(profile_signing.desired(settings, signed, ordered, kept, survey, platform))
    shared = _shared(settings, items, placement, platform, _owner_of_default(survey.manifest), others)
    if shared is None and not (others and any(placement.defaults.values())):
        dropped.add(SHARED)
    if shared is not None:
        desired.append(shared)
    if not (signed or others):
        dropped.add(SIGNING)
    modules = site.modules(settings.site, [group for item in items for group in item.groups])
    if ordered.managed:
        modules = (*modules, managed_domains.MODULE)
    findings = total(
        [
            responding,
            describing,
            ordered.findings,
            kept.findings,
            extra.findings,
            _certificate_findings(settings, items, certificates, survey.moment),
            _content_findings(settings, items, certificates),
            _ground_findings(settings, survey),
            placement.findings,
            signed.findings if signed else _signing_findings(settings, items, survey),
            profile_signing.of_another(settings.signing_host, survey.manifest.providers.get(SIGNING, Holding()), others),
            _module_findings(modules, survey),
        ]
    )
    return Publications(
        settings=settings,
        items=items,
        placement=placement,
        desired=tuple(desired),
        modules=closed(modules, survey),
        dropped=frozenset(dropped & set(survey.manifest.providers)),
        findings=findings,
        adopted=wanted.adopted,
        moment=survey.moment,
        obsolete=_obsolete(settings, survey, desired, others),
        orders=ordered,
        lineages=kept,
        signing=signed,
    )


def _served_pairs(items: t.Iterable[Publication], others: t.Mapping[str, Holding]) -> set[Certificate]:
    """The pairs with which our sites serve, also those of providers that this run does not name."""
    return {pair for item in items for pair in item.certificates} | pairs_of(others.values())


def remove(settings: Settings, survey: Survey) -> Publications:
    """Work out how to take away the providers that are named, or all with ``purge``, with the records that they had."""
    manifest = survey.manifest
    certificates = _certificates(settings, survey)
    items, _describing = _items(settings, certificates, manifest, Orders(), Lineages())
    dropped = set(manifest.providers) if settings.purge else {provider.id for provider in settings.providers}
    remaining = set(manifest.providers) - dropped - {SHARED, SIGNING}
    owner = _owner_of_default(manifest)
    warnings = []
    if not remaining or (owner in dropped & set(manifest.providers) and has_tls(manifest.providers[owner])):
        # Its certificate may go with the provider, and then Apache would not start.
        dropped.add(SHARED)
    if not remaining:
        dropped.add(SIGNING)
    if remaining and SHARED in dropped & set(manifest.providers):
        warnings.append(
            f"the site for unknown names used the certificate of {owner} and goes with it; until the next run for "
            f"{some(sorted(remaining))} such names come to the first site that is left"
        )
    wanted = {domain: provider.id for provider in settings.providers for domain in provider.domains}
    problems = [
        f"provider {provider}: {', '.join(domains)} is served on this host by provider {name}, which serves "
        f"{some(holding.domains)}: name that one"
        for name, holding in sorted(manifest.providers.items())
        if name not in dropped
        for provider, domains in sorted(by_provider(holding.domains, wanted).items())
    ]
    placement = Placement("", {}, {}, Findings())
    findings = Findings(tuple(problems), tuple(warnings))
    return Publications(
        settings=settings,
        items=items,
        placement=placement,
        desired=(),
        modules=(),
        dropped=frozenset(dropped & set(manifest.providers)),
        findings=findings,
        moment=survey.moment,
        obsolete=_obsolete(settings, survey, (), {name: manifest.providers[name] for name in remaining}),
    )


def _obsolete(
    settings: Settings, survey: Survey, desired: t.Iterable[Desired], others: t.Mapping[str, Holding]
) -> dict[Certificate, str]:
    """Certificates that our sites used before, and that are there for nobody any more, with the commands that delete them."""
    used = {pair for item in desired for pair in item.certificates} | pairs_of(others.values())
    return {
        pair: lineages.deletion(pair, settings.certbot_directory) if is_ours else ""
        for pair, is_ours in sorted(survey.left.items())
        if pair not in used
    }


def _owner_of_default(manifest: Manifest) -> str:
    """The provider whose certificate the site for unknown names uses; empty where there is none."""
    return manifest.providers.get(SHARED, Holding()).of


# -- what each provider has -------------------------------------------------------------------------------------------


def _settle_responder(settings: Settings, survey: Survey) -> tuple[Settings, Findings]:
    """Decide whether the responder answers, which needs mod_lua (on Debian part of the package apache2-bin)."""
    available = "lua" in survey.available or "lua" in survey.loaded
    problems = [
        f"{option}: Apache's module lua is not available here; on Debian the package apache2-bin brings it"
        for option, wanted in (("responder", settings.responder == "lua"), ("well_known", settings.site.well_known))
        if wanted and not available
    ]
    personal = available if settings.responder == "auto" else settings.responder == "lua"
    problems += [
        f"{option}: needs the responder, which needs Apache's module lua (responder: lua)"
        for option, given in (
            ("signing_certificate", settings.site.signer),
            ("signing_host", settings.signing_host),
            ("setup_pages", settings.pages),
            ("logins", settings.logins),
        )
        if given and not personal
    ]
    settled = dataclasses.replace(settings, site=dataclasses.replace(settings.site, personal=personal))
    return settled, Findings(tuple(problems))


def _items(
    settings: Settings, certificates: Certificates, manifest: Manifest, ordered: Orders, kept: Lineages
) -> tuple[tuple[Publication, ...], Findings]:
    earlier = _earlier_digests(manifest) if settings.pacc else {}
    items = []
    findings = {}
    for provider in settings.providers:
        named = settings.logins_of(provider)
        documents = _documents(settings, provider, bool(named))
        served, without_pacc = _served(settings, provider, documents, earlier)
        domains = [domain for domain in provider.domains if dns.has_hosts(provider, domain, settings.dns.further_domains)]
        choices = _choices(settings, provider, domains, served.labels, certificates, ordered, kept)
        groups = _host_groups(settings, domains, choices, served.labels, ordered)
        served = _served_over_tls(settings, served, groups, certificates)
        items.append(Publication(provider, documents, groups, choices, served, settings.dns, named))
        about_documents = Findings(warnings=tuple(warning for document in documents for warning in document.warnings))
        doubtful = Findings(warnings=tuple(doubts(provider)))
        found = [doubtful, about_documents, without_pacc, _host_findings(settings, provider, groups, certificates)]
        found += [_login_findings(provider)] if named else []
        findings[provider.id] = total(found)
    return tuple(items), of_each(findings)


def _with_extra(
    settings: Settings,
    item: Publication,
    extra: ExtraNames,
    survey: Survey,
    ordered: Orders,
    kept: Lineages,
) -> Publication:
    """The same with the further names that its certificates are to have."""
    if not extra.ordered:
        return item
    is_certbot = settings.source(item.provider) == CERTBOT
    pair_of = kept.own.get if is_certbot else ordered.pair_of
    chosen = extra_names.choices(settings, item.provider, extra, survey, pair_of, kept if is_certbot else ordered)
    answered = [name for domain in item.provider.domains for name in extra.ordered.get(domain, ())] if is_certbot else []
    return dataclasses.replace(item, extra=chosen, answered=tuple(answered))


def _documents(settings: Settings, provider: Provider, has_logins: bool) -> tuple[Document, ...]:
    personal = settings.site.personal
    named = logins.with_placeholders(provider) if has_logins else provider
    file = thunderbird.render(provider, settings.list_domains)
    documents = [file, outlook.render(named, personal), *apple.render(named, personal)]
    if has_logins:
        personal_file = thunderbird.render(named, settings.list_domains)
        documents.append(dataclasses.replace(personal_file, path=thunderbird.PERSONAL_PATH, warnings=()))
    if settings.pacc:
        documents.append(pacc.render(provider))
    return (*(document for document in documents if document is not None), *settings.pages.get(provider.id, {}).values())


def _login_findings(provider: Provider) -> Findings:
    """Whom login names that do not follow from the address do not reach."""
    warnings = ["logins: K-9, KMail and Geary ask without the address, and get the user name that follows from it"]
    unmapped = logins.unmapped(provider)
    if unmapped:
        warnings.append(
            f"logins: the user name {some(unmapped)} stays: only %EMAILADDRESS% or %EMAILLOCALPART% alone is replaced by a login"
        )
    return Findings(warnings=tuple(warnings))


def _earlier_digests(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """The digests of PACC documents that clients got until now, by domain: it may have had its document from another provider."""
    found: dict[str, tuple[str, ...]] = {}
    for holding in manifest.providers.values():
        known = [known for path, owned in holding.files.items() if path.endswith(f"/{pacc.PATH}") for known in owned.digests]
        found.update((domain, tuple(known)) for domain in holding.domains)
    return found


def _served(
    settings: Settings, provider: Provider, documents: t.Iterable[Document], earlier: t.Mapping[str, tuple[str, ...]]
) -> tuple[dns.Served, Findings]:
    """With the digests of PACC documents: that of this run, and those that clients got until now.

    A client that has the old document, or an old record from a cache, goes on working during a change. The next run finds the
    new digest alone in the manifest.
    """
    document = next((document for document in documents if document.path == pacc.PATH), None)
    findings = Findings()
    digests: tuple[str, ...] = ()
    if document is not None:
        before = [known for domain in provider.domains for known in earlier.get(domain, ())]
        digests = tuple(dict.fromkeys((digest(document.content), *before)))
    elif settings.pacc:
        message = (
            "PACC can say nothing of it (servers with TLS on the default port, the address as user name): there is no document"
        )
        findings = Findings(warnings=(message,))
    return dns.Served(digests, https_port=settings.site.https_port), findings


def _choices(
    settings: Settings,
    provider: Provider,
    domains: t.Iterable[str],
    labels: t.Sequence[str],
    certificates: Certificates,
    ordered: Orders,
    kept: Lineages,
) -> dict[str, Choice]:
    """What serves each host name: what was ordered for it, and until that is there, what is found.

    A lineage that nobody has renewed in time is behind a pair that need not have been. What mod_md has goes before all in Apache
    itself.
    """
    hosts = [(f"{label}.{domain}", domain) for domain in domains for label in labels]
    if not settings.https:
        return {host: Choice(reason="https is off") for host, _domain in hosts}
    found = certificates.choose(hosts, _looks_everywhere(settings, provider), _brought(settings, provider))
    for host, domain in hosts:
        pair = ordered.pair_of(domain) or kept.own.get(domain)
        facts = certificates.facts.get(pair) if pair else None
        source = settings.source(provider)
        is_outlived = domain not in ordered.managed and found[host].pair is not None and certificates.outlives(found[host], facts)
        if pair and facts and facts.is_usable and covers(facts.names, host) and not is_outlived:
            others = tuple(other for other in (found[host].pair, *found[host].others) if other and other != pair)
            found[host] = Choice(pair, facts, f"{source} orders and renews it", others)
        elif found[host].pair is None and source in ORDERING:
            found[host] = Choice(reason=(ordered if source == MOD_MD else kept).why_none(host, domain))
    return found


def _host_groups(
    settings: Settings, domains: t.Iterable[str], choices: t.Mapping[str, Choice], labels: t.Sequence[str], ordered: Orders
) -> tuple[HostGroup, ...]:
    """The host names by certificate."""
    groups = site.host_groups(domains, lambda name, _domain: choices[name].pair, labels)
    by_tls = managed_domains.TLS_ALPN_01 in settings.acme.challenges
    managed = {name: item.name for item in ordered.managed.values() if by_tls for name in item.names}
    return tuple(
        dataclasses.replace(group, managed=group.certificate in ordered.pairs, validated=_validated(group, managed))
        for group in groups
    )


def _validated(group: HostGroup, managed: t.Mapping[str, str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The names of a group that an authority validates over TLS, by managed domain.

    :arg managed: the managed domain of each name
    """
    found: dict[str, list[str]] = {}
    for name in group.names:
        if name in managed:
            found.setdefault(managed[name], []).append(name)
    return tuple((domain, tuple(names)) for domain, names in found.items())


def _host_findings(settings: Settings, provider: Provider, groups: t.Iterable[HostGroup], certificates: Certificates) -> Findings:
    """What it means that some hosts have no certificate."""
    if not settings.https:
        return Findings(warnings=("https is off: Delta Chat, aerc and Geary ask over HTTPS only",))
    first = provider.domains[0]
    without = [name for group in groups if group.certificate is None for name in group.names]
    warnings = []
    if without:
        where = " and everywhere else on this host" if _looks_everywhere(settings, provider) else ""
        looked_at = "certificate_content" if provider.certificate_content else certificates.at(first).file
        warnings.append(
            f"no certificate names {some(without)} (looked at {looked_at}{where}): served over HTTP only, "
            "which K-9 marks as untrusted and Delta Chat, aerc, Geary and Outlook do not ask"
        )
    if provider.id in settings.pages and f"autoconfig.{first}" in without:
        warnings.append(
            f"the setup page's QR code leads to https://autoconfig.{first}, which no certificate serves yet; run again when "
            "there is one, or with https: false"
        )
    if any(name.startswith(f"{clients.PACC_LABEL}.") for name in without):
        warnings.append("PACC is over HTTPS alone: without a certificate that names it, a host of it is not announced")
    return Findings(warnings=tuple(warnings))


def _served_over_tls(
    settings: Settings, served: dns.Served, groups: t.Sequence[HostGroup], certificates: Certificates
) -> dns.Served:
    """With the hosts that answer over TLS, and the digests of their keys if records shall name them."""
    keys: dict[str, str] = {}
    for group in groups if settings.tlsa else ():
        if group.certificate is not None:
            keys.update(dict.fromkeys(group.names, certificates.facts[group.certificate].key))
    return dataclasses.replace(served, keys=keys, secure=site.secure_names(groups))


def _widened(settings: Settings, items: tuple[Publication, ...], survey: Survey) -> tuple[Publication, ...]:
    """The same, where a wildcard stands for very many names without certificate, of the one provider that has the most.

    A second one could not have it, because Apache takes the first wildcard that fits; nor can any if a site that is read later
    has such names.
    """
    named = {item.provider.id for item in items}
    providers = survey.manifest.providers
    others = [name for key, holding in providers.items() if key not in named for name in holding.enabled.get("sites", ())]
    taken = not settings.purge and any(site.WIDE_PREFIX in name for name in others)
    hidden = any(
        survey.ground.position(host) > (0, site.WIDE_PREFIX) and name.partition(".")[0] in clients.ALL_LABELS
        for host in survey.ground.dump.virtual_hosts
        for name in (*host.names, *host.patterns)
    )
    if taken or hidden:
        return items
    sizes = [
        (len(group.names), item.provider.id, index, number)
        for number, item in enumerate(items)
        for index, group in enumerate(item.groups)
        if group.certificate is None and len(group.names) > site.MANY_NAMES
    ]
    if not sizes:
        return items
    _size, _key, index, number = max(sizes)
    groups = list(items[number].groups)
    groups[index] = dataclasses.replace(groups[index], wide=True)
    return (*items[:number], dataclasses.replace(items[number], groups=tuple(groups)), *items[number + 1 :])


# -- beside the others ------------------------------------------------------------------------------------------------


def _wanted(settings: Settings, items: t.Sequence[Publication], manifest: Manifest, platform: Platform) -> neighbours.Wanted:
    groups = [group for item in items for group in item.groups]
    names = {settings.site.http_port: [name for group in groups for name in group.names]}
    secure = [name for group in groups for name in (group.names if group.certificate else group.waiting)]
    if secure or _serves_tls(manifest):
        names[settings.site.https_port] = secure
    files = [f"{group.names[0]}-ssl" if group.certificate else group.names[0] for group in groups]
    files += [f"{group.names[0]}{site.WAITING}" for group in groups if group.waiting]
    adopted = frozenset(
        f"{platform.available('sites')}/{name}.conf" for file in files for name in (file, file.removesuffix("-ssl"))
    )
    return neighbours.Wanted(names, files, settings.site.listen, adopted if settings.adopt else frozenset(), adopted)


def _serves_tls(manifest: Manifest) -> bool:
    return any(map(has_tls, manifest.providers.values()))


def _desired(
    settings: Settings,
    items: t.Iterable[Publication],
    placement: Placement,
    platform: Platform,
    ordered: Orders,
    web_group: int,
) -> list[Desired]:
    zones = _zone_files(settings, items)
    found = []
    for item in items:
        table = _logins_path(settings, item.provider) if item.logins else ""
        sites = site.site_files(
            item.provider,
            item.groups,
            item.documents,
            dataclasses.replace(settings.site, logins=table),
            platform,
            placement.prefix,
            placement.addresses,
            placement.guards,
        )
        used = set(item.certificates)
        documents = site.document_files(item.provider, item.documents, settings.site)
        files = (
            *zones.get(item.provider.id, ()),
            *documents,
            *_logins_file(settings, item, web_group),
            *_pair_files(settings, item.provider, used),
            *sites,
            *_managed_file(settings, item.provider, platform, ordered),
            *_challenges_file(settings, item, platform),
        )
        of_others = tuple(sorted(pair for pair in used if pair != _brought(settings, item.provider)))
        # As the next run tells them, which knows the old document no more: it must not be a change.
        lasting = dataclasses.replace(item.served, pacc=item.served.pacc[:1])
        records = dns.to_remember(item.provider, item.dns_options, lasting)
        found.append(
            Desired(item.provider.id, item.provider.domains, files, enabled(files), certificates=of_others, records=records)
        )
    return found


def _pair_files(settings: Settings, provider: Provider, used: t.Collection[Certificate]) -> list[File]:
    """The pair that a provider brings, if it serves anything."""
    found = _content(settings, provider)
    if found is None or found[0] not in used:
        return []
    pair, content = found
    header = f"# {HEADER.text}\n".encode()
    return [File(path, header + text, Kind.CERTIFICATE) for path, text in ((pair.file, content.chain), (pair.key, content.key))]


def _logins_path(settings: Settings, provider: Provider) -> str:
    """Where the table of logins lies: nowhere that a site could send it."""
    return f"{settings.state_directory}/{_LOGINS}/{provider.id}.txt"


def _logins_file(settings: Settings, item: Publication, web_group: int) -> list[File]:
    """The table of logins; none where there are none."""
    if not item.logins:
        return []
    content = logins.table(" ".join(HEADER.text.splitlines()), item.logins)
    return [File(_logins_path(settings, item.provider), content, Kind.LOGINS, gid=web_group)]


def _managed_file(settings: Settings, provider: Provider, platform: Platform, ordered: Orders) -> list[File]:
    """What tells mod_md of a provider's certificates; none where there are none."""
    managed = [ordered.managed[domain] for domain in provider.domains if domain in ordered.managed]
    name = f"autoconfig.{provider.domains[0]}"
    return [site.managed_file(platform, name, managed, settings.acme, settings.site)] if managed else []


def _challenges_file(settings: Settings, item: Publication, platform: Platform) -> list[File]:
    """What leads the challenges of names that are no sites to one that is; none where there are none."""
    if not item.answered:
        return []
    host = f"autoconfig.{item.provider.domains[0]}"
    snippet = challenges.snippet(item.answered, host, settings.site.http_port)
    return [site.configuration(platform, "conf", challenges.file_name(host), snippet)]


def _shared(
    settings: Settings,
    items: t.Sequence[Publication],
    placement: Placement,
    platform: Platform,
    before: str,
    others: t.Mapping[str, Holding],
) -> Desired | None:
    """The site for unknown names, where nobody else has a site that they come to; None where this run has no say in it.

    It uses the certificate and the logs of one provider, and goes on using them while that one is there: runs for one provider
    after the other must not change it in turn.

    :arg before: the provider whose certificate it uses
    :arg others: what providers have that this run does not name
    """
    defaults = {port: ips for port, ips in placement.defaults.items() if ips}
    secure = [item for item in items if item.certificates] if settings.site.https_port in defaults else []
    if before in others and (has_tls(others[before]) or not secure):
        return None
    candidates = sorted(secure or items, key=lambda item: (item.provider.id != before, item.provider.id))
    if not secure:
        defaults.pop(settings.site.https_port, None)
    if not (candidates and defaults):
        return None
    provider = candidates[0].provider
    certificate = min(candidates[0].certificates, default=None)
    files = (site.default_site(defaults, certificate, settings.site, platform, provider.domains[0], placement.prefix),)
    is_of_others = secure and certificate and certificate != _brought(settings, provider)
    return Desired(SHARED, (), files, enabled(files), provider.id, (certificate,) if certificate and is_of_others else ())


def has_tls(holding: Holding) -> bool:
    """Whether a provider has a site with a certificate."""
    return any(name.endswith("-ssl") for name in holding.enabled.get("sites", ()))


def _zone_files(settings: Settings, items: t.Iterable[Publication]) -> dict[str, list[File]]:
    """Zone text by provider; a file belongs to every provider that has records in it."""
    if not settings.zone_file:
        return {}
    owners: dict[str, set[str]] = {}
    found: dict[str, list[dns.Record]] = {}
    for item in items:
        for record in item.records:
            path = dns.zone_file(settings.zone_file, record.domain)
            owners.setdefault(path, set()).add(item.provider.id)
            found.setdefault(path, []).append(record)
    files: dict[str, list[File]] = {}
    for path, providers in owners.items():
        file = File(path, dns.zone_text(found[path], HEADER.text).encode(), Kind.ZONE)
        for provider in providers:
            files.setdefault(provider, []).append(file)
    return files


def closed(modules: t.Iterable[str], survey: Survey) -> tuple[str, ...]:
    """Modules with those that they need, which come first."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        if name not in found:
            for needed in survey.requirements.get(name, ((), ()))[0]:
                add(needed)
            found[name] = None

    for name in sorted(modules):
        add(name)
    return tuple(found)


# -- what is wrong ----------------------------------------------------------------------------------------------------


def _certificate_findings(settings: Settings, items: t.Sequence[Publication], certificates: Certificates, now: float) -> Findings:
    """What is wrong with certificates: one that the administrator named must be there, at least for a provider's first domain."""
    if not settings.https:
        return Findings()
    problems: list[str] = []
    warnings: list[str] = []
    is_literal = "*" not in settings.certificate_file
    for item in (item for item in items if is_literal and not item.provider.certificate_content):
        for number, domain in enumerate(item.provider.domains):
            pair, facts = certificates.at(domain), certificates.of(domain)
            strict = settings.certificate_is_given and number == 0
            for path in facts.missing if strict else ():
                option = "certificate_file" if path == pair.file else "certificate_key_file"
                problems.append(f"{option}: {path} does not exist on this host")
            if facts.problem and strict and facts.is_input:
                problems.append(f"certificate_file: {pair.file} cannot serve: {facts.problem}")
            elif facts.problem:
                warnings.append(_not_used(pair, facts))
    for item in items:
        without = [name for name, choice in item.choices.items() if choice.pair is None]
        warnings += [_not_used(pair, facts) for name in without for pair, facts in certificates.naming(name) if facts.problem]
    doubts = {pair: certificates.facts[pair].doubt for item in items for pair in item.certificates}
    warnings += [f"{pair.file} serves, but {doubt}" for pair, doubt in sorted(doubts.items()) if doubt]
    return Findings(tuple(problems), (*warnings, *_endings(items, certificates, now)))


def _content_findings(settings: Settings, items: t.Iterable[Publication], certificates: Certificates) -> Findings:
    """What is wrong with a certificate that a provider brings: it must be able to serve, and be for one of its hosts."""
    findings = {}
    for item in items:
        pair = _brought(settings, item.provider)
        facts = certificates.facts.get(pair) if pair else None
        if facts and facts.problem and not facts.is_input:
            findings[item.provider.id] = Findings(warnings=(f"certificate_content is not used: {facts.problem}",))
        elif facts and facts.problem:
            findings[item.provider.id] = Findings((f"certificate_content cannot serve: {facts.problem}",))
        elif facts and pair not in item.certificates:
            wrong = f"certificate_content is for {some(facts.names) or 'no host'}, and for none of {some(item.names)}"
            findings[item.provider.id] = Findings((wrong,))
    return of_each(findings)


def _not_used(pair: Certificate, facts: PairFacts) -> str:
    return f"{pair.file} is not used: {facts.problem}"


def _endings(items: t.Iterable[Publication], certificates: Certificates, now: float) -> t.Iterator[str]:
    """Certificates in use that should have been renewed, with what becomes of their hosts."""
    ending: dict[Certificate, dict[bool, list[str]]] = {}
    for item in items:
        for name, choice in item.choices.items():
            if choice.pair and choice.facts.is_ending(now):
                has_more = any(certificates.facts[other].ends > choice.facts.ends for other in choice.others)
                ending.setdefault(choice.pair, {}).setdefault(has_more, []).append(name)
    for pair, names in sorted(ending.items()):
        facts = certificates.facts[pair]
        what = {True: "another certificate takes its place for {}", False: "{} can be reached over HTTP only"}
        then = " and ".join(text.format(some(names[has_more])) for has_more, text in what.items() if has_more in names)
        yield (
            f"{pair.file} ends in {facts.time_left(now)}, and should have been renewed by now; from the next run behind its "
            f"end {then}"
        )


def _ground_findings(settings: Settings, survey: Survey) -> Findings:
    """What of the host itself stands in the way."""
    options = {settings.site.document_root: "document_root", settings.state_directory: "state_directory"}
    problems = [f"{options[path]}: {blocker} is not a directory" for path, blocker in survey.blocked.items() if blocker]
    if survey.unreachable:
        problems.append(
            f"document_root: {survey.unreachable}, so that the documents would be answered 403: chmod o+x, or another directory"
        )
    return Findings(tuple(problems))


def _module_findings(modules: t.Iterable[str], survey: Survey) -> Findings:
    """Modules that are not there, or that something stands against."""
    problems = []
    for name in closed(modules, survey):
        if name in survey.loaded:
            continue
        if survey.installed and name not in survey.available:
            problems.append(f"Apache's module {name} is needed and is not available here")
        for other in survey.requirements.get(name, ((), ()))[1]:
            if other in survey.loaded:
                problems.append(f"Apache's module {name} is needed and cannot stand beside {other}, which is enabled")
        for port, program in survey.taken.get(name, {}).items():
            problems.append(
                f"with the module {name} Apache would listen on port {port}, which {program} has: it could not start; free the "
                "port, or take its Listen out of Apache's configuration"
            )
    return Findings(tuple(problems))


def _signing_findings(settings: Settings, items: t.Iterable[Publication], survey: Survey) -> Findings:
    """Refuse a pair that cannot sign, or that the web server's user should not be able to read."""
    signer, found = settings.site.signer, survey.signing
    if signer is None or found is None:
        warning = (
            "Apple's profile is not signed: iPhones and Macs show it as Not Signed or Unverified, and install it all the same; "
            "signing_host, or signing_certificate and signing_key, sign it"
        )
        with_profile = [item for item in items if any(document.path == apple.GENERAL_PATH for document in item.documents)]
        return of_each({item.provider.id: Findings(warnings=(warning,)) for item in with_profile})
    now = time.time()
    problems = signing.problems(signer, found, now)
    if not settings.signing_with_tls_key:
        problems += _tls_key_problems(signer, found, items, survey)
    return Findings(tuple(problems), tuple(filter(None, [signing.warning(found, now)])))


def _tls_key_problems(
    signer: signing.Signer, found: signing.PairFacts, items: t.Iterable[Publication], survey: Survey
) -> list[str]:
    """The signing key must not be a TLS key, whose owner is root alone for good reason."""
    used = {group.certificate for item in items for group in item.groups if group.certificate}
    for certificate in sorted(used)[:_COMPARED_CERTIFICATES]:
        if found.public_key and survey.pairs[certificate].key == signing.key_digest(found.public_key):
            return [
                f"signing_key: {signer.key} is the TLS key of {certificate.file}, and everything that runs as {found.user} could "
                "read it: make a pair of its own, or say signing_with_tls_key: true"
            ]
    return []


def _requests(settings: Settings, item: Publication) -> t.Iterator[clients.Request]:
    secure = site.secure_names(item.groups)
    hosts = set(item.names)
    if settings.site.well_known:
        # Whether the domain's own site has TLS is not ours to know; clients ask there over HTTPS first.
        hosts.update(item.provider.domains)
        secure.update(item.provider.domains if settings.https else ())
    profile, page = bool(apple.render(item.provider)), item.provider.id in settings.pages
    for domain in item.provider.domains:
        yield from clients.requests(domain, secure, hosts, profile, page)
        if not dns.has_hosts(item.provider, domain, settings.dns.further_domains):
            yield clients.request_by_srv(f"autodiscover.{item.provider.domains[0]}", secure)
