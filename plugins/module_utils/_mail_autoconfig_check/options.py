"""The module's options: every mistake at once, each with its place.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
import typing as t

from .._mail_autoconfig.input import logins, reading
from .._mail_autoconfig.input.model import Provider, read_providers
from .._mail_autoconfig.input.reading import Fields, InputError, shown
from .model import SEVERITIES

Spec = dict[str, t.Any]

FAIL_ON = ("never", "error", "warning")
FORMATS = ("text", "json", "html", "junit", "prometheus")
# Who is asked for where nobody is named: every domain with mail has this address (RFC 5321 section 4.5.1).
NOBODY = "postmaster"


@dataclasses.dataclass(frozen=True)
class ReportFile:
    """A report to be written: one of :data:`FORMATS`, and where."""

    format: str
    path: str


@dataclasses.dataclass(frozen=True)
class Options:
    """A checked input.

    :ivar records: what the role has returned as ``dns_records``; urls likewise
    :ivar address: whose login is tried; empty for nobody's
    :ivar login: its login name, where that does not follow from it; empty otherwise
    :ivar resolver: addresses of resolvers with their ports; none for the system's
    :ivar addresses: in place of DNS, by host name
    :ivar ports: in place of the usual ones
    :ivar timeout: seconds for one question
    :ivar parallel: how many domains are checked at once
    """

    domains: tuple[str, ...]
    providers: tuple[Provider, ...] = ()
    records: tuple[t.Mapping[str, t.Any], ...] = ()
    urls: tuple[t.Mapping[str, t.Any], ...] = ()
    address: str = ""
    login: str = ""
    password: str = dataclasses.field(default="", repr=False)
    resolver: tuple[tuple[str, int], ...] = ()
    addresses: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    ca_file: str = ""
    ports: t.Mapping[int, int] = dataclasses.field(default_factory=dict)
    timeout: int = 5
    parallel: int = 16
    ispdb: bool = False
    fail_on: str = "never"
    reports: tuple[ReportFile, ...] = ()
    show: bool = False

    def login_for(self, domain: str) -> str:
        """The login name that clients should find which are played with :meth:`address_for`, unless it follows from that."""
        return self.login if self.address.rpartition("@")[2] == domain else ""

    def address_for(self, domain: str) -> str:
        """The address that clients are played with."""
        own = self.address.rpartition("@")[2] == domain
        return self.address if own else f"{NOBODY}@{domain}"


def argument_spec() -> Spec:
    """The module's options. In the lists nothing is ``required``: Ansible reports the first mistake only, without its place."""
    text: Spec = {"type": "str"}
    report = {"format": text, "path": {"type": "path"}}
    return {
        "domains": {"type": "list", "elements": "str", "required": True},
        "providers": {"type": "list", "elements": "dict", "default": []},
        "published": {"type": "dict", "default": {}},
        "address": text,
        "login": text,
        "password": {"type": "str", "no_log": True},
        "resolver": {"type": "list", "elements": "str", "default": []},
        "addresses": {"type": "dict", "default": {}},
        "ca_file": {"type": "path"},
        "ports": {"type": "dict", "default": {}},
        "timeout": {"type": "int", "default": 5},
        "parallel": {"type": "int", "default": 16},
        "ispdb": {"type": "bool", "default": False},
        "fail_on": {"type": "str", "choices": list(FAIL_ON), "default": "never"},
        "reports": {"type": "list", "elements": "dict", "default": [], "options": report},
        "show": {"type": "bool", "default": False},
    }


def read(params: t.Mapping[str, t.Any]) -> Options:
    """Read the options. Raises InputError with every mistake."""
    problems: list[str] = []
    fields = Fields(params, "", problems)
    domains = fields.texts("domains", lambda value: reading.hostname(value.strip()), required=True)
    published = Fields(params.get("published") or {}, "published", problems)
    options = Options(
        domains=domains,
        providers=read_providers(fields.mappings("providers")),
        records=_mappings(published, "dns_records", ("domain", "owner", "type", "ttl", "rdata")),
        urls=_mappings(published, "urls", ("url",)),
        address=fields.text("address", lambda value: _address(value, domains)),
        login=_login(fields),
        password=_password(fields, params),
        resolver=tuple(map(_resolver_of, fields.texts("resolver", _resolver))),
        addresses=_addresses(params.get("addresses"), problems),
        ca_file=fields.text("ca_file", _readable),
        ports=_ports(params.get("ports"), problems),
        timeout=fields.integer("timeout", 1, 60, "a number of seconds", 5),
        parallel=fields.integer("parallel", 1, 64, "a number of domains", 16),
        ispdb=bool(fields.boolean("ispdb")),
        fail_on=fields.text("fail_on", reading.one_of(*FAIL_ON), default="never"),
        reports=tuple(_report(entry) for entry in fields.mappings("reports")),
        show=bool(fields.boolean("show")),
    )
    if problems:
        raise InputError(problems)
    return options


