"""The Apache sites of a provider: which host names share a site, and what each virtual host holds.

PRIVATE to the collection. Rules by name (H1, A1, ...) are explained in the README, section "What the sites do".
"""

from __future__ import annotations

import dataclasses
import typing as t

from . import clients, responder
from .apache import Comment, Expanding, Node, directive, section, write
from .documents import Document, outlook, thunderbird
from .layout import DebianLayout
from .model import Provider

HEADER = Comment("Managed by Ansible, collection mailops.autoconfig: changes made here are lost with the next run.")
# Nothing else is asked for in these sites; larger bodies are answered 413 before they are read.
MAX_BODY = 16384
ACME_PATH = r"\.well-known/acme-challenge/[^/]+$"
_LOG_FORMAT = '%h %l %u %t "%m {path} %H" %>s %O'
PHP_MODES = ("none", "mod_php", "fpm")


@dataclasses.dataclass(frozen=True)
class Route:
    """Where clients ask for a document.

    :ivar pattern: regular expression of the paths on our own hosts, without the leading slash
    :ivar apex_pattern: the same for the sites of the mail domains themselves
    :ivar path: the path that redirects lead to
    :ivar service: the first label of the host that redirects lead to
    """

    pattern: str
    apex_pattern: str
    path: str
    service: str


# /v1.1/mail/ is what Nine on Android asks for; Outlook's path was seen in every mixture of cases.
_OUTLOOK_PATTERN = r"(?i:autodiscover/autodiscover\.xml)"
# Autodiscover's second version, which only the responder answers; the address may be part of the path.
_JSON_PATTERN = r"(?i:autodiscover/autodiscover\.json(?:/v1\.0/[^/]*)?)"
# By default Apache makes a new interpreter for each request and looks at the script's date, which costs more than half of the
# throughput; a changed script comes with a reload.
_LUA = (directive("LuaScope", "thread"), directive("LuaCodeCache", "forever"))
ROUTES = {
    thunderbird.PATH: Route(
        r"(?:(?:v1\.1/)?mail|\.well-known/autoconfig/mail)/config-v1\.1\.xml",
        r"\.well-known/autoconfig/mail/config-v1\.1\.xml",
        clients.AUTOCONFIG_PATH,
        "autoconfig",
    ),
    outlook.PATH: Route(_OUTLOOK_PATTERN, _OUTLOOK_PATTERN, clients.AUTODISCOVER_PATH, "autodiscover"),
}


@dataclasses.dataclass(frozen=True)
class Certificate:
    """A certificate chain and its key, as paths on the host."""

    file: str
    key: str


@dataclasses.dataclass(frozen=True)
class SiteOptions:
    """What an administrator says of the sites, the same for all providers.

    :ivar listen: addresses of ``<VirtualHost>``, ``*`` for all
    :ivar personal: whether the responder answers Outlook (see ``responder``), else the document does as it lies there
    :ivar log_directory: empty for the distribution's ``${APACHE_LOG_DIR}``
    :ivar extra: directives of the administrator's own, parsed
    """

    document_root: str = "/var/www/autoconfig"
    server_admin: str = ""
    listen: tuple[str, ...] = ("*",)
    http_port: int = 80
    https_port: int = 443
    php: str = "none"
    well_known: bool = False
    log_directory: str = ""
    log_queries: bool = False
    personal: bool = False
    extra: tuple[Node, ...] = ()


@dataclasses.dataclass(frozen=True)
class HostGroup:
    """Host names that share a certificate, or that have none: one site on port 80, and one on 443 if there is one.

    :ivar hosts: pairs of host name and the mail domain that it belongs to
    """

    hosts: tuple[tuple[str, str], ...]
    certificate: Certificate | None

    @property
    def names(self) -> tuple[str, ...]:
        """The host names."""
        return tuple(host for host, _domain in self.hosts)


@dataclasses.dataclass(frozen=True)
class SiteFile:
    """A file in ``<kind>-available``: ``kind`` is ``sites`` or ``conf``; those with suffix ``.conf`` can be enabled."""

    kind: str
    name: str
    content: bytes
    suffix: str = ".conf"


def host_groups(provider: Provider, certificate_for: t.Callable[[str, str], Certificate | None]) -> tuple[HostGroup, ...]:
    """Group the provider's host names by the certificate that ``certificate_for(host, domain)`` names."""
    groups: dict[Certificate | None, list[tuple[str, str]]] = {}
    for domain in provider.domains:
        for host in (f"autoconfig.{domain}", f"autodiscover.{domain}"):
            groups.setdefault(certificate_for(host, domain), []).append((host, domain))
    return tuple(HostGroup(tuple(hosts), certificate) for certificate, hosts in groups.items())


