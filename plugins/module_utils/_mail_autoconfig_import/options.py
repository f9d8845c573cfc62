"""The module's options: every mistake at once, each with its place.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from .._mail_autoconfig.input import reading
from .._mail_autoconfig.input.reading import Fields, InputError, shown

# What a shell, doveadm (patterns, options) or a person would take for something else is not in it.
_ADDRESS = re.compile(r"(?!-)[^\s@*?\"'\\<>,;:()\[\]\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}\Z")


@dataclasses.dataclass(frozen=True)
class Options:
    """A checked input.

    :ivar address: of a user, whose login name is asked for; empty for none
    :ivar domains: for the provider; none for those that are found
    :ivar hostname: of the mail server; empty for the name in its certificate
    :ivar ask: whether what would be published is asked over the network
    :ivar ca_file: empty for the system's authorities
    :ivar timeout: seconds for one command, and for one connection
    """

    address: str = ""
    domains: tuple[str, ...] = ()
    hostname: str = ""
    ask: bool = True
    ca_file: str = ""
    timeout: int = 10


def argument_spec() -> dict[str, t.Any]:
    """The module's options."""
    usual = Options()
    return {
        "address": {"type": "str"},
        "domains": {"type": "list", "elements": "str", "default": []},
        "hostname": {"type": "str"},
        "ask": {"type": "bool", "default": usual.ask},
        "ca_file": {"type": "path"},
        "timeout": {"type": "int", "default": usual.timeout},
    }


def read(params: t.Mapping[str, t.Any]) -> Options:
    """Read the options. Raises InputError with every mistake."""
    problems: list[str] = []
    fields = Fields(params, "", problems)
    options = Options(
        address=fields.text("address", _address),
        domains=fields.texts("domains", reading.hostname),
        hostname=fields.text("hostname", reading.hostname),
        ask=bool(fields.boolean("ask", True)),
        ca_file=fields.text("ca_file", _readable),
        timeout=fields.integer("timeout", 1, 60, "a number of seconds", 10),
    )
    fields.close()
    if problems:
        raise InputError(problems)
    return options


def _address(value: str) -> str:
    local, at, domain = value.strip().rpartition("@")
    if not at or not _ADDRESS.match(local):
        raise ValueError(f"{shown(value)} is not a mail address (user@domain)")
    return f"{local}@{reading.hostname(domain)}"


def _readable(value: str) -> str:
    if not os.access(value, os.R_OK) or not os.path.isfile(value):
        raise ValueError(f"{shown(value)} is not a file that can be read here")
    return value
