"""The role with values as they come from a command line and INI inventories: all of them strings."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import Playbook
from tools.http_client import Client
from tools.private_apache import PrivateApache

from .conftest import eventually


def given(values: dict[str, object]) -> list[str]:
    """Arguments that give the role each value as a string."""
    return [argument for name, value in values.items() for argument in ("-e", f"mail_autoconfig_{name}={value}")]


def outcomes(output: str) -> dict[str, str]:
    """What became of each task of a play, by its name without that of the role."""
    return dict(re.findall(r"TASK \[(?:\S+ : )?([^]]+)\] \**\n(\w+):", output))


def test_strings_that_mean_no_switch_nothing_on(apache: PrivateApache, playbook: Playbook, client: Client) -> None:
    values = {**apache.module_options(), "domain": "server.tld", "manage_apache": "false", "setup_page": "no", "well_known": "0"}
    for arguments in (["--check"], []):
        done = outcomes(playbook.role({}, *given(values), *arguments))
        assert done["Publish the mail settings"] == "changed"
        assert done["Prepare the host, what is published, and the setup page"] == "skipping"
    eventually(404, client, "http://autoconfig.server.tld/")
    assert not list(apache.config_directory.glob("conf-enabled/*well*"))


def test_strings_that_mean_yes_and_ports_and_lists_as_strings(apache: PrivateApache, playbook: Playbook, client: Client) -> None:
    zone_file = apache.directory / "zone"
    values = {
        **apache.module_options(),
        "domain": "server.tld",
        "setup_page": "yes",
        "https": "false",
        "listen": "127.0.0.1",
        "addresses": "192.0.2.1,192.0.2.2",
        "dns_ttl": "60",
        "dns_zone_file": zone_file,
    }
    done = outcomes(playbook.role({}, *given(values)))
    assert done["Render the setup pages"] == "ok"
    assert "Install Apache" not in done
    page = eventually(200, client, "http://autoconfig.server.tld/")
    # The page's own address: without HTTPS, and at the port that was given.
    assert f"http://autoconfig.server.tld:{apache.http_port}/mail.mobileconfig" in page.body.decode()
    site = (apache.config_directory / "sites-enabled/autoconfig.server.tld.conf").read_text()
    assert f"<VirtualHost 127.0.0.1:{apache.http_port}>" in site
    addresses = re.findall(r"^autoconfig\.server\.tld\.\s+60\s+IN\s+A\s+(\S+)$", zone_file.read_text(), re.MULTILINE)
    assert addresses == ["192.0.2.1", "192.0.2.2"]


def test_the_short_form_with_strings(apache: PrivateApache, playbook: Playbook, client: Client) -> None:
    short = {"domain": "server.tld", "mail_host": "mx.server.tld", "username": "%EMAILLOCALPART%", "pop3": "yes"}
    # The check has nobody to ask, but needs to know what it is to find.
    nobody = {"check_options": {"resolver": ["127.0.0.1:9"], "timeout": 1}, "check": True}
    options = given({**apache.module_options(), **short, "starttls": "outgoing", "setup_page": "yes"})
    assert "Check what mail clients find]" in playbook.role(nobody, *options)
    file = eventually(200, client, "http://autoconfig.server.tld/mail/config-v1.1.xml").body.decode()
    servers = re.findall(r'Server type="(.*?)">.*?<port>(.*?)<.*?<socketType>(.*?)<.*?<username>(.*?)<', file, re.DOTALL)
    assert servers == [
        ("imap", "993", "SSL", "%EMAILLOCALPART%"),
        ("pop3", "995", "SSL", "%EMAILLOCALPART%"),
        ("smtp", "587", "STARTTLS", "%EMAILLOCALPART%"),
    ]
    page = eventually(200, client, "http://autoconfig.server.tld/").body.decode()
    assert page.count("mx.server.tld") >= 3
    assert "587" in page


def test_an_apache_that_another_run_of_the_role_installs_does_not_count(apache: PrivateApache, playbook: Playbook) -> None:
    """In check mode, as the same play has registered it before."""
    values = {**apache.module_options(), "domain": "server.tld", "config_directory": f"{apache.directory}/none"}
    registered = json.dumps({f"__mail_autoconfig_{name}": {"changed": True} for name in ("install", "certbot")})
    with pytest.raises(AssertionError, match="there is no Apache here"):
        playbook.role(values, "--check", "-e", registered)


def test_misspelt_variables_end_the_run_before_anything_is_done(apache: PrivateApache, playbook: Playbook) -> None:
    """With what was meant; what a task has registered, and names of one's own, pass without being templated."""
    values = {
        **apache.module_options(),
        "domian": "other.tld",
        "setuppage": True,
        "customers": "{{ nobody_knows_this }}",
        "setup_page": True,
    }
    with pytest.raises(AssertionError) as error:
        playbook.role(values)
    told = str(error.value)
    assert "mail_autoconfig_domian: is unknown (did you mean mail_autoconfig_domain?)\n" in told
    assert "mail_autoconfig_setuppage: is unknown (did you mean mail_autoconfig_setup_page?)\n" in told
    assert "mail_autoconfig_customers: is unknown\n" in told
    assert "Render the setup pages" not in told
    assert "Publish the mail settings" not in told
    assert not list(apache.config_directory.glob("sites-*/autoconfig*"))

    own = {**apache.module_options(), "domain": "server.tld", "customers": "{{ nobody_knows_this }}"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {f"mail_autoconfig_{key}": value for key, value in own.items()},
        "tasks": [
            {"ansible.builtin.command": "true", "register": "mail_autoconfig_push"},
            {"ansible.builtin.include_role": {"name": "mailops.autoconfig.mail_autoconfig"}},
        ],
    }
    play["vars"] |= {"mail_autoconfig_own_variables": ["mail_autoconfig_customers"]}
    assert outcomes(playbook.run([play]))["Publish the mail settings"] == "changed"


def test_wrong_types_in_lists_are_told_by_the_role_with_their_places(apache: PrivateApache, playbook: Playbook) -> None:
    server = {"type": "imap", "hostname": "mail.server.tld", "port": ["993"]}
    providers = [
        {"domains": "server.tld", "incoming": [server], "outgoing": [{**server, "type": "SMTP", "port": 465}], "nam": "x"}
    ]
    with pytest.raises(AssertionError) as error:
        playbook.role({**apache.module_options(), "providers": providers})
    told = str(error.value)
    assert "Validation of arguments failed" not in told
    for line in (
        "providers[0].domains: 'server.tld' is not a list",
        "providers[0].incoming[0].port: ['993'] is not a port",
        "providers[0].outgoing[0].type: 'SMTP' is unknown (did you mean smtp?)",
        "providers[0].nam: is unknown",
    ):
        assert line in told
