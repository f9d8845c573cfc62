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


# Two tests with a fixture each: that a test needs containers is known beforehand only of what it names.
@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.id.startswith("P")], ids=str)
def test_rule(server: Target, rule: Rule) -> None:
    assert rule.check(server)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.id.startswith("P")], ids=str)
def test_rule_of_signed_profiles(signing_server: Target, rule: Rule) -> None:
    assert rule.check(signing_server)


def test_every_rule_of_these_kinds_has_a_row() -> None:
    wanted = {f"{kind}{number}" for kind, last in (("H", 5), ("M", 12), ("A", 12), ("P", 5)) for number in range(1, last + 1)}
    assert {rule.id for rule in RULES} == wanted
