"""Beside what others have on the same Apache: nothing of it is taken away, and what cannot go well is refused or put back."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CACHE, Playbook
from tools.certificates import Authority
from tools.http_client import Client
from tools.private_apache import PrivateApache

from .conftest import client_of, unverified

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
    """A run that must fail and leave everything as it was, Apache's process and all; its result."""
    before = (files(apache), apache.generation())
    result = playbook.module({**apache.module_options(), "domain": "server.tld", **options})
    assert result["failed"], result
    assert (files(apache), apache.generation()) == before
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
    assert status(client, "shop.tld") == 410
    # In the rehearsal it is seen without any of that.
    living = apache.generation()
    assert "nothing was changed" in playbook.module(options)["msg"]
    assert apache.generation() == living


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
        # Ours was put back, but their site answers otherwise than before.
        assert result["rolled_back"] is False
        assert "somebody had changed their files and not reloaded Apache: run again" in result["msg"]
    assert not playbook.module(options)["failed"]
    assert (status(client, "autoconfig.server.tld"), status(client, "shop.tld"), status(client, "000-own.tld")) == (200, 302, 410)


# -- what others have left behind ---------------------------------------------------------------------------------------


LITERAL = """\
<VirtualHost *:{port}>
ServerName shop.example
SSLEngine on
SSLCertificateFile {directory}/shop/fullchain.pem
SSLCertificateKeyFile {directory}/shop/privkey.pem
Redirect gone /
</VirtualHost>
"""
WRITTEN = {
    "as it is": LITERAL,
    "with a variable": f"Define LIVE {{directory}}/shop\n{LITERAL}".replace("{directory}/shop/", "${{LIVE}}/"),
    "by a macro": (f"<Macro Shop $name>\n{LITERAL}</Macro>\nUse Shop shop\nUndefMacro Shop\n".replace("/shop/", "/$name/")),
    "by an include": LITERAL.replace("SSLCertificateFile", "Include {directory}/shop/pair.conf\n#").replace(
        "SSLCertificateKeyFile", "#"
    ),
    "relative to the root": f"ServerRoot {{directory}}\n{LITERAL}".replace("File {directory}/", "File "),
}


def another_key(apache: PrivateApache) -> None:
    (apache.directory / "other/privkey.pem").replace(apache.directory / "shop/privkey.pem")


def no_certificate(apache: PrivateApache) -> None:
    (apache.directory / "shop/fullchain.pem").write_text("half a fi")


def a_key_with_a_passphrase(apache: PrivateApache) -> None:
    key = str(apache.directory / "shop/privkey.pem")
    time.sleep(1.1)  # behind Apache's start also where times have only whole seconds
    subprocess.run(["openssl", "rsa", "-aes128", "-passout", "pass:x", "-in", key, "-out", key], check=True, capture_output=True)


def no_key(apache: PrivateApache) -> None:
    (apache.directory / "shop/privkey.pem").unlink()


def no_directory_for_the_log(apache: PrivateApache) -> None:
    (apache.directory / "shop/log").rmdir()


def a_fault_in_the_text(apache: PrivateApache) -> None:
    (apache.config_directory / "sites-available/shop.example.conf").write_text("Nonsense on\n")


@pytest.fixture
def shop(request: pytest.FixtureRequest, apache: PrivateApache, authority: Authority) -> PrivateApache:
    """An Apache with a site of somebody else that has a certificate of its own."""
    for directory in ("shop", "other"):
        authority.issue(apache.directory / directory, ["shop.example"])
    pair = LITERAL.splitlines()[3:5]
    (apache.directory / "shop/pair.conf").write_text("\n".join(pair).format(directory=apache.directory))
    (apache.directory / "shop/log").mkdir()
    for module in ("ssl", "macro"):
        apache.command("a2enmod", "-q", module)
    own_site(apache, "logging.example", f'CustomLog "{apache.directory}/shop/log/access.log" "%h"')
    text = WRITTEN[getattr(request, "param", "as it is")]
    apache.add_site("shop.example", text.format(port=apache.https_port, directory=apache.directory))
    apache.reload()
    (apache.directory / "shop/log/access.log").unlink()
    return apache


