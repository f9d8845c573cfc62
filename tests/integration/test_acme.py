"""Certificates that Apache orders itself: mod_md against a real authority, Pebble, which validates over HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Playbook, need
from tests.faults.harness import PROGRAM
from tools.certificates import Authority
from tools.faulty_authority import FaultyAuthority, with_profiles
from tools.http_client import Client
from tools.pebble import PROGRAMS, Pebble
from tools.private_apache import PrivateApache, free_ports

from .conftest import until, unverified
from .test_certificates import secure_site
from .test_private_apache import tree
from .test_safe_hands import certificate_of

CONFIG = "/mail/config-v1.1.xml"
# Of the certificates, in seconds.
LIFETIME = 1200
# As Apache's MDChallengeDns01 calls it: setup NAME VALUE, or teardown NAME.
DNS_01 = """#!/usr/bin/python3
import json, sys, urllib.request
path, name, *values = {{"setup": "/set-txt", "teardown": "/clear-txt"}}[sys.argv[1]], *sys.argv[2:]
record = {{"host": f"_acme-challenge.{{name}}.", "value": (values or [""])[0]}}
urllib.request.urlopen("{url}" + path, json.dumps(record).encode())
"""
SERVERS = {"incoming": [{"type": "imap", "hostname": "mail.tld"}], "outgoing": [{"type": "smtp", "hostname": "mail.tld"}]}


def names(*domains: str) -> list[str]:
    return [f"{label}.{domain}" for domain in domains for label in ("autoconfig", "autodiscover")]


class Host:
    """A private Apache, an authority, and Ansible in a world whose DNS is the authority's."""

    def __init__(self, directory: Path, apache: PrivateApache, pebble: Pebble) -> None:
        self.apache, self.pebble = apache, pebble
        self.playbook = Playbook(directory, apache.environment, pebble.asking_it())
        self.store = apache.config_directory / "md"

    def options(self, *domains: str, **options: Any) -> dict[str, Any]:
        """The module's options for a provider of these domains."""
        return {
            **self.apache.module_options(),
            "providers": [{"domains": list(domains), **SERVERS}],
            "certificates": "mod_md",
            "acme_agreement": True,
            "acme_contact": "admin@server.tld",
            "acme_directory": self.pebble.url,
            "acme_ca_file": str(self.pebble.ca_file),
            **options,
        }

    def run(self, *domains: str, **options: Any) -> dict[str, Any]:
        """Run the module for a provider of these domains."""
        return self.playbook.module(self.options(*domains, **options))

    def started(self, *domains: str, **options: Any) -> subprocess.Popen[bytes]:
        """A run that has begun, without Ansible, so that it can be killed."""
        file = self.apache.directory / "options.json"
        file.write_text(json.dumps(self.options(*domains, **options)))
        command = [*self.pebble.asking_it(), sys.executable, "-c", PROGRAM, str(file)]
        return subprocess.Popen(command, env={**os.environ, **self.apache.environment}, stdout=subprocess.DEVNULL)

    def renew(self, name: str) -> Path:
        """Have a certificate renewed that is some seconds old, until the new one is staged; where that is."""
        conf = self.apache.config_directory / "conf-enabled/renew.conf"
        conf.write_text("MDRenewWindow 99%\nMDRenewViaARI off\n")
        time.sleep(LIFETIME / 100)
        self.apache.reload()
        conf.unlink()
        staged = self.store / "staging" / name / "pubcert.pem"
        until(staged.exists)
        return staged

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
    with Pebble(tmp_path / "pebble", apache.http_port, apache.https_port, {"certificateValidityPeriod": LIFETIME}) as pebble:
        pebble.lead(names("server.tld"))
        yield Host(tmp_path, apache, pebble)


def test_a_bare_apache_comes_to_https_in_one_run(host: Host) -> None:
    result = host.done("server.tld")
    host.serves(*names("server.tld"))
    (order,) = result["certificate_orders"]
    assert (order["state"], order["names"]) == ("there", names("server.tld"))
    assert result["certificates_managed"]
    assert {entry["reason"] for entry in result["certificate_names"]} == {"mod_md orders and renews it"}


