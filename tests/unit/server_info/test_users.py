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


def test_without_an_address_nobody_is_asked(stock: Host) -> None:
    data = stock.result(address="")
    assert unknown(data, "username") == ["no address was given to ask Dovecot about"]
    assert data["provider"] is None


def test_domains_are_those_of_the_users_that_can_be_listed(stock: Host) -> None:
    data: Data = stock.saying("doveadm user '*'", "anna@one.tld\notto@TWO.tld\nroot\nzoe@one.tld\nx@@\n").result()
    listed = [each["name"] for each in data["domains"] if each["from"] == "doveadm user '*'"]
    assert listed == ["one.tld", "two.tld"]
    assert "zoe" not in str(data)
