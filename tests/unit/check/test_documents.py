"""What documents say by themselves."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.clients import CLIENTS
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.parsing import autodiscover, mozilla
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.parsing.autodiscover import Protocol
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.readers import (
    Taken,
    Who,
    from_autodiscover,
    from_mozilla,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.verdicts import documents

WHO = Who("anna@server.tld")


def protocol(port: int, encryption: str | None, ssl: str = "on", kind: str = "IMAP") -> Protocol:
    return Protocol(kind, "mail.server.tld", str(port), "anna@server.tld", "off", "off", ssl, encryption, "on")


@pytest.mark.parametrize(
    ("port", "encryption", "wrong"),
    [(993, "SSL", False), (993, "TLS", True), (143, "TLS", False), (587, "SSL", True), (2143, "TLS", False), (993, None, False)],
)
def test_encryption_is_held_against_the_port(port: int, encryption: str | None, wrong: bool) -> None:
    found = [finding.code for finding in documents._protocol("here", protocol(port, encryption), ())]
    assert found == (["document.encryption"] if wrong else [])


# Port, Encryption and SSL, and what each client makes of them (stalwart#3248, ExchangeAutoDiscover.sys.mjs, auto_outlook.rs).
MODES = [
    (993, "SSL", "on", {"outlook": "tls", "thunderbird": "tls", "delta": "tls", "fairemail": "tls"}),
    (993, "TLS", "on", {"outlook": "starttls", "thunderbird": "tls", "delta": "tls", "fairemail": "tls"}),
    (587, "TLS", "on", {"outlook": "starttls", "thunderbird": "starttls", "delta": "starttls", "fairemail": "starttls"}),
    (587, "TLS", "off", {"outlook": "starttls", "thunderbird": "none", "delta": "none", "fairemail": "none"}),
    (587, None, "on", {"outlook": "tls", "thunderbird": "starttls", "delta": "starttls", "nobody": "starttls"}),
    (143, "None", "on", {"outlook": "none", "thunderbird": "none", "delta": "starttls", "nobody": "none"}),
    (2143, "TLS", "on", {"outlook": "starttls", "thunderbird": "tls", "nobody": "starttls"}),
]


@pytest.mark.parametrize(("port", "encryption", "ssl", "modes"), MODES)
def test_each_client_reads_the_mode_its_own_way(port: int, encryption: str | None, ssl: str, modes: dict[str, str]) -> None:
    both = (protocol(port, encryption, ssl), protocol(port, encryption, ssl, "SMTP"))
    answer = autodiscover.Document(accounts=1, account_type="email", action="settings", protocols=both)
    for rules, mode in modes.items():
        assert [service.tls for service in from_autodiscover(answer, rules, WHO).services] == [mode, mode], rules


def test_without_login_name_outlook_takes_the_local_part() -> None:
    nameless = [Protocol(kind, "mail.server.tld", "993", None, "off", "off", "on", "SSL") for kind in ("IMAP", "SMTP")]
    answer = autodiscover.Document(accounts=1, account_type="email", action="settings", protocols=tuple(nameless))
    names = {rules: from_autodiscover(answer, rules, WHO).services[0].username for rules in ("outlook", "thunderbird", "delta")}
    assert names == {"outlook": "%EMAILLOCALPART%", "thunderbird": "%EMAILADDRESS%", "delta": "%EMAILADDRESS%"}


@pytest.mark.parametrize("value", ["", "true", "false"])
@pytest.mark.parametrize("field", ["ssl", "spa", "encryption"])
def test_thunderbird_uses_no_server_of_which_a_value_is_no_string_to_it(field: str, value: str) -> None:
    odd = tuple(dataclasses.replace(protocol(993, "SSL", kind=kind), **{field: value}) for kind in ("IMAP", "SMTP"))
    answer = autodiscover.Document(accounts=1, account_type="email", action="settings", protocols=odd)
    found = {rules: len(from_autodiscover(answer, rules, WHO).services) for rules in ("thunderbird", "outlook")}
    assert found == {"thunderbird": 0, "outlook": 2}


def test_types_in_lower_case_are_read_by_outlook_and_delta_chat() -> None:
    both = (protocol(993, "SSL", kind="imap"), protocol(465, "SSL", kind="smtp"))
    answer = autodiscover.Document(accounts=1, account_type="email", action="settings", protocols=both)
    found = {
        rules: len(from_autodiscover(answer, rules, WHO).services) for rules in ("outlook", "delta", "thunderbird", "fairemail")
    }
    assert found == {"outlook": 2, "delta": 2, "thunderbird": 0, "fairemail": 0}


def test_delta_chat_knows_no_pop3() -> None:
    both = (protocol(995, "SSL", kind="POP3"), protocol(465, "SSL", kind="SMTP"))
    answer = autodiscover.Document(accounts=1, account_type="email", action="settings", protocols=both)
    assert "no incoming server" in from_autodiscover(answer, "delta", WHO).because
    assert not from_autodiscover(answer, "thunderbird", WHO).because


def mozilla_server(direction: str, port: int, socket_type: str, username: str | None = "%EMAILADDRESS%") -> mozilla.Server:
    kind = "imap" if direction == "incoming" else "smtp"
    return mozilla.Server(direction, kind, "mail.server.tld", str(port), (socket_type,), username, ("password-cleartext",))


def taken(client: str, *servers: mozilla.Server) -> Taken:
    """What a client takes from Mozilla's file with these servers."""
    (reader,) = (each.reader for each in CLIENTS if each.id == client)
    return from_mozilla(mozilla.Document("server.tld", ("server.tld",), servers), "text/xml", reader, WHO)


@pytest.mark.parametrize(("port", "mode"), [(993, "tls"), (143, "starttls"), (2143, "tls")])
def test_delta_chat_tries_what_is_usual_on_a_port_if_socket_type_is_unknown(port: int, mode: str) -> None:
    servers = [mozilla_server(direction, port, "TLS") for direction in ("incoming", "outgoing")]
    assert [service.tls for service in taken("deltachat", *servers).services] == [mode, mode]
    assert taken("thunderbird", *servers).because


def test_delta_chat_wants_a_user_name_for_sending_too() -> None:
    servers = [mozilla_server("incoming", 993, "SSL"), mozilla_server("outgoing", 465, "SSL", None)]
    assert "there is no user name" in taken("deltachat", *servers).because
    assert not taken("thunderbird", *servers).because
