"""What came of every trap: the run failed, or went without the broken part and said so; nobody else noticed anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from testinfra.host import Host

INVENTORY = Path(__file__).resolve().parents[1] / "inventory/hosts.yml"
TRAPS = yaml.safe_load(INVENTORY.read_text())["molecule"]["vars"]["traps"]
LAID = [trap["name"] for trap in TRAPS]
# Nothing can be served with these; what is wrong with one certificate may cost its own domain HTTPS only.
MUST_FAIL = [trap["name"] for trap in TRAPS if "directives" in trap]
REHEARSING = "mailops-rehearsal"
BUSY = "port_of_another_program"


@pytest.fixture
def outcome(request: pytest.FixtureRequest, host: Host) -> dict[str, Any]:
    """What tasks/trap.yml kept of the trap that the test is called with."""
    return dict(json.loads(host.file(f"/root/outcomes/{request.param}.json").content))


every_trap = pytest.mark.parametrize("outcome", [BUSY, *LAID], indirect=True)
every_laid_trap = pytest.mark.parametrize("outcome", LAID, indirect=True)


@every_trap
def test_apache_runs(outcome: dict[str, Any]) -> None:
    assert outcome["active"] == "active"


@every_trap
def test_no_request_to_a_neighbour_was_lost(inventory_hostname: str, outcome: dict[str, Any]) -> None:
    watched = outcome["watched"]
    assert watched["asked"] > 20
    # Only a rehearsal tells beforehand which directives Apache dies of; without one it is gone until it was brought back.
    if outcome["trap"] not in MUST_FAIL or inventory_hostname == REHEARSING:
        assert watched["lost"] == 0, watched["first_lost"]


@every_trap
def test_neighbours_answer_as_before(outcome: dict[str, Any]) -> None:
    assert {question: both for question, both in outcome["answers"].items() if "autoconfig.server.tld" not in question} == {}


@every_trap
def test_the_run_failed_or_warned(outcome: dict[str, Any]) -> None:
    said = [warning for warning in outcome["warnings"] if "trap.example" in warning or "443" in warning]
    assert outcome["failed"] or said, outcome["warnings"]


@pytest.mark.parametrize("outcome", MUST_FAIL, indirect=True)
def test_the_run_failed(outcome: dict[str, Any]) -> None:
    assert outcome["failed"]


@every_trap
def test_after_a_failure_apaches_files_and_all_answers_are_as_before(outcome: dict[str, Any]) -> None:
    if outcome["failed"]:
        assert (outcome["files"], outcome["answers"]) == ({}, {})


@every_laid_trap
def test_what_was_served_before_is_served(outcome: dict[str, Any]) -> None:
    assert [question for question in outcome["answers"] if "autoconfig.server.tld" in question] == []


@every_laid_trap
def test_the_sound_settings_bring_back_what_was(outcome: dict[str, Any]) -> None:
    assert "way_back" not in outcome
    assert (outcome["files_after"], outcome["answers_after"]) == ({}, {})


def test_a_name_that_nobody_has_gets_nobodys_settings(host: Host) -> None:
    answers = json.loads(host.file("/root/witness/answers.json").content)
    status = {
        (scheme, name): answers[f"GET {scheme}://{name}/mail/config-v1.1.xml at own"][0]
        for scheme in ("http", "https")
        for name in ("autoconfig.server.tld", "unknown.example")
    }
    assert status["https", "autoconfig.server.tld"] == 200
    assert {status[scheme, "unknown.example"] for scheme in ("http", "https")} == {404}


@every_trap
def test_the_result_says_whether_there_was_a_rehearsal(inventory_hostname: str, outcome: dict[str, Any]) -> None:
    if outcome["rehearsed"] is None:
        pytest.skip("the result does not say: the run did not come that far, or failed")
    assert outcome["rehearsed"] == (inventory_hostname == REHEARSING), outcome["rehearsal"]
