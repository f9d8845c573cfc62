"""Profiles signed by the certificate of a host name: copied for the web server's group, renewed, and gone."""

from __future__ import annotations

import grp
import os
import plistlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Playbook
from tools.certificates import Authority, verified
from tools.http_client import Client
from tools.private_apache import PrivateApache

from . import test_acme, test_certbot
from .conftest import until
from .test_acme import Host, names
from .test_certbot import CertbotHost
from .test_certificates import secure_site
from .test_safe_hands import published, refused

host = test_acme.host
certbot_host = test_certbot.certbot_host
HOST = "profiles.server.tld"
URL = "http://autoconfig.server.tld/mail.mobileconfig?emailaddress=a@server.tld"
SCRIPT = Path(__file__).parents[2] / "roles/mail_autoconfig/templates/signing.sh.j2"


@pytest.fixture
def lineage(apache: PrivateApache, authority: Authority) -> Path:
    """The certificate for the host name that serves nothing else, as certbot lays it out."""
    directory = apache.directory / "live" / HOST
    issue(authority, directory)
    return directory


def issue(authority: Authority, directory: Path) -> None:
    authority.issue_for_signing(directory, HOST)
    (directory / "fullchain.pem").write_text((directory / "cert.pem").read_text() + (directory / "chain.pem").read_text())


def key_lines(directory: Path) -> list[str]:
    return (directory / "privkey.pem").read_text().splitlines()[1:-1]


def options(apache: PrivateApache) -> dict[str, Any]:
    live = f"{apache.directory}/live/*"
    return {
        "signing_host": HOST,
        "certificate_file": f"{live}/fullchain.pem",
        "certificate_key_file": f"{live}/privkey.pem",
    }


def signer(client: Client, authority: Path, directory: Path, url: str = URL) -> str:
    """The certificate that has signed the profile, which must be whole."""
    file = directory / "signer.pem"
    content = plistlib.loads(verified(client.request(url).body, authority, file, "any"))
    assert content["PayloadType"] == "Configuration"
    return file.read_text().strip()


def copies(apache: PrivateApache) -> list[Path]:
    return sorted((apache.state_directory / "signing").iterdir())


def renewed_by_script(playbook: Playbook, result: dict[str, Any], directory: Path) -> None:
    """Do what the timer does: run the script that the role writes."""
    script = directory / "renew"
    task = {"ansible.builtin.template": {"src": str(SCRIPT), "dest": str(script), "mode": "0755"}}
    play = {"hosts": "localhost", "vars": {"__mail_autoconfig_pair": result["signing"]}, "tasks": [task]}
    playbook.run([play])
    subprocess.run([script], check=True)


def test_the_certificate_of_a_host_name_signs(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority, lineage: Path, tmp_path: Path
) -> None:
    result = published(apache, playbook, **options(apache))
    assert not [line for line in result["warnings"] if "signed" in line]
    assert (result["signing"]["host"], result["signing"]["certificate_file"]) == (HOST, f"{lineage}/fullchain.pem")
    assert result["signing_managed"]
    assert signer(client, authority.certificate, tmp_path) in (lineage / "fullchain.pem").read_text()
    assert {path.stat().st_mode & 0o777 for path in copies(apache)} == {0o640}
    if os.geteuid() == 0:
        assert {grp.getgrgid(path.stat().st_gid).gr_name for path in copies(apache)} == {"www-data"}
    secrets = key_lines(lineage)
    # A run puts mode and group back, and renews.
    copies(apache)[0].chmod(0o644)
    issue(authority, lineage)
    again = playbook.module({**apache.module_options(), "domain": "server.tld", **options(apache)}, "--diff")
    assert (again["failed"], again["changed"], again["reloaded"]) == (False, True, False), again
    assert not [line for line in again["warnings"] if "changed by somebody" in line]
    assert signer(client, authority.certificate, tmp_path) in (lineage / "fullchain.pem").read_text()
    assert {path.stat().st_mode & 0o777 for path in copies(apache)} == {0o640}
    gone = playbook.module({**apache.module_options(), "domain": "server.tld", "state": "absent"}, "--diff")
    assert (gone["failed"], gone["signing_managed"]) == (False, False)
    assert not (apache.state_directory / "signing").exists()
    secrets += key_lines(lineage)
    assert not [line for line in secrets if line in repr((result, again, gone))]


