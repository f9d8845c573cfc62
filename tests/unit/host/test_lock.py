"""One run at a time on an Apache."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import lock
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.lock import LockError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.fake_apache import FakeApache

_HOLDER = """
import sys
from {module} import held
with held(sys.argv[1], 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """One in memory where the system has that: some other file systems tell the kernel's list another device than stat(2)."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as name:
        yield Path(name)


@pytest.fixture
def holder(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock on the directory, until its input ends."""
    script = _HOLDER.format(module=lock.__name__)
    command = [sys.executable, "-c", script, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def refused(directory: Path) -> str:
    """What is said where the lock cannot be had."""
    with pytest.raises(LockError) as error, lock.held(str(directory), 0):
        pytest.fail("held twice")
    return str(error.value)


def test_a_lock_that_is_held_for_too_long_names_its_holder(directory: Path, holder: subprocess.Popen[str]) -> None:
    text = refused(directory)
    assert text.startswith(f"another run works on {directory} (process {holder.pid}: {sys.executable} -c \nimport sys\n")
    assert text.endswith(") and did not end within 0 s (lock_timeout); nothing was changed")


@pytest.mark.usefixtures("holder")
def test_a_holder_that_the_system_does_not_tell_has_no_name(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *_arguments: object, **_options: object) -> t.NoReturn:
        raise PermissionError(1, "Operation not permitted", path)

    unknown = f"another run works on {directory} (it cannot be told which) and did not end within 0 s (lock_timeout); nothing was"
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refuse)
        assert refused(directory) == f"{unknown} changed"
    monkeypatch.setattr(re, "search", lambda *_arguments: None)
    assert refused(directory) == f"{unknown} changed"


def test_a_lock_is_waited_for(directory: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        holder.communicate()

    monkeypatch.setattr(time, "sleep", sleep)
    with lock.held(str(directory), 5):
        assert holder.returncode == 0
    assert len(waits) == 1


def test_a_killed_holder_has_lost_it(directory: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with lock.held(str(directory), 0):
        pass


def test_a_lock_is_given_back_also_after_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    for _time in range(2):
        with pytest.raises(ValueError, match="x"), lock.held(str(tmp_path), 0):
            raise ValueError("x")
    assert list(tmp_path.iterdir()) == []


def test_there_is_no_lock_on_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), lock.held(str(tmp_path / "absent"), 0):
        pass


def test_a_run_waits_for_another_and_check_mode_does_not(apache: FakeApache) -> None:
    before = apache.footprint()
    with lock.held(apache.layout.config_directory, 0):
        with pytest.raises(LockError, match="another run works on"):
            apache.publish()
        with pytest.raises(LockError):
            apache.publish(state_directory=f"{apache.root}/var/lib/other")
        assert apache.check().result["changed"] is True
        assert apache.footprint() == before
    assert apache.publish().result["changed"] is True


def test_commands_do_not_inherit_the_lock(tmp_path: Path) -> None:
    with lock.held(str(tmp_path), 0):
        subprocess.run(["sh", "-c", f"ls -l /proc/self/fd > {tmp_path}/open"], check=True, close_fds=False)
    assert f"{tmp_path}\n" not in (tmp_path / "open").read_text()
    assert os.listdir(tmp_path) == ["open"]
