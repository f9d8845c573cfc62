"""The scenarios in molecule/, each as one test: create, prepare, converge, verify, and what else its sequence has."""

from __future__ import annotations

import pytest

from tests.conftest import PROJECT

from .conftest import Scenario

NAMES = sorted(path.parent.name for path in PROJECT.glob("molecule/*/molecule.yml"))


@pytest.mark.parametrize("name", NAMES)
def test_scenario(scenario: Scenario, name: str) -> None:
    assert scenario(name) == ""
