"""Bad input: one clear message each, all at once; and the documentation says what the options are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import (
    library,
    model,
    options,
    rendering,
    run,
)
from ansible_collections.mailops.autoconfig.plugins.modules import mail_autoconfig_check

from tests.unit.documentation import shape
from tests.unit.module_arguments import module_arguments
from tools.loopback import NameServer

GOOD: dict[str, Any] = {"domains": ["server.tld"]}

MISTAKES = {
    "no domain": ({"domains": []}, "domains: at least one entry is needed"),
    "a domain that is none": ({"domains": ["no_such"]}, "domains[0]: 'no_such' is not a host name"),
    "a domain twice": ({"domains": ["a.tld", "A.tld"]}, "domains[1]: 'A.tld' is listed twice"),
    "an address outside": ({"address": "a@other.tld"}, "address: 'a@other.tld' is in none of the domains (server.tld)"),
    "no address": ({"address": "server.tld"}, "address: 'server.tld' is not a mail address"),
    "an address with a quote": ({"address": 'a"b@server.tld'}, "is not a mail address"),
    "a password without address": ({"password": "x"}, "password: goes with address"),
    "a login without address": ({"login": "x"}, "login: goes with address"),
    "a login of two lines": ({"address": "a@server.tld", "login": "x\ny"}, "login: 'x\\ny' is not a login name"),
    "a password of two lines": ({"address": "a@server.tld", "password": "x\r\nMAIL"}, "password: has control characters"),
    "a resolver by name": ({"resolver": ["dns.example"]}, "resolver[0]: 'dns.example' is not a resolver"),
    "a resolver on port 0": ({"resolver": ["192.0.2.1:0"]}, "resolver[0]"),
    "an address in place of DNS that is none": ({"addresses": {"mail.server.tld": "x"}}, "addresses.mail.server.tld: 'x'"),
    "a host that is none": ({"addresses": {"no_such": "192.0.2.1"}}, "addresses.no_such"),
    "a CA file that is not there": ({"ca_file": "/no/such"}, "ca_file: '/no/such' is no file that can be read"),
    "another port": ({"ports": {"25": 26}}, "ports.25"),
    "a provider without servers": (
        {"providers": [{"domains": ["server.tld"], "incoming": [{"type": "imap", "hostname": "a.tld"}]}]},
        "providers[0].outgoing: at least one server",
    ),
    "records without owner": ({"published": {"dns_records": [{"type": "A"}]}}, "published.dns_records[0]: has no domain, owner"),
    "a report of no format": ({"reports": [{"format": "pdf", "path": "/x"}]}, "reports[0].format: 'pdf' is unknown"),
    "a report without path": ({"reports": [{"format": "text"}]}, "reports[0].path: is required"),
    "no time": ({"timeout": 0}, "timeout: 0 is not a number of seconds"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_one_message(name: str) -> None:
    given, message = MISTAKES[name]
    with pytest.raises(InputError) as caught:
        options.read({**GOOD, **given})
    (problem,) = caught.value.problems
    assert message in problem


def test_all_mistakes_at_once() -> None:
    with pytest.raises(InputError) as caught:
        options.read({"domains": ["x y"], "resolver": ["y"], "timeout": 99})
    assert len(caught.value.problems) == 3


def test_a_password_shows_itself_nowhere() -> None:
    wish = options.read({**GOOD, "address": "anna@server.tld", "password": "Very secret"})
    assert wish.password == "Very secret"  # noqa: S105
    assert "Very secret" not in repr(wish)


def test_what_may_be_given() -> None:
    wish = options.read(
        {
            "domains": ["Bücher.example"],
            "resolver": ["192.0.2.1", "192.0.2.2:5353", "[2001:db8::1]:53", "2001:db8::2"],
            "addresses": {"Mail.server.tld": "192.0.2.1", "b.example": ["2001:db8::1"]},
            "ports": {443: 8443, "80": "8080"},
        }
    )
    assert wish.domains == ("xn--bcher-kva.example",)
    assert wish.resolver == (("192.0.2.1", 53), ("192.0.2.2", 5353), ("2001:db8::1", 53), ("2001:db8::2", 53))
    assert wish.addresses == {"mail.server.tld": ("192.0.2.1",), "b.example": ("2001:db8::1",)}
    assert wish.ports == {443: 8443, 80: 8080}


def test_the_login_is_that_of_one_domain() -> None:
    wish = options.read({"domains": ["server.tld", "other.tld"], "address": "anna@server.tld", "login": "a.n"})
    assert [wish.login_for(domain) for domain in wish.domains] == ["a.n", ""]


# -- the module -----------------------------------------------------------------------------------------------------------


def test_the_documentation_says_what_the_options_are() -> None:
    documented = yaml.safe_load(mail_autoconfig_check.DOCUMENTATION)["options"]
    assert shape(documented, "suboptions") == shape(options.argument_spec(), "options")


def test_what_a_domain_reports_is_documented() -> None:
    documented = yaml.safe_load(mail_autoconfig_check.RETURN)
    assert list(documented["domains"]["contains"]) == list(model.DomainReport("a.tld", "", "works").as_data())
    assert set(documented["summary"]["sample"]) == set(model.summary([]))


def test_every_example_is_a_valid_task() -> None:
    tasks = [task["mailops.autoconfig.mail_autoconfig_check"] for task in yaml.safe_load(mail_autoconfig_check.EXAMPLES)]
    assert len(tasks) == 4
    for task in tasks:
        given = {key: value for key, value in task.items() if "{{" not in str(value)}
        result = ArgumentSpecValidator(options.argument_spec()).validate({"domains": ["a.tld"], **given})
        assert result.error_messages == []
        assert result.unsupported_parameters == set()


def test_without_dnspython_the_module_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(library, "MISSING", "Traceback: no dns")
    with module_arguments(GOOD), pytest.raises(SystemExit):
        mail_autoconfig_check.main()
    assert "dnspython>=2.3" in capsys.readouterr().out


def test_a_file_of_no_certificates_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with module_arguments({**GOOD, "ca_file": str(tmp_path / "ca.pem")}), pytest.raises(SystemExit):
        mail_autoconfig_check.main()
    assert "ca_file cannot be used" in capsys.readouterr().out


def test_every_format_has_a_report() -> None:
    assert set(rendering.RENDERERS) == set(options.FORMATS)


def test_no_network_is_one_clear_finding() -> None:
    (data,) = run.run(options.read({**GOOD, "resolver": ["127.0.0.1:1"], "timeout": 1}))
    assert [finding["code"] for finding in data["findings"]] == ["dns.unreachable"]
    assert data["verdict"] == "unknown"


@pytest.mark.parametrize(("code", "answers"), [("", False), ("REFUSED", True), ("SERVFAIL", True)])
def test_the_module_says_whether_a_resolver_answers(capsys: pytest.CaptureFixture[str], code: str, answers: bool) -> None:
    server = NameServer()
    server.codes, server.unanswered = ({"a.tld": code}, set()) if code else ({}, {"everything"})
    given = {"domains": ["a.tld"], "resolver": [f"127.0.0.1:{server.port}"], "timeout": 1}
    try:
        with module_arguments(given), pytest.raises(SystemExit):
            mail_autoconfig_check.main()
    finally:
        server.close()
    assert json.loads(capsys.readouterr().out)["resolver_answers"] is answers


def test_a_fault_of_the_check_itself_costs_one_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_check", lambda *_arguments: 1 / 0)
    data = run.run(options.read({"domains": ["a.tld", "b.tld"]}))
    assert [each["findings"][0]["code"] for each in data] == ["check.failed", "check.failed"]
