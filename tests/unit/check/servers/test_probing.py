"""What a probe finds at servers as they should be, at wrong ones, and at hostile ones, which cost neither time nor memory."""

from __future__ import annotations

import base64
import itertools
import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.servers import (
    AddressFacts,
    Offer,
    facts,
    probe,
)

from tests.unit.check.conftest import Faulty
from tests.unit.check.servers.scripted import DIALOGUES, END, HOST, TLS, Behaviour, Conversation, script, serving

OWN = "127.0.0.1"
PATIENCE = 20.0
# For what lasts until the time is over.
IMPATIENCE = 0.5
WAYS = sorted(DIALOGUES)


@pytest.fixture
def look(context: ssl.SSLContext, trust: ssl.SSLContext) -> Callable[..., AddressFacts]:
    """What a probe finds at a server that behaves like this."""

    def probed(
        behaviour: Behaviour, protocol: str = "imap", tls: str = "tls", timeout: float = PATIENCE, shown: ssl.SSLContext = context
    ) -> AddressFacts:
        with serving(behaviour, shown) as server:
            (found,) = probe(server.endpoint(protocol, tls), [OWN], trust, timeout).addresses
        return found

    return probed


Look = Callable[..., AddressFacts]


@pytest.mark.parametrize(("protocol", "tls"), WAYS)
def test_a_server_as_it_should_be(look: Look, protocol: str, tls: str) -> None:
    found = look(script(*DIALOGUES[protocol, tls]), protocol, tls)
    assert (found.problem, found.spoken, found.is_verified, found.injected) == ("", protocol, True, False)
    has_command = protocol in ("imap", "pop3")
    assert found.after == Offer(("PLAIN", "CRAM-MD5"), login_command=has_command)
    assert found.before == (Offer(starttls=True) if tls == "starttls" else None)
    assert found.certificate is not None
    assert found.certificate.names == (HOST,)
    assert found.certificate.protocol.startswith("TLSv1.")
    assert found.certificate.share_left == pytest.approx(80 / 90, abs=0.02)


@pytest.mark.parametrize(
    ("how", "problems"),
    [
        ({"ends": -1}, ("expired",)),
        ({"begins": 1}, ("not_yet_valid",)),
        ({"names": ("other.tld",)}, ("wrong_name",)),
        ({"by_itself": True}, ("self_signed",)),
        ({"by_itself": True, "names": ("other.tld",), "ends": -1}, ("self_signed", "expired", "wrong_name")),
    ],
)
@pytest.mark.parametrize("tls", ["tls", "starttls"])
def test_everything_that_is_wrong_with_a_certificate(
    look: Look, certificates: Faulty, tls: str, how: dict[str, Any], problems: tuple[str, ...]
) -> None:
    names = how.get("names", (HOST,))
    shown = certificates.shown(certificates.pair(*names, **{key: value for key, value in how.items() if key != "names"}))
    found = look(script(*DIALOGUES["imap", tls]), "imap", tls, shown=shown)
    assert found.problem == ""
    assert set(found.certificate_problems) == set(problems)
    assert found.certificate is not None
    assert found.certificate.error
    assert found.certificate.names == names
    assert found.after is not None, "what is offered can be told all the same"


def test_a_chain_without_its_intermediate(look: Look, certificates: Faulty) -> None:
    intermediate = certificates.pair("Intermediate", authority=True)
    whole = certificates.shown(certificates.pair(HOST, issuer=intermediate), intermediate[0])
    alone = certificates.shown(certificates.pair(HOST, issuer=intermediate))
    behaviour = script(*DIALOGUES["imap", "tls"])
    assert look(behaviour, shown=whole).is_verified
    assert look(behaviour, shown=alone).certificate_problems == ("chain",)


