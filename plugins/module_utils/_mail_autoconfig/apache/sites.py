"""The Apache sites of a provider: which host names share a site, and what each virtual host holds.

PRIVATE to the collection. Rules by name (H1, A1, ...) are explained in the README, section "What the sites do".
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t

from .. import clients
from ..certificates import Certificate
from ..documents import Document, apple, outlook, pacc, page, thunderbird
from ..files import File, Kind
from ..host.platform import Platform
from ..input.model import Provider
from . import managed_domains, responder, server_settings, signing, well_known, wildcard
from .common import HEADER, LUA, file_bytes
from .directives import Comment, Node, Section, directive, section
from .logs import logs
from .managed_domains import AcmeOptions, ManagedDomain
from .routes import ACME_PATH, JSON_PATTERN, OUTLOOK_PATTERN, ROUTES

# Apache compares names one after the other: for the last of 20,000 a request takes twice as long, for one of these no longer.
MANY_NAMES = 400
# Such a site must be read after all others, whose literal names count first; this goes behind the prefix of the others.
WIDE_PREFIX = "zzz-"
# Behind the name of a site that has TLS for the sake of the authority alone.
WAITING = "-waiting"
_PAGES = "page/"
_READ_BY_SCRIPT = (outlook.PATH, apple.PERSONAL_PATH, apple.GENERAL_PATH, thunderbird.PERSONAL_PATH)
_JSON_TYPE = "application/json; charset=utf-8"
_POLICY_HEADER = "Content-Security-Policy"
_DEFAULT_NAME = "autoconfig-default.invalid"
# Addresses of virtual hosts by port: "*", "192.0.2.7", "[2001:db8::7]".
Addresses = t.Mapping[int, t.Sequence[str]]
PHP_MODES = ("none", "mod_php", "fpm")


@dataclasses.dataclass(frozen=True)
class SiteOptions:
    """What an administrator says of the sites, the same for all providers.

    :ivar listen: addresses of ``<VirtualHost>``, ``*`` for all
    :ivar personal: whether the responder answers (see ``responder``), else the documents do as they lie there
    :ivar signer: what signs Apple's profiles, if anything does
    :ivar log_directory: empty for the distribution's ``${APACHE_LOG_DIR}``
    :ivar extra: directives of the administrator's own, parsed
    :ivar logins: path of the table of logins of a provider; empty where it has none
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
    signer: signing.Signer | None = None
    extra: tuple[Node, ...] = ()
    logins: str = ""


@dataclasses.dataclass(frozen=True)
class HostGroup:
    """Host names that share a certificate, or that have none: one site on port 80, and one on 443 if there is one.

    :ivar hosts: pairs of host name and the mail domain that it belongs to
    :ivar managed: whether mod_md brings the certificate (see ``managed_domains``), so that the site does not name its files
    :ivar validated: those of the names that an authority validates over TLS, by managed domain
    :ivar wide: whether wildcards stand for the names (see ``wildcard``); for one group of a server only
    """

    hosts: tuple[tuple[str, str], ...]
    certificate: Certificate | None
    wide: bool = False
    managed: bool = False
    validated: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def waiting(self) -> tuple[str, ...]:
        """The names with TLS for the sake of the authority alone."""
        return () if self.certificate else tuple(name for _managed, names in self.validated for name in names)

    @property
    def names(self) -> tuple[str, ...]:
        """The host names."""
        return tuple(host for host, _domain in self.hosts)


def host_groups(
    domains: t.Iterable[str],
    certificate_for: t.Callable[[str, str], Certificate | None],
    labels: t.Sequence[str] = clients.LABELS,
) -> tuple[HostGroup, ...]:
    """Group the host names of mail domains by the certificate that ``certificate_for(host, domain)`` names."""
    groups: dict[Certificate | None, list[tuple[str, str]]] = {}
    for domain in domains:
        for host in (f"{label}.{domain}" for label in labels):
            groups.setdefault(certificate_for(host, domain), []).append((host, domain))
    return tuple(HostGroup(tuple(hosts), certificate) for certificate, hosts in groups.items())


