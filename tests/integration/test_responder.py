"""The responder in a real Apache: what is hostile, what is broken, and what comes and goes."""

from __future__ import annotations

import http.client
import json
import plistlib
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
PAGE = "http://autoconfig.server.tld/"
# The address is in the path, where no client of today puts it.
ODD_PATHS = [
    "mail/config-v1.1.xml/secret@server.tld",
    "mail/config-v1.1.xml/secret%40server.tld",
    "autodiscover/autodiscover.json/v2.0/secret@server.tld",
    "secret@server.tld",
    "x/%73ecret%2540server.tld",
    ".well-known/acme-challenge/secret@server.tld",
    ".well-known/acme-challenge/secret%40" + "x" * 300,
]


def publish(apache: PrivateApache, playbook: Playbook) -> None:
    """server.tld over HTTP, with a user name of each kind and an IDN among the domains."""
    provider = {
        "domains": ["server.tld", "bücher.example", "xn--strae-oqa.example"],
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


@pytest.mark.parametrize(
    "domain",
    [
        *("bücher.example", "BÜCHER.Example", "xn--bcher-kva.example", "XN--BCHER-KVA.example"),
        *("straße.example", "Straße.EXAMPLE", "xn--strae-oqa.example"),
    ],
)
def test_an_idn_is_served_as_people_write_it_and_in_punycode(published: PrivateApache, client: Client, domain: str) -> None:
    assert f"user@{domain.lower()}" in logins(post(client, f"user@{domain}"))


@pytest.mark.parametrize(
    "written",
    [
        *("jo&#64;server.tld", "<![CDATA[jo@server.tld]]>", "jo<!-- <EMailAddress>x -->@server.tld"),
        *("&#xD;\njo<?x <EMailAddress>?>@server.tld&#xD;\n", "</EMailAddress><EMailAddress a='>'>jo@server.tld"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_address_is_read_as_xml(published: PrivateApache, client: Client, written: str, encoding: str) -> None:
    body = f"<!-- <EMailAddress>no@server.tld</EMailAddress> -->{OUTLOOK_REQUEST.format(address=written)}"
    assert "jo@server.tld" in logins(client.request(URL, "POST", body.encode(encoding)))


def test_a_chunked_request_gets_settings_without_login_names(published: PrivateApache) -> None:
    """mod_lua reads no body without a length."""
    connection = http.client.HTTPConnection("127.0.0.1", published.http_port, timeout=10)
    body = OUTLOOK_REQUEST.format(address="jo@server.tld").encode()
    headers = {"Host": "autodiscover.server.tld", "Transfer-Encoding": "chunked"}
    connection.request("POST", "/autodiscover/autodiscover.xml", iter([body[:50], body[50:]]), headers, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 200
    text = answer.read()
    assert b"<Server>mail.server.tld</Server>" in text
    assert b"LoginName" not in text
    connection.close()


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


@pytest.mark.parametrize("address", ["jo@bücher.example", "jo@xn--bcher-kva.example"])
def test_a_host_name_is_made_of_the_domain_in_ascii(published: PrivateApache, client: Client, address: str) -> None:
    answer = post(client, address)
    assert b"<Server>mail.xn--bcher-kva.example</Server>" in answer.body
    assert address in logins(answer)


def test_a_profile_is_the_same_however_an_idn_is_written(published: PrivateApache, client: Client) -> None:
    url = "http://autoconfig.server.tld/mail.mobileconfig?emailaddress="
    typed, ascii_form = (
        plistlib.loads(client.request(url + quote(address)).body) for address in ("jo@bücher.example", "jo@xn--bcher-kva.example")
    )
    assert typed["PayloadUUID"] == ascii_form["PayloadUUID"]
    assert typed["PayloadContent"][0]["OutgoingMailServerHostName"] == "mail.xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("+jo%40server.tld+", "jo@server.tld"),
        ("%20jo@server.tld%0A", "jo@server.tld"),
        ("jo+tag@server.tld", "jo+tag@server.tld"),
        # Encoded twice.
        ("jo%2540server.tld%2520", "jo@server.tld"),
    ],
)
def test_blanks_around_an_address_are_no_part_of_it(published: PrivateApache, client: Client, typed: str, meant: str) -> None:
    profile = client.request(f"http://autoconfig.server.tld/mail.mobileconfig?emailaddress={typed}")
    assert plistlib.loads(profile.body)["PayloadContent"][0]["EmailAddress"] == meant
    posted = f"emailaddress={typed.replace('jo+tag', 'jo%2Btag')}".encode()
    page = client.request(PAGE, "POST", posted)
    assert page.status == 200
    assert meant.encode() in page.body


def test_a_form_has_blanks_and_no_plus_signs_inside(published: PrivateApache, client: Client) -> None:
    assert client.request(PAGE, "POST", b"emailaddress=jo+doe%40server.tld").status == 400


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
    (document,) = (apache.document_root / "server.tld/autodiscover").iterdir()
    document.write_text("<Autodiscover>")
    # The run has asked already, and a script keeps what it has read.
    apache.reload()
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
    own = {"Authorization": "Basic c2VjcmV0QHNlcnZlci50bGQ6eA==", "Referer": f"{PAGE}?emailaddress=secret@server.tld"}
    for path in (*ODD_PATHS, "v1.1/" + "x" * 5000):
        for headers in ({}, {"Expect": "x"}, own):
            answer = client.request(f"{PAGE}{path}?emailaddress=secret@server.tld", headers=headers)
            assert answer.status in ((417,) if "Expect" in headers else (403, 404))
    assert client.request(URL, "POST", b"x" * 20000, own).status == 413
    logs = {path.name: path.read_text() for path in published.log_directory.glob("*.log")}
    assert not [name for name, text in logs.items() if "secret" in text or "c2VjcmV0" in text]
    lines = logs["autoconfig.server.tld-access.log"].splitlines()
    assert '"GET /mail/config-v1.1.xml/... HTTP/1.1" 404' in " ".join(lines)
    assert '"GET - HTTP/1.1" 417' in " ".join(lines)
    assert '"GET /autodiscover/autodiscover.json/... HTTP/1.1" 200' in " ".join(lines)


def test_bodies_are_bounded_and_methods_known(published: PrivateApache, client: Client) -> None:
    assert client.request(URL, "POST", b"x" * 16384).status == 200
    assert client.request(URL, "POST", b"x" * 16385).status == 413
    assert client.request(URL, "PUT", b"x").status == 405


def cost(client: Client, url: str, body: bytes) -> float:
    """The time of twenty requests."""
    begun = time.perf_counter()
    for _round in range(20):
        client.request(url, "POST", body)
    return time.perf_counter() - begun


@pytest.mark.parametrize(
    ("url", "usual", "body"),
    [
        *((URL, b"<x/>", body) for body in (b"<" * 16000, b"EMailAddress" * 1300, b"<a:" * 5300, b"&" * 16000)),
        *((URL, b"<x/>", body) for body in (b"<!" * 8000, b"<!--" * 4000, b"<!---->" * 2300, b"<![CDATA[" * 1800, b"\0<" * 8000)),
        *((URL, b"<x/>", body) for body in (b"<?" * 8000, b"<![" * 5300, b"<EMailAddress/>" * 1000, b"<EMailAddress '" * 1000)),
        (URL, b"<x/>", b"<EMailAddress>" + b"&#64;" * 3200 + b"</EMailAddress>"),
        (URL, b"<x/>", b"<EMailAddress>&#" + b"0" * 16000 + b"a;</EMailAddress>"),
        (URL, b"<x/>", b"<EMailAddress>" + b" " * 16000),
        *(
            (PAGE, b"emailaddress=x", b"emailaddress=a" + middle * (15000 // len(middle)) + b"b")
            for middle in (b" ", b"+", b"%20", b"@", b"=", b"&email=")
        ),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else None,
)
def test_no_body_makes_the_script_search_long(
    published: PrivateApache, client: Client, url: str, usual: bytes, body: bytes
) -> None:
    """A worst case may cost as much as twenty plain requests, not the millions of steps of a pattern that backtracks."""
    cost(client, url, usual)
    assert cost(client, url, body) < 20 * cost(client, url, usual)


def test_the_page_has_one_policy_whatever_the_server_has(apache: PrivateApache, playbook: Playbook, authority: Authority) -> None:
    apache.command("a2enmod", "-q", "headers")
    lines = "".join(f"Header {when} set Content-Security-Policy \"default-src 'self'\"\n" for when in ("", "always"))
    (apache.config_directory / "conf-available/hardened.conf").write_text(lines)
    apache.command("a2enconf", "-q", "hardened")
    publish(apache, playbook)
    for method in ("GET", "POST"):
        connection = http.client.HTTPConnection("127.0.0.1", apache.http_port, timeout=10)
        connection.request(method, "/", b"emailaddress=x" if method == "POST" else None, {"Host": "autoconfig.server.tld"})
        headers = connection.getresponse().headers
        (policy,) = headers.get_all("Content-Security-Policy")
        assert policy.startswith("default-src 'none'")
        connection.close()
    answer = client_of(apache, authority).request("http://autoconfig.server.tld/mail/config-v1.1.xml")
    assert "content-security-policy" not in answer.headers


def test_static_and_personal_answers_can_be_switched(apache: PrivateApache, playbook: Playbook, authority: Authority) -> None:
    publish(apache, playbook)
    client = client_of(apache, authority)
    options = {**apache.module_options(), "domain": "server.tld", "purge": True, "allow_removal": True}
    assert playbook.module({**options, "responder": "none"})["reloaded"]
    assert b"LoginName" not in post(client, "user@server.tld").body
    assert client.request(URL.replace("xml", "json") + "?Protocol=AutodiscoverV1").status == 404
    assert playbook.module(options)["reloaded"]
    assert logins(post(client, "user@server.tld")) == {"user@server.tld"}
    scripts = list(Path(apache.config_directory).rglob("*.lua"))
    assert len(scripts) == 1


def test_thousands_of_odd_requests(published: PrivateApache) -> None:
    """``./dev bench fuzz`` sends many more."""
    seen = fuzzing.run(published.http_port, 4000, seed=1)
    assert sum(seen.values()) == 4000
    assert {"200", "400", "404", "405", "413"} <= set(seen)
