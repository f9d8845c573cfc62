"""The module and the role against a real Apache over real HTTP and HTTPS."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CACHE, Playbook
from tools.certificates import Authority
from tools.http_client import OUTLOOK_REQUEST, Client
from tools.private_apache import PrivateApache

from .conftest import client_of, eventually

CONFIG = "/mail/config-v1.1.xml"
BODY = OUTLOOK_REQUEST.format(address="user@server.tld").encode()


def tree(directory: Path) -> dict[str, tuple[int, int, str]]:
    """Everything below a directory but logs and run files: inode, modification time and link target."""
    found = {}
    for parent, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if name not in ("log", "run", "cgisock")]
        for name in (*directories, *files):
            path = Path(parent, name)
            state = path.lstat()
            target = os.readlink(path) if path.is_symlink() else ""
            found[str(path.relative_to(directory))] = (state.st_ino, state.st_mtime_ns, target)
    return found


def contents(directory: Path) -> dict[str, Any]:
    """Everything below a directory but logs and run files, by content."""
    return {
        name: target or ((directory / name).read_bytes() if (directory / name).is_file() else "directory")
        for name, (_inode, _time, target) in tree(directory).items()
    }


def test_one_variable_over_http(apache: PrivateApache, playbook: Playbook, client: Client) -> None:
    result = playbook.module({**apache.module_options(), "domain": "server.tld"})
    assert (result["changed"], result["needs_reload"], result["reloaded"], result["apache_running"]) == (True, False, True, True)
    assert any("served over HTTP only" in warning for warning in result["warnings"])
    assert result["asked"] > 0
    answer = client.request(f"http://autoconfig.server.tld{CONFIG}?emailaddress=user%40server.tld")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert ET.fromstring(answer.body).findtext("emailProvider/incomingServer/hostname") == "mail.server.tld"
    assert client.request("http://autodiscover.server.tld/autodiscover/autodiscover.xml", "POST", BODY).status == 200


def test_role_publishes_reloads_and_then_writes_nothing(
    apache: PrivateApache, playbook: Playbook, client: Client, certificate: dict[str, str]
) -> None:
    variables = {**apache.module_options(), **certificate, "domain": "server.tld"}
    assert "changed=1" in playbook.role(variables)
    assert client.request(f"https://autoconfig.server.tld{CONFIG}").status == 200
    location = client.request(f"http://autoconfig.server.tld{CONFIG}?emailaddress=a%40b").headers["location"]
    assert location == f"https://autoconfig.server.tld:{apache.https_port}{CONFIG}?emailaddress=a%40b"
    before = tree(apache.directory)
    assert "changed=0" in playbook.role(variables)
    assert tree(apache.directory) == before


def test_check_mode_writes_nothing_and_shows_the_same_difference(
    apache: PrivateApache, playbook: Playbook, certificate: dict[str, str]
) -> None:
    options = {**apache.module_options(), **certificate, "domain": "server.tld", "well_known": True}
    before = tree(apache.directory)
    foreseen = playbook.module(options, "--check", "--diff")
    assert tree(apache.directory) == before
    assert (foreseen["rehearsed"], foreseen["needs_reload"], foreseen["reloaded"]) == (True, True, False)
    done = playbook.module(options, "--diff")
    for key in ("changed", "changed_files", "diff", "enabled", "rehearsed", "rehearsal", "urls", "dns_records"):
        assert foreseen[key] == done[key]


def test_wrong_values_are_all_named_and_nothing_is_written(apache: PrivateApache, playbook: Playbook) -> None:
    before = tree(apache.directory)
    server = {"type": "imap", "hostname": "mail..tld", "port": 99999, "socket_type": "TLS", "authentication": ["plain"]}
    result = playbook.module(
        {
            **apache.module_options(),
            "providers": [
                {"domains": ["server.tld", "two words"], "incoming": [server], "outgoing": []},
                {"domains": ["SERVER.TLD"], "incoming": [{"type": "imap", "hostname": 'a"b'}], "outgoing": [{"type": "smtp"}]},
            ],
            "certificate_file": "/nowhere/{domain}.pem",
            "server_admin": "a\nInclude /etc/passwd",
        }
    )
    assert result["failed"]
    starts = [problem.split(": ")[0] for problem in result["problems"]]
    assert sorted(starts) == [
        "certificate_key_file",
        "providers[0].domains[1]",
        "providers[0].incoming[0].authentication[0]",
        "providers[0].incoming[0].hostname",
        "providers[0].incoming[0].port",
        "providers[0].incoming[0].socket_type",
        "providers[0].outgoing",
        "providers[1].domains",
        "providers[1].incoming[0].hostname",
        "providers[1].outgoing[0].hostname",
        "server_admin",
    ]
    assert tree(apache.directory) == before


def test_a_missing_certificate_and_a_missing_apache_are_named(apache: PrivateApache, playbook: Playbook) -> None:
    given = {"certificate_file": "/nowhere/{domain}.pem", "certificate_key_file": "/nowhere/{domain}.key"}
    result = playbook.module({**apache.module_options(), **given, "domain": "server.tld"})
    assert result["problems"] == [
        "certificate_file: /nowhere/server.tld.pem does not exist on this host",
        "certificate_key_file: /nowhere/server.tld.key does not exist on this host",
    ]
    result = playbook.module({**apache.module_options(), "domain": "server.tld", "config_directory": "/nowhere"})
    assert "there is no Apache here" in result["problems"][0]


@pytest.mark.parametrize(
    "hostile",
    [
        "</VirtualHost>\nInclude /etc/passwd\n<VirtualHost *:1>",
        "<VirtualHost *:1>\n</VirtualHost>",
        "Header set X a \\",
        '"quoted" directive',
    ],
)
def test_extra_directives_cannot_leave_their_virtual_host(apache: PrivateApache, playbook: Playbook, hostile: str) -> None:
    result = playbook.module({**apache.module_options(), "domain": "server.tld", "extra_directives": hostile})
    assert result["problems"][0].startswith("extra_directives: ")


def test_texts_reach_apache_as_they_were_written(apache: PrivateApache, playbook: Playbook, client: Client) -> None:
    """The writer's quoting, judged by Apache itself: a variable set through it comes back in a header."""
    values = ["plain", "two words", 'a "quote"', "back\\slash", "end\\", "\\\\", "<tag>", "#no comment", "$1 &", "%%"]
    from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import directives as language

    lines = [f"SetEnv V{index} {language.word(value)}" for index, value in enumerate(values)]
    lines += [f'Header always set X-V{index} "%{{V{index}}}e"' for index in range(len(values))]
    options = {**apache.module_options(), "domain": "server.tld", "extra_directives": "\n".join(lines)}
    assert not playbook.module(options)["failed"]
    headers = client.request(f"http://autoconfig.server.tld{CONFIG}").headers
    assert [headers[f"x-v{index}"] for index in range(len(values))] == values


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_what_apache_refuses_is_found_in_the_rehearsal(
    apache: PrivateApache, playbook: Playbook, arguments: tuple[str, ...]
) -> None:
    before, answering = tree(apache.directory), apache.generation()
    result = playbook.module(
        {**apache.module_options(), "domain": "server.tld", "extra_directives": "NoSuchDirective on"}, *arguments
    )
    assert result["failed"]
    assert result["rolled_back"] is None
    assert "nothing was changed" in result["msg"]
    assert "NoSuchDirective" in result["msg"]
    assert (tree(apache.directory), apache.generation()) == (before, answering)


