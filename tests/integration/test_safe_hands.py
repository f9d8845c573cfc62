"""Beside what others have on the same Apache: nothing of it is taken away, and what cannot go well is refused or put back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CACHE, Playbook
from tools.certificates import Authority
from tools.http_client import Client
from tools.private_apache import PrivateApache

from .conftest import client_of

CONFIG = "/mail/config-v1.1.xml"
OWN = "<VirtualHost *:{port}>\nServerName {name}\n{lines}\n</VirtualHost>\n"


def own_site(apache: PrivateApache, name: str, lines: str, file: str = "", address: str = "*") -> None:
    """A site of somebody else on the port of HTTP."""
    text = OWN.format(port=apache.http_port, name=name, lines=lines).replace("*:", f"{address}:")
    apache.add_site(file or name, text)


def published(apache: PrivateApache, playbook: Playbook, **options: Any) -> dict[str, Any]:
    """A run that must do well, and after it one that must change nothing; the result of the first."""
    given = {**apache.module_options(), **({} if "providers" in options else {"domain": "server.tld"}), **options}
    result = playbook.module(given)
    assert not result["failed"], result
    again = playbook.module(given)
    assert (again["changed"], again["needs_reload"]) == (False, False), again
    return result


def refused(apache: PrivateApache, playbook: Playbook, **options: Any) -> dict[str, Any]:
    """A run that must fail and leave everything as it was, Apache's workers and all; its result."""
    before = (files(apache), workers(apache))
    result = playbook.module({**apache.module_options(), "domain": "server.tld", **options})
    assert result["failed"], result
    assert (files(apache), workers(apache)) == before
    return result


def files(apache: PrivateApache) -> dict[str, tuple[int, int]]:
    """Inode and time of everything but logs and run files."""
    found = {}
    for parent, directories, names in os.walk(apache.directory):
        directories[:] = [name for name in directories if name not in ("log", "run")]
        for name in names:
            state = Path(parent, name).lstat()
            found[f"{parent}/{name}"] = (state.st_ino, state.st_mtime_ns)
    return found


def workers(apache: PrivateApache) -> set[str]:
    parent = (apache.directory / "run/apache2.pid").read_text().strip()
    return set(subprocess.run(["pgrep", "-P", parent], capture_output=True, text=True, check=False).stdout.split())


def status(client: Client, host: str, path: str = CONFIG) -> int:
    return client.request(f"http://{host}{path}").status


# -- who gets unknown names ---------------------------------------------------------------------------------------------


def test_unknown_names_are_told_nothing_where_nobody_else_is_the_default(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority
) -> None:
    names = [f"{label}.server.tld" for label in ("autoconfig", "autodiscover")]
    authority.issue(apache.directory / "live/server.tld", [*names, "other.tld", "autoconfig.other.tld"])
    pattern = f"{apache.directory}/live/{{domain}}"
    published(
        apache,
        playbook,
        certificate_file=f"{pattern}/fullchain.pem",
        certificate_key_file=f"{pattern}/privkey.pem",
    )
    assert client.request(f"https://autoconfig.server.tld{CONFIG}").status == 200
    for host in ("other.tld", "autoconfig.other.tld"):
        for path in (CONFIG, "/autodiscover/autodiscover.xml", "/"):
            assert {client.request(f"{scheme}://{host}{path}").status for scheme in ("http", "https")} == {404}


def test_the_default_of_somebody_else_stays_it_whatever_its_name(
    apache: PrivateApache, playbook: Playbook, client: Client
) -> None:
    own_site(apache, "server.tld", "Redirect 410 /")
    apache.reload()
    published(apache, playbook)
    assert status(client, "autoconfig.server.tld") == 200
    assert (status(client, "server.tld"), status(client, "unknown.tld")) == (410, 410)


def test_runs_for_one_provider_after_the_other_leave_each_other_alone(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority
) -> None:
    servers = {"incoming": [{"type": "imap", "hostname": "mail.tld"}], "outgoing": [{"type": "smtp", "hostname": "mail.tld"}]}
    pattern = f"{apache.directory}/live/{{domain}}"
    pair = {"certificate_file": f"{pattern}/fullchain.pem", "certificate_key_file": f"{pattern}/privkey.pem"}
    for domain in ("b.tld", "a.tld"):
        authority.issue(apache.directory / "live" / domain, [f"autoconfig.{domain}", f"autodiscover.{domain}"])
        published(apache, playbook, providers=[{"domains": [domain], **servers}], **pair)
    options = {**apache.module_options(), **pair}
    assert not playbook.module({**options, "providers": [{"domains": ["b.tld"], **servers}]})["changed"]
    # The certificate goes with the provider, so nothing of ours may need it any more.
    gone = playbook.module({**options, "providers": [{"domains": ["b.tld"], **servers}], "state": "absent"})
    assert not gone["failed"], gone
    for file in (apache.directory / "live/b.tld").iterdir():
        file.unlink()
    apache.stop()
    apache.start()
    assert client.request(f"https://autoconfig.a.tld{CONFIG}").status == 200
    published(apache, playbook, providers=[{"domains": ["a.tld"], **servers}], **pair)
    assert status(client, "autoconfig.b.tld") == 404


