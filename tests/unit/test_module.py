"""The module's own part: running commands on the host, so that the library sees every failure."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings

from tests.unit.module_arguments import module_arguments

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.transaction import Result

    Runner = Callable[[Sequence[str], Mapping[str, str]], Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    """The runner of the module's host, with commands in tmp_path."""
    from ansible.module_utils.basic import AnsibleModule
    from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.spec import argument_spec
    from ansible_collections.mailops.autoconfig.plugins.modules import mail_autoconfig

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with module_arguments({"domain": "server.tld"}):
        module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
        yield mail_autoconfig.make_host(module, settings.read({"domain": "server.tld"}))._run


def command(directory: Path, content: str) -> str:
    """A command of a name that no machine has."""
    path = directory / "a2-of-a-unit-test"
    path.write_text(content)
    path.chmod(0o755)
    return path.name


def test_a_command_gets_its_arguments_and_environment_and_leaves_status_and_output(run: Runner, tmp_path: Path) -> None:
    name = command(tmp_path, '#!/bin/sh\necho "$1 $NAME"\necho oops >&2\nexit 3\n')
    assert run([name, "a b"], {"NAME": "value"}) == (3, "a b value\n", "oops\n")


def test_a_command_that_is_not_there_raises_what_the_library_expects(run: Runner) -> None:
    with pytest.raises(OSError, match="a2-of-a-unit-test is not installed"):
        run(["a2-of-a-unit-test"], {})


def test_a_command_that_cannot_be_run_raises_what_the_library_expects(run: Runner, tmp_path: Path) -> None:
    name = command(tmp_path, "\x7fELF and nothing else")
    with pytest.raises(OSError, match="Exec format error"):
        run([name], {})