def secure_names(groups: t.Iterable[HostGroup]) -> set[str]:
    """The host names that have a certificate."""
    return {name for group in groups if group.certificate for name in group.names}


def modules(options: SiteOptions, groups: t.Iterable[HostGroup]) -> tuple[str, ...]:
    """The Apache modules that the sites use, sorted."""
    needed = {"alias", "authz_core", "headers", "setenvif"}
    if any(group.certificate or group.waiting for group in groups):
        needed.add("ssl")
    if options.php == "fpm":
        needed.add("env")
    if options.well_known or options.personal:
        needed.add("lua")
    if options.signer:
        needed.add("ext_filter")
    return tuple(sorted(needed))


def stored_path(provider_id: str, document: Document, options: SiteOptions) -> str:
    """Where a document lies on the host.

    What the script reads has the digest of its content in its name: a script that still runs must never fill in a document of
    the next run, which may have other placeholders. What Apache itself sends has the same name always.
    """
    path = document.path
    if (options.personal and path in _READ_BY_SCRIPT) or path.startswith(_PAGES):
        stem, _dot, suffix = path.rpartition(".")
        path = f"{stem}-{_short_digest(document.content)}.{suffix}"
    return f"{options.document_root}/{provider_id}/{path}"


def _short_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def document_files(provider: Provider, documents: t.Iterable[Document], options: SiteOptions) -> list[File]:
    """The documents of a provider as files."""
    return [File(stored_path(provider.id, document, options), document.content, Kind.DOCUMENT) for document in documents]


def site_files(
    provider: Provider,
    groups: t.Sequence[HostGroup],
    documents: t.Iterable[Document],
    options: SiteOptions,
    layout: Platform,
    prefix: str = "",
    addresses: Addresses | None = None,
    guards: t.Mapping[str, str] | None = None,
) -> list[File]:
    """All configuration files of a provider, and its script.

    :arg prefix: goes before the names of the sites
    :arg addresses: of the virtual hosts, for ports where they are not those of the options
    :arg guards: files by address: without its file nothing is said at an address
    """
    builder = _Builder(provider, groups, tuple(documents), options, layout, addresses or {})

    def file(directory: str, name: str, nodes: t.Iterable[Node]) -> File:
        return configuration(layout, directory, name, guarded(nodes, guards or {}))

    own_name = f"autoconfig.{provider.domains[0]}"
    definitions = f"{layout.enabled('conf')}/{managed_domains.file_name(own_name)}{layout.suffix('conf')}"
    files = []
    for group in groups:
        name = prefix + (WIDE_PREFIX if group.wide else "") + group.names[0]
        http = builder.redirecting(group) if group.certificate else [builder.serving(group)]
        files.append(file("sites", name, http))
        if group.certificate:
            managed = managed_domains.name_at(group.certificate.file) if group.managed else ""
            host = _secured(builder.serving(group), group.certificate, managed, definitions)
            files.append(file("sites", f"{name}-ssl", [host]))
        if group.waiting:
            hosts = [_secured(builder.waiting(names), None, managed, definitions) for managed, names in group.validated]
            files.append(file("sites", f"{name}{WAITING}", hosts))
    if options.well_known:
        files.append(file("conf", f"{own_name}-well-known", builder.well_known()))
    if builder.script is not None:
        files.append(builder.script)
    if options.signer:
        files.append(file("conf", f"{own_name}-signing", signing.definitions(options.signer, provider.id)))
    return files


