"""The action plugin: batches, reports on the controller, and when a run fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.mailops.autoconfig.plugins.action import mail_autoconfig_check as action

DOMAINS = [f"d{number}.tld" for number in range(120)]
FOUND = [{"domain": "a.tld", "verdict": "warns", "findings": [{"severity": "warning", "code": "dns.ms_txt"}]}]
SUMMARY = {"domains": 1, "works": 0, "warns": 1, "fails": 0, "unknown": 0, "errors": 0, "warnings": 1}


def test_few_domains_are_one_call() -> None:
    (batch,) = action._batches({"domains": DOMAINS[:50], "address": "a@d1.tld", "fail_on": "error"})
    assert batch == {"domains": DOMAINS[:50], "address": "a@d1.tld", "fail_on": "never"}


def test_the_address_goes_with_its_domain() -> None:
    batches = action._batches({"domains": DOMAINS, "address": "a@D70.tld", "password": "x", "timeout": 3})
    assert [len(batch["domains"]) for batch in batches] == [50, 50, 20]
    assert [domain for batch in batches for domain in batch["domains"]] == DOMAINS
    assert [("password" in batch, "address" in batch, batch["timeout"]) for batch in batches] == [
        (False, False, 3),
        (True, True, 3),
        (False, False, 3),
    ]


def test_an_address_of_none_of_them_is_refused_by_the_module() -> None:
    batches = action._batches({"domains": DOMAINS, "address": "a@other.tld"})
    assert [batch.get("address") for batch in batches] == ["a@other.tld", None, None]


@pytest.mark.parametrize(("fail_on", "failed"), [("never", False), ("error", False), ("warning", True)])
def test_when_a_run_fails(fail_on: str, failed: bool) -> None:
    result = action._result(fail_on, FOUND, SUMMARY)
    assert result.get("failed", False) is failed
    assert result["changed"] is False
    assert not failed or result["msg"] == "0 errors, 1 warnings: a.tld: dns.ms_txt."


def test_a_report_is_written_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    action._write([{"format": "json", "path": str(path)}], FOUND, SUMMARY)
    assert json.loads(path.read_text()) == {"summary": SUMMARY, "domains": FOUND}
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    report: dict[str, Any] = {"format": "json", "path": str(tmp_path / "no/such/report")}
    with pytest.raises(AnsibleActionFail, match="cannot be written: No such file or directory"):
        action._write([report], FOUND, SUMMARY)
