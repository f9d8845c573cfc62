"""What whole hosts become, as real programs described them."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider

from tests.unit.server_info.hosts import Host, unknown

Hosts = t.Mapping[str, Host]


def test_every_usual_host_gives_the_same_provider_but_for_the_login(hosts: Hosts) -> None:
    def server(kind: str, port: int, username: str) -> dict[str, t.Any]:
        return {
            "type": kind,
            "hostname": "mail.server.tld",
            "port": port,
            "socket_type": "SSL",
            "authentication": ["password-cleartext"],
            "username": username,
        }

    for name, host in hosts.items():
        username = "%EMAILLOCALPART%" if name.startswith("stock") else "%EMAILADDRESS%"
        provider = host.result()["provider"]
        assert provider == {
            "domains": ["server.tld"],
            "incoming": [server("imap", 993, username), server("pop3", 995, username)],
            "outgoing": [server("smtp", 465, username)],
            "managesieve": {"hostname": "mail.server.tld", "port": 4190, "socket_type": "STARTTLS"},
        }, name
        assert Provider.from_dict(provider).domains == ("server.tld",)


def test_the_login_is_asked_without_a_password(hosts: Hosts) -> None:
    source = "doveadm user anna@server.tld"
    for name, format_, because in (
        ("stock-2.3", "%EMAILLOCALPART%", "Dovecot knows anna, and not anna@server.tld"),
        ("virtual-2.4", "%EMAILADDRESS%", "Dovecot knows anna@server.tld, and not anna"),
    ):
        assert hosts[name].result()["username"] == {"format": format_, "because": because, "from": source}


def test_each_service_has_its_ports_and_what_told_them(host: Host) -> None:
    services = host.result()["services"]
    assert {
        service: {(each["port"], each["socket_type"]) for each in listeners if each["port"] != 2000}
        for service, listeners in services.items()
    } == {
        "imap": {(143, "STARTTLS"), (993, "SSL")},
        "pop3": {(110, "STARTTLS"), (995, "SSL")},
        "submission": {(587, "STARTTLS"), (465, "SSL")},
        "managesieve": {(4190, "STARTTLS")},
    }
    by_port = {each["port"]: each for listeners in services.values() for each in listeners}
    assert by_port[993]["from"] == "doveconf -f protocol=imap service/imap-login"
    assert by_port[465]["from"] == "postconf -P 'submissions/inet/*'"
    assert by_port[465]["message_size_limit"] == 10240000
    assert by_port[993]["message_size_limit"] is None


def test_mechanisms_are_told_before_and_after_tls(hosts: Hosts) -> None:
    stock = {each["port"]: each for each in hosts["stock-2.4"].result()["services"]["imap"]}
    assert (stock[143]["mechanisms_before_tls"], stock[143]["mechanisms_after_tls"]) == ([], ["PLAIN"])
    virtual = {each["port"]: each for each in hosts["virtual-2.3"].result()["services"]["imap"]}
    encrypted = ["CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]
    assert virtual[143]["mechanisms_before_tls"] == encrypted
    assert virtual[143]["mechanisms_after_tls"] == virtual[993]["mechanisms_after_tls"] == ["PLAIN", "LOGIN", *encrypted]


def test_certificates_are_named_with_their_names_and_those_for_single_hosts(hosts: Hosts, live: Path) -> None:
    for name in ("virtual-2.3", "virtual-2.4"):
        data = hosts[name].result()
        found = {(each["file"], tuple(each["server_names"])): each for each in data["certificates"] if "imap" in each["services"]}
        assert [each["names"] for each in found.values()] == [["mail.server.tld"]]
        (other,) = (each for each in data["certificates"] if each["server_names"])
        assert (other["server_names"], other["names"], other["from"]) == (["mail.other.tld"], ["mail.other.tld"], "doveconf -n")
        assert all(each["problem"] == "" for each in data["certificates"])
        assert f"{live}/mail.server.tld/privkey.pem" not in [each["file"] for each in data["certificates"]]


def test_what_cannot_be_listed_is_said(hosts: Hosts) -> None:
    assert unknown(hosts["virtual-2.4"].result(), "domains") == [
        "virtual_mailbox_domains: a table of the kind mysql cannot be listed, only asked: name the domains",
        "Dovecot cannot list its users: doveadm failed with status 75",
    ]
    assert unknown(hosts["stock-2.4"].result(), "domains") == []


def test_what_was_not_chosen_has_a_reason(host: Host) -> None:
    against = {each["what"]: each["why"] for each in host.result()["against"]}
    assert against["imap on port 143 (STARTTLS)"] == "imap on port 993 (SSL) is preferred"
    assert against["submission on port 587 (STARTTLS)"] == "submission on port 465 (SSL) is preferred"


def test_each_reason_says_what_told_it(host: Host) -> None:
    reasons = host.result()["reasons"]
    assert all(each["why"] and each["from"] for each in reasons)
    assert {each["what"] for each in reasons} == {
        *("incoming (imap)", "incoming (pop3)", "outgoing", "managesieve", "domains", "username")
    }


def test_what_is_given_wins(host: Host) -> None:
    provider = host.result(domains=["one.tld", "two.tld"], hostname="mx.one.tld")["provider"]
    assert provider["domains"] == ["one.tld", "two.tld"]
    assert {each["hostname"] for each in (*provider["incoming"], *provider["outgoing"])} == {"mx.one.tld"}


@pytest.mark.parametrize("program", ["dovecot", "doveconf", "doveadm", "postconf"])
def test_without_a_program_there_is_no_provider_and_the_reason_names_it(host: Host, program: str) -> None:
    data = host.without(program).result()
    assert data["provider"] is None
    assert f"there is no {program} here" in json.dumps(data["unknown"])


def test_nothing_at_all_is_a_clear_answer() -> None:
    data = Host({}).result()
    assert data["provider"] is None
    assert data["programs"] == data["certificates"] == data["domains"] == []
    assert unknown(data, "dovecot") == ["there is no dovecot here"]
    assert unknown(data, "postfix") == ["there is no postconf here"]
    assert "neither IMAP nor POP3 is found" in unknown(data, "provider")
