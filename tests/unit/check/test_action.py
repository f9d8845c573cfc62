"""The action plugin: batches, reports on the controller, and when a run fails."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.mailops.autoconfig.plugins.action import mail_autoconfig_check as action
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import options

DOMAINS = [f"d{number}.tld" for number in range(120)]
FOUND = [{"domain": "a.tld", "verdict": "warns", "findings": [{"severity": "warning", "code": "dns.ms_txt"}]}]
SUMMARY = {"domains": 1, "works": 0, "warns": 1, "fails": 0, "unknown": 0, "errors": 0, "warnings": 1}

Data = dict[str, Any]


class Acting:
    """Runs the plugin with a module that finds nothing wrong; ``calls`` are the arguments of each call of it."""

    def __init__(self) -> None:
        self.calls: list[Data] = []

    def module(self, module_name: str, module_args: Data, task_vars: Data) -> Data:
        self.calls.append(module_args)
        return {"domains": [{"domain": domain, "verdict": "works", "findings": []} for domain in module_args["domains"]]}

    def __call__(self, arguments: Data, transport: str = "local", become: bool = False) -> Data:
        plugin = object.__new__(action.ActionModule)
        plugin._task = SimpleNamespace(args=arguments, become=become)
        plugin._connection = SimpleNamespace(transport=transport)
        plugin._execute_module = self.module
        return plugin.run(None, {})


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Acting:
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
    return Acting()


def test_few_domains_are_one_call(act: Acting) -> None:
    result = act({"domains": DOMAINS[:50], "address": "a@d1.tld", "fail_on": "error"})
    assert act.calls == [{"domains": DOMAINS[:50], "address": "a@d1.tld", "fail_on": "never", "reports": []}]
    assert (result["summary"]["works"], result.get("failed", False)) == (50, False)


@pytest.mark.parametrize("written", [DOMAINS, ",".join(DOMAINS), ", ".join(f"{domain.upper()}." for domain in DOMAINS)])
@pytest.mark.parametrize("address", ["a@d70.tld", "a@D70.TLD."])
def test_the_address_goes_with_its_domain(act: Acting, written: Any, address: str) -> None:
    result = act({"domains": written, "address": address, "password": "x", "timeout": 3})
    assert [len(call["domains"]) for call in act.calls] == [50, 50, 20]
    assert [domain for call in act.calls for domain in call["domains"]] == DOMAINS
    assert [("password" in call, "address" in call, call["timeout"]) for call in act.calls] == [
        (False, False, 3),
        (True, True, 3),
        (False, False, 3),
    ]
    assert [each["domain"] for each in result["domains"]] == DOMAINS


def test_an_address_in_other_letters_goes_with_its_domain(act: Acting) -> None:
    act({"domains": [*DOMAINS, "m\u00fcnchen.tld"], "address": "a@xn--mnchen-3ya.tld", "password": "x"})
    assert ["password" in call for call in act.calls] == [False, False, True]


def test_every_mistake_is_told_before_any_domain_is_asked_about(act: Acting, tmp_path: Path) -> None:
    """The domain that is none is in the third batch, and so is one that was in the first."""
    (tmp_path / "file").touch()
    reports = [
        {"format": "text", "path": str(tmp_path / "no/such")},
        {"format": "pdf", "path": str(tmp_path / "a")},
        {"format": "html", "path": str(tmp_path)},
        {"format": "html", "path": str(tmp_path / "file/report")},
        {"format": "junit", "path": str(tmp_path / "a")},
        {"format": "json"},
    ]
    wrong = {
        "address": "a@other.tld",
        "resolver": ["nobody"],
        "addresses": {"a.tld": 5},
        "reports": reports,
        "ca_file": "/no/such",
    }
    result = act({"domains": [*DOMAINS, "no such", "D3.tld"], **wrong})
    assert act.calls == []
    assert (result["failed"], result["changed"]) == (True, False)
    assert [problem.split(": ")[0] for problem in result["problems"]] == [
        "domains[120]",
        "domains[121]",
        "address",
        "resolver[0]",
        "addresses.a.tld",
        "ca_file",
        "reports[1].format",
        "reports[5].path",
        "reports[0].path",
        "reports[2].path",
        "reports[3].path",
        "reports[4].path",
    ]
    assert all(problem in result["msg"] for problem in result["problems"])
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fail_on": "all"}, "value of fail_on must be one of: never, error, warning, got: all"),
        ({"ispdb": "perhaps"}, "ispdb"),
        ({"timeout": "long"}, "timeout"),
        ({"domain": "a.tld"}, "domain. Supported parameters include"),
        ({"domains": None}, "missing required arguments: domains"),
    ],
)
def test_what_has_the_wrong_type_is_told_with_the_rest(act: Acting, wrong: Data, message: str) -> None:
    given = {"domains": ["a.tld"], "parallel": "many", **wrong}
    result = act({key: value for key, value in given.items() if value is not None})
    assert act.calls == []
    assert any(message in problem for problem in result["problems"])
    assert any("parallel" in problem for problem in result["problems"])


def silent(act: Acting, *works: str, resolver_answers: bool = False) -> Callable[..., Data]:
    """A module to which nothing is answered, of no domain but those in ``works``."""

    def module(module_name: str, module_args: Data, task_vars: Data) -> Data:
        act.calls.append(module_args)
        codes = ["dns.unreachable" if domain not in works else "dns.mx.missing" for domain in module_args["domains"]]
        finding = {"severity": "error", "what": "no resolver answers"}
        found = [
            {"domain": domain, "address": "", "verdict": "unknown", "findings": [{**finding, "code": code, "where": domain}]}
            for domain, code in zip(module_args["domains"], codes, strict=True)
        ]
        return {"domains": found, "resolver_answers": resolver_answers}

    return module


def test_without_a_resolver_nobody_waits_for_each_batch(act: Acting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(act, "module", silent(act))
    result = act({"domains": DOMAINS, "address": "a@d70.tld"})
    assert len(act.calls) == 1
    assert [each["domain"] for each in result["domains"]] == DOMAINS
    assert [each["findings"][0]["where"] for each in result["domains"]] == DOMAINS
    assert result["domains"][70]["address"] == "a@d70.tld"
    assert result["domains"][71]["address"] == "postmaster@d71.tld"
    assert result["summary"]["unknown"] == 120
    assert "resolver_answers" not in result


def test_whoever_could_be_answered_is_asked(act: Acting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Domains that were answered; a resolver that is there for silent domains; addresses that are given in place of DNS."""
    monkeypatch.setattr(act, "module", silent(act, "d3.tld", "d55.tld"))
    act({"domains": DOMAINS})
    monkeypatch.setattr(act, "module", silent(act, resolver_answers=True))
    act({"domains": DOMAINS})
    monkeypatch.setattr(act, "module", silent(act))
    act({"domains": DOMAINS, "addresses": {"autoconfig.d119.tld": "192.0.2.1"}})
    assert [call["domains"][0] for call in act.calls] == ["d0.tld", "d50.tld", "d100.tld"] * 3


