"""Servers that do not behave: whatever they say, there is one kind of error with clear words."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import typing as t
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import dns.tsig
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns import exchange as exchange_module
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.exchange import LOST, Exchange, ServerError
from hypothesis import given
from hypothesis import strategies as st

KEY = dns.tsig.Key("k", b"secret", "hmac-sha256")
# A message, or several of a transfer, or none.
Answer = Callable[[bytes], bytes | list[bytes] | None]
SOA = "server.tld. 3600 IN SOA ns.server.tld. h.server.tld. 1 3600 600 86400 300"


class Server(socketserver.ThreadingTCPServer):
    """Answers each message by a function; closes the connection where that returns None."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.connections = 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def exchange(self, timeout: float = 2) -> Exchange:
        return Exchange("127.0.0.1", self.server_address[1], KEY, timeout)


class _Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.server.connections += 1
        while length := self.rfile.read(2):
            answer = self.server.answer(self.rfile.read(int.from_bytes(length, "big")))
            if answer is None:
                return
            messages = answer if isinstance(answer, list) else [answer]
            with contextlib.suppress(ConnectionError):  # who has seen enough does not wait for the rest
                self.wfile.write(b"".join(len(message).to_bytes(2, "big") + message for message in messages))


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


def test_a_server_that_does_not_answer_is_waited_for_as_long_as_was_said(server: Server) -> None:
    waiting = threading.Event()
    server.answer = lambda wire: None if waiting.wait(5) else b""
    try:
        with server.exchange(0.2) as exchange, pytest.raises(ServerError, match=r"did not answer within 0\.2 seconds$") as error:
            list(exchange.ask([question()]))
        assert error.value.code == ""
        with server.exchange(0.2) as exchange, pytest.raises(ServerError, match=r"did not answer within 0\.2 seconds$") as error:
            exchange.tell(question())
        assert error.value.code == LOST
    finally:
        waiting.set()


def test_a_connection_that_was_idle_is_opened_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer, server.connections = signed, 0
    with server.exchange() as exchange:
        for _number in range(3):
            list(exchange.ask([question()]))
        assert server.connections == 1
        monkeypatch.setattr(exchange_module, "_IDLE", 0)
        exchange.tell(question())
        assert server.connections == 2


# -- messages that may change something -----------------------------------------------------------------------------------


def test_what_is_told_is_answered_and_sent_once(server: Server) -> None:
    told = []

    def answer(wire: bytes) -> bytes | None:
        told.append(wire)
        return signed(wire) if len(told) == 1 else None

    server.answer = answer
    with server.exchange() as exchange:
        assert exchange.tell(question()).rcode() == dns.rcode.NOERROR
        with pytest.raises(ServerError, match="closed the connection without an answer") as error:
            exchange.tell(question())
    assert error.value.code == LOST
    assert len(told) == 2


def test_an_answer_that_cannot_be_believed_leaves_open_what_was_done(server: Server) -> None:
    server.answer = unsigned
    with server.exchange() as exchange, pytest.raises(ServerError) as error:
        exchange.tell(question())
    assert error.value.code == LOST


@pytest.mark.parametrize(
    ("error_code", "code"), [(dns.rcode.BADSIG, "BADSIG"), (dns.rcode.BADKEY, "BADKEY"), (dns.rcode.BADTIME, "BADTIME")]
)
def test_what_a_server_thinks_of_the_key_is_named(server: Server, error_code: dns.rcode.Rcode, code: str) -> None:
    def answer(wire: bytes) -> bytes:
        reply = dns.message.make_response(dns.message.from_wire(wire, keyring=KEY), tsig_error=error_code)
        reply.set_rcode(dns.rcode.NOTAUTH)
        return reply.to_wire()

    assert ask(server, answer).code == code
    with server.exchange() as exchange, pytest.raises(ServerError) as error:
        exchange.tell(question())
    assert error.value.code == code


def test_messages_of_64_kib_can_be_sent_and_no_larger() -> None:
    def message(records: int) -> dns.message.Message:
        made = dns.message.make_query("server.tld.", "A")
        data = " ".join(['"' + "x" * 255 + '"'] * 10)
        made.additional.extend(dns.rrset.from_text(f"n{number}.", 300, "IN", "TXT", data) for number in range(records))
        return made

    exchange = Exchange("127.0.0.1", 53, KEY, 2)
    assert exchange.fits(message(25))
    assert not exchange.fits(message(26))


