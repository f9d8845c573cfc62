"""Logins at scripted servers: what is sent, what it means how they answer, and that a password goes nowhere else."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable

import hypothesis
import hypothesis.strategies as st
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.servers import (
    LoginResult,
    facts,
    login,
    sasl,
)

from tests.unit.check.conftest import Faulty
from tests.unit.check.servers.scripted import END, HOST, TLS, Behaviour, Conversation, Server, script, serving

OWN = "127.0.0.1"
USER, PASSWORD = "anna@server.tld", "correct horse"
PATIENCE = 20.0


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SECRETS = (PASSWORD, encoded(PASSWORD), encoded(f"\0{USER}\0{PASSWORD}"))
PLAIN = encoded(f"\0{USER}\0{PASSWORD}")
OFFERS = {
    "imap": (TLS, "* OK hi", "?", "* CAPABILITY IMAP4rev1 {}\na1 OK", "?"),
    "pop3": (TLS, "+OK hi", "?", "+OK\n{}\n.", "?"),
    "smtp": (TLS, "220 hi", "?", "250-hi\n250 {}", "?"),
    "managesieve": (TLS, '"SASL" "{}"\nOK', "?"),
}
WORDS = {"imap": "LOGINDISABLED AUTH={}", "pop3": "SASL {}", "smtp": "AUTH {}", "managesieve": "{}"}
CHALLENGES = {"imap": "+ ", "pop3": "+ ", "smtp": "334 ", "managesieve": '""'}
ACCEPTED = {"imap": "a2 OK in", "pop3": "+OK in", "smtp": "235 2.7.0 in", "managesieve": 'OK "in"'}


def offering(protocol: str, words: str, *rest: str) -> Behaviour:
    """A server that offers something and goes on from the client's first command of the login."""
    return script(*(line.replace("{}", words) for line in OFFERS[protocol]), *rest)


Log = Callable[..., LoginResult]


@pytest.fixture
def log_in(context: ssl.SSLContext, trust: ssl.SSLContext) -> Log:
    """Logs in at a server that behaves like this; its ``server`` is the last one."""

    def logged(
        behaviour: Behaviour,
        protocol: str = "imap",
        mechanisms: tuple[str, ...] = ("PLAIN",),
        tls: str = "tls",
        shown: ssl.SSLContext = context,
        trusted: ssl.SSLContext = trust,
        timeout: float = PATIENCE,
    ) -> LoginResult:
        with serving(behaviour, shown) as server:
            servers.append(server)
            return login(server.endpoint(protocol, tls), [OWN], trusted, USER, PASSWORD, mechanisms, timeout)

    servers: list[Server] = []
    logged.servers = servers  # type: ignore[attr-defined]
    return logged


@pytest.mark.parametrize("protocol", OFFERS)
def test_plain(log_in: Log, protocol: str) -> None:
    words = WORDS[protocol].format("PLAIN")
    result = log_in(offering(protocol, words, CHALLENGES[protocol], "?", ACCEPTED[protocol]), protocol)
    assert (result.outcome, result.mechanism, result.address) == ("accepted", "PLAIN", OWN)
    heard = log_in.servers[0].heard  # type: ignore[attr-defined]
    assert PLAIN in [line.strip('"') for line in heard]


@pytest.mark.parametrize(
    ("protocol", "offer", "lines", "command", "sent"),
    [
        ("imap", "", ("a2 OK in",), "LOGIN command", [f'a2 LOGIN "{USER}" "{PASSWORD}"']),
        ("pop3", "USER", ("+OK", "?", "+OK in"), "USER command", [f"USER {USER}", f"PASS {PASSWORD}"]),
    ],
)
def test_the_command_of_the_protocol(
    log_in: Log, protocol: str, offer: str, lines: tuple[str, ...], command: str, sent: list[str]
) -> None:
    result = log_in(offering(protocol, offer, *lines), protocol)
    assert (result.outcome, result.mechanism) == ("accepted", command)
    heard = log_in.servers[0].heard  # type: ignore[attr-defined]
    assert [line for line in heard if line in sent] == sent


