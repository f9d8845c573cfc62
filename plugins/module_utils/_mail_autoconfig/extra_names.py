"""Host names beside those for mail clients that an ordered certificate is to have, such as that of the mail server. Pure.

PRIVATE to the collection. Nothing of ours serves them. An order must take nothing from whoever does: the certificate of his site,
which mod_md would replace, or the answers to challenges that his own certbot lays down.
"""

from __future__ import annotations

import dataclasses
import typing as t

from . import lineages
from .certificates import CERTBOT, MOD_MD, Certificate, Choice, covers
from .dns import records as dns
from .findings import Findings, some
from .host.survey import Survey
from .input.model import Provider
from .input.settings import Settings
from .orders import Orders


@dataclasses.dataclass(frozen=True)
class ExtraNames:
    """Which of them are ordered.

    :ivar ordered: by mail domain
    :ivar barred: the others, each with the reason
    """

    ordered: t.Mapping[str, tuple[str, ...]]
    barred: t.Mapping[str, str]

    @property
    def findings(self) -> Findings:
        """What to say of those that are not."""
        reasons: dict[str, list[str]] = {}
        for name, reason in self.barred.items():
            reasons.setdefault(reason, []).append(name)
        return Findings(
            warnings=tuple(
                f"certificate_extra_names: no certificate is ordered for {some(names)}: {reason}"
                for reason, names in reasons.items()
            )
        )


def judge(settings: Settings, survey: Survey) -> ExtraNames:
    """Tell those that can be ordered from those that cannot."""
    ordered: dict[str, tuple[str, ...]] = {}
    barred: dict[str, str] = {}
    if not settings.extra_names:
        return ExtraNames(ordered, barred)
    served = _served(settings, survey)
    kept = _kept(settings, survey)
    for provider in settings.providers:
        source = settings.source(provider)
        for domain in (domain for domain in provider.domains if domain in settings.extra_names):
            names = settings.extra_names[domain]
            reasons = {name: _barred(settings, provider, domain, served[source].get(name, ""), kept.get(name)) for name in names}
            barred.update((name, reason) for name, reason in reasons.items() if reason)
            ordered[domain] = tuple(name for name, reason in reasons.items() if not reason)
    return ExtraNames(ordered, barred)


def _barred(settings: Settings, provider: Provider, domain: str, place: str, lineage: str | None) -> str:
    """Why a name cannot be ordered; empty if it can.

    :arg place: of a site of somebody else in whose way that would be
    :arg lineage: of somebody else that names it
    """
    if not dns.has_hosts(provider, domain, settings.dns.further_domains):
        return f"nothing is ordered for {domain}, which has no hosts here (dns_further_domains: srv)"
    if place and settings.source(provider) == MOD_MD:
        port = settings.site.http_port
        return (
            f"the site at {place} has it on another port than {port}, and mod_md would change its certificate; leave the name out"
        )
    if place:
        return (
            f"the site at {place} has it on port {settings.site.http_port}, and answers the authority itself; leave the name out"
        )
    if lineage is not None:
        return f"certbot has it in its lineage {lineage}, which could not be renewed any more; use that, or delete it first"
    return ""


def _served(settings: Settings, survey: Survey) -> dict[str, dict[str, str]]:
    """The sites of others in whose way an order would be, by source: for each name file and line."""
    found: dict[str, dict[str, str]] = {MOD_MD: {}, CERTBOT: {}}
    for host in survey.ground.dump.virtual_hosts:
        for name in host.names:
            if host.port != settings.site.http_port:
                found[MOD_MD].setdefault(name, host.place)
            if host.port in (settings.site.http_port, 0):
                found[CERTBOT].setdefault(name, host.place)
    return found


def _kept(settings: Settings, survey: Survey) -> dict[str, str]:
    """The lineages of somebody else by the names in them."""
    ours = {name for domain in settings.extra_names for name in lineages.names_of(domain)}
    found: dict[str, str] = {}
    for pair, facts in survey.pairs.items():
        lineage = lineages.name_of(pair)
        if lineages.is_at(pair, settings.certbot_directory) and lineage not in ours:
            found.update(dict.fromkeys(facts.names, lineage))
    return found


def choices(
    settings: Settings,
    provider: Provider,
    names: ExtraNames,
    survey: Survey,
    pair_of: t.Callable[[str], Certificate | None],
    planned: Orders | lineages.Lineages,
) -> dict[str, tuple[str, Choice]]:
    """The mail domain of each of a provider's names, and the certificate that has it, or why there is none.

    :arg pair_of: what was ordered for a mail domain
    :arg planned: what is ordered from the provider's source
    """
    found: dict[str, tuple[str, Choice]] = {}
    for domain in (domain for domain in provider.domains if domain in settings.extra_names):
        pair = pair_of(domain)
        facts = survey.pairs.get(pair) if pair else None
        for name in settings.extra_names[domain]:
            if name in names.barred:
                found[name] = domain, Choice(reason=f"not ordered: {names.barred[name]}")
            elif pair and facts and facts.is_usable and covers(facts.names, name):
                found[name] = domain, Choice(pair, facts, f"{settings.source(provider)} orders and renews it")
            else:
                found[name] = domain, Choice(reason=planned.why_none(name, domain))
    return found
