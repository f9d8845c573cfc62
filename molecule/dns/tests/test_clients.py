"""What clients find if all they have is a mail address and the name server."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest

from tests.conftest import need
from tools.containers import container_address
from tools.http_client import Client
from tools.thunderbird import PASSWORD_CLEARTEXT, SSL, Thunderbird

AUTHORITY = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / ".cache/ca/ca.pem"


def server(kind: str, port: int, username: str = "%EMAILADDRESS%") -> dict[str, object]:
    """A server as Thunderbird tells it."""
    facts = {"hostname": "mail.server.tld", "socketType": SSL, "auth": PASSWORD_CLEARTEXT}
    return {"type": kind, "port": port, "username": username, **facts}


def look_up(owner: str, kind: str) -> list[str]:
    """The data of a record set, sorted."""
    answer = dns.query.tcp(dns.message.make_query(owner, kind), container_address("mailops-dns-ns"), timeout=5)
    return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset if rrset.rdtype == dns.rdatatype.from_text(kind))


@pytest.fixture(scope="module")
def thunderbird(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thunderbird]:
    need("thunderbird", "unshare")
    directory = tmp_path_factory.mktemp("thunderbird")
    with Thunderbird(directory, name_server=container_address("mailops-dns-ns")) as program:
        program.trust(AUTHORITY)
        yield program


def test_thunderbird_finds_the_hosts_by_their_addresses(thunderbird: Thunderbird) -> None:
    found = thunderbird.discover("user@server.tld")
    assert found["source"] == "xml-from-isp-https"
    assert (found["incoming"], found["outgoing"]) == (server("imap", 993), server("smtp", 465))


def test_thunderbird_finds_a_customers_settings_by_the_mail_exchanger(thunderbird: Thunderbird) -> None:
    found = thunderbird.discover("user@customer.tld")
    assert found["source"] == "xml-from-isp-https"
    assert (found["incoming"], found["outgoing"]) == (server("imap", 993), server("smtp", 465))


def test_thunderbird_finds_a_partners_settings_by_srv_if_the_user_agrees(thunderbird: Thunderbird) -> None:
    assert thunderbird.discover("user@partner.tld") == {}
    found = thunderbird.discover("user@partner.tld", agree=True)
    assert found["source"] == "exchange-from-srv"
    assert found["incoming"] == server("imap", 993, "user@partner.tld")
    assert found["outgoing"] == server("smtp", 465, "user@partner.tld")


def test_thunderbird_finds_nothing_that_is_not_there(thunderbird: Thunderbird) -> None:
    assert thunderbird.discover("user@unknown.tld", agree=True) == {}


def test_a_client_of_pacc_takes_the_document() -> None:
    host = "ua-auto-config.server.tld"
    (address,) = look_up(f"{host}.", "A")
    answer = Client(address, AUTHORITY).request(f"https://{host}/.well-known/user-agent-configuration.json")
    digest = base64.b64encode(hashlib.sha256(answer.body).digest()).decode()
    assert (answer.status, look_up(f"_{host}.", "TXT")) == (200, [f'"v=UAAC1; a=sha256; d={digest}"'])


@pytest.mark.parametrize("domain", ["server.tld", "customer.tld", "partner.tld"])
def test_services_are_where_the_records_say(domain: str) -> None:
    assert look_up(f"_imaps._tcp.{domain}.", "SRV") == ["0 1 993 mail.server.tld."]
    assert look_up(f"_submissions._tcp.{domain}.", "SRV") == ["0 1 465 mail.server.tld."]
    assert look_up(f"_autodiscover._tcp.{domain}.", "SRV") == ["0 0 443 autodiscover.server.tld."]
    assert look_up(f"_pop3s._tcp.{domain}.", "SRV") == ["0 0 0 ."]
    assert look_up(f"_caldavs._tcp.{domain}.", "TXT") == ['"path=/calendars/"']


def test_what_was_there_before_is_there() -> None:
    assert look_up("customer.tld.", "MX") == ["10 mail.server.tld."]
    assert [look_up(f"{domain}.", "TXT") for domain in ("server.tld", "customer.tld")] == [['"v=spf1 mx -all"']] * 2


def test_the_key_that_answers_is_the_one_in_the_records() -> None:
    (record,) = look_up("_443._tcp.autoconfig.server.tld.", "TLSA")
    assert record.startswith("3 1 1 ")
    assert record == look_up("_443._tcp.autodiscover.server.tld.", "TLSA")[0]