def test_without_a_rehearsal_what_apache_refuses_is_rolled_back(apache: PrivateApache, playbook: Playbook) -> None:
    before, answering = contents(apache.directory), apache.generation()
    result = playbook.module(
        {**apache.module_options(), "domain": "server.tld", "extra_directives": "NoSuchDirective on", "rehearse": False}
    )
    assert result["failed"]
    assert result["rolled_back"] is True
    assert "NoSuchDirective" in result["msg"]
    assert (contents(apache.directory), apache.generation()) == (before, answering)


def test_a_configuration_that_was_broken_before_is_not_touched(apache: PrivateApache, playbook: Playbook) -> None:
    broken = apache.config_directory / "conf-enabled/broken.conf"
    broken.write_text("Broken on\n")
    before = tree(apache.directory)
    result = playbook.module({**apache.module_options(), "domain": "server.tld"})
    assert "broken already" in result["msg"]
    assert "conf-enabled/broken.conf" in result["msg"]
    assert tree(apache.directory) == before


def test_a_foreign_file_is_refused_and_adopted_on_request(apache: PrivateApache, playbook: Playbook) -> None:
    site = apache.config_directory / "sites-available/autoconfig.server.tld.conf"
    site.write_text("# the guide's\n")
    options = {**apache.module_options(), "domain": "server.tld"}
    result = playbook.module(options)
    assert result["failed"]
    assert "adopt: true" in result["problems"][0]
    assert site.read_text() == "# the guide's\n"
    assert playbook.module({**options, "adopt": True})["changed"]
    assert site.with_name(site.name + ".before-mail_autoconfig").read_text() == "# the guide's\n"
    assert "VirtualHost" in site.read_text()


