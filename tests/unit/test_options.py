"""What is made from the options of the module: the argument spec, and the role's argument specs, defaults, call and tables."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from tests.conftest import need
from tools import options
from tools.options import Source


def source(text: str, anchors: tuple[str, ...] = (), **role: t.Any) -> Source:
    return Source(yaml.safe_load(text), list(anchors), {"options": {}, "passed": {}, "no_log": {}, **role})


def test_every_made_file_is_up_to_date() -> None:
    need("ruff")
    for path, text in options.files().items():
        assert path.read_text() == text, path


def test_a_changed_file_is_told_and_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made.yml"
    monkeypatch.setattr(options, "PROJECT", tmp_path)
    monkeypatch.setattr(options, "files", lambda: {made: "new"})
    made.write_text("edited by hand")
    assert options.main("--check") == 1
    assert "made.yml is out of date" in capsys.readouterr().err
    assert made.read_text() == "edited by hand"
    assert options.main() == 0
    assert made.read_text() == "new"
    assert options.main("--check") == 0


@pytest.mark.parametrize(
    ("module", "role"),
    [
        ("O(domain) and O(providers)", "C(mail_autoconfig_domain) and C(mail_autoconfig_providers)"),
        ("unless O(adopt=true).", "unless C(mail_autoconfig_adopt: true)."),
        ("O(providers[].incoming[].url) by default", "C(url) by default"),
        ("among RV(dns_records)", "among C(mail_autoconfig_result.dns_records)"),
        ("V(present), C(mail.)", "C(present), C(mail.)"),
    ],
)
def test_the_role_says_it_with_its_own_names(module: str, role: str) -> None:
    made = options.role_options(source(f"x: {{type: str, description: ['{module}']}}"))
    assert made["mail_autoconfig_x"]["description"] == [role]


def test_a_path_is_a_string_in_the_role_which_nothing_expands_on_the_controller() -> None:
    need("ruff")
    text = "x: {description: X., type: path, default: ~/x}"
    assert options.role_options(source(text)) == {
        "mail_autoconfig_x": {"description": "X.", "type": "str", "default": "~/x"},
    }
    assert '"x": {"type": "path", "default": "~/x"}' in options.spec(source(text))


def test_options_of_the_role_alone_stand_where_they_are_told_and_passed_ones_are_no_variables() -> None:
    text = "{a: {description: A., type: str}, b: {description: B., type: bool, default: false}, c: {description: C., type: list}}"
    own = {"d": {"after": "a", "description": "D.", "type": "int", "default": 1}}
    passed, replaced = {"b": "{{ x == 'y' }}"}, {"c": "{{ z }}"}
    made = source(text, options=own, passed=passed, replaced=replaced, short_description="S", description="D", author=[])
    assert list(options.role_options(made)) == ["mail_autoconfig_a", "mail_autoconfig_d", "mail_autoconfig_c"]
    assert yaml.safe_load(options.defaults(made)) == {"mail_autoconfig_a": "", "mail_autoconfig_d": 1, "mail_autoconfig_c": []}
    (task,) = yaml.safe_load(options.call(made))
    assert task["register"] == "mail_autoconfig_result"
    assert task["mailops.autoconfig.mail_autoconfig"] == {
        "a": "{{ mail_autoconfig_a | default(omit, true) }}",
        "b": "{{ x == 'y' }}",
        "c": "{{ z }}",
    }


def test_shared_options_get_the_name_of_their_anchor_before_they_are_used() -> None:
    need("ruff")
    text = """
    x:
      type: dict
      suboptions:
        first:
          type: dict
          suboptions: &outer
            one: {type: dict, suboptions: &inner {token: {type: str}}}
            two: {type: dict, suboptions: *inner}
        second: {type: dict, suboptions: *outer}
    """
    names: dict[str, t.Any] = {}
    exec(options.spec(source(text, ("outer", "inner"), no_log={"token": False})), names)  # noqa: S102
    inner = {"token": {"type": "str", "no_log": False}}
    outer = {"one": {"type": "dict", "options": inner}, "two": {"type": "dict", "options": inner}}
    both = {"first": {"type": "dict", "options": outer}, "second": {"type": "dict", "options": outer}}
    assert names["argument_spec"]() == {"x": {"type": "dict", "options": both}}
    assert names["_OUTER"]["one"]["options"] is names["_INNER"]


def test_ansible_looks_into_options_of_the_role_alone_and_leaves_others_to_the_module() -> None:
    below = "suboptions: {b: {type: int, description: B.}}"
    text = f"{{a: {{type: list, elements: dict, description: A., {below}}}, c: {{type: dict, description: C., {below}}}}}"
    own = yaml.safe_load(f"d: {{after: c, type: dict, description: D., {below}}}")
    made = options.argument_specs(source(text, options=own, short_description="S", description="D", author=[]))
    found = yaml.safe_load(made)["argument_specs"]["main"]["options"]
    kinds = {name: (option["type"], option.get("elements"), set(option["options"])) for name, option in found.items()}
    assert kinds == {
        "mail_autoconfig_a": ("list", None, {"b"}),
        "mail_autoconfig_c": ("raw", None, {"b"}),
        "mail_autoconfig_d": ("dict", None, {"b"}),
    }


def test_the_names_of_the_roles_variables_are_in_python_too() -> None:
    need("ruff")
    text = "{a: {description: A., type: str}, b: {description: B., type: bool, default: false}}"
    own = {"d": {"after": "a", "description": "D.", "type": "int", "default": 1}}
    names: dict[str, t.Any] = {}
    exec(options.spec(source(text, options=own, passed={"b": "{{ x }}"}, others=["result"])), names)  # noqa: S102
    assert (names["ROLE_VARIABLES"], names["OTHER_VARIABLES"]) == (("a", "d"), ("result",))


def test_of_a_name_that_sounds_like_a_secret_somebody_has_to_say_whether_it_is_one() -> None:
    need("ruff")
    text = "push_token: {type: str}"
    with pytest.raises(ValueError, match="push_token sounds like a secret"):
        options.spec(source(text))
    assert '"push_token": {"type": "str", "no_log": True}' in options.spec(source(text, no_log={"push_token": True}))