def default_site(
    addresses: Addresses,
    certificate: Certificate | None,
    options: SiteOptions,
    layout: Platform,
    first_domain: str,
    prefix: str = "",
) -> File:
    """A site for requests that name no host of this server, which Apache gives to the first site of the address.

    It answers 404 to everything, so that nobody is told the settings of somebody else's domain. Its name comes before those of
    our other sites.

    :arg addresses: where no neighbour has a site
    :arg certificate: for the port of HTTPS; without it nothing is said there
    :arg first_domain: names the logs that it shares
    """
    nodes: list[Node] = []
    for port, listed in sorted(addresses.items()):
        tls = port == options.https_port
        if tls and certificate is None:
            continue
        forced = server_settings.strongest(server_settings.of_all_paths(tls, ()))
        host = section(
            "VirtualHost",
            [f"{address}:{port}" for address in listed],
            [
                directive("ServerName", _DEFAULT_NAME),
                directive("DocumentRoot", options.document_root),
                *_tls(certificate if tls else None),
                *server_settings.of_the_server(tls, ()),
                section("Location", ["/"], [forced]),
                directive("RedirectMatch", "404", "^"),
                *logs(options.log_directory, f"autoconfig.{first_domain}", options.log_queries),
            ],
        )
        nodes.append(_secured(host, certificate) if tls and certificate else host)
    return configuration(layout, "sites", f"{prefix}autoconfig-default", nodes)


def guarded(nodes: t.Iterable[Node], guards: t.Mapping[str, str]) -> t.Iterator[Node]:
    """The same with a virtual host of its own for each address that has a guard, which is there only with the guard's file.

    A fixed address takes all requests to it. So when the site of somebody else leaves one, for whose sake ours are there, ours
    must not stay behind alone and take what comes to the sites on ``*``.
    """
    for node in nodes:
        if not isinstance(node, Section):
            yield node
        elif node.name != "VirtualHost":
            yield dataclasses.replace(node, children=tuple(guarded(node.children, guards)))
        else:
            free = tuple(address for address in node.words if address not in guards)
            if free:
                yield dataclasses.replace(node, words=free)
            for address in (address for address in node.words if address in guards):
                yield section("IfFile", [guards[address]], [dataclasses.replace(node, words=(address,))])


def configuration(layout: Platform, directory: str, name: str, nodes: t.Iterable[Node]) -> File:
    """A configuration file that is enabled."""
    return File(f"{layout.available(directory)}/{name}.conf", file_bytes(nodes), Kind.CONFIGURATION, directory)


def managed_file(
    layout: Platform, host: str, domains: t.Iterable[ManagedDomain], acme: AcmeOptions, options: SiteOptions
) -> File:
    """What tells mod_md of managed domains.

    :arg host: by which the file is named
    """
    nodes = managed_domains.definitions(domains, acme, options.http_port, options.https_port)
    return configuration(layout, "conf", managed_domains.file_name(host), nodes)


def _secured(host: Node, certificate: Certificate | None, managed: str = "", definitions: str = "") -> Node:
    """A virtual host with TLS, which is there only with all that it needs.

    A certificate that somebody takes away before its site would keep Apache from starting, with all other sites; and so would one
    that mod_md is to bring, with that module off, or with nobody to tell it of the names.

    :arg managed: the managed domain, if mod_md brings the certificate
    :arg definitions: the file that tells mod_md; where somebody has sites read before it, the site has it read
    """
    if managed:
        mark = managed_domains.mark(managed)
        first = section("IfDefine", [f"!{mark}"], [directive("IncludeOptional", definitions)])
        host = section("IfModule", ["md_module"], [first, section("IfDefine", [mark], [host])])
    elif certificate:
        for path in dict.fromkeys((certificate.key, certificate.file)):
            host = section("IfFile", [path], [host])
    return section("IfModule", ["mod_ssl.c"], [host])


def _tls(certificate: Certificate | None, managed: bool = False) -> list[Node]:
    if certificate is None:
        return []
    if managed:
        return [directive("SSLEngine", "on")]
    return [
        directive("SSLEngine", "on"),
        directive("SSLCertificateFile", certificate.file),
        directive("SSLCertificateKeyFile", certificate.key),
    ]


