"""The tables of variables in the role's read-me; ``tools.options`` puts them there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml


def plain(text: Any) -> str:
    """A description as one line of Markdown: Ansible's markup becomes code, a bar cannot end a cell."""
    joined = " ".join(text) if isinstance(text, list) else str(text)
    return re.sub(r"\b[CVO]\(([^)]*)\)", r"`\1`", joined).replace("|", "\\|")


def kind(option: dict[str, Any]) -> str:
    """The type in words."""
    return f"list of {option['elements']}" if option["type"] == "list" else str(option["type"])


def table(options: dict[str, Any]) -> Iterator[str]:
    """One table."""
    yield "| name | type | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for name, option in options.items():
        default = f"`{_shown(option['default'])}`" if "default" in option else ""
        choices = f" One of {', '.join(f'`{choice}`' for choice in option['choices'])}." if "choices" in option else ""
        yield f"| `{name}` | {kind(option)} | {default} | {plain(option['description'])}{choices} |"


def _shown(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True).replace("\n...", "").strip()


def tables(options: dict[str, Any]) -> dict[str, str]:
    """All tables by the name of their place in the read-me."""
    found = {"variables": "\n".join(table(options))}
    provider = options["mail_autoconfig_providers"]["options"]
    found["provider"] = "\n".join(table(provider))
    # Incoming and outgoing servers have the same options, and so have the other twins: each is shown once.
    shown = {"incoming": "server", "pop3": "pop3", "documentation": "documentation", "webmail": "webmail", "caldav": "caldav"}
    shown.update(oauth2="oauth2", managesieve="managesieve", input_fields="input_fields", profile="profile")
    for name, place in shown.items():
        if name != "pop3":
            found[place] = "\n".join(table(provider[name]["options"]))
    found["pop3"] = "\n".join(table(provider["incoming"]["options"]["pop3"]["options"]))
    return found


def filled(text: str, options: dict[str, Any]) -> str:
    """The read-me with every table in its place.

    :arg options: the role's variables as in its argument specs
    :raises ValueError: for a place that has no table, or a table without one
    """
    made = tables(options)
    places = re.findall(r"<!-- table: (\w+) -->", text)
    if sorted(places) != sorted(made):
        raise ValueError(f"the read-me has places for {sorted(places)}, the specification gives {sorted(made)}")
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{made[match[2]]}\n{match[3]}",
        text,
        flags=re.DOTALL,
    )
