"""An address and a password are enough: the check says so, and real clients agree, which know nothing else but a name server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import need
from tools.containers import container_address
from tools.delta_chat import DeltaChat
from tools.thunderbird import PASSWORD_CLEARTEXT, SSL, STARTTLS, Thunderbird

Host = Any
Data = dict[str, Any]

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
AUTHORITY = PROJECT / ".cache/ca/ca.pem"
INVENTORY = PROJECT / "molecule/check/inventory/hosts.yml"
ADDRESS, PASSWORD = "anna@server.tld", 'Grüße an "Anna"'
TLS = {SSL: "tls", STARTTLS: "starttls"}
# Lines about a login in the logs of Dovecot and Postfix.
LOGINS = ("imap-login:.*user=.anna@server.tld. /var/log/dovecot.log", "auth=1 /var/log/mail.log")
# Microsoft's cloud asks in its place, and what that makes of the answer nobody can tell.
CANNOT_BE_TOLD = {"outlook-cloud"}


@pytest.fixture(scope="module")
def name_server(inventory_hostname: str) -> str:
    return container_address(inventory_hostname)


@pytest.fixture(scope="module")
def report(name_server: str, tmp_path_factory: pytest.TempPathFactory) -> Data:
    """What the playbook says, which fails on a warning."""
    directory = tmp_path_factory.mktemp("check")
    options = {
        "domains": ["server.tld"],
        "providers": yaml.safe_load(INVENTORY.read_text())["molecule"]["vars"]["mail_autoconfig_providers"],
        "address": ADDRESS,
        "password": PASSWORD,
        "resolver": [name_server],
        "ca_file": str(AUTHORITY),
        "fail_on": "warning",
        "reports": [{"format": "json", "path": str(directory / "report.json")}],
    }
    variables = directory / "variables.json"
    variables.write_text(json.dumps({f"mail_autoconfig_check_{name}": value for name, value in options.items()}))
    command = ["ansible-playbook", "mailops.autoconfig.check", "-e", f"@{variables}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (domain,) = json.loads((directory / "report.json").read_text())["domains"]
    return dict(domain)


@pytest.fixture(scope="module")
def thunderbird(name_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thunderbird]:
    need("thunderbird", "unshare")
    with Thunderbird(tmp_path_factory.mktemp("thunderbird"), name_server=name_server) as program:
        program.trust(AUTHORITY)
        yield program


@pytest.fixture(scope="module")
def delta_chat(name_server: str, tmp_path_factory: pytest.TempPathFactory) -> DeltaChat:
    need("deltachat-rpc-server", "unshare")
    return DeltaChat(tmp_path_factory.mktemp("delta_chat"), AUTHORITY, name_server)


def settings(report: Data, client: str) -> list[tuple[Any, ...]]:
    """The way in and the way out with which a client ends, as the check says it."""
    (found,) = (one for one in report["clients"] if one["client"] == client)
    assert found["verdict"] == "works"
    names = {"%EMAILADDRESS%": ADDRESS}
    return [(one["protocol"], one["host"], one["port"], one["tls"], names[one["username"]]) for one in found["settings"]]


def test_all_is_green(report: Data) -> None:
    assert report["verdict"] == "works"
    verdicts = {client["client"]: client["verdict"] for client in report["clients"]}
    assert {client for client, verdict in verdicts.items() if verdict != "works"} == CANNOT_BE_TOLD
    assert len(verdicts) > 10


def test_the_check_has_logged_in_everywhere(report: Data) -> None:
    logins = {(server["protocol"], server["port"]): server["login"]["outcome"] for server in report["servers"]}
    assert logins == dict.fromkeys([("imap", 993), ("pop3", 995), ("smtp", 465), ("smtp", 587)], "accepted")


def test_delta_chat_sets_itself_up_and_logs_in(host: Host, delta_chat: DeltaChat, report: Data) -> None:
    before = [int(host.run(f"grep -c {login}").stdout) for login in LOGINS]
    account = delta_chat.set_up(ADDRESS, PASSWORD)
    assert account.error == ""
    assert [(way, *servers[0]) for way, servers in account.servers.items()] == settings(report, "deltachat")
    for login, count in zip(LOGINS, before, strict=True):
        # Postfix tells of a login when the client is gone.
        host.check_output(f"timeout 10 sh -c 'until [ $(grep -c {login}) -gt {count} ]; do sleep 0.1; done'")


def test_thunderbird_finds_what_the_check_says(thunderbird: Thunderbird, report: Data) -> None:
    found = thunderbird.discover(ADDRESS)
    assert found["source"] == "xml-from-isp-https"
    told = [(found[way], TLS[found[way]["socketType"]]) for way in ("incoming", "outgoing")]
    ways = [(one["type"], one["hostname"], one["port"], tls, ADDRESS) for one, tls in told]
    assert ways == settings(report, "thunderbird")
    for one, _tls in told:
        assert (one["auth"], one["username"]) == (PASSWORD_CLEARTEXT, "%EMAILADDRESS%")
