"""A real Thunderbird finds the settings by itself, with its own discovery, from the containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import need
from tools.containers import container_address
from tools.thunderbird import PASSWORD_CLEARTEXT, SSL, STARTTLS, Thunderbird

from .conftest import AUTHORITY, Scenario

HOSTS = [f"{host}.{domain}" for host in ("autoconfig", "autodiscover") for domain in ("server.tld", "other.tld", "customer.tld")]


@pytest.fixture
def thunderbird(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thunderbird]:
    # Clients are asked even where another test of the scenario has failed.
    scenario("default")
    need("thunderbird")
    with Thunderbird(tmp_path_factory.mktemp("thunderbird")) as program:
        yield program


def server(kind: str, hostname: str, port: int, socket_type: int, username: str = "%EMAILADDRESS%") -> dict[str, object]:
    """A server as Thunderbird tells it."""
    return {
        "type": kind,
        "hostname": hostname,
        "port": port,
        "socketType": socket_type,
        "auth": PASSWORD_CLEARTEXT,
        "username": username,
    }


def test_finds_everything_over_https(thunderbird: Thunderbird) -> None:
    thunderbird.trust(AUTHORITY)
    thunderbird.resolve(HOSTS, container_address("mailops-debian12"))
    assert thunderbird.discover("user@server.tld") == {
        "source": "xml-from-isp-https",
        "incoming": server("imap", "mail.server.tld", 993, SSL),
        "outgoing": server("smtp", "mail.server.tld", 465, SSL),
        "incomingAlternatives": [],
        "outgoingAlternatives": [],
    }


def test_finds_pop3_starttls_and_further_domains(thunderbird: Thunderbird) -> None:
    thunderbird.trust(AUTHORITY)
    thunderbird.resolve(HOSTS, container_address("mailops-debian13"))
    found = thunderbird.discover("user@server.tld")
    assert found["source"] == "xml-from-isp-https"
    assert found["incomingAlternatives"] == [server("pop3", "mail.server.tld", 995, SSL)]
    assert found["outgoing"] == server("smtp", "mail.server.tld", 587, STARTTLS)
    # Domains without a certificate: Thunderbird takes the same document over HTTP.
    assert thunderbird.discover("user@other.tld") == {**found, "source": "xml-from-isp-http"}
    customer = thunderbird.discover("user@customer.tld")
    assert customer["incoming"] == server("imap", "imap.customer.tld", 993, SSL, "%EMAILLOCALPART%")


def test_finds_nothing_where_nothing_is_published(thunderbird: Thunderbird) -> None:
    thunderbird.trust(AUTHORITY)
    thunderbird.resolve(["autoconfig.unknown.tld", "autodiscover.unknown.tld"], container_address("mailops-debian12"))
    assert thunderbird.discover("user@unknown.tld") == {}


def test_finds_everything_by_autodiscover_where_there_is_no_autoconfig(thunderbird: Thunderbird) -> None:
    """ExchangeAutoDiscover.sys.mjs reads our answer, with the login name that the responder fills in."""
    thunderbird.trust(AUTHORITY)
    thunderbird.resolve(["autodiscover.server.tld"], container_address("mailops-debian12"))
    found = thunderbird.discover("user@server.tld")
    assert found["source"] == "exchange-from-url1"
    assert found["incoming"] == server("imap", "mail.server.tld", 993, SSL, "user@server.tld")
    assert found["outgoing"] == server("smtp", "mail.server.tld", 465, SSL, "user@server.tld")
