"""Ask a mail server what it is and what it offers, at each of its addresses, without logging in.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import ssl
import typing as t

from ..connections import Deadline
from ..model import STARTTLS, TLS, Endpoint
from . import tls
from .dialogues import DIALOGUES, Dialogue, recognised
from .facts import PROBLEMS, UNREACHED, AddressFacts, ServerFacts
from .stream import DialogueError, HandshakeError, Stream, cleaned

# The part of the time that the dialogue has as a client has it; the rest is to find out what is wrong.
_DIALOGUE = 0.6
# After these, what is at the port may still be found out in another way: (in TLS, after our first command).
_PUZZLES = ("silent", "garbled", "closed", "tls_failed")
_WITH_TLS = ((False, False), (False, True), (True, True))
_WITHOUT_TLS = ((True, False), (False, True), (True, True))


class Place(t.NamedTuple):
    """One address of a server, and until when it may take."""

    endpoint: Endpoint
    address: str
    deadline: Deadline

    def connect(self, part: float = 1.0) -> Stream:
        """A new connection, for a part of the time that is left. Raises DialogueError."""
        return Stream(self.address, self.endpoint.port, self.deadline, part)


def probe(endpoint: Endpoint, addresses: t.Iterable[str], trust: ssl.SSLContext, timeout: float) -> ServerFacts:
    """What is at each address of a server.

    :arg addresses: IPv4 and IPv6 as literals
    :arg trust: a context that verifies chain and name
    :arg timeout: seconds for each address, whatever the server does

    Never raises.
    """
    return ServerFacts(endpoint, tuple(_at(Place(endpoint, address, Deadline(timeout)), trust) for address in addresses))


def _at(place: Place, trust: ssl.SSLContext) -> AddressFacts:
    facts, failed = _ask(place, trust, _DIALOGUE)
    if failed is not None:
        # Once more without believing anything, to see what is wrong; what is offered there is only to be told.
        seen, _failed = _ask(place, tls.unverified(), 0.5)
        if seen.certificate is not None:
            error = failed.detail if failed.code else f"the handshake fails as clients do it: {failed.detail}"
            certificate = dataclasses.replace(seen.certificate, error=error)
            wrong = tls.problems(certificate, failed.code)
            return dataclasses.replace(seen, certificate=certificate, certificate_problems=wrong)
        if place.endpoint.tls == STARTTLS:
            return dataclasses.replace(facts, problem="starttls_failed")
    return _puzzled_out(place, facts) if facts.problem in _PUZZLES and not facts.spoken else facts


def _ask(place: Place, context: ssl.SSLContext, part: float) -> tuple[AddressFacts, HandshakeError | None]:
    """A whole dialogue as a client has it, and the TLS that failed in it. What is known when it breaks off is kept."""
    facts = AddressFacts(place.address)
    try:
        with place.connect(part) as stream:
            facts = dataclasses.replace(facts, is_own=stream.is_own)
            try:
                for known in _dialogue(place.endpoint, stream, facts, context):
                    facts = known
            except HandshakeError as exc:
                return dataclasses.replace(facts, problem=exc.problem, detail=exc.detail), exc
            except DialogueError as exc:
                # Whoever takes the connection is reached, whatever becomes of it.
                later = {"timeout": "silent"}.get(exc.problem, "closed") if exc.problem in UNREACHED else exc.problem
                return dataclasses.replace(facts, problem=later, detail=exc.detail), None
    except DialogueError as exc:
        return dataclasses.replace(facts, problem=exc.problem, detail=exc.detail), None
    return facts, None


def _dialogue(endpoint: Endpoint, stream: Stream, facts: AddressFacts, context: ssl.SSLContext) -> t.Iterator[AddressFacts]:
    """What is known of the address after each step. Raises DialogueError."""
    if endpoint.tls == TLS:
        facts = _in_tls(endpoint, stream, facts, context)
        yield facts
    first = _first_line(stream)
    facts = dataclasses.replace(facts, greeting=cleaned(first), spoken=recognised(first))
    yield facts
    talk = _talk(endpoint, stream, facts)
    talk.greet(first)
    offer = talk.offer()
    facts = dataclasses.replace(facts, after=offer) if endpoint.tls == TLS else dataclasses.replace(facts, before=offer)
    yield facts
    if endpoint.tls == STARTTLS:
        if not offer.starttls:
            raise DialogueError("no_starttls")
        talk.start_tls()
        try:
            facts = _in_tls(endpoint, stream, facts, context)
        except HandshakeError:
            raise
        except DialogueError as exc:
            raise DialogueError("starttls_failed", exc.detail or PROBLEMS[exc.problem]) from None
        yield facts
        facts = dataclasses.replace(facts, after=talk.offer())
        yield facts
    talk.end()


def _in_tls(endpoint: Endpoint, stream: Stream, facts: AddressFacts, context: ssl.SSLContext) -> AddressFacts:
    stream.encrypt(context, endpoint.host)
    certificate = tls.describe(endpoint.host, endpoint.port, stream.certificate, stream.tls_version)
    return dataclasses.replace(facts, certificate=certificate, injected=stream.injected)


def _first_line(stream: Stream) -> str:
    try:
        return stream.line()
    except DialogueError as exc:
        # TLS answers what it does not understand with an alert, which is no line.
        if exc.problem == "timeout":
            raise DialogueError("silent", stream.rest()) from None
        raise DialogueError(exc.problem, exc.detail or stream.rest()) from None


def _talk(endpoint: Endpoint, stream: Stream, facts: AddressFacts) -> Dialogue:
    if facts.spoken != endpoint.protocol:
        raise DialogueError("other_protocol" if facts.spoken else "garbled", facts.greeting)
    return DIALOGUES[endpoint.protocol](stream)


def _puzzled_out(place: Place, facts: AddressFacts) -> AddressFacts:
    """The same with what is really at the port, if that can be found out."""
    ways = _WITH_TLS if place.endpoint.tls == TLS else _WITHOUT_TLS
    for number, (in_tls, nudged) in enumerate(ways):
        try:
            with place.connect(1 / (len(ways) - number)) as stream:
                found = _overheard(place.endpoint, stream, facts, in_tls, nudged)
        except DialogueError:
            continue
        if found is not None:
            return found
    return facts


def _overheard(endpoint: Endpoint, stream: Stream, facts: AddressFacts, in_tls: bool, nudged: bool) -> AddressFacts | None:
    """What is at the port, listened to with or without TLS, perhaps after a first command. Raises DialogueError."""
    if in_tls:
        facts = _in_tls(endpoint, stream, facts, tls.unverified())
        facts = dataclasses.replace(facts, certificate_problems=("unchecked",))
    if nudged:
        stream.send(DIALOGUES[endpoint.protocol].first_command)
    try:
        line = stream.line()
    except DialogueError:
        line = ""
    spoken = recognised(line)
    facts = dataclasses.replace(facts, greeting=cleaned(line), spoken=spoken)
    if spoken and spoken != endpoint.protocol:
        return dataclasses.replace(facts, problem="other_protocol", detail=facts.greeting)
    if in_tls and endpoint.tls != TLS:
        # A server that says nothing until it is asked may be anything; it is asked in the next try.
        return dataclasses.replace(facts, problem="tls_unexpected", detail="") if spoken or nudged else None
    if spoken and not in_tls and endpoint.tls == TLS:
        return dataclasses.replace(facts, problem="tls_missing", detail="")
    return None
