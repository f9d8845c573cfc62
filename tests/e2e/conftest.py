"""The containers of the scenarios, made once for all tests that look at them."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import CACHE, PROJECT, need

AUTHORITY = CACHE / "ca/ca.pem"

Scenario = Callable[[str], str]


def molecule(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run molecule; its output goes to a log in .cache besides."""
    environment = {
        **os.environ,
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "NO_COLOR": "1",
        # Of the checkout's path, molecule puts the last part alone into the names of its own directories.
        "ANSIBLE_HOME": str(CACHE / "ansible"),
    }
    done = subprocess.run(
        ["molecule", *arguments],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    with (CACHE / "molecule.log").open("a") as log:
        log.write(done.stdout)
    return done


@pytest.fixture(scope="session")
def scenario(pytestconfig: pytest.Config) -> Iterator[Scenario]:
    """Runs the whole sequence of a scenario the first time that it is named, and lends its containers to all tests.

    What went wrong, short enough to read; nothing if all went well.
    """
    need("podman", "debootstrap")
    held = (CACHE / "molecule.lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pytest.fail("another process has the containers of this checkout: tests that share them have to be in one group")
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    verdicts: dict[str, str] = {}

    def run(name: str) -> str:
        if name not in verdicts:
            if reporter is not None:
                reporter.write_line(f"\nmolecule {name}: its whole sequence (its log is .cache/molecule.log)")
            # Noted first, so that a run that is broken off is tidied up as well.
            verdicts[name] = "was broken off"
            done = molecule("test", "-s", name, "--destroy", "never")
            verdicts[name] = "" if done.returncode == 0 else done.stdout[-6000:]
        return verdicts[name]

    try:
        yield run
    finally:
        for name in verdicts:
            molecule("destroy", "-s", name)
        held.close()
