"""The certificate that signs Apple's profiles, taken by the host name in it. Pure.

PRIVATE to the collection. The web server's user signs, so it must be able to read the key, and that key must not be one that
serves a web site. What is served is therefore compared by keys: the same certificate may lie in many places.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .apache import challenges
from .apache import sites as site
from .apache.common import HEADER
from .apache.signing import Signer
from .certificates import GIVEN, MOD_MD, ORDERING, Certificate, Certificates, Choice, Content, Origin, PairFacts, covers
from .files import File, Kind, enabled
from .findings import Findings
from .host.platform import Platform
from .host.survey import Survey
from .input.settings import Settings
from .lineages import Lineages, name_of, names_of
from .manifest import Holding, Manifest
from .orders import Orders
from .plan import SIGNING, Desired

_DIRECTORY = "signing"
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_NO_FINDINGS = Findings()


@dataclasses.dataclass(frozen=True)
class ProfileSigning:
    """What signs for a host name: nothing if no pair was chosen.

    :ivar choice: the pair that is copied
    :ivar files: the copy
    :ivar group: the number of the group that reads it
    """

    host: str
    choice: Choice
    signer: Signer | None = None
    files: tuple[File, ...] = ()
    group: int = -1
    findings: Findings = _NO_FINDINGS


def choose(
    settings: Settings, survey: Survey, ordered: Orders, kept: Lineages, used: t.Iterable[Certificate]
) -> ProfileSigning | None:
    """The pair that signs, the best one that serves no web site; None where no host name is given.

    :arg used: pairs that our sites use
    """
    host = settings.signing_host
    if not host:
        return None
    serving = {**{survey.pairs[pair].key: pair.file for pair in used if pair in survey.pairs}, **survey.served}
    # What is no good for a server may sign.
    able = {pair: dataclasses.replace(survey.pairs[pair], problem="") for pair in survey.signing_contents}
    free = {
        pair: facts for pair, facts in able.items() if facts.key not in serving and not _serves_by_mod_md(settings, facts, survey)
    }
    choice = _choice(settings, survey, ordered, kept, free)
    problems = [
        f"signing_host: {place.place} serves {host} at {place.address}; name a host that has no site with TLS: everything that "
        "runs as the web server's user can read the key that signs"
        for place in survey.ground.dump.virtual_hosts
        if host in place.names and place.port != settings.site.http_port
    ]
    if choice.pair is None and host not in ordered.managed and host not in kept.planned:
        problems += [
            f"signing_host: {pair.file} names {host}, but its key serves a web site ({serving.get(facts.key, pair.file)}), and "
            "everything that runs as the web server's user could read it: get a certificate of its own for that name"
            for pair, facts in list(able.items())[:1]
        ]
    findings = Findings(tuple(problems), tuple(_warnings(host, choice, survey.moment)))
    if choice.pair is None:
        return ProfileSigning(host, choice, findings=findings)
    signer, files = copied(survey.signing_contents[choice.pair], settings.state_directory, host, survey.web_group)
    return ProfileSigning(host, choice, signer, files, survey.web_group, findings)


def _serves_by_mod_md(settings: Settings, facts: PairFacts, survey: Survey) -> bool:
    """Whether it comes from mod_md's store for a site of somebody else: Apache does not tell these certificates."""
    names = [name for place in survey.ground.dump.virtual_hosts if place.port != settings.site.http_port for name in place.names]
    return facts.origin is Origin.MOD_MD and any(covers(facts.names, name) for name in names)


def _choice(
    settings: Settings, survey: Survey, ordered: Orders, kept: Lineages, free: t.Mapping[Certificate, PairFacts]
) -> Choice:
    host = settings.signing_host
    pair = ordered.pair_of(host) or kept.own.get(host)
    if pair and pair in free and covers(free[pair].names, host):
        return Choice(pair, free[pair], f"{settings.certificates} orders and renews it")
    paths = settings.certificate_file, settings.certificate_key_file
    certificates = Certificates(*paths, free, survey.manifest.certificates, survey.moment)
    found = certificates.choose([(host, host)], settings.certificates != GIVEN)[host]
    if found.pair is None and settings.certificates in ORDERING:
        return Choice(reason=(ordered if settings.certificates == MOD_MD else kept).why_none(host, host))
    return found


