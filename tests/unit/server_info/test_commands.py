"""Programs that hang, babble, fail or are no programs, as real processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import commands as host_commands
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import import commands, options, run
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import.model import CannotTellError


def program(directory: Path, name: str, script: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("sleep 60", "doveconf did not end in time"),
        ("exec yes", "doveconf was ended before it had said all"),
        ("echo x; exit 3", "doveconf failed with status 3"),
        ("printf 'ssl = yes'", "what doveconf printed ends in the middle of a line"),
        ("kill -9 $$", "doveconf was ended before it had said all"),
    ],
)
def test_what_a_program_does_wrong_is_said(programs: Path, script: str, why: str) -> None:
    program(programs, "doveconf", script)
    with pytest.raises(CannotTellError) as error:
        commands.output_of(commands.runner(1), "doveconf", "ssl")
    assert str(error.value) == why


def test_what_is_no_program_is_said(programs: Path) -> None:
    with pytest.raises(CannotTellError, match="there is no doveconf here"):
        commands.output_of(commands.runner(1), "doveconf")
    (programs / "doveconf").write_bytes(b"\x7fELF rubbish")
    (programs / "doveconf").chmod(0o755)
    with pytest.raises(CannotTellError, match=r"doveconf cannot be run \(Exec format error\)"):
        commands.output_of(commands.runner(1), "doveconf")


def test_a_program_writes_no_more_than_it_may(programs: Path) -> None:
    program(programs, "babble", "exec yes")
    result = host_commands.run(["babble"], {}, 30, most=100_000)
    assert result.status < 0
    assert len(result.output) == 100_000


def test_a_whole_host_of_hanging_and_babbling_programs_gives_an_answer(programs: Path) -> None:
    program(programs, "dovecot", "echo 2.4.1")
    program(programs, "doveconf", "sleep 60")
    program(programs, "doveadm", "exec yes")
    program(programs, "postconf", "echo rubbish")
    data, warnings = run.run(options.read({"address": "anna@server.tld", "timeout": 1}))
    assert data["provider"] is None
    assert warnings == ()
    why = {each["what"]: each["why"] for each in data["unknown"]}
    assert why["dovecot"] == "doveconf did not end in time"
    assert why["username"] == "doveadm was ended before it had said all"
    assert why["postfix"] == "what postconf printed is not what it was asked for"
