"""Messages to one name server and back, over TCP and signed: the only part that talks to the network.

PRIVATE to the collection. RFC 7766 (TCP), 8945 (TSIG), 5936 (AXFR). Always TCP: an answer is never cut short, an update may
have 64 KiB, and many messages share a connection.
"""

from __future__ import annotations

import itertools
import socket
import time
import typing as t

from .library import dns

# So many questions are sent before their answers are read. They fit the buffers of both sides, or both would wait for ever.
_BATCH = 100
# A connection that was idle for so many seconds may be about to be closed by the server (RFC 7766 section 6.2.3).
_IDLE = 2.0
# The code of an error after which nobody knows whether the server has carried out the message.
LOST = "LOST"

_TSIG_PROBLEMS = {
    "PeerBadKey": (
        "BADKEY",
        "does not take the key (BADKEY): it does not know key_name, or with another key_algorithm, or not for this purpose",
    ),
    "PeerBadSignature": ("BADSIG", "finds the signature wrong (BADSIG): key_secret is not the secret that the server has"),
    "PeerBadTime": (
        "BADTIME",
        "finds the time of the signature wrong (BADTIME): the two clocks differ by more than five minutes",
    ),
    "BadTime": ("BADTIME", "signed at a time that is wrong here (BADTIME): the two clocks differ by more than five minutes"),
    "BadSignature": ("BADSIG", "signed with another secret (BADSIG): key_secret is not the secret that the server has"),
}


class ServerError(Exception):
    """What went wrong between us and the server, as a sentence about it.

    :ivar code: the mnemonic of RFC 2136 section 2.2 or RFC 8945 section 3, :data:`LOST`, or empty
    :ivar of_zone: whether it concerns one zone, so that others may fare better; what the server has answered does
    """

    def __init__(self, message: str, code: str = "", of_zone: bool = False) -> None:
        self.code = code
        self.of_zone = of_zone or code not in ("", LOST)
        super().__init__(message)


class _Stream:
    """A TCP connection that carries messages.

    :ivar used: when the last message came, by time.monotonic
    :ivar heard: whether any message came
    """

    def __init__(self, where: tuple[str, int], timeout: float) -> None:
        self._socket = socket.create_connection(where, timeout)
        self._reader = self._socket.makefile("rb")
        self.used = time.monotonic()
        self.heard = False

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> bytes:
        """A message without the length before it. Raises OSError and EOFError."""
        data = self._exactly(int.from_bytes(self._exactly(2), "big"))
        self.used = time.monotonic()
        self.heard = True
        return data

    def _exactly(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) < size:
            raise EOFError
        return data


