"""The containers of the scenarios belong to one checkout: a machine may have several, and they share its podman."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from tests.conftest import PROJECT
from tools import containers

SHARED = PROJECT / "molecule/inventory/hosts.yml"
SCENARIOS = sorted(path.parent for path in PROJECT.glob("molecule/*/molecule.yml"))


def containers_in_inventory(scenario: Path) -> dict[str, str]:
    """By host: the container that Ansible connects to."""
    loader = DataLoader()
    inventory = InventoryManager(loader, [str(SHARED), str(scenario / "inventory/hosts.yml")])
    manager = VariableManager(loader, inventory)
    found = {}
    for host in inventory.get_hosts("molecule"):
        variables = manager.get_vars(host=host)
        found[host.name] = Templar(loader, variables=variables).template(variables["ansible_host"])
    return found


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_ansible_and_the_tests_mean_the_same_containers(monkeypatch: pytest.MonkeyPatch, scenario: Path) -> None:
    seen = []
    for checkout in ("/home/anna/autoconfig", "/home/otto/autoconfig"):
        monkeypatch.setenv("MOLECULE_PROJECT_DIRECTORY", checkout)
        monkeypatch.setattr(containers, "PROJECT", Path(checkout))
        found = containers_in_inventory(scenario)
        assert found == {host: containers.container_name(host) for host in found}
        seen += list(found.values())
    assert len(set(seen)) == len(seen) > 0


def test_no_host_is_in_two_scenarios_and_tests_run_on_hosts_that_there_are() -> None:
    hosts = {path: list(yaml.safe_load((path / "inventory/hosts.yml").read_text())["molecule"]["hosts"]) for path in SCENARIOS}
    everybody = [host for some in hosts.values() for host in some]
    assert len(set(everybody)) == len(everybody)
    for path, some in hosts.items():
        tested = yaml.safe_load((path / "molecule.yml").read_text())["verifier"]["options"]["hosts"].split(",")
        assert {host.removeprefix("podman://") for host in tested} <= set(some)