@pytest.mark.parametrize(
    ("fault", "rehearse"),
    [
        *((fault, True) for fault in (another_key, no_key, a_fault_in_the_text)),
        # With a passphrase Apache waits in the rehearsal as well, until that is given up.
        *((fault, False) for fault in (another_key, no_certificate, a_key_with_a_passphrase, no_key, no_directory_for_the_log)),
    ],
)
def test_a_reload_that_would_end_apache_for_what_somebody_else_has_done_is_not_tried(
    shop: PrivateApache, playbook: Playbook, client: Client, fault: Callable[[PrivateApache], None], rehearse: bool
) -> None:
    """Apache goes on running with a key that was replaced by a wrong one, until somebody reloads it: that must not be us."""
    fault(shop)
    before = (files(shop), shop.generation())
    options = {**shop.module_options(), "domain": "server.tld", "rehearse": rehearse}
    for arguments in (["--check"], []):
        result = playbook.module(options, *arguments)
        assert result["failed"], result
        assert "configuration is broken already, before any change of ours" in result["msg"]
        assert "shop" in result["details"]
        assert (files(shop), shop.generation()) == before
    assert client.request("https://shop.example/").status == 410


@pytest.mark.parametrize("shop", list(WRITTEN), indirect=True)
def test_a_wrong_key_of_somebody_else_is_seen_however_it_is_written(
    shop: PrivateApache, playbook: Playbook, client: Client
) -> None:
    assert not playbook.module({**shop.module_options(), "domain": "server.tld", "rehearse": False})["failed"]
    another_key(shop)
    result = refused(shop, playbook, domain="other.tld", rehearse=False)
    assert f"the certificate {shop.directory}/shop/fullchain.pem: the key {shop.directory}/shop/privkey.pem" in result["details"]
    assert client.request("https://shop.example/").status == 410


def test_what_others_have_changed_and_nobody_has_read_is_told_when_it_comes_live(
    apache: PrivateApache, playbook: Playbook, client: Client
) -> None:
    own_site(apache, "shop.tld", "Redirect 410 /")
    apache.reload()
    options = {**apache.module_options(), "domain": "server.tld"}
    assert not [line for line in playbook.module(options)["warnings"] if "somebody has changed" in line]
    time.sleep(1.1)
    site = apache.config_directory / "sites-available/shop.tld.conf"
    site.write_text(site.read_text().replace("410 /", "404 /old"))
    result = playbook.module({**options, "domain": "other.tld"})
    assert not result["failed"], result
    assert [line for line in result["warnings"] if "somebody has changed" in line and "shop.tld.conf" in line]
    assert client.request("http://shop.tld/old").status == 404


# -- our own certificate ------------------------------------------------------------------------------------------------


def test_a_certificate_that_was_renewed_without_a_reload_is_served_after_a_run(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority
) -> None:
    live = apache.directory / "live/server.tld"
    names = ["autoconfig.server.tld", "autodiscover.server.tld"]
    authority.issue(live, names)
    pattern = f"{apache.directory}/live/{{domain}}"
    options = {
        **apache.module_options(),
        "domain": "server.tld",
        "certificate_file": f"{pattern}/fullchain.pem",
        "certificate_key_file": f"{pattern}/privkey.pem",
    }
    assert not playbook.module(options)["failed"]
    shown = certificate_of(apache, names[0])
    time.sleep(1.1)
    authority.issue(live, names)
    assert certificate_of(apache, names[0]) == shown
    told = playbook.module(options, "--check")
    assert (told["changed"], told["needs_reload"], certificate_of(apache, names[0]) == shown) == (True, True, True)
    result = playbook.module(options)
    assert (result["changed"], result["reloaded"]) == (True, True), result
    assert [line for line in result["warnings"] if f"{live}/fullchain.pem was replaced" in line]
    assert certificate_of(apache, names[0]) != shown
    again = playbook.module(options)
    assert (again["changed"], again["needs_reload"]) == (False, False)
    assert not [line for line in again["warnings"] if "was replaced" in line]


def certificate_of(apache: PrivateApache, name: str) -> str:
    """What the host shows."""
    with unverified(apache, name) as connection:
        return hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()


# -- how it is asked ----------------------------------------------------------------------------------------------------


def test_check_mode_rehearses_well_whatever_the_umask_is(apache: PrivateApache, playbook: Playbook) -> None:
    before = os.umask(0o077)
    try:
        result = playbook.module({**apache.module_options(), "domain": "server.tld"}, "--check")
    finally:
        os.umask(before)
    assert not result["failed"], result
    assert result["rehearsed"] is (os.geteuid() == 0)