# -- the guide's own site -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beside", [(), ("server.tld",), ("000-default", "server.tld")])
def test_the_guides_own_enabled_site_is_adopted(
    apache: PrivateApache, playbook: Playbook, client: Client, beside: tuple[str, ...]
) -> None:
    own_site(apache, "autoconfig.server.tld", "RedirectMatch 403 ^/")
    for name in beside:
        own_site(apache, name, "Redirect 410 /")
    apache.reload()
    assert any("autoconfig.server.tld already" in line for line in refused(apache, playbook)["problems"])
    published(apache, playbook, adopt=True)
    assert status(client, "autoconfig.server.tld") == 200
    assert {status(client, name) for name in beside} <= {410}
    # What was there is not lost, and our site needs no adoption any more.
    kept = [
        path
        for path in (apache.config_directory / "sites-available").glob("autoconfig.server.tld.conf*")
        if "RedirectMatch 403" in path.read_text()
    ]
    assert len(kept) == 1
    assert not playbook.module({**apache.module_options(), "domain": "server.tld"})["changed"]


# -- addresses ----------------------------------------------------------------------------------------------------------


def test_where_a_neighbour_has_a_fixed_address_ours_answers_there_too(
    apache: PrivateApache, playbook: Playbook, client: Client
) -> None:
    own_site(apache, "fixed.tld", "Redirect 410 /", address="127.0.0.1")
    apache.reload()
    published(apache, playbook)
    assert (status(client, "autoconfig.server.tld"), status(client, "fixed.tld"), status(client, "x.tld")) == (200, 410, 410)


def test_an_address_that_would_hide_the_sites_of_others_is_refused(apache: PrivateApache, playbook: Playbook) -> None:
    own_site(apache, "shop.tld", "Redirect 410 /")
    apache.reload()
    (problem,) = refused(apache, playbook, listen=["127.0.0.1"])["problems"]
    assert problem.startswith(f"listen: a virtual host on 127.0.0.1:{apache.http_port} takes all requests to that address")


@pytest.mark.parametrize("rehearse", [True, False])
def test_a_port_on_which_apache_does_not_listen_is_found_by_asking(
    apache: PrivateApache, playbook: Playbook, rehearse: bool
) -> None:
    port = apache.module_options()["https_port"]
    result = playbook.module(
        {**apache.module_options(), "domain": "server.tld", "http_port": port, "https_port": 1, "rehearse": rehearse}
    )
    assert result["failed"]
    assert f"nothing listens on port {port}" in result["details"]
    assert result["rolled_back"] is (None if rehearse else True)


def test_two_instances_share_neither_state_nor_documents(
    apache: PrivateApache, playbook: Playbook, authority: Authority, tmp_path: Path
) -> None:
    published(apache, playbook)
    with PrivateApache(tmp_path / "second", CACHE) as second:
        theirs = {**second.module_options(), "domain": "other.tld"}
        wrong = playbook.module({**theirs, "state_directory": str(apache.state_directory)})
        assert wrong["problems"][0].startswith(f"state_directory: {apache.state_directory} belongs to the Apache of")
        shared = playbook.module(
            {**theirs, "domain": "server.tld", "document_root": str(apache.document_root), "mail_host": "x.tld"}
        )
        assert shared["failed"], shared
        assert not playbook.module(theirs)["failed"]
        assert status(client_of(second, authority), "autoconfig.other.tld") == 200
        assert status(client_of(apache, authority), "autoconfig.server.tld") == 200
    assert not playbook.module({**apache.module_options(), "domain": "server.tld"})["changed"]


# -- what only asking tells ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rehearse", [True, False])
def test_a_redirect_of_the_whole_server_is_found_by_asking(
    apache: PrivateApache, playbook: Playbook, client: Client, rehearse: bool
) -> None:
    (apache.config_directory / "conf-enabled/all.conf").write_text("Redirect /mail https://elsewhere.tld/x\n")
    apache.reload()
    result = playbook.module({**apache.module_options(), "domain": "server.tld", "rehearse": rehearse})
    assert result["failed"]
    asked = f"GET http://autoconfig.server.tld:{apache.http_port}{CONFIG}"
    assert f"{asked}: 302 to https://elsewhere.tld/x/config-v1.1.xml, expected 200" in result["details"]
    assert result["rolled_back"] is (None if rehearse else True)
    assert not list((apache.config_directory / "sites-enabled").iterdir())
    assert status(client, "any.tld", "/mail/x") == 302


