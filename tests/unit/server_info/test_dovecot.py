"""Dovecot in shapes that are not the usual one, and the traps of its programs."""

from __future__ import annotations

import typing as t

import pytest

from tests.unit.server_info.hosts import Data, Host, unknown

Hosts = t.Mapping[str, Host]
DOVECOTS = ("stock-2.3", "stock-2.4")


@pytest.fixture(params=DOVECOTS)
def stock(request: pytest.FixtureRequest, hosts: Hosts) -> Host:
    return hosts[request.param]


def incoming(data: Data, kind: str = "imap") -> Data:
    (found,) = (each for each in data["provider"]["incoming"] if each["type"] == kind)
    return dict(found)


@pytest.mark.parametrize("version", ["2.2.36 (1f10bfa63)", "2.5.0", "3.0.1", "Dovecot", "2.10.1"])
def test_another_version_is_not_taken_for_one_that_is_known(stock: Host, version: str) -> None:
    data = stock.saying("dovecot", f"{version}\n").result()
    assert unknown(data, "dovecot") == ["it is neither Dovecot 2.3 nor 2.4"]
    assert data["provider"] is None
    assert data["services"]["imap"] == []


def test_the_answers_of_one_version_are_not_read_as_those_of_the_other(hosts: Hosts) -> None:
    old, new = hosts["stock-2.3"], hosts["stock-2.4"]
    for host, other in ((old, new), (new, old)):
        mixed = Host({**host.commands, host.command("dovecot"): other.commands["dovecot --version"]})
        assert mixed.result()["provider"] is None


def test_a_listener_of_a_protocol_that_is_off_is_none(hosts: Hosts) -> None:
    without = hosts["stock-2.3"].changed("doveconf protocols", ("imap sieve pop3", "imap"))
    without_too = hosts["stock-2.4"].changed("doveconf protocols", ("  pop3 = yes\n", "  pop3 = no\n"), ("  sieve = yes\n", ""))
    for host in (without, without_too):
        data = host.result()
        assert data["services"]["pop3"] == data["services"]["managesieve"] == []
        assert [each["type"] for each in data["provider"]["incoming"]] == ["imap"]
        assert "managesieve" not in data["provider"]


def test_pop3_alone_is_published_only_where_imap_is_known_to_be_off(hosts: Hosts) -> None:
    host = hosts["stock-2.3"]
    off = host.changed("doveconf protocols", ("imap sieve pop3", "pop3")).result()
    assert [each["type"] for each in off["provider"]["incoming"]] == ["pop3"]
    unclear = host.saying("doveconf -f protocol=imap", "ssl = yes\n").result()
    assert unclear["provider"] is None
    assert unknown(unclear, "imap") == ["doveconf shows no service imap-login"]


def test_a_port_of_zero_is_off(hosts: Hosts) -> None:
    for name in DOVECOTS:
        data = hosts[name].changed("doveconf -f protocol=imap", ("port = 993", "port = 0")).result()
        assert [each["port"] for each in data["services"]["imap"]] == [143]
        assert (incoming(data)["port"], incoming(data)["socket_type"]) == (143, "STARTTLS")


def test_a_port_of_its_own_is_published_as_it_is(stock: Host) -> None:
    data = stock.changed("doveconf -f protocol=imap", ("port = 993", "port = 10993")).result()
    assert (incoming(data)["port"], incoming(data)["socket_type"]) == (10993, "SSL")


def test_a_listener_without_tls_is_told_and_never_published(stock: Host) -> None:
    data = stock.changed("doveconf -f protocol=imap", ("\nssl = yes", "\nssl = no"), ("    ssl = yes", "    ssl = no")).result()
    assert {each["socket_type"] for each in data["services"]["imap"]} == {"plain"}
    assert data["services"]["imap"][0]["mechanisms_after_tls"] == []
    assert data["provider"] is not None
    assert [each["type"] for each in data["provider"]["incoming"]] == ["pop3"]
    assert any("passwords would cross the network in clear" in each["why"] for each in data["against"])


def test_tls_on_a_listener_and_none_at_all_cannot_be_told(stock: Host) -> None:
    data = stock.changed("doveconf -f protocol=imap", ("\nssl = yes", "\nssl = no")).result()
    assert unknown(data, "imap") == ["inet_listener imaps has ssl = yes, but ssl = no stands for all"]
    assert data["provider"] is None


def test_who_listens_on_the_loopback_only_is_not_for_clients(hosts: Hosts) -> None:
    one = hosts["stock-2.3"].changed("doveconf -f protocol=imap", ("    address = \n", "    address = 127.0.0.1, ::1\n"))
    all_of_them = hosts["stock-2.4"].changed("doveconf protocols", ("listen = * ::", "listen = 127.0.0.1 ::1"))
    for host in (one, all_of_them):
        data = host.result()
        assert {each["not_for_clients"] for each in data["services"]["imap"]} == {"it listens on the loopback only"}
        assert data["services"]["imap"][0]["addresses"] == ["127.0.0.1", "::1"]
        assert not any(each["type"] == "imap" for each in (data["provider"] or {"incoming": []})["incoming"])


def test_a_listener_for_a_proxy_is_not_for_clients(hosts: Hosts) -> None:
    data = hosts["stock-2.3"].changed("doveconf -f protocol=imap", ("haproxy = no", "haproxy = yes")).result()
    assert all("proxy" in each["not_for_clients"] for each in data["services"]["imap"])