def test_a_reload_that_was_put_off_is_due_in_each_run(apache: PrivateApache, playbook: Playbook, client: Client) -> None:
    options = {**apache.module_options(), "domain": "server.tld"}
    first = playbook.module({**options, "reload": False})
    assert (first["reloaded"], first["needs_reload"], first["rehearsed"]) == (False, True, True)
    again = playbook.module({**options, "reload": False})
    assert (again["changed"], again["changed_files"], again["needs_reload"]) == (True, [], True)
    assert client.request(f"http://autoconfig.server.tld{CONFIG}").status != 200
    last = playbook.module(options)
    assert (last["changed"], last["changed_files"], last["reloaded"], last["needs_reload"]) == (True, [], True, False)
    assert client.request(f"http://autoconfig.server.tld{CONFIG}").status == 200
    assert not playbook.module(options)["changed"]


def test_an_apache_that_is_stopped_stays_so(apache: PrivateApache, playbook: Playbook, client: Client) -> None:
    apache.stop()
    options = {**apache.module_options(), "domain": "server.tld"}
    result = playbook.module(options)
    assert (result["changed"], result["apache_running"], result["reloaded"], result["asked"]) == (True, False, False, 0)
    assert any("It is not started by this run" in warning for warning in result["warnings"])
    assert not (apache.directory / "run/apache2.pid").exists()
    assert not playbook.module(options)["changed"]
    apache.start()
    assert client.request(f"http://autoconfig.server.tld{CONFIG}").status == 200


def test_further_domains_use_their_own_certificates(
    apache: PrivateApache, playbook: Playbook, client: Client, certificate: dict[str, str], authority: Authority
) -> None:
    authority.issue(apache.directory / "live/other.tld", ["autoconfig.other.tld"])
    provider = {
        "domains": ["server.tld", "other.tld", "third.tld"],
        "incoming": [{"type": "imap", "hostname": "mail.server.tld"}],
        "outgoing": [{"type": "smtp", "hostname": "mail.server.tld"}],
    }
    result = playbook.module({**apache.module_options(), **certificate, "providers": [provider]})
    assert any("autodiscover.other.tld, autoconfig.third.tld, autodiscover.third.tld" in line for line in result["warnings"])
    for host in ("autoconfig.server.tld", "autoconfig.other.tld"):
        answer = client.request(f"https://{host}{CONFIG}")
        assert answer.status == 200
        location = client.request(f"http://{host}{CONFIG}").headers["location"]
        assert location == f"https://{host}:{apache.https_port}{CONFIG}"
    for host in ("autoconfig.third.tld", "autodiscover.third.tld", "autodiscover.other.tld"):
        assert client.request(f"http://{host}{CONFIG}").status == 200


