"""The module's options are those of the library, and its documentation and examples keep to them.

What is made from the options (``tools.options``) has its tests in ``test_options.py``.
"""

from __future__ import annotations

import functools
import importlib
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import report, run
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.managed_domains import CHALLENGES
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.sites import PHP_MODES
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import SOURCES
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns.records import FURTHER_DOMAINS
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import STARTTLS_WISHES
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.spec import argument_spec
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import options as check_options
from ansible_collections.mailops.autoconfig.plugins.modules import mail_autoconfig

from tests.unit.documentation import Spec

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "roles/mail_autoconfig"
MODULE = "mailops.autoconfig.mail_autoconfig"
RUN_OPTIONS = set(mail_autoconfig.RUN_OPTIONS)


@pytest.fixture(scope="module")
def module() -> t.Any:
    return importlib.import_module("ansible_collections.mailops.autoconfig.plugins.modules.mail_autoconfig")


@pytest.fixture(scope="module")
def documentation(module: t.Any) -> Spec:
    parsed: Spec = yaml.safe_load(module.DOCUMENTATION)
    return parsed


@pytest.fixture(scope="module")
def role_options() -> Spec:
    options: Spec = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    return options


def descriptions(options: Spec, below: str, path: str = "") -> t.Iterator[tuple[str, t.Any]]:
    for name, option in options.items():
        yield f"{path}{name}", option.get("description")
        yield from descriptions(option.get(below) or {}, below, f"{path}{name}.")


def test_every_option_is_described(documentation: Spec, role_options: Spec) -> None:
    for options, below in ((documentation["options"], "suboptions"), (role_options, "options")):
        for path, description in descriptions(options, below):
            lines = [description] if isinstance(description, str) else description
            assert lines, path
            assert all(line.endswith((".", ")")) for line in lines), path


def test_the_choices_of_the_options_are_those_of_the_library() -> None:
    choices = {name: tuple(option["choices"]) for name, option in argument_spec().items() if "choices" in option}
    assert choices == {
        "state": ("present", "absent"),
        "responder": settings.RESPONDERS,
        "starttls": STARTTLS_WISHES,
        "certificates": SOURCES,
        "acme_challenges": CHALLENGES,
        "php": PHP_MODES,
        "dns_further_domains": FURTHER_DOMAINS,
        "return_lists": report.LISTS,
    }


def test_the_defaults_of_the_options_are_those_of_the_library() -> None:
    spec = argument_spec()
    defaults = {name: option["default"] for name, option in spec.items() if "default" in option and name not in RUN_OPTIONS}
    assert settings.read({"domain": "server.tld", **defaults}) == settings.read({"domain": "server.tld"})
    usual = run.Way()
    for name, value in (
        ("state", usual.state),
        ("reload", usual.reload),
        ("rehearse", usual.rehearse),
        ("lock_timeout", usual.lock_seconds),
        ("apache_is_coming", usual.apache_is_coming),
        ("return_lists", usual.lists),
    ):
        assert spec[name].get("default") == value, name


def test_the_library_knows_every_option_and_no_other() -> None:
    with pytest.raises(settings.InputError) as error:
        settings.read({"domain": "server.tld", "no such option": 1})
    (problem,) = error.value.problems
    assert problem.partition("allowed are ")[2].split(", ") == sorted(set(argument_spec()) - RUN_OPTIONS)


def test_the_library_knows_every_option_of_a_provider_and_no_other() -> None:
    def read(value: Spec) -> list[str]:
        with pytest.raises(settings.InputError) as error:
            settings.read({"providers": [value]})
        return list(error.value.problems)

    def allowed(path: str, options: Spec, make: t.Callable[[Spec], Spec]) -> None:
        (problem,) = [line for line in read(make({"no such option": 1})) if line.startswith(f"{path}.no such option: ")]
        assert problem.partition("allowed are ")[2].split(", ") == sorted(options), path
        for name, option in options.items():
            if option["type"] == "list" and "options" in option:
                allowed(f"{path}.{name}[0]", option["options"], functools.partial(inside, make, name, True))
            elif "options" in option:
                allowed(f"{path}.{name}", option["options"], functools.partial(inside, make, name, False))

    def inside(make: t.Callable[[Spec], Spec], name: str, many: bool, value: Spec) -> Spec:
        return make({name: [value] if many else value})

    allowed("providers[0]", argument_spec()["providers"]["options"], lambda value: value)


