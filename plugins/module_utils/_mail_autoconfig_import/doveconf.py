"""The output of ``doveconf``: settings and blocks, which 2.3 and 2.4 print alike. Pure.

PRIVATE to the collection. doc.dovecot.org (doveconf). ``-h`` is of no use: 2.4 refuses it for most settings, and
an unknown one is an empty line with status 0 in both.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .model import CannotTellError

_SETTING = re.compile(r"([^\s={}]+) ?=(?: (.*))?\Z")
_DEEPEST = 20
# In a list, and of listeners of a service; a real server has a dozen.
MOST_WORDS = 200


@dataclasses.dataclass(frozen=True)
class Block:
    """A block, or the whole of it without a name.

    :ivar settings: names and values in their order
    """

    name: str
    settings: tuple[tuple[str, str], ...] = ()
    blocks: tuple[Block, ...] = ()

    def block(self, name: str) -> Block:
        """The block of this name. Raises CannotTellError unless there is exactly one."""
        found = [each for each in self.blocks if each.name == name]
        if len(found) != 1:
            raise CannotTellError(f"doveconf shows {len(found) or 'no'} {name}")
        return found[0]

    def named(self, kind: str) -> t.Iterator[tuple[str, Block]]:
        """The blocks of a kind (``inet_listener``), each with the rest of its name."""
        for each in self.blocks:
            first, _space, rest = each.name.partition(" ")
            if first == kind:
                yield unquoted(rest), each

    def value(self, name: str, default: str | None = None) -> str:
        """The value of a setting. Raises CannotTellError unless there is exactly one, or none and a default."""
        found = {unquoted(value) for each, value in self.settings if each == name}
        if not found and default is not None:
            return default
        if len(found) != 1:
            raise CannotTellError(f"doveconf shows {'two values of' if found else 'no'} {name}")
        return found.pop()

    def boolean(self, name: str, default: str | None = None) -> bool:
        """A value that is yes or no. Raises CannotTellError."""
        value = self.value(name, default)
        if value not in ("yes", "no"):
            raise CannotTellError(f"doveconf shows {name} as neither yes nor no")
        return value == "yes"

    def words(self, name: str) -> tuple[str, ...]:
        """A list: words (with commas, 2.3), or a block of lines ``word = yes`` (2.4). Raises CannotTellError."""
        if not any(each.name == name for each in self.blocks):
            words = self.value(name).replace(",", " ").split()
        else:
            block = self.block(name)
            words = [unquoted(word) for word, _value in block.settings[: MOST_WORDS + 1] if block.boolean(word)]
        if len(words) > MOST_WORDS:
            raise CannotTellError(f"doveconf shows more in {name} than any server has")
        return tuple(dict.fromkeys(words))


def unquoted(text: str) -> str:
    """Without the quotes that doveconf puts around some values."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def parse(text: str) -> Block:
    """Read what doveconf printed. Raises CannotTellError if it is something else, or not all of it."""
    stack: list[tuple[str, list[tuple[str, str]], list[Block]]] = [("", [], [])]
    # Not splitlines(): it would end a line at characters that may stand in a value.
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()  # noqa: PLW2901
        if not line or line.startswith("#"):
            continue
        if line == "}" and len(stack) > 1:
            name, settings, blocks = stack.pop()
            stack[-1][2].append(Block(name, tuple(settings), tuple(blocks)))
        elif line.endswith("{") and line != "{" and len(stack) < _DEEPEST:
            stack.append((line[:-1].strip(), [], []))
        elif setting := _SETTING.match(line):
            stack[-1][1].append((setting.group(1), setting.group(2) or ""))
        else:
            raise CannotTellError(f"line {number} of what doveconf printed is neither a setting nor a block")
    if len(stack) != 1:
        raise CannotTellError("what doveconf printed ends inside a block")
    return Block("", tuple(stack[0][1]), tuple(stack[0][2]))
