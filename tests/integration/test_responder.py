"""The responder in a real Apache: what is hostile, what is broken, and what comes and goes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import fuzzing
from tests.conftest import CACHE, Playbook, need
from tests.rules import error, logins
from tools.certificates import Authority
from tools.http_client import OUTLOOK_REQUEST, Client, Response
from tools.private_apache import PrivateApache

from .conftest import client_of

URL = "http://autodiscover.server.tld/autodiscover/autodiscover.xml"


def publish(apache: PrivateApache, playbook: Playbook) -> None:
    """server.tld over HTTP, with a user name of each kind and an IDN among the domains."""
    provider = {
        "domains": ["server.tld", "bücher.example"],
        "incoming": [
            {"type": "imap", "hostname": "mail.server.tld"},
            {"type": "pop3", "hostname": "mail.server.tld", "username": "%EMAILLOCALPART%"},
        ],
        "outgoing": [
            {"type": "smtp", "hostname": "mail.%EMAILDOMAIN%", "username": "%EMAILLOCALPART%.%EMAILDOMAIN%", "port": 587}
        ],
    }
    page = {"provider": "server.tld", "language": "en", "html": fuzzing.PAGE}
    assert not playbook.module({**apache.module_options(), "providers": [provider], "setup_pages": [page]})["failed"]
    apache.reload()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateApache]:
    """One for all tests that only ask."""
    need("apache2", "openssl", "perl")
    directory = tmp_path_factory.mktemp("published")
    with PrivateApache(directory / "apache", CACHE) as server:
        publish(server, Playbook(directory, server.environment))
        yield server


@pytest.fixture
def client(published: PrivateApache, authority: Authority) -> Client:
    return client_of(published, authority)


def post(client: Client, address: str) -> Response:
    return client.request(URL, "POST", OUTLOOK_REQUEST.format(address=address).encode())


def test_login_names_follow_the_rule_of_each_server(published: PrivateApache, client: Client) -> None:
    answer = post(client, "Jo.Doe@Server.tld")
    assert logins(answer) == {"Jo.Doe@server.tld", "Jo.Doe", "Jo.Doe.server.tld"}
    assert b"<Server>mail.server.tld</Server>" in answer.body
    assert answer.headers["cache-control"] == "no-store"
    assert b"<Encryption>TLS</Encryption>" in answer.body


@pytest.mark.parametrize("domain", ["bücher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example"])
def test_an_idn_is_served_as_people_write_it_and_in_punycode(published: PrivateApache, client: Client, domain: str) -> None:
    assert f"user@{domain.lower()}" in logins(post(client, f"user@{domain}"))


@pytest.mark.parametrize(
    "address",
    [
        "user@foreign.tld",
        "user@server.tld.evil",
        "user@xserver.tld",
        "user",
        "@server.tld",
        "a b@server.tld",
        "u@server.tld|",
        "",
    ],
)
def test_what_is_no_address_of_ours_is_an_invalid_request(published: PrivateApache, client: Client, address: str) -> None:
    assert error(post(client, address)) == "200 600"


@pytest.mark.parametrize(
    ("host", "answering"),
    [
        ("autodiscover.server.tld", "autodiscover.server.tld"),
        ("AutoDiscover.Server.TLD", "autodiscover.server.tld"),
        ("autodiscover.xn--bcher-kva.example", "autodiscover.xn--bcher-kva.example"),
        ("autoconfig.server.tld", "autodiscover.server.tld"),
    ],
)
def test_json_names_the_host_that_was_asked_whatever_the_address(
    published: PrivateApache, client: Client, host: str, answering: str
) -> None:
    for address in ("user@server.tld", "user@bücher.example", "user@xn--bcher-kva.example"):
        query = f"?Email={quote(address)}&Protocol=AutodiscoverV1"
        said = json.loads(client.request(f"http://{host}/autodiscover/autodiscover.json{query}").body)
        assert said["Url"] == f"http://{answering}:{published.http_port}/autodiscover/autodiscover.xml"


def test_a_placeholder_in_an_address_is_not_filled_in_again(published: PrivateApache, client: Client) -> None:
    assert "%EMAILDOMAIN%@server.tld" in logins(post(client, "%EMAILDOMAIN%@server.tld"))


def test_a_damaged_document_is_500_and_one_line_in_the_log(
    apache: PrivateApache, playbook: Playbook, authority: Authority
) -> None:
    publish(apache, playbook)
    document = apache.document_root / "server.tld/autodiscover/autodiscover.xml"
    document.write_text("<Autodiscover>")
    answer = post(client_of(apache, authority), "secret@server.tld")
    assert answer.status == 500
    assert b"lua" not in answer.body.lower()
    log = (apache.log_directory / "autoconfig.server.tld-error.log").read_text()
    assert log.count("is missing or damaged") == 1
    assert "secret" not in log


def test_addresses_reach_no_log(published: PrivateApache, client: Client) -> None:
    post(client, "secret@server.tld")
    client.request(f"{URL}?Email=secret@server.tld")
    client.request(URL.replace("xml", "json") + "?Protocol=x&Email=secret@server.tld")
    for address in ("v1.0/secret@server.tld", "V1.0/secret%40server.tld"):
        assert client.request(f"{URL.replace('xml', 'json')}/{address}?Protocol=AutodiscoverV1").status == 200
    assert all("secret" not in path.read_text() for path in published.log_directory.glob("*.log"))


def test_bodies_are_bounded_and_methods_known(published: PrivateApache, client: Client) -> None:
    assert client.request(URL, "POST", b"x" * 16384).status == 200
    assert client.request(URL, "POST", b"x" * 16385).status == 413
    assert client.request(URL, "PUT", b"x").status == 405


@pytest.mark.parametrize(
    "body", [b"<" * 16000, b"EMailAddress" * 1300, b"<EMailAddress>" + b" " * 16000, b"<a:" * 5300, b"&" * 16000]
)
def test_no_body_makes_the_script_search_long(published: PrivateApache, client: Client, body: bytes) -> None:
    """A worst case may cost as much as twenty plain requests, not the millions of steps of a pattern that backtracks."""

    def cost(work: bytes) -> float:
        begun = time.perf_counter()
        for _round in range(20):
            client.request(URL, "POST", work)
        return time.perf_counter() - begun

    cost(b"<x/>")
    assert cost(body) < 20 * cost(b"<x/>")


def test_static_and_personal_answers_can_be_switched(apache: PrivateApache, playbook: Playbook, authority: Authority) -> None:
    publish(apache, playbook)
    client = client_of(apache, authority)
    options = {**apache.module_options(), "domain": "server.tld", "purge": True}
    playbook.module({**options, "responder": "none"})
    apache.reload()
    assert b"LoginName" not in post(client, "user@server.tld").body
    assert client.request(URL.replace("xml", "json") + "?Protocol=AutodiscoverV1").status == 404
    playbook.module(options)
    apache.reload()
    assert logins(post(client, "user@server.tld")) == {"user@server.tld"}
    scripts = list(Path(apache.config_directory).rglob("*.lua"))
    assert [path.name for path in scripts] == ["autoconfig.server.tld.lua"]


def test_thousands_of_odd_requests(published: PrivateApache) -> None:
    """``./dev bench fuzz`` sends many more."""
    seen = fuzzing.run(published.http_port, 4000, seed=1)
    assert sum(seen.values()) == 4000
    assert {"200", "400", "404", "405", "413"} <= set(seen)
