"""The rules of what clients look up in DNS, one row each: in the zone text, and through name servers that got the records pushed.

Ids are those of the project's fact sheet on clients. To add a rule, add a row; its check is given a function that looks up the
data of an owner (without the domain) and type, sorted.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dns.zonefile
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns import records as our_dns
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider

from tests.conftest import Playbook, need
from tools.name_servers import ZONE_HEAD, Bind, Knot, NameServer

DOMAIN = "server.tld"
HOST = f"mail.{DOMAIN}."
Lookup = Callable[[str, str], list[str]]
PROVIDER: dict[str, Any] = {
    "domains": [DOMAIN],
    "incoming": [{"type": "imap", "hostname": HOST}],
    "outgoing": [{"type": "smtp", "hostname": HOST}, {"type": "smtp", "hostname": HOST, "port": 587}],
    "caldav": {"url": "https://dav.server.tld/cal/"},
    "carddav": {"url": f"https://dav.server.tld/{'long/' * 60}"},
    "jmap": {"url": "https://jmap.server.tld/session"},
    "managesieve": {"hostname": HOST},
}
OPTIONS = our_dns.DnsOptions(addresses=("203.0.113.7", "2001:db8::7"), not_offered=True, caa=("letsencrypt.org",))
# While PACC's document changes, clients may have the old one or the new one.
SERVED = our_dns.Served(pacc=(hashlib.sha256(b"old").hexdigest(), hashlib.sha256(b"new").hexdigest()))
# What the domain had before at its own name, where each record set has one owner.
SPF = '"v=spf1 mx -all"'


class Rule(NamedTuple):
    """One thing that some client needs."""

    id: str
    says: str
    check: Callable[[Lookup], bool]


def pushed_text(value: list[str]) -> str:
    """The text of the one TXT record, however it is split."""
    (text,) = value
    return "".join(text.strip('"').split('" "'))


RULES = [
    Rule(
        "D1",
        "both hosts have their addresses",
        lambda find: all(
            (find(host, "A"), find(host, "AAAA")) == (["203.0.113.7"], ["2001:db8::7"]) for host in ("autoconfig", "autodiscover")
        ),
    ),
    Rule("D2", "one record for Autodiscover", lambda find: len(find("_autodiscover._tcp", "SRV")) == 1),
    Rule(
        "A12",
        "on port 443 of a host that answers",
        lambda find: find("_autodiscover._tcp", "SRV") == [f"0 0 443 autodiscover.{DOMAIN}."],
    ),
    Rule("D3", "IMAP with implicit TLS", lambda find: find("_imaps._tcp", "SRV") == [f"0 1 993 {HOST}"]),
    Rule("D3", "submission with implicit TLS", lambda find: find("_submissions._tcp", "SRV") == [f"0 1 465 {HOST}"]),
    Rule(
        "D4", "submission with STARTTLS where it is offered", lambda find: find("_submission._tcp", "SRV") == [f"0 1 587 {HOST}"]
    ),
    Rule(
        "D5",
        "what is not offered is said",
        lambda find: all(find(name, "SRV") == ["0 0 0 ."] for name in ("_pop3s._tcp", "_pop3._tcp", "_imap._tcp")),
    ),
    Rule(
        "D6",
        "calendar and address book with their paths",
        lambda find: (
            all(find(f"_{name}s._tcp", "SRV") == [f"0 1 443 dav.{DOMAIN}."] for name in ("caldav", "carddav"))
            and pushed_text(find("_caldavs._tcp", "TXT")) == "path=/cal/"
            and pushed_text(find("_carddavs._tcp", "TXT")) == f"path=/{'long/' * 60}"
        ),
    ),
    Rule(
        "D7",
        "JMAP and ManageSieve",
        lambda find: (
            (find("_jmap._tcp", "SRV"), find("_sieve._tcp", "SRV")) == ([f"0 1 443 jmap.{DOMAIN}."], [f"0 1 4190 {HOST}"])
        ),
    ),
    Rule(
        "D8",
        "PACC's host",
        lambda find: (find("ua-auto-config", "A"), find("ua-auto-config", "AAAA")) == (["203.0.113.7"], ["2001:db8::7"]),
    ),
    Rule(
        "D8",
        "PACC's digests, of the old document and the new one",
        lambda find: (
            find("_ua-auto-config", "TXT")
            == sorted(
                f'"v=UAAC1; a=sha256; d={base64.b64encode(hashlib.sha256(text).digest()).decode()}"' for text in (b"old", b"new")
            )
        ),
    ),
    Rule("D9", "nothing that sends Outlook to Microsoft", lambda find: not [text for text in find("", "TXT") if "MS=" in text]),
    Rule("D10", "no mailconf: at the domain's own name the SPF record stays alone", lambda find: find("", "TXT") in ([], [SPF])),
    Rule(
        "D1",
        "certificates from the named authority alone",
        lambda find: find("autoconfig", "CAA") == ['0 issue "letsencrypt.org"'],
    ),
]


def records() -> list[our_dns.Record]:
    return our_dns.records(Provider.from_dict(PROVIDER), OPTIONS, SERVED)


def owner(name: str) -> str:
    return f"{name}.{DOMAIN}." if name else f"{DOMAIN}."


@pytest.fixture(scope="module")
def zone_text() -> Lookup:
    text = our_dns.zone_text(records(), "made for a test")
    rrsets = dns.zonefile.read_rrsets(io.StringIO(text), rdclass=None, relativize=False)

    def find(name: str, kind: str) -> list[str]:
        return sorted(
            item.to_text() for rrset in rrsets if str(rrset.name) == owner(name) for item in rrset if item.rdtype.name == kind
        )

    return find


@pytest.fixture(scope="module", params=[Bind, Knot], ids=["BIND", "Knot"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    """A server with the records, pushed by the module."""
    need(request.param.program)
    directory: Path = tmp_path_factory.mktemp("server")
    with request.param(directory / "server", {DOMAIN: f"@ TXT {SPF}\n"}) as running:
        options = {**running.module_options(), "records": [record.to_dict() for record in records()]}
        result = Playbook(directory, {}).module(options, name="mail_autoconfig_dns")
        assert not result["failed"], result
        yield running


def test_every_rule_has_a_row() -> None:
    assert {rule.id for rule in RULES} == {f"D{number}" for number in range(1, 11)} | {"A12"}


def test_bind_accepts_a_zone_that_includes_the_text(tmp_path: Path) -> None:
    need("named-checkzone")
    options = dataclasses.replace(OPTIONS, mx=((10, f"mail.{DOMAIN}"),))
    served = dataclasses.replace(SERVED, keys={f"autoconfig.{DOMAIN}": "ab" * 32})
    found = our_dns.records(Provider.from_dict(PROVIDER), options, served)
    included, zone = tmp_path / "autoconfig.zone", tmp_path / "db"
    included.write_text(our_dns.zone_text(found, "made for a test"))
    # An origin and a default TTL that are none of ours must not matter.
    hosts = "mail A 203.0.113.25\ndav A 203.0.113.8\njmap A 203.0.113.8\n"
    zone.write_text(ZONE_HEAD.format(zone=DOMAIN) + hosts + f"$ORIGIN other.{DOMAIN}.\n$TTL 1\n$INCLUDE {included}\n")
    command = ["named-checkzone", "-k", "fail", "-n", "fail", "-S", "fail", "-i", "local", "-D", DOMAIN, str(zone)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = [line.split(None, 4) for line in done.stdout.splitlines() if " IN " in line]
    assert {(owner, ttl, kind) for owner, ttl, _class, kind, _data in loaded} >= {
        (record.owner, str(record.ttl), record.type) for record in found
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.id}: {rule.says}")
def test_rule_in_the_zone_text(zone_text: Lookup, rule: Rule) -> None:
    assert rule.check(zone_text)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.id}: {rule.says}")
def test_rule_through_a_name_server(server: NameServer, rule: Rule) -> None:
    def find(name: str, kind: str) -> list[str]:
        return sorted(item.to_text() for item in server.query(owner(name), kind) or ())

    assert rule.check(find)
