"""What people and their devices get from the host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from testinfra.host import Host

from tools.containers import container_address
from tools.http_client import Client

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
SITE = "https://autoconfig.server.tld"
KEY = "/etc/ssl/mail_autoconfig/privkey.pem"


@pytest.fixture
def client(inventory_hostname: str) -> Client:
    return Client(container_address(inventory_hostname), PROJECT / ".cache/ca/ca.pem")


def test_the_signing_key_is_readable_by_the_web_server_alone(host: Host) -> None:
    key = host.file(KEY)
    assert (key.user, key.group, key.mode) == ("root", "www-data", 0o640)
    assert host.run("runuser -u nobody -- cat %s", KEY).rc != 0


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("fr;q=0.4,en;q=0.3", "fr"),
        ("pt-BR", "en"),
        ("en;q=0.1,de;q=0.2,*;q=0.9", "de"),
        ("", "en"),
        (";;,,q=", "en"),
    ],
)
def test_the_browser_chooses_the_language(client: Client, languages: str, expected: str) -> None:
    answer = client.request(f"{SITE}/", headers={"Accept-Language": languages})
    assert answer.status == 200
    assert f'<html lang="{expected}">'.encode() in answer.body
    assert answer.headers["content-language"] == expected


def test_the_page_allows_nothing_from_elsewhere(client: Client) -> None:
    headers = client.request(f"{SITE}/").headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "set-cookie" not in headers
    assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")


def test_the_page_shows_the_settings_for_an_address(client: Client) -> None:
    body = b"emailaddress=Jo%2Btag%40server.tld"
    page = client.request(f"{SITE}/", "POST", body, {"Content-Type": "application/x-www-form-urlencoded"})
    assert page.status == 200
    assert b'data-state="settings"' in page.body
    assert b"Jo+tag@server.tld" in page.body
    assert b"%EMAIL" not in page.body


@pytest.mark.parametrize("address", ['"><script>alert(1)</script>@server.tld', "user@foreign.tld", "a%00b@server.tld", "'"])
def test_a_hostile_address_gets_a_clear_page_without_it(client: Client, address: str) -> None:
    for answer in (
        client.request(f"{SITE}/", "POST", b"emailaddress=" + address.encode()),
        client.request(f"{SITE}/mail.mobileconfig?emailaddress=" + address.replace('"', "%22").replace(" ", "%20")),
    ):
        assert answer.status == 400
        assert b'data-state="refused"' in answer.body
        assert b"alert(1)" not in answer.body


def test_http_leads_to_https(client: Client) -> None:
    for path in ("/", "/mail.mobileconfig?emailaddress=user@server.tld"):
        answer = client.request(f"http://autoconfig.server.tld{path}")
        assert (answer.status, answer.headers["location"]) == (302, f"{SITE}{path}")


def test_no_log_holds_an_address(host: Host, client: Client) -> None:
    client.request(f"{SITE}/", "POST", b"emailaddress=secret%40server.tld")
    client.request(f"{SITE}/?emailaddress=secret@server.tld")
    client.request(f"{SITE}/mail.mobileconfig?emailaddress=secret@server.tld")
    assert host.run("grep -r secret /var/log/apache2").stdout == ""
