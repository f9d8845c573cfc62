"""Documentation, options and examples of mail_autoconfig_dns say the same, and it fails clearly without dnspython."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns import library, plan, records
from ansible_collections.mailops.autoconfig.plugins.modules import mail_autoconfig_dns

from tests.unit.documentation import shape
from tests.unit.module_arguments import module_arguments


def test_the_documentation_says_what_the_options_are() -> None:
    documented = yaml.safe_load(mail_autoconfig_dns.DOCUMENTATION)["options"]
    assert shape(documented, "suboptions") == shape(records.argument_spec(), "options")


def test_the_types_are_documented() -> None:
    text = " ".join(" ".join(yaml.safe_load(mail_autoconfig_dns.DOCUMENTATION)["description"]).split())
    assert ", ".join(records.TYPES[:-1]) + f" and {records.TYPES[-1]}." in text


def test_what_a_zone_reports_is_documented() -> None:
    documented = yaml.safe_load(mail_autoconfig_dns.RETURN)
    assert set(documented) == {"zones", "gone", "problems"}
    report = plan.report(plan.Plan("server.tld.", ()), ())
    assert list(documented["zones"]["contains"]) == list(report)
    assert set(documented["zones"]["sample"][0]) == set(report)


def test_every_example_is_a_valid_task() -> None:
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    tasks = [task["mailops.autoconfig.mail_autoconfig_dns"] for task in yaml.safe_load(mail_autoconfig_dns.EXAMPLES)[1:]]
    assert len(tasks) == 3
    for task in tasks:
        result = ArgumentSpecValidator(records.argument_spec()).validate({**task, "records": [], "obsolete": []})
        assert result.error_messages == []
        assert result.unsupported_parameters == set()


def test_without_dnspython_the_module_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(library, "MISSING", "Traceback: no dns")
    options = {"server": "x", "key_name": "k", "key_secret": "c2VjcmV0", "records": []}
    with module_arguments(options), pytest.raises(SystemExit):
        mail_autoconfig_dns.main()
    assert "dnspython>=2.3" in capsys.readouterr().out