def test_the_roles_further_options_of_the_check_are_those_of_its_module(role_options: Spec) -> None:
    """Ansible refuses others, which the role would ignore."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    options = role_options["mail_autoconfig_check_options"]["options"]
    call = (ROLE / "tasks/check.yml").read_text()
    assert set(re.findall(r"mail_autoconfig_check_options\.(\w+)", call)) == set(options)
    module = check_options.argument_spec()
    for name, option in options.items():
        assert (option["type"], option.get("elements")) == (
            module[name]["type"].replace("path", "str"),
            module[name].get("elements"),
        )
    given = {"mail_autoconfig_check_options": {"resolver": ["192.0.2.1"], "timeuot": 1}}
    (message,) = ArgumentSpecValidator(role_options).validate(given).error_messages
    assert "timeuot" in message


# -- examples -----------------------------------------------------------------------------------------------------------


def examples(module: t.Any) -> list[Spec]:
    return [task[MODULE] for task in yaml.safe_load(module.EXAMPLES)]


def test_every_example_is_a_valid_task(module: t.Any) -> None:
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    assert len(examples(module)) >= 3
    for example in examples(module):
        result = ArgumentSpecValidator(argument_spec()).validate(example)
        assert result.error_messages == []
        assert result.unsupported_parameters == set()
        wanted = {name: value for name, value in result.validated_parameters.items() if name not in RUN_OPTIONS}
        assert settings.read(wanted).providers


def test_ansible_leaves_what_is_in_the_roles_lists_to_the_module(role_options: Spec) -> None:
    """It would say mistakes there without their places, and before all others."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    given = {"mail_autoconfig_providers": [{"domians": "a.tld", "incoming": [{"port": "x"}]}, 7], "mail_autoconfig_dns_mx": [7]}
    given["mail_autoconfig_dns_validation_persist"] = [7]
    assert ArgumentSpecValidator(role_options).validate(given).error_messages == []
    given["mail_autoconfig_https_port"] = ["x"]
    (message,) = ArgumentSpecValidator(role_options).validate(given).error_messages
    assert "mail_autoconfig_https_port" in message


def test_what_the_report_holds_is_documented(module: t.Any) -> None:
    documented = yaml.safe_load(module.RETURN)
    always = {name for name, value in documented.items() if value["returned"] in ("success", "success, and when changes fail")}
    assert always == {
        *("changed_files", "enabled", "disabled", "needs_reload"),
        *("rehearsed", "rehearsal", "apache_running", "reloaded", "asked", "certificates_obsolete"),
        *("certificates_managed", "certificate_store", "signing", "signing_managed", "timers"),
    }
    assert set(documented) - always == {*report.LISTS, "problems", "details", "rolled_back"}


# -- the role -----------------------------------------------------------------------------------------------------------


def test_the_role_uses_no_variable_that_it_does_not_define(role_options: Spec) -> None:
    import re

    registered = {f"mail_autoconfig_{name}" for name in ("result", "check_result", "mail_server_result")}
    texts = {path: path.read_text() for path in sorted(ROLE.glob("*/*.yml"))}
    everything = "".join(texts.values())
    for path, text in texts.items():
        if path.parent.name in ("tasks", "handlers"):
            used = set(re.findall(r"(?<![\w.])mail_autoconfig_\w+", text))
            assert used <= set(role_options) | registered, path
            for internal in re.findall(r"(?<![\w.])__mail_autoconfig_\w+", text):
                assert re.search(rf"(register|loop_var): {internal}\b|\b{internal}:", everything), internal
