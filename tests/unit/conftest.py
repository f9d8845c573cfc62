"""What the unit tests share: made-up providers, and an Apache in Debian's layout that is only files and a runner."""

from __future__ import annotations

import os
import re
import stat
import typing as t
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import run as publish
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import KINDS, DebianLayout
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.transaction import Host, Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.run import Preparation

Options = dict[str, t.Any]
ProviderOptions = st.SearchStrategy[Options]

# The same examples in every run, so that a failure is a change; HYPOTHESIS_PROFILE=thorough looks for new ones.
hypothesis.settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("thorough", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


# Files of others that tests read: see the README beside them.
DATA = Path(__file__).parents[1] / "data"


# -- providers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def make_provider() -> Callable[..., Provider]:
    """Makes a provider with IMAP and submission from a few options."""

    def make(**options: t.Any) -> Provider:
        base: Options = {
            "domains": ["server.tld"],
            "incoming": [{"type": "imap", "hostname": "mail.server.tld"}],
            "outgoing": [{"type": "smtp", "hostname": "mail.server.tld"}],
        }
        return Provider.from_dict({**base, **options})

    return make


def _some(**fields: st.SearchStrategy[t.Any]) -> st.SearchStrategy[Options]:
    """Mappings with some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def _with(strategy: st.SearchStrategy[Options], **fields: st.SearchStrategy[t.Any]) -> st.SearchStrategy[Options]:
    """Mappings that have the fields besides."""
    return st.builds(lambda first, second: {**first, **second}, strategy, st.fixed_dictionaries(fields))


@pytest.fixture(scope="session")
def texts() -> st.SearchStrategy[str]:
    """Texts for people: anything that XML can carry, and what is dangerous in it."""
    characters = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
    dangerous = st.sampled_from(["<b>&amp;'\"", "]]>", "--><!--", "%EMAILADDRESS%", "a & b", "<![CDATA[x]]>", "  two  blanks "])
    return st.one_of(st.text(characters, min_size=1, max_size=30), dangerous).filter(lambda text: bool(text.strip()))


@pytest.fixture(scope="session")
def provider_options(texts: st.SearchStrategy[str]) -> ProviderOptions:
    """Valid options of one provider, of every kind."""
    hosts = st.lists(st.from_regex(r"[a-z]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True), min_size=2, max_size=3).map(".".join)
    server_hosts = st.one_of(hosts, hosts.map("%EMAILDOMAIN%.{}".format), st.just("%EMAILDOMAIN%"))
    paths = st.text("abc/&<>\"'%=?#-._~", max_size=12)
    urls = st.builds("{}://{}/{}".format, st.sampled_from(["http", "https"]), hosts, paths)
    ports = st.integers(1, 65535)
    sockets = st.sampled_from(["SSL", "STARTTLS", "plain"])
    user_names = st.one_of(st.sampled_from(["%EMAILADDRESS%", "%EMAILLOCALPART%", "%EMAILLOCALPART%.%EMAILDOMAIN%"]), texts)
    methods = [
        "password-cleartext",
        "password-encrypted",
        "OAuth2",
        "GSSAPI",
        "NTLM",
        "TLS-client-cert",
        "client-IP-address",
        "none",
    ]

    def servers(types: list[str], words: list[str], **required: st.SearchStrategy[t.Any]) -> st.SearchStrategy[Options]:
        common = _some(
            port=ports,
            socket_type=sockets,
            authentication=st.lists(st.sampled_from(words), unique=True, min_size=1, max_size=3),
            username=user_names,
            restriction=st.lists(texts.map(lambda text: " ".join(text.split())), unique=True, max_size=2),
            add_this_server=st.booleans(),
        )
        return _with(common, type=st.sampled_from(types), **required)

    pop3 = st.fixed_dictionaries(
        {"leave_messages_on_server": st.booleans()},
        optional={
            "download_on_biff": st.booleans(),
            "days_to_leave_messages_on_server": st.integers(1, 365),
            "check_interval": st.integers(1, 10080),
        },
    )
    incoming = st.one_of(
        servers(["imap", "nntp"], methods, hostname=server_hosts),
        servers(["pop3"], methods, hostname=server_hosts, pop3=pop3),
        servers(["jmap", "ews", "owa", "graph", "activeSync"], methods, url=urls),
        servers(["exchange"], methods, hostname=server_hosts, owa_url=urls, ews_url=urls, eas_url=urls),
    )
    outgoing = servers(["smtp"], [*methods, "smtp-after-pop"], hostname=server_hosts)
    links = st.lists(
        _with(_some(texts=st.lists(_with(_some(lang=st.sampled_from(["en", "de", "pt-BR"])), text=texts), max_size=2)), url=urls),
        max_size=2,
    )
    form_field = _some(id=texts, name=texts)
    login_form = _with(
        _some(username=user_names, username_field=form_field, password_field=form_field, login_button=form_field), url=urls
    )
    dav = _with(_some(username=user_names), url=urls)
    optional = _some(
        id=hosts,
        display_name=texts,
        short_name=texts,
        documentation=links,
        instructions=links,
        enable=links,
        webmail=_with(_some(login_form=login_form), login_page=urls),
        oauth2=_with(_some(scope=texts), issuer=hosts, auth_url=urls, token_url=urls),
        caldav=dav,
        carddav=dav,
        jmap=dav,
        managesieve=_with(_some(port=ports, socket_type=sockets), hostname=server_hosts),
        input_fields=st.lists(_with(_some(value=texts), key=texts, label=texts), max_size=2),
        config_update_url=urls,
        profile=_some(
            organization=texts,
            description=texts,
            consent=st.lists(_with(_some(lang=st.sampled_from(["en", "de"])), text=texts), max_size=2),
            removal_disallowed=st.booleans(),
            removal_date=st.dates().map(str),
        ),
        logo=texts,
    )
    return _with(
        optional,
        domains=st.lists(hosts, unique=True, min_size=1, max_size=3),
        incoming=st.lists(incoming, min_size=1, max_size=3),
        outgoing=st.lists(outgoing, min_size=1, max_size=2),
    )


# -- Apache -------------------------------------------------------------------------------------------------------------

Tree = dict[str, tuple[t.Any, ...]]
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
}
_COMMANDS = {
    "a2ensite": ("sites", True),
    "a2enconf": ("conf", True),
    "a2enmod": ("mods", True),
    "a2dissite": ("sites", False),
    "a2disconf": ("conf", False),
}


class FakeApache:
    """Debian's Apache as far as our library sees it: directories, links, and commands that make them.

    :ivar commands: every command that was run
    :ivar certificates: host names in each certificate, by path
    :ivar before: called before each command with its number and itself; may answer in its place
    :ivar after: called after each command likewise
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layout = DebianLayout(f"{root}/etc/apache2")
        self.document_root = root / "var/www/autoconfig"
        self.state = root / "var/lib/mail_autoconfig"
        self.commands: list[list[str]] = []
        self.certificates: dict[str, list[str]] = {}
        self.before: Callable[[int, Sequence[str]], Result | None] = lambda number, command: None
        self.after: Callable[[int, Sequence[str]], Result | None] = lambda number, command: None
        for kind in KINDS:
            Path(self.layout.available(kind)).mkdir(parents=True)
            Path(self.layout.enabled(kind)).mkdir()
        for module in sorted({*_MODULES.values(), "ssl", "mime"}):
            Path(self.layout.available("mods"), f"{module}.load").write_text(f"LoadModule {module}_module x.so\n")
        Path(self.layout.available("mods"), "ssl.conf").write_text("# ssl\n")
        Path(self.layout.main_file).write_text("# the main file\n")
        (root / "var/www").mkdir(parents=True)
        (root / "var/lib").mkdir()
        self.run(["a2enmod", "-q", "mime", "authz_core"], {})
        self.commands.clear()

    # -- what a test does ---------------------------------------------------------------------------------------------

    def host(self) -> Host:
        return Host(self.layout, str(self.state), self.run)

    def options(self, **changes: t.Any) -> Options:
        """The module's options for this instance, with one domain unless others are given."""
        options: Options = {
            "config_directory": self.layout.config_directory,
            "document_root": str(self.document_root),
            "state_directory": str(self.state),
        }
        if not {"domain", "providers", "purge"} & set(changes):
            options["domain"] = "server.tld"
        return {**options, **changes}

    def prepare(self, **changes: t.Any) -> Preparation:
        return publish.prepare(settings.read(self.options(**changes)), self.host())

    def publish(self, **changes: t.Any) -> Preparation:
        """One run of the module."""
        return self._apply(self.prepare(**changes))

    def remove(self, **changes: t.Any) -> Preparation:
        """One run of the module with state absent."""
        return self._apply(publish.prepare_removal(settings.read(self.options(**changes)), self.host()))

    def _apply(self, preparation: Preparation) -> Preparation:
        if preparation.plan.changes:
            self.host().apply(preparation.plan, preparation.current)
        return preparation

    def add_certificate(self, domain: str, *names: str) -> None:
        """A certificate where a domain's is looked for, with the names, or one that openssl cannot read."""
        directory = self.root / "live" / domain
        directory.mkdir(parents=True)
        for name in ("fullchain.pem", "privkey.pem"):
            (directory / name).write_text("PEM\n")
        if names:
            self.certificates[str(directory / "fullchain.pem")] = list(names)

    def add_site(self, name: str, text: str) -> None:
        """A site of somebody else, enabled."""
        Path(self.layout.available("sites"), f"{name}.conf").write_text(text)
        self._switch("sites", True, [name])

    def enabled(self, kind: str) -> list[str]:
        return sorted(path.name for path in Path(self.layout.enabled(kind)).iterdir())

    def tree(self) -> Tree:
        """Every path below the root with kind, mode and content."""
        found: Tree = {}
        for path in sorted(self.root.rglob("*")):
            name, status = str(path.relative_to(self.root)), path.lstat()
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

    # -- what the library sees ----------------------------------------------------------------------------------------

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> Result:
        """The runner."""
        number = len(self.commands)
        self.commands.append(list(command))
        answer = self.before(number, command)
        if answer is None:
            answer = self._answer(command)
        return self.after(number, command) or answer

    def _answer(self, command: Sequence[str]) -> Result:
        if command[0] == "openssl":
            names = self.certificates.get(command[command.index("-in") + 1])
            return Result(1, "", "unable to load") if names is None else Result(0, ", ".join(f"DNS:{name}" for name in names), "")
        if list(command) == ["apache2ctl", "configtest"]:
            complaint = self.complaint()
            return Result(1, "", complaint) if complaint else Result(0, "", "Syntax OK")
        kind, on = _COMMANDS[command[0]]
        assert command[1] == "-q"
        return self._switch(kind, on, command[2:])

    def _switch(self, kind: str, on: bool, names: Sequence[str]) -> Result:
        for name in names:
            for suffix in (".load", ".conf") if kind == "mods" else (".conf",):
                link = Path(self.layout.enabled(kind), name + suffix)
                if not on:
                    if link.is_symlink():
                        os.remove(link)  # not pathlib's os.unlink, which the tests let fail
                elif Path(self.layout.available(kind), name + suffix).exists():
                    if not link.is_symlink():
                        link.symlink_to(f"../{kind}-available/{name}{suffix}")
                elif suffix != ".conf" or kind != "mods":
                    return Result(1, "", f"ERROR: {name} does not exist!")
        return Result(0, "", "")

    def complaint(self) -> str:
        """Why Apache would not start; empty if it would."""
        modules = {path.stem for path in Path(self.layout.enabled("mods")).glob("*.load")}
        for kind in KINDS:
            for link in sorted(Path(self.layout.enabled(kind)).iterdir()):
                if not link.exists():
                    return f"Could not open configuration file {link}"
                text = link.read_text()
                if "<IfModule mod_ssl.c>" in text and "ssl" not in modules:
                    continue
                for name in re.findall(r"(?m)^\s*([A-Za-z]+)", text):
                    if _MODULES.get(name, "authz_core") not in modules:
                        return f"Invalid command '{name}' in {link}"
        return ""


@pytest.fixture
def apache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApache:
    """An Apache with the modules of a fresh installation and no site; certificates are looked for below its root."""
    monkeypatch.setattr(settings, "LETS_ENCRYPT_FILE", f"{tmp_path}/host/live/{{domain}}/fullchain.pem")
    monkeypatch.setattr(settings, "LETS_ENCRYPT_KEY", f"{tmp_path}/host/live/{{domain}}/privkey.pem")
    return FakeApache(tmp_path / "host")
