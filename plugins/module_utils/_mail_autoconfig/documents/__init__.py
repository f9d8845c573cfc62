"""One file a format: each renders a provider as the bytes that its clients read.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET


@dataclasses.dataclass(frozen=True)
class Document:
    """What a client gets.

    :ivar path: where it lies below the provider's directory
    :ivar download_name: the name under which a browser saves it, empty for what is not saved
    :ivar warnings: what some client cannot do with it, naming the client
    """

    path: str
    media_type: str
    content: bytes
    warnings: tuple[str, ...] = ()
    download_name: str = ""


def leaf(parent: ET.Element, tag: str, text: str | int | bool, **attributes: str) -> None:
    """Append an element with text, unless there is none: clients misread empty elements."""
    if isinstance(text, bool):
        text = "true" if text else "false"
    if text != "":
        ET.SubElement(parent, tag, {key: value for key, value in attributes.items() if value}).text = str(text)


def xml_bytes(root: ET.Element) -> bytes:
    """Serialise with two blanks of indentation, UTF-8 without a byte order mark, and a final line break."""
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode", short_empty_elements=True)
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + body + "\n").encode()
