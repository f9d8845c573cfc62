"""Everything that a run needs to know of the host, read once.

PRIVATE to the collection. What Apache's configuration means is asked of Apache itself, without ours in it: our files stand in
``<IfDefine !MAIL_AUTOCONFIG_OFF>``, so that one definition shows what everybody else has.
"""

from __future__ import annotations

import dataclasses
import grp
import os
import pwd
import re
import shutil
import stat
import tempfile
import time
import typing as t

from .. import manifest as manifests
from ..apache import dump, key_pairs, listens, managed_domains, signing
from ..apache.common import HEADER, OFF
from ..apache.neighbours import Ground
from ..certificates import Certificate, Content, Origin, PairFacts, Search, covers
from ..files import Kind, digest
from ..lineages import Store, is_at, is_ours
from ..manifest import Manifest, ManifestError, Owned
from ..orders import Ledger, names_to_look_up
from ..plan import Current
from ..questions import MANY, Expectation
from . import certbot, certificates, filesystem, managed, reload_risks, sockets
from .commands import Result, Runner
from .means import USUAL, Means
from .platform import KINDS, Platform, Variables
from .server import Server, is_apache
from .transaction import MANIFEST, RELOAD_MARKER, ApplyError

_FALLBACK = Variables("www-data", "www-data", "/var/log/apache2", "/var/run/apache2/apache2.pid")
_NO_GROUND = Ground(dump.Dump(), "", "", 1)
_NO_MANIFEST = Manifest()
_NO_SEARCH = Search()
_NO_LEDGER = Ledger()
_NO_STORE = Store()
# Of files that Apache may open, where it does not run or cannot be asked.
_PLENTY = 1 << 20


@dataclasses.dataclass(frozen=True)
class Survey:
    """The host as it was found.

    :ivar installed: whether there is an Apache of this layout
    :ivar broken: what Apache says against its configuration without ours; empty if it is sound
    :ivar ground: its configuration without ours
    :ivar available: modules that can be enabled
    :ivar loaded: modules that Apache loads, ours or not
    :ivar requirements: for each module that we may need, those that it needs, and those that it cannot stand beside
    :ivar pairs: certificates that were looked at
    :ivar left: certificates that our sites used before, or use, that are there and that no site of others uses; for each
        whether it names hosts for mail clients alone
    :ivar moment: when all this was so, in seconds since the epoch
    :ivar signing: of the pair that signs by its paths; None without one
    :ivar signing_contents: pairs that can sign for the host name whose certificate is to
    :ivar served: the keys of the certificates of all others' virtual hosts, by digest, each with a certificate that has it
    :ivar web_group: the number of the web server's group; -1 where that is not known, or this user cannot give files to it
    :ivar running: whether Apache runs
    :ivar taken: ports that Apache would newly listen on with a module, and which process has each already: by module
    :ivar free_descriptors: how many more files Apache may open
    :ivar unreachable: why the web server's user does not get to the document root; empty if it does
    :ivar manifest_problem: why the manifest cannot be used; empty if it can
    :ivar ledger: of certificates that are ordered
    :ivar certbot: what there is of it, where it orders
    """

    installed: bool
    broken: str = ""
    ground: Ground = _NO_GROUND
    available: frozenset[str] = frozenset()
    loaded: frozenset[str] = frozenset()
    requirements: t.Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = dataclasses.field(default_factory=dict)
    pairs: t.Mapping[Certificate, PairFacts] = dataclasses.field(default_factory=dict)
    left: t.Mapping[Certificate, bool] = dataclasses.field(default_factory=dict)
    moment: float = dataclasses.field(default_factory=time.time)
    signing: signing.PairFacts | None = None
    signing_contents: t.Mapping[Certificate, Content] = dataclasses.field(default_factory=dict)
    served: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    web_group: int = -1
    running: bool = False
    taken: t.Mapping[str, t.Mapping[int, str]] = dataclasses.field(default_factory=dict)
    free_descriptors: int = _PLENTY
    unreachable: str = ""
    blocked: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    manifest: Manifest = _NO_MANIFEST
    manifest_problem: str = ""
    ledger: Ledger = _NO_LEDGER
    certbot: Store = _NO_STORE