def test_each_address_by_itself(context: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    with serving(script(*DIALOGUES["imap", "tls"]), context) as server:
        addresses = [OWN, "::1", "127.0.0.2", "no address"]
        found = probe(server.endpoint("imap"), addresses, trust, PATIENCE).addresses
    assert [each.problem for each in found][:3] == ["", "refused", "refused"]
    assert not found[3].is_reached
    assert [each.family for each in found[:2]] == ["IPv4", "IPv6"]


def http(talk: Conversation) -> None:
    talk.hear()
    talk.say("HTTP/1.1 400 Bad Request\nConnection: close\n")


def https(talk: Conversation) -> None:
    talk.encrypt()
    http(talk)


OTHERS: dict[str, tuple[Behaviour, str, str, str]] = {
    "SMTP at IMAP": (script(TLS, "220 hi ESMTP"), "tls", "other_protocol", "smtp"),
    "POP3 at IMAP": (script("+OK hi"), "starttls", "other_protocol", "pop3"),
    "SSH at IMAP": (script("SSH-2.0-OpenSSH_9.2"), "starttls", "other_protocol", "ssh"),
    "HTTPS at IMAP": (https, "tls", "other_protocol", "http"),
    "HTTP at IMAP with TLS": (http, "tls", "other_protocol", "http"),
    "HTTP at IMAP with STARTTLS": (http, "starttls", "other_protocol", "http"),
    "IMAP without TLS": (script("* OK hi", "?"), "tls", "tls_missing", "imap"),
    "IMAP in TLS": (script(TLS, "* OK hi"), "starttls", "tls_unexpected", "imap"),
    "IMAP in TLS where none is published": (script(TLS, "* OK hi"), "none", "tls_unexpected", "imap"),
    "SMTP without TLS at IMAP": (script("220 hi", "?"), "tls", "other_protocol", "smtp"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_else_is_at_the_port(look: Look, name: str) -> None:
    behaviour, tls, problem, spoken = OTHERS[name]
    # Half of the time goes to servers that are only slow.
    found = look(behaviour, "imap", tls, 3.0)
    assert (found.problem, found.spoken) == (problem, spoken)


@pytest.mark.parametrize(
    ("protocol", "greeting"),
    [("imap", "* BYE no"), ("pop3", "-ERR no"), ("smtp", "554 no"), ("smtp", "421 no"), ("managesieve", "BYE")],
)
def test_a_server_that_turns_us_away(look: Look, protocol: str, greeting: str) -> None:
    found = look(script(TLS, *(('"SASL" ""',) if protocol == "managesieve" else ()), greeting), protocol)
    assert (found.problem, found.spoken) == ("rejected", protocol)


NO_STARTTLS = ("* OK hi", "?", "* CAPABILITY IMAP4rev1\na1 OK done")
WITH_STARTTLS = ("* OK hi", "?", "* CAPABILITY IMAP4rev1 STARTTLS\na1 OK done", "?")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (NO_STARTTLS, "no_starttls"),
        ((*WITH_STARTTLS, "a2 NO not now"), "starttls_failed"),
        ((*WITH_STARTTLS, "a2 OK begin\nno handshake at all"), "starttls_failed"),
    ],
)
def test_starttls_that_does_not_come_about(look: Look, lines: tuple[str, ...], problem: str) -> None:
    found = look(script(*lines), "imap", "starttls", 3.0)
    assert found.problem == problem
    assert found.certificate is None
    assert found.before is not None
    assert found.before.takes_passwords, "LOGINDISABLED was not said"


def test_what_comes_before_tls_is_not_believed(look: Look) -> None:
    injected = "a2 OK begin\n* CAPABILITY IMAP4rev1 AUTH=ANONYMOUS\na3 OK done"
    found = look(script(*WITH_STARTTLS, injected, TLS, "?", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\na3 OK done"), "imap", "starttls")
    assert found.injected
    assert found.after == Offer(("PLAIN",), login_command=True)


def drip(talk: Conversation) -> None:
    while True:
        talk.say(b"* ")
        time.sleep(0.02)


def drip_lines(talk: Conversation) -> None:
    talk.say("* OK hi")
    while True:
        talk.say("* drip")
        time.sleep(0.02)


def in_tls(behaviour: Behaviour) -> Behaviour:
    def behave(talk: Conversation) -> None:
        talk.encrypt()
        behaviour(talk)

    return behave


def endless(first: bytes, piece: bytes) -> Behaviour:
    def behave(talk: Conversation) -> None:
        talk.say(first)
        while True:
            talk.say(piece)

    return behave


def silent(talk: Conversation) -> None:
    while talk.hear() != END:
        pass


HOSTILE: dict[str, Behaviour] = {
    "silent": silent,
    "a drip": drip,
    "a drip in TLS": in_tls(drip),
    "lines that drip": drip_lines,
    "lines that drip in TLS": in_tls(drip_lines),
    "a line without end": endless(b"* OK ", b"x" * 65536),
    "a line without end in TLS": in_tls(endless(b"* OK ", b"x" * 65536)),
    "lines without end": endless(b"* OK hi\r\n", b"* x\r\n" * 10000),
    "lines without end in TLS": in_tls(endless(b"* OK hi\r\n", b"* x\r\n" * 10000)),
    "a reply without end": in_tls(endless(b"220 hi\r\n", b"250-x\r\n" * 10000)),
    "zeros": endless(b"\0", b"\0" * 65536),
    "a record of TLS that is none": endless(b"\x16\x03\x03\x40\x00", b"\xff" * 65536),
    "a server hello that never ends": lambda talk: drip_bytes(talk, b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"),
    "an alert": lambda talk: talk.say(b"\x15\x03\x03\x00\x02\x02\x28"),
    "nothing": lambda talk: talk.close(),
}


def drip_bytes(talk: Conversation, beginning: bytes) -> None:
    talk.say(beginning)
    while True:
        talk.say(b"\0")
        time.sleep(0.02)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(("protocol", "tls"), [("imap", "tls"), ("imap", "starttls"), ("smtp", "tls")])
def test_a_hostile_server_is_a_result(look: Look, name: str, protocol: str, tls: str) -> None:
    found = look(HOSTILE[name], protocol, tls, IMPATIENCE)
    assert found.problem in facts.PROBLEMS
    assert found.is_reached
    assert found.after is None
    assert len(found.greeting) + len(found.detail) < 1000


def test_no_more_is_read_than_a_server_can_mean(context: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    sent = itertools.count()

    def flood(talk: Conversation) -> None:
        talk.say("* OK hi")
        while True:
            talk.say(b"* x\r\n" * 20000)
            next(sent)

    with serving(flood, context) as server:
        (found,) = probe(server.endpoint("imap", "starttls"), [OWN], trust, PATIENCE).addresses
    assert found.problem == "garbled"
    # 100,000 bytes each; most of them are in the buffers of the system.
    assert next(sent) < 200


@pytest.mark.parametrize(("protocol", "tls"), WAYS)
def test_a_connection_that_ends_at_any_point(look: Look, protocol: str, tls: str) -> None:
    lines = DIALOGUES[protocol, tls]

    def until(count: int) -> Behaviour:
        def behave(talk: Conversation) -> None:
            for line in lines[:count]:
                if line == TLS:
                    talk.encrypt()
                elif line == "?":
                    talk.hear()
                else:
                    talk.say(line)

        return behave

    for count in range(len(lines)):
        found = look(until(count), protocol, tls, 3.0)
        assert found.problem in ("closed", "tls_failed", "starttls_failed", "garbled"), count
        assert found.after is None


def test_garbage_where_the_mechanisms_are(look: Look) -> None:
    garbage = f"* CAPABILITY IMAP4rev1 AUTH=\x1b[2J AUTH=<b> AUTH=PLAIN AUTH={'X' * 500} AUTH={base64.b64encode(b'x').decode()}=="
    found = look(script(TLS, "* OK \x1b[2J\u202ehi", "?", f"{garbage}\na1 OK"))
    assert found.after == Offer(("PLAIN",), login_command=True)
    assert found.greeting == "* OK [2J hi"