def test_passwords_without_tls_are_told(hosts: Hosts) -> None:
    for name, old, new in (
        ("stock-2.3", "disable_plaintext_auth = yes", "disable_plaintext_auth = no"),
        ("stock-2.4", "auth_allow_cleartext = no", "auth_allow_cleartext = yes"),
    ):
        allowed = hosts[name].changed("doveconf protocols", (old, new))
        by_port = {each["port"]: each for each in allowed.result()["services"]["imap"]}
        assert by_port[143]["mechanisms_before_tls"] == ["PLAIN"]
        required = allowed.changed("doveconf -f protocol=imap", ("\nssl = yes", "\nssl = required"))
        by_port = {each["port"]: each for each in required.result()["services"]["imap"]}
        assert by_port[143]["mechanisms_before_tls"] == []


def test_mechanisms_of_which_nobody_knows_whether_they_need_tls_are_not_claimed(stock: Host) -> None:
    host = stock.changed("doveconf protocols", ("auth_mechanisms = plain", "auth_mechanisms = plain xoauth2"))
    by_port = {each["port"]: each for each in host.result()["services"]["imap"]}
    assert by_port[143]["mechanisms_before_tls"] is None
    assert by_port[143]["mechanisms_after_tls"] == ["PLAIN", "XOAUTH2"]


@pytest.mark.parametrize(("offered", "method"), [("cram-md5", "password-encrypted"), ("plain cram-md5", "password-cleartext")])
def test_the_method_is_one_that_is_offered(stock: Host, offered: str, method: str) -> None:
    old = "auth_mechanisms = plain"
    host = stock.changed("doveconf protocols", (old, f"auth_mechanisms = {offered}"))
    host = host.changed("doveconf auth_mechanisms", (old, f"auth_mechanisms = {offered}"))
    provider = host.result()["provider"]
    assert {tuple(each["authentication"]) for each in (*provider["incoming"], *provider["outgoing"])} == {(method,)}


def test_who_offers_no_password_is_not_published(stock: Host) -> None:
    data = stock.changed("doveconf protocols", ("auth_mechanisms = plain", "auth_mechanisms = gssapi")).result()
    assert data["provider"] is None
    assert "neither IMAP nor POP3 is found" in unknown(data, "provider")


def test_a_certificate_that_stands_in_the_configuration_is_not_shown(hosts: Hosts, live: t.Any) -> None:
    path = f"<{live}/mail.server.tld/fullchain.pem"
    data = hosts["stock-2.3"].changed("doveconf -f protocol=imap", (path, "-----BEGIN TOPSECRET")).result()
    assert "imap: the certificate is not the path of a file" in unknown(data, "certificates")
    assert "TOPSECRET" not in str(data)
    assert len(data["services"]["imap"]) == 2
    assert data["provider"] is None or data["provider"]["incoming"][0]["hostname"] == "mail.server.tld"


def test_dovecots_own_submission_takes_mail_where_postfix_does_not(hosts: Hosts) -> None:
    stock = hosts["stock-2.4"].changed("doveconf protocols", ("  imap = yes\n", "  imap = yes\n  submission = yes\n"))
    command = stock.command("doveconf -f protocol=imap")
    output = stock.commands[command].output
    for old, new in (("imap-login", "submission-login"), ("port = 143", "port = 587"), ("port = 993", "port = 465")):
        output = output.replace(old, new)
    host = stock.saying(command.replace("imap", "submission"), output).without("postconf")
    data = host.result()
    assert {each["program"] for each in data["services"]["submission"]} == {"dovecot"}
    assert [(each["port"], each["socket_type"], each["username"]) for each in data["provider"]["outgoing"]] == [
        (465, "SSL", "%EMAILLOCALPART%")
    ]


# -- the name of the host -----------------------------------------------------------------------------------------------


def test_a_wildcard_names_the_host_only_with_what_postfix_calls_itself(stock: Host) -> None:
    def with_certificate(host: Host, name: str) -> Host:
        for command in ("doveconf -f protocol=imap", "doveconf -f protocol=pop3", "doveconf -f protocol=sieve", "postconf -x"):
            host = host.changed(command, ("mail.server.tld/fullchain.pem", f"{name}/fullchain.pem"))
        return host

    wildcard = with_certificate(stock, "wildcard")
    assert incoming(wildcard.result())["hostname"] == "mail.server.tld"
    elsewhere = wildcard.changed("postconf -x", ("myhostname = mail.server.tld", "myhostname = mx.elsewhere.tld")).result()
    assert elsewhere["provider"] is None
    assert "no name of a host can be read from the certificate" in unknown(elsewhere, "hostname")[0]
    several = with_certificate(stock, "several").result()
    assert several["provider"] is None
    assert "several names (imap.server.tld, smtp.server.tld)" in unknown(several, "hostname")[0]
    assert with_certificate(stock, "several").result(hostname="imap.server.tld")["provider"] is not None


def test_each_service_has_the_name_in_its_own_certificate(stock: Host) -> None:
    host = stock.changed("postconf -x", ("mail.server.tld/fullchain.pem", "mail.other.tld/fullchain.pem"))
    provider = host.result()["provider"]
    assert (provider["incoming"][0]["hostname"], provider["outgoing"][0]["hostname"]) == ("mail.server.tld", "mail.other.tld")


def test_a_certificate_that_cannot_be_read_names_nothing(stock: Host) -> None:
    host = stock
    for command in ("doveconf -f protocol=imap", "doveconf -f protocol=pop3", "doveconf -f protocol=sieve"):
        host = host.changed(command, ("mail.server.tld/fullchain.pem", "mail.server.tld/missing.pem"))
    data = host.result()
    assert data["provider"] is None
    assert any("missing.pem cannot be read (No such file or directory)" in each for each in unknown(data, "certificates"))