class Surveyor:
    """Looks at one instance of Apache.

    :arg state_directory: where our manifest is
    """

    def __init__(self, platform: Platform, run: Runner, state_directory: str, means: Means = USUAL) -> None:
        self._platform = platform
        self._means = means
        self._run = run
        self._state = state_directory
        self.variables = _FALLBACK
        self.dump = dump.Dump()
        self._texts: dict[str, str] = {}

    def server(self) -> Server:
        """The Apache that the survey was about."""
        log = self.dump.error_log or f"{self.variables.log_directory}/error.log"
        return self._means.server(self._platform, self._run, self.dump.pid_file or self.variables.pid_file, log)

    def survey(
        self,
        search: Search = _NO_SEARCH,
        signer: signing.Signer | None = None,
        document_root: str = "",
        modules: t.Iterable[str] = (),
    ) -> Survey:
        """Look at everything. Raises ApplyError where a program that is part of the system is missing.

        :arg search: which certificates may be used
        :arg modules: modules that may be needed
        """
        manifest, manifest_problem = self._manifest()
        if not os.path.isfile(self._platform.main_file):
            return Survey(False, manifest=manifest, manifest_problem=manifest_problem, available=frozenset(modules))
        self.variables = self._variables()
        broken = self._dump(manifest)
        self._texts = self.texts()
        server = self.server()
        pairs = self._pairs(search, manifest)
        return Survey(
            installed=True,
            broken=broken,
            # Files of ours from before there was that definition are ours all the same.
            ground=self._ground().without(manifest.files),
            available=frozenset(
                name[: -len(".load")] for name in filesystem.names(self._platform.available("mods")) if name.endswith(".load")
            ),
            loaded=self.dump.modules,
            requirements=self._requirements(modules),
            pairs=pairs,
            left=self._left(manifest, pairs),
            signing=self._signing(signer) if signer else None,
            signing_contents=_contents(pairs, search.signing) if search.signing else {},
            served=self._served() if search.signing else {},
            web_group=self._web_group(),
            running=server.master() is not None,
            taken=self._taken(modules),
            free_descriptors=_free_descriptors(server),
            unreachable=self._unreachable(document_root, manifest.directories) if document_root else "",
            blocked={path: filesystem.blocked_by(path) for path in (document_root, self._state) if path},
            manifest=manifest,
            manifest_problem=manifest_problem,
        )

    # -- Apache's own words -------------------------------------------------------------------------------------------

    def _variables(self) -> Variables:
        lines = self._asked(self._platform.variables()).output.splitlines()
        return Variables(*lines[:4]) if len(lines) >= 4 else _FALLBACK

    def _asked(self, command: t.Sequence[str], environment: t.Mapping[str, str] | None = None) -> Result:
        try:
            return self._run(command, self._platform.environment if environment is None else environment)
        except OSError as exc:
            raise ApplyError(f"{command[0]} cannot be run: {exc}") from exc

    def _dump(self, manifest: Manifest) -> str:
        """Let Apache tell its configuration without ours; what it says against it."""
        result = self._asked_without_ours(manifest, dump.QUESTIONS)
        if result.status != 0:
            return _complaint(result)
        self.dump = self._with_all_names(dump.read(result.output))
        return ""

    def refused(self, manifest: Manifest) -> str:
        """What Apache says against its configuration without ours when it tests it as before a reload; empty if nothing.

        Telling its configuration it passes over some faults, such as a key that is missing.
        """
        result = self._asked_without_ours(manifest, ["-t"])
        return _complaint(result) if result.status != 0 else ""

    def _asked_without_ours(self, manifest: Manifest, question: t.Sequence[str]) -> Result:
        result = self._asked(self._platform.control("-D", OFF, *question))
        if result.status == 0:
            return result
        # A file of ours from before these definitions, or edited by hand, may be what is wrong with it.
        return self._asked_without_files(manifest, question) or result

    def _with_all_names(self, found: dump.Dump) -> dump.Dump:
        """The same with the aliases of virtual hosts that are alone at their address, which Apache does not list.

        Beside another one it does; so each is given company for the time of the question.
        """
        if not found.lonely:
            return found
        company = [word for address in found.lonely for line in _company(address) for word in ("-c", line)]
        result = self._asked(self._platform.control("-D", OFF, *company, *dump.QUESTIONS))
        if result.status != 0:
            return found
        named = {(host.address, host.file, host.line): host for host in dump.read(result.output).virtual_hosts}
        hosts = [
            dataclasses.replace(named.get((host.address, host.file, host.line), host), default=host.default)
            for host in found.virtual_hosts
        ]
        return dataclasses.replace(found, virtual_hosts=tuple(hosts))

    def _asked_without_files(self, manifest: Manifest, question: t.Sequence[str]) -> Result | None:
        """The same question about a copy of the configuration in which our files are empty; None if none of ours is there."""
        directory = self._platform.config_directory
        real = os.path.realpath(directory)
        ours = [
            path for path in manifest.files if path.startswith(f"{real}/") and path.endswith(".conf") and os.path.isfile(path)
        ]
        if not ours:
            return None
        with tempfile.TemporaryDirectory(prefix="mail_autoconfig-") as temporary:
            copy = os.path.join(temporary, "apache")
            shutil.copytree(real, copy, symlinks=True, ignore_dangling_symlinks=True)
            for path in ours:
                with open(copy + path[len(real) :], "wb"):
                    pass
            environment = {**self._platform.environment, "APACHE_CONFDIR": copy}
            result = self._asked(self._platform.control("-D", OFF, *question), environment)
            return Result(result.status, result.output.replace(copy, directory), result.errors.replace(copy, directory))

    def _ground(self) -> Ground:
        main = self._platform.main_file
        sites = self._platform.enabled("sites")
        text = (filesystem.read(os.path.realpath(main)).content or b"").decode("utf-8", "replace")
        directory = os.path.basename(sites)
        lines = [
            number
            for number, line in enumerate(text.splitlines(), 1)
            if re.match(rf"\s*Include(?:Optional)?\s+\S*{re.escape(directory)}/", line, re.IGNORECASE)
        ]
        paths = (*(host.file for host in self.dump.virtual_hosts), self._platform.available("sites"))
        leads_to = filesystem.realpath_of_many()
        return Ground(self.dump, main, sites, lines[0] if lines else 0, {path: leads_to(path) for path in paths})

    # -- what may be needed -------------------------------------------------------------------------------------------

    def _requirements(self, modules: t.Iterable[str]) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        waiting = list(modules)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self._platform.requirements(name)
                waiting.extend(found[name][0])
        return found

    def _pairs(self, search: Search, manifest: Manifest) -> dict[Certificate, PairFacts]:
        """What there is to know of every pair that may be used."""
        found: dict[Certificate, Origin] = {}
        for origin, pair in self._places(search, manifest):
            found.setdefault(pair, origin)
        origins = {pair: origin for pair, origin in found.items() if search.wants(self._means.names(pair.file))}
        try:
            there = {
                pair: dataclasses.replace(
                    self._means.inspect(pair, self._run),
                    origin=origins.get(pair, Origin.GIVEN),
                    is_renewable=not self._is_broken(pair),
                )
                for pair in dict.fromkeys((*search.pairs, *origins))
            }
            brought = {pair: certificates.inspect_content(item, self._run) for pair, item in search.contents.items()}
            return {**there, **brought}
        except OSError as exc:
            raise ApplyError(f"openssl cannot be run: {exc}") from exc

    def _places(self, search: Search, manifest: Manifest) -> t.Iterator[tuple[Origin, Certificate]]:
        """The pairs on this host, in the order in which a place counts for one that several places name."""
        for pattern in search.patterns:
            yield from ((Origin.GIVEN, pair) for pair in certificates.matching(pattern))
        if not search.everywhere:
            return
        for origin, pattern in self._platform.certificate_stores:
            yield from ((origin, pair) for pair in certificates.matching(pattern))
        for store in self._md_stores():
            # Of several kinds of key, the files of each have a suffix (mod_md, md_store_fs.c).
            pattern = Certificate(f"{store}/domains/*/pubcert*.pem", f"{store}/domains/*/privkey*.pem")
            yield from ((Origin.MOD_MD, pair) for pair in certificates.matching(pattern))
        if self.dump.certificates:
            yield from (
                (Origin.NEIGHBOUR, Certificate(pair.file, key)) for pair in self._of_others(manifest) for key in pair.keys
            )
        # A site of others may have gone, and its certificate serves ours as well as before.
        yield from ((Origin.USED, pair) for pair in sorted(manifest.certificates))

    def _md_stores(self) -> list[str]:
        """Where mod_md keeps what it has ordered."""
        texts = self._texts.values() if managed_domains.MODULE in self.dump.modules else ()
        return managed_domains.stores(texts, self._root)

    @property
    def _root(self) -> str:
        """What relative paths in the configuration are below."""
        return self.dump.root or self._platform.config_directory

    def _of_others(self, manifest: Manifest) -> tuple[key_pairs.Pair, ...]:
        """The pairs that the sites of others use."""
        return key_pairs.in_use(_of_others(self._texts, manifest), self.dump.certificates, self.dump.root)

    def _left(self, manifest: Manifest, pairs: t.Mapping[Certificate, PairFacts]) -> dict[Certificate, bool]:
        theirs = {os.path.join(self.dump.root, path) for path in self.dump.certificates}
        known = manifest.certificates | {*manifest.obsolete}
        names = {pair: facts.names for pair, facts in pairs.items() if facts.names}
        return {
            pair: is_ours(names.get(pair) or self._means.names(pair.file)) and not self._is_broken(pair)
            for pair in known
            if pair.file not in theirs and os.path.isfile(pair.file)
        }

    def _is_broken(self, pair: Certificate) -> bool:
        """Whether a pair lies where certbot's lineages do, and is none for certbot, which then cannot delete it either."""
        return is_at(pair, self._platform.certbot_directory) and not certbot.can_renew(pair)

    def _signing(self, signer: signing.Signer) -> signing.PairFacts:
        """What there is to know of a signing pair. Nothing is written; one text is signed for trial."""
        paths = (signer.certificate, signer.key, *filter(None, [signer.chain]))
        missing = tuple(path for path in paths if not os.path.isfile(path))
        if missing:
            return signing.PairFacts(missing)
        questions = self._asked(["openssl", "x509", "-in", signer.certificate, *signing.CERTIFICATE_QUESTIONS], {})
        key = self._asked(["openssl", "pkey", "-in", signer.key, "-pubout", "-passin", "pass:"], {})
        content = filesystem.read(os.path.realpath(signer.certificate)).content or b""
        return signing.PairFacts(
            certificate=signing.read_certificate(questions.output) if questions.status == 0 else None,
            certificates=content.count(b"-----BEGIN CERTIFICATE-----"),
            public_key=signing.public_key(key.output),
            key_mode=stat.S_IMODE(os.stat(signer.key).st_mode),
            user=self.variables.user,
            trial=self._trial(signer),
        )

    def _served(self) -> dict[str, str]:
        """The keys with which the virtual hosts of others serve."""
        paths = sorted({os.path.join(self.dump.root, path) for path in self.dump.certificates})
        return {key: path for path in paths for key in filter(None, [certificates.key(path)])}

    def _web_group(self) -> int:
        try:
            return grp.getgrnam(self.variables.group).gr_gid if os.geteuid() == 0 else -1
        except KeyError:
            return -1

    def _trial(self, signer: signing.Signer) -> str:
        """Sign as the web server's user; what openssl says if it cannot."""
        command = signer.trial()
        if os.geteuid() == 0:
            command = ["runuser", "-u", self.variables.user, "--", *command]
        result = self._asked(command, {})
        return "" if result.status == 0 else " ".join(result.errors.split())[-300:] or "openssl failed"

    def _taken(self, modules: t.Iterable[str]) -> dict[str, dict[int, str]]:
        """Ports that a module which is off would make Apache listen on, and that another program has."""
        off = [name for name in modules if name not in self.dump.modules]
        texts = self._texts.values() if off else ()
        found: dict[str, dict[int, str]] = {}
        for name in off:
            for port in {port for text in texts for port in listens.with_module(text, name)}:
                pid, program = sockets.holder(port)
                if pid and not is_apache(program):
                    found.setdefault(name, {})[port] = f"{program} (process {pid})"
        return found

    def _unreachable(self, document_root: str, ours: t.Collection[str]) -> str:
        """The directory on the way to the documents that the web server's user may not enter; empty if it may enter all.

        :arg ours: directories whose mode a run puts right
        """
        try:
            user = pwd.getpwnam(self.variables.user)
            groups = {user.pw_gid, *(entry.gr_gid for entry in grp.getgrall() if self.variables.user in entry.gr_mem)}
        except KeyError:
            return ""
        path = os.path.realpath(document_root)
        while path != "/":
            if os.path.isdir(path) and path not in ours:
                status = os.stat(path)
                shift = 6 if status.st_uid == user.pw_uid else 3 if status.st_gid in groups else 0
                if user.pw_uid and not status.st_mode >> shift & 1:
                    mode = stat.S_IMODE(status.st_mode)
                    owner = f"user {status.st_uid}, group {status.st_gid}"
                    return f"{self.variables.user} may not enter {path} (mode {mode:04o}, {owner})"
            path = os.path.dirname(path)
        return ""

    def certbot(
        self, domains: t.Collection[str], lineages: t.Collection[str] = (), webroot: str = "", profile: str = ""
    ) -> Store:
        """What there is of certbot.

        :arg domains: mail domains for which it may have to order
        :arg lineages: those of which to tell which names are validated from ``webroot``
        :arg profile: of the certificates; empty for none
        """
        is_installed = self._means.is_there(certbot.PROGRAM)
        found = certbot.look(self._platform, self.server(), self._state, domains, is_installed, lineages, webroot)
        return dataclasses.replace(found, takes_profiles=not (profile and is_installed) or certbot.takes_profiles(self._run))

    def ledger(
        self,
        wanted: t.Mapping[str, t.Sequence[str]],
        lacking: t.Sequence[str],
        survey: Survey,
        files: t.Mapping[str, str],
        profile: str,
        own: t.Collection[str],
        alias: str,
    ) -> Ledger:
        """What ordering certificates needs to know. Raises ApplyError where this host's addresses cannot be told.

        :arg wanted: host names by mail domain, for mod_md
        :arg lacking: host names that certbot may have to order
        :arg files: paths that have to be there, by option
        :arg profile: of the certificates; empty for none
        :arg own: addresses that lead here besides this host's
        :arg alias: a name whose addresses lead here; empty for none
        """
        # What is left of ours where the manifest is lost has our header.
        theirs = {
            path: text
            for path, text in (_of_others(self._texts, survey.manifest) if wanted else {}).items()
            if not text.startswith(f"# {HEADER.text}")
        }
        store = managed_domains.stores(theirs.values(), self._root)[0]
        facts = {pair.file: found for pair, found in survey.pairs.items()}
        entries = managed.entries(
            store, [name for names in wanted.values() for name in names], lambda path: facts.get(path, PairFacts())
        )
        asked = names_to_look_up(wanted, entries, survey.moment)
        compared = [*asked, *lacking]
        addresses = self._means.resolve([*compared, *filter(None, [alias])] if compared else [])
        try:
            here = self._means.addresses()
        except OSError as exc:
            raise ApplyError(f"the addresses of this host cannot be told: {exc}") from exc
        return Ledger(
            store=store,
            entries=entries,
            addresses=addresses,
            own=frozenset({*here, *own, *(addresses[alias].found if alias in addresses else ())}),
            others={
                name: place for path, text in theirs.items() for name, place in managed_domains.managed_in(path, text).items()
            },
            missing={option: path for option, path in files.items() if not os.path.isfile(path)},
            takes_profiles=not (wanted and profile) or self._platform.knows_directive(managed_domains.MODULE, "MDProfile"),
            issued=managed.issued(store) if wanted else (),
            now=survey.moment,
        )

    # -- ours ---------------------------------------------------------------------------------------------------------

    def _manifest(self) -> tuple[Manifest, str]:
        path = os.path.join(self._state, MANIFEST)
        try:
            state = filesystem.read(path)
        except OSError as exc:
            return Manifest(), f"{path}: {exc.strerror} (become: true?)"
        if state.kind == "absent" or filesystem.blocked_by(self._state):
            return Manifest(), ""  # what stands in the way of a directory is said of the option
        if state.content is None:
            return Manifest(), f"{path} is not a regular file: move it away, and run with adopt: true"
        try:
            return manifests.moved(manifests.read(state.content), filesystem.real_of_many()), ""
        except ManifestError as exc:
            return Manifest(), f"{path}: {exc}; restore it, or move it away and run with adopt: true"

    def current(self, paths: t.Iterable[str], manifest: Manifest, directories: t.Iterable[str], header: str) -> Current:
        """The state of the given paths, of the manifest's, and of all that is enabled."""
        known = {*paths, *manifest.files}
        files = {path: filesystem.read(path) for path in sorted(known)}
        enabled: dict[str, list[str]] = {}
        foreign: dict[str, list[str]] = {}
        for kind in KINDS:
            enabled[kind], foreign[kind] = self._links(kind)
        reload_pending = os.path.lexists(os.path.join(self._state, RELOAD_MARKER))
        halfway = self._halfway(enabled["mods"]) if reload_pending else set()
        enabled["mods"] = sorted({*enabled["mods"], *self.dump.modules} - halfway)
        marks = (f"# {header}".encode(), f"-- {header}".encode(), f"; {header}".encode())
        return Current(
            files=files,
            enabled=enabled,
            manifest=manifest,
            reload_pending=reload_pending,
            foreign_links=foreign,
            ours_by_header={path for path, state in files.items() if state.content and state.content.startswith(marks)},
            directories=_directories({*directories, *manifest.directories}),
            leftovers=_leftovers({os.path.dirname(path) for path in known} | {self._state}),
            user=os.geteuid(),
            room=_room({os.path.dirname(path) for path in known}),
        )

    def strays(self, domains: t.Iterable[str], header: str) -> dict[str, Owned]:
        """Scripts of ours, by their header, that the sites of these domains had; a lost manifest does not name them."""
        directory = os.path.realpath(self._platform.available("conf"))
        found = {}
        for domain in domains:
            for name in filesystem.names(directory):
                if re.fullmatch(rf"autoconfig\.{re.escape(domain)}(-[0-9a-f]{{8}})?\.lua", name):
                    state = filesystem.read(f"{directory}/{name}")
                    if state.content is not None and state.content.startswith(f"-- {header}".encode()):
                        found[f"{directory}/{name}"] = Owned(Kind.SCRIPT, (digest(state.content),))
        return found

    def _halfway(self, modules: t.Iterable[str]) -> set[str]:
        """Modules of which a run that was cut off has not made all links."""
        return {name for name in modules if not all(os.path.lexists(link.path) for link in self._platform.links("mods", name))}

    def texts(self) -> dict[str, str]:
        """The whole configuration as Apache reads it, file by file, by path; as it is now."""
        leads_to = filesystem.realpath_of_many()
        contents = {entry.path: filesystem.read(leads_to(entry.path)).content for entry in self.dump.includes}
        return {path: content.decode("utf-8", "replace") for path, content in contents.items() if content}

    # -- before a reload ----------------------------------------------------------------------------------------------

    def risks(self, manifest: Manifest) -> tuple[str, ...]:
        """What in the files of others would end Apache at its next reload."""
        theirs = _of_others(self.texts(), manifest)
        logs, since = self.variables.log_directory, self.server().read_at()
        return reload_risks.found(theirs, self.dump.certificates, self.dump.root, logs, since)

    def unread(self, manifest: Manifest) -> list[str]:
        """Files of others that somebody has changed since Apache has read its configuration."""
        ours, leads_to = manifest.files, filesystem.realpath_of_many()
        theirs = [entry.path for entry in self.dump.includes if leads_to(entry.path) not in ours]
        return filesystem.changed_since(theirs, self.server().read_at())

    def stale(self, expectations: t.Mapping[Certificate, Expectation]) -> list[str]:
        """Certificates that were replaced, where Apache goes on showing the ones of before.

        :arg expectations: by pair, what a host with it should be answered
        """
        since = self.server().read_at()
        newer = {pair: item for pair, item in expectations.items() if filesystem.changed_since([pair.file, pair.key], since)}
        asked = dict(list(newer.items())[:MANY])
        answers = self._means.ask([item.question for item in asked.values()])
        shown = {pair.file: answers[item.question].certificate for pair, item in asked.items()}
        return [pair.file for pair, item in asked.items() if shown[pair.file] not in ("", item.certificate)]

    def _links(self, kind: str) -> tuple[list[str], list[str]]:
        """The enabled names of a kind, and those of them that do not lead to the file of that name."""
        directory, suffix = self._platform.enabled(kind), self._platform.suffix(kind)
        found = [name[: -len(suffix)] for name in filesystem.names(directory) if name.endswith(suffix)]
        available, leads_to = self._platform.available(kind), filesystem.realpath_of_many()
        foreign = [name for name in found if leads_to(f"{directory}/{name}{suffix}") != leads_to(f"{available}/{name}{suffix}")]
        return found, foreign


