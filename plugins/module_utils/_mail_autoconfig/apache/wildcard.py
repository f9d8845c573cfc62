"""A site for very many host names: wildcards stand for them, and what else these catch is refused.

PRIVATE to the collection. Apache compares the names of virtual hosts one after the other (server/vhost.c, matches_aliases), but
it runs through a regular expression that never begins anew in a microsecond. A hook of mod_lua, which could look names up in a
table, takes a tenth of a request, and a request for Thunderbird's file needs no Lua otherwise.
"""

from __future__ import annotations

import itertools
import os
import re
import typing as t

from .directives import Node, directive, section

# Set for the hosts that are ours.
_OURS = "MAIL_AUTOCONFIG_HOST"
# PCRE refuses an expression that compiles to more than 64 KiB, and a character takes two bytes.
_MAX_LENGTH = 25_000
# What a name adds besides its characters: "(?:", "|" and ")".
_BRANCH = 5


def names(hosts: t.Sequence[str]) -> list[str]:
    """The names of the virtual host: the first host, and a wildcard for each label.

    :arg hosts: a label and a mail domain each
    """
    return [hosts[0], *(f"{label}.*" for label in sorted({host.partition(".")[0] for host in hosts}))]


def refuse_others(hosts: t.Iterable[str]) -> list[Node]:
    """Directives that answer 404 to whatever the wildcards caught besides the hosts.

    The variable is there before anything looks at the path, and a redirect without a path of its own comes before all others
    (mod_alias.c, try_redirect).
    """
    domains: dict[str, list[str]] = {}
    for host in hosts:
        label, _dot, domain = host.partition(".")
        domains.setdefault(label, []).append(domain)
    labels: dict[tuple[str, ...], list[str]] = {}
    for label, listed in domains.items():
        labels.setdefault(tuple(sorted(set(listed))), []).append(label)
    ours = [
        directive("SetEnvIfNoCase", "Host", rf"^(?:{'|'.join(sharing)})\.{alternatives(some)}\.?(?::\d+)?$", _OURS)
        for listed, sharing in labels.items()
        for some in portions(listed)
    ]
    return [*ours, section("If", [f"-z reqenv('{_OURS}')"], [directive("Redirect", "404")])]


def alternatives(words: t.Sequence[str]) -> str:
    """A regular expression for some words, in which each beginning that words share stands once.

    :arg words: sorted and different
    """
    # Not of paths, but of strings, character by character.
    beginning = os.path.commonprefix([words[0], words[-1]])  # noqa: RUF071
    rests = [word[len(beginning) :] for word in words]
    if len(rests) == 1:
        return re.escape(beginning)
    branches = [alternatives(list(some)) for _first, some in itertools.groupby(rests, key=lambda rest: rest[:1])]
    return f"{re.escape(beginning)}(?:{'|'.join(branches)})"


def portions(words: t.Iterable[str]) -> t.Iterator[list[str]]:
    """The words in lists for which an expression is short enough for PCRE."""
    portion: list[str] = []
    length = 0
    for word in words:
        size = len(re.escape(word)) + _BRANCH
        if portion and length + size > _MAX_LENGTH:
            yield portion
            portion, length = [], 0
        portion.append(word)
        length += size
    if portion:
        yield portion