def test_customers_come_and_go_and_one_without_dns_fails_alone(host: Host) -> None:
    host.done("server.tld")
    before = (host.store / "domains/autoconfig.server.tld/pubcert.pem").read_bytes()
    host.pebble.lead(["autoconfig.half.tld", *names("new.tld")])
    host.pebble.lead(["autodiscover.half.tld"], "192.0.2.7")
    result = host.done("server.tld", "new.tld", "dead.tld", "half.tld")
    host.serves(*names("server.tld", "new.tld"), "autoconfig.half.tld")
    host.over_http(*names("dead.tld"), "autodiscover.half.tld")
    assert (host.store / "domains/autoconfig.server.tld/pubcert.pem").read_bytes() == before
    why = {entry["name"]: entry["reason"] for entry in result["certificate_names"]}
    assert why["autodiscover.half.tld"] == "not ordered: it leads to 192.0.2.7, which is not this host"
    assert why["autoconfig.dead.tld"].startswith("not ordered: it ")
    orders = {entry["domain"]: entry["state"] for entry in result["certificate_orders"]}
    assert orders == {"server.tld": "there", "new.tld": "there", "half.tld": "there"}
    # Whose record comes later gets a certificate for both names.
    host.pebble.forget(["autodiscover.half.tld"])
    host.pebble.lead(["autodiscover.half.tld"])
    host.done("server.tld", "half.tld", removed_domains=["new.tld", "dead.tld"])
    host.serves(*names("server.tld", "half.tld"))
    text = (host.apache.config_directory / "conf-enabled/autoconfig.server.tld-certificates.conf").read_text()
    assert ("new.tld" in text, "half.tld" in text) == (False, True)


def test_while_the_authority_is_down_http_goes_on_and_the_next_run_too(host: Host) -> None:
    host.pebble.stop()
    result = host.run("server.tld", acme_wait_seconds=20)
    assert (result["failed"], result["changed"]) == (False, True), result
    host.over_http(*names("server.tld"))
    (order,) = result["certificate_orders"]
    assert order["state"] == "failed"
    assert "Unsuccessful in contacting ACME server" in order["reason"]
    assert any("no certificate yet for autoconfig.server.tld: Unsuccessful" in line for line in result["warnings"])
    host.pebble.start()
    host.done("server.tld")
    host.serves(*names("server.tld"))


def test_what_the_authority_refuses_is_told_in_its_words(host: Host, tmp_path: Path) -> None:
    # It asks at a port where nobody is, as if a firewall stood in between.
    with Pebble(tmp_path / "walled", free_ports(1)[0]) as walled:
        walled.lead(names("server.tld"))
        host.playbook = Playbook(tmp_path, host.apache.environment, walled.asking_it())
        given = {"acme_directory": walled.url, "acme_ca_file": str(walled.ca_file), "acme_wait_seconds": 30}
        result = host.run("server.tld", **given)
    (order,) = result["certificate_orders"]
    assert (result["failed"], order["state"]) == (False, "failed"), result
    # It says so of the name that it has looked at first.
    said = r"domain authorization for (\S+) failed, CA considers answer to challenge invalid"
    assert set(re.findall(said, order["reason"])) & set(names("server.tld")), order["reason"]
    assert order["next"]
    host.over_http(*names("server.tld"))


def test_names_that_lead_elsewhere_are_validated_by_dns_with_the_administrators_command(host: Host) -> None:
    host.pebble.forget(names("server.tld"))
    host.pebble.lead(names("server.tld"), "192.0.2.7")
    command = host.apache.directory / "dns-01"
    command.write_text(DNS_01.format(url=host.pebble.names_url))
    command.chmod(0o755)
    given = {"acme_challenges": ["dns-01"], "acme_dns_command": str(command)}
    host.done("server.tld", **given)
    host.serves(*names("server.tld"))