def _contents(pairs: t.Mapping[Certificate, PairFacts], host: str) -> dict[Certificate, Content]:
    """What is in the pairs on this host that are for a host name."""
    found = {}
    for pair, facts in pairs.items():
        if facts.can_sign and facts.origin is not Origin.CONTENT and covers(facts.names, host):
            chain, key = (filesystem.read(os.path.realpath(path)).content for path in (pair.file, pair.key))
            if chain and key:
                found[pair] = Content(chain, key)
    return found


def _of_others(texts: t.Mapping[str, str], manifest: Manifest) -> dict[str, str]:
    """Configuration files without ours."""
    ours, leads_to = manifest.files, filesystem.realpath_of_many()
    return {path: text for path, text in texts.items() if leads_to(path) not in ours}


def _company(address: str) -> list[str]:
    return [f"<VirtualHost {address}>", "ServerName mail-autoconfig-company.invalid", "</VirtualHost>"]


def _complaint(result: Result) -> str:
    return result.errors.strip() or result.output.strip()[-2000:] or f"apache2ctl ends with {result.status}"


def _directories(paths: t.Iterable[str]) -> dict[str, tuple[int, int]]:
    found = {}
    for path in sorted(paths):
        if os.path.isdir(path) and not os.path.islink(path):
            status = os.stat(path)
            found[path] = (stat.S_IMODE(status.st_mode), status.st_uid)
    return found


def _room(directories: t.Iterable[str]) -> dict[str, tuple[int, int]]:
    found = {}
    for directory in directories:
        there = directory
        while not os.path.isdir(there):
            there = os.path.dirname(there)
        status = os.statvfs(there)
        found[directory] = (os.stat(there).st_dev, status.f_bavail * status.f_frsize)
    return found


def _leftovers(directories: t.Iterable[str]) -> tuple[str, ...]:
    """Temporary files that a killed run has left in the directories of our files."""
    return tuple(
        os.path.join(directory, name)
        for directory in sorted(directories)
        for name in filesystem.names(directory)
        if name.startswith(filesystem.TEMPORARY)
    )


def _free_descriptors(server: Server) -> int:
    """How many more files the running Apache may open; a large number where it does not run, or it cannot be told."""
    master = server.master()
    if master is None:
        return _PLENTY
    try:
        with open(f"/proc/{master.pid}/limits", encoding="ascii") as stream:
            found = re.search(r"^Max open files +(\d+)", stream.read(), re.MULTILINE)
        return int(found[1]) - len(os.listdir(f"/proc/{master.pid}/fd")) if found else _PLENTY
    except OSError:
        return _PLENTY