ANSWERS = [
    ("imap", "a2 NO [AUTHENTICATIONFAILED] no", "refused", "AUTHENTICATIONFAILED"),
    ("imap", "a2 NO no", "refused", ""),
    ("imap", "* BYE [UNAVAILABLE] later", "temporary", "UNAVAILABLE"),
    ("imap", "a2 NO [PRIVACYREQUIRED] no", "unwilling", "PRIVACYREQUIRED"),
    ("imap", "a2 BAD what", "broken", ""),
    ("pop3", "-ERR [AUTH] no", "refused", "AUTH"),
    ("pop3", "-ERR [SYS/TEMP] later", "temporary", "SYS/TEMP"),
    ("pop3", "-ERR [IN-USE] later", "temporary", "IN-USE"),
    ("pop3", "what", "broken", ""),
    ("smtp", "535 5.7.8 no", "refused", "535 5.7.8"),
    ("smtp", "535-5.7.8 no\n535 5.7.8 really", "refused", "535 5.7.8"),
    ("smtp", "454 4.7.0 later", "temporary", "454 4.7.0"),
    ("smtp", "421 later", "temporary", "421"),
    ("smtp", "534 5.7.9 no", "unwilling", "534 5.7.9"),
    ("smtp", "550 no", "broken", "550"),
    ("managesieve", 'NO "no"', "refused", ""),
    ("managesieve", 'NO (TRYLATER) "later"', "temporary", "TRYLATER"),
    ("managesieve", 'BYE "what"', "broken", ""),
    # RFC 5530, RFC 2449, RFC 3206, and RFC 5804.
    *(
        ("imap", f"a2 NO [{code}] no", outcome, code)
        for outcome, codes in {
            "refused": ("AUTHORIZATIONFAILED", "EXPIRED", "CONTACTADMIN", "NOPERM"),
            "temporary": ("UNAVAILABLE", "INUSE", "LIMIT"),
            "broken": ("SERVERBUG", "CLIENTBUG", "CORRUPTION"),
        }.items()
        for code in codes
    ),
    ("pop3", "-ERR [LOGIN-DELAY] later", "temporary", "LOGIN-DELAY"),
    ("pop3", "-ERR [SYS/PERM] no", "broken", "SYS/PERM"),
    ("managesieve", 'NO (AUTH-TOO-WEAK) "no"', "unwilling", "AUTH-TOO-WEAK"),
    ("managesieve", 'NO (ENCRYPT-NEEDED) "no"', "unwilling", "ENCRYPT-NEEDED"),
    ("managesieve", 'NO (TRANSITION-NEEDED) "no"', "unwilling", "TRANSITION-NEEDED"),
]


@pytest.mark.parametrize(("protocol", "answer", "outcome", "code"), ANSWERS)
def test_what_an_answer_means(log_in: Log, protocol: str, answer: str, outcome: str, code: str) -> None:
    result = log_in(offering(protocol, WORDS[protocol].format("PLAIN"), CHALLENGES[protocol], "?", answer), protocol)
    assert (result.outcome, result.code) == (outcome, code)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("protocol", OFFERS)
def test_a_server_that_repeats_the_password(log_in: Log, protocol: str, secret: str) -> None:
    refusals = {
        "imap": f"* OK {secret}\na2 NO [{secret}] {secret}",
        "pop3": f"-ERR [{secret}] {secret}",
        "smtp": f"535-{secret}\n535 {secret}",
        "managesieve": f'NO ({secret}) "{secret}"',
    }
    result = log_in(offering(protocol, WORDS[protocol].format("PLAIN"), CHALLENGES[protocol], "?", refusals[protocol]), protocol)
    assert result.outcome == "refused"
    assert secret not in repr(result)


@pytest.mark.parametrize("protocol", OFFERS)
def test_a_server_that_accepts_without_asking(log_in: Log, protocol: str) -> None:
    result = log_in(offering(protocol, WORDS[protocol].format("PLAIN"), ACCEPTED[protocol]), protocol)
    assert result.outcome == "not_genuine"


@pytest.mark.parametrize("answer", ["+ " + encoded("v=" + encoded("0" * 20)), "a2 OK in"])
def test_a_server_that_accepts_without_proof(log_in: Log, answer: str) -> None:
    """SCRAM is for both sides."""

    def behave(talk: Conversation) -> None:
        talk.encrypt()
        talk.say("* OK hi")
        talk.hear()
        talk.say("* CAPABILITY AUTH=SCRAM-SHA-1\na1 OK")
        talk.hear()
        talk.say("+ ")
        first = base64.b64decode(talk.hear()).decode()
        talk.say("+ " + encoded(f"{first.rpartition(',')[2]}more,s={encoded('salt')},i=4096"))
        talk.hear()
        talk.say(answer)
        talk.hear()
        talk.say("a2 OK in")
        while talk.hear() != END:
            pass

    assert log_in(behave, mechanisms=("SCRAM-SHA-1",)).outcome == "not_genuine"


