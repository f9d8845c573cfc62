"""Mozilla's autoconfiguration file, as it stands.

PRIVATE to the collection. draft-ietf-mailmaint-autoconfig; which of it a client takes is in ``clients``.
"""

from __future__ import annotations

import dataclasses
import typing as t
import xml.etree.ElementTree as ET

from . import DocumentError, trees

_MOST_SERVERS = 100
_LEAVES = ("hostname", "port", "socketType", "username", "authentication")


@dataclasses.dataclass(frozen=True)
class Server:
    """One ``incomingServer`` or ``outgoingServer``; lists in their order.

    :ivar username: as it stands, spaces around it too; None if there is none
    :ivar odd: what some clients stumble over: further attributes, leaves that are empty or have attributes, children or spaces
    """

    direction: str
    type: str
    hostname: str = ""
    port: str = ""
    socket_types: tuple[str, ...] = ()
    username: str | None = None
    authentication: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Document:
    """The file: the provider's ``id``, its domains as they stand, its servers in their order."""

    id: str
    domains: tuple[str, ...]
    servers: tuple[Server, ...]

    def of(self, direction: str, types: t.Collection[str]) -> tuple[Server, ...]:
        """The servers of a direction (incoming or outgoing) that have one of the types."""
        return tuple(server for server in self.servers if server.direction == direction and server.type in types)


def read(data: bytes) -> Document:
    """Read the file. Raises DocumentError."""
    root = trees.root(data)
    if trees.local(root) != "clientConfig":
        what = "a web page" if trees.local(root).lower() == "html" else f"<{trees.local(root)[:50]}>"
        raise DocumentError("html" if "page" in what else "wrong_root", f"it is {what}, not <clientConfig>")
    provider = trees.child(root, "emailProvider")
    if provider is None:
        raise DocumentError("wrong_root", "it has no <emailProvider>")
    servers = [each for each in provider if trees.local(each) in ("incomingServer", "outgoingServer")]
    return Document(
        id=provider.get("id", "").strip(),
        domains=tuple((each.text or "").strip() for each in trees.children(provider, "domain")),
        servers=tuple(_server(each) for each in servers[:_MOST_SERVERS]),
    )


def _server(element: ET.Element) -> Server:
    def leaves(name: str) -> tuple[str, ...]:
        return tuple((each.text or "").strip() for each in trees.children(element, name))

    return Server(
        direction="incoming" if trees.local(element) == "incomingServer" else "outgoing",
        type=element.get("type", "").strip(),
        hostname=next(iter(leaves("hostname")), ""),
        port=next(iter(leaves("port")), ""),
        socket_types=leaves("socketType"),
        username=trees.text(element, "username"),
        authentication=leaves("authentication"),
        odd=tuple(_odd(element)),
    )


def _odd(element: ET.Element) -> t.Iterator[str]:
    for name in element.attrib:
        if name != "type":
            yield f"<{trees.local(element)}> has the attribute {name[:50]}"
    for leaf in element:
        name = trees.local(leaf)
        if name not in _LEAVES:
            continue
        text = leaf.text or ""
        if len(leaf):
            yield f"<{name}> has children"
        elif not text.strip():
            yield f"<{name}> is empty"
        elif text != text.strip():
            yield f"<{name}> has spaces around its text"
        if leaf.attrib:
            yield f"<{name}> has attributes"
