"""Certificates that Apache orders itself: mod_md against a real authority, Pebble, which validates over HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Playbook, need
from tools.http_client import Client
from tools.pebble import PROGRAMS, Pebble
from tools.private_apache import PrivateApache

CONFIG = "/mail/config-v1.1.xml"
SERVERS = {"incoming": [{"type": "imap", "hostname": "mail.tld"}], "outgoing": [{"type": "smtp", "hostname": "mail.tld"}]}


def names(*domains: str) -> list[str]:
    return [f"{label}.{domain}" for domain in domains for label in ("autoconfig", "autodiscover")]


class Host:
    """A private Apache, an authority, and Ansible in a world whose DNS is the authority's."""

    def __init__(self, directory: Path, apache: PrivateApache, pebble: Pebble) -> None:
        self.apache, self.pebble = apache, pebble
        self.playbook = Playbook(directory, apache.environment, pebble.asking_it())
        self.store = apache.config_directory / "md"

    def run(self, *domains: str, **options: Any) -> dict[str, Any]:
        """Run the module for a provider of these domains."""
        given = {
            **self.apache.module_options(),
            "providers": [{"domains": list(domains), **SERVERS}],
            "certificates": "mod_md",
            "acme_agreement": True,
            "acme_contact": "admin@server.tld",
            "acme_directory": self.pebble.url,
            "acme_ca_file": str(self.pebble.ca_file),
            **options,
        }
        return self.playbook.module(given, *options.pop("arguments", ()))

    def done(self, *domains: str, **options: Any) -> dict[str, Any]:
        """A run that must do well, and after it one that must change nothing; the result of the first."""
        result = self.run(*domains, **options)
        assert not result["failed"], result
        again = self.run(*domains, **options)
        assert (again["changed"], again["reloaded"], again["failed"]) == (False, False, False), again
        return result

    def serves(self, *hosts: str) -> None:
        """Each host answers over HTTPS, with a certificate of the authority that names it, and HTTP leads there."""
        client = Client("127.0.0.1", self.pebble.root(), {"http": self.apache.http_port, "https": self.apache.https_port})
        for host in hosts:
            assert client.request(f"https://{host}{CONFIG}").status == 200
            assert client.request(f"http://{host}{CONFIG}").status == 302

    def over_http(self, *hosts: str) -> None:
        """Each host answers over HTTP."""
        client = Client("127.0.0.1", self.pebble.ca_file, {"http": self.apache.http_port})
        assert {client.request(f"http://{host}{CONFIG}").status for host in hosts} == {200}


@pytest.fixture
def host(tmp_path: Path, apache: PrivateApache) -> Iterator[Host]:
    need(*PROGRAMS)
    if os.geteuid() != 0:
        pytest.skip("a name server on port 53, and a resolv.conf of one's own, need root")
    with Pebble(tmp_path / "pebble", apache.http_port, apache.https_port) as pebble:
        pebble.lead(names("server.tld"))
        yield Host(tmp_path, apache, pebble)


def test_a_bare_apache_comes_to_https_in_one_run(host: Host) -> None:
    result = host.done("server.tld")
    host.serves(*names("server.tld"))
    (order,) = result["certificate_orders"]
    assert (order["state"], order["names"]) == ("there", names("server.tld"))
    assert result["certificates_managed"]
    assert {entry["reason"] for entry in result["certificate_names"]} == {"mod_md orders and renews it"}
