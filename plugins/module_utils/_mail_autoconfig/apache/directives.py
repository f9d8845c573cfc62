r"""Apache's configuration language as a tree of directives, with one writer that quotes and one reader.

PRIVATE to the collection. Quoting follows ``ap_getword_conf`` (server/util.c): within double quotes ``\\`` and ``\"`` are
the only escapes. ``${NAME}`` is replaced by Apache before any word is read (``ap_resolve_env``) and cannot be escaped,
so a word that holds it is refused unless it is an :class:`Expanding` of our own.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_:]*\Z")
_SECTION_START = re.compile(r"<([A-Za-z][A-Za-z0-9]*)((?:\s.*)?)>\Z")
_SECTION_END = re.compile(r"</([A-Za-z][A-Za-z0-9]*)\s*>\Z")
_PLAIN_WORD = re.compile(r"(?:[A-Za-z0-9_./:*@%+,=^$()?!|\[\]{}~-]|\\(?=[^\\\s]))+\Z")
# The backslashes that would escape the character after them, or the quote that closes the word.
_ESCAPING = re.compile(r'\\(?=[\\"]|\Z)|"')


class Expanding(str):
    """A word of our own in which Apache shall replace ``${NAME}``."""


@dataclasses.dataclass(frozen=True)
class Comment:
    """One line of comment."""

    text: str


@dataclasses.dataclass(frozen=True)
class Directive:
    """``name word word ...``; ``raw`` instead of words for text that somebody else wrote in Apache's own syntax."""

    name: str
    words: tuple[str, ...] = ()
    raw: str = ""


@dataclasses.dataclass(frozen=True)
class Section:
    """``<name word ...> children </name>``."""

    name: str
    words: tuple[str, ...]
    children: tuple[Node, ...]
    raw: str = ""


Node = t.Union[Comment, Directive, Section]


class ConfigurationError(ValueError):
    """A text that is not Apache configuration, or a word that cannot be written as one."""


def directive(name: str, *words: str) -> Directive:
    """Build a directive."""
    return Directive(name, words)


def section(name: str, words: t.Iterable[str], children: t.Iterable[Node | None]) -> Section:
    """Build a section; children that are None are left out."""
    return Section(name, tuple(words), tuple(child for child in children if child is not None))


# Most words come in every site again; an Expanding equals its text.
@functools.lru_cache(maxsize=None, typed=True)
def word(value: str) -> str:
    """Quote one word if need be. Raises ConfigurationError for what no quoting can carry."""
    if _FORBIDDEN.search(value):
        raise ConfigurationError(f"{value!r} holds control characters or line breaks")
    if not isinstance(value, Expanding) and "${" in value:
        raise ConfigurationError(f"{value!r} holds ${{, which Apache would replace")
    if _PLAIN_WORD.match(value):
        return value
    return '"' + _ESCAPING.sub(lambda match: "\\" + match.group(), value) + '"'


def write(nodes: t.Iterable[Node], indent: str = "") -> str:
    """Write nodes as text, four blanks a level."""
    return "".join(_lines(node, indent) for node in nodes)


def _lines(node: Node, indent: str) -> str:
    if isinstance(node, Comment):
        if _FORBIDDEN.search(node.text) or node.text.endswith("\\"):
            raise ConfigurationError(f"{node.text!r} is not one line of comment")
        return f"{indent}# {node.text}".rstrip() + "\n"
    if not _NAME.match(node.name):
        raise ConfigurationError(f"{node.name!r} is not the name of a directive")
    if node.raw and (_FORBIDDEN.search(node.raw) or node.raw.endswith("\\")):
        raise ConfigurationError(f"{node.raw!r} is not one line of arguments")
    head = " ".join([node.name, *([node.raw] if node.raw else map(word, node.words))])
    if isinstance(node, Directive):
        return f"{indent}{head}\n"
    return f"{indent}<{head}>\n{write(node.children, indent + '    ')}{indent}</{node.name}>\n"


def parse(text: str) -> tuple[Node, ...]:
    """Read a piece of configuration; arguments stay as they were written. Raises ConfigurationError with the line."""
    stack: list[tuple[str, str, list[Node]]] = [("", "", [])]
    for number, line in logical_lines(text):
        end, start = _SECTION_END.match(line), _SECTION_START.match(line)
        if end:
            name, raw, children = stack.pop()
            if not stack or name.lower() != end.group(1).lower():
                raise ConfigurationError(f"line {number}: {line} closes a section that is not open")
            stack[-1][2].append(Section(name, (), tuple(children), raw))
        elif start:
            stack.append((start.group(1), start.group(2).strip(), []))
        elif line.startswith("#"):
            stack[-1][2].append(Comment(line.lstrip("#").strip()))
        else:
            name, _blank, raw = line.partition(" ")
            if not _NAME.match(name):
                raise ConfigurationError(f"line {number}: {name!r} is not the name of a directive")
            stack[-1][2].append(Directive(name, (), raw.strip()))
    if len(stack) > 1:
        raise ConfigurationError(f"<{stack[-1][0]}> is not closed")
    return tuple(stack[0][2])


def logical_lines(text: str) -> t.Iterator[tuple[int, str]]:
    """Lines with continuations joined and blanks folded at their ends; empty ones left out."""
    pending, first = "", 0
    for number, physical in enumerate(text.split("\n"), 1):
        line = physical.rstrip("\r").replace("\t", " ")
        first = first or number
        if line.endswith("\\"):
            pending += line[:-1]
            continue
        complete = (pending + line).strip()
        if _FORBIDDEN.search(complete):
            raise ConfigurationError(f"line {first}: control characters")
        if complete.endswith("\\") or re.search(r"\A<.*\\\s*>\Z", complete):
            raise ConfigurationError(f"line {first}: ends in a backslash that continues nothing")
        if complete:
            yield first, complete
        pending, first = "", 0
    if pending:
        raise ConfigurationError(f"line {first}: ends in a backslash with nothing to continue")


def split_words(raw: str) -> list[str]:
    """The words of a raw argument text, unquoted as Apache does."""
    found = re.findall(r'("(?:[^"\\]|\\.)*")|(\S+)', raw)
    return [re.sub(r'\\([\\"])', r"\1", quoted[1:-1]) if quoted else re.sub(r"\\\\", r"\\", bare) for quoted, bare in found]