def test_names_are_validated_over_tls_where_port_80_cannot_be_reached(host: Host, tmp_path: Path) -> None:
    by_tls = {"acme_challenges": ["tls-alpn-01"]}
    validity = {"certificateValidityPeriod": LIFETIME}
    with Pebble(tmp_path / "by-tls", free_ports(1)[0], host.apache.https_port, validity) as pebble:
        pebble.lead(names("server.tld"))
        host = Host(tmp_path, host.apache, pebble)
        result = host.done("server.tld", **by_tls)
        assert [order["state"] for order in result["certificate_orders"]] == ["there"], result
        host.serves(*names("server.tld"))
        assert not list((host.apache.config_directory / "sites-enabled").glob("*-waiting.conf"))
        # A second customer comes, and the first one is renewed, beside sites that serve.
        pebble.lead(names("new.tld"))
        host.done("server.tld", "new.tld", **by_tls)
        host.serves(*names("server.tld", "new.tld"))
        shown = certificate_of(host.apache, "autoconfig.server.tld")
        host.renew("autoconfig.server.tld")
        host.done("server.tld", "new.tld", **by_tls)
        assert certificate_of(host.apache, "autoconfig.server.tld") != shown
        # Whoever comes without DNS has no TLS at all.
        host.done("server.tld", "new.tld", "dead.tld", **by_tls)
        host.over_http(*names("dead.tld"))


def test_until_there_is_a_certificate_nobody_is_answered_over_tls(host: Host, authority: Authority) -> None:
    secure_site(host.apache, authority, "shop.tld")
    host.pebble.stop()
    result = host.run("server.tld", acme_challenges=["tls-alpn-01"], acme_wait_seconds=10)
    assert (result["failed"], [order["state"] for order in result["certificate_orders"]]) == (False, ["failed"]), result
    host.over_http(*names("server.tld"))
    assert {answered_unverified(host.apache, name) for name in names("server.tld")} == {503}
    assert answered_unverified(host.apache, "shop.tld") == 410
    again = host.run("server.tld", acme_challenges=["tls-alpn-01"], acme_wait_seconds=10)
    assert (again["failed"], again["changed_files"]) == (False, []), again
    host.pebble.start()
    host.done("server.tld", acme_challenges=["tls-alpn-01"])
    host.serves(*names("server.tld"))
    assert answered_unverified(host.apache, "shop.tld") == 410


