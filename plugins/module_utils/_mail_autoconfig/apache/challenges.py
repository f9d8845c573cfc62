"""Answers to an authority for host names that are no sites of ours: it is led to one that is.

PRIVATE to the collection. certbot lays the answer to a challenge into our document root (RFC 8555 section 8.3). A name such as
that of a mail server may come to the site of somebody else, which goes on as it is but for this one path. That site may hand all
paths to an application: such a redirect is made after proxies are chosen, and before they are asked (mod_alias.c, fixup_redir).
Authorities follow redirects.
"""

from __future__ import annotations

import typing as t

from . import wildcard
from .directives import Node, directive, section
from .routes import ACME_PATH

# Behind the name of a host, in that of the file.
_FILE = "-challenges"


def file_name(host: str) -> str:
    """What the file is called, without suffix."""
    return f"{host}{_FILE}"


def snippet(names: t.Iterable[str], target: str, port: int) -> list[Node]:
    """The snippet for the main server, which every virtual host inherits.

    :arg names: host names whose challenges are answered by another one
    :arg target: that one
    :arg port: of our sites for HTTP. A router in front may lead port 80 there, so it stands only where it was asked for
    """
    found = []
    for some in wildcard.portions(sorted(set(names))):
        for ending, behind in (("", ""), *([] if port == 80 else [(f":{port}", f":{port}")])):
            found.append(
                section(
                    "If",
                    [f"%{{HTTP_HOST}} =~ m#^{wildcard.alternatives(some)}\\.?{ending}$#i"],
                    [
                        directive("Require", "all", "granted"),
                        directive("Redirect", "302", f"http://{target}{behind}%{{REQUEST_URI}}"),
                    ],
                )
            )
    return [section("LocationMatch", [f"^/{ACME_PATH}"], found)]