# -- transfers ------------------------------------------------------------------------------------------------------------


def messages(wire: bytes, *parts: list[str], unsigned: tuple[int, ...] = ()) -> list[bytes]:
    """The messages of a transfer, some of them without a signature."""
    asked = dns.message.from_wire(wire, keyring=KEY)
    context, found = None, []
    for number, lines in enumerate(parts):
        reply = dns.message.make_response(asked)
        reply.answer.extend(dns.rrset.from_text(*line.split(maxsplit=4)) for line in lines)
        if number in unsigned:
            reply.tsig = None
            found.append(reply.to_wire())
            if context is not None:
                context.update(found[-1])
        else:
            found.append(reply.to_wire(multi=True, tsig_ctx=context))
            context = reply.tsig_ctx
    return found


def a(number: int) -> str:
    return f"a{number}.server.tld. 300 IN A 192.0.2.{number}"


PARTS = [[SOA, a(1)], [a(2), a(3)], [a(4), SOA]]


def transfer(server: Server, answer: Answer) -> list[str]:
    server.answer = answer
    with server.exchange() as exchange:
        return [str(rrset) for rrset in exchange.transfer("server.tld.")]


@pytest.mark.parametrize("parts", [PARTS, [[SOA, a(1), a(2), a(3), a(4), SOA]], [[SOA], [a(1), a(2), a(3)], [a(4)], [SOA]]])
def test_a_zone_comes_in_as_many_messages_as_the_server_likes(server: Server, parts: list[list[str]]) -> None:
    assert transfer(server, lambda wire: messages(wire, *parts)) == [SOA, a(1), a(2), a(3), a(4), SOA]


def test_after_a_zone_the_connection_is_used_on(server: Server) -> None:
    server.answer, server.connections = lambda wire: messages(wire, *PARTS), 0
    with server.exchange() as exchange:
        assert len(list(exchange.transfer("server.tld."))) == len(list(exchange.transfer("server.tld."))) == 6
        server.answer = signed
        list(exchange.ask([question()]))
    assert server.connections == 1


def test_of_a_zone_the_messages_in_the_middle_need_no_signature(server: Server) -> None:
    assert len(transfer(server, lambda wire: messages(wire, *PARTS, unsigned=(1,)))) == 6
    with pytest.raises(ServerError, match=r"did not sign the end of the zone server\.tld\.$"):
        transfer(server, lambda wire: messages(wire, *PARTS, unsigned=(2,)))
    with pytest.raises(ServerError, match="not signed or not ours"):
        transfer(server, lambda wire: messages(wire, *PARTS, unsigned=(0,)))


def test_a_message_that_was_changed_on_the_way_is_refused(server: Server) -> None:
    def answer(wire: bytes) -> list[bytes]:
        first, middle, last = messages(wire, *PARTS, unsigned=(1,))
        return [first, middle.replace(bytes((192, 0, 2, 2)), bytes((192, 0, 2, 66))), last]

    with pytest.raises(ServerError) as error:
        transfer(server, answer)
    assert error.value.code == "BADSIG"


@pytest.mark.parametrize("rcode", [dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.NOERROR])
def test_a_zone_that_is_not_handed_out_is_named_with_the_reason(server: Server, rcode: dns.rcode.Rcode) -> None:
    def answer(wire: bytes) -> bytes:
        reply = dns.message.make_response(dns.message.from_wire(wire, keyring=KEY))
        reply.set_rcode(rcode)
        return reply.to_wire()

    code = dns.rcode.to_text(rcode)
    with pytest.raises(ServerError, match=rf" does not hand out the zone server\.tld\. \({code}\)$") as error:
        transfer(server, answer)
    assert error.value.code == code


def test_a_zone_that_ends_in_the_middle_is_none(server: Server) -> None:
    server.answer = lambda wire: messages(wire, *PARTS[:2])
    with server.exchange(0.2) as exchange, pytest.raises(ServerError, match="did not answer within"):
        list(exchange.transfer("server.tld."))


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