@pytest.mark.parametrize("mechanisms", [("CRAM-MD5",), ("SCRAM-SHA-256", "X"), ()])
def test_none_of_the_mechanisms(log_in: Log, mechanisms: tuple[str, ...]) -> None:
    assert log_in(offering("imap", "AUTH=PLAIN", "a2 OK"), mechanisms=mechanisms).outcome == "no_mechanism"


def unsafe(name: str, certificates: Faulty) -> tuple[Behaviour, str, ssl.SSLContext, bool]:
    """A server to which no password may go: behaviour, TLS mode, what it shows, and whether the client verifies."""
    good = certificates.shown(certificates.pair(HOST))
    greedy = offering("imap", "AUTH=PLAIN", "+ ", "?", "a2 OK in")
    plain = script("* OK hi", "?", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\na1 OK", "?", "+ ", "?", "a2 OK in")
    stripped = script(
        "* OK hi", "?", "* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\na1 OK", "?", "a2 OK\n* OK", "?", "+ ", "?", "a3 OK"
    )
    upgraded = script(
        *("* OK hi", "?", "* CAPABILITY STARTTLS AUTH=PLAIN\na1 OK", "?", "a2 OK", TLS, "?", "* CAPABILITY AUTH=PLAIN\na3 OK"),
        *("?", "+ ", "?", "a4 OK in"),
    )
    return {
        "expired": (greedy, "tls", certificates.shown(certificates.pair(HOST, ends=-1)), True),
        "another name": (greedy, "tls", certificates.shown(certificates.pair("other.tld")), True),
        "signed by itself": (greedy, "tls", certificates.shown(certificates.pair(HOST, by_itself=True)), True),
        "no TLS": (plain, "none", good, True),
        "no TLS is published": (upgraded, "none", good, True),
        "no STARTTLS": (plain, "starttls", good, True),
        "STARTTLS without a handshake": (stripped, "starttls", good, True),
        "nobody verifies": (greedy, "tls", good, False),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "expired",
        "another name",
        "signed by itself",
        "no TLS",
        "no TLS is published",
        "no STARTTLS",
        "STARTTLS without a handshake",
        "nobody verifies",
    ],
)
def test_no_password_without_verified_tls(log_in: Log, certificates: Faulty, trust: ssl.SSLContext, name: str) -> None:
    behaviour, tls, shown, verifies = unsafe(name, certificates)
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    result = log_in(behaviour, tls=tls, shown=shown, trusted=trust if verifies else blind, timeout=3.0)
    assert result.outcome == "insecure"
    heard = "\n".join(log_in.servers[0].heard)  # type: ignore[attr-defined]
    assert not any(secret in heard for secret in SECRETS)
    assert "AUTHENTICATE" not in heard