@pytest.mark.parametrize("php", ["mod_php", "fpm"])
def test_php_settings_are_sound_without_php(apache: PrivateApache, playbook: Playbook, php: str) -> None:
    assert not playbook.module({**apache.module_options(), "domain": "server.tld", "php": php})["failed"]


def test_absent_leaves_nothing_but_what_was_there(
    apache: PrivateApache, playbook: Playbook, client: Client, certificate: dict[str, str]
) -> None:
    apache.add_site("zoo", f"<VirtualHost *:{apache.http_port}>\nServerName zoo.tld\nRedirectMatch 410 .\n</VirtualHost>\n")
    before = contents(apache.directory)
    options = {**apache.module_options(), **certificate, "domain": "server.tld", "well_known": True}
    playbook.module(options)
    assert client.request("http://unknown.tld/").status == 410
    assert client.request(f"http://autoconfig.server.tld{CONFIG}").status == 302
    playbook.role({**options, "state": "absent"})
    eventually(410, client, f"http://autoconfig.server.tld{CONFIG}")
    after = contents(apache.directory)
    left = {path for path in after if path not in before}
    # Modules stay enabled, because others may use them by now; Debian's commands keep their own marks.
    assert all("mods-enabled" in path or "var/lib" in path or path == "var/www/autoconfig" for path in left)
    assert {path for path in before if path not in after} == set()
    assert playbook.module({**options, "state": "absent"})["changed"] is False


def test_a_wildcard_for_very_many_names_answers_for_them_alone(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority, certificate: dict[str, str]
) -> None:
    authority.issue(apache.directory / "live/small.tld", ["autoconfig.small.tld"])
    servers = {"incoming": [{"type": "imap", "hostname": "mail.tld"}], "outgoing": [{"type": "smtp", "hostname": "mail.tld"}]}
    large = {"domains": ["server.tld", *(f"d{number}.tld" for number in range(250))], **servers}
    small = {"domains": ["small.tld"], **servers}
    apache.add_site(
        "own", f"<VirtualHost *:{apache.http_port}>\nServerName autoconfig.own.tld\nRedirect gone /\n</VirtualHost>\n"
    )
    options = {**apache.module_options(), **certificate, "providers": [large, small]}
    assert not playbook.module(options)["failed"]
    sites = sorted(path.name for path in (apache.config_directory / "sites-enabled").iterdir())
    assert sites[-1] == "zz-zzz-autoconfig.d0.tld.conf"
    for host in ("autoconfig.d0.tld", "AUTOCONFIG.D249.tld", "autodiscover.d125.tld"):
        answer = client.request(f"http://{host}{CONFIG}")
        assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        assert client.request(f"http://{host}/").status == 404
    body = OUTLOOK_REQUEST.format(address="user@d249.tld").encode()
    answer = client.request("http://autodiscover.d249.tld/autodiscover/autodiscover.xml", "POST", body)
    assert b"<LoginName>user@d249.tld</LoginName>" in answer.body
    # The first domain has a certificate, the other provider and the site that was there have names of their own.
    assert client.request(f"http://autoconfig.server.tld{CONFIG}").status == 302
    assert "autoconfig.small.tld" in client.request(f"http://autoconfig.small.tld{CONFIG}").headers["location"]
    assert client.request(f"http://autodiscover.small.tld{CONFIG}").status == 200
    assert client.request(f"http://autoconfig.own.tld{CONFIG}").status == 410
    challenge = apache.document_root / ".well-known/acme-challenge/token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("x")
    path = f"/{challenge.relative_to(apache.document_root)}"
    assert client.request(f"http://autoconfig.d1.tld{path}").status == 200
    for host in ("autoconfig.foreign.tld", "AutoDiscover.foreign.tld", "autoconfig.d250.tld", "autoconfig.x.d1.tld"):
        for asked in (CONFIG, "/autodiscover/autodiscover.xml", path, "/"):
            for method in ("GET", "HEAD", "POST", "OPTIONS", "DELETE"):
                assert client.request(f"http://{host}{asked}", method).status == 404, (host, asked, method)
    assert not playbook.module(options)["changed"]


