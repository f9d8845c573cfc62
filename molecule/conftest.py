"""What the tests of all scenarios share: their hosts by the names of the inventory."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from tools.containers import container_name

PREFIX = "podman://"


def pytest_configure(config: pytest.Config) -> None:
    """Let the hosts of a scenario's ``molecule.yml`` mean the containers of this checkout."""
    if config.option.hosts:
        hosts = [host.removeprefix(PREFIX) for host in config.option.hosts.split(",")]
        config.option.hosts = ",".join(PREFIX + container_name(host) for host in hosts)


@pytest.fixture(scope="module")
def inventory_hostname(host: Host) -> str:
    """The name of the host in the inventory."""
    return str(host.backend.name).rpartition("-")[0]
