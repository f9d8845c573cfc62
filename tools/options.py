"""Makes everything that repeats the options of the module mail_autoconfig, or checks that it is up to date.

An option is written by hand in one place, with its type, default, choices and text: in the DOCUMENTATION of
``plugins/modules/mail_autoconfig.py``, or, if only the role has it, in ``tools/role_options.yml``. From these come the
argument spec in Python, the role's argument specs, defaults and call of the module, and the tables of its read-me.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.readme_tables import filled

PROJECT = Path(__file__).resolve().parents[1]
ROLE_OPTIONS = PROJECT / "tools/role_options.yml"
MODULE = PROJECT / "plugins/modules/mail_autoconfig.py"
SPEC = PROJECT / "plugins/module_utils/_mail_autoconfig/input/spec.py"
ROLE = PROJECT / "roles/mail_autoconfig"

PREFIX = "mail_autoconfig_"
MADE = "Made by ./dev docs from plugins/modules/mail_autoconfig.py and tools/role_options.yml."
# yaml breaks a line at the first space after this.
WIDTH = 110

Options = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Source:
    """What is written by hand.

    :ivar module: the module's options, as in its DOCUMENTATION
    :ivar anchors: names of what several options share, in the order of the text
    :ivar role: the contents of ``tools/role_options.yml``
    """

    module: Options
    anchors: list[str]
    role: dict[str, Any]


def read() -> Source:
    """Read both places."""
    (text,) = [
        str(node.value.value)
        for node in ast.parse(MODULE.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and ast.unparse(node.targets[0]) == "DOCUMENTATION"
    ]
    anchors = re.findall(r"&(\w+)$", text, re.MULTILINE)
    return Source(yaml.safe_load(text)["options"], anchors, yaml.safe_load(ROLE_OPTIONS.read_text()))


# -- the argument spec in Python ------------------------------------------------------------------------------------------

SPEC_HEAD = f'''"""The options of the module mail_autoconfig, by type; their values are judged by ``settings`` and ``model``.

{MADE}

PRIVATE to the collection. In the lists nothing is ``required`` and words such as socket types have no ``choices``, because
Ansible reports the first mistake only and without its place in the list. ``no_log`` is off where Ansible would take a name for
that of a secret, which it is not.
"""

from __future__ import annotations

import typing as t

Spec = dict[str, t.Any]
'''

# Names that Ansible may take for those of secrets.
SECRET = re.compile("key|password|secret|token")


def spec(source: Source) -> str:
    """The Python module with the argument spec. Raises ValueError for a name of which nobody says whether it is a secret."""
    writer = _Writer(_names(source), source.role["no_log"])
    lines = [SPEC_HEAD]
    for options, name in writer.names.values():
        lines += [f"{name}: Spec = {writer.literal(options)}"]
    lines += [
        "# The names of the role's variables, and of others of the collection, without their prefix.",
        f"ROLE_VARIABLES = {tuple(_of_the_role(source))!r}",
        f"OTHER_VARIABLES = {tuple(source.role.get('others', ()))!r}",
    ]
    lines += ["", "def argument_spec() -> Spec:", '    """The argument spec for AnsibleModule."""']
    lines += [f"    return {writer.literal(source.module)}"]
    return _formatted("\n".join(lines) + "\n")


def _names(source: Source) -> dict[int, tuple[Options, str]]:
    """Options of options that get a name of their own, by identity: those with an anchor, and those of top-level options.

    Each comes before those that use it. Raises ValueError for an anchor that nothing refers to.
    """
    seen: dict[int, Options] = {}
    shared = {id(below): below for below in _again(source.module, seen)}
    # In the order of the text, which is that of the anchors.
    in_order = [below for identity, below in seen.items() if identity in shared]
    anchored = reversed(list(zip(in_order, source.anchors, strict=True)))
    names = {id(below): (below, f"_{anchor.upper()}") for below, anchor in anchored}
    for name, option in source.module.items():
        if "suboptions" in option:
            names[id(option["suboptions"])] = (option["suboptions"], f"_{name.upper()}")
    return names


def _again(options: Options, seen: dict[int, Options]) -> Iterator[Options]:
    """Options of options that were seen before; ``seen`` remembers all of them, outer ones before inner ones."""
    for option in options.values():
        below = option.get("suboptions")
        if below is None:
            continue
        if id(below) in seen:
            yield below
        else:
            seen[id(below)] = below
            yield from _again(below, seen)


@dataclasses.dataclass(frozen=True)
class _Writer:
    """Writes options as Python.

    :ivar names: options of options that have a name, by identity
    :ivar no_log: whether options whose names sound like those of secrets are secrets
    """

    names: dict[int, tuple[Options, str]]
    no_log: dict[str, bool]

    def literal(self, options: Options) -> str:
        return "{" + "".join(f"{name!r}: {self._entry(name, option)}, " for name, option in options.items()) + "}"

    def _entry(self, name: str, option: Options) -> str:
        facts = [f"{key!r}: {option[key]!r}" for key in ("type", "elements", "choices", "default") if key in option]
        if name in self.no_log:
            facts.append(f"'no_log': {self.no_log[name]}")
        elif SECRET.search(name):
            raise ValueError(
                f"{name} sounds like a secret: say in {ROLE_OPTIONS.relative_to(PROJECT)} whether it is one (no_log)"
            )
        if "suboptions" in option:
            below = option["suboptions"]
            facts.append(f"'options': {self.names[id(below)][1] if id(below) in self.names else self.literal(below)}")
        return "{" + ", ".join(facts) + "}"


def _formatted(text: str) -> str:
    command = ["ruff", "format", "--stdin-filename", str(SPEC), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


# -- the role -------------------------------------------------------------------------------------------------------------


def role_options(source: Source) -> Options:
    """The role's variables, as in its argument specs."""
    return {f"{PREFIX}{name}": _role_option(option) for name, option in _of_the_role(source).items()}


