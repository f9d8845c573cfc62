"""Asks over the network what is to be published: the configuration proposes, a connection decides.

PRIVATE to the collection. The dialogues are those of the check, which asks the same servers from outside.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import ssl
import typing as t

from .._mail_autoconfig_check.model import ERROR, STARTTLS, TLS, WARNING, Endpoint, Service
from .._mail_autoconfig_check.servers import ServerFacts, judge, probe
from .commands import Runner, output_of, said
from .model import SSL, CannotTellError
from .proposal import TYPES, Choice

_MOST_ADDRESSES = 4


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a server answered.

    :ivar addresses: at which it was asked
    :ivar mechanisms: that it offers inside TLS; ``None`` if it was never heard
    :ivar differences: from what is to be published, a sentence each with host and port
    """

    service: str
    hostname: str
    port: int
    addresses: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] | None = None
    differences: tuple[str, ...] = ()


def ask(choice: Choice, run: Runner, trust: ssl.SSLContext, timeout: float) -> Asked:
    """Ask one server, from this host, at the addresses that its name has here. Never raises."""
    listener = choice.listener
    where = f"{choice.hostname}:{listener.port}"
    notes = []
    try:
        addresses = _addresses(run, choice.hostname)
    except CannotTellError as exc:
        addresses = ("127.0.0.1",)
        notes.append(f"{where}: the name has no address on this host ({exc}); 127.0.0.1 was asked")
    mode = TLS if listener.socket_type == SSL else STARTTLS
    endpoint = Endpoint(TYPES[listener.service], choice.hostname, listener.port, mode)
    facts = probe(endpoint, addresses, trust, timeout)
    offered = _offered(facts)
    return Asked(
        listener.service,
        choice.hostname,
        listener.port,
        addresses,
        offered,
        (*notes, *_differences(choice, where, facts, offered)),
    )


def _addresses(run: Runner, hostname: str) -> tuple[str, ...]:
    """The addresses of a name as the host itself knows them. Raises CannotTellError."""
    found: dict[str, None] = {}
    for line in output_of(run, "getent", "ahosts", hostname).split("\n"):
        word = line.partition(" ")[0]
        try:
            found[str(ipaddress.ip_address(word))] = None
        except ValueError:
            continue
    if not found:
        raise CannotTellError("getent shows none")
    return tuple(found)[:_MOST_ADDRESSES]


def _offered(facts: ServerFacts) -> tuple[str, ...] | None:
    """What is offered inside TLS, where every address that answers says the same."""
    heard = {each.after.mechanisms for each in facts.addresses if each.after is not None}
    return heard.pop() if len(heard) == 1 else None


def _differences(choice: Choice, where: str, facts: ServerFacts, offered: tuple[str, ...] | None) -> t.Iterator[str]:
    published = Service(facts.endpoint.protocol, facts.endpoint.host, facts.endpoint.port, facts.endpoint.tls)
    for finding in judge(published, facts):
        if finding.severity in (ERROR, WARNING):
            yield f"{where} ({choice.listener.service}): {finding.what}" + (f" [{said(finding.seen)}]" if finding.seen else "")
    configured = choice.listener.after
    if configured is not None and offered is not None and set(configured) != set(offered):
        yield (
            f"{where} ({choice.listener.service}): it offers {', '.join(offered) or 'no mechanism'} inside TLS, and its "
            f"configuration says {', '.join(configured) or 'none'}"
        )
