"""The module: its documentation, its options, and that it only reads."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import import options
from ansible_collections.mailops.autoconfig.plugins.modules import mail_server_info

from tests.unit.documentation import shape
from tests.unit.module_arguments import module_arguments
from tests.unit.server_info.hosts import Host


def test_the_documentation_says_what_the_options_are() -> None:
    documented = yaml.safe_load(mail_server_info.DOCUMENTATION)["options"]
    assert shape(documented, "suboptions") == shape(options.argument_spec(), "options")


def test_what_is_returned_is_documented_with_the_same_names(host: Host) -> None:
    documented = yaml.safe_load(mail_server_info.RETURN)
    data = host.result()
    assert set(documented) - {"problems"} == set(data)
    for name, value in documented.items():
        if name in ("problems", "asked", "against", "provider"):
            continue
        sample, real = value["sample"], data[name]
        if name == "services":
            sample, real = sample["submission"], real["submission"]
        if isinstance(real, dict):
            assert set(sample) == set(real), name
        for each in real if isinstance(real, list) else ():
            assert set(each) == set(sample[0]), name
    assert set(documented["against"]["sample"][0]) == set(data["against"][0])


def test_every_example_is_a_valid_task() -> None:
    tasks = [task.get("mailops.autoconfig.mail_server_info") for task in yaml.safe_load(mail_server_info.EXAMPLES)]
    assert len([options.read(task) for task in tasks if task]) == 2


def test_every_mistake_is_reported_at_once() -> None:
    with pytest.raises(InputError) as error:
        options.read({"address": "anna", "domains": ["a b"], "hostname": "-x", "timeout": 0, "ca_file": "/no/such", "other": 1})
    assert {problem.partition(":")[0] for problem in error.value.problems} == {
        *("address", "domains[0]", "hostname", "timeout", "ca_file", "other")
    }


@pytest.mark.parametrize("address", ["*@server.tld", "-h@server.tld", "a?@server.tld", "a b@server.tld", "@server.tld", "anna@"])
def test_an_address_that_a_program_would_take_for_something_else_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="address: "):
        options.read({"address": address})


def run_module(wanted: dict[str, t.Any], capsys: pytest.CaptureFixture[str]) -> dict[str, t.Any]:
    with module_arguments(wanted), pytest.raises(SystemExit):
        mail_server_info.main()
    return dict(json.loads(capsys.readouterr().out))


def test_the_module_answers_in_check_mode_and_where_there_is_no_mail_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mail_server_info.run.commands, "runner", lambda _timeout: Host({}))
    result = run_module({"_ansible_check_mode": True}, capsys)
    assert result["changed"] is False
    assert result["provider"] is None
    assert {each["what"] for each in result["unknown"]} == {"dovecot", "postfix", "username", "provider"}


def test_the_module_says_what_is_wrong_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_module({"address": "anna"}, capsys)
    assert result["failed"] is True
    assert result["problems"] == ["address: 'anna' is not a mail address (user@domain)"]
