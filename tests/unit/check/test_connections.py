"""What errors of the system mean, for web hosts and for mail servers alike, and that time ends."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import connections
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.servers import facts, stream


def of_openssl(reason: str) -> ssl.SSLError:
    """As the module ssl makes them."""
    error = ssl.SSLError(1, f"[SSL] {reason}")
    error.reason = reason
    return error


ERRORS = [
    (TimeoutError(), "timeout", "timeout"),
    (OSError(errno.ETIMEDOUT, "x"), "timeout", "timeout"),
    (ssl.SSLWantReadError(), "timeout", "timeout"),
    (ConnectionResetError(), "reset", "closed"),
    (BrokenPipeError(), "reset", "closed"),
    (ssl.SSLEOFError(), "reset", "closed"),
    (ConnectionRefusedError(), "refused", "refused"),
    (OSError(errno.ENETUNREACH, "x"), "no_route", "no_route"),
    (OSError(errno.EHOSTUNREACH, "x"), "unreachable", "unreachable"),
    (OSError(errno.EHOSTDOWN, "x"), "unreachable", "unreachable"),
    (PermissionError(errno.EPERM, "Operation not permitted"), "failed", "failed"),
    (of_openssl("WRONG_VERSION_NUMBER"), "garbage", "garbled"),
    (of_openssl("TLSV1_ALERT_PROTOCOL_VERSION"), "handshake", "garbled"),
]


class Broken(socket.socket):
    """A connection of which every read fails."""

    error: Exception

    def recv(self, *_arguments: int) -> bytes:
        raise self.error


@pytest.mark.parametrize(("error", "code", "problem"), ERRORS)
def test_what_an_error_means(error: Exception, code: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connections.failure(error).code == code
    assert code in connections.SENTENCES
    broken = Broken()
    broken.error = error
    monkeypatch.setattr(stream, "connect", lambda *_arguments: broken)
    with stream.Stream("127.0.0.1", 1, connections.Deadline(60)) as link, pytest.raises(stream.DialogueError) as caught:
        link.line()
    assert caught.value.problem == problem
    assert problem in facts.PROBLEMS


@pytest.mark.parametrize("fault", sorted(connections.CERTIFICATE_FAULTS))
def test_every_fault_of_a_certificate_has_a_sentence(fault: str) -> None:
    assert connections.SENTENCES[fault]


def test_what_could_not_be_sent_is_not_repeated() -> None:
    """It may be a password."""
    error = UnicodeEncodeError("utf-8", "secret\ud800", 6, 7, "secret")
    assert str(connections.failure(error)) == "the connection failed (UnicodeEncodeError)"


def test_nothing_is_asked_when_no_time_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        port, deadline = server.getsockname()[1], connections.Deadline(0)
        with pytest.raises(connections.LinkError) as caught:
            connections.connect("127.0.0.1", port, deadline)
        link, failures = connections.open_link("server.tld", ["127.0.0.1", "127.0.0.1"], port, None, deadline)
        with pytest.raises(stream.DialogueError) as dialogue:
            stream.Stream("127.0.0.1", port, deadline, 0.5)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert (caught.value.code, dialogue.value.problem, link) == ("timeout", "timeout", None)
    assert [(address, fault.code) for address, fault in failures] == [("127.0.0.1", "timeout")] * 2


def test_a_port_that_is_none() -> None:
    with pytest.raises(connections.LinkError) as caught:
        connections.connect("127.0.0.1", 70000, connections.Deadline(60))
    assert caught.value.code == "failed"
