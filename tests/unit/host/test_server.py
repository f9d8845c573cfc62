"""The Apache that runs, told from its process number, its children and its log."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import typing as t
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import server as servers
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.server import Process, Server, ServerError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.sockets import Listener

# A first process that starts a worker, and another one in its place at SIGUSR1, as a graceful restart does.
MASTER = """#!/bin/sh
trap 'kill $worker; sleep 300 & worker=$!; echo $! >> "$1"' USR1
sleep 300 & worker=$!
echo $! >> "$1"
while :; do wait; done
"""


class Apache(t.NamedTuple):
    """A process that looks like Apache's first one."""

    server: Server
    process: subprocess.Popen[bytes]
    directory: Path
    commands: list[list[str]]
    answers: dict[str, Callable[[], Result]]

    def workers(self) -> list[int]:
        return [int(line) for line in (self.directory / "workers").read_text().split()]


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def apache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apache]:
    monkeypatch.setattr(servers, "_PAUSE", 0.01)
    program = tmp_path / "apache2-fake"
    program.write_text(MASTER)
    program.chmod(0o755)
    process = subprocess.Popen([str(program), str(tmp_path / "workers")], start_new_session=True)
    (tmp_path / "pid").write_text(f"{process.pid}\n")
    (tmp_path / "error.log").touch()
    commands: list[list[str]] = []
    answers: dict[str, Callable[[], Result]] = {}

    def run(command: Sequence[str], _environment: t.Mapping[str, str]) -> Result:
        commands.append(list(command))
        return answers.get(command[1], lambda: Result(0, "", ""))()

    server = Server(Debian(), run, str(tmp_path / "pid"), str(tmp_path / "error.log"))
    server.reload_seconds = 20
    until((tmp_path / "workers").exists)
    until(lambda: (tmp_path / "workers").read_text().strip())
    yield Apache(server, process, tmp_path, commands, answers)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def graceful(apache: Apache) -> Callable[[], Result]:
    def reload() -> Result:
        apache.process.send_signal(signal.SIGUSR1)
        return Result(0, "", "")

    return reload


