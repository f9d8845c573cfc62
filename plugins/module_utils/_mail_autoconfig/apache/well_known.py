"""The answers on the sites of the mail domains themselves, which are not ours and are not edited.

PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from . import responder
from .common import LUA, MAX_BODY
from .directives import Node, directive, section


def snippet(patterns: t.Iterable[str], documents: Node, script: str, personal: bool) -> list[Node]:
    """The snippet for the main server.

    Every virtual host inherits it, so the script says for which host names. Neither rewrite rules nor aliases of the main
    server can: virtual hosts without a rewrite directive of their own never run them (mod_rewrite.c, hook_uri2file), and
    an alias cannot decline.

    :arg patterns: regular expressions of the paths, without the leading slash
    :arg documents: the section that says how the documents of the provider are sent
    :arg script: path of the responder
    :arg personal: whether the responder answers itself, too
    """
    mine = [
        # The site may ask for a login or hand everything to an application; a mail client must see neither.
        directive("Require", "all", "granted"),
        directive("SetHandler", "none"),
        directive("Header", "always", "set", "X-Content-Type-Options", "nosniff"),
        directive("LimitRequestBody", str(MAX_BODY)),
    ]
    answer = section("If", [f"reqenv('{responder.MARK}') == '{responder.RESPONDER}'"], [directive("SetHandler", "lua-script")])
    return [
        documents,
        section(
            "LocationMatch",
            [f"^/(?:{'|'.join(patterns)})$"],
            [
                *LUA,
                directive("LuaHookTranslateName", script, "translate", "early"),
                section("If", [f"-n reqenv('{responder.MARK}')"], mine),
                answer if personal else None,
            ],
        ),
    ]