# What a server says that does not offer STARTTLS, and begins with TLS nevertheless if it is told to.
WITHOUT_STARTTLS = {
    "imap": (
        *("* OK hi", "?", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\na1 OK", "?", "a2 OK", TLS),
        *("?", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\na3 OK", "?", "+ ", "?", "a4 OK in"),
    ),
    "pop3": ("+OK hi", "?", "+OK\nSASL PLAIN\nUSER\n.", "?", "+OK", TLS, "?", "+OK\nSASL PLAIN\n.", "?", "+ ", "?", "+OK in"),
    "smtp": (
        *("220 hi", "?", "250-hi\n250 AUTH PLAIN", "?", "220 go", TLS),
        *("?", "250-hi\n250 AUTH PLAIN", "?", "334 ", "?", "235 2.7.0 in"),
    ),
    "managesieve": ('"SASL" "PLAIN"\nOK', "?", "OK", TLS, '"SASL" "PLAIN"\nOK', "?", '""', "?", 'OK "in"'),
}


@pytest.mark.parametrize("protocol", WITHOUT_STARTTLS)
def test_no_starttls_where_it_is_not_offered(log_in: Log, protocol: str) -> None:
    """As clients do, which then send nothing: whoever is in the way has taken the offer out."""
    result = log_in(script(*WITHOUT_STARTTLS[protocol]), protocol, tls="starttls", timeout=3.0)
    assert (result.outcome, result.mechanism) == ("insecure", "")
    heard = [line.upper() for line in log_in.servers[0].heard]  # type: ignore[attr-defined]
    assert not [line for line in heard if "STARTTLS" in line or "STLS" in line or "AUTH" in line]


def test_the_next_address_if_one_is_not_reached(context: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    with serving(offering("imap", "AUTH=PLAIN", "+ ", "?", "a2 OK in"), context) as server:
        result = login(server.endpoint("imap"), ["::1", OWN, "127.0.0.2"], trust, USER, PASSWORD, ["PLAIN"], PATIENCE)
        nobody = login(server.endpoint("imap"), ["127.0.0.2"], trust, USER, PASSWORD, ["PLAIN"], PATIENCE)
    assert (result.outcome, result.address) == ("accepted", OWN)
    assert nobody.outcome == "unreachable"


@pytest.mark.parametrize(
    ("user", "password"), [("", "x"), ("x", ""), ("a\r\nb", "secret word"), ("a", "secret\0word"), ("a", "secret\ud800")]
)
def test_what_no_client_can_send(trust: ssl.SSLContext, user: str, password: str) -> None:
    endpoint = facts.Endpoint("imap", HOST, 1, "tls")
    with pytest.raises(ValueError, match="is empty or has control characters") as caught:
        login(endpoint, [OWN], trust, user, password, ["PLAIN"], PATIENCE)
    assert "secret" not in str(caught.value)


def test_pop3_ends_without_an_update(log_in: Log) -> None:
    """QUIT after a login lets a server change the mailbox."""
    assert log_in(offering("pop3", "SASL PLAIN", "+ ", "?", "+OK in", "?"), "pop3").outcome == "accepted"
    assert "QUIT" not in log_in.servers[0].heard  # type: ignore[attr-defined]


# -- mechanisms ---------------------------------------------------------------------------------------------------------


def test_the_example_of_cram_md5() -> None:
    """RFC 2195 section 2."""
    mechanism = sasl.CramMd5("tim", "tanstaaftanstaaf")
    assert mechanism.respond(b"<1896.697170952@postoffice.reston.mci.net>") == b"tim b913a602c7eda7a495b4e6e7334d3890"


@pytest.mark.parametrize(
    ("kind", "nonce", "first", "final", "server"),
    [
        (
            sasl.ScramSha1,
            "fyko+d2lbbFgONRv9qkxdawL",
            b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            sasl.ScramSha256,
            "rOprNGfwEbeRWgbNEkqO",
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ],
)
def test_the_examples_of_scram(kind: type[sasl.Scram], nonce: str, first: bytes, final: bytes, server: bytes) -> None:
    """RFC 5802 section 5, RFC 7677 section 3."""
    mechanism = kind("user", "pencil", nonce)
    assert mechanism.respond(b"") == b"n,,n=user,r=" + nonce.encode()
    assert mechanism.respond(first) == final
    assert not mechanism.is_proven
    assert mechanism.respond(server) == b""
    assert mechanism.is_proven


@pytest.mark.parametrize(
    "first",
    [
        b"r=x,s=c2FsdA==,i=4096",
        b"r=y,s=c2FsdA==,i=4096",
        b"r=xmore,s=,i=4096",
        b"r=xmore,s=c2FsdA==,i=0",
        b"r=xmore,s=c2FsdA==,i=9999999999",
        b"r=xmore,s=!,i=1",
        b"r=x",
        b"\xff",
    ],
)
def test_a_first_message_of_scram_that_is_none(first: bytes) -> None:
    mechanism = sasl.ScramSha1("user", "pencil", "x")
    mechanism.respond(b"")
    with pytest.raises(sasl.SaslError):
        mechanism.respond(first)


@pytest.mark.parametrize(
    ("text", "same"), [("I\u00adX", "IX"), ("\u00aa", "a"), ("\u2168", "IX"), ("a\u00a0b", "a b"), ("\u0007", "\u0007")]
)
def test_passwords_are_compared_as_people_write_them(text: str, same: str) -> None:
    """RFC 4013 section 3."""
    assert sasl.prepared(text) == same


@hypothesis.given(st.sampled_from(sorted(sasl.MECHANISMS)), st.lists(st.binary(), max_size=5))
def test_mechanisms_take_any_challenge(name: str, challenges: list[bytes]) -> None:
    mechanism = sasl.MECHANISMS[name](USER, PASSWORD)
    said = ""
    try:
        for challenge in challenges:
            assert isinstance(mechanism.respond(challenge), bytes)
    except sasl.SaslError as exc:
        said = exc.outcome
    assert said in ("", *facts.OUTCOMES)