def test_the_script_of_the_timer_renews_the_copy_and_the_next_run_has_nothing_to_do(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority, lineage: Path, tmp_path: Path
) -> None:
    result = published(apache, playbook, **options(apache))
    before = {path: path.stat() for path in copies(apache)}
    renewed_by_script(playbook, result, tmp_path)
    assert {path: path.stat().st_ino for path in copies(apache)} == {path: item.st_ino for path, item in before.items()}
    issue(authority, lineage)
    renewed_by_script(playbook, result, tmp_path)
    assert signer(client, authority.certificate, tmp_path) in (lineage / "fullchain.pem").read_text()
    after = {path: path.stat() for path in copies(apache)}
    assert {(item.st_mode, item.st_gid) for item in after.values()} == {(item.st_mode, item.st_gid) for item in before.values()}
    assert not playbook.module({**apache.module_options(), "domain": "server.tld", **options(apache)})["changed"]


def test_the_script_leaves_the_copy_while_certificate_and_key_do_not_belong_together(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority, lineage: Path, tmp_path: Path
) -> None:
    result = published(apache, playbook, **options(apache))
    shown = signer(client, authority.certificate, tmp_path)
    key = (lineage / "privkey.pem").read_text()
    issue(authority, lineage)
    (lineage / "privkey.pem").write_text(key)
    with pytest.raises(subprocess.CalledProcessError):
        renewed_by_script(playbook, result, tmp_path)
    assert signer(client, authority.certificate, tmp_path) == shown
    assert [path.name for path in copies(apache)] == [f"{HOST}-chain.pem", f"{HOST}.pem"]
    # What a run has taken away does not come back.
    playbook.module({**apache.module_options(), "domain": "server.tld", "state": "absent"})
    renewed_by_script(playbook, result, tmp_path)
    assert not (apache.state_directory / "signing").exists()


def test_a_key_that_serves_a_web_site_never_signs(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority, tmp_path: Path
) -> None:
    pair = secure_site(apache, authority, "shop.tld", "*.server.tld")
    # The same certificate at another place.
    copy = apache.directory / "live" / "copy"
    copy.mkdir(parents=True)
    for file in ("fullchain.pem", "privkey.pem"):
        (copy / file).write_bytes((pair / file).read_bytes())
    (problem,) = refused(apache, playbook, **options(apache))["problems"]
    assert f"names {HOST}, but its key serves a web site ({pair}/fullchain.pem)" in problem
    lineage = apache.directory / "live" / HOST
    issue(authority, lineage)
    result = published(apache, playbook, **options(apache))
    assert result["signing"]["certificate_file"] == f"{lineage}/fullchain.pem"
    apache.add_site("profiles", f"<VirtualHost *:{apache.https_port}>\nServerName {HOST}\n</VirtualHost>\n")
    (problem,) = refused(apache, playbook, **options(apache))["problems"]
    assert f"serves {HOST} at *:{apache.https_port}" in problem


def test_without_a_certificate_profiles_are_not_signed_and_that_is_said(
    apache: PrivateApache, playbook: Playbook, client: Client
) -> None:
    result = published(apache, playbook, **options(apache))
    assert [line for line in result["warnings"] if f"not signed with the certificate of {HOST}" in line]
    assert (result["signing"], result["signing_managed"]) == ({}, False)
    assert client.request(URL).body.startswith(b"<?xml")


def test_mod_md_orders_it_with_the_others(host: Host, tmp_path: Path) -> None:
    host.pebble.lead([HOST])
    result = host.done("server.tld", signing_host=HOST)
    host.serves(*names("server.tld"))
    client = Client("127.0.0.1", host.pebble.root(), {"http": host.apache.http_port, "https": host.apache.https_port})
    url = URL.replace("http:", "https:")
    store = host.store / "domains" / HOST
    assert signer(client, host.pebble.root(), tmp_path, url) in (store / "pubcert.pem").read_text()
    assert {entry["domain"]: entry["state"] for entry in result["certificate_orders"]} == {HOST: "there", "server.tld": "there"}
    shown = (store / "pubcert.pem").read_text()
    host.renew(HOST)
    host.apache.reload()
    until(lambda: (store / "pubcert.pem").read_text() != shown)
    renewed_by_script(host.playbook, result, tmp_path)
    assert signer(client, host.pebble.root(), tmp_path, url) in (store / "pubcert.pem").read_text()
    assert not host.run("server.tld", signing_host=HOST)["changed"]
    gone = host.run("server.tld", state="absent")
    assert (gone["failed"], gone["certificates_managed"], gone["signing_managed"]) == (False, False, False)
    assert list((host.apache.config_directory / "conf-enabled").glob("*-certificates.conf")) == []


