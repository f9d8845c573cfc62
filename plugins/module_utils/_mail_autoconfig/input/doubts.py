"""What of an input is possible, and yet rarely meant. Pure.

PRIVATE to the collection. What cannot be right is refused where it is read (:mod:`.model`, :mod:`.placeholders`). This is for
what some server somewhere really has, so that a run says it and goes on. What single clients make of it, the documents say.
"""

from __future__ import annotations

import typing as t

from ..findings import some
from .model import STANDARD_PORTS, STARTTLS_PORTS, Provider, Server

# First labels of the names that servers have. Mozilla's list of providers has mail domains such as mail.wind.ne.jp, too.
_OF_HOSTS = ("mail", "imap", "pop", "pop3", "smtp", "mx", "mx1", "mx2", "webmail", "www")
# Below these, of two labels, domains are registered: mail.co.uk is one.
_REGISTRIES = ("ac", "co", "com", "edu", "gov", "ne", "net", "or", "org")


def doubts(provider: Provider) -> t.Iterator[str]:
    """What to ask the administrator about a provider, one line each."""
    hosts = [domain for domain in provider.domains if _looks_like_a_host(domain)]
    if hosts:
        meant = hosts[0].partition(".")[2]
        yield (
            f"{some(hosts)}: the name of a mail host rather than a mail domain; if addresses are name@{meant}, the domain is "
            f"{meant}, and {hosts[0]} the host name of its servers"
        )
    for kind, servers in (("incoming", provider.incoming), ("outgoing", provider.outgoing)):
        for index, server in enumerate(servers):
            for line in _of_server(server):
                yield f"{kind}[{index}] ({server.type}): {line}"


def _looks_like_a_host(domain: str) -> bool:
    labels = domain.split(".")
    is_registered = len(labels) == 2 or (len(labels) == 3 and labels[1] in _REGISTRIES and len(labels[2]) == 2)
    return labels[0] in _OF_HOSTS and not is_registered


def _of_server(server: Server) -> t.Iterator[str]:
    if server.hostname and "." not in server.hostname and "%" not in server.hostname:
        yield f"the host name '{server.hostname}' has no dot: other networks do not find it, and no public authority certifies it"
    if server.socket_type == "SSL" and server.port in STARTTLS_PORTS:
        usual = STANDARD_PORTS.get(server.type, {}).get("SSL")
        yield f"SSL on port {server.port}, where servers usually wait for STARTTLS; the port for SSL is {usual}"
    others = {port: name for name, ports in STANDARD_PORTS.items() if name != server.type for port in ports.values()}
    if server.port in others and server.port not in {*STANDARD_PORTS.get(server.type, {}).values(), 25}:
        yield f"port {server.port} is usually {others[server.port]}"
    if server.username and "%" not in server.username:
        yield f"all users would log in as '{server.username}', because the user name has no placeholder"
