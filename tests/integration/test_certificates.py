"""Where certificates come from: found on the host, given, and gone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.conftest import Playbook
from tools.certificates import Authority
from tools.http_client import Client
from tools.private_apache import PrivateApache

from .test_safe_hands import CONFIG, certificate_of, published, refused

NAMES = ("autoconfig.server.tld", "autodiscover.server.tld")
SECURE = """\
<VirtualHost *:{port}>
    ServerName {name}
    SSLEngine on
    SSLCertificateFile {pair}/fullchain.pem
    SSLCertificateKeyFile {pair}/privkey.pem
    RedirectMatch 410 ^/
</VirtualHost>
"""


def secure_site(apache: PrivateApache, authority: Authority, *names: str) -> Path:
    """A site of somebody else with TLS and a certificate for these names; where that is."""
    pair = apache.directory / "theirs" / names[0]
    authority.issue(pair, names)
    apache.command("a2enmod", "-q", "ssl")
    apache.add_site(names[0], SECURE.format(port=apache.https_port, name=names[0], pair=pair))
    apache.stop()
    apache.start()
    return pair


def serving(result: dict[str, Any]) -> dict[str, str]:
    """The directory of the certificate of each host name, and where it was found."""
    found = result["certificate_names"]
    return {item["name"]: f"{Path(item['certificate_file']).parent.name}: {item['reason']}" for item in found}


def test_what_is_on_the_host_is_found_and_the_better_one_comes_in_its_place(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority
) -> None:
    theirs = secure_site(apache, authority, "shop.tld", "*.server.tld")
    first = published(apache, playbook)
    assert serving(first) == dict.fromkeys(NAMES, "shop.tld: site of others, by a wildcard")
    assert {entry["days_left"] for entry in first["certificate_names"]} == {19}
    assert [client.request(f"https://{name}{CONFIG}").status for name in NAMES] == [200, 200]
    assert first["certificates_obsolete"] == []

    ours = apache.config_directory / "md/domains/autoconfig.server.tld"
    authority.issue(ours, NAMES)
    (ours / "fullchain.pem").rename(ours / "pubcert.pem")
    second = published(apache, playbook)
    assert serving(second) == dict.fromkeys(NAMES, "autoconfig.server.tld: mod_md; 1 more would do")
    assert client.request(f"https://{NAMES[0]}{CONFIG}").status == 200
    # The shop uses it still.
    assert second["certificates_obsolete"] == []

    files = {"certificate_file": f"{theirs}/full*.pem", "certificate_key_file": f"{theirs}/privkey.pem"}
    given = published(apache, playbook, certificates="given", **files)
    assert serving(given) == dict.fromkeys(NAMES, "shop.tld: certificate_file, by a wildcard")
    left = {"certificate_file": f"{ours}/pubcert.pem", "certificate_key_file": f"{ours}/privkey.pem", "delete_command": ""}
    assert given["certificates_obsolete"] == [left]
    gone = playbook.module({**apache.module_options(), "domain": "server.tld", "state": "absent"})
    assert (gone["failed"], gone["certificates_obsolete"]) == (False, [left])
    assert (ours / "pubcert.pem").exists()


def test_a_certificate_that_is_not_for_servers_serves_nobody_and_that_is_said(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority
) -> None:
    live = apache.directory / "live"
    authority.issue(live / "people", NAMES, purpose="clientAuth,emailProtection")
    files = {"certificate_file": f"{live}/*/fullchain.pem", "certificate_key_file": f"{live}/*/privkey.pem"}
    first = published(apache, playbook, **files)
    why = f"{live}/people/fullchain.pem names it, but it is not for servers with TLS"
    assert all(reason.startswith(why) for reason in serving_nothing(first).values()), first["certificate_names"]
    assert [client.request(f"http://{name}{CONFIG}").status for name in NAMES] == [200, 200]
    (problem,) = refused(apache, playbook, **{option: path.replace("*", "people") for option, path in files.items()})["problems"]
    assert problem.startswith(f"certificate_file: {live}/people/fullchain.pem cannot serve: it is not for servers with TLS")
    authority.issue(live / "servers", NAMES)
    assert serving(published(apache, playbook, **files)) == dict.fromkeys(NAMES, "servers: certificate_file")
    assert [client.request(f"https://{name}{CONFIG}").status for name in NAMES] == [200, 200]


def test_a_certificate_of_a_company_that_says_where_its_issuer_is_serves_with_a_warning(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority
) -> None:
    live = apache.directory / "live/server.tld"
    files = {"certificate_file": f"{live}/fullchain.pem", "certificate_key_file": f"{live}/privkey.pem"}
    issuer = "authorityInfoAccess=caIssuers;URI:http://pki.invalid/ca.der\n"
    authority.issue(live, NAMES, more=issuer + "certificatePolicies=2.23.140.1.2.1\n")
    (problem,) = refused(apache, playbook, **files)["problems"]
    assert "its chain is incomplete" in problem
    authority.issue(live, NAMES, more=issuer)
    result = published(apache, playbook, **files)
    assert [line for line in result["warnings"] if line.startswith(f"{live}/fullchain.pem serves, but its issuer (mailops")]
    assert [client.request(f"https://{name}{CONFIG}").status for name in NAMES] == [200, 200]
    with (live / "fullchain.pem").open("a") as chain:
        chain.write(authority.certificate.read_text())
    assert not [line for line in published(apache, playbook, **files)["warnings"] if "serves, but" in line]


def test_a_certificate_that_is_taken_away_too_early_harms_nobody(
    apache: PrivateApache, playbook: Playbook, client: Client, certificate: dict[str, str], authority: Authority
) -> None:
    secure_site(apache, authority, "shop.tld")
    published(apache, playbook, **certificate)
    assert client.request(f"https://{NAMES[0]}{CONFIG}").status == 200

    shutil.rmtree(apache.directory / "live/server.tld")
    apache.reload()
    apache.stop()
    apache.start()
    for scheme in ("http", "https"):
        assert client.request(f"{scheme}://shop.tld/").status == (410 if scheme == "https" else 404)

    # The default pattern, because a file that is named has to be there.
    after = published(apache, playbook)
    assert serving_nothing(after) == dict.fromkeys(NAMES, "no certificate on this host names it")
    assert client.request(f"http://{NAMES[0]}{CONFIG}").status == 200
    assert client.request("https://shop.tld/").status == 410
    assert certificate_of(apache, NAMES[0]) == certificate_of(apache, "shop.tld")


def test_a_certificate_can_come_from_the_controller(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority, tmp_path: Path
) -> None:
    def content(name: str, *names: str) -> dict[str, str]:
        authority.issue(tmp_path / name, names)
        files = {"certificate_content": "fullchain.pem", "certificate_key_content": "privkey.pem"}
        return {option: (tmp_path / name / file).read_text() for option, file in files.items()}

    first, second = (content(name, *NAMES) for name in ("first", "second"))
    store = apache.state_directory / "certificates"
    done = published(apache, playbook, **first)
    assert serving(done) == dict.fromkeys(NAMES, "certificates: certificate_content")
    assert {path.stat().st_mode & 0o777 for path in store.iterdir()} == {0o600}
    assert len(list(store.iterdir())) == 2
    assert [client.request(f"https://{name}{CONFIG}").status for name in NAMES] == [200, 200]

    shown = certificate_of(apache, NAMES[0])
    given = {**apache.module_options(), "domain": "server.tld"}
    foreseen = playbook.module({**given, **second}, "--check", "--diff")
    assert (foreseen["changed"], foreseen["rehearsed"], len(list(store.iterdir()))) == (True, True, 2)
    renewed = playbook.module({**given, **second}, "--diff")
    assert (renewed["changed"], renewed["reloaded"], renewed["diff"]) == (True, True, foreseen["diff"])
    assert certificate_of(apache, NAMES[0]) != shown
    assert len(list(store.iterdir())) == 2

    for wrong, words in (
        (
            {**second, "certificate_key_content": first["certificate_key_content"]},
            "certificate_key_content does not belong to it",
        ),
        (content("shop", "shop.tld"), "is for shop.tld, and for none of autoconfig.server.tld, autodiscover.server.tld"),
    ):
        assert words in refused(apache, playbook, **wrong)["problems"][0]
    (store / next(path.name for path in store.iterdir() if path.suffix == ".key")).chmod(0o644)
    published(apache, playbook, **second)
    assert {path.stat().st_mode & 0o777 for path in store.iterdir()} == {0o600}

    gone = playbook.module({**given, "state": "absent"}, "--diff")
    assert not gone["failed"], gone
    assert not store.exists()
    secrets = [line for item in (first, second) for line in item["certificate_key_content"].splitlines()[1:-1]]
    told = repr((done, foreseen, renewed, gone)) + "".join(
        path.read_text() for path in apache.state_directory.rglob("*") if path.is_file()
    )
    assert not [line for line in secrets if line in told]


def test_no_key_from_the_controller_is_shown_by_the_role_whatever_it_is_asked(
    apache: PrivateApache, playbook: Playbook, authority: Authority, tmp_path: Path
) -> None:
    authority.issue(tmp_path / "pair", NAMES)
    key = (tmp_path / "pair/privkey.pem").read_text()
    own = {"certificate_content": (tmp_path / "pair/fullchain.pem").read_text(), "certificate_key_content": key}
    servers = {"incoming": [{"type": "imap", "hostname": "mail.tld"}], "outgoing": [{"type": "smtp", "hostname": "mail.tld"}]}
    variables = {
        **apache.module_options(),
        "providers": [{"domains": ["server.tld"], **servers, **own}],
        "setup_page": True,
        "check": True,
        "check_options": {"resolver": ["127.0.0.1:9"], "timeout": 1},
    }
    output = playbook.role(variables, "-vvvv", "--diff")
    assert "changed=1" in output
    assert "PRIVATE KEY" not in output
    assert not [line for line in key.splitlines()[1:-1] if line in output]


def serving_nothing(result: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["reason"] for item in result["certificate_names"] if "certificate_file" not in item}
