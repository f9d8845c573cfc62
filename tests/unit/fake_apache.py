"""An Apache in Debian's layout that is only files and a runner: it reads its configuration, but serves nobody.

What Apache itself says (dumps, complaints) is worked out from the files as Apache does, and printed in its format. What our sites
answer is what the run expects of them, if the running configuration has them; the sites of others say which file they are from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import glob
import hashlib
import os
import pwd
import re
import shutil
import stat
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import run as publish
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import Certificate, PairFacts
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.clients import Request
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns.records import Record
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result, Runner
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.means import Means
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.platform import KINDS, Platform
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.server import Process, Server
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.survey import Surveyor
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.twin import Outcome
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.orders import Addresses
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.plan import Plan
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.questions import Answer, Question

Options = dict[str, t.Any]
Tree = dict[str, tuple[t.Any, ...]]
HEADER = b"# Managed by Ansible"
MAIN_FILE = """\
# the main file
IncludeOptional mods-enabled/*.load
IncludeOptional mods-enabled/*.conf
IncludeOptional conf-enabled/*.conf
IncludeOptional sites-enabled/*.conf
"""
# The module of each directive of our sites: Apache does not start with a directive that it does not know.
_MODULES = {
    "AliasMatch": "alias",
    "RedirectMatch": "alias",
    "Require": "authz_core",
    "Header": "headers",
    "SetEnv": "env",
    "SetEnvIf": "setenvif",
    "LuaScope": "lua",
    "LuaCodeCache": "lua",
    "LuaHookTranslateName": "lua",
    "LuaMapHandler": "lua",
    "LuaOutputFilter": "lua",
    "ExtFilterDefine": "ext_filter",
    "SSLEngine": "ssl",
    "SSLCertificateFile": "ssl",
    "SSLRandomSeed": "ssl",
}
_NEEDS = {"ssl": ("mime", "setenvif", "socache_shmcb")}
# The address of this host.
HERE = "203.0.113.7"
# Above what Linux gives out, so that nobody has it.
_FIRST_PID = 10_000_000


class RefusedError(Exception):
    """What Apache says against a configuration."""


@dataclasses.dataclass
class Host:
    """A virtual host."""

    addresses: list[str]
    file: str
    line: int
    content: bytes = b""
    names: list[str] = dataclasses.field(default_factory=list)

    @property
    def name(self) -> str:
        return self.names[0] if self.names else "main.invalid"


class Configuration:
    """A configuration as Apache has read it. Raises RefusedError."""

    def __init__(self, directory: str, defines: Iterable[str] = (), company: Sequence[str] = ()) -> None:
        self._directory = directory
        self._defines = set(defines)
        self.hosts: list[Host] = []
        self.modules: list[str] = []
        self.certificates: list[str] = []
        self.includes: list[tuple[int, str, str]] = []
        self._read(f"{directory}/apache2.conf", 0, "*")
        self._read_lines(list(company), "-c/-C directives", 0)

    def _read(self, path: str, depth: int, line: str) -> None:
        self.includes.append((depth, line, path))
        self._read_lines(Path(path).read_text(errors="replace").splitlines(), path, depth)

    def _read_lines(self, lines: list[str], path: str, depth: int) -> None:
        asides: list[bool] = []
        host: Host | None = None
        for number, raw in enumerate(lines, 1):
            name, _space, rest = raw.strip().partition(" ")
            if name in ("<IfDefine", "<IfModule", "<IfFile"):
                asides.append(not self._holds(name, rest.rstrip(">").strip()))
            elif name in ("</IfDefine>", "</IfModule>", "</IfFile>"):
                asides.pop()
            elif not name or name.startswith("#") or any(asides):
                continue
            elif name == "<VirtualHost":
                host = Host([_address(word) for word in rest.rstrip(">").split()], path, number, "\n".join(lines).encode())
                self.hosts.append(host)
            elif name in ("ServerName", "ServerAlias") and host:
                host.names.extend(rest.split())
            elif name == "IncludeOptional":
                for found in filter(os.path.exists, sorted(glob.glob(os.path.join(self._directory, rest)))):
                    self._read(found, depth + 1, str(number))
            else:
                self._obey(name, rest, f"line {number} of {path}")

    def _obey(self, name: str, rest: str, place: str) -> None:
        if name == "LoadModule":
            self._load(rest.partition(" ")[0].removesuffix("_module"))
        elif name == "Nonsense" or _MODULES.get(name, "core") not in (*self.modules, "core"):
            raise RefusedError(
                f"AH00526: Syntax error on {place}:\nInvalid command '{name}', perhaps misspelled or defined by a module not "
                "included in the server configuration"
            )
        elif name == "Define":
            self._defines.add(rest)
        elif name == "SSLCertificateFile":
            self.certificates.append(rest)

    def _holds(self, section: str, condition: str) -> bool:
        words = condition.removeprefix("!").strip('"')
        if section == "<IfFile":
            return os.path.exists(words) is not condition.startswith("!")
        module = re.sub(r"^mod_|\.c$|_module$", "", words)
        there = words in self._defines if section == "<IfDefine" else module in self.modules
        return there is not condition.startswith("!")

    def _load(self, module: str) -> None:
        missing = set(_NEEDS.get(module, ())) - set(self.modules)
        # The modules that Debian's files say are needed come later in the alphabet, too, and then Apache does not mind.
        if missing - {Path(path).stem for path in glob.glob(f"{self._directory}/mods-enabled/*.load")}:
            raise RefusedError(f"undefined symbol: {module} needs {' '.join(sorted(missing))}")
        self.modules.append(module)

    def addresses(self) -> list[str]:
        """Fixed addresses before ``*``, as Apache tells them."""
        found = dict.fromkeys(address for host in self.hosts for address in host.addresses)
        return sorted(found, key=lambda address: address.startswith("*"))

    def at(self, ip: str, port: int) -> list[Host]:
        """The hosts among which Apache chooses."""
        for address in (f"{ip}:{port}", f"{ip}:*", f"*:{port}", "*:*"):
            found = [host for host in self.hosts if address in host.addresses]
            if found:
                return found
        return []

    def chosen(self, question: Question) -> Host | None:
        """The host that a request comes to."""
        hosts = self.at(question.ip, question.port)
        named = [host for host in hosts if any(fnmatch.fnmatchcase(question.host, name.lower()) for name in host.names)]
        return next(iter([*named, *hosts]), None)

    def dump(self, log: str, pid_file: str) -> str:
        """What it says of itself, as far as it is asked by a define."""
        told = {
            "DUMP_INCLUDES": self._dump_includes(),
            "DUMP_VHOSTS": self._dump_hosts(),
            "DUMP_RUN_CFG": [f'ServerRoot: "{self._directory}"', f'Main ErrorLog: "{log}"', f'PidFile: "{pid_file}"'],
            "DUMP_CERTS": ["Server certificates:", *(f"  {path}" for path in self.certificates)],
            "DUMP_MODULES": ["Loaded Modules:", " core_module (static)", *(f" {name}_module (shared)" for name in self.modules)],
        }
        return "".join(f"{line}\n" for define, lines in told.items() if define in self._defines for line in lines)

    def _dump_includes(self) -> list[str]:
        lines = [f"{'  ' * (depth + 1)}({line}) {path}" for depth, line, path in self.includes]
        return ["Included configuration files:", *lines]

    def _dump_hosts(self) -> list[str]:
        lines = ["VirtualHost configuration:"]
        for address in self.addresses():
            hosts = [host for host in self.hosts if address in host.addresses]
            places = [f"{host.name} ({host.file}:{host.line})" for host in hosts]
            if len(hosts) == 1:
                lines.append(f"{address:<22} {places[0]}")
                continue
            lines += [f"{address:<22} is a NameVirtualHost", f"         default server {places[0]}"]
            for host, place in zip(hosts, places, strict=True):
                lines.append(f"         port {address.rpartition(':')[2]} namevhost {place}")
                for alias in host.names[1:]:
                    lines.append(f"                 {'wild ' * bool(set('*?') & set(alias))}alias {alias}")
        return lines


def _address(word: str) -> str:
    word = word.replace("_default_", "*")
    return word if re.search(r":(\d+|\*)$", word) else f"{word}:*"


class FakeServer(Server):
    """The processes of the fake."""

    def __init__(self, apache: FakeApache, platform: Platform, run: Runner, pid_file: str, error_log: str) -> None:
        super().__init__(platform, run, pid_file, error_log)
        self._apache = apache
        self.reload_seconds = apache.reload_seconds

    def master(self) -> Process | None:
        return self._apache.master

    def workers(self) -> frozenset[Process]:
        return self._apache.workers

    def serving(self) -> frozenset[Process]:
        return self._apache.workers

    def read_at(self) -> float | None:
        return self._apache.read_at

    def unit(self) -> str:
        return ""

    def _end_what_hangs(self) -> None:
        self._apache.stop()


class Ran(t.NamedTuple):
    """What became of a run."""

    plan: Plan
    records: tuple[Record, ...]
    requests: tuple[Request, ...]
    warnings: tuple[str, ...]
    result: Options

    @property
    def changed(self) -> bool:
        return self.plan.is_needed


class FakeApache:
    """Debian's Apache as far as our library sees it.

    :ivar commands: every command that was run
    :ivar certificates: host names in each certificate, by path, or all that is known of it
    :ivar before: called before each command with its number and itself; may answer in its place
    :ivar after: called after each command likewise
    :ivar answering: may answer a question in the place of the sites
    :ivar reloading: called before a reload; raises RefusedError to let Apache end
    :ivar loaded: the configuration that runs; None if Apache does not
    :ivar twin: in the place of ``twin.run``
    :ivar hangs: whether nobody serves after a reload, until Apache is started anew
    :ivar read_at: when it has read its configuration, as it tells; None where nobody can say
    :ivar programs: those that are installed
    :ivar calling: in the place of certbot
    :ivar dns: addresses of host names that do not lead here; ``looked_up`` are the names that were asked for
    :ivar progress: what a run said while it waited
    :ivar lingers: whether workers of before a reload do not end
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.certbot = root / "etc/letsencrypt"
        self.layout = Debian(
            f"{root}/etc/apache2", f"{root}/var/lib/apache2", str(self.certbot), f"{root}{Debian().dehydrated_directory}"
        )
        self.document_root = root / "var/www/autoconfig"
        self.state = root / "var/lib/mail_autoconfig"
        self.error_log = root / "var/log/apache2/error.log"
        self.pid_file = root / "run/apache2.pid"
        self.commands: list[list[str]] = []
        self.certificates: dict[str, list[str] | PairFacts] = {}
        self.before: Callable[[int, Sequence[str]], Result | None] = lambda number, command: None
        self.after: Callable[[int, Sequence[str]], Result | None] = lambda number, command: None
        self.answering: Callable[[Question], Answer | None] = lambda question: None
        self.reloading: Callable[[], object] = lambda: None
        self.twin: Callable[..., Outcome] = lambda work, **options: Outcome(False, "no twins in unit tests")
        self.asked: list[Question] = []
        self.programs = {"certbot"}
        self.calling: Callable[[Sequence[str]], Result] = lambda command: Result(1, "", "nothing is ordered in unit tests")
        self.dns: dict[str, Addresses] = {}
        self.looked_up: list[str] = []
        self.progress: list[str] = []
        self.expected: dict[Question, Answer] = {}
        self.reload_seconds = 0.2
        self.read_at: float | None = None
        self.hangs = False
        self.lingers = False
        self.ready: publish.Preparation | None = None
        self._last_pid = _FIRST_PID
        self._build()
        self.loaded: Configuration | None = None
        self.master: Process | None = None
        self.workers: frozenset[Process] = frozenset()
        self.begin()

    def _build(self) -> None:
        for kind in KINDS:
            Path(self.layout.available(kind)).mkdir(parents=True)
            Path(self.layout.enabled(kind)).mkdir()
        mods = Path(self.layout.available("mods"))
        for module in sorted({*_MODULES.values(), "md", "mime", "socache_shmcb"}):
            needs = f"# Depends: {' '.join(_NEEDS[module])}\n" if module in _NEEDS else ""
            (mods / f"{module}.load").write_text(f"{needs}LoadModule {module}_module x.so\n")
        # As Debian 12's, it does not ask whether the module is there.
        (mods / "ssl.conf").write_text("SSLRandomSeed startup builtin\n")
        Path(self.layout.main_file).write_text(MAIN_FILE)
        for directory in ("var/www", "var/lib", "var/log/apache2", "run"):
            (self.root / directory).mkdir(parents=True, exist_ok=True)
        for module in ("mime", "authz_core"):
            self.enable("mods", module)

    # -- what a test does ---------------------------------------------------------------------------------------------

    def means(self) -> Means:
        def server(platform: Platform, run: Runner, pid_file: str, error_log: str) -> Server:
            return FakeServer(self, platform, run, pid_file, error_log)

        return Means(
            self.inspect,
            self.names,
            server,
            self.ask,
            self.twin,
            resolve=self.resolve,
            addresses=lambda: [HERE],
            is_there=lambda program: program in self.programs,
            call=lambda command, environment, seconds: self.calling(command),
            progress=self.progress.append,
            patience=0,
        )

    def resolve(self, names: Sequence[str]) -> dict[str, Addresses]:
        """In the place of ``managed.resolve``: all names lead here unless ``dns`` says otherwise."""
        self.looked_up.extend(names)
        return {name: self.dns.get(name, Addresses((HERE,))) for name in names}

    def options(self, **changes: t.Any) -> Options:
        """The module's options for this instance, with one domain unless others are given."""
        options: Options = {
            "config_directory": self.layout.config_directory,
            "document_root": str(self.document_root),
            "state_directory": str(self.state),
            "certbot_directory": str(self.certbot),
        }
        if not {"domain", "providers", "purge"} & set(changes):
            options["domain"] = "server.tld"
        return {**options, **changes}

    def surveyor(self) -> Surveyor:
        return Surveyor(self.layout, self.run, str(self.state), self.means())

    def prepare(self, state: str = "present", **changes: t.Any) -> Ran:
        """What a run would do."""
        way = publish.Way(state=state, check=True)
        ready = publish.prepare(settings.read(self.options(**changes)), way, self.layout, self.surveyor())
        return self._ran(ready, ready.findings.warnings, {})

    def publish(self, way: Options | None = None, **changes: t.Any) -> Ran:
        """One run of the module."""
        wanted = publish.Way(**{"lock_seconds": 0, **(way or {})})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(publish, "prepare", self._remembering(publish.prepare))
            result, warnings = publish.run(settings.read(self.options(**changes)), wanted, self.layout, self.run, self.means())
        assert self.ready is not None
        return self._ran(self.ready, warnings, result)

    def remove(self, **changes: t.Any) -> Ran:
        """One run of the module with state absent."""
        return self.publish(way={"state": "absent"}, **changes)

    def check(self, **changes: t.Any) -> Ran:
        """One run in check mode."""
        return self.publish(way={"check": True}, **changes)

    def _remembering(self, prepare: Callable[..., publish.Preparation]) -> Callable[..., publish.Preparation]:
        """The same, so that our sites answer as is expected of them."""

        def remember(*arguments: t.Any) -> publish.Preparation:
            self.ready = prepare(*arguments)
            for item in self.ready.inspection.expectations:
                body = item.beginning if item.body is None else item.body
                self.expected[item.question] = Answer(item.status, item.location, "", body, item.certificate)
            return self.ready

        return remember

    @staticmethod
    def _ran(ready: publish.Preparation, warnings: tuple[str, ...], result: Options) -> Ran:
        publications = ready.publications
        return Ran(ready.plan, publications.records, publications.requests, warnings, result)

    def add_certificate(self, domain: str, *names: str) -> Path:
        """A certificate where a domain's is looked for, with the names, or one that cannot serve; its directory."""
        directory = self.root / "live" / domain
        directory.mkdir(parents=True)
        for name in ("fullchain.pem", "privkey.pem"):
            (directory / name).write_text("PEM\n")
        if names:
            self.certificates[str(directory / "fullchain.pem")] = list(names)
        return directory

    def add_site(self, name: str, text: str) -> None:
        """A site of somebody else, enabled and served."""
        Path(self.layout.available("sites"), f"{name}.conf").write_text(text)
        self.enable("sites", name)
        self.begin()

    def enable(self, kind: str, name: str) -> None:
        for link in self.layout.links(kind, name):
            if not os.path.lexists(link.path):
                os.symlink(link.target, link.path)

    def available(self, kind: str, name: str) -> Path:
        return Path(self.layout.available(kind), name)

    def enabled(self, kind: str) -> list[str]:
        """The links of a kind, without our site for unknown names."""
        names = sorted(path.name for path in Path(self.layout.enabled(kind)).iterdir())
        return [name for name in names if "autoconfig-default" not in name]

    def tree(self) -> Tree:
        """Every path below the root with kind, mode and content; Apache's own logs and process numbers aside."""
        found: Tree = {}
        for path in sorted(self.root.rglob("*")):
            name, status = str(path.relative_to(self.root)), path.lstat()
            if path in (self.error_log, self.pid_file):
                continue
            if path.is_symlink():
                found[name] = ("link", os.readlink(path))
            elif path.is_dir():
                found[name] = ("directory", stat.S_IMODE(status.st_mode))
            else:
                found[name] = ("file", stat.S_IMODE(status.st_mode), path.read_bytes())
        return found

    def footprint(self) -> Tree:
        """Inode and time of change of every path: any write shows."""
        paths = (self.root, *self.root.rglob("*"))
        return {str(path): (path.lstat().st_ino, path.lstat().st_mtime_ns, path.lstat().st_ctime_ns) for path in paths}

    @contextlib.contextmanager
    def copied_aside(self) -> t.Iterator[None]:
        """What is done to files and to Apache within is forgotten, as in a twin."""
        aside = self.root.with_name("aside")
        running = (self.loaded, self.master, self.workers)
        self.root.rename(aside)
        shutil.copytree(aside, self.root, symlinks=True)
        try:
            yield
        finally:
            shutil.rmtree(self.root)
            aside.rename(self.root)
            self.loaded, self.master, self.workers = running

    # -- Apache -------------------------------------------------------------------------------------------------------

    def read(self, *defines: str) -> Configuration:
        return Configuration(self.layout.config_directory, defines)

    def complaint(self) -> str:
        """Why Apache would not start; empty if it would."""
        try:
            self.read()
        except RefusedError as exc:
            return str(exc)
        return ""

    def begin(self) -> None:
        """Start, or take the configuration on. Raises RefusedError, and then Apache does not run."""
        before = self.workers if self.lingers else frozenset()
        self.stop()
        self.loaded = self.read()
        self.master = Process(_FIRST_PID, 1)
        self._last_pid += 1
        self.workers = before | {Process(self._last_pid, 1)}

    def stop(self) -> None:
        self.master, self.workers, self.loaded = None, frozenset(), None

    def judges(self, command: Sequence[str]) -> bool:
        """Whether a command lets Apache read what a run has written, which has begun to write by then."""
        return "-t" in command and "MAIL_AUTOCONFIG_OFF" not in command and (self.state / "reload-pending").exists()

    def serves(self, host: str, port: int = 80) -> str:
        """The name of the file whose site a request comes to."""
        chosen = self.loaded.chosen(Question("http", host, port)) if self.loaded else None
        return Path(chosen.file).name if chosen else ""

    def inspect(self, pair: Certificate, run: Runner) -> PairFacts:
        """In the place of ``certificates.inspect``: fakes are no certificates."""
        missing = tuple(path for path in (pair.file, pair.key) if not os.path.isfile(path))
        if missing:
            return PairFacts(missing)
        run(["openssl", "x509", "-in", pair.file], {})
        known = self.certificates.get(pair.file)
        if isinstance(known, PairFacts):
            return known
        if known is None:
            return PairFacts(problem=f"it or its key {pair.key} is not in PEM form")
        digest = hashlib.sha256(pair.file.encode())
        key = hashlib.sha256(digest.digest()).hexdigest()
        return PairFacts(names=tuple(known), key=key, fingerprint=digest.hexdigest())

    def names(self, path: str) -> tuple[str, ...]:
        """In the place of ``certificates.names``."""
        known = self.certificates.get(path, [])
        return known.names if isinstance(known, PairFacts) else tuple(known)

    def ask(self, questions: Sequence[Question]) -> dict[Question, Answer]:
        """In the place of ``asking.ask``."""
        self.asked.extend(questions)
        return {question: self.answering(question) or self._answer_to(question) for question in questions}

    def _answer_to(self, question: Question) -> Answer:
        if self.loaded is None or self.hangs:
            return Answer(failure="Connection refused")
        host = self.loaded.chosen(question)
        if host is None:
            return Answer(200, body=b"It works")
        if not host.content.startswith(HEADER):
            return Answer(200, media_type="text/html", body=host.file.encode())
        return self.expected.get(question, Answer(404))

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> Result:
        """The runner."""
        number = len(self.commands)
        self.commands.append(list(command))
        answer = self.before(number, command)
        if answer is None:
            answer = self._answer(list(command), environment)
        return self.after(number, command) or answer

    def _answer(self, command: list[str], environment: Mapping[str, str]) -> Result:
        if command[0] == "sh":
            user = pwd.getpwuid(os.geteuid()).pw_name
            return Result(0, f"{user}\n{user}\n{self.error_log.parent}\n{self.pid_file}\n", "")
        if command[0] == "openssl":
            return Result(0, "", "")
        if command == ["certbot", "--version"]:
            return Result(0, "certbot 2.1.0\n", "")
        assert command[0] == "apache2ctl"
        if "-t" in command:
            defines = [command[index + 1] for index, word in enumerate(command) if word == "-D"]
            company = [command[index + 1] for index, word in enumerate(command) if word == "-c"]
            try:
                found = Configuration(environment["APACHE_CONFDIR"], defines, company)
            except RefusedError as exc:
                return Result(1, "", f"{exc}\n")
            return Result(0, found.dump(str(self.error_log), str(self.pid_file)), "Syntax OK\n")
        return self._told(command[1])

    def _told(self, verb: str) -> Result:
        assert verb in ("graceful", "start")
        try:
            if verb == "graceful":
                self.reloading()
                if self.hangs:
                    self.workers = frozenset()
                    return Result(0, "", "")
            self.begin()
        except RefusedError as exc:
            self.stop()
            with self.error_log.open("a") as stream:
                stream.write(f"{exc}\n")
            return Result(0 if verb == "graceful" else 1, "", str(exc))
        self.hangs = False
        return Result(0, "", "")
