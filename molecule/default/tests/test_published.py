"""What a host is like after the role, and what clients get from it."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from testinfra.host import Host

from tools.containers import container_address
from tools.http_client import OUTLOOK_REQUEST, Client, Response

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
OUTLOOK_PATHS = (
    "/autodiscover/autodiscover.xml",
    "/Autodiscover/Autodiscover.xml",
    "/AutoDiscover/AutoDiscover.xml",
    "/AUTODISCOVER/AUTODISCOVER.XML",
)


@pytest.fixture
def client(inventory_hostname: str) -> Client:
    return Client(container_address(inventory_hostname), PROJECT / ".cache/ca/ca.pem")


def post(client: Client, url: str) -> Response:
    return client.request(url, "POST", OUTLOOK_REQUEST.format(address="user@server.tld").encode())


def test_apache_runs_with_a_sound_configuration(host: Host) -> None:
    assert host.service("apache2").is_running
    assert host.run("apache2ctl configtest").rc == 0


def test_every_file_is_as_the_manifest_says(host: Host) -> None:
    manifest = host.file("/var/lib/mail_autoconfig/manifest.json")
    assert manifest.mode == 0o644
    assert "/etc/apache2/sites-available/autoconfig.server.tld.conf" in manifest.content_string
    document = host.file("/var/www/autoconfig/server.tld/mail/config-v1.1.xml")
    assert (document.mode, document.user) == (0o644, "root")


def test_no_reload_is_left_over(host: Host) -> None:
    assert not host.file("/var/lib/mail_autoconfig/reload-pending").exists


def test_sites_are_enabled_as_an_administrator_would(host: Host) -> None:
    for site in ("autoconfig.server.tld", "autoconfig.server.tld-ssl"):
        assert "enabled by site administrator" in host.check_output("a2query -s %s", site)


@pytest.mark.parametrize(
    "path",
    [
        "/mail/config-v1.1.xml",
        "/mail/config-v1.1.xml?emailaddress=user%40server.tld",
        "/mail/config-v1.1.xml?emailaddress=user@server.tld&emailmd5=0",
        "/.well-known/autoconfig/mail/config-v1.1.xml",
    ],
)
def test_thunderbird_gets_the_document_over_https(client: Client, path: str) -> None:
    answer = client.request(f"https://autoconfig.server.tld{path}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    provider = ET.fromstring(answer.body).find("emailProvider")
    assert provider is not None
    assert provider.get("id") == "server.tld"
    assert provider.findtext("incomingServer/hostname") == "mail.server.tld"
    assert client.request(f"https://autoconfig.server.tld{path}", "HEAD").status == 200


@pytest.mark.parametrize("path", OUTLOOK_PATHS)
def test_outlook_gets_one_account_under_every_spelling(client: Client, path: str) -> None:
    answer = post(client, f"https://autodiscover.server.tld{path}")
    assert answer.status == 200
    accounts = ET.fromstring(answer.body).findall(f"{OUTLOOK}Response/{OUTLOOK}Account")
    assert len(accounts) == 1
    assert accounts[0].findtext(f"{OUTLOOK}Protocol/{OUTLOOK}Type") == "IMAP"


@pytest.mark.parametrize("path", OUTLOOK_PATHS)
def test_plain_http_only_redirects_outlook_to_the_same_host(client: Client, path: str) -> None:
    answer = client.request(f"http://autodiscover.server.tld{path}")
    assert answer.status == 302
    assert answer.headers["location"] == "https://autodiscover.server.tld/autodiscover/autodiscover.xml"


@pytest.mark.parametrize("path", ["/", "/mail/", "/mail", "/server.tld/mail/config-v1.1.xml", "/index.html", "/autodiscover/"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("service", ["autoconfig", "autodiscover"])
def test_everything_else_is_404(client: Client, service: str, scheme: str, path: str) -> None:
    assert client.request(f"{scheme}://{service}.server.tld{path}").status == 404


def test_a_large_body_is_refused(client: Client) -> None:
    assert client.request("https://autodiscover.server.tld/autodiscover/autodiscover.xml", "POST", b"x" * 20000).status == 413


def test_addresses_stay_out_of_the_access_log(host: Host, client: Client) -> None:
    client.request("https://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=secret%40server.tld")
    log = host.file("/var/log/apache2/autoconfig.server.tld-access.log").content_string
    assert "GET /mail/config-v1.1.xml HTTP/1.1" in log
    assert "secret" not in log


def test_a_domain_without_certificate_is_served_over_http(inventory_hostname: str, client: Client) -> None:
    if inventory_hostname != "mailops-debian13":
        pytest.skip("this host has one domain")
    for domain, server in (("other.tld", "mail.server.tld"), ("customer.tld", "imap.customer.tld")):
        answer = client.request(f"http://autoconfig.{domain}/mail/config-v1.1.xml")
        assert answer.status == 200
        assert ET.fromstring(answer.body).findtext("emailProvider/incomingServer/hostname") == server
        assert post(client, f"http://autodiscover.{domain}/autodiscover/autodiscover.xml").status == 200


def test_an_unknown_host_gets_what_apache_gave_before(client: Client) -> None:
    answer = client.request("http://unknown.tld/mail/config-v1.1.xml")
    assert answer.status == 404
    assert b"Apache2 Debian Default Page" in client.request("http://unknown.tld/").body
