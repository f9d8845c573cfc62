"""What strangers can cost the check: for each parser the largest time and memory that any input took, up to the most it reads.

Inputs are what we publish with a few octets changed; pieces of it repeated until no more is read; and traps for each format.
"""

from __future__ import annotations

import base64
import random
import socket
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dns.message
import dns.rrset
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import der
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import connections, names, web
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.parsing import (
    LARGEST,
    DocumentError,
    pacc,
    trees,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.servers import dialogues, sasl, stream

from tests.unit.check.parsing.test_hostile import READERS, TRAPS, enclosed, read
from tools.certificates import Authority

SEED = 1
MUTANTS, REPEATED = 1000, 60
# What OpenSSL takes of a server's certificates by default (SSL_CTX_set_max_cert_list), a message of DNS over TCP.
LARGEST_CERTIFICATE, LARGEST_MESSAGE = 100 << 10, 65535
LARGEST_ANSWER = web.LARGEST_BODY + (1 << 16)


class Parser(NamedTuple):
    """A reader of what strangers send, which raises its own errors only.

    :ivar original: what it is made for
    :ivar largest: octets that it is given at most
    """

    reader: Callable[[bytes], Any]
    original: bytes
    largest: int
    errors: tuple[type[Exception], ...] = ()
    traps: tuple[bytes, ...] = ()


class Result(NamedTuple):
    """What a parser took at most."""

    inputs: int
    seconds: float
    memory: int
    slowest: str
    fattest: str


# -- inputs ---------------------------------------------------------------------------------------------------------------


def inputs(parser: Parser) -> Iterator[tuple[str, bytes]]:
    """Inputs with a word of what they are; the same in each run."""
    dice = random.Random(SEED)  # noqa: S311 (no secret depends on it)
    yield "as it should be", parser.original
    for number in range(MUTANTS):
        yield f"mutant {number}", mutant(dice, parser.original)
    for number in range(REPEATED):
        yield from repeated(dice, parser, number)
    for number, trap in enumerate(parser.traps):
        yield f"trap {number} ({trap[:20]!r})", trap[: parser.largest + 1]
    for octet in (b"\0", b" ", b"\n", b"\xff", b"0", b"A", b"\x30\x80", b"\x30\x00", b"\x06\x00"):
        yield f"nothing but {octet!r}", (octet * parser.largest)[: parser.largest]


def mutant(dice: random.Random, original: bytes) -> bytes:
    """A document with up to six pieces replaced, removed or repeated."""
    data = bytearray(original)
    for _change in range(dice.randint(1, 6)):
        start = dice.randrange(len(data) + 1)
        end = min(start + dice.randrange(60), len(data))
        data[start:end] = dice.choice((b"", dice.randbytes(dice.randrange(12)), bytes(data[start:end]) * 3))
    return bytes(data)


def repeated(dice: random.Random, parser: Parser, number: int) -> Iterator[tuple[str, bytes]]:
    """A document in which one piece is there until no more is read, with what follows it and without."""
    original = parser.original
    start = dice.randrange(len(original))
    piece = original[start : start + dice.choice((1, 2, 8, 40, 200))]
    room = parser.largest - len(original)
    grown = original[:start] + piece * max(room // len(piece), 1)
    yield f"repeated {number} ({piece[:20]!r})", grown + original[start:]
    yield f"repeated and cut {number} ({piece[:20]!r})", grown


def xml_traps(root: bytes) -> Iterator[bytes]:
    """Few octets that make many: long names and name spaces, attributes, depth."""
    half = b"x" * (LARGEST // 2 - 200)
    yield b"<" + root + b' xmlns="' + half + b'">' + b"<a/>" * 49_000
    yield b"<" + root + b' xmlns:y="' + half + b'">' + b"<y:a/>" * 49_000
    yield b"<" + root + b' xmlns:y="' + half + b'"><a ' + b" ".join(b'y:a%d=""' % number for number in range(40_000)) + b"/>"
    yield b"<" + root + b" " + b" ".join(b'a%d=""' % number for number in range(80_000)) + b"/>"
    yield b"<" + root + b">" + b"<emailProvider><incomingServer type='imap'/></emailProvider>" * 16_000
    yield b"<" + root + b"><emailProvider>" + b"<incomingServer type='imap'/>" * 35_000
    yield b"<" + root + b">" + b"&#65;" * 200_000
    yield b"<" + root + b"><!--" + b"-" * 1_000_000
    yield b"<" + root + b"><![CDATA[" + b"]" * 1_000_000
    yield b"<" + half + b">" + b"</" + half + b">"


JSON_TRAPS = (
    b"[" * LARGEST,
    b'{"a":' * 200_000,
    b"1" * LARGEST,
    b'{"protocols":[' + b"0," * 520_000 + b"0]}",
    b'{"protocols":[' + b"{}," * 340_000 + b"0]}",
    b'{"protocols":{' + b",".join(b'"%d":0' % number for number in range(100_000)) + b"}}",
    b'{"protocols":"' + b"\\u0041" * 170_000 + b'"}',
    b'{"protocols":' + b"1" * 4000 + b"}",
)
DER_TRAPS = (
    enclosed(0x30, content=b"\x05\x00" * 500_000),
    enclosed(0x30, 0x30, content=b"\x05\x00" * 500_000),
    enclosed(0x30, content=enclosed(0x06, content=b"\xff" * 90_000) + b"\x05\x00"),
    enclosed(0x30, content=enclosed(0x06, content=b"\xff" * 1_000_000) + b"\x05\x00"),
    enclosed(0x30, 0x30, 0x31, 0x30, 0x06, content=b"\xff" * 1_000_000),
    enclosed(*[0x30] * 150_000, content=b""),
)


# -- parsers --------------------------------------------------------------------------------------------------------------


class Pieces:
    """A connection from which an answer comes in pieces."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size, self._at = data, size, 0

    def settimeout(self, _seconds: float) -> None:
        """Nothing is waited for."""

    def recv(self, _most: int) -> bytes:
        piece = self._data[self._at : self._at + self._size]
        self._at += self._size
        return piece


def http_answer(size: int) -> Callable[[bytes], Any]:
    """Reads an answer that comes in pieces."""

    def reader(data: bytes) -> web.Answer:
        received, complete = web._read(Pieces(data, size), connections.Deadline(3600))
        return web._parsed(web.Question("GET", "https://server.tld/"), received, complete)

    return reader


def dialogue(protocol: str) -> Callable[[bytes], Any]:
    """Reads greeting and capabilities."""

    def reader(data: bytes) -> Any:
        server = socket.create_server(("127.0.0.1", 0))
        link = stream.Stream("127.0.0.1", server.getsockname()[1], connections.Deadline(3600))
        theirs, _address = server.accept()
        server.close()
        with link, theirs:
            theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
            talk = dialogues.DIALOGUES[protocol](link)
            talk.greet(link.line())
            return talk.offer()

    return reader


def challenge(name: str) -> Callable[[bytes], Any]:
    """Answers a challenge."""

    def reader(data: bytes) -> bytes:
        mechanism = sasl.MECHANISMS[name]("anna@server.tld", "x")
        if name.startswith("SCRAM"):
            first = mechanism.respond(b"")
            data = data.replace(b"NONCE", first.rpartition(b"r=")[2])
        return mechanism.respond(data)

    return reader


def message(data: bytes) -> Any:
    """A message of a name server, as ``names`` reads it."""
    answer = names._answer(dns.message.from_wire(data), "server.tld", "SRV")
    return list(names.srv_of(answer.rdatas))


def messages() -> tuple[bytes, ...]:
    """An answer as it should be, and large ones."""
    query = dns.message.make_query("server.tld", "SRV")
    found = []
    for rdatas in (["0 1 993 mail.server.tld."], [f"0 1 {number} a{number}.server.tld." for number in range(1500)]):
        answer = dns.message.make_response(query)
        answer.answer.append(dns.rrset.from_text_list("server.tld.", 300, "IN", "SRV", rdatas))
        found.append(answer.to_wire(max_size=LARGEST_MESSAGE))
    many = dns.message.make_response(query)
    many.answer += [dns.rrset.from_text(f"a{number}.tld.", 300, "IN", "A", "192.0.2.1") for number in range(2500)]
    chain = dns.message.make_response(query)
    aliases = [f"a{number}.tld." for number in range(2000)]
    pairs = zip(["server.tld.", *aliases], aliases, strict=False)
    chain.answer += [dns.rrset.from_text(owner, 300, "IN", "CNAME", target) for owner, target in pairs]
    return (*found, many.to_wire(max_size=LARGEST_MESSAGE), chain.to_wire(max_size=LARGEST_MESSAGE))


def text_record(data: bytes) -> Any:
    """A TXT record, as presented."""
    return pacc.digests([names.unquoted(data.decode("latin-1"))])


def parsers(authority: Authority) -> Iterator[tuple[str, Parser]]:
    """Every parser by its name."""
    roots = {"Mozilla's file": b"clientConfig", "Autodiscover": b"Autodiscover", "a profile": b"plist"}
    for name, (reader, original) in READERS.items():
        traps = tuple(xml_traps(roots[name])) if name in roots else JSON_TRAPS
        traps += DER_TRAPS if name == "a profile" else ()
        traps += tuple(trap for trap, _code in TRAPS.values())
        yield name, Parser(_documented(reader), original, LARGEST, (), traps)
    tags = (b"<!" * 500_000, b"<!<>" * 250_000, b"<a>" * 340_000, b"<a '" * 250_000, b"<" * LARGEST, b"<!--" * 250_000)
    yield "its tags, as Delta Chat reads them", Parser(trees.nested, READERS["Mozilla's file"][1], LARGEST, (), tags)
    certificate = base64.b64decode("".join(authority.certificate.read_text().splitlines()[1:-1]))
    yield "a certificate", Parser(der.certificate, certificate, LARGEST_CERTIFICATE, (der.DerError,), DER_TRAPS)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = head + b"5\r\nhello\r\n0\r\n\r\n"
    traps = (head + b"1\r\nx\r\n" * 200_000, body[:17] + b"A: b\r\n" * 200_000, body[:17] + b"A:" + b" " * LARGEST)
    yield "an answer over HTTP", Parser(http_answer(65536), body, LARGEST_ANSWER, (), traps)
    yield "the same, octet by octet", Parser(http_answer(1), body, 64 << 10, (), traps)
    good, *large = messages()
    errors = (dns.exception.DNSException, ValueError)
    yield "a message of a name server", Parser(message, good, LARGEST_MESSAGE, errors, tuple(large))
    digest = b'"v=UAAC1; a=sha256; d=' + base64.b64encode(b"x" * 32) + b'"'
    yield "a TXT record", Parser(text_record, digest, names._LONGEST_RDATA, ())
    said = {
        "imap": b"* OK hi\r\n* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\na1 OK\r\n",
        "pop3": b"+OK hi\r\n+OK\r\nSASL PLAIN\r\nUSER\r\n.\r\n",
        "smtp": b"220-hi\r\n220 hi\r\n250-hi\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n",
        "managesieve": b'"SASL" "PLAIN"\r\n"STARTTLS"\r\nOK\r\n',
    }
    for protocol, original in said.items():
        yield f"what a server says ({protocol})", Parser(dialogue(protocol), original, stream.MAX_BYTES, (stream.DialogueError,))
    most = b"r=NONCEmore,s=c2FsdA==,i=%d" % sasl.MAX_ITERATIONS
    for name, original in (("SCRAM-SHA-256", b"r=NONCEmore,s=c2FsdA==,i=4096"), ("CRAM-MD5", b"<1@server.tld>")):
        yield f"a challenge ({name})", Parser(challenge(name), original, stream.MAX_BYTES, (sasl.SaslError,), (most,))


def _documented(reader: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """A reader of documents, and what clients make of the value."""
    return lambda data: read(reader, data)


# -- measuring ------------------------------------------------------------------------------------------------------------


def measure(parser: Parser) -> Result:
    """Each input is read twice: for the time of the processor, and for the memory, which is counted slowly."""
    count, slowest, fattest = 0, (0.0, ""), (0, "")
    for word, data in inputs(parser):
        count += 1
        began = time.process_time()
        _tried(parser, data)
        slowest = max(slowest, (time.process_time() - began, word))
    for word, data in inputs(parser):
        if len(data) > len(parser.original) * 2:
            tracemalloc.start()
            _tried(parser, data)
            fattest = max(fattest, (tracemalloc.get_traced_memory()[1], word))
            tracemalloc.stop()
    return Result(count, slowest[0], fattest[0], slowest[1], fattest[1])


def _tried(parser: Parser, data: bytes) -> None:
    try:
        parser.reader(data)
    except (DocumentError, *parser.errors):
        pass


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as directory:
        for name, parser in parsers(Authority(Path(directory) / "ca")):
            found = measure(parser)
            print(
                f"  {name} (at most {parser.largest >> 10} KiB): {found.inputs} inputs, at most {found.seconds * 1000:.0f} ms "
                f"({found.slowest}), {found.memory / (1 << 20):.1f} MiB ({found.fattest})",
                flush=True,
            )