class _Builder:
    """Builds the virtual hosts of one provider.

    :ivar script: the responder, where there is something for it to do
    """

    def __init__(
        self,
        provider: Provider,
        groups: t.Sequence[HostGroup],
        documents: tuple[Document, ...],
        options: SiteOptions,
        layout: Platform,
        addresses: Addresses,
    ) -> None:
        self._options = options
        self._addresses = addresses
        self._provider_id = provider.id
        self._domains = provider.domains
        self._documents = documents
        self._directory = f"{options.document_root}/{provider.id}"
        self._download_name = apple.download_name(provider)
        self._stored = {document.path: stored_path(provider.id, document, options) for document in documents}
        self._routes = [(ROUTES[path], stored) for path, stored in self._stored.items() if path in ROUTES]
        self._answers = options.personal and outlook.PATH in self._stored
        self._answers_apple = options.personal and apple.PERSONAL_PATH in self._stored
        self._pages = [path for path in self._stored if path.startswith(_PAGES)]
        has_script = options.well_known or options.personal
        self.script = self._script_file(groups, layout) if has_script else None
        self._script = self.script.path if self.script else ""

    def serving(self, group: HostGroup) -> Node:
        """The virtual host that answers with the documents."""
        port = self._options.https_port if group.certificate else self._options.http_port
        names = wildcard.names(group.names) if group.wide else group.names
        scripts = list(self._handlers())
        own = [
            *(wildcard.refuse_others(group.names) if group.wide else ()),
            *_tls(group.certificate, group.managed),
            *(managed_domains.protocols() if group.certificate and group.validated else ()),
            *self._aliases(),
            *self._unpacked(),
            *((*LUA, *scripts) if scripts else ()),
            *self._types(),
        ]
        last = []
        if self._answers_apple and self._options.signer:
            last = signing.directives(self._provider_id, self._script, clients.PROFILE_PATH)
        return self._virtual_host(port, names, own, last, tls=group.certificate is not None)

    def _aliases(self) -> t.Iterator[Node]:
        """A file for each path that is answered.

        The responder opens documents itself. That Apache finds a file behind each path, too, saves it the search for one,
        directory by directory, a tenth of the time of the whole answer.
        """
        for route, file in self._routes:
            yield directive("AliasMatch", f"^/{route.pattern}$", file)
        if self._answers:
            yield directive("AliasMatch", f"^/{JSON_PATTERN}$", self._stored[outlook.PATH])
        if self._pages:
            yield directive("AliasMatch", "^/$", self._stored[self._pages[0]])

    def _unpacked(self) -> t.Iterator[Node]:
        """The digest of PACC's document in DNS is that of its bytes, so nobody may pack them."""
        if pacc.PATH in self._stored:
            yield directive("SetEnvIf", "Request_URI", f"^{re.escape(clients.PACC_PATH)}$", "no-gzip", "no-brotli")

    def _types(self) -> t.Iterator[Node]:
        """How the answers to each path are sent."""
        for document in self._documents:
            if document.path not in ROUTES:
                continue
            pattern = ROUTES[document.path].pattern
            if document.path == outlook.PATH and self._answers:
                yield server_settings.typed(pattern, document.media_type)
                yield server_settings.typed(JSON_PATTERN, _JSON_TYPE)
            elif document.path == apple.GENERAL_PATH and self._answers_apple:
                # What is refused is told people in plain words or on the page.
                yield server_settings.typed(pattern, document.media_type, condition="expr=%{REQUEST_STATUS} -lt 300")
            else:
                yield server_settings.typed(pattern, document.media_type, *_sent(document))
        if self._pages:
            yield server_settings.typed("", page.MEDIA_TYPE)

    def _policy(self) -> t.Iterator[Node]:
        """Of several policies browsers obey each, so one for all sites of the server would take the page its style."""
        if self._pages:
            yield directive("Header", "unset", _POLICY_HEADER)
            yield directive("Header", "always", "unset", _POLICY_HEADER)
            yield directive("Header", "set", _POLICY_HEADER, f"%{{{responder.POLICY}}}e", f"env={responder.POLICY}")

    def _handlers(self) -> t.Iterator[Node]:
        """What the responder answers."""
        if thunderbird.PERSONAL_PATH in self._stored:
            yield directive("LuaMapHandler", f"^/{ROUTES[thunderbird.PATH].pattern}$", self._script, "autoconfig")
        if self._answers:
            yield directive("LuaMapHandler", f"^/(?:{OUTLOOK_PATTERN}|{JSON_PATTERN})$", self._script, "handle")
        if self._answers_apple:
            yield directive("LuaMapHandler", f"^/{ROUTES[apple.GENERAL_PATH].pattern}$", self._script, "profile")
        if self._pages:
            yield directive("LuaMapHandler", "^/$", self._script, "page")

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
                redirects.append(directive("RedirectMatch", "302", f"^(/{JSON_PATTERN})$", f"{base}$1"))
            if self._pages:
                redirects.append(directive("RedirectMatch", "302", "^/$", f"https://{_preferred(hosts, 'autoconfig')}{port}/"))
            nodes.append(self._virtual_host(self._options.http_port, hosts, redirects))
        return nodes

    def waiting(self, names: t.Sequence[str]) -> Node:
        """The virtual host in which mod_md answers the authority over TLS until there is a certificate, and nobody else.

        Until then it shows a certificate of its own making, which no client takes.
        """
        port = self._options.https_port
        return section(
            "VirtualHost",
            [f"{address}:{port}" for address in self._addresses.get(port, self._options.listen)],
            [
                directive("ServerName", names[0]),
                *(directive("ServerAlias", alias) for alias in names[1:]),
                directive("DocumentRoot", self._options.document_root),
                directive("SSLEngine", "on"),
                *managed_domains.protocols(),
                *server_settings.of_the_server(True, ()),
                section("Location", ["/"], [server_settings.strongest(server_settings.of_all_paths(True, ()))]),
                directive("RedirectMatch", "503", "^"),
                *logs(self._options.log_directory, f"autoconfig.{self._domains[0]}", self._options.log_queries),
            ],
        )

    def _virtual_host(
        self, port: int, hosts: t.Sequence[str], own: t.Iterable[Node], last: t.Iterable[Node] = (), tls: bool = False
    ) -> Node:
        """A virtual host: what all of them have, around what is its ``own``; ``last`` is stronger than the administrator's."""
        patterns = [route.pattern for route, _file in self._routes] + [JSON_PATTERN] * self._answers
        here = "|".join(patterns)
        root = [] if self._pages else [directive("RedirectMatch", "404", "^/$")]
        return section(
            "VirtualHost",
            [f"{address}:{port}" for address in self._addresses.get(port, self._options.listen)],
            [
                directive("ServerName", hosts[0]),
                *(directive("ServerAlias", alias) for alias in hosts[1:]),
                directive("ServerAdmin", self._options.server_admin or f"admin@{self._domains[0]}"),
                directive("DocumentRoot", self._options.document_root),
                *server_settings.of_the_server(tls, self._options.extra),
                self._all_paths(tls),
                _directory(self._options.document_root),
                directive("Header", "always", "set", "X-Content-Type-Options", "nosniff"),
                *own,
                *root,
                Comment("Nothing but the documents and certificate challenges, whatever lies in the document root."),
                directive("RedirectMatch", "404", f"^/(?!(?:{here})$|{ACME_PATH}{'|$' if self._pages else ''})"),
                *self._options.extra,
                *last,
                *logs(self._options.log_directory, f"autoconfig.{self._domains[0]}", self._options.log_queries),
            ],
        )

    def _all_paths(self, tls: bool) -> Node:
        forced = [*server_settings.of_all_paths(tls, self._options.extra), *self._policy()]
        strongest = [server_settings.strongest(forced)] if forced else []
        return section("Location", ["/"], [directive("AddDefaultCharset", "UTF-8"), *self._php(), *strongest])

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

    def well_known(self) -> list[Node]:
        """The snippet that answers on the sites of the mail domains themselves."""
        patterns = [route.apex_pattern for route, _file in self._routes if route.apex_pattern] + [JSON_PATTERN] * self._answers
        documents = [document for document in self._documents if document.path in ROUTES and ROUTES[document.path].apex_pattern]
        sent = [document for document in documents if not (self._answers and document.path == outlook.PATH)]
        types = [section("Files", [self._stored[document.path].rpartition("/")[2]], _sent(document)) for document in sent]
        # This one counts for all sites, so it is no wider than what is ours for certain.
        return well_known.snippet(patterns, _directory(self._directory, types), self._script, self._answers)

    def _script_file(self, groups: t.Iterable[HostGroup], layout: Platform) -> File:
        """The script for mod_lua. Its name has the digest of what it says, so that the script of before stays as it was."""
        directory = layout.available("conf")
        name = f"autoconfig.{self._domains[0]}"
        # The script says where itself lies.
        digest = _short_digest(self._script_text(groups, f"{directory}/{name}.lua"))
        path = f"{directory}/{name}-{digest}.lua"
        return File(path, self._script_text(groups, path), Kind.SCRIPT)

    def _script_text(self, groups: t.Iterable[HostGroup], path: str) -> bytes:
        secure = {name: group.certificate is not None for group in groups for name in group.names}
        found = {secure.get(f"autodiscover.{domain}") for domain in self._domains}
        contents = {document.path: document.content for document in self._documents}
        sent_by_apache = (thunderbird.PATH, pacc.PATH)
        read_by_script = [path for path in sorted(contents) if path not in sent_by_apache and self._options.personal]
        answers = responder.Answers(
            **self._files(),
            personal=self._answers,
            own_hosts=found in ({True}, {False}),
            secure={name for name, has_certificate in secure.items() if has_certificate},
            profile_name=self._download_name,
            logins=self._options.logins,
            signing_slots=signing.SLOTS if self._options.signer else 0,
            pages=tuple(page.Page(page.language(name), self._stored[name], page.policy(contents[name])) for name in self._pages),
        )
        ports = (self._options.http_port, self._options.https_port)
        return responder.script(HEADER.text, self._domains, path, answers, [contents[name] for name in read_by_script], ports)

    def _files(self) -> dict[str, str]:
        """Where the documents of the script lie, by its names for them."""
        names = {"autoconfig": thunderbird.PATH, "autodiscover": outlook.PATH}
        if self._answers_apple:
            names.update(profile=apple.PERSONAL_PATH, general_profile=apple.GENERAL_PATH)
        names["personal_autoconfig"] = thunderbird.PERSONAL_PATH
        return {name: self._stored[path] for name, path in names.items() if path in self._stored}


def _directory(path: str, types: t.Iterable[Node] = ()) -> Node:
    """Access to the documents below a path; nothing there is ever listed or run."""
    # Without FollowSymLinks Apache asks for each directory of the path whether it is a link.
    follow = directive("Options", "FollowSymLinks")
    return section(
        "Directory", [path], [follow, directive("AllowOverride", "None"), directive("Require", "all", "granted"), *types]
    )


def _sent(document: Document) -> list[Node]:
    """The headers of a document that Apache sends as it lies there."""
    nodes: list[Node] = [directive("ForceType", document.media_type)]
    if document.download_name:
        nodes.append(directive("Header", "set", "Content-Disposition", f'attachment; filename="{document.download_name}"'))
    return nodes


def _preferred(hosts: t.Sequence[str], service: str) -> str:
    """The host of the service if it is among them."""
    return next((host for host in hosts if host.startswith(f"{service}.")), hosts[0])
