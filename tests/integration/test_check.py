"""The check against what the role really publishes with a private Apache."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Playbook
from tests.unit.check.world import ADDRESS, DOMAIN, PASSWORD, Certificates, World, world
from tools.private_apache import PrivateApache


@pytest.fixture
def made(tmp_path: Path) -> Iterator[World]:
    with world(Certificates(tmp_path / "certificates")) as each:
        yield each


def published(playbook: Playbook, apache: PrivateApache, made: World, tmp_path: Path, **more: Any) -> tuple[str, dict[str, Any]]:
    """Run the role with the check at its end; its output, and what the check returned."""
    live = apache.directory / "live/server.tld"
    names = [DOMAIN, *(f"{label}.{DOMAIN}" for label in ("autoconfig", "autodiscover", "ua-auto-config"))]
    made.certificates.authority.issue(live, names)
    own_site = (
        f"<VirtualHost *:{apache.https_port}>\n    ServerName {DOMAIN}\n    SSLEngine on\n    RedirectMatch 403 ^/\n"
        f"    SSLCertificateFile {live}/fullchain.pem\n    SSLCertificateKeyFile {live}/privkey.pem\n</VirtualHost>\n"
    )
    apache.command("a2enmod", "-q", "ssl")
    apache.add_site("own", own_site)
    apache.reload()
    output = tmp_path / "checked.json"
    options = {
        **{f"mail_autoconfig_{key}": value for key, value in apache.module_options().items()},
        "mail_autoconfig_providers": [made.options],
        "mail_autoconfig_certificate_file": f"{apache.directory}/live/{{domain}}/fullchain.pem",
        "mail_autoconfig_certificate_key_file": f"{apache.directory}/live/{{domain}}/privkey.pem",
        "mail_autoconfig_addresses": ["127.0.0.1"],
        "mail_autoconfig_well_known": True,
        "mail_autoconfig_check": True,
        "mail_autoconfig_check_address": ADDRESS,
        "mail_autoconfig_check_password": PASSWORD,
        "mail_autoconfig_check_options": {
            "resolver": [f"127.0.0.1:{made.dns.port}"],
            "ports": {"53": made.dns.port},
            "ca_file": str(made.certificates.authority.certificate),
            "addresses": {f"mail.{DOMAIN}": "127.0.0.1"},
        },
        **{f"mail_autoconfig_{key}": value for key, value in more.items()},
    }
    keep = {"content": "{{ mail_autoconfig_check_result | to_json }}", "dest": str(output), "mode": "0600"}
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": options,
            "roles": [{"role": "mailops.autoconfig.mail_autoconfig"}],
            "post_tasks": [{"ansible.builtin.copy": keep}],
        }
    ]
    printed = playbook.run(play)
    return printed, dict(json.loads(output.read_text()))


def verdicts(data: dict[str, Any]) -> dict[str, str]:
    return {client["client"]: client["verdict"] for client in data["domains"][0]["clients"]}


def test_what_the_role_publishes_is_found_by_the_clients(
    playbook: Playbook, apache: PrivateApache, made: World, tmp_path: Path
) -> None:
    printed, result = published(playbook, apache, made, tmp_path)
    (data,) = result["domains"]
    assert [finding for finding in data["findings"] if finding["severity"] != "info"] == []
    assert data["verdict"] == "works"
    found = verdicts(result)
    assert {client for client, verdict in found.items() if verdict == "works"} >= {
        *("thunderbird", "k9", "outlook", "evolution", "goa", "kmail", "geary", "fairemail", "deltachat", "nextcloud"),
        *("himalaya", "snappymail"),
    }
    assert {login["outcome"] for login in (server["login"] for server in data["servers"])} == {"accepted"}
    assert sorted(made.imap.logins) == [(ADDRESS, PASSWORD)]
    assert f"{DOMAIN}: works" in printed
    assert PASSWORD not in printed
    assert PASSWORD not in json.dumps(result)


def test_pacc_is_found_too(playbook: Playbook, apache: PrivateApache, made: World, tmp_path: Path) -> None:
    made.dns.records[f"ua-auto-config.{DOMAIN}", "A"] = ["127.0.0.1"]
    _printed, result = published(playbook, apache, made, tmp_path, pacc=True)
    codes = {finding["code"] for finding in result["domains"][0]["findings"] if finding["severity"] != "info"}
    # The mail ports of the test are none that PACC can name, so that there is no document.
    assert codes == set()


def test_a_fault_is_named_and_fails_the_run(playbook: Playbook, apache: PrivateApache, made: World, tmp_path: Path) -> None:
    made.dns.records[f"autoconfig.{DOMAIN}", "A"] = []
    with pytest.raises(AssertionError, match=r"dns\.autoconfig\.missing"):
        published(playbook, apache, made, tmp_path, check_fail_on="error")
