"""The configuration proposes, a connection decides: what differs is a warning with host and port."""

from __future__ import annotations

import ssl
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import import connections, options, run
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import.connections import Asked
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import.model import Listener
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import.proposal import Choice

from tests.unit.check.servers.scripted import DIALOGUES, HOST, script, serving
from tests.unit.server_info.hosts import Host

PATIENCE = 20.0
# What the scripted servers offer inside TLS.
OFFERED = ("PLAIN", "CRAM-MD5")
Ask = t.Callable[..., tuple[Asked, int]]


@pytest.fixture
def resolved() -> Host:
    return Host({f"getent ahosts {HOST}": Result(0, f"127.0.0.1       STREAM {HOST}\n127.0.0.1       DGRAM\n", "")})


@pytest.fixture
def ask(live: Path, resolved: Host) -> Ask:
    """Asks a scripted server as a listener of this host; what came of it, and its port."""

    def asked(
        dialogue: tuple[str, str],
        socket_type: str,
        *,
        after: tuple[str, ...] | None = OFFERED,
        shown: str = HOST,
        host: Host = resolved,
        timeout: float = PATIENCE,
    ) -> tuple[Asked, int]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(live / shown / "fullchain.pem", live / shown / "privkey.pem")
        trust = ssl.create_default_context(cafile=str(live / shown / "fullchain.pem"))
        service = {"smtp": "submission"}.get(dialogue[0], dialogue[0])
        with serving(script(*DIALOGUES[dialogue]), context) as server:
            choice = Choice(Listener(service, "dovecot", server.port, socket_type, after=after), HOST)
            return connections.ask(choice, host, trust, timeout), server.port

    return asked


@pytest.mark.parametrize(("protocol", "tls"), sorted(key for key in DIALOGUES if key[1] != "none"))
def test_a_server_that_is_as_configured_differs_in_nothing(ask: Ask, protocol: str, tls: str) -> None:
    found, port = ask((protocol, tls), "SSL" if tls == "tls" else "STARTTLS")
    assert (found.hostname, found.port, found.addresses) == (HOST, port, ("127.0.0.1",))
    assert found.mechanisms == OFFERED
    assert found.differences == ()


def test_the_certificate_of_another_host_is_a_difference(ask: Ask) -> None:
    found, port = ask(("imap", "tls"), "SSL", shown="mail.other.tld")
    (difference,) = found.differences
    assert difference.startswith(f"{HOST}:{port} (imap): its certificate is for other names [names: mail.other.tld")


def test_tls_from_the_first_byte_that_is_not_there_is_a_difference(ask: Ask) -> None:
    found, port = ask(("smtp", "starttls"), "SSL")
    assert any(each.startswith(f"{HOST}:{port} (submission): SSL is published, but") for each in found.differences)


def test_starttls_that_is_not_offered_is_a_difference(ask: Ask) -> None:
    # It waits for a greeting that does not come without TLS.
    found, port = ask(("imap", "tls"), "STARTTLS", timeout=2)
    assert any(
        each.startswith(f"{HOST}:{port} (imap): STARTTLS is published, but the port speaks TLS") for each in found.differences
    )


def test_other_mechanisms_are_a_difference(ask: Ask) -> None:
    found, port = ask(("imap", "tls"), "SSL", after=("PLAIN", "LOGIN"))
    assert found.differences == (
        f"{HOST}:{port} (imap): it offers PLAIN, CRAM-MD5 inside TLS, and its configuration says PLAIN, LOGIN",
    )
    unclear, _port = ask(("imap", "tls"), "SSL", after=None)
    assert (unclear.mechanisms, unclear.differences) == (OFFERED, ())


def test_where_nobody_listens_is_a_difference(live: Path, resolved: Host) -> None:
    trust = ssl.create_default_context()
    # A port below 1024 on which nothing listens here.
    found = connections.ask(Choice(Listener("imap", "dovecot", 1, "SSL", after=OFFERED), HOST), resolved, trust, PATIENCE)
    assert found.mechanisms is None
    (difference,) = found.differences
    assert difference.startswith(f"{HOST}:1 (imap): it cannot be reached")


def test_a_name_without_an_address_is_said_and_the_host_itself_asked(ask: Ask) -> None:
    for host in (
        Host({}),
        Host({f"getent ahosts {HOST}": Result(2, "", "")}),
        Host({f"getent ahosts {HOST}": Result(0, "x\n", "")}),
    ):
        found, port = ask(("imap", "tls"), "SSL", host=host)
        assert found.mechanisms == OFFERED
        (difference,) = found.differences
        assert difference.startswith(f"{HOST}:{port}: the name has no address on this host")


def test_a_connection_tells_what_the_configuration_does_not(hosts: t.Mapping[str, Host], monkeypatch: pytest.MonkeyPatch) -> None:
    """Mechanisms that Postfix filters are heard; with Cyrus SASL they would be, too, but its users may be others."""

    def heard(choice: Choice, *_rest: object) -> Asked:
        return Asked(choice.listener.service, choice.hostname, choice.listener.port, mechanisms=("PLAIN",))

    monkeypatch.setattr(connections, "ask", heard)
    filters = ("smtpd_sasl_mechanism_filter = !external", "smtpd_sasl_mechanism_filter = plain")
    host = hosts["stock-2.4"].changed("postconf -x", filters)
    assert run.run(options.read({"address": "anna@server.tld", "ask": False}), host)[0]["provider"] is None
    data, warnings = run.run(options.read({"address": "anna@server.tld"}), host)
    assert warnings == ()
    assert data["provider"]["outgoing"][0]["authentication"] == ["password-cleartext"]
    assert {"connection to mail.server.tld:465"} <= {each["from"] for each in data["reasons"]}
    cyrus = hosts["stock-2.4"].changed("postconf -x", ("smtpd_sasl_type = dovecot", "smtpd_sasl_type = cyrus"))
    assert run.run(options.read({"address": "anna@server.tld"}), cyrus)[0]["provider"] is None
