"""One run at a time on an Apache."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
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
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock on tmp_path, until its input ends."""
    script = _HOLDER.format(module=lock.__name__)
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_that_is_held_for_too_long_names_its_holder(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(LockError) as error, lock.held(str(tmp_path), 0):
        pytest.fail("held twice")
    text = str(error.value)
    assert text.startswith(f"another run works on {tmp_path} (")
    assert text.endswith("did not end within 0 s (lock_timeout); nothing was changed")
    if f"process {holder.pid}: " not in text:  # some file systems tell the kernel's list another device than stat(2)
        assert "it cannot be told which" in text


def test_a_lock_is_waited_for(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    assert holder.stdin is not None
    timer = threading.Timer(0.3, holder.stdin.close)
    timer.start()
    with lock.held(str(tmp_path), 60):
        assert holder.wait(30) == 0


def test_a_killed_holder_has_lost_it(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with lock.held(str(tmp_path), 0):
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