def _warnings(host: str, choice: Choice, now: float) -> t.Iterator[str]:
    if choice.pair is None:
        yield f"Apple's profile is not signed with the certificate of {host}: {choice.reason}"
    elif choice.facts.is_ending(now):
        yield (
            f"{choice.pair.file} signs Apple's profiles and ends in {choice.facts.time_left(now)}, and should have been "
            "renewed by now; then devices show profiles as not verified"
        )


def copied(content: Content, directory: str, host: str, group: int) -> tuple[Signer, tuple[File, ...]]:
    """The copy of a pair: who signs with it, and its files.

    A certificate and its key lie in one file, so that a renewal replaces both in one step; the rest of the chain is apart. The
    role's template ``signing.sh.j2`` writes the same bytes.
    """
    first, others = _parted(content.chain)
    header = f"# {HEADER.text}\n".encode()
    pair, chain = f"{directory}/{_DIRECTORY}/{host}.pem", f"{directory}/{_DIRECTORY}/{host}-chain.pem"
    key = content.key if content.key.endswith(b"\n") else content.key + b"\n"
    files = [File(pair, header + first + key, Kind.SIGNING, gid=group)]
    if others:
        files.append(File(chain, header + others, Kind.SIGNING, gid=group))
    return Signer(pair, pair, chain if others else ""), tuple(files)


def _parted(chain: bytes) -> tuple[bytes, bytes]:
    """The first certificate of a chain, and the others."""
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    number, is_inside = 0, False
    for line in chain.split(b"\n"):
        if line.startswith(_BEGIN):
            number, is_inside = number + 1, True
        if is_inside:
            parts[min(number, 2) - 1].append(line + b"\n")
        is_inside = is_inside and not line.startswith(_END)
    return b"".join(parts[0]), b"".join(parts[1])


def answering(settings: Settings, manifest: Manifest) -> str:
    """Our host that answers challenges for the one that signs; the same one in runs for one provider after the other."""
    served = {provider.domains[0] for provider in settings.providers}
    before = {holding.domains[0] for name, holding in manifest.providers.items() if holding.domains and not settings.purge}
    return f"autoconfig.{min(served | before)}"


def _is_validated_here(signing: ProfileSigning, kept: Lineages) -> bool:
    """Whether certbot orders or renews its certificate from our document root."""
    pair, facts = signing.choice.pair, signing.choice.facts
    is_ours = pair is not None and facts.origin is Origin.CERTBOT and name_of(pair) in names_of(signing.host)
    return is_ours or signing.host in kept.planned


def desired(
    settings: Settings, signing: ProfileSigning, ordered: Orders, kept: Lineages, survey: Survey, platform: Platform
) -> Desired:
    """What the host has for it: the copy, and what has its certificate ordered and renewed."""
    host = signing.host
    files = list(signing.files)
    if host in ordered.managed:
        files.append(site.managed_file(platform, host, [ordered.managed[host]], settings.acme, settings.site))
    if _is_validated_here(signing, kept):
        snippet = challenges.snippet([host], answering(settings, survey.manifest), settings.site.http_port)
        files.append(site.configuration(platform, "conf", challenges.file_name(host), snippet))
    pair = signing.choice.pair
    return Desired(SIGNING, (), tuple(files), enabled(files), host, (pair,) if pair else ())


def of_another(host: str, before: Holding, others: t.Collection[str]) -> Findings:
    """Refuse to take the certificate away from sites that this run does not know."""
    if not (host and others and before.of and before.of != host):
        return Findings()
    names = ", ".join(sorted(others))
    wrong = (
        f"signing_host: an earlier run signs the profiles of {names} with the certificate of {before.of}; name that host here too"
    )
    return Findings((wrong,))
