"""Servers that do not behave: whatever they say, there is one kind of error with clear words."""

from __future__ import annotations

import socket
import socketserver
import threading
import typing as t
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.tsig
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.exchange import Exchange, ServerError
from hypothesis import given
from hypothesis import strategies as st

KEY = dns.tsig.Key("k", b"secret", "hmac-sha256")
Answer = Callable[[bytes], bytes | None]


class Server(socketserver.ThreadingTCPServer):
    """Answers each message by a function; closes the connection where that returns None."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.connections = 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def exchange(self) -> Exchange:
        return Exchange("127.0.0.1", self.server_address[1], KEY, 2)


class _Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.server.connections += 1
        while length := self.rfile.read(2):
            answer = self.server.answer(self.rfile.read(int.from_bytes(length, "big")))
            if answer is None:
                return
            self.wfile.write(len(answer).to_bytes(2, "big") + answer)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(lambda wire: None) as running:
        yield running
        running.shutdown()


def question() -> dns.message.Message:
    return dns.message.make_query("server.tld.", "A", flags=0)


def signed(wire: bytes) -> bytes:
    """A right answer."""
    asked = dns.message.from_wire(wire, keyring=KEY)
    answer = dns.message.make_response(asked)
    answer.flags |= dns.flags.AA
    return answer.to_wire()


def unsigned(wire: bytes, rcode: int = 0) -> bytes:
    """An answer without a signature."""
    answer = dns.message.QueryMessage(int.from_bytes(wire[:2], "big"))
    answer.flags = dns.flags.QR
    answer.set_rcode(dns.rcode.Rcode(rcode))
    return answer.to_wire()


def ask(server: Server, answer: Answer) -> ServerError:
    """The error of a question."""
    server.answer = answer
    with server.exchange() as exchange, pytest.raises(ServerError) as error:
        list(exchange.ask([question()]))
    return error.value


def test_many_questions_are_answered_in_their_order_whatever_the_servers(server: Server) -> None:
    server.answer = signed
    names = [f"n{number}.server.tld." for number in range(250)]
    with server.exchange() as exchange:
        answers = list(exchange.ask(dns.message.make_query(name, "A", flags=0) for name in names))
    assert [str(answer.question[0].name) for answer in answers] == names


def test_a_server_that_closes_after_some_answers_is_asked_again(server: Server) -> None:
    count = 0

    def answer(wire: bytes) -> bytes | None:
        nonlocal count
        count += 1
        return signed(wire) if count % 10 else None

    server.answer, server.connections = answer, 0
    with server.exchange() as exchange:
        assert len(list(exchange.ask(question() for _number in range(45)))) == 45
    assert server.connections == 5


def test_a_server_that_closes_at_once_is_not_asked_for_ever(server: Server) -> None:
    error = ask(server, lambda wire: None)
    assert "closed the connection without an answer" in str(error)


def test_an_unsigned_answer_is_refused_and_an_unsigned_error_is_one(server: Server) -> None:
    for rcode in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        assert str(ask(server, lambda wire, rcode=rcode: unsigned(wire, rcode))).startswith("127.0.0.1 port ")  # type: ignore[misc]
    server.answer = lambda wire: unsigned(wire, dns.rcode.REFUSED)
    with server.exchange() as exchange:
        (answer,) = exchange.ask([question()])
    assert answer.rcode() == dns.rcode.REFUSED


def test_an_answer_signed_with_another_secret_is_refused(server: Server) -> None:
    def answer(wire: bytes) -> bytes:
        asked = dns.message.from_wire(wire, keyring=KEY)
        reply = dns.message.make_response(asked)
        reply.use_tsig(dns.tsig.Key("k", b"other", "hmac-sha256"))
        return reply.to_wire()

    assert ask(server, answer).code == "BADSIG"


def test_an_answer_to_another_question_is_refused(server: Server) -> None:
    assert "answered what was not asked" in str(ask(server, lambda wire: b"\0\0" + wire[2:]))


def test_a_host_that_nobody_knows_is_named() -> None:
    with Exchange("no-such-host.invalid", 53, KEY, 2) as exchange, pytest.raises(ServerError, match="no host of that name"):
        list(exchange.ask([question()]))


def test_a_port_without_server_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with (
        Exchange("127.0.0.1", port, KEY, 2) as exchange,
        pytest.raises(ServerError, match=f"127.0.0.1 port {port} cannot be reached"),
    ):
        list(exchange.ask([question()]))


@given(junk=st.binary(max_size=60), keep=st.integers(0, 12))
def test_no_octets_break_it(server: Server, junk: bytes, keep: int) -> None:
    server.answer = lambda wire: wire[:keep] + junk

    def code(work: Callable[[Exchange], t.Any]) -> str:
        """The code of the error, or of an answer that says that it is one."""
        with server.exchange() as exchange:
            try:
                return dns.rcode.to_text(work(exchange).rcode())
            except ServerError as error:
                return error.code

    assert code(lambda exchange: next(iter(exchange.ask([question()])))) not in ("NOERROR", "NXDOMAIN")
    assert code(lambda exchange: exchange.tell(question())) not in ("", "NOERROR", "NXDOMAIN")
    with server.exchange() as exchange, pytest.raises(ServerError):
        list(exchange.transfer("server.tld."))