def answered_unverified(apache: PrivateApache, name: str) -> int:
    """The status that a client would get that takes any certificate."""
    with unverified(apache, name) as connection:
        connection.sendall(f"GET {CONFIG} HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_the_mail_servers_name_is_in_the_certificate_too(host: Host) -> None:
    host.done("server.tld")
    store = host.store / "domains/autoconfig.server.tld"
    before = (store / "pubcert.pem").read_bytes()
    host.pebble.lead(["mail.server.tld"])
    # The name comes to the default of the port, where people go on finding what they did.
    host.apache.add_site("000-default", f"<VirtualHost *:{host.apache.http_port}>\nRedirectMatch 410 ^/\n</VirtualHost>\n")
    extra = {"certificate_extra_names": ["mail.{domain}"]}
    result = host.done("server.tld", **extra)
    host.serves(*names("server.tld"))
    assert (store / "pubcert.pem").read_bytes() != before
    told = {entry["name"]: entry.get("certificate_file") for entry in result["certificate_names"]}
    assert told["mail.server.tld"] == str(store / "pubcert.pem")
    assert [order["names"] for order in result["certificate_orders"]] == [[*names("server.tld"), "mail.server.tld"]]
    client = Client("127.0.0.1", host.pebble.ca_file, {"http": host.apache.http_port})
    assert client.request("http://mail.server.tld/").status == 410
    # Without it nothing is ordered anew.
    shown = (store / "pubcert.pem").read_bytes()
    host.done("server.tld")
    host.serves(*names("server.tld"))
    assert (store / "pubcert.pem").read_bytes() == shown


def test_a_name_that_a_site_of_others_serves_with_tls_keeps_its_certificate(host: Host, authority: Authority) -> None:
    host.pebble.lead(["mail.server.tld", "imap.server.tld"])
    secure_site(host.apache, authority, "mail.server.tld")
    shown = certificate_of(host.apache, "mail.server.tld")
    result = host.done("server.tld", certificate_extra_names=["mail.{domain}", "imap.{domain}"])
    host.serves(*names("server.tld"))
    why = {entry["name"]: entry["reason"] for entry in result["certificate_names"]}
    assert why["mail.server.tld"].startswith("not ordered: the site at ")
    assert "and mod_md would change its certificate" in why["mail.server.tld"]
    assert why["imap.server.tld"] == "mod_md orders and renews it"
    assert certificate_of(host.apache, "mail.server.tld") == shown


def test_the_profile_is_ordered_where_the_authority_has_it_and_else_its_default(host: Host) -> None:
    host.pebble.lead(names("other.tld"))
    with FaultyAuthority(host.pebble) as gate:
        gate.fault = with_profiles(["classic", "tlsserver"])
        host.done("server.tld", acme_directory=gate.url, acme_profile="tlsserver")
        assert gate.ordered_profiles() == ["tlsserver"]
        host.done("server.tld", "other.tld", acme_directory=gate.url, acme_profile="shortlived")
        assert gate.ordered_profiles() == ["tlsserver", ""]
    host.serves(*names("server.tld", "other.tld"))


def test_an_apache_whose_mod_md_knows_no_profiles_is_told_of_it(host: Host) -> None:
    program = host.apache.directory / "mod_md.so"
    load = host.apache.config_directory / "mods-available/md.load"
    line = load.read_text()
    program.write_bytes(Path(line.split()[2]).read_bytes().replace(b"MDProfile", b"MDPr0file"))
    load.write_text(line.replace(line.split()[2], str(program)))
    before = tree(host.apache.config_directory)
    result = host.run("server.tld", acme_profile="tlsserver")
    assert result["problems"] == [
        "acme_profile: this Apache's mod_md knows no profiles (MDProfile); leave it out, or update Apache"
    ]
    assert tree(host.apache.config_directory) == before
    host.done("server.tld")


def test_an_authority_that_wants_an_account_of_ones_own_is_told_of_it(host: Host, tmp_path: Path) -> None:
    key = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    binding = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": key}}
    file = host.apache.directory / "eab.json"
    with Pebble(tmp_path / "bound", host.apache.http_port, settings=binding) as bound:
        bound.lead(names("server.tld"))
        bound_host = Host(tmp_path, host.apache, bound)
        result = bound_host.run("server.tld", acme_wait_seconds=30)
        assert [order["state"] for order in result["certificate_orders"]] == ["failed"], result
        file.write_text(json.dumps({"kid": "kid-1", "hmac": key}))
        file.chmod(0o600)
        result = bound_host.run("server.tld", acme_eab_file=str(file), acme_wait_seconds=60)
        assert [order["state"] for order in result["certificate_orders"]] == ["there"], result
        bound_host.serves(*names("server.tld"))
    assert key not in json.dumps(result)


def test_a_run_that_is_killed_while_it_waits_leaves_http_and_the_next_one_goes_on(host: Host) -> None:
    host.pebble.stop()
    process = host.started("server.tld")
    job = host.store / "staging/autoconfig.server.tld/job.json"
    until(job.exists)
    process.kill()
    process.wait()
    host.over_http(*names("server.tld"))
    host.pebble.start()
    host.done("server.tld")
    host.serves(*names("server.tld"))


def test_a_renewed_certificate_is_served_after_the_command_of_the_timer(host: Host) -> None:
    host.done("server.tld")
    store = host.store / "domains/autoconfig.server.tld"
    before = (store / "pubcert.pem").read_bytes()
    host.renew("autoconfig.server.tld")
    host.apache.command("apache2ctl", "-t")
    host.apache.reload()
    assert (store / "pubcert.pem").read_bytes() != before
    host.serves(*names("server.tld"))
    assert not host.run("server.tld")["changed"]


def test_what_is_staged_is_served_after_the_next_run(host: Host) -> None:
    host.done("server.tld")
    before = (host.store / "domains/autoconfig.server.tld/pubcert.pem").read_bytes()
    host.renew("autoconfig.server.tld")
    result = host.done("server.tld")
    assert (result["changed"], result["reloaded"], result["changed_files"]) == (True, True, [])
    assert (host.store / "domains/autoconfig.server.tld/pubcert.pem").read_bytes() != before
    host.serves(*names("server.tld"))


def test_check_mode_and_the_rehearsal_contact_nobody_and_leave_no_trace(host: Host) -> None:
    asked = host.pebble.directory_requests()
    result = host.playbook.module(host.options("server.tld"), "--check")
    assert (result["failed"], result["changed"], result["rehearsed"]) == (False, True, True), result
    assert [order["state"] for order in result["certificate_orders"]] == ["ordered"]
    assert (host.pebble.directory_requests(), host.store.exists()) == (asked, False)
    host.done("server.tld")
    assert host.pebble.directory_requests() > asked
    # With the module on, the twin's Apache starts with the store of the host before its eyes.
    before = tree(host.store)
    host.pebble.lead(names("new.tld"))
    result = host.playbook.module(host.options("server.tld", "new.tld"), "--check")
    assert (result["failed"], result["changed"], result["rehearsed"]) == (False, True, True), result
    assert tree(host.store) == before


def test_from_found_to_mod_md_and_back_https_goes_on(host: Host, authority: Authority) -> None:
    live = host.apache.directory / "live/server.tld"
    authority.issue(live, names("server.tld"))
    pattern = f"{host.apache.directory}/live/{{domain}}"
    pair = {"certificate_file": f"{pattern}/fullchain.pem", "certificate_key_file": f"{pattern}/privkey.pem"}
    host.done("server.tld", certificates="found", **pair)
    ports = {"http": host.apache.http_port, "https": host.apache.https_port}
    found = Client("127.0.0.1", authority.certificate, ports)
    assert found.request(f"https://autoconfig.server.tld{CONFIG}").status == 200
    # While mod_md has none, the certificate of before serves.
    host.pebble.stop()
    host.run("server.tld", acme_wait_seconds=1, **pair)
    assert found.request(f"https://autoconfig.server.tld{CONFIG}").status == 200
    host.pebble.start()
    host.done("server.tld", **pair)
    host.serves(*names("server.tld"))
    host.done("server.tld", certificates="given", **pair)
    assert found.request(f"https://autoconfig.server.tld{CONFIG}").status == 200


def test_what_mod_md_has_ordered_is_found_without_it(host: Host) -> None:
    host.done("server.tld")
    host.done("server.tld", certificates="found")
    host.serves(*names("server.tld"))
    host.apache.command("a2dismod", "-q", "md")
    host.apache.stop()
    host.apache.start()
    host.done("server.tld", certificates="found")
    host.serves(*names("server.tld"))
    assert not (host.apache.config_directory / "mods-enabled/md.load").exists()


def test_after_a_change_of_the_authority_it_is_told_how_to_get_its_certificates(host: Host) -> None:
    name = "autoconfig.server.tld"
    certificate = host.store / "domains" / name / "pubcert.pem"

    def told(result: dict[str, Any]) -> list[str]:
        return [line for line in result["warnings"] if "mod_md goes on with the certificates of" in line]

    assert told(host.done("server.tld")) == []
    before, other = certificate.read_bytes(), f"{host.pebble.url}?other"
    (line,) = told(host.done("server.tld", acme_directory=other))
    assert f"of {host.pebble.url} for {name} until" in line
    assert certificate.read_bytes() == before
    for part in ("domains", "staging"):
        assert f"{host.store}/{part}" in line
        shutil.rmtree(host.store / part / name, ignore_errors=True)
    assert told(host.done("server.tld", acme_directory=other)) == []
    assert certificate.read_bytes() != before
    host.serves(*names("server.tld"))


@pytest.mark.parametrize(("command", "name"), [("a2dismod", "md"), ("a2disconf", "autoconfig.server.tld-certificates")])
def test_apache_starts_without_mod_md_and_without_what_tells_it_of_the_names(host: Host, command: str, name: str) -> None:
    host.done("server.tld")
    host.apache.command(command, "-q", name)
    host.apache.stop()
    host.apache.start()
    # The virtual host is not there, but Apache is; the next run switches it on again.
    host.done("server.tld")
    host.serves(*names("server.tld"))


def test_apache_starts_where_mod_md_is_not_told_of_a_site_any_more(host: Host) -> None:
    """As a run leaves it that is killed while a customer goes: what tells mod_md is written before the sites."""
    host.pebble.lead(names("other.tld"))
    host.done("server.tld", "other.tld")
    site = host.apache.config_directory / "sites-available/autoconfig.other.tld-ssl.conf"
    text = site.read_text()
    host.done("server.tld", allow_removal=True)
    assert not site.exists()
    host.apache.add_site(site.stem, text)
    host.apache.stop()
    host.apache.start()
    host.serves(*names("server.tld"))


def test_sites_may_be_read_before_what_tells_mod_md_of_the_names(host: Host) -> None:
    main = host.apache.config_directory / "apache2.conf"
    lines = main.read_text().splitlines()
    (snippets,) = (line for line in lines if line.startswith("IncludeOptional conf-enabled"))
    lines.remove(snippets)
    main.write_text("\n".join([*lines, snippets, ""]))
    host.apache.reload()
    for challenge in ("tls-alpn-01", "http-01"):
        host.done("server.tld", acme_challenges=[challenge])
        host.serves(*names("server.tld"))


def test_what_others_want_of_mod_md_for_the_whole_server_keeps_nobody_from_the_settings(host: Host) -> None:
    wishes = ("RequireHttps permanent", "RenewMode manual", "MustStaple on", "PrivateKeys secp256r1", "BaseServer on")
    (host.apache.config_directory / "conf-enabled/md.conf").write_text(
        "".join(["<IfModule md_module>\n", *(f"MD{wish}\n" for wish in wishes), "</IfModule>\n"])
        + "<Location /.well-known/acme-challenge>\nRequire all denied\n</Location>\n"
    )
    host.apache.reload()
    host.pebble.stop()
    host.run("server.tld", acme_wait_seconds=1)
    host.over_http(*names("server.tld"))
    host.pebble.start()
    host.done("server.tld")
    host.serves(*names("server.tld"))


def test_names_that_another_file_has_managed_are_refused(host: Host) -> None:
    other = host.apache.config_directory / "conf-enabled/md.conf"
    other.write_text("<IfModule md_module>\nMDomain shop.tld autodiscover.server.tld\n</IfModule>\n")
    before = tree(host.apache.config_directory)
    result = host.run("server.tld")
    assert result["problems"] == [
        f"certificates: {other}:2 has autodiscover.server.tld managed by mod_md already: take it out there, or leave "
        "certificates at found"
    ]
    assert tree(host.apache.config_directory) == before


def test_a_customer_that_leaves_takes_only_its_own(host: Host) -> None:
    host.pebble.lead(names("other.tld"))
    providers = [{"domains": [domain], **SERVERS} for domain in ("server.tld", "other.tld")]
    host.done(providers=providers)
    gone = host.run(providers=providers[:1], state="absent")
    assert (gone["failed"], gone["certificates_managed"]) == (False, True), gone
    host.serves(*names("other.tld"))
    assert not host.run(providers=providers[1:])["changed"]
    gone = host.run(providers=providers[1:], state="absent")
    assert (gone["failed"], gone["certificates_managed"]) == (False, False), gone
    assert list((host.apache.config_directory / "conf-enabled").glob("*-certificates.conf")) == []
