"""What our sites are to the Apache that has them, and to what else it has."""

from __future__ import annotations

import os

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import sites
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import Certificate
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian

from tests.conftest import Playbook
from tools.certificates import Authority
from tools.http_client import Client
from tools.private_apache import PrivateApache


def virtual_hosts(apache: PrivateApache, *defines: str) -> str:
    """What Apache says of its virtual hosts."""
    return apache.command("apache2ctl", *(f"-D{name}" for name in defines), "-t", "-D", "DUMP_VHOSTS").stdout


def test_apache_tells_its_configuration_with_and_without_ours(
    apache: PrivateApache, playbook: Playbook, certificate: dict[str, str]
) -> None:
    apache.add_site("zoo", f"<VirtualHost *:{apache.http_port}>\nServerName zoo.tld\n</VirtualHost>\n")
    before = virtual_hosts(apache)
    options = {**apache.module_options(), **certificate, "domain": "server.tld", "well_known": True}
    assert not playbook.module(options)["failed"]
    assert "autoconfig.server.tld" in virtual_hosts(apache)
    assert virtual_hosts(apache, "MAIL_AUTOCONFIG_OFF") == before


def descriptors(apache: PrivateApache) -> int:
    """How many files Apache's main process has open."""
    pid = (apache.directory / "run/apache2.pid").read_text().strip()
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize("responder", ["lua", "none"])
def test_a_domain_with_an_own_certificate_costs_one_open_file_for_each_of_its_virtual_hosts(
    apache: PrivateApache, playbook: Playbook, authority: Authority, responder: str
) -> None:
    servers = {"incoming": [{"type": "imap", "hostname": "mail.tld"}], "outgoing": [{"type": "smtp", "hostname": "mail.tld"}]}
    domains = [f"d{number}.tld" for number in range(6)]
    for domain in domains:
        authority.issue(apache.directory / "live" / domain, [f"autoconfig.{domain}", f"autodiscover.{domain}"])
    pattern = f"{apache.directory}/live/{{domain}}"
    files = {"certificate_file": f"{pattern}/fullchain.pem", "certificate_key_file": f"{pattern}/privkey.pem"}
    found = []
    for count in (1, 6):
        provider = {"domains": domains[:count], **servers}
        options = {**apache.module_options(), **files, "providers": [provider], "responder": responder}
        assert not playbook.module(options)["failed"]
        found.append(descriptors(apache))
    # One virtual host for HTTP and one for HTTPS.
    assert found[1] - found[0] == 2 * 5


def test_an_unknown_name_is_told_nothing(
    apache: PrivateApache, playbook: Playbook, authority: Authority, certificate: dict[str, str], client: Client
) -> None:
    options = {**apache.module_options(), **certificate, "domain": "server.tld"}
    assert not playbook.module(options)["failed"]
    (apache.config_directory / "conf-enabled/errors.conf").write_text("ErrorDocument 404 https://elsewhere.tld/\n")
    unknown = apache.directory / "live/unknown.tld"
    authority.issue(unknown, ["unknown.tld", "autoconfig.unknown.tld"])
    file = sites.default_site(
        {apache.http_port: ("*",), apache.https_port: ("*",)},
        Certificate(f"{unknown}/fullchain.pem", f"{unknown}/privkey.pem"),
        sites.SiteOptions(http_port=apache.http_port, https_port=apache.https_port),
        Debian(str(apache.config_directory)),
        "server.tld",
    )
    apache.add_site(file.link_name, file.content.decode())
    apache.reload()
    for scheme in ("http", "https"):
        for name in ("unknown.tld", "autoconfig.unknown.tld"):
            for path in ("/", "/mail/config-v1.1.xml", "/autodiscover/autodiscover.xml", "/.well-known/acme-challenge/token"):
                assert client.request(f"{scheme}://{name}{path}").status == 404
    assert client.request("https://autoconfig.server.tld/mail/config-v1.1.xml").status == 200
    assert client.request("http://autoconfig.server.tld/mail/config-v1.1.xml").status == 302
