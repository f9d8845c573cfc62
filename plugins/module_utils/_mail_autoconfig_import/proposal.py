"""From what the host offers to what is to be published: which listeners, under which name, with which login. Pure.

PRIVATE to the collection. RFC 8314 section 3 (implicit TLS is preferred). Nothing is guessed: what is unknown makes no provider.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._mail_autoconfig.input.model import STANDARD_PORTS, Provider
from .._mail_autoconfig.input.reading import InputError
from .model import (
    CLEARTEXT,
    IMAP,
    MANAGESIEVE,
    POP3,
    SERVICES,
    SSL,
    STARTTLS,
    SUBMISSION,
    Facts,
    Listener,
    Unknown,
)
from .options import Options

# The services in the words of a provider.
TYPES = {IMAP: "imap", POP3: "pop3", SUBMISSION: "smtp", MANAGESIEVE: "managesieve"}


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why a part of the provider is as it is; ``source`` is the command or file that told it."""

    what: str
    why: str
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Choice:
    """A listener that is to be published, and under which name.

    :ivar hostname_from: what told the name
    """

    listener: Listener
    hostname: str = ""
    hostname_from: str = ""


@dataclasses.dataclass(frozen=True)
class Choices:
    """For each service at most one; ``against`` are the listeners that were not taken, ``unknown`` says why one is missing."""

    chosen: tuple[Choice, ...] = ()
    against: tuple[Reason, ...] = ()
    unknown: tuple[Unknown, ...] = ()


@dataclasses.dataclass(frozen=True)
class Proposal:
    """The provider as the options take it, ``None`` where it cannot be told."""

    provider: t.Mapping[str, t.Any] | None = None
    reasons: tuple[Reason, ...] = ()
    unknown: tuple[Unknown, ...] = ()


def choose(facts: Facts, options: Options) -> Choices:
    """Which listeners are to be published."""
    found: list[Listener] = []
    against: list[Reason] = []
    for service in SERVICES:
        ranked = sorted(facts.listeners(service), key=_rank)
        best = next((each for each in ranked if not _against(each)), None)
        for each in ranked:
            if each is not best:
                against.append(Reason(str(each), _against(each) or f"{best} is preferred", each.source))
        found += [best] if best else []
    chosen, unknown = _named(found, facts, options)
    return Choices(chosen, tuple(against), unknown)


def _rank(listener: Listener) -> tuple[bool, bool, int]:
    """Implicit TLS first, then the usual port."""
    usual = STANDARD_PORTS[TYPES[listener.service]].get(listener.socket_type) == listener.port
    return listener.socket_type != SSL, not usual, listener.port


def _against(listener: Listener) -> str:
    """Why a listener is never published; empty if it may be."""
    if listener.not_for_clients:
        return listener.not_for_clients
    if listener.socket_type not in (SSL, STARTTLS):
        return "it has no TLS, so that passwords would cross the network in clear"
    if listener.after is not None and not _authentication(listener.after):
        return "it offers no way to log in with a password"
    return ""


def _authentication(mechanisms: t.Collection[str]) -> str:
    """The method in Mozilla's words; empty for those that need more than a password."""
    if not CLEARTEXT.isdisjoint(mechanisms):
        return "password-cleartext"
    return "password-encrypted" if "CRAM-MD5" in mechanisms else ""


# -- the name of the host -----------------------------------------------------------------------------------------------


def _named(listeners: t.Sequence[Listener], facts: Facts, options: Options) -> tuple[tuple[Choice, ...], tuple[Unknown, ...]]:
    """The listeners with the host's name: one that all certificates have, if there is."""
    common = [set(facts.names(each)) for each in listeners]
    shared = set.intersection(*common) if common else set()
    chosen: list[Choice] = []
    unknown: list[Unknown] = []
    for each in listeners:
        if options.hostname:
            chosen.append(Choice(each, options.hostname, "the option hostname"))
            continue
        name, why = _name(shared or set(facts.names(each)), facts)
        certificate = facts.certificate(each)
        file = certificate.use.file if certificate else ", ".join(each.certificates)
        chosen.append(Choice(each, name, file))
        if not name:
            unknown.append(Unknown("hostname", f"{each}: {why}", file))
    return tuple(chosen), tuple(unknown)


def _name(names: t.Collection[str], facts: Facts) -> tuple[str, str]:
    """One name of those in a certificate, or why none can be told."""
    own = [program.hostname for program in facts.programs if program.hostname]
    literal = sorted(name for name in names if "*" not in name and "." in name)
    for name in own:
        if name in literal or f"*.{name.partition('.')[2]}" in names:
            return name, ""
    if len(literal) == 1:
        return literal[0], ""
    if literal:
        return "", f"the certificate has several names ({', '.join(literal[:5])}), none of them myhostname: give hostname"
    return "", "no name of a host can be read from the certificate: give hostname"


