"""The containers of the scenarios, made once for all tests that look at them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import CACHE, PROJECT, need


def molecule(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run molecule; its output goes to a log in .cache besides."""
    environment = {**os.environ, "MOLECULE_GLOB": "molecule/*/molecule.yml", "NO_COLOR": "1"}
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


def scenario(name: str, config: pytest.Config) -> Iterator[subprocess.CompletedProcess[str]]:
    """Run the whole sequence of a scenario, lend its containers to the tests, and remove them at the end."""
    need("podman", "debootstrap")
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"\nmolecule {name}: check, converge, idempotence, verify (its log is .cache/molecule.log)")
    try:
        yield molecule("test", "-s", name, "--destroy", "never")
    finally:
        molecule("destroy", "-s", name)


@pytest.fixture(scope="session")
def default_scenario(pytestconfig: pytest.Config) -> Iterator[subprocess.CompletedProcess[str]]:
    yield from scenario("default", pytestconfig)


@pytest.fixture(scope="session")
def existing_sites_scenario(pytestconfig: pytest.Config) -> Iterator[subprocess.CompletedProcess[str]]:
    yield from scenario("existing_sites", pytestconfig)


@pytest.fixture(scope="session")
def setup_page_scenario(pytestconfig: pytest.Config) -> Iterator[subprocess.CompletedProcess[str]]:
    yield from scenario("setup_page", pytestconfig)


@pytest.fixture(scope="session")
def dns_scenario(pytestconfig: pytest.Config) -> Iterator[subprocess.CompletedProcess[str]]:
    yield from scenario("dns", pytestconfig)


AUTHORITY = CACHE / "ca/ca.pem"
