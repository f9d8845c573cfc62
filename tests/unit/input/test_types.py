"""Every option that stands in another one: a value of another type is told where it stands, and not turned into the right one."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.spec import argument_spec

Spec = dict[str, t.Any]
VALUES: dict[str, t.Any] = {
    "str": "x",
    "int": 7,
    "float": 1.5,
    "bool": True,
    "list": ["x"],
    "list of list": [["x"]],
    "list of int": [7],
    "list of bool": [False],
    "list of null": [None],
    "list of dict": [{}],
    "dict": {"x": 1},
}
# What is of the right type; its value may be wrong.
RIGHT = {
    ("str", None): {"str"},
    ("int", None): {"int"},
    ("bool", None): {"bool"},
    ("dict", None): {"dict"},
    ("list", "str"): {"list"},
    ("list", "dict"): {"list of dict"},
}


def options(spec: Spec, path: str) -> t.Iterator[tuple[str, Spec]]:
    """All options below, with their paths; each list has one entry."""
    for name, option in spec.items():
        place = f"{path}.{name}" if path else name
        yield place, option
        if "options" in option:
            yield from options(option["options"], place + ("[0]" if option["type"] == "list" else ""))


def nested(path: str, value: t.Any) -> t.Any:
    """Options that have the value at the path and nothing else."""
    for part in reversed(path.split(".")):
        name, in_list, _rest = part.partition("[0]")
        value = {name: [value] if in_list else value}
    return value


TOP = {name: option for name, option in argument_spec().items() if "options" in option}
ALL = dict(options(TOP, ""))


def test_there_are_options_to_try() -> None:
    assert set(TOP) == {"providers", "setup_pages", "dns_mx", "dns_validation_persist", "dns_records_gone"}
    assert len(ALL) > 100
    assert {(option["type"], option.get("elements")) for option in ALL.values()} == set(RIGHT)


@pytest.mark.parametrize("path", ALL)
def test_a_value_of_another_type_is_told_where_it_stands(path: str) -> None:
    option = ALL[path]
    for kind, value in VALUES.items():
        if kind in RIGHT[option["type"], option.get("elements")]:
            continue
        with pytest.raises(settings.InputError) as error:
            settings.read(nested(path, value))
        told = [problem for problem in error.value.problems if problem.startswith((f"{path}: ", f"{path}[0]: ", f"{path}[0]."))]
        assert told, kind
