"""A private Apache with neighbours, the module as a program of its own, and the whole of it put back within milliseconds."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import CACHE
from tests.faults import tracer
from tools.certificates import Authority
from tools.http_client import OUTLOOK_REQUEST, Client
from tools.private_apache import PrivateApache

# The module without Ansible, its options in a file. COMMAND_SECONDS is how long a command may take, if not as long as usual.
PROGRAM = """
import json, os, signal, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import commands
from ansible_collections.mailops.autoconfig.plugins.modules.mail_autoconfig import main
commands.run.__defaults__ = (float(os.environ.get("COMMAND_SECONDS", commands.TIMEOUT)), *commands.run.__defaults__[1:])
with open(sys.argv[1]) as stream:
    arguments = json.load(stream)
if sys.argv[2:]:  # the tracer begins here
    os.kill(os.getpid(), signal.SIGSTOP)
with patch_module_args(arguments):
    main()
"""
# Longer than any limit that a run may set itself for a command that hangs.
PATIENCE = 150
# A kill between a link and the note that a2enmod takes of it loses the note alone, which nobody but dpkg reads.
ALLOWED = ("var/lib/apache2/",)
_PARTS = ("etc", "var/www", "var/lib", "srv", "live")

CONFIG = "/mail/config-v1.1.xml"
_DOMAINS = ("server.tld", "other.example")
_AUTODISCOVER = "/autodiscover/autodiscover.xml"


class Node(NamedTuple):
    """One file, directory or link, with what makes it itself."""

    kind: int
    mode: int
    owner: int
    group: int
    content: bytes | str | None


Tree = dict[str, Node]
# Not found, nobody listening, no certificate that fits: for a client all the same, it goes on looking.
NOTHING = ("nothing",)
Answers = dict[str, tuple[Any, ...]]


def providers(*domains: str, **changes: Any) -> dict[str, Any]:
    """The option: one provider for each domain."""
    server = {"hostname": "mail.server.tld"}
    return {
        "providers": [
            {"domains": [domain], "incoming": [{"type": "imap", **server}], "outgoing": [{"type": "smtp", **server}], **changes}
            for domain in domains
        ]
    }


class Bed:
    """A host to break: Apache with one site of somebody else, certificates, and what there is to see of it.

    :ivar directory: below it is everything
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.apache = PrivateApache(directory, CACHE)
        self.authority = Authority(directory / "ca")
        self.commands = directory / "bin"
        self.commands.mkdir()
        (directory / "srv").mkdir()
        for domain in _DOMAINS:
            self.issue(domain)
        shop = directory / "srv/shop"
        shop.mkdir()
        (shop / "index.html").write_text("the shop")
        self.apache.add_site(
            "shop.example",
            f"<VirtualHost *:{self.apache.http_port}>\n ServerName shop.example\n DocumentRoot {shop}\n"
            f" <Directory {shop}>\n  Require all granted\n </Directory>\n</VirtualHost>\n",
        )
        self.apache.start()
        self._untouched = self.tree()
        self._client = Client(
            "127.0.0.1", self.authority.certificate, {"http": self.apache.http_port, "https": self.apache.https_port}
        )

    def issue(self, domain: str) -> None:
        """Make a certificate for the hosts of a domain."""
        names = [domain, f"autoconfig.{domain}", f"autodiscover.{domain}"]
        self.authority.issue(self.directory / "live" / domain, names)

    # -- the module ---------------------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """What the module runs with; commands of a test come before the real ones."""
        own = self.apache.environment
        return {**os.environ, **own, "PATH": f"{self.commands}:{own['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}

    def _arguments(self, options: Mapping[str, Any]) -> list[str]:
        given: dict[str, Any] = {**self.apache.module_options(), **options}
        if given.get("https", True) and "certificate_file" not in given and given.get("state") != "absent":
            # Only where there is one, as certbot's are found: a certificate that is named must be there.
            live = f"{self.directory}/live/{{domain}}"
            if all(Path(live.format(domain=item["domains"][0])).is_dir() for item in given["providers"]):
                given.update(certificate_file=f"{live}/fullchain.pem", certificate_key_file=f"{live}/privkey.pem")
        with tempfile.NamedTemporaryFile("w", dir=self.directory, prefix="arguments-", suffix=".json", delete=False) as file:
            json.dump(given, file)
        return [sys.executable, "-c", PROGRAM, file.name]

    def fake(self, name: str, arguments: str, script: str) -> None:
        """Let a command do something else where its arguments fit a pattern of the shell; ``script`` may fall through."""
        real = shutil.which(name, path=self.apache.environment["PATH"])
        file = self.commands / name
        file.write_text(f'#!/bin/sh\ncd {self.directory}\ncase "$*" in\n{arguments})\n{script}\n;;\nesac\nexec {real} "$@"\n')
        file.chmod(0o755)

    def hanging(self) -> list[int]:
        """The processes of commands that hang."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(process / "cwd") == str(self.directory) and (process / "comm").read_text() == "sleep\n":
                    found.append(int(process.name))
        return found

    def start(self, options: Mapping[str, Any]) -> subprocess.Popen[str]:
        """Start a run and do not wait for it; not rehearsed unless asked for, because what that refuses is not done for real."""
        command = self._arguments({"rehearse": False, **options})
        return subprocess.Popen(
            command, env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, options: Mapping[str, Any], *, check: bool = False) -> dict[str, Any]:
        """The result of a run. It must come to an end, and with a result, whatever there is on the host."""
        return self.result(self.start({**options, "_ansible_check_mode": check}))

    @staticmethod
    def result(process: subprocess.Popen[str]) -> dict[str, Any]:
        """The result of a run that was started."""
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError(f"the run did not end within {PATIENCE} seconds") from None
        return result_of(out, err)

    def publish(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """A run that must succeed, with the reload that it may ask for."""
        result = self.run(options)
        assert not result.get("failed"), result["msg"]
        self.settle(result)
        return result

    def settle(self, result: Mapping[str, Any]) -> None:
        """Reload if the result asks for it, as the role does."""
        if result.get("needs_reload"):
            self.apache.reload()
            (self.apache.state_directory / "reload-pending").unlink(missing_ok=True)

    def trace(self, options: Mapping[str, Any], at: Callable[[tracer.Point], None]) -> tuple[int, dict[str, Any], list[int]]:
        """A run with something at each of its changes; exit code, result (empty if none), Apaches left behind."""
        out, err = self.directory / "stdout", self.directory / "stderr"
        status, left = tracer.run([*self._arguments(options), "traced"], self.environment(), out, err, at)
        with contextlib.suppress(AssertionError):
            return status, result_of(out.read_text(), err.read_text()), left
        return status, {}, left

    # -- Apache -------------------------------------------------------------------------------------------------------

    def restart(self) -> str:
        """Start Apache anew from what is on the disk; what it says if it does not start."""
        self.apache.stop()
        (self.apache.log_directory / "error.log").unlink(missing_ok=True)
        try:
            self.apache.start()
        except RuntimeError as exc:
            return str(exc)
        return ""

    def answers(self) -> Answers:
        """What the hosts of both mail domains and the neighbour answer over HTTP and HTTPS."""
        found = {"GET http://shop.example/": self._ask("http://shop.example/")}
        for domain in _DOMAINS:
            body = OUTLOOK_REQUEST.format(address=f"user@{domain}").encode()
            for scheme in ("http", "https"):
                url = f"{scheme}://autoconfig.{domain}{CONFIG}"
                found[f"GET {url}"] = self._ask(url)
                url = f"{scheme}://autodiscover.{domain}{_AUTODISCOVER}"
                found[f"GET {url}"] = self._ask(url)
                found[f"POST {url}"] = self._ask(url, "POST", body)
        return found

    def _ask(self, url: str, method: str = "GET", body: bytes | None = None) -> tuple[Any, ...]:
        try:
            answer = self._client.request(url, method, body)
        except ssl.SSLEOFError:
            return ("cut off",)
        except (ssl.SSLError, ConnectionRefusedError):
            return NOTHING
        except (OSError, http.client.HTTPException) as exc:
            return ("cut off", type(exc).__name__)
        return NOTHING if answer.status == 404 else (answer.status, answer.headers.get("location"), answer.body)

    # -- the disk -----------------------------------------------------------------------------------------------------

    def tree(self) -> Tree:
        """Everything that lasts, by path below the directory."""
        return {str(path.relative_to(self.directory)): _node(path) for part in _PARTS for path in _walk(self.directory / part)}

    def put_back(self, wanted: Tree) -> None:
        """Make the disk what it was."""
        there = self.tree()
        for name in sorted(there, reverse=True):
            if name not in wanted or wanted[name].kind != there[name].kind:
                _remove(self.directory / name)
        for name, node in sorted(wanted.items()):
            if there.get(name) != node:
                _make(self.directory / name, node)

    def undo(self, wanted: Tree | None = None) -> None:
        """Make the disk, and Apache, what they were; without a tree, from the beginning. No command is faked any more."""
        for pid in self.hanging():
            os.kill(pid, signal.SIGKILL)
        for file in (*self.commands.iterdir(), *self.directory.glob("arguments-*"), *self.directory.glob("failed")):
            file.unlink()
        self.put_back(self._untouched if wanted is None else wanted)
        failure = self.restart()
        assert not failure, failure


def result_of(out: str, err: str) -> dict[str, Any]:
    """The module's result. Fails for a traceback, or if there is none."""
    lines = [line for line in out.splitlines() if line.startswith("{")]
    assert lines, f"no result: {out}{err}"
    result = dict(json.loads(lines[-1]))
    assert "Traceback" not in json.dumps(result) + err, result.get("exception") or err
    return result


def differences(got: Tree, expected: Tree, allowed: tuple[str, ...] = ALLOWED) -> list[str]:
    """The paths at which two trees are not the same."""
    return sorted(name for name in {*got, *expected} if got.get(name) != expected.get(name) and not name.startswith(allowed))


def mixed(got: Answers, *whole: Answers) -> list[str]:
    """The requests whose answer is none of those that it may be."""
    return [
        f"{request}: {str(answer)[:200]}" for request, answer in got.items() if answer not in [item[request] for item in whole]
    ]


def steady(tree: Tree) -> tuple[tuple[str, Node], ...]:
    """The tree with one name for all temporary files, to know one that was there already."""
    return tuple(sorted((re.sub(r"(\.mail_autoconfig-)\w+$", r"\1", name), node) for name, node in tree.items()))


def privately(function: Callable[[], None]) -> None:
    """Run a function, and all that it starts, where its mounts are seen by nobody else. Needs root.

    A mount namespace belongs to a thread.
    """
    failures: list[BaseException] = []

    def body() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
                raise OSError(ctypes.get_errno(), "unshare")
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            function()
        except BaseException as exc:  # noqa: BLE001 (raised below)
            failures.append(exc)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@contextlib.contextmanager
def bed() -> Iterator[Bed]:
    """A new one; its Apache is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="mail_autoconfig-faults-") as name:
        made = Bed(Path(name) / "host")
        try:
            yield made
        finally:
            made.apache.stop()


def _walk(path: Path) -> Iterator[Path]:
    if not os.path.lexists(path):
        return
    yield path
    if path.is_dir() and not path.is_symlink():
        for entry in sorted(os.listdir(path)):
            yield from _walk(path / entry)


def _node(path: Path) -> Node:
    state = path.lstat()
    kind = stat.S_IFMT(state.st_mode)
    content: bytes | str | None = None
    if kind == stat.S_IFREG:
        content = path.read_bytes()
    elif kind == stat.S_IFLNK:
        content = os.readlink(path)
    return Node(kind, stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid, content)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _make(path: Path, node: Node) -> None:
    if node.kind == stat.S_IFLNK:
        path.unlink(missing_ok=True)
        path.symlink_to(str(node.content))
    elif node.kind == stat.S_IFDIR:
        path.mkdir(exist_ok=True)
    elif isinstance(node.content, bytes):
        path.write_bytes(node.content)
    os.chown(path, node.owner, node.group, follow_symlinks=False)
    if node.kind != stat.S_IFLNK:
        path.chmod(node.mode)