@pytest.mark.parametrize("where", [{"address": "secret 1"}, {"resolver": ["secret 1"]}, {"timeout": "secret 1"}])
def test_a_mistake_does_not_repeat_the_password(act: Acting, where: Data) -> None:
    result = act({"domains": ["a.tld"], "password": "secret 1", **where})
    assert result["failed"]
    assert result["problems"]
    assert "secret 1" not in str(result)


@pytest.mark.parametrize("show", [True, False])
def test_a_failure_says_in_few_lines_what_has_been_printed(act: Acting, monkeypatch: pytest.MonkeyPatch, show: bool) -> None:
    monkeypatch.setattr(act, "module", lambda **_arguments: {"domains": FOUND})
    monkeypatch.setattr(action.rendering, "render", lambda *_arguments: "printed")
    result = act({"domains": ["a.tld"], "fail_on": "warning", "show": show})
    assert (result["failed"], result["msg"]) == (True, "0 errors, 1 warnings: a.tld: dns.ms_txt.")
    assert ("domains" in result, "summary" in result) == (not show, True)
    assert act({"domains": ["a.tld"], "show": show})["domains"] == FOUND


def test_a_ca_file_of_another_host_or_user_is_not_looked_for_here(act: Acting) -> None:
    given = {"domains": ["a.tld"], "ca_file": "/no/such"}
    assert act(given)["failed"]
    assert not act(given, transport="ssh").get("failed")
    assert not act(given, become=True).get("failed")
    assert act.calls[0]["ca_file"] == "/no/such"