def _of_the_role(source: Source) -> Options:
    """Its options as they are written, in their order."""
    options = {name: option for name, option in source.module.items() if name not in source.role["passed"]}
    for name, option in source.role["options"].items():
        own = {key: value for key, value in option.items() if key != "after"}
        options = _inserted(options, option["after"], name, own)
    return options


def _inserted(options: Options, after: str, name: str, option: Options) -> Options:
    names = list(options)
    names.insert(names.index(after) + 1, name)
    return {each: option if each == name else options[each] for each in names}


def _role_option(option: Options) -> Options:
    """An option as argument specs have it. A path is a string there: on the controller nothing may expand it."""
    made: Options = {
        "description": _role_text(option["description"]),
        "type": "str" if option["type"] == "path" else option["type"],
        **{key: option[key] for key in ("elements", "choices", "default") if key in option},
    }
    if "suboptions" in option:
        made["options"] = {name: _role_option(below) for name, below in option["suboptions"].items()}
    return made


def _role_text(text: Any) -> Any:
    """A description with the role's names: O(x) of the module is the variable, RV(x) a part of the role's result."""
    if isinstance(text, list):
        return [_role_text(line) for line in text]
    text = re.sub(r"\bO\([^)]*\.(\w+)\)", r"C(\1)", text)
    text = re.sub(r"\bO\((\w+)=([^)]*)\)", rf"C({PREFIX}\1: \2)", text)
    text = re.sub(r"\bO\((\w+)\)", rf"C({PREFIX}\1)", text)
    text = re.sub(r"\bRV\(", f"C({PREFIX}result.", text)
    return re.sub(r"\b[MV]\(", "C(", text)


class _Dumper(yaml.SafeDumper):
    """YAML as yamllint wants it, without anchors."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _string(dumper: _Dumper, value: str) -> yaml.Node:
    """A string; an expression with strings in it is folded rather than put into quotes that it has itself."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=">" if "{{" in value and "'" in value else None)


_Dumper.add_representer(str, _string)


def _yaml(value: Any, comment: str = "") -> str:
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)
    return f"---\n# {MADE}{comment}\n{text}"


def argument_specs(source: Source) -> str:
    """The role's argument specs."""
    about = {key: source.role[key] for key in ("short_description", "description", "author")}
    ours = {f"{PREFIX}{name}" for name in source.module}
    options = {name: _left_to_the_module(option) if name in ours else option for name, option in role_options(source).items()}
    return _yaml({"argument_specs": {"main": {**about, "options": options}}})


def _left_to_the_module(option: Options) -> Options:
    """An option in which Ansible does not look for others: the module names all mistakes at once, each with its place."""
    if "options" not in option:
        return option
    if option["type"] == "dict":
        return {**option, "type": "raw"}
    return {key: value for key, value in option.items() if key != "elements"}


def defaults(source: Source) -> str:
    """The role's defaults; an empty value leaves the choice to the module."""
    return _yaml(
        {name: option.get("default", [] if option["type"] == "list" else "") for name, option in role_options(source).items()},
        "\n# The argument specs explain them; an empty value leaves the choice to the module.",
    )


def call(source: Source) -> str:
    """The role's tasks that call the module."""
    passed = {**source.role["passed"], **source.role["replaced"]}
    arguments = {name: passed.get(name) or _passed(name, option) for name, option in source.module.items()}
    task = {
        "name": "Publish the mail settings",
        "mailops.autoconfig.mail_autoconfig": arguments,
        "register": f"{PREFIX}result",
    }
    return _yaml([task])


def _passed(name: str, option: Options) -> str:
    return f"{{{{ {PREFIX}{name} }}}}" if "default" in option else f"{{{{ {PREFIX}{name} | default(omit, true) }}}}"


# -- all files ------------------------------------------------------------------------------------------------------------


def files() -> dict[Path, str]:
    """What every made file has to be."""
    source = read()
    readme = ROLE / "README.md"
    return {
        SPEC: spec(source),
        ROLE / "meta/argument_specs.yml": argument_specs(source),
        ROLE / "defaults/main.yml": defaults(source),
        ROLE / "tasks/publish.yml": call(source),
        readme: filled(readme.read_text(), role_options(source)),
    }


def main(*arguments: str) -> int:
    """Write, or with ``--check`` tell which files writing would change."""
    check = "--check" in arguments
    different = [(path, text) for path, text in files().items() if not path.exists() or path.read_text() != text]
    for path, text in different:
        if check:
            print(f"{path.relative_to(PROJECT)} is out of date: run ./dev docs", file=sys.stderr)
        else:
            path.write_text(text)
    return int(check and bool(different))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
