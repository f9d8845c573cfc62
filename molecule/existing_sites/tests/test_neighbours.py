"""The sites that were there answer as before; the mail domain's own site answers mail clients besides."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from testinfra.host import Host

from tools.containers import container_address
from tools.http_client import OUTLOOK_REQUEST, Client

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
CONTAINER = "mailops-existing"
OURS = ("/.well-known/autoconfig/mail/config-v1.1.xml", "/autodiscover/autodiscover.xml")


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(container_address(CONTAINER), PROJECT / ".cache/ca/ca.pem")


def is_ours(question: str) -> bool:
    return "//server.tld/" in question and question.lower().removesuffix(" at own").endswith(OURS)


def test_every_site_answers_as_before(host: Host) -> None:
    changed = json.loads(host.check_output("python3 /root/witness/witness.py answers"))
    assert {question for question in changed if not is_ours(question)} == set()
    assert any(is_ours(question) for question in changed)


def test_our_sites_do_not_become_the_default_of_a_port(host: Host) -> None:
    listing = host.check_output("apache2ctl -S 2>/dev/null")
    defaults = [line.split()[2] for line in listing.splitlines() if "default server" in line]
    assert set(defaults) == {"server.tld"}


def test_the_files_of_the_other_sites_are_untouched(host: Host) -> None:
    for name in ("server.tld.conf", "shop.example.conf"):
        source = PROJECT / "molecule/existing_sites/files" / name
        assert host.file(f"/etc/apache2/sites-available/{name}").content == source.read_bytes()


def test_the_apex_serves_what_the_autoconfig_host_serves(client: Client) -> None:
    apex = client.request("https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=user%40server.tld")
    own = client.request("https://autoconfig.server.tld/mail/config-v1.1.xml")
    assert (apex.status, own.status) == (200, 200)
    assert apex.body == own.body
    assert apex.headers["content-type"] == "text/xml; charset=utf-8"
    assert ET.fromstring(apex.body).findtext("emailProvider/domain") == "server.tld"


@pytest.mark.parametrize("path", ["/autodiscover/autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"])
def test_the_apex_answers_outlook_without_asking_for_a_password(client: Client, path: str) -> None:
    body = OUTLOOK_REQUEST.format(address="user@server.tld").encode()
    answer = client.request(f"https://server.tld{path}", "POST", body)
    assert answer.status == 200
    assert answer.body == client.request("https://autodiscover.server.tld/autodiscover/autodiscover.xml", "POST", body).body


def test_the_rest_of_the_apex_still_asks_for_a_password(client: Client) -> None:
    assert client.request("https://server.tld/").status == 401
    assert client.request("https://server.tld/autodiscover/").status == 401