def test_its_first_process_is_known_by_number_and_time(apache: Apache) -> None:
    master = apache.server.master()
    assert master is not None
    assert master.pid == apache.process.pid
    assert master.begun == int(Path(f"/proc/{master.pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_its_workers_are_the_children_of_its_first_process(apache: Apache) -> None:
    assert {process.pid for process in apache.server.workers()} == set(apache.workers())


@pytest.mark.parametrize("text", ["", "x", "-1", "99999999", pytest.param(str(os.getpid()), id="that of this process")])
def test_a_number_that_is_not_apaches_is_no_first_process(apache: Apache, text: str) -> None:
    (apache.directory / "pid").write_text(text)
    assert apache.server.master() is None
    assert apache.server.workers() == frozenset()
    assert apache.server.unit() == ""


def test_without_a_number_it_does_not_run(apache: Apache) -> None:
    (apache.directory / "pid").unlink()
    assert apache.server.master() is None


def test_a_process_that_has_ended_and_waits_to_be_collected_does_not_run(apache: Apache) -> None:
    os.kill(apache.process.pid, signal.SIGKILL)
    until(lambda: apache.server.master() is None)
    assert Path(f"/proc/{apache.process.pid}").exists()


def test_a_reload_waits_for_new_workers(apache: Apache) -> None:
    apache.answers["graceful"] = graceful(apache)
    old = apache.server.workers()
    apache.server.reload()
    assert apache.commands == [["apache2ctl", "graceful"]]
    assert not apache.server.workers() & old
    assert apache.server.workers()
    assert apache.server.outlive(old)


def test_a_reload_that_is_refused_says_what_was_said(apache: Apache) -> None:
    apache.answers["graceful"] = lambda: Result(1, "out", "err")
    with pytest.raises(ServerError, match="apache2ctl graceful failed") as error:
        apache.server.reload()
    assert error.value.details == "err\nout"


def test_a_reload_that_cannot_be_run_is_told(apache: Apache) -> None:
    def absent() -> Result:
        raise FileNotFoundError(2, "No such file or directory")

    apache.answers["graceful"] = absent
    with pytest.raises(ServerError, match=r"apache2ctl cannot be run: .*No such file"):
        apache.server.reload()


def test_an_apache_that_ends_at_the_reload_is_told_with_its_last_words(apache: Apache) -> None:
    other = apache.directory / "site-error.log"
    other.write_text("AH02565: do not match\n")
    (apache.directory / "error.log").write_text("long ago\n")

    def end() -> Result:
        os.kill(apache.process.pid, signal.SIGKILL)
        with (apache.directory / "error.log").open("a") as stream:
            stream.write(f"AH00171: Graceful restart requested\nAH00016: failed. See {other} for more information\n")
        return Result(0, "", "")

    apache.answers["graceful"] = end
    with pytest.raises(ServerError, match="Apache ended at the reload") as error:
        apache.server.reload()
    assert error.value.details == f"AH00016: failed. See {other} for more information\nAH02565: do not match"


def test_an_apache_without_new_workers_is_told(apache: Apache) -> None:
    apache.server.reload_seconds = 0.1
    with pytest.raises(ServerError, match="Apache had no new workers 0 s after the reload"):
        apache.server.reload()


def test_workers_that_do_not_end_are_not_waited_for_long(apache: Apache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "OLD_WORKERS_SECONDS", 0.05)
    assert apache.server.outlive(apache.server.workers()) is False
    assert apache.server.outlive(frozenset({Process(1, 0)})) is True


def test_an_apache_that_hangs_is_ended_and_started_anew(apache: Apache) -> None:
    old = {apache.process.pid, *apache.workers()}
    started: list[subprocess.Popen[bytes]] = []

    def start() -> Result:
        assert not (apache.directory / "pid").exists()
        program, output = str(apache.directory / "apache2-fake"), str(apache.directory / "workers")
        started.append(subprocess.Popen([program, output], start_new_session=True))
        (apache.directory / "pid").write_text(str(started[0].pid))
        return Result(0, "", "")

    apache.answers["start"] = start
    apache.server.start()
    try:
        assert all(not Path(f"/proc/{pid}").exists() or state(pid) in "ZX" for pid in old)
        assert apache.server.workers()
    finally:
        os.killpg(started[0].pid, signal.SIGKILL)
        started[0].wait()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_an_apache_that_serves_is_never_ended(apache: Apache, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        inode = os.fstat(listener.fileno()).st_ino
        worker = subprocess.Popen(["sleep", "300"], pass_fds=[listener.fileno()])
    try:
        serving = Process(worker.pid, 1)
        monkeypatch.setattr(servers, "_status", lambda pid: (1, apache.process.pid, "apache2"))
        monkeypatch.setattr(os, "listdir", lambda path, real=os.listdir: [str(worker.pid)] if path == "/proc" else real(path))
        monkeypatch.setattr(servers.sockets, "listeners", lambda: [Listener("127.0.0.1", 80, str(inode))])
        assert apache.server.serving() == {serving}
        apache.server.start()
        assert (worker.poll(), apache.process.poll()) == (None, None)
        assert (apache.commands, apache.server.master() is not None) == ([], True)
    finally:
        worker.kill()
        worker.wait()


def test_when_it_has_read_its_configuration_is_told_by_its_workers(apache: Apache, monkeypatch: pytest.MonkeyPatch) -> None:
    assert apache.server.read_at() is None  # none of them listens
    process = min(apache.server.workers())
    monkeypatch.setattr(Server, "serving", lambda self: frozenset({process, Process(1, process.begun + 500)}))
    moment = apache.server.read_at()
    assert moment is not None
    assert abs(moment - os.stat(apache.directory / "workers").st_mtime) < 2


def test_an_apache_that_does_not_start_says_why(apache: Apache) -> None:
    def fail() -> Result:
        (apache.directory / "error.log").write_text("AH00072: could not bind\n")
        return Result(1, "", "Action 'start' failed.")

    apache.answers["start"] = fail
    with pytest.raises(ServerError, match="apache2ctl start failed") as error:
        apache.server.start()
    assert error.value.details == "Action 'start' failed.\nAH00072: could not bind"


def test_a_log_that_was_rotated_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("a long line of before\n")
    server = Server(Debian(), lambda command, environment: Result(0, "", ""), "", str(log))
    position = server.log_position()
    with log.open("a") as stream:
        stream.write("new\n")
    assert server.log_since(position) == "new"
    log.write_text("rotated\n")
    assert server.log_since(position) == "rotated"
    log.unlink()
    assert server.log_since(position) == ""
    assert server.log_position() == 0


def test_a_process_whose_name_has_parentheses_is_read_right(tmp_path: Path) -> None:
    program = tmp_path / "ht) (tpd 1"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "300"]) as process:
        try:
            until(lambda: "tpd" in Path(f"/proc/{process.pid}/comm").read_text())
            begun, parent, name = servers._status(process.pid)
            assert (parent, name) == (os.getpid(), "ht) (tpd 1")
            assert begun > 0
        finally:
            process.kill()
    assert servers._status(process.pid) == (0, 0, "")
