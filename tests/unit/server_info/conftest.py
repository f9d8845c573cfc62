"""Recorded hosts, and the certificates that they name."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.unit.server_info.hosts import NAMES, Host, recorded


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates and keys of mail.server.tld and mail.other.tld, and one with several names."""
    directory = tmp_path_factory.mktemp("live")
    for name, alternatives in (
        ("mail.server.tld", "DNS:mail.server.tld"),
        ("mail.other.tld", "DNS:mail.other.tld"),
        ("wildcard", "DNS:*.server.tld"),
        ("several", "DNS:imap.server.tld,DNS:smtp.server.tld"),
    ):
        place = directory / name
        place.mkdir()
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", "/CN=ignored"]
        command += ["-addext", f"subjectAltName={alternatives}", "-keyout", "privkey.pem", "-out", "fullchain.pem"]
        subprocess.run(command, cwd=place, check=True, capture_output=True)
    return directory


@pytest.fixture(params=NAMES)
def host(request: pytest.FixtureRequest, live: Path) -> Host:
    """Each of the recorded hosts."""
    return recorded(request.param, live)


@pytest.fixture(scope="session")
def hosts(live: Path) -> t.Mapping[str, Host]:
    """All of them, by name."""
    return {name: recorded(name, live) for name in NAMES}