def test_a_directory_in_which_nobody_may_write(act: Acting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    result = act({"domains": ["a.tld"], "reports": [{"format": "text", "path": str(tmp_path / "x")}]})
    assert result["problems"] == [f"reports[0].path: {tmp_path}/x cannot be written: no right to write in {tmp_path}"]


def test_no_device_is_replaced_and_a_link_stays_one(act: Acting, tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("report")
    result = act({"domains": ["a.tld"], "reports": [{"format": "json", "path": str(pipe)}]})
    assert result["problems"] == [f"reports[0].path: {pipe} is a directory or a device, not a file"]
    assert not act({"domains": ["a.tld"], "reports": [{"format": "json", "path": str(link)}]}).get("failed")
    assert (link.is_symlink(), json.loads((tmp_path / "report").read_text())["domains"][0]["domain"]) == (True, "a.tld")


def test_a_report_without_path_is_told_once(act: Acting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)
    result = act({"domains": ["a.tld"], "reports": [{"format": "text"}, {"format": "json", "path": ""}]})
    assert [problem.split(": ")[0] for problem in result["problems"]] == ["reports[0].path", "reports[1].path"]


@pytest.mark.parametrize(("written", "shown"), [("no", False), ("off", False), ("0", False), ("yes", True), (1, True)])
def test_strings_in_place_of_booleans(act: Acting, monkeypatch: pytest.MonkeyPatch, written: Any, shown: bool) -> None:
    rendered: list[str] = []
    monkeypatch.setattr(action.rendering, "render", lambda form, *_arguments: rendered.append(form) or "")
    assert not act({"domains": ["a.tld"], "show": written, "ispdb": written}).get("failed")
    assert rendered == (["text"] if shown else [])


def test_the_module_is_not_handed_the_keys_of_providers() -> None:
    provider = {"domains": ["a.tld"], "certificate_content": "chain", "certificate_key_content": "key", "certificates": "given"}
    assert action._without_certificates({"providers": [provider, "x"], "timeout": 3}) == {
        "providers": [{"domains": ["a.tld"]}, "x"],
        "timeout": 3,
    }
    assert action._without_certificates({"domains": ["a.tld"]}) == {"domains": ["a.tld"]}


@pytest.mark.parametrize(("fail_on", "failed"), [("never", False), ("error", False), ("warning", True)])
def test_when_a_run_fails(fail_on: str, failed: bool) -> None:
    result = action._result(fail_on, FOUND, SUMMARY)
    assert result.get("failed", False) is failed
    assert result["changed"] is False
    assert not failed or result["msg"] == "0 errors, 1 warnings: a.tld: dns.ms_txt."


def test_a_report_is_written_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    assert list(action._written(options.ReportFile("json", str(path)), FOUND, SUMMARY)) == []
    assert json.loads(path.read_text()) == {"summary": SUMMARY, "domains": FOUND}
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_written_after_all_costs_no_result(
    act: Acting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    reports = [{"format": "json", "path": str(tmp_path / name)} for name in ("a", "b")]
    result = act({"domains": ["a.tld"], "reports": reports})
    lines = [f"The report {tmp_path}/{name} cannot be written: No space left on device." for name in ("a", "b")]
    assert (result["failed"], result["msg"]) == (True, "\n".join(lines))
    assert [each["domain"] for each in result["domains"]] == ["a.tld"]
    assert os.listdir(tmp_path) == []
