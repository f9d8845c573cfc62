"""Postfix in shapes that are not the usual one."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.unit.server_info.hosts import Data, Host, unknown

# Of the services of master.cf, how -M and -P have them; the first override is that of a service for users.
AUTH = " -o smtpd_sasl_auth_enable=yes"


@pytest.fixture
def stock(hosts: t.Mapping[str, Host]) -> Host:
    return hosts["stock-2.4"]


def serving(host: Host, *services: tuple[str, str]) -> Host:
    """A Postfix with these services: the name and the overrides as one writes them in master.cf."""
    master = "smtp inet n - y - - smtpd\n" + "".join(f"{name} inet n - y - - smtpd {options}\n" for name, options in services)
    overrides = "".join(
        f"{name}/inet/{each.partition('=')[0]} = {each.partition('=')[2]}\n"
        for name, options in services
        for each in options.split()
        if each != "-o"
    )
    return host.saying("postconf -Mx", master).saying("postconf -Px", overrides)


def submission(data: Data) -> dict[int, Data]:
    return {each["port"]: each for each in data["services"]["submission"]}


@pytest.mark.parametrize(
    ("name", "port", "addresses"),
    [
        ("smtps", 465, []),
        ("submissions", 465, []),
        ("465", 465, []),
        ("submission", 587, []),
        ("10465", 10465, []),
        ("192.0.2.1:465", 465, ["192.0.2.1"]),
        ("[2001:db8::1]:submissions", 465, ["2001:db8::1"]),
    ],
)
def test_the_name_of_a_service_says_port_and_address(stock: Host, name: str, port: int, addresses: list[str]) -> None:
    data = serving(stock, (name, f"-o smtpd_tls_wrappermode=yes{AUTH}")).result()
    assert list(submission(data)) == [port]
    assert submission(data)[port]["addresses"] == addresses
    assert submission(data)[port]["from"] == f"postconf -P '{name}/inet/*'"
    outgoing = data["provider"]["outgoing"][0]
    assert (outgoing["port"], outgoing["socket_type"]) == (port, "SSL")


def test_587_alone_is_published_with_starttls(stock: Host) -> None:
    data = serving(stock, ("submission", f"-o smtpd_tls_security_level=encrypt{AUTH}")).result()
    outgoing = data["provider"]["outgoing"][0]
    assert (outgoing["port"], outgoing["socket_type"]) == (587, "STARTTLS")
    assert submission(data)[587]["mechanisms_before_tls"] == []


@pytest.mark.parametrize(
    ("overrides", "socket_type", "before"),
    [
        ("-o smtpd_tls_security_level=may", "STARTTLS", ["PLAIN"]),
        ("-o smtpd_tls_security_level=may -o smtpd_tls_auth_only=yes", "STARTTLS", []),
        ("-o smtpd_tls_security_level=may -o smtpd_sasl_security_options=noanonymous,noplaintext", "STARTTLS", []),
        ("-o smtpd_tls_security_level=none", "plain", ["PLAIN"]),
        ("-o smtpd_tls_security_level= -o smtpd_use_tls=yes", "STARTTLS", ["PLAIN"]),
        ("-o smtpd_tls_security_level= -o smtpd_enforce_tls=yes", "STARTTLS", []),
        ("-o smtpd_tls_security_level=", "plain", ["PLAIN"]),
    ],
)
def test_tls_and_what_is_offered_before_it(stock: Host, overrides: str, socket_type: str, before: list[str]) -> None:
    found = submission(serving(stock, ("submission", overrides + AUTH)).result())[587]
    assert (found["socket_type"], found["mechanisms_before_tls"]) == (socket_type, before)


def test_passwords_in_clear_are_never_published(stock: Host) -> None:
    data = serving(stock, ("submission", f"-o smtpd_tls_security_level=none{AUTH}")).result()
    assert data["provider"] is None
    assert "no port is found where users can hand in mail" in unknown(data, "provider")


def test_a_service_without_logins_is_none(stock: Host) -> None:
    data = serving(stock, ("submission", "-o smtpd_tls_security_level=encrypt"), ("465", "-o smtpd_sasl_auth_enable=no")).result()
    assert data["services"]["submission"] == []


def test_port_25_and_the_loopback_are_not_for_clients(stock: Host) -> None:
    everywhere = stock.changed("postconf -x", ("smtpd_sasl_auth_enable = no", "smtpd_sasl_auth_enable = yes"))
    data = serving(everywhere, ("127.0.0.1:587", "")).result()
    assert {port: bool(each["not_for_clients"]) for port, each in submission(data).items()} == {25: True, 587: True}
    assert data["provider"] is None
    host = stock.changed("postconf -x", ("inet_interfaces = all", "inet_interfaces = loopback-only"))
    assert host.result()["provider"] is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("smtpd_sasl_type = dovecot", "smtpd_sasl_type = cyrus"), "are those of cyrus"),
        (("smtpd_sasl_path = private/auth", "smtpd_sasl_path = inet:10.0.0.1:12345"), "over the network"),
        (("smtpd_sasl_mechanism_filter = !external", "smtpd_sasl_mechanism_filter = plain"), "in a way of its own"),
    ],
)
def test_mechanisms_of_somebody_else_cannot_be_told(stock: Host, change: tuple[str, str], why: str) -> None:
    data = stock.changed("postconf -x", change).result()
    assert all(why in each for each in unknown(data, "submission"))
    assert len(unknown(data, "submission")) == 2
    assert {each["mechanisms_after_tls"] for each in data["services"]["submission"]} == {None}
    assert data["provider"] is None


def test_options_of_security_that_are_not_known_make_no_claim(stock: Host) -> None:
    old = "smtpd_sasl_tls_security_options = noanonymous"
    for new, after in ((f"{old}, noplaintext", []), (f"{old}, forward_secrecy", None)):
        data = stock.changed("postconf -x", (old, new)).result()
        assert {str(each["mechanisms_after_tls"]) for each in data["services"]["submission"]} == {str(after)}
        assert data["provider"] is None


def test_tls_without_a_certificate_cannot_be_told(stock: Host, live: Path) -> None:
    files = f"smtpd_tls_chain_files = {live}/mail.server.tld/privkey.pem, {live}/mail.server.tld/fullchain.pem"
    data = stock.changed("postconf -x", (files, "smtpd_tls_chain_files =")).result()
    assert "submission is to have TLS, but no certificate is set" in unknown(data, "submission")
    assert data["services"]["submission"] == []


def test_a_service_may_have_another_certificate_and_limit(stock: Host, live: Path) -> None:
    own = (
        f"-o smtpd_tls_wrappermode=yes -o message_size_limit=5 -o smtpd_tls_chain_files={live}/mail.other.tld/fullchain.pem{AUTH}"
    )
    data = serving(stock, ("465", own)).result()
    assert submission(data)[465]["message_size_limit"] == 5
    assert data["provider"]["outgoing"][0]["hostname"] == "mail.other.tld"


@pytest.mark.parametrize(
    ("master", "overrides"),
    [
        ("submission inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes\n", ""),
        ("submission inet n - y - - smtpd\n", "submission/inet/smtpd_sasl_auth_enable = yes\n"),
        ("", "submission/inet/smtpd_sasl_auth_enable = yes\n"),
        ("submission inet n - y - - smtpd\nsubmission inet n - y - - smtpd\n", ""),
        ("submission inet\n", ""),
        ("", ""),
        ("what is this?\n", ""),
        ("smtp inet n - y - - smtpd\n", "what is this?\n"),
    ],
)
def test_two_answers_that_do_not_fit_each_other_are_not_believed(stock: Host, master: str, overrides: str) -> None:
    data = stock.saying("postconf -Mx", master).saying("postconf -Px", overrides).result()
    assert len(unknown(data, "submission")) == 1
    assert data["services"]["submission"] == []
    assert data["provider"] is None


@pytest.mark.parametrize("version", ["2.11.3", "4.0.1", ""])
def test_another_version_is_not_taken_for_one_that_is_known(stock: Host, version: str) -> None:
    data = stock.changed("postconf -x", ("mail_version = 3.10.13", f"mail_version = {version}")).result()
    assert unknown(data, "postfix") == ["it is no Postfix 3"]
    assert data["provider"] is None


def test_an_older_one_does_without_the_newer_settings(stock: Host) -> None:
    filters = "smtpd_sasl_mechanism_filter = !external, static:rest\n"
    host = stock.changed("postconf -x", (filters, ""))
    assert unknown(host.result(), "postfix") == ["postconf does not show smtpd_sasl_mechanism_filter"]
    older = host.changed("postconf -x", ("mail_version = 3.10.13", "mail_version = 3.5.25"))
    assert older.result()["provider"] == stock.result()["provider"]


def test_further_instances_and_tables_of_certificates_are_said_to_be_left_out(stock: Host) -> None:
    host = stock.changed("postconf -x", ("tls_server_sni_maps =", "tls_server_sni_maps = hash:/etc/postfix/sni"))
    host = host.changed("postconf -x", ("multi_instance_directories =", "multi_instance_directories = /etc/postfix-out"))
    data = host.result()
    assert "further instances" in unknown(data, "submission")[0]
    assert "tls_server_sni_maps" in unknown(data, "certificates")[0]


# -- domains ------------------------------------------------------------------------------------------------------------


def domains(host: Host, value: str) -> Data:
    return host.changed("postconf -x", ("virtual_mailbox_domains = server.tld", f"virtual_mailbox_domains = {value}")).result()


def test_domains_are_listed_where_they_can_be(stock: Host, tmp_path: Path) -> None:
    (tmp_path / "domains").write_text("# ours\nfile.tld\n\nfile.example virtual\n")
    host = stock.saying("postmap -s hash:/etc/postfix/domains", "one.tld\tok\nTWO.tld\tok\n")
    data = domains(host, f"hash:/etc/postfix/domains, {tmp_path}/domains server.tld. localhost 192.0.2.1")
    found = [each["name"] for each in data["domains"]]
    assert found == ["server.tld", "one.tld", "two.tld", "file.example", "file.tld", "mail.server.tld"]
    # The host itself is a domain of Postfix, but nobody's address.
    assert data["provider"]["domains"] == found[:-1]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("mysql:/etc/postfix/sql.cf", "a table of the kind mysql cannot be listed, only asked: name the domains"),
        ("proxy:ldap:/etc/postfix/ldap.cf", "a table of the kind proxy cannot be listed, only asked: name the domains"),
        ("hash:/etc/postfix/none", "there is no postmap here"),
        ("!server.tld", "it leaves out names (!), which is not understood"),
        ("/no/such/file", "/no/such/file cannot be read (No such file or directory)"),
    ],
)
def test_domains_that_cannot_be_listed_are_said(stock: Host, value: str, why: str) -> None:
    assert unknown(domains(stock, value), "domains") == [f"virtual_mailbox_domains: {why}"]


@pytest.mark.parametrize(
    ("value", "why"), [("inline:{ { a.tld = b.tld } }", "a table in braces"), ("/x " * 21, "more than 20 tables")]
)
def test_tables_that_are_not_read_are_said(stock: Host, value: str, why: str) -> None:
    data = domains(stock, value)
    assert unknown(data, "domains") == [f"virtual_mailbox_domains has {why}, which is not read: name the domains"]
    assert [each["name"] for each in data["domains"]] == ["mail.server.tld"]


def test_thousands_of_domains_are_bounded(stock: Host) -> None:
    host = stock.saying("postmap -s hash:/d", "".join(f"d{number}.tld\tok\n" for number in range(3000)))
    data = domains(host, "hash:/d")
    assert len(data["domains"]) == 1000
    assert unknown(data, "domains") == ["there are 3001, of which the first 1000 are told"]