class Exchange:
    """A connection to one server, opened when it is needed and again when the server has closed it.

    :arg key: a ``dns.tsig.Key``; every message is signed, and answers must be
    :arg timeout: seconds to wait for each step: the connection, and each piece of an answer
    """

    def __init__(self, server: str, port: int, key: t.Any, timeout: float) -> None:
        self.name = f"{server} port {port}"
        self._where = (server, port)
        self._key = key
        self._timeout = timeout
        self._stream: _Stream | None = None
        self._ids = itertools.cycle(range(1, 65536))

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection if there is one."""
        if self._stream is not None:
            self._stream.close()
        self._stream = None

    def ask(self, questions: t.Iterable[dns.message.Message]) -> t.Iterator[dns.message.Message]:
        """Ask what does not change anything; the answers in the order of the questions. Raises ServerError."""
        rest = iter(questions)
        while batch := list(itertools.islice(rest, _BATCH)):
            yield from self._ask_at_once(batch)

    def fits(self, message: dns.message.Message) -> bool:
        """Whether the message is small enough to be sent."""
        try:
            self._sign(message)
        except dns.exception.TooBig:
            return False
        return True

    def tell(self, message: dns.message.Message) -> dns.message.Message:
        """Send a message that may change something, once; its answer. Raises ServerError, with LOST if the answer is missing."""
        wire = self._sign(message)
        stream = self._connect()
        try:
            stream.send(wire)
            return self._read(stream.receive(), message)
        except (OSError, EOFError) as exc:
            raise self._broken(exc, LOST) from exc
        except ServerError as exc:
            raise ServerError(str(exc), exc.code or LOST) from exc

    def transfer(self, zone: str) -> t.Iterator[dns.rrset.RRset]:
        """All of a zone; an RRset may come in pieces. Raises ServerError."""
        question = dns.message.make_query(zone, dns.rdatatype.AXFR, flags=0)
        wire = self._sign(question)
        stream = self._connect()
        context = None
        ends = 0  # the SOA is the first record and the last (RFC 5936 section 2.2)
        try:
            stream.send(wire)
            while ends < 2:
                answer = self._read(stream.receive(), question, transfer=True, context=context)
                if answer.rcode() != dns.rcode.NOERROR or not answer.answer:
                    code = dns.rcode.to_text(answer.rcode())
                    raise ServerError(f"{self.name} does not hand out the zone {zone} ({code})", code)
                context = answer.tsig_ctx
                ends += sum(rrset.rdtype == dns.rdatatype.SOA for rrset in answer.answer)
                yield from answer.answer
            if not answer.had_tsig:
                raise ServerError(f"{self.name} did not sign the end of the zone {zone}")
        except (OSError, EOFError) as exc:
            raise self._broken(exc) from exc

    def _ask_at_once(self, batch: list[dns.message.Message]) -> list[dns.message.Message]:
        questions = {}
        for question in batch:
            wire = self._sign(question)
            questions[question.id] = (question, wire)
        answers: dict[int, dns.message.Message] = {}
        while len(answers) < len(questions):
            stream = self._connect()
            try:
                stream.send(b"".join(wire for identity, (_question, wire) in questions.items() if identity not in answers))
                while len(answers) < len(questions):
                    wire = stream.receive()
                    identity = int.from_bytes(wire[:2], "big")
                    if identity not in questions:
                        raise ServerError(f"{self.name} answered what was not asked")
                    answers[identity] = self._read(wire, questions[identity][0])
            except (ConnectionError, EOFError) as exc:
                # A server may close a connection after so many answers (RFC 7766 section 6.2.4); the rest is asked again.
                self.close()
                if not stream.heard:
                    raise self._broken(exc) from exc
            except OSError as exc:
                raise self._broken(exc) from exc
        return [answers[identity] for identity in questions]

    def _sign(self, message: dns.message.Message) -> bytes:
        """The message as it is sent, with a new id. Raises dns.exception.TooBig."""
        message.id = next(self._ids)
        message.use_tsig(self._key)
        wire = message.to_wire()
        return len(wire).to_bytes(2, "big") + wire  # RFC 1035 section 4.2.2

    def _connect(self) -> _Stream:
        if self._stream is not None and time.monotonic() - self._stream.used < _IDLE:
            return self._stream
        self.close()
        try:
            self._stream = _Stream(self._where, self._timeout)
        except socket.gaierror as exc:
            raise ServerError(f"{self._where[0]} is no address, and no host of that name is known: {exc.strerror}") from exc
        except OSError as exc:
            raise ServerError(f"{self.name} cannot be reached over TCP: {exc}") from exc
        return self._stream

    def _read(
        self, wire: bytes, question: dns.message.Message, transfer: bool = False, context: t.Any = None
    ) -> dns.message.Message:
        """The message from its octets, its signature checked. Raises ServerError."""
        # Servers do not sign errors about zones that they do not have. An error may come from anybody, data may not.
        is_error = len(wire) >= 12 and wire[3] & 15 not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
        unsigned_error = is_error and wire[10:12] == b"\0\0"
        try:
            if unsigned_error:
                answer = dns.message.from_wire(wire)
            else:
                answer = dns.message.from_wire(
                    wire, keyring=self._key, request_mac=question.mac, xfr=transfer, tsig_ctx=context, multi=transfer
                )
        except (dns.exception.DNSException, ValueError) as exc:
            self.close()
            code, text = _TSIG_PROBLEMS.get(type(exc).__name__, ("", f"gave an answer that cannot be used: {exc}"))
            raise ServerError(f"{self.name} {text}", code) from exc
        # In a transfer only the first message has to be signed, and the last (RFC 8945 section 5.3.1).
        if answer.id != question.id or not (answer.had_tsig or unsigned_error or context is not None):
            self.close()
            raise ServerError(f"{self.name} gave an answer that is not signed or not ours, which may be anybody's")
        return answer

    def _broken(self, exc: Exception, code: str = "") -> ServerError:
        self.close()
        if isinstance(exc, socket.timeout):
            return ServerError(f"{self.name} did not answer within {self._timeout} seconds", code)
        return ServerError(f"{self.name} closed the connection without an answer", code)
