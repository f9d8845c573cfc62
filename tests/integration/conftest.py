"""A private Apache for each test module, and Ansible that means it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import CACHE, Playbook, need
from tools.certificates import Authority
from tools.http_client import Client, Response
from tools.private_apache import PrivateApache


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    need("openssl")
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def apache(tmp_path: Path) -> Iterator[PrivateApache]:
    """An Apache with no sites, running."""
    need("apache2", "openssl", "perl")
    with PrivateApache(tmp_path / "apache", CACHE) as server:
        yield server


@pytest.fixture
def certificate(apache: PrivateApache, authority: Authority) -> dict[str, str]:
    """The module's options for a certificate of server.tld."""
    authority.issue(apache.directory / "live/server.tld", ["server.tld", "autoconfig.server.tld", "autodiscover.server.tld"])
    pattern = f"{apache.directory}/live/{{domain}}"
    return {"certificate_file": f"{pattern}/fullchain.pem", "certificate_key_file": f"{pattern}/privkey.pem"}


@pytest.fixture
def playbook(tmp_path: Path, apache: PrivateApache) -> Playbook:
    return Playbook(tmp_path, apache.environment)


def client_of(server: PrivateApache, authority: Authority) -> Client:
    return Client("127.0.0.1", authority.certificate, {"http": server.http_port, "https": server.https_port})


@pytest.fixture
def client(apache: PrivateApache, authority: Authority) -> Client:
    return client_of(apache, authority)


@contextlib.contextmanager
def unverified(apache: PrivateApache, name: str) -> Iterator[ssl.SSLSocket]:
    """A connection over TLS as a client has it that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", apache.https_port), 10) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        yield connection


def until(condition: Callable[[], object], seconds: int = 60) -> None:
    """Wait for what comes by itself, but not for ever."""
    for _attempt in range(seconds * 20):
        if condition():
            return
        time.sleep(0.05)
    assert condition(), "it did not come"


def eventually(status: int, client: Client, url: str) -> Response:
    """A graceful reload takes effect a moment after the command; wait for it, but not for ever. The answer with this status."""
    for _attempt in range(200):
        answer = client.request(url)
        if answer.status == status:
            break
        time.sleep(0.05)
    assert answer.status == status
    return answer