def test_without_a_rehearsal_what_ends_apache_at_the_reload_is_taken_back_and_apache_runs_again(
    apache: PrivateApache, playbook: Playbook, client: Client, certificate: dict[str, str]
) -> None:
    own_site(apache, "shop.tld", "Redirect 410 /")
    apache.command("a2enmod", "-q", "ssl")
    apache.reload()
    before = set(files(apache))
    options = {**apache.module_options(), **certificate, "domain": "server.tld", "extra_directives": "SSLProtocol -all"}
    result = playbook.module({**options, "rehearse": False})
    assert result["failed"]
    assert result["rolled_back"] is True, result
    assert "Apache ended at the reload" in result["msg"]
    assert "SSL" in result["details"]
    assert set(files(apache)) == before
    assert (status(client, "shop.tld"), workers(apache) != set()) == (410, True)
    # In the rehearsal it is seen without any of that.
    living = workers(apache)
    assert "nothing was changed" in playbook.module(options)["msg"]
    assert workers(apache) == living


# -- what others have not finished --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rehearse", [True, False])
def test_a_site_that_somebody_has_added_and_not_reloaded_is_no_fault_of_ours(
    apache: PrivateApache, playbook: Playbook, client: Client, rehearse: bool
) -> None:
    own_site(apache, "000-own.tld", "Redirect 410 /")
    apache.reload()
    own_site(apache, "shop.tld", "Redirect / https://elsewhere.tld/")
    options = {**apache.module_options(), "domain": "server.tld", "rehearse": rehearse}
    if not rehearse:
        result = playbook.module(options)
        assert result["rolled_back"] is True
        assert "somebody had changed their files and not reloaded Apache: run again" in result["msg"]
    assert not playbook.module(options)["failed"]
    assert (status(client, "autoconfig.server.tld"), status(client, "shop.tld"), status(client, "000-own.tld")) == (200, 302, 410)


# -- what others have left behind ---------------------------------------------------------------------------------------


def test_a_reload_that_would_end_apache_for_what_somebody_else_has_done_is_not_tried(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority
) -> None:
    """Apache goes on running with a key that was replaced by a wrong one, until somebody reloads it: that must not be us."""
    for directory in ("shop", "other"):
        authority.issue(apache.directory / directory, ["shop.example"])
    pair = f"SSLCertificateFile {apache.directory}/shop/fullchain.pem\nSSLCertificateKeyFile {apache.directory}/shop/privkey.pem"
    apache.command("a2enmod", "-q", "ssl")
    own_site(apache, "shop.example", f"SSLEngine on\n{pair}\nRedirect gone /")
    text = (apache.config_directory / "sites-available/shop.example.conf").read_text()
    (apache.config_directory / "sites-available/shop.example.conf").write_text(
        text.replace(f"*:{apache.http_port}", f"*:{apache.https_port}")
    )
    apache.reload()
    (apache.directory / "other/privkey.pem").replace(apache.directory / "shop/privkey.pem")
    result = refused(apache, playbook)
    assert "its configuration is broken already, before any change of ours" in result["msg"]
    assert result["rehearsed"] is True
    assert client.request("https://shop.example/").status == 410


@pytest.mark.parametrize("rehearse", [True, False])
def test_a_key_of_somebody_else_that_is_gone_does_not_end_apache(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority, rehearse: bool
) -> None:
    """Telling its virtual hosts Apache passes over it, and a reload fails: then nothing has happened yet, and must not."""
    authority.issue(apache.directory / "shop", ["shop.example"])
    pair = f"SSLCertificateFile {apache.directory}/shop/fullchain.pem\nSSLCertificateKeyFile {apache.directory}/shop/privkey.pem"
    apache.command("a2enmod", "-q", "ssl")
    own_site(apache, "shop.example", f"SSLEngine on\n{pair}\nRedirect gone /")
    site = apache.config_directory / "sites-available/shop.example.conf"
    site.write_text(site.read_text().replace(f"*:{apache.http_port}", f"*:{apache.https_port}"))
    apache.reload()
    (apache.directory / "shop/privkey.pem").unlink()
    result = refused(apache, playbook, rehearse=rehearse)
    assert "privkey.pem' does not exist or is empty" in result["msg"]
    assert client.request("https://shop.example/").status == 410


def test_check_mode_rehearses_well_whatever_the_umask_is(apache: PrivateApache, playbook: Playbook) -> None:
    before = os.umask(0o077)
    try:
        result = playbook.module({**apache.module_options(), "domain": "server.tld"}, "--check")
    finally:
        os.umask(before)
    assert not result["failed"], result
    assert result["rehearsed"] is (os.geteuid() == 0)
