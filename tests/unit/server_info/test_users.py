"""How users log in, by what Dovecot knows."""

from __future__ import annotations

import typing as t

import pytest

from tests.unit.server_info.hosts import Data, Host, unknown

HOME = "field\tvalue\nuid\t1000\nhome\t{}\n"
NOBODY = "doveadm user no-such-user-4b1f9c0e"


@pytest.fixture
def stock(hosts: t.Mapping[str, Host]) -> Host:
    return hosts["stock-2.4"]


def knowing(host: Host, whole: str, part: str, nobody: str = "", status: int = 67) -> Host:
    """A Dovecot that says this of the address, of the local part, and of those whom nobody knows."""
    commands = {"doveadm user anna@server.tld": whole, "doveadm user anna": part}
    commands.update(dict.fromkeys((NOBODY, f"{NOBODY}@server.tld"), nobody))
    answers = {command: host.commands[command] for command in host.commands}
    result = answers["dovecot --version"]
    for command, output in commands.items():
        answers[command] = result._replace(status=0 if output else status, output=output)
    return Host(answers)


@pytest.mark.parametrize(
    ("whole", "part", "format_"),
    [
        (HOME.format("/a"), "", "%EMAILADDRESS%"),
        ("", HOME.format("/a"), "%EMAILLOCALPART%"),
        # auth_username_format = %Ln
        (HOME.format("/a"), HOME.format("/a"), "%EMAILADDRESS%"),
    ],
)
def test_what_dovecot_knows_is_the_login(stock: Host, whole: str, part: str, format_: str) -> None:
    data = knowing(stock, whole, part).result()
    assert data["username"]["format"] == format_
    provider = data["provider"]
    assert {each["username"] for each in (*provider["incoming"], *provider["outgoing"])} == {format_}


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (("", ""), "Dovecot knows neither anna@server.tld nor anna"),
        ((HOME.format("/a"), HOME.format("/b")), "Dovecot knows anna@server.tld and anna as two users"),
        ((HOME.format("/a"), "", HOME.format("/x")), "Dovecot finds any user, also those that do not exist"),
        (("", "", "", 75), "doveadm user cannot say it (status 75): does Dovecot run?"),
    ],
)
def test_what_cannot_be_told_is_said_and_not_published(stock: Host, host: tuple[t.Any, ...], why: str) -> None:
    data = knowing(stock, *host).result()
    assert unknown(data, "username") == [why]
    assert data["username"]["format"] is None
    assert data["provider"] is None


@pytest.mark.parametrize(
    ("listed", "whole", "part", "format_"),
    [
        ("nobody\nanna\n", "", HOME.format("/a"), "%EMAILLOCALPART%"),
        ("anna@server.tld\n", HOME.format("/a"), "", "%EMAILADDRESS%"),
        ("-x\nanna@server.tld\nanna\n", HOME.format("/a"), HOME.format("/a"), "%EMAILADDRESS%"),
    ],
)
def test_without_an_address_users_are_asked_about_who_are_listed(
    stock: Host, listed: str, whole: str, part: str, format_: str
) -> None:
    host = knowing(stock, whole, part).saying("doveadm user '*'", listed)
    assert host.result(address="", domains=["server.tld"])["username"]["format"] == format_


def test_users_of_two_kinds_have_no_one_form(stock: Host) -> None:
    host = knowing(stock, HOME.format("/a"), "").saying("doveadm user '*'", "anna@server.tld\nroot\n")
    host = host.saying("doveadm user root", HOME.format("/root")).saying("doveadm user root@server.tld", "", 67)
    data = host.result(address="", domains=["server.tld"])
    assert unknown(data, "username") == [
        "Dovecot knows anna@server.tld, and not anna but Dovecot knows root, and not root@server.tld: give the address of a user"
    ]
    assert data["provider"] is None


def test_where_nobody_is_listed_an_address_is_asked_for(stock: Host) -> None:
    data = stock.saying("doveadm user '*'", "\n").result(address="", domains=["server.tld"])
    assert unknown(data, "username") == ["no address was given, and Dovecot lists no user whose address is known: give one"]


def test_domains_are_those_of_the_users_that_can_be_listed(stock: Host) -> None:
    data: Data = stock.saying("doveadm user '*'", "anna@one.tld\notto@TWO.tld\nroot\nzoe@one.tld\nx@@\n").result()
    listed = [each["name"] for each in data["domains"] if each["from"] == "doveadm user '*'"]
    assert listed == ["one.tld", "two.tld"]
    assert "zoe" not in str(data)
