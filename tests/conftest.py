"""What all tests share: what a machine must have, and running Ansible as users do."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

# What somebody has installed for himself must not be tested in place of this checkout.
os.environ["ANSIBLE_COLLECTIONS_PATH"] = sysconfig.get_path("purelib")

# Before anything of the collection: until ansible-core 2.14 it decides where collections come from as soon as it is imported, and
# then does not know one of which something is loaded already.
importlib.import_module("ansible.plugins.loader")

PROJECT = Path(__file__).resolve().parents[1]
CACHE = PROJECT / ".cache"


def need(*programs: str) -> None:
    """Skip the test where a program is not installed; in CI that is a failure."""
    missing = [name for name in programs if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if missing:
        message = f"{', '.join(missing)} not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests stay together when several processes run them: those of a file, and all that share the containers.

    Containers are made once and lent to all tests that look at them.
    """
    for item in items:
        has_containers = "scenario" in getattr(item, "fixturenames", ())
        group = "containers" if has_containers else item.path.relative_to(PROJECT).as_posix()
        item.add_marker(pytest.mark.xdist_group(group))


class Playbook:
    """Runs a play on this machine and keeps what the task ``result`` of it returned.

    :arg through: goes before the command that runs it
    """

    def __init__(self, directory: Path, environment: Mapping[str, str], through: Sequence[str] = ()) -> None:
        self._directory = directory
        self._through = through
        self._environment = {**os.environ, **environment, "ANSIBLE_CONFIG": str(PROJECT / "tests/ansible.cfg")}

    def module(self, options: Mapping[str, Any], *arguments: str, name: str = "mail_autoconfig") -> dict[str, Any]:
        """Call a module of the collection; its result, also a failed one."""
        output = self._directory / "result.json"
        play = [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "tasks": [
                    {f"mailops.autoconfig.{name}": dict(options), "register": "result", "ignore_errors": True},
                    {
                        "ansible.builtin.copy": {"content": "{{ result | to_json }}", "dest": str(output), "mode": "0600"},
                        "check_mode": False,
                        "diff": False,
                    },
                ],
            }
        ]
        self.run(play, *arguments)
        return dict(json.loads(output.read_text()))

    def role(self, variables: Mapping[str, Any], *arguments: str) -> str:
        """Run the role; the output of the play."""
        options = {f"mail_autoconfig_{key}": value for key, value in variables.items()}
        roles = [{"role": "mailops.autoconfig.mail_autoconfig"}]
        return self.run([{"hosts": "localhost", "vars": options, "roles": roles}], *arguments)

    def run(self, play: list[dict[str, Any]], *arguments: str) -> str:
        """Run a play; its output. Fails the test if the play does."""
        file = self._directory / "play.yml"
        file.write_text(json.dumps(play))
        # Ansible's implicit localhost: this machine, with the Python that runs ansible-playbook.
        command = [*self._through, "ansible-playbook", *arguments, str(file)]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