def test_a_signing_host_without_dns_is_not_ordered_and_harms_nobody(host: Host) -> None:
    result = host.done("server.tld", signing_host=HOST)
    host.serves(*names("server.tld"))
    assert [line for line in result["warnings"] if f"no certificate is ordered for {HOST}" in line]
    assert result["signing"] == {}


def test_certbot_orders_it_with_the_others_and_renews_it(certbot_host: CertbotHost, tmp_path: Path) -> None:
    host = certbot_host
    host.pebble.lead([HOST])
    # Whatever comes to the default of the port is for an application, and for people with a password alone.
    host.apache.command("a2enmod", "-q", "proxy", "proxy_http", "auth_basic", "authn_file", "authz_user")
    host.apache.add_site(
        "000-application",
        f"<VirtualHost *:{host.apache.http_port}>\nServerName shop.tld\nProxyPass / http://127.0.0.1:1/\n<Location />\n"
        "AuthType Basic\nAuthName shop\nAuthUserFile /dev/null\nRequire valid-user\n</Location>\n</VirtualHost>\n",
    )
    host.apache.stop()
    host.apache.start()
    result = host.done("server.tld", signing_host=HOST)
    host.serves(*names("server.tld"))
    assert host.states(result) == {HOST: "there", "server.tld": "there"}
    assert (result["signing"]["reason"], result["signing"]["certificate_file"]) == (
        "certbot orders and renews it",
        str(host.chain(f"autoconfig.{HOST}")),
    )
    client = Client("127.0.0.1", host.pebble.root(), {"http": host.apache.http_port, "https": host.apache.https_port})
    url = URL.replace("http:", "https:")
    before = signer(client, host.pebble.root(), tmp_path, url)
    assert before in host.chain(f"autoconfig.{HOST}").read_text()
    # The shop has its own challenges, and everything else of the name.
    path = "/.well-known/acme-challenge/token"
    assert client.request(f"http://shop.tld{path}").status == client.request(f"http://{HOST}/").status == 401
    assert client.request(f"http://{HOST}{path}").status == 302
    host.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
    renewed_by_script(host.playbook, result, tmp_path)
    renewed = signer(client, host.pebble.root(), tmp_path, url)
    assert renewed != before
    assert renewed in host.chain(f"autoconfig.{HOST}").read_text()
    assert not host.run("server.tld", signing_host=HOST)["changed"]
    # With all that is found the lineage signs on, and can be renewed.
    found = host.done("server.tld", signing_host=HOST, certificates="found")
    assert found["signing"]["certificate_file"] == str(host.chain(f"autoconfig.{HOST}"))
    assert client.request(f"http://{HOST}{path}").status == 302
    gone = host.run("server.tld", state="absent")
    assert (gone["failed"], gone["signing_managed"]) == (False, False)
    assert list((host.apache.config_directory / "conf-enabled").glob("*-challenges.conf")) == []


def test_a_wildcard_that_serves_a_site_does_not_keep_certbot_from_ordering_one_that_signs(
    certbot_host: CertbotHost, authority: Authority
) -> None:
    host = certbot_host
    host.pebble.lead([HOST])
    secure_site(host.apache, authority, "shop.tld", "*.server.tld")
    result = host.done("server.tld", signing_host=HOST)
    assert host.states(result) == {HOST: "there"}
    assert result["signing"]["certificate_file"] == str(host.chain(f"autoconfig.{HOST}"))


def test_a_signing_host_without_dns_is_not_ordered_by_certbot_and_harms_nobody(certbot_host: CertbotHost) -> None:
    result = certbot_host.done("server.tld", signing_host=HOST)
    certbot_host.serves(*names("server.tld"))
    assert [line for line in result["warnings"] if f"no certificate is ordered for {HOST}" in line]
    assert result["signing"] == {}