def modules(options: SiteOptions, groups: t.Iterable[HostGroup]) -> tuple[str, ...]:
    """The Apache modules that the sites use, sorted."""
    needed = {"alias", "authz_core", "headers"}
    if any(group.certificate for group in groups):
        needed.add("ssl")
    if options.php == "fpm":
        needed.add("env")
    if options.well_known or options.personal:
        needed.add("lua")
    return tuple(sorted(needed))


def site_files(
    provider: Provider,
    groups: t.Iterable[HostGroup],
    documents: t.Iterable[Document],
    options: SiteOptions,
    layout: DebianLayout,
    prefix: str = "",
) -> list[SiteFile]:
    """All configuration files of a provider; ``prefix`` goes before the names of the sites."""
    script_name = f"autoconfig.{provider.domains[0]}"
    script = f"{layout.available('conf')}/{script_name}.lua"
    builder = _Builder(provider, tuple(documents), options, script)
    files = []
    for group in groups:
        name = prefix + group.names[0]
        http = builder.redirecting(group) if group.certificate else [builder.serving(group)]
        files.append(SiteFile("sites", name, _bytes(http)))
        if group.certificate:
            https = section("IfModule", ["mod_ssl.c"], [builder.serving(group)])
            files.append(SiteFile("sites", f"{name}-ssl", _bytes([https])))
    if options.well_known:
        files.append(SiteFile("conf", f"{script_name}-well-known", _bytes(builder.well_known())))
    if options.well_known or options.personal:
        files.append(SiteFile("conf", script_name, builder.script(), ".lua"))
    return files


def _bytes(nodes: t.Iterable[Node]) -> bytes:
    return write([HEADER, *nodes]).encode()


