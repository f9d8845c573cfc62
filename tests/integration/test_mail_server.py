"""The role where it asks the mail server: programs that print what those of a real Debian 13 did, and a private Apache."""

from __future__ import annotations

import json
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, Playbook
from tools.certificates import Authority
from tools.http_client import Client
from tools.private_apache import PrivateApache

from .conftest import client_of

RECORDED = PROJECT / "tests/unit/server_info/recorded/stock-2.4.json"
PROGRAM = """#!{python}
import json, os, shlex, sys
command = " ".join(map(shlex.quote, [os.path.basename(sys.argv[0]), *sys.argv[1:]]))
told = json.load(open({file!r})).get(command, {{"status": 67, "output": "", "errors": "unknown"}})
sys.stdout.write(told["output"])
sys.stderr.write(told["errors"])
sys.exit(told["status"])
"""
Publish = Callable[..., str]


@pytest.fixture
def recorded(tmp_path: Path, authority: Authority) -> dict[str, Any]:
    """What the programs say, by command."""
    authority.issue(tmp_path / "live/mail.server.tld", ["mail.server.tld"])
    return dict(json.loads(RECORDED.read_text().replace("/etc/letsencrypt/live", str(tmp_path / "live"))))


@pytest.fixture
def publish(apache: PrivateApache, tmp_path: Path, recorded: dict[str, Any]) -> Publish:
    """Runs the role where these programs are; its output."""
    programs = tmp_path / "programs"
    programs.mkdir()
    told = tmp_path / "told.json"
    for name in ("dovecot", "doveconf", "doveadm", "postconf", "getent"):
        file = programs / name
        file.write_text(PROGRAM.format(python=sys.executable, file=str(told)))
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    environment = {**apache.environment, "PATH": f"{programs}:{apache.environment['PATH']}"}

    def run(*arguments: str, **variables: Any) -> str:
        told.write_text(json.dumps(recorded))
        values = {**apache.module_options(), "https": False, "mail_server_options": {"ask": False}, **variables}
        return Playbook(tmp_path, environment).role(values, *arguments)

    return run


def published(client: Client) -> dict[str, list[str]]:
    """What Thunderbird is told, each kind in its order."""
    body = client.request("http://autoconfig.server.tld/mail/config-v1.1.xml").body.decode()
    return {name: re.findall(f"<{name}>([^<]*)<", body) for name in ("hostname", "port", "socketType", "username")}


def test_one_line_publishes_what_the_mail_server_offers(publish: Publish, apache: PrivateApache, authority: Authority) -> None:
    output = publish(mail_server="auto", domain="server.tld")
    client = client_of(apache, authority)
    assert published(client) == {
        "hostname": ["mail.server.tld"] * 3,
        "port": ["993", "995", "465"],
        "socketType": ["SSL"] * 3,
        "username": ["%EMAILLOCALPART%"] * 3,
    }
    assert "port 465 with SSL: it has TLS from the first byte" in output
    assert "submission on port 587 (STARTTLS): submission on port 465 (SSL) is preferred" in output
    assert "changed=0" in publish(mail_server="auto", domain="server.tld")


def test_what_cannot_be_told_ends_the_run_before_anything_changes(
    publish: Publish, apache: PrivateApache, recorded: dict[str, Any]
) -> None:
    del recorded["doveadm user '*'"]
    with pytest.raises(AssertionError) as caught:
        publish(mail_server="auto", domain="server.tld")
    assert "Nothing was changed. What the mail server offers cannot be published:" in str(caught.value)
    assert "Dovecot" in str(caught.value)
    assert list((apache.config_directory / "sites-enabled").iterdir()) == []


def test_a_server_that_does_not_answer_is_a_warning_or_ends_the_run(
    publish: Publish, apache: PrivateApache, authority: Authority
) -> None:
    options = {"mail_server": "auto", "domain": "server.tld", "mail_server_options": {"timeout": 2}}
    with pytest.raises(AssertionError, match="Nothing was changed"):
        publish(**options, mail_server_strict=True)
    assert list((apache.config_directory / "sites-enabled").iterdir()) == []
    said = publish("-v", **options)
    assert "mail.server.tld:993 (imap): it cannot be reached" in said
    assert published(client_of(apache, authority))["port"] == ["993", "995", "465"]


def test_the_setup_page_shows_what_was_found(publish: Publish, apache: PrivateApache, authority: Authority) -> None:
    publish(mail_server="auto", domain="server.tld", setup_page=True)
    assert b"mail.server.tld" in client_of(apache, authority).request("http://autoconfig.server.tld/").body


def test_providers_by_hand_and_those_of_the_server_are_refused_together(publish: Publish) -> None:
    provider = {"domains": ["server.tld"], "incoming": [{"type": "imap", "hostname": "a.tld"}]}
    with pytest.raises(AssertionError) as caught:
        publish(mail_server="auto", providers=[provider])
    # Older versions of Ansible break its lines elsewhere.
    said = " ".join(str(caught.value).split())
    assert "mail_autoconfig_mail_server: comes in the place of mail_autoconfig_providers; give one of them" in said


def test_taking_away_asks_nobody(publish: Publish, apache: PrivateApache, recorded: dict[str, Any]) -> None:
    publish(mail_server="auto", domain="server.tld")
    recorded.clear()
    publish(mail_server="auto", domain="server.tld", state="absent")
    assert list((apache.config_directory / "sites-enabled").iterdir()) == []