def test_two_roles_of_one_play_reload_each_its_own_apache(
    apache: PrivateApache, playbook: Playbook, authority: Authority, tmp_path: Path
) -> None:
    with PrivateApache(tmp_path / "second", CACHE) as second:
        roles = []
        for number, server in enumerate((apache, second)):
            options = {**server.module_options(), "domain": f"d{number}.tld"}
            variables = {f"mail_autoconfig_{key}": value for key, value in options.items()}
            roles.append({"role": "mailops.autoconfig.mail_autoconfig", "vars": variables})
        playbook.run([{"hosts": "localhost", "roles": roles}])
        for number, server in enumerate((apache, second)):
            assert not (server.state_directory / "reload-pending").exists()
            eventually(200, client_of(server, authority), f"http://autoconfig.d{number}.tld{CONFIG}")


def test_a_domains_own_site_leads_plain_requests_to_the_host_with_a_certificate(
    apache: PrivateApache, playbook: Playbook, client: Client, certificate: dict[str, str]
) -> None:
    pair = f"{apache.directory}/live/server.tld"
    sites = [
        (apache.http_port, "Redirect permanent / https://server.tld/"),
        (
            apache.https_port,
            f"SSLEngine on\nSSLCertificateFile {pair}/fullchain.pem\nSSLCertificateKeyFile {pair}/privkey.pem\nRedirect gone /",
        ),
    ]
    names = "ServerName server.tld\nServerAlias other.tld shop.tld"
    apache.command("a2enmod", "-q", "ssl")
    apache.add_site("apex", "".join(f"<VirtualHost *:{port}>\n{names}\n{lines}\n</VirtualHost>\n" for port, lines in sites))
    servers = {"incoming": [{"type": "imap", "hostname": "mail.tld"}], "outgoing": [{"type": "smtp", "hostname": "mail.tld"}]}
    options = {**apache.module_options(), **certificate, "well_known": True}
    assert not playbook.module({**options, "providers": [{"domains": ["server.tld", "other.tld"], **servers}]})["failed"]
    well_known, autodiscover = f"/.well-known/autoconfig{CONFIG}", "/autodiscover/autodiscover.xml"
    json_path = "/AutoDiscover/autodiscover.json/v1.0/a%0d%0aX-Injected:1%40server.tld"
    port = apache.https_port
    for path, target in (
        (well_known, f"autoconfig.server.tld:{port}{CONFIG}"),
        (f"{well_known}?emailaddress=user%40server.tld", f"autoconfig.server.tld:{port}{CONFIG}?emailaddress=user%40server.tld"),
        (autodiscover, f"autodiscover.server.tld:{port}{autodiscover}"),
        ("/AutoDiscover/AutoDiscover.xml", f"autodiscover.server.tld:{port}{autodiscover}"),
        (f"{json_path}?Protocol=AutodiscoverV1", f"autodiscover.server.tld:{port}{json_path}?Protocol=AutodiscoverV1"),
    ):
        for method in ("GET", "HEAD", "POST"):
            answer = client.request(f"http://server.tld{path}", method, BODY if method == "POST" else None)
            assert (answer.status, answer.headers["location"]) == (302, f"https://{target}")
            assert b"user@server.tld" not in answer.body
            assert "x-injected" not in answer.headers
    assert (
        b"<LoginName>user@server.tld</LoginName>"
        in client.request(f"https://autodiscover.server.tld{autodiscover}", "POST", BODY).body
    )
    assert b"<LoginName>user@server.tld</LoginName>" in client.request(f"https://server.tld{autodiscover}", "POST", BODY).body
    assert client.request(f"https://server.tld{well_known}").status == 200
    # No host of this domain has a certificate.
    other = OUTLOOK_REQUEST.format(address="user@other.tld").encode()
    assert b"<LoginName>user@other.tld</LoginName>" in client.request(f"http://other.tld{autodiscover}", "POST", other).body
    assert client.request(f"http://other.tld{well_known}").status == 200
    # All else is the site's.
    for url in (f"http://shop.tld{autodiscover}", "http://server.tld/autodiscover/", "http://server.tld/"):
        assert client.request(url).status == 301


