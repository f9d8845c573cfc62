"""Dialogues take whatever a server says: an offer, a reply, or an error of ours."""

from __future__ import annotations

from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.servers import facts
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.servers.dialogues import (
    DIALOGUES,
    Reply,
    mechanisms,
    recognised,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.servers.sasl import (
    MECHANISMS,
    Plain,
    SaslError,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.servers.stream import DialogueError

PIECES = (
    *(
        "* OK",
        "* BYE",
        "* CAPABILITY ",
        "AUTH=PLAIN",
        "a1 OK",
        "a1 NO",
        "a1 BAD",
        "a2 ",
        "+OK",
        "-ERR ",
        "+ ",
        "+",
        ".",
        "[AUTH]",
        "[",
    ),
    *(
        "250-",
        "250 ",
        "334 ",
        "235 ",
        "535 5.7.8",
        "AUTH PLAIN",
        '"SASL" "PLAIN"',
        '"STARTTLS"',
        "OK",
        "NO (",
        "{3}",
        '""',
        "=",
        ",",
    ),
)
LINE = st.one_of(st.lists(st.sampled_from(PIECES), max_size=5).map("".join), st.text(max_size=40))


class Lines:
    """In the place of a stream: lines that come, and then nothing."""

    own_address = "[127.0.0.1]"

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines[::-1]

    def line(self) -> str:
        if not self._lines:
            raise DialogueError("closed")
        return self._lines.pop()

    def send(self, line: str) -> None:
        assert "\n" not in line
        assert "\r" not in line


@hypothesis.given(
    st.sampled_from(sorted(DIALOGUES)), st.lists(LINE, min_size=1, max_size=12), st.sampled_from(sorted(MECHANISMS))
)
def test_any_lines(protocol: str, lines: list[str], mechanism: str) -> None:
    for method in ("greet", "offer", "start_tls", "authenticate", "log_in"):
        stream: Any = Lines(lines[1:])
        talk = DIALOGUES[protocol](stream)
        arguments: dict[str, tuple[Any, ...]] = {
            "greet": (lines[0],),
            "authenticate": (MECHANISMS[mechanism]("anna", "secret"), mechanism),
            "log_in": ("anna", "secret"),
        }
        found, said, detail = None, "", ""
        try:
            found = getattr(talk, method)(*arguments.get(method, ()))
        except DialogueError as exc:
            said, detail = exc.problem, exc.detail
        except SaslError as exc:
            said = exc.outcome
        assert said in ("", *facts.PROBLEMS, *facts.OUTCOMES)
        assert len(detail) <= 200
        if isinstance(found, Reply):
            assert found.outcome in facts.OUTCOMES
            assert "secret" not in found.code
        if isinstance(found, facts.Offer):
            assert mechanisms(found.mechanisms) == found.mechanisms


@pytest.mark.parametrize(
    ("line", "protocol"),
    [
        ("* OK hi", "imap"),
        ("* PREAUTH", "imap"),
        ("+OK", "pop3"),
        ("220 mail.tld ESMTP", "smtp"),
        ("220 (vsFTPd 3.0)", "ftp"),
        ('"IMPLEMENTATION" "x"', "managesieve"),
        ("HTTP/1.1 400 Bad Request", "http"),
        ("SSH-2.0-x", "ssh"),
        ("+OKAY", ""),
        ("2200", ""),
        ("", ""),
    ],
)
def test_greetings(line: str, protocol: str) -> None:
    assert recognised(line) == protocol


def test_plain_says_the_password_once() -> None:
    mechanism = Plain("anna", "secret")
    assert mechanism.respond(b"") == b"\0anna\0secret"
    with pytest.raises(SaslError):
        mechanism.respond(b"")
