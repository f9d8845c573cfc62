"""Where Apache would listen with a module that is off: ``Listen`` within ``<IfModule>``, as Debian's ports.conf has it for TLS.

PRIVATE to the collection. Reads tolerantly: the configuration is somebody else's, and Apache, not this, judges it.
"""

from __future__ import annotations

import re

_OPENING = re.compile(r"<\s*IfModule\s+(\S+?)\s*>\Z", re.IGNORECASE)
_CLOSING = re.compile(r"</\s*IfModule\s*>\Z", re.IGNORECASE)
_LISTEN = re.compile(r"Listen\s+(?:\S*:)?(\d+)\b", re.IGNORECASE)


def with_module(text: str, name: str) -> set[int]:
    """The ports in a configuration file that are listened on only if the module is there."""
    ports: set[int] = set()
    if "listen" not in text.lower():
        return ports
    around: list[str] = []
    for raw in re.sub(r"\\\r?\n", " ", text).splitlines():
        line = raw.strip()
        opening, listen = _OPENING.match(line), _LISTEN.match(line)
        if opening:
            around.append(opening[1].strip('"').lower())
        elif _CLOSING.match(line) and around:
            around.pop()
        elif listen and {f"{name}_module", f"mod_{name}.c"} & set(around):
            ports.add(int(listen[1]))
    return ports