# -- the provider -------------------------------------------------------------------------------------------------------


def propose(facts: Facts, choices: Choices, offered: t.Mapping[str, tuple[str, ...]], options: Options) -> Proposal:
    """The provider with its reasons, or why there is none.

    :arg offered: by service, the mechanisms inside TLS that a connection has seen
    """
    problems = [*_lacking(facts, choices)]
    servers: dict[str, dict[str, t.Any]] = {}
    reasons: list[Reason] = []
    for choice in choices.chosen:
        listener = choice.listener
        mechanisms = listener.after if listener.after is not None else offered.get(listener.service)
        source = listener.source if listener.after is not None else f"connection to {choice.hostname}:{listener.port}"
        method = _authentication(mechanisms or ())
        if not choice.hostname:
            problems.append(f"the host name of {listener} cannot be told")
        elif listener.service == MANAGESIEVE:
            servers[MANAGESIEVE] = _place(choice)
        elif not method:
            problems.append(f"it cannot be told how {listener} lets people log in")
        elif not listener.has_dovecots_users:
            problems.append(f"the user names of {listener} are not Dovecot's")
        else:
            servers[listener.service] = {
                "type": TYPES[listener.service],
                **_place(choice),
                "authentication": [method],
                "username": facts.username.format,
            }
            reasons.append(Reason(_path(listener.service), f"it offers {', '.join(mechanisms or ())} inside TLS", source))
        reasons += _reasons(choice)
    domains, from_where = _domains(facts, options)
    if not domains:
        problems.append("no mail domain can be listed: give domains")
    if not facts.username.format:
        problems.append("the form of the user name cannot be told")
    if problems:
        return Proposal(unknown=tuple(Unknown("provider", problem) for problem in problems))
    reasons += [*from_where, Reason("username", facts.username.because, facts.username.source)]
    return _checked(
        {
            "domains": list(domains),
            "incoming": [servers[each] for each in (IMAP, POP3) if each in servers],
            "outgoing": [servers[SUBMISSION]],
            **({"managesieve": servers[MANAGESIEVE]} if MANAGESIEVE in servers else {}),
        },
        reasons,
    )


def _lacking(facts: Facts, choices: Choices) -> t.Iterator[str]:
    """What a provider cannot do without."""
    chosen = {choice.listener.service for choice in choices.chosen}
    unsure = {each.what for each in facts.unknown}
    if SUBMISSION not in chosen:
        yield "no port is found where users can hand in mail"
    if IMAP in unsure and IMAP not in chosen:
        yield "what IMAP offers cannot be told"
    elif IMAP not in chosen and POP3 not in chosen:
        yield "neither IMAP nor POP3 is found"


def _place(choice: Choice) -> dict[str, t.Any]:
    return {"hostname": choice.hostname, "port": choice.listener.port, "socket_type": choice.listener.socket_type}


def _path(service: str) -> str:
    """Where a service stands in the provider."""
    return {SUBMISSION: "outgoing", MANAGESIEVE: MANAGESIEVE}.get(service, f"incoming ({service})")


def _reasons(choice: Choice) -> t.Iterator[Reason]:
    listener = choice.listener
    path = _path(listener.service)
    words = "it has TLS from the first byte" if listener.socket_type == SSL else "no listener has TLS from the first byte"
    yield Reason(path, f"port {listener.port} with {listener.socket_type}: {words}", listener.source)
    if choice.hostname:
        yield Reason(
            path,
            f"its certificate names {choice.hostname}" if choice.hostname_from.startswith("/") else f"the name {choice.hostname}",
            choice.hostname_from,
        )


def _domains(facts: Facts, options: Options) -> tuple[tuple[str, ...], tuple[Reason, ...]]:
    """The domains, and where they are from. The host's own name is a domain of Postfix on most hosts, and nobody's address."""
    if options.domains:
        return options.domains, (Reason("domains", "they are given", "the option domains"),)
    own = {program.hostname for program in facts.programs}
    found = {each.name: each.source for each in facts.domains if each.name not in own}
    if options.address:
        found.setdefault(options.address.rpartition("@")[2], "the option address")
    sources = dict.fromkeys(found.values())
    return tuple(found), tuple(Reason("domains", "they are listed", source) for source in sources)


def _checked(provider: dict[str, t.Any], reasons: t.Iterable[Reason]) -> Proposal:
    """The provider, if the module that publishes it would take it."""
    try:
        Provider.from_dict(provider)
    except InputError as exc:
        return Proposal(unknown=tuple(Unknown("provider", problem) for problem in exc.problems[:20]))
    return Proposal(provider, tuple(reasons))
