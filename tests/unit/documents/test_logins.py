"""The table of login names."""

from __future__ import annotations

import re

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import logins
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Dav, Provider, Server

MANY = {f"user{number}@server.tld": f"u{number}" for number in range(1000)}


def test_nobody_reads_an_address_or_a_login_in_it() -> None:
    text = logins.table("Managed by Ansible", {"jane.doe@server.tld": "jdoe"}).decode()
    assert text.startswith("# Managed by Ansible\n")
    assert re.fullmatch(r"[0-9a-f \n]+", text.partition("\n")[2])
    assert b"jdoe".hex() not in text


def test_the_same_login_of_two_addresses_looks_different() -> None:
    lines = logins.table("x", {"a@server.tld": "jdoe", "b@server.tld": "jdoe"}).decode().splitlines()[3:]
    assert len({line.split()[1] for line in lines}) == 2


def test_logins_of_similar_length_have_the_same() -> None:
    assert len(logins.table("x", {"a@server.tld": "j"})) == len(logins.table("x", {"a@server.tld": "jane.doe"}))


def test_the_same_entries_are_the_same_bytes_in_any_order() -> None:
    assert logins.table("x", MANY) == logins.table("x", dict(reversed(MANY.items())))


def test_another_entry_changes_every_line() -> None:
    before, after = (set(logins.table("x", table).splitlines()) for table in (MANY, {**MANY, "new@server.tld": "n"}))
    assert not {line for line in before & after if b" " in line and not line.startswith(b"#")}


def test_each_entry_is_in_a_short_bucket() -> None:
    _comment, head, *lines = logins.table("x", MANY).splitlines()
    count = int(head.split()[1], 16)
    lengths = [int(line[8:], 16) for line in lines[:count]]
    assert sum(lengths) == sum(len(line) + 1 for line in lines[count:])
    assert max(lengths) < 40 * 82


def test_user_names_that_are_the_address_or_its_first_part_are_replaced() -> None:
    provider = Provider(
        id="server.tld",
        domains=("server.tld",),
        display_name="",
        short_name="",
        incoming=(Server("imap"), Server("pop3", username="%EMAILLOCALPART%"), Server("imap", username="%EMAILLOCALPART%.x")),
        outgoing=(Server("smtp", username=""), Server("smtp", username="shared")),
        caldav=Dav("https://dav.server.tld/"),
    )
    changed = logins.with_placeholders(provider)
    assert [server.username for server in changed.incoming] == [
        "%EMAILLOGINADDRESS%",
        "%EMAILLOGINLOCALPART%",
        "%EMAILLOCALPART%.x",
    ]
    assert [server.username for server in changed.outgoing] == ["", "shared"]
    assert changed.caldav is not None
    assert changed.caldav.username == "%EMAILLOGINADDRESS%"
    assert changed.carddav is None
    assert logins.unmapped(provider) == ["%EMAILLOCALPART%.x"]