def _mappings(fields: Fields, key: str, needed: t.Sequence[str]) -> tuple[t.Mapping[str, t.Any], ...]:
    """Entries of the role's result, which have what is read of them."""
    found = []
    for entry in fields.mappings(key):
        lacking = [name for name in needed if not entry.given(name)]
        if lacking:
            entry.problem("", f"has no {', '.join(lacking)}: give what the role or the module has returned")
        else:
            found.append(
                {name: entry.integer(name, 0, 2**31 - 1, "a TTL") if name == "ttl" else entry.text(name, str) for name in needed}
            )
    return tuple(found)


def _address(value: str, domains: t.Collection[str]) -> str:
    local, _at, domain = value.rpartition("@")
    # What a client can put into XML and a URL: RFC 5321's Dot-string.
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", local) or len(local) > 64:
        raise ValueError(f"{shown(value)} is not a mail address")
    domain = reading.hostname(domain)
    if domain not in domains:
        raise ValueError(f"{shown(value)} is in none of the domains ({', '.join(list(domains)[:5])})")
    return f"{local}@{domain}"


def _login(fields: Fields) -> str:
    login = fields.text("login", logins.login)
    if login and not fields.given("address"):
        fields.problem("login", "goes with address")
    return login


def _password(fields: Fields, params: t.Mapping[str, t.Any]) -> str:
    password = params.get("password") or ""
    if password and not fields.given("address"):
        fields.problem("password", "goes with address: whose is it?")
    if not isinstance(password, str) or any(
        ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in password
    ):
        fields.problem("password", "has control characters, which no client can send")
        return ""
    return password


def _resolver(value: str) -> str:
    address, port = _split_port(value)
    _literal(address)
    if not 0 < port < 65536:
        raise ValueError(f"{shown(value)} is not a resolver (an address, or address:port; [address]:port for IPv6)")
    return value


def _resolver_of(value: str) -> tuple[str, int]:
    return _split_port(value)


def _split_port(value: str) -> tuple[str, int]:
    """Address and port of ``address``, ``address:port`` and ``[address]:port``. Raises ValueError."""
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?|([0-9.]+)(?::([0-9]{1,5}))?|([0-9A-Fa-f:.]+)", value)
    if not match:
        raise ValueError(f"{shown(value)} is not a resolver (an address, or address:port; [address]:port for IPv6)")
    address = match[1] or match[3] or match[5]
    return address, int(match[2] or match[4] or 53)


def _addresses(value: t.Any, problems: list[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, listed in (value or {}).items():
        try:
            host = reading.hostname(str(name))
            each = listed if isinstance(listed, (list, tuple)) else [listed]
            found[host] = tuple(_literal(address) for address in each)
        except ValueError as exc:
            problems.append(f"addresses.{name}: {exc}")
    return found


def _literal(value: t.Any) -> str:
    try:
        return str(ipaddress.ip_address(str(value).strip()))
    except ValueError:
        raise ValueError(f"{shown(value)} is not an address of IPv4 or IPv6") from None


def _ports(value: t.Any, problems: list[str]) -> dict[int, int]:
    found = {}
    for usual, port in (value or {}).items():
        if re.fullmatch("53|80|443", str(usual)) and re.fullmatch("[0-9]{1,5}", str(port)) and 0 < int(port) < 65536:
            found[int(usual)] = int(port)
        else:
            problems.append(f"ports.{usual}: {shown(port)} is not a port in place of 53, 80 or 443")
    return found


def _readable(value: str) -> str:
    if not os.access(value, os.R_OK) or os.path.isdir(value):
        raise ValueError(f"{shown(value)} is no file that can be read")
    return value


def _report(entry: Fields) -> ReportFile:
    form = entry.text("format", reading.one_of(*FORMATS), required=True)
    path = entry.text("path", str, required=True)
    entry.close()
    return ReportFile(form, path)


def fails(fail_on: str, findings: t.Iterable[t.Mapping[str, t.Any]]) -> bool:
    """Whether findings are bad enough for a run to fail."""
    if fail_on == "never":
        return False
    worst = SEVERITIES.index(fail_on)
    return any(SEVERITIES.index(finding["severity"]) <= worst for finding in findings)
