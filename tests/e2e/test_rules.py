"""Every rule of tests/rules.py against the container with sites of its own, over HTTPS."""

from __future__ import annotations

import subprocess

import pytest

from tests.rules import RULES, Rule, Target
from tools.http_client import Client

from .conftest import AUTHORITY, container_address


@pytest.fixture(scope="module")
def target(existing_sites_scenario: subprocess.CompletedProcess[str]) -> Target:
    assert existing_sites_scenario.returncode == 0, existing_sites_scenario.stdout[-3000:]
    return Target(Client(container_address("mailops-existing"), AUTHORITY), "shop.example")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.id}: {rule.says}")
def test_rule(target: Target, rule: Rule) -> None:
    assert rule.check(target)


def test_every_rule_of_these_kinds_has_a_row() -> None:
    wanted = {f"{kind}{number}" for kind, last in (("H", 5), ("M", 12), ("A", 12)) for number in range(1, last + 1)}
    assert {rule.id for rule in RULES} == wanted
