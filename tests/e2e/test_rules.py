"""Every rule of tests/rules.py against a container over HTTPS: that with sites of its own, for P the one that signs."""

from __future__ import annotations

import pytest

from tests.rules import RULES, Rule, Target
from tools.containers import container_address
from tools.http_client import Client

from .conftest import AUTHORITY, Scenario


@pytest.fixture(scope="module")
def server(scenario: Scenario) -> Target:
    assert scenario("existing_sites") == ""
    return Target(Client(container_address("mailops-existing"), AUTHORITY), "shop.example", AUTHORITY)


@pytest.fixture(scope="module")
def signing_server(scenario: Scenario) -> Target:
    assert scenario("setup_page") == ""
    return Target(Client(container_address("mailops-setup-page"), AUTHORITY), "", AUTHORITY)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.id}: {rule.says}")
def test_rule(request: pytest.FixtureRequest, rule: Rule) -> None:
    target: Target = request.getfixturevalue("signing_server" if rule.id.startswith("P") else "server")
    assert rule.check(target)


def test_every_rule_of_these_kinds_has_a_row() -> None:
    wanted = {f"{kind}{number}" for kind, last in (("H", 5), ("M", 12), ("A", 12), ("P", 5)) for number in range(1, last + 1)}
    assert {rule.id for rule in RULES} == wanted