class _Builder:
    """Builds the virtual hosts of one provider."""

    def __init__(self, provider: Provider, documents: tuple[Document, ...], options: SiteOptions, script: str) -> None:
        self._options = options
        self._script = script
        self._domains = provider.domains
        self._documents = documents
        self._directory = f"{options.document_root}/{provider.id}"
        self._routes = [(ROUTES[document.path], f"{self._directory}/{document.path}") for document in documents]
        self._answers = options.personal and any(document.path == outlook.PATH for document in documents)

    def serving(self, group: HostGroup) -> Node:
        """The virtual host that answers with the documents."""
        port = self._options.https_port if group.certificate else self._options.http_port
        routes = [
            directive("AliasMatch", f"^/{route.pattern}$", file)
            for route, file in self._routes
            if not (self._answers and route.service == "autodiscover")
        ]
        if self._answers:
            routes.extend(_LUA)
            routes.append(directive("LuaMapHandler", f"^/(?:{_OUTLOOK_PATTERN}|{_JSON_PATTERN})$", self._script, "handle"))
        return self._virtual_host(port, group.names, group.names[0], [*self._tls(group.certificate), *routes])

    def redirecting(self, group: HostGroup) -> list[Node]:
        """Virtual hosts that send requests to the same name over TLS; the target is never taken from the request."""
        names: dict[str, list[str]] = {}
        for host, domain in group.hosts:
            names.setdefault(domain, []).append(host)
        port = "" if self._options.https_port == 443 else f":{self._options.https_port}"
        nodes = []
        for hosts in names.values():
            redirects = [
                directive(
                    "RedirectMatch",
                    "302",
                    f"^/{route.pattern}$",
                    f"https://{_preferred(hosts, route.service)}{port}{route.path}",
                )
                for route, _file in self._routes
            ]
            if self._answers:
                base = f"https://{_preferred(hosts, 'autodiscover')}{port}"
                redirects.append(directive("RedirectMatch", "302", f"^(/{_JSON_PATTERN})$", f"{base}$1"))
            nodes.append(self._virtual_host(self._options.http_port, hosts, group.names[0], redirects))
        return nodes

    def _virtual_host(self, port: int, hosts: t.Sequence[str], log_name: str, own: t.Iterable[Node]) -> Node:
        """A virtual host: what all of them have, around what is its ``own``."""
        here = "|".join([route.pattern for route, _file in self._routes] + [_JSON_PATTERN] * self._answers)
        return section(
            "VirtualHost",
            [f"{address}:{port}" for address in self._options.listen],
            [
                directive("ServerName", hosts[0]),
                *(directive("ServerAlias", alias) for alias in hosts[1:]),
                directive("ServerAdmin", self._options.server_admin or f"admin@{self._domains[0]}"),
                directive("DocumentRoot", self._options.document_root),
                section("Location", ["/"], [directive("AddDefaultCharset", "UTF-8"), *self._php()]),
                self._directory_section(self._options.document_root),
                directive("Header", "always", "set", "X-Content-Type-Options", "nosniff"),
                directive("LimitRequestBody", str(MAX_BODY)),
                *own,
                directive("RedirectMatch", "404", "^/$"),
                Comment("Nothing but the documents and certificate challenges, whatever lies in the document root."),
                directive("RedirectMatch", "404", f"^/(?!(?:{here})$|{ACME_PATH})"),
                *self._options.extra,
                *self._logs(log_name),
            ],
        )

    def _directory_section(self, path: str) -> Node:
        """Access and media type of the documents below a path; nothing there is ever listed or run."""
        types = [
            section("Files", [document.path.rpartition("/")[2]], [directive("ForceType", document.media_type)])
            for document in self._documents
        ]
        return section(
            "Directory",
            [path],
            [
                directive("Options", "None"),
                directive("AllowOverride", "None"),
                directive("Require", "all", "granted"),
                *types,
            ],
        )

    def _php(self) -> list[Node]:
        """The guide's settings, for PHP that the administrator runs in these sites; the documents need none."""
        if self._options.php == "mod_php":
            values = [
                directive("php_value", "magic_quotes_gpc", "off"),
                directive("php_value", "register_globals", "off"),
            ]
            return [section("IfModule", [name], values) for name in ("mod_php5.c", "mod_php7.c", "mod_php.c")]
        if self._options.php == "fpm":
            # Two variables, because a second SetEnv of PHP_ADMIN_VALUE would replace the first.
            return [
                directive("SetEnv", "PHP_ADMIN_VALUE", "magic_quotes_gpc = Off"),
                directive("SetEnv", "PHP_VALUE", "register_globals = Off"),
            ]
        return []

    @staticmethod
    def _tls(certificate: Certificate | None) -> list[Node]:
        if certificate is None:
            return []
        return [
            directive("SSLEngine", "on"),
            directive("SSLCertificateFile", certificate.file),
            directive("SSLCertificateKeyFile", certificate.key),
        ]

    def _logs(self, name: str) -> list[Node]:
        directory = self._options.log_directory
        make = str if directory else Expanding
        prefix = f"{directory or '${APACHE_LOG_DIR}'}/{name}"
        log_format = _LOG_FORMAT.format(path="%U%q" if self._options.log_queries else "%U")
        return [
            directive("ErrorLog", make(f"{prefix}-error.log")),
            directive("CustomLog", make(f"{prefix}-access.log"), log_format),
        ]

    def well_known(self) -> list[Node]:
        """The snippet that answers on the sites of the mail domains themselves.

        Every virtual host inherits it, so the script says for which host names. Neither rewrite rules nor aliases of the main
        server can: virtual hosts without a rewrite directive of their own never run them (mod_rewrite.c, hook_uri2file), and
        an alias cannot decline.
        """
        here = "|".join([route.apex_pattern for route, _file in self._routes] + [_JSON_PATTERN] * self._answers)
        mine = [
            # The site may ask for a login or hand everything to an application; a mail client must see neither.
            directive("Require", "all", "granted"),
            directive("SetHandler", "none"),
            directive("Header", "always", "set", "X-Content-Type-Options", "nosniff"),
            directive("LimitRequestBody", str(MAX_BODY)),
        ]
        answer = section(
            "If", [f"reqenv('{responder.MARK}') == '{responder.RESPONDER}'"], [directive("SetHandler", "lua-script")]
        )
        return [
            # This one counts for all sites, so it is no wider than what is ours for certain.
            self._directory_section(self._directory),
            section(
                "LocationMatch",
                [f"^/(?:{here})$"],
                [
                    *_LUA,
                    directive("LuaHookTranslateName", self._script, "translate", "early"),
                    section("If", [f"-n reqenv('{responder.MARK}')"], mine),
                    answer if self._answers else None,
                ],
            ),
        ]

    def script(self) -> bytes:
        """The script for mod_lua."""
        files = {route.service: file for route, file in self._routes}
        ports = (self._options.http_port, self._options.https_port)
        answer = next((document.content for document in self._documents if document.path == outlook.PATH), None)
        return responder.script(HEADER.text, self._domains, self._script, files, answer if self._answers else None, ports)


def _preferred(hosts: t.Sequence[str], service: str) -> str:
    """The host of the service if it is among them."""
    return next((host for host in hosts if host.startswith(f"{service}.")), hosts[0])