@pytest.mark.parametrize("responder", ["lua", "none"])
def test_a_domains_own_site_says_nothing_of_the_settings_without_tls(
    apache: PrivateApache, playbook: Playbook, client: Client, certificate: dict[str, str], responder: str
) -> None:
    """EmailEngine and imap-autoconfig ask this way first, and believe what they are told."""
    apache.add_site("apex", f"<VirtualHost *:{apache.http_port}>\nServerName server.tld\n</VirtualHost>\n")
    options = {**apache.module_options(), **certificate, "domain": "server.tld", "well_known": True, "responder": responder}
    assert not playbook.module(options)["failed"]
    port = apache.https_port
    autoconfig = f"https://autoconfig.server.tld:{port}{CONFIG}"
    autodiscover = f"https://autodiscover.server.tld:{port}/autodiscover/autodiscover.xml"
    targets = {
        f"/.well-known/autoconfig{CONFIG}": autoconfig,
        f"//.well-known//autoconfig{CONFIG}": autoconfig,
        f"/x/../.well-known/autoconfig{CONFIG}": autoconfig,
        "/.well-known/autoconfig/mail/config%2Dv1.1.xml": autoconfig,
        "/autodiscover/autodiscover.xml": autodiscover,
        "/Autodiscover/Autodiscover.xml": autodiscover,
        "//AUTODISCOVER/autodiscover%2Exml": autodiscover,
        # No client asks so.
        f"/.well-known/autoconfig{CONFIG}/": "",
        "/autodiscover%2fautodiscover.xml": "",
        "/autodiscover/autodiscover.xml/": "",
    }
    for path, target in targets.items():
        for host in ("server.tld", "SERVER.tld.", "server.tld:80"):
            for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PROPFIND"):
                answer = client.request(f"http://{host}{path}", method, BODY if method == "POST" else None)
                assert b"mail.server.tld" not in answer.body, (host, path, method)
                assert answer.headers.get("location", "") == target, (host, path, method)
                assert (answer.status == 302) == bool(target), (host, path, method)
    # Where that leads, the settings are.
    for target in (autoconfig, autodiscover):
        assert b"mail.server.tld" in client.request(target).body


@pytest.mark.parametrize(("form", "answering"), [("own", "autodiscover.customer.tld"), ("srv", "customer.tld")])
def test_json_on_a_domains_own_site_names_a_host_that_is_there(
    apache: PrivateApache, playbook: Playbook, client: Client, form: str, answering: str
) -> None:
    servers = {"incoming": [{"type": "imap", "hostname": "mail.tld"}], "outgoing": [{"type": "smtp", "hostname": "mail.tld"}]}
    provider = {"domains": ["server.tld", "customer.tld"], **servers}
    apache.add_site("customer", f"<VirtualHost *:{apache.http_port}>\nServerName customer.tld\n</VirtualHost>\n")
    options = {"providers": [provider], "well_known": True, "dns_further_domains": form, "addresses": ["203.0.113.7"]}
    assert not playbook.module({**apache.module_options(), **options})["failed"]
    url = "http://customer.tld/autodiscover/autodiscover.json?Protocol=AutodiscoverV1&Email=user@customer.tld"
    said = json.loads(client.request(url).body)["Url"]
    assert said == f"http://{answering}:{apache.http_port}/autodiscover/autodiscover.xml"
    assert b"user@customer.tld" in client.request(said, "POST", OUTLOOK_REQUEST.format(address="user@customer.tld").encode()).body
