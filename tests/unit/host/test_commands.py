"""Running commands: bounded in time, in English, and never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import commands, interrupts
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result


def shell(script: str, timeout: float = 30, **environment: str) -> Result:
    return commands.run(["sh", "-c", script], environment, timeout)


def ended(path: Path) -> bool:
    """Whether the process whose number is in a file ends."""
    pid = int(path.read_text())
    for _attempt in range(200):
        with contextlib.suppress(FileNotFoundError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                time.sleep(0.02)
                continue
        return True
    os.kill(pid, signal.SIGKILL)
    return False


def test_a_command_gets_its_arguments_and_environment_and_leaves_status_and_output() -> None:
    result = commands.run(["sh", "-c", 'echo "$1 $NAME"; echo oops >&2; exit 3', "sh", "a b"], {"NAME": "value"})
    assert result == Result(3, "a b value\n", "oops\n")
    assert result.said == "oops\na b value"


def test_a_command_speaks_english_and_finds_those_of_the_administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    language, path = shell('echo "$LC_ALL"; echo "$PATH"').output.split()
    assert language == "C"
    assert path == "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def test_a_command_reads_nothing_and_stands_in_the_root() -> None:
    assert shell("cat; pwd").output == "/\n"


def test_output_that_is_no_text_is_read_all_the_same() -> None:
    assert shell(r"printf '\351'").output == "\ufffd"


@pytest.mark.parametrize(("content", "message"), [(None, "No such file"), ("\x7fELF and nothing else", "Exec format error")])
def test_a_command_that_cannot_be_run_raises_what_the_library_expects(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "command"
    if content:
        path.write_text(content)
        path.chmod(0o755)
    with pytest.raises(OSError, match=message):
        commands.run([str(path)], {})


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match=r"sh -c .* did not end within 0 s"):
        shell(f"sleep 300 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/own; wait", timeout=0.4)
    assert ended(tmp_path / "own")
    assert ended(tmp_path / "child")


def test_a_daemon_that_holds_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    result = shell(f"echo begun; sleep 300 & echo $! > {tmp_path}/daemon")
    assert result == Result(0, "begun\n", "")
    os.kill(int((tmp_path / "daemon").read_text()), signal.SIGKILL)


def test_a_signal_to_the_run_ends_the_command_too(tmp_path: Path) -> None:
    """As a child process, because the signal goes to all of it."""
    script = (
        "import sys\n"
        f"from {commands.__name__} import run\nfrom {interrupts.__name__} import raised, Interrupted\n"
        "with raised():\n"
        "    try:\n"
        f"        run(['sh', '-c', 'echo $$ > {tmp_path}/own; exec sleep 300'], {{}})\n"
        "    except Interrupted as exc:\n        print(exc)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    while not (tmp_path / "own").exists() or not (tmp_path / "own").read_text().strip():
        time.sleep(0.02)
    process.terminate()
    output, _errors = process.communicate(timeout=30)
    assert output == "the run was told to stop (SIGTERM)\n"
    assert ended(tmp_path / "own")


def test_a_signal_while_a_command_is_being_started_does_not_leave_it_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.Popen

    def start(*arguments: t.Any, **options: t.Any) -> subprocess.Popen[bytes]:
        process = real(*arguments, **options)
        (tmp_path / "own").write_text(str(process.pid))
        os.kill(os.getpid(), signal.SIGTERM)
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(interrupts.Interrupted), interrupts.raised():
        shell("exec sleep 300")
    assert ended(tmp_path / "own")


def refuse(_pid: int) -> int:
    raise PermissionError


@pytest.mark.parametrize("has_handles", [True, False])
def test_a_command_is_waited_for_with_or_without_handles_of_processes(monkeypatch: pytest.MonkeyPatch, has_handles: bool) -> None:
    if not has_handles:
        monkeypatch.setattr(os, "pidfd_open", refuse)
    open_before = len(os.listdir("/proc/self/fd"))
    assert shell("exit 3").status == 3
    with pytest.raises(TimeoutError):
        shell("sleep 300", timeout=0.1)
    assert len(os.listdir("/proc/self/fd")) == open_before


def test_a_command_that_has_ended_is_not_waited_for_by_looking_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_seconds: float) -> None:
        pytest.fail("slept")

    monkeypatch.setattr(time, "sleep", never)
    assert shell("sleep 0.1; exit 4").status == 4


def test_a_signal_just_after_the_end_of_a_command_is_told_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def status(process: subprocess.Popen[bytes], _timeout: float) -> int:
        process.wait()
        raise interrupts.Interrupted("told to stop")

    monkeypatch.setattr(commands, "_status", status)
    with pytest.raises(interrupts.Interrupted, match="told to stop"):
        shell("exit 0")


def test_a_command_has_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    def status(process: subprocess.Popen[bytes], timeout: float) -> int:
        raise subprocess.TimeoutExpired(process.args, timeout)

    monkeypatch.setattr(commands, "_status", status)
    with pytest.raises(TimeoutError, match=r"^sleep 300 did not end within 60 s$"):
        commands.run(["sleep", "300"], {})
