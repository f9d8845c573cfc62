"""XML without document types: no entities, no other files, bounded depth and size.

PRIVATE to the collection. XML 1.0; a DTD is refused at its first character, by expat's own handler, in whatever encoding.
"""

from __future__ import annotations

import re
import typing as t
import xml.etree.ElementTree as ET
from xml.parsers import expat

from . import LARGEST, DocumentError

_DEEPEST = 50
_MOST_ELEMENTS = 50_000
# The name of a name space is part of the name of each element in it, so that a long one takes its square.
_LONGEST_NAMESPACE = 200
_QUOTE_OR_END = re.compile("[>\"']")
_BRACKET = re.compile("[<>]")


class _Stop(Exception):  # noqa: N818
    """Raised inside of expat's handlers."""


class _Builder:
    """Builds a tree from expat's events; ``{namespace}name`` as ElementTree has it."""

    def __init__(self) -> None:
        self._tree = ET.TreeBuilder()
        self._depth = 0
        self._elements = 0

    def connect(self, parser: t.Any) -> None:
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartNamespaceDeclHandler = self._namespace
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._tree.data
        parser.buffer_text = True

    def close(self) -> ET.Element:
        return self._tree.close()

    def _doctype(self, *_arguments: t.Any) -> None:
        raise _Stop("doctype", "it has a document type (DTD), which settings need not have and which can be a trap")

    def _namespace(self, _prefix: str | None, name: str | None) -> None:
        if len(name or "") > _LONGEST_NAMESPACE:
            raise _Stop("too_large", "it has a longer name of a name space than settings can have")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > _DEEPEST or self._elements > _MOST_ELEMENTS:
            raise _Stop("too_deep", "it has more elements than settings can have")
        self._tree.start(_name(name), {_name(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._tree.end(_name(name))


def _name(name: str) -> str:
    return "{" + name if "}" in name else name


def root(data: bytes) -> ET.Element:
    """The root element. Raises DocumentError."""
    if len(data) > LARGEST:
        raise DocumentError("too_large", "it is larger than settings can be")
    if not data.strip():
        raise DocumentError("empty", "it is empty")
    builder = _Builder()
    try:
        parser = expat.ParserCreate(namespace_separator="}")
        builder.connect(parser)
        parser.Parse(data, True)
        return builder.close()
    except _Stop as exc:
        if looks_like_html(data):
            raise DocumentError("html", "it is a web page") from None
        raise DocumentError(*exc.args) from None
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as exc:
        if looks_like_html(data):
            raise DocumentError("html", "it is a web page") from None
        raise DocumentError("not_xml", f"it is not well-formed XML ({exc})") from None


def nested(data: bytes) -> bool:
    """Whether each end tag closes the last tag that is open: all that quick-xml asks for, which Delta Chat reads with.

    Any root will do, none too, and what is open at the end may stay open. More tags than settings can have are not looked at.
    """
    text = data.decode("utf-8", "replace")
    opened: list[str] = []
    at = text.find("<")
    for _tag in range(_MOST_ELEMENTS):
        if at < 0:
            break
        after = _after(text, at)
        if after < 0:
            return False
        tag = text[at + 1 : after - 1]
        if tag.startswith("/"):
            if not opened or opened.pop() != tag[1:].strip():
                return False
        elif not tag.startswith(("!", "?")) and not tag.endswith("/"):
            opened.append(tag.split(maxsplit=1)[0] if tag.strip() else "")
        at = text.find("<", after)
    return True


def _after(text: str, at: int) -> int:
    """Where that ends which begins with ``<`` here; -1 if it does not."""
    for begins, ends in (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")):
        if text.startswith(begins, at):
            found = text.find(ends, at + len(begins))
            return found + len(ends) if found >= 0 else -1
    return _after_declaration(text, at) if text.startswith("<!", at) else _after_tag(text, at)


def _after_declaration(text: str, at: int) -> int:
    """Where that ends which begins with ``<!`` here, with all declarations inside of it; -1 if it does not."""
    depth = 0
    for bracket in _BRACKET.finditer(text, at):
        depth += 1 if bracket[0] == "<" else -1
        if depth == 0:
            return bracket.end()
    return -1


def _after_tag(text: str, at: int) -> int:
    """Where the tag ends which begins here; -1 if it does not. A bracket in quotes is none."""
    while stop := _QUOTE_OR_END.search(text, at):
        if stop[0] == ">":
            return stop.end()
        closing = text.find(stop[0], stop.end())
        if closing < 0:
            break
        at = closing + 1
    return -1


def looks_like_html(data: bytes) -> bool:
    """Whether people rather than programs are meant to read it."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith(b"<!doctype html") or b"<html" in head


def local(element: ET.Element) -> str:
    """The name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def children(element: ET.Element | None, name: str) -> list[ET.Element]:
    """Children by their name, whatever their namespace."""
    return [] if element is None else [child for child in element if local(child) == name]


def child(element: ET.Element | None, name: str) -> ET.Element | None:
    """The first child of that name."""
    return next(iter(children(element, name)), None)


def text(element: ET.Element | None, name: str) -> str | None:
    """The text of the first child of that name, as it stands; None if there is none."""
    found = child(element, name)
    return None if found is None else (found.text or "")
