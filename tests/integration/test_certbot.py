"""Certificates that certbot orders: the real one against a real authority, Pebble, which validates over HTTP."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Playbook, need
from tests.integration.conftest import until
from tests.integration.test_acme import Host, names
from tools.certificates import Authority
from tools.http_client import Client
from tools.pebble import PROGRAMS, Pebble
from tools.private_apache import PrivateApache, free_ports

NAMES = names("server.tld")


class CertbotHost(Host):
    """The same, whose certificates certbot orders."""

    def __init__(self, directory: Path, apache: PrivateApache, pebble: Pebble) -> None:
        super().__init__(directory, apache, pebble)
        self.directory = directory / "letsencrypt"

    def options(self, *domains: str, **options: Any) -> dict[str, Any]:
        return super().options(*domains, **{"certificates": "certbot", "certbot_directory": str(self.directory), **options})

    def certbot(self, *arguments: str) -> str:
        """What certbot says, as the administrator or a timer would run it."""
        places = ("--config-dir", self.directory, "--work-dir", self.directory / "work", "--logs-dir", self.directory / "logs")
        command = [*self.pebble.asking_it(), "certbot", *arguments, "--non-interactive", *map(str, places)]
        environment = {**os.environ, **self.apache.environment, "REQUESTS_CA_BUNDLE": str(self.pebble.ca_file)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def asked(self) -> int:
        """How often certbot was called, by its log."""
        logs = self.directory.glob("logs/letsencrypt.log*")
        return sum(log.read_text().count("certbot version: ") for log in logs)

    def chain(self, lineage: str) -> Path:
        return self.directory / "live" / lineage / "fullchain.pem"

    def has(self, lineage: str) -> bytes:
        """The certificate (DER) of a lineage."""
        return ssl.PEM_cert_to_DER_cert(self.chain(lineage).read_text().partition("\n\n")[0])

    def shows(self, name: str) -> bytes:
        """The certificate (DER) that a host shows."""
        context = ssl.create_default_context(cafile=str(self.pebble.root()))
        with (
            socket.create_connection(("127.0.0.1", self.apache.https_port), 10) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            return connection.getpeercert(binary_form=True) or b""

    @staticmethod
    def states(result: dict[str, Any]) -> dict[str, str]:
        return {order["domain"]: order["state"] for order in result["certificate_orders"]}


@pytest.fixture
def certbot_host(tmp_path: Path, apache: PrivateApache) -> Iterator[CertbotHost]:
    need(*PROGRAMS, "certbot")
    if os.geteuid() != 0:
        pytest.skip("a name server on port 53, and a resolv.conf of one's own, need root")
    # It takes all nonces, because the tests count how often certbot is called.
    with Pebble(tmp_path / "pebble", apache.http_port, apache.https_port, bad_nonces=0) as pebble:
        pebble.lead(NAMES)
        yield CertbotHost(tmp_path, apache, pebble)


@pytest.fixture
def host(certbot_host: CertbotHost) -> CertbotHost:
    return certbot_host


def web_site(host: CertbotHost) -> dict[str, bytes]:
    """A lineage that somebody else has, server.tld with www; its files, by path."""
    host.pebble.lead(["server.tld", "www.server.tld"])
    root = host.apache.directory / "var/www/site"
    root.mkdir()
    host.apache.add_site(
        "000-site",
        f"<VirtualHost *:{host.apache.http_port}>\nServerName server.tld\nServerAlias www.server.tld\nDocumentRoot {root}\n"
        f"<Directory {root}>\nRequire all granted\n</Directory>\n</VirtualHost>\n",
    )
    host.apache.reload()
    host.certbot(
        *("certonly", "--webroot", "-w", str(root), "--cert-name", "server.tld", "-d", "server.tld", "-d", "www.server.tld"),
        *("--agree-tos", "-m", "admin@server.tld", "--server", host.pebble.url),
    )
    return lineage(host, "server.tld")


def lineage(host: CertbotHost, name: str) -> dict[str, bytes]:
    files = [*host.directory.glob(f"*/{name}/*"), host.directory / "renewal" / f"{name}.conf"]
    return {str(path): path.read_bytes() for path in files}


def test_a_bare_apache_comes_to_https_in_one_run_beside_the_lineage_of_a_web_site(host: CertbotHost) -> None:
    theirs = web_site(host)
    assert len(theirs) >= 9
    asked = host.asked()
    result = host.run("server.tld")
    assert (result["failed"], result["changed"], result["reloaded"]) == (False, True, True), result
    host.serves(*NAMES)
    (order,) = result["certificate_orders"]
    assert (order["state"], order["names"]) == ("there", NAMES)
    assert {entry["reason"] for entry in result["certificate_names"]} == {"certbot orders and renews it"}
    assert {entry["certificate_file"] for entry in result["certificate_names"]} == {str(host.chain("autoconfig.server.tld"))}
    assert (host.asked(), lineage(host, "server.tld")) == (asked + 1, theirs)
    # certbot's own timer looks elsewhere.
    assert any("runs certbot renew" in line for line in result["warnings"])
    again = host.run("server.tld")
    assert (again["changed"], again["reloaded"], again["failed"]) == (False, False, False), again
    assert host.asked() == asked + 1


def test_customers_come_and_one_without_dns_fails_alone(host: CertbotHost) -> None:
    host.pebble.lead(["autoconfig.half.tld", *names("new.tld")])
    host.pebble.lead(["autodiscover.half.tld"], "192.0.2.7")
    domains = ("server.tld", "new.tld", "dead.tld", "half.tld")
    result = host.done(*domains)
    host.serves(*names("server.tld", "new.tld"), "autoconfig.half.tld")
    host.over_http(*names("dead.tld"), "autodiscover.half.tld")
    assert host.states(result) == {"server.tld": "there", "new.tld": "there", "half.tld": "there"}
    why = {entry["name"]: entry["reason"] for entry in result["certificate_names"]}
    assert why["autodiscover.half.tld"] == "not ordered: it leads to 192.0.2.7, which is not this host"
    assert why["autoconfig.dead.tld"].startswith("not ordered: it ")
    asked, others = host.asked(), lineage(host, "autoconfig.new.tld")
    # Whose record comes later gets a certificate for both names; the lineage stays the same one.
    host.pebble.forget(["autodiscover.half.tld"])
    host.pebble.lead(["autodiscover.half.tld"])
    host.done(*domains)
    host.serves(*names("server.tld", "new.tld", "half.tld"))
    assert (host.asked(), lineage(host, "autoconfig.new.tld")) == (asked + 1, others)
    assert sorted(path.name for path in host.directory.glob("live/*/")) == [
        *("autoconfig.half.tld", "autoconfig.new.tld", "autoconfig.server.tld")
    ]


def test_while_the_authority_is_down_http_goes_on_and_the_next_run_too(host: CertbotHost) -> None:
    host.pebble.lead(names("new.tld"))
    host.pebble.stop()
    result = host.run("server.tld", "new.tld")
    assert (result["failed"], host.asked()) == (False, 1), result
    assert host.states(result)["server.tld"] == "failed"
    host.over_http(*names("server.tld", "new.tld"))
    assert any(
        "certbot has no certificate for server.tld: " in line and "next run tries again" in line for line in result["warnings"]
    )
    host.pebble.start()
    host.done("server.tld", "new.tld")
    host.serves(*names("server.tld", "new.tld"))


def test_what_the_authority_refuses_is_told_in_its_words_and_not_asked_again_at_once(host: CertbotHost, tmp_path: Path) -> None:
    # It asks at a port where nobody is, as if a firewall stood in between.
    with Pebble(tmp_path / "walled", free_ports(1)[0], bad_nonces=0) as walled:
        walled.lead(names("server.tld"))
        host.playbook = Playbook(tmp_path, host.apache.environment, walled.asking_it())
        given = {"acme_directory": walled.url, "acme_ca_file": str(walled.ca_file)}
        first = host.run("server.tld", **given)
        second = host.run("server.tld", **given)
    (order,) = first["certificate_orders"]
    assert (first["failed"], order["state"]) == (False, "failed"), first
    assert "autoconfig.server.tld: " in order["reason"]
    assert "connection refused" in order["reason"]
    assert order["next"]
    host.over_http(*names("server.tld"))
    assert (second["failed"], second["changed"], second["certificate_orders"]) == (False, False, [order]), second
    assert host.asked() == 1
    # Another authority has not counted it.
    host.playbook = Playbook(tmp_path, host.apache.environment, host.pebble.asking_it())
    host.done("server.tld")
    host.serves(*NAMES)
    assert not (host.apache.state_directory / "failed-orders.json").exists()


def test_nonces_that_are_no_good_keep_nobody_without_a_certificate(host: CertbotHost, tmp_path: Path) -> None:
    """certbot ends at the second one in a row, which is no refusal. Its first call is sent to an authority that takes none."""
    with Pebble(tmp_path / "moody", host.apache.http_port, bad_nonces=100) as moody:
        bundle = tmp_path / "bundle.pem"
        bundle.write_bytes(host.pebble.ca_file.read_bytes() + moody.ca_file.read_bytes())
        program = tmp_path / "bin/certbot"
        program.parent.mkdir()
        program.write_text(
            "#!/usr/bin/python3\nimport os, sys\n"
            f"first, called = sys.argv[1:], {str(tmp_path / 'called')!r}\n"
            "if not os.path.exists(called):\n"
            "    open(called, 'w').close()\n"
            f"    first = [{moody.url!r} if word == {host.pebble.url!r} else word for word in first]\n"
            f"os.execv({shutil.which('certbot')!r}, ['certbot', *first])\n"
        )
        program.chmod(0o755)
        environment = {**host.apache.environment, "PATH": f"{program.parent}:{host.apache.environment['PATH']}"}
        host.playbook = Playbook(tmp_path, environment, host.pebble.asking_it())
        result = host.run("server.tld", acme_ca_file=str(bundle))
    logs = "".join(log.read_text() for log in host.directory.glob("logs/letsencrypt.log*"))
    assert logs.count("urn:ietf:params:acme:error:badNonce") >= 2
    assert (host.asked(), host.states(result)) == (2, {"server.tld": "there"})
    host.serves(*NAMES)
    assert not host.run("server.tld", acme_ca_file=str(bundle))["changed"]


def test_a_renewal_is_served_through_the_hook(host: CertbotHost) -> None:
    host.done("server.tld")
    before = host.shows(NAMES[0])
    generation = host.apache.generation()
    host.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
    until(lambda: host.shows(NAMES[0]) != before)
    assert host.apache.generation() != generation
    assert host.shows(NAMES[0]) == host.has("autoconfig.server.tld")
    host.serves(*NAMES)
    assert not host.run("server.tld")["changed"]
    # What somebody else has broken is not for a renewal to bring down.
    broken = host.apache.config_directory / "conf-enabled/broken.conf"
    broken.write_text("Nonsense\n")
    generation = host.apache.generation()
    host.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
    assert host.apache.generation() == generation
    broken.unlink()
    assert host.run("server.tld")["reloaded"]
    host.serves(*NAMES)


def test_a_lineage_whose_own_file_is_half_written_gives_way_to_one_that_is_renewed(host: CertbotHost) -> None:
    host.done("server.tld")
    file = host.directory / "renewal/autoconfig.server.tld.conf"
    # certbot writes it anew at each renewal; what a full disk leaves of it is no lineage for certbot.
    file.write_text(file.read_text().partition("privkey")[0])
    assert "The following renewal configurations were invalid" in host.certbot("certificates")
    result = host.done("server.tld")
    host.serves(*NAMES)
    assert host.shows(NAMES[0]) == host.has("autoconfig.server.tld-mail_autoconfig")
    (told,) = result["certificates_obsolete"]
    assert (told["certificate_file"], told["delete_command"]) == (str(host.chain("autoconfig.server.tld")), "")
    before = host.shows(NAMES[0])
    lineage = "autoconfig.server.tld-mail_autoconfig"
    host.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", lineage)
    until(lambda: host.shows(NAMES[0]) != before)
    until(lambda: host.shows(NAMES[0]) == host.has("autoconfig.server.tld-mail_autoconfig"))
    assert not host.run("server.tld")["changed"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_while_certbot_orders_leaves_http_and_the_next_one_goes_on(
    host: CertbotHost, number: signal.Signals
) -> None:
    host.pebble.pause()
    process = host.started("server.tld")
    until(lambda: host.asked() == 1)
    process.send_signal(number)
    process.wait()
    host.over_http(*NAMES)
    # Killed, it cannot end certbot, which goes on as soon as there is an answer; one more waits for it.
    host.pebble.resume()
    host.done("server.tld")
    host.serves(*NAMES)
    assert [path.name for path in host.directory.glob("live/*/")] == ["autoconfig.server.tld"]


def test_what_any_certificate_names_is_not_ordered(host: CertbotHost, authority: Authority) -> None:
    authority.issue(host.directory / "live/everything", ["shop.tld", "*.server.tld"])
    result = host.done("server.tld")
    assert {entry["reason"] for entry in result["certificate_names"]} == {"certbot, by a wildcard"}
    assert (result["certificate_orders"], host.asked()) == ([], 0)


def test_a_certbot_that_knows_no_profiles_is_told_of(host: CertbotHost) -> None:
    version = host.certbot("--version")
    if int(version.split()[1].partition(".")[0]) >= 4:
        pytest.skip("this certbot knows profiles")
    result = host.run("server.tld", acme_profile="tlsserver")
    assert result["problems"] == [
        "acme_profile: this certbot is older than 4.0 and knows no profiles; leave it out, or install a newer one"
    ]
    assert host.asked() == 0


MAIL = {"certificate_extra_names": ["mail.{domain}"]}


def named(result: dict[str, Any], name: str) -> dict[str, Any]:
    """What the result tells of the certificate of a name."""
    (entry,) = [entry for entry in result["certificate_names"] if entry["name"] == name]
    return entry


def test_the_mail_servers_name_is_in_the_lineage_and_is_renewed_with_it(host: CertbotHost) -> None:
    host.pebble.lead(["mail.server.tld"])
    # The name comes to the default of the port, where people go on finding what they did.
    host.apache.add_site("000-default", f"<VirtualHost *:{host.apache.http_port}>\nRedirectMatch 410 ^/\n</VirtualHost>\n")
    host.apache.reload()
    result = host.done("server.tld", **MAIL)
    host.serves(*NAMES)
    chain = host.chain("autoconfig.server.tld")
    assert named(result, "mail.server.tld")["certificate_file"] == str(chain)
    assert [order["names"] for order in result["certificate_orders"]] == [[*NAMES, "mail.server.tld"]]
    client = Client("127.0.0.1", host.pebble.ca_file, {"http": host.apache.http_port})
    assert client.request("http://mail.server.tld/").status == 410
    before = chain.read_text()
    host.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
    assert chain.read_text() != before
    assert not host.run("server.tld", **MAIL)["changed"]
    # What is not wanted any more leaves the lineage, which stays ours.
    asked = host.asked()
    left = host.done("server.tld")
    assert (host.asked(), [order["names"] for order in left["certificate_orders"]]) == (asked + 1, [NAMES])
    assert sorted(path.name for path in host.directory.glob("live/*/")) == ["autoconfig.server.tld"]
    assert not list((host.apache.config_directory / "conf-enabled").glob("*-challenges.conf"))
    host.serves(*NAMES)


def test_a_name_joins_the_lineage_that_is_there_and_one_that_leads_elsewhere_keeps_no_other(host: CertbotHost) -> None:
    host.done("server.tld")
    asked = host.asked()
    host.pebble.lead(["mail.server.tld"], "192.0.2.7")
    result = host.done("server.tld", **MAIL)
    assert named(result, "mail.server.tld")["reason"] == "not ordered: it leads to 192.0.2.7, which is not this host"
    assert host.asked() == asked
    host.pebble.forget(["mail.server.tld"])
    host.pebble.lead(["mail.server.tld"])
    result = host.done("server.tld", **MAIL)
    assert named(result, "mail.server.tld")["certificate_file"] == str(host.chain("autoconfig.server.tld"))
    assert host.asked() == asked + 1


def test_what_somebody_else_answers_for_is_left_to_him(host: CertbotHost) -> None:
    theirs = web_site(host)
    asked = host.asked()
    options = {"certificate_extra_names": ["{domain}", "www.{domain}", "mail.{domain}"]}
    host.pebble.lead(["mail.server.tld"])
    result = host.done("server.tld", **options)
    site = str(host.apache.config_directory / "sites-enabled/000-site.conf")
    for name in ("server.tld", "www.server.tld"):
        reason = named(result, name)["reason"]
        assert reason.startswith(f"not ordered: the site at {site}:1 has it on port {host.apache.http_port}"), reason
    assert [order["names"] for order in result["certificate_orders"]] == [[*NAMES, "mail.server.tld"]]
    assert [
        line for line in result["warnings"] if "no certificate is ordered for server.tld, www.server.tld: the site at" in line
    ]
    # Without that site, the lineage is there still.
    host.apache.command("a2dissite", "-q", "000-site")
    host.apache.reload()
    result = host.done("server.tld", **options)
    assert named(result, "server.tld")["reason"].startswith("not ordered: certbot has it in its lineage server.tld, which")
    assert (host.asked(), lineage(host, "server.tld")) == (asked + 1, theirs)


def test_check_mode_tells_what_is_ordered_and_orders_nothing(host: CertbotHost) -> None:
    host.done("server.tld", certificates="found", https=True)
    result = host.playbook.module(host.options("server.tld"), "--check")
    assert (result["failed"], result["changed"], host.states(result)) == (False, True, {"server.tld": "ordered"}), result
    assert not host.directory.exists()


def test_who_leaves_is_told_how_to_delete_the_lineage(host: CertbotHost) -> None:
    host.pebble.lead(names("other.tld"))
    host.done("server.tld", "other.tld")
    result = host.run("server.tld", removed_domains=["other.tld"])
    (left,) = result["certificates_obsolete"]
    assert left["certificate_file"] == str(host.chain("autoconfig.other.tld"))
    assert left["delete_command"] == f"certbot delete --cert-name autoconfig.other.tld --config-dir {host.directory}"
    host.certbot(*shlex.split(left["delete_command"])[1:4])
    assert host.run("server.tld")["certificates_obsolete"] == []
    host.serves(*NAMES)
    gone = host.run("server.tld", state="absent")
    assert [entry["certificate_file"] for entry in gone["certificates_obsolete"]] == [str(host.chain("autoconfig.server.tld"))]
    assert host.chain("autoconfig.server.tld").exists()
    assert list(host.apache.state_directory.iterdir()) == []
