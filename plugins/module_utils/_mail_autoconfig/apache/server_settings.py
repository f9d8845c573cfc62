"""What makes our sites stand on their own feet: settings of the whole server that every virtual host inherits do not reach them.

PRIVATE to the collection. Apache merges settings in a fixed order (server/request.c): those of the server and the virtual host,
then ``<Directory>``, ``<Files>``, ``<Location>``, and last ``<If>``, in each the main server's before those of the virtual host.
So what must not be overridden stands in an ``<If>`` in a ``<Location>``. What the administrator says in the option
``extra_directives`` is meant for these sites and wins: directives of that name are left out here.

What cannot be kept away:

- ``Redirect`` and ``RedirectMatch`` of the main server. mod_alias tries the redirects of the virtual host and then those of the
  main server, all before any alias (``merge_alias_config``, ``translate_alias_redir``), and no redirect of our own can say "not
  this one". Our own redirects and 404 come before them.
- ``SSLRequireSSL`` and ``SSLRequire`` for hosts that are served over HTTP; they can be switched on only.
- ``SetOutputFilter``, which has no way back. Compression is all right: clients have to ask for it, and nobody may compress
  PACC's document.
- An ``Alias`` for ``/.well-known/acme-challenge/``, on purpose: it is how some ACME clients answer for all sites of a server.
- ``<If>`` inside an ``<If>`` of the main server, and rules of mod_security and its like.
"""

from __future__ import annotations

import typing as t

from .common import MAX_BODY
from .directives import Comment, Directive, Node, Section, directive, section

# What our sites answer with Apache's own words. A redirect or a web page in the place of an error would be an answer to clients.
_ERRORS = (400, 403, 404, 405, 413, 500, 503)
# Whoever says one of these says who may come in.
_ACCESS = {"require", "requireall", "requireany", "requirenone", "order", "allow", "deny", "satisfy"}
_ANYTHING = {"include", "includeoptional", "use"}


def of_the_server(tls: bool, extra: t.Sequence[Node]) -> list[Node]:
    """Directives for a virtual host itself.

    :arg extra: the administrator's own directives
    """
    said = _names(extra)
    proxies = any(name.startswith("proxypass") for name in said) or _ANYTHING.intersection(said)
    # ProxyPass of every kind asks for this variable first (mod_proxy.c, proxy_trans).
    no_proxy = [] if proxies else [directive("SetEnvIf", "Request_URI", "^", "no-proxy")]
    no_rules = section("IfModule", ["mod_rewrite.c"], [directive("RewriteEngine", "Off")])
    return [*no_proxy, *_unsaid([no_rules, *_no_client_certificate(tls)], said)]


def _no_client_certificate(tls: bool) -> list[Node]:
    return [directive("SSLVerifyClient", "none")] if tls else []


def of_all_paths(tls: bool, extra: t.Sequence[Node]) -> list[Node]:
    """Directives for everything that is asked for, to be put where :func:`strongest` puts them."""
    nodes = [
        directive("Require", "all", "granted"),
        section("IfModule", ["mod_access_compat.c"], [directive("Order", "deny,allow")]),
        section("IfModule", ["mod_allowmethods.c"], [directive("AllowMethods", "reset")]),
        section("IfModule", ["mod_rewrite.c"], [directive("RewriteEngine", "Off")]),
        directive("SetHandler", "default-handler"),
        directive("LimitRequestBody", str(MAX_BODY)),
        *(directive("ErrorDocument", str(status), "default") for status in _ERRORS),
        *_no_client_certificate(tls),
    ]
    return _unsaid(nodes, _names(extra))


def strongest(nodes: t.Iterable[Node]) -> Node:
    """The nodes in the section that is merged last, for use in a ``<Location>``."""
    return section("If", ["true"], nodes)


def typed(pattern: str, media_type: str, *more: Node, condition: str = "") -> Node:
    """How the answers to a path are sent.

    Not in an ``<If>``, which Apache merges twice for each request: nobody says media types for a whole server there.

    :arg pattern: regular expression of the path, without the leading slash
    :arg condition: ``expr=...`` if not all of them have the type
    """
    header = directive("Header", "set", "Content-Type", media_type, *filter(None, [condition]))
    return section("LocationMatch", [f"^/{pattern}$"], [*more, header])


def _names(nodes: t.Iterable[Node]) -> set[str]:
    """The names of all directives and sections, in lower case."""
    found: set[str] = set()
    for node in nodes:
        if not isinstance(node, Comment):
            found.add(node.name.lower())
        if isinstance(node, Section):
            found |= _names(node.children)
    return found


def _unsaid(nodes: t.Iterable[Node], said: t.Collection[str]) -> list[Node]:
    """The nodes whose directives are not among those that somebody has said."""
    if _ANYTHING.intersection(said):
        return []
    names = {*said, *(_ACCESS if _ACCESS.intersection(said) else ())}
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, Section):
            children = _unsaid(node.children, names)
            found.extend([section(node.name, node.words, children)] if children else [])
        elif not (isinstance(node, Directive) and node.name.lower() in names):
            found.append(node)
    return found
