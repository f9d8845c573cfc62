"""The mail domains in Postfix's lists.

PRIVATE to the collection. postconf(5) (``mydestination``, ``virtual_mailbox_domains``), postmap(1).
"""

from __future__ import annotations

import re
import typing as t

from .commands import Runner, output_of
from .files import lines_of
from .model import MOST, CannotTellError, Domain, Unknown

DOMAIN = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z")
# Tables that postmap can list; the others can only be asked for one name.
_LISTED = ("hash", "btree", "lmdb", "cdb", "dbm", "sdbm")
_MOST_TABLES = 20


def domains_of_postfix(run: Runner, settings: t.Mapping[str, str]) -> tuple[tuple[Domain, ...], tuple[Unknown, ...]]:
    """The domains that can be listed, and what cannot. Never raises."""
    found: dict[str, Domain] = {}
    unknown: list[Unknown] = []
    for key in ("virtual_mailbox_domains", "mydestination"):
        source = f"postconf -x {key}"
        entries = settings[key].replace(",", " ").split()
        tables = [each for each in entries if ":" in each or each.startswith(("/", "!"))]
        if "{" in settings[key] or len(tables) > _MOST_TABLES:
            why = "a table in braces" if "{" in settings[key] else f"more than {_MOST_TABLES} tables"
            unknown.append(Unknown("domains", f"{key} has {why}, which is not read: name the domains", source))
            continue
        found.update({name: Domain(name, source) for name in _names(set(entries) - set(tables)) if name not in found})
        for table in tables:
            try:
                found.update({name: Domain(name, source) for name in _listed(run, table) if name not in found})
            except CannotTellError as exc:
                unknown.append(Unknown("domains", f"{key}: {exc}", source))
    if len(found) > MOST:
        unknown.append(Unknown("domains", f"there are {len(found)}, of which the first {MOST} are told", "postconf -x"))
    return tuple(found.values())[:MOST], tuple(unknown)


def _listed(run: Runner, table: str) -> list[str]:
    """The domains in a table or a file. Raises CannotTellError."""
    kind, _colon, path = table.partition(":")
    if table.startswith("!"):
        raise CannotTellError("it leaves out names (!), which is not understood")
    if table.startswith("/"):
        lines = [line for line in lines_of(table) if not line.startswith("#")]
    elif kind in _LISTED and path.startswith("/"):
        lines = output_of(run, "postmap", "-s", table).split("\n")
    else:
        # Without what stands behind the kind: that may be anything.
        raise CannotTellError(f"a table of the kind {kind[:20]} cannot be listed, only asked: name the domains")
    return _names(line.split()[0] for line in lines if line.strip())


def _names(words: t.Iterable[str]) -> list[str]:
    """Those that are names of domains; Postfix takes the addresses and the host's own short names as well."""
    names = sorted({word.lower().rstrip(".") for word in words})
    return [name for name in names if DOMAIN.match(name) and not name.startswith("localhost.")]
