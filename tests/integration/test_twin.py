"""A twin of this host: what is done in it happens, and nothing of it is seen outside."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import twin
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.twin import MEBIBYTE, Outcome

from tools.certificates import Authority
from tools.private_apache import PrivateApache

from .conftest import client_of, until


def possible() -> str:
    """Why this machine allows no twin; empty if it does."""
    return twin.run(lambda: None).reason


@pytest.fixture(autouse=True)
def _twins_are_possible() -> None:
    reason = possible()
    if reason:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


PROLOGUE = """
import json, os, signal, socket, subprocess, sys, time
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import twin, twin_network
"""


class Caller:
    """A program of its own that calls ``twin.run``. It, and all that it starts, can be told by a variable."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.mark = f"TWIN_TEST={uuid.uuid4()}"

    def start(self, text: str, *command: str) -> subprocess.Popen[str]:
        script = self.directory / "caller.py"
        script.write_text(PROLOGUE + textwrap.dedent(text))
        name, value = self.mark.split("=")
        return subprocess.Popen(
            [*command, sys.executable, str(script)],
            env={**os.environ, name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, text: str, *command: str) -> Any:
        """What the program prints, as JSON."""
        with self.start(text, *command) as process:
            output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        return json.loads(output)

    def processes(self) -> list[int]:
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.mark.encode() in (directory / "environ").read_bytes().split(b"\0"):
                    found.append(int(directory.name))
        return found

    def wait_for_end(self) -> None:
        until(lambda: not self.processes(), 20)


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    program = Caller(tmp_path)
    yield program
    for process in program.processes():
        os.kill(process, signal.SIGKILL)


def mounts() -> list[str]:
    """The mounts of this process. Not those of containers, which others start and stop meanwhile."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if "/containers/" not in line]


def names(directory: str) -> list[str]:
    return sorted(os.listdir(directory))


# -- files ------------------------------------------------------------------------------------------------------------


def test_changes_stay_in_the_twin(tmp_path: Path) -> None:
    kept, removed, renamed = tmp_path / "kept", tmp_path / "removed", tmp_path / "renamed"
    kept.write_text("before")
    removed.write_text("before")
    renamed.mkdir()

    def work() -> list[Any]:
        kept.write_text("after")
        kept.chmod(0o600)
        removed.unlink()
        renamed.rename(tmp_path / "other")
        Path("/etc/twin-test").write_text("new")
        return [kept.read_text(), names(str(tmp_path)), Path("/etc/twin-test").read_text(), os.getcwd()]

    kept.chmod(0o644)
    before = mounts(), names("/run"), names("/")
    assert twin.run(work) == Outcome(True, value=["after", ["kept", "other"], "new", "/"])
    assert (mounts(), names("/run"), names("/")) == before
    assert kept.read_text() == removed.read_text() == "before"
    assert kept.stat().st_mode & 0o777 == 0o644
    assert names(str(tmp_path)) == ["kept", "removed", "renamed"]
    assert not Path("/etc/twin-test").exists()


def test_directories_keep_owner_and_mode(tmp_path: Path) -> None:
    places = ("/", "/tmp", "/run", "/dev/shm", str(tmp_path))  # noqa: S108

    def work() -> list[list[int]]:
        return [[status.st_uid, status.st_gid, status.st_mode] for status in map(os.stat, places)]

    tmp_path.chmod(0o750)
    before = os.umask(0o077)
    try:
        assert twin.run(work).value == work()
    finally:
        os.umask(before)


def test_memory_is_limited_inside_only(tmp_path: Path) -> None:
    def work() -> int:
        with contextlib.suppress(OSError), open(tmp_path / "large", "wb") as stream:
            for _number in range(32):
                stream.write(bytes(MEBIBYTE))
                stream.flush()
            return 0
        try:
            (tmp_path / "more").write_bytes(bytes(MEBIBYTE))
        except OSError as exc:
            return exc.errno or 0
        return 0

    assert twin.run(work, memory=16 * MEBIBYTE) == Outcome(True, value=errno.ENOSPC)
    assert twin.run(work, memory=64 * MEBIBYTE) == Outcome(True, value=0)
    assert work() == 0


def test_large_logs_need_no_memory(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    (logs / "old").mkdir(parents=True)
    (logs / "old").chmod(0o2750)
    shutil.chown(logs / "old", 33, 4)
    (logs / "link").symlink_to(logs / "old")
    alone = tmp_path / "alone.log"
    for log in (logs / "error.log", alone):
        # Not with holes, which are not copied.
        log.write_bytes(bytes(40 * MEBIBYTE))
    alone.chmod(0o640)
    (tmp_path / "way").symlink_to(logs)

    def work() -> list[Any]:
        before = names(str(logs)), names(str(logs / "old")), alone.stat().st_size
        for log in (logs / "error.log", alone):
            with log.open("a") as stream:
                stream.write("started\n")
        status = (logs / "old").stat()
        return [*before, [status.st_uid, status.st_gid, status.st_mode & 0o7777], alone.stat().st_mode & 0o777]

    asked = {"memory": 16 * MEBIBYTE, "empty_directories": [f"{tmp_path}/way", "/does/not/exist"]}
    seen = twin.run(work, empty_files=[str(alone), "/does/not/exist"], **asked)  # type: ignore[arg-type]
    assert seen == Outcome(True, value=[["link", "old"], [], 0, [33, 4, 0o2750], 0o640])
    assert {log.stat().st_size for log in (logs / "error.log", alone)} == {40 * MEBIBYTE}
    assert "No space left" in twin.run(work, **asked).reason  # type: ignore[arg-type]


def test_files_are_removed_beforehand(tmp_path: Path) -> None:
    pid_file = tmp_path / "apache2.pid"
    pid_file.write_text("1\n")
    assert twin.run(pid_file.exists, remove=[str(pid_file), "/does/not/exist", f"{pid_file}/below"]).value is False
    assert pid_file.exists()


def test_other_file_systems(caller: Caller, tmp_path: Path) -> None:
    """In a private mount namespace: names that are hard to quote, mounts over mounts, read-only ones, single files."""
    text = f"""
        import ctypes, pathlib
        base = pathlib.Path({str(tmp_path)!r}) / "odd: a,b\\\\c \\tü"
        calls = twin.SystemCalls()
        def directory(name):
            path = base / name
            path.mkdir(parents=True)
            return path
        memory, bound, fixed, covered = map(directory, ("memory", "bound", "fixed", "covered"))
        for path in (memory, fixed):
            calls.mount("none", str(path), "tmpfs", 0, "mode=1770,gid=33")
        (fixed / "file").write_text("before")
        calls.make_read_only(str(fixed))
        inner = directory("memory/inner")
        calls.mount("none", str(inner), "tmpfs")
        (inner / "file").write_text("before")
        source = directory("source")
        (source / "file").write_text("before")
        calls.bind(str(source), str(bound))
        for text in ("below", "above"):
            calls.mount("none", str(covered), "tmpfs")
            (covered / "file").write_text(text)
        single = base / "single"
        single.write_text("place")
        (base / "content").write_text("before")
        calls.bind(str(base / "content"), str(single))

        def write(path, text="after"):
            try:
                path.write_text(text)
            except OSError as exc:
                return exc.strerror
            return path.read_text()

        def work():
            told = {{path.parent.name or path.name: write(path) for path in files}}
            return [told, write(single), write(memory / "more"), oct(memory.stat().st_mode), memory.stat().st_gid]

        files = [inner / "file", bound / "file", fixed / "file", covered / "file"]
        before = [path.read_text() for path in (*files, single)]
        outcome = twin.run(work, writable=[str(path) for path in files])
        after = [path.read_text() for path in (*files, single)]
        print(json.dumps([outcome.reason, outcome.value, before, after, (memory / "more").exists(),
                          twin.run(work, writable=[str(single)]).reason.replace(str(base), "BASE")]))
    """
    reason, value, before, after, more, refusal = caller.run(text, "unshare", "-m")
    assert reason == ""
    refused = "Read-only file system"
    files = {"inner": "after", "bound": "after", "fixed": refused, "covered": "after"}
    assert value == [files, refused, "after", oct(0o41770), 33]
    assert before == after == ["before", "before", "before", "above", "before"]
    assert not more
    assert refusal == "BASE/single lies in the mount BASE/single, which cannot be copied on write (mounted as a single file)"


def test_what_the_overlay_refuses_is_read_only(caller: Caller, tmp_path: Path) -> None:
    """Overlays may lie over each other only so often; then nothing can be written, and a need to write is refused."""
    text = f"""
        import pathlib
        base = pathlib.Path({str(tmp_path)!r}) / "base"
        base.mkdir()
        calls = twin.SystemCalls()
        calls.mount("none", str(base), "tmpfs")
        (base / "lower").mkdir()
        (base / "lower/file").write_text("before")
        lower = base / "lower"
        for number in range(2):
            for name in ("upper", "work", "merged"):
                (base / f"{{name}}{{number}}").mkdir()
            merged = base / f"merged{{number}}"
            options = f"lowerdir={{lower}},upperdir={{base}}/upper{{number}},workdir={{base}}/work{{number}}"
            calls.mount("overlay", str(merged), "overlay", 0, options)
            lower = merged

        def work():
            try:
                (lower / "file").write_text("after")
            except OSError as exc:
                return exc.strerror

        print(json.dumps([twin.run(work).value, twin.run(work, writable=[str(lower / "new")]).reason]))
    """
    value, reason = caller.run(text, "unshare", "-m")
    assert value == "Read-only file system"
    mount = f"{tmp_path}/base/merged1"
    assert reason == f"{mount}/new lies in the mount {mount}, which cannot be copied on write (overlay: Invalid argument)"


def test_nothing_of_the_host_is_reached(tmp_path: Path) -> None:
    """Neither by sockets below /run, nor by those elsewhere, nor by /proc, nor by descriptors."""
    elsewhere = tmp_path / "php.sock"
    below = Path("/run") / f"twin-test-{os.getpid()}.sock"
    with contextlib.ExitStack() as stack:
        for path in (elsewhere, below):
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(str(path))
            stack.callback(path.unlink)
            server.listen()

        def work() -> list[Any]:
            found = []
            for path in (elsewhere, below):
                with socket.socket(socket.AF_UNIX) as client:
                    found.append(client.connect_ex(str(path)))
            # A server of the twin can take its place.
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(elsewhere))
            processes = [name for name in os.listdir("/proc") if name.isdigit()]
            open_files = {os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()}
            sockets = [path for path in open_files if "socket:" in path]
            roots = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if line.split()[4] == "/"]
            return [found, len(processes), sockets, len(roots), "systemd" in names("/run")]

        assert twin.run(work).value == [[errno.ENOENT, errno.ENOENT], 2, [], 1, False]
        assert elsewhere.is_socket()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(elsewhere))


# -- processes --------------------------------------------------------------------------------------------------------


def test_nothing_runs_on(caller: Caller) -> None:
    text = """
        def work():
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
            subprocess.Popen(["sh", "-c", "trap '' TERM; (sleep 1000 & sleep 1000) & exit"]).wait()
            return "done"
        descriptors = os.listdir("/proc/self/fd")
        outcome = twin.run(work)
        try:
            children = bool(os.waitpid(-1, os.WNOHANG))
        except ChildProcessError:
            children = False
        print(json.dumps([outcome.value, children, len(os.listdir("/proc/self/fd")) - len(descriptors)]))
        sys.stdout.flush()
        sys.stdin.read()
    """
    process = caller.start(text, "sh", "-c", 'exec "$@"', "sh")
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == ["done", False, 0]
        assert caller.processes() == [process.pid]
    finally:
        process.kill()
        process.communicate()


def test_the_end_of_the_caller_is_the_end_of_the_twin(caller: Caller, tmp_path: Path) -> None:
    """Killed while work is at it; and soon after its start, at any moment of the making."""
    text = """
        def work():
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
            time.sleep(1000)
        print("started", flush=True)
        twin.run(work, timeout=1000)
    """
    before = mounts(), names("/run"), names("/")
    for delay in (None, 0.0, 0.01, 0.02, 0.04, 0.08):
        with caller.start(text) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            if delay is None:
                until(lambda: len(caller.processes()) == 5, 20)
            else:
                time.sleep(delay)
            process.kill()
        caller.wait_for_end()
    assert (mounts(), names("/run"), names("/")) == before


def test_a_signal_handler_of_the_caller_ends_the_twin(caller: Caller) -> None:
    text = """
        class Stopped(Exception):
            pass
        def stop(*_):
            raise Stopped
        def work():
            # Such a handler does not act here.
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
            time.sleep(1000)
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            twin.run(work, timeout=1000)
            told = "nothing"
        except Stopped:
            told = "stopped"
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            os.waitpid(-1, os.WNOHANG)
            child = True
        except ChildProcessError:
            child = False
        print(json.dumps([told, len(mask), child]))
    """
    assert caller.run(text) == ["stopped", 0, False]
    assert caller.processes() == []


def test_handlers_of_the_caller_do_not_act_in_the_twin() -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        outcome = twin.run(lambda: os.kill(os.getpid(), signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert outcome == Outcome(False, "the work ended without an answer (signal 15)")


def test_time_limit(caller: Caller) -> None:
    text = """
        def work():
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(1000)
        print(json.dumps([twin.run(work, timeout=0.5).reason, twin.run(lambda: 1, timeout=60).value]))
    """
    assert caller.run(text) == ["no end within 0.5 s", 1]
    assert caller.processes() == []


def test_work_that_fails() -> None:
    def fail() -> None:
        raise ValueError("a reason\n" + "x" * 10_000)

    outcome = twin.run(fail)
    assert not outcome.ran
    assert outcome.reason.startswith("ValueError: a reason xxx")
    assert len(outcome.reason) == 300
    assert twin.run(lambda: sys.exit(3)).reason == "SystemExit: 3"
    assert twin.run(lambda: os._exit(3)).reason == "the work ended without an answer (exit status 3)"
    assert "JSON" in twin.run(object).reason


def test_a_process_that_work_forks_answers_nothing() -> None:
    def work() -> str:
        if os.fork() == 0:
            return "child"
        os.wait()
        os._exit(0)

    assert twin.run(work) == Outcome(False, "the twin ended without an answer")


def test_large_results() -> None:
    text = "ü" * 1_000_000
    assert twin.run(lambda: {"text": text, "end": [None, 1.5]}).value == {"text": text, "end": [None, 1.5]}


def test_what_is_written_to_standard_output_is_not_the_caller_s(caller: Caller) -> None:
    text = """
        def work():
            print("from Python", flush=True)
            os.write(1, b"straight")
            os.write(2, b"straight")
            subprocess.run(["sh", "-c", "echo out; echo err >&2"])
            return sys.stdin.read()
        sys.stdout.write(" ")  # waits in a buffer meanwhile
        print(json.dumps(twin.run(work).value))
    """
    assert caller.run(text) == ""


def test_a_caller_without_standard_input_and_output(caller: Caller, tmp_path: Path) -> None:
    """The pipe between them has the numbers of both then."""
    text = f"""
        def work():
            print("from Python", flush=True)
            return subprocess.run(["sh", "-c", "echo out && cat"], check=True).returncode
        value = json.dumps(twin.run(work).value)
        open({str(tmp_path / "told")!r}, "w").write(value)
    """
    with caller.start(text, "sh", "-c", 'exec "$@" <&- >&-', "sh") as process:
        process.communicate(timeout=60)
    assert (tmp_path / "told").read_text() == "0"


def test_locks_and_files_of_the_caller_stay_its_own(tmp_path: Path) -> None:
    lock, log = tmp_path / "lock", tmp_path / "log"
    with lock.open("w") as held, log.open("w") as buffered:
        fcntl.flock(held, fcntl.LOCK_EX)
        buffered.write("once\n")

        def work() -> str:
            buffered.flush()
            return os.readlink(f"/proc/self/fd/{held.fileno()}")

        assert twin.run(work).value == "/dev/null"
        with lock.open("w") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert log.read_text() == "once\n"


def test_variables_of_systemd_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("APACHE_CONFDIR", "/etc/apache2")
    assert twin.run(lambda: [name in os.environ for name in ("NOTIFY_SOCKET", "APACHE_CONFDIR")]).value == [False, True]
    assert os.environ["NOTIFY_SOCKET"] == "/run/systemd/notify"


# -- network ----------------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_outside() -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = outside.getsockname()[1]

        def work() -> str:
            with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port), 5):
                return "connected"

        assert twin.run(work).value == "connected"
        outside.setblocking(False)
        with pytest.raises(BlockingIOError):
            outside.accept()


def test_addresses_of_the_host(caller: Caller) -> None:
    """In a private network namespace, which has two addresses more than a loopback."""
    text = """
        import ipaddress
        own = ["192.0.2.7", "2001:db8::7"]
        twin_network.enter(twin_network.Network(tuple(map(ipaddress.ip_address, own))))

        def asked(address):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            try:
                with socket.create_server((address, 80), family=family), socket.create_connection((address, 80), 5) as client:
                    return client.getpeername()[0]
            except OSError as exc:
                return exc.errno

        addresses = [*own, "127.0.0.1", "127.1.2.3", "::1", "192.0.2.8", "203.0.113.1"]
        inside = twin.run(lambda: [asked(address) for address in addresses])
        print(json.dumps([inside.reason, inside.value, [asked(address) for address in addresses]]))
    """
    reason, inside, outside = caller.run(text, "unshare", "-n")
    assert reason == ""
    missing = errno.EADDRNOTAVAIL
    assert inside == outside
    assert inside == ["192.0.2.7", "2001:db8::7", "127.0.0.1", "127.1.2.3", "::1", missing, missing]


def test_settings_of_the_host_s_network(caller: Caller) -> None:
    text = """
        settings = {"ipv4/ip_nonlocal_bind": "1", "ipv6/bindv6only": "1", "ipv6/conf/all/disable_ipv6": "1"}
        for name, value in settings.items():
            with open(f"/proc/sys/net/{name}", "w") as stream:
                stream.write(value)
        def work():
            return [open(f"/proc/sys/net/{name}").read().strip() for name in settings]
        print(json.dumps([work(), twin.run(work).value]))
    """
    assert caller.run(text, "unshare", "-n") == [["1", "1", "1"]] * 2


# -- where there is none ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], "not root"),
        (
            ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"],
            "the system does not allow namespaces (Operation not permitted)",
        ),
        (
            ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"],
            "the system does not allow the twin's network (Operation not permitted)",
        ),
        (
            ["unshare", "-r", "sh", "-c", 'echo 0 > /proc/sys/user/max_net_namespaces; exec "$@"', "sh"],
            "the system does not allow namespaces (No space left on device)",
        ),
    ],
)
def test_a_system_that_allows_none(command: list[str], reason: str) -> None:
    """Nothing is done then, neither here nor there."""
    script = PROLOGUE + "print(json.dumps([twin.run(lambda: 1).reason, twin.run(lambda: 1).ran]))"
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0 and reason == "not root":
        pytest.skip("this Python cannot be read by other users")
    assert json.loads(done.stdout) == [reason, False], done.stderr


# -- Apache -----------------------------------------------------------------------------------------------------------


def test_an_apache_beside_the_live_one(apache: PrivateApache, authority: Authority) -> None:
    """The same configuration and ports; the twin's has one site more, and the live one sees nothing of it."""
    pid_file = apache.directory / "run/apache2.pid"

    def state() -> Any:
        logs = {path.name: path.stat().st_size for path in apache.log_directory.iterdir()}
        return logs, pid_file.read_text(), names(str(apache.config_directory / "sites-enabled")), mounts()

    def work() -> list[Any]:
        port = apache.http_port
        apache.add_site("new", f"<VirtualHost *:{port}>\nServerName new.example\nRedirect 410 /\n</VirtualHost>\n")
        apache.start()
        status = client_of(apache, authority).request("http://new.example/").status
        apache.stop()
        return [status, pid_file.exists(), "resuming normal operations" in (apache.log_directory / "error.log").read_text()]

    client = client_of(apache, authority)
    assert client.request("http://new.example/").status == 403
    before = state()
    directories = [str(apache.log_directory)]
    outcome = twin.run(work, empty_directories=directories, writable=[str(apache.directory)], remove=[str(pid_file)])
    assert outcome == Outcome(True, value=[410, False, True])
    assert state() == before
    assert client.request("http://new.example/").status == 403


def test_an_apache_that_waits_for_a_passphrase(apache: PrivateApache, authority: Authority) -> None:
    """Which configtest accepts, and at which the live one would hang."""
    authority.issue(apache.directory / "tls", ["new.example"])
    key = apache.directory / "tls/privkey.pem"
    locked = apache.directory / "tls/locked.pem"
    command = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)

    def work() -> str:
        apache.command("a2enmod", "-q", "ssl", "socache_shmcb")
        apache.add_site(
            "new",
            f"<VirtualHost *:{apache.https_port}>\nServerName new.example\nSSLEngine on\n"
            f"SSLCertificateFile {apache.directory}/tls/fullchain.pem\nSSLCertificateKeyFile {locked}\n</VirtualHost>\n",
        )
        apache.command("apache2ctl", "configtest")
        apache.start()
        return "started"

    outcome = twin.run(work, remove=[str(apache.directory / "run/apache2.pid")], timeout=5)
    assert outcome == Outcome(False, "no end within 5 s")
    assert client_of(apache, authority).request("http://new.example/").status == 403
