"""Log in to a mail server as a client does, and leave again.

PRIVATE to the collection. The password is sent only inside TLS whose certificate is verified, is in no exception and no result,
and nothing that the server says after it has seen it is repeated.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ssl
import typing as t

from ..connections import Deadline
from ..model import NO_TLS, TLS, Endpoint
from .dialogues import DIALOGUES, Dialogue, Reply, recognised
from .facts import UNREACHED, LoginResult, Offer
from .sasl import MECHANISMS, SaslError
from .stream import DialogueError, HandshakeError, Stream


@dataclasses.dataclass(frozen=True)
class _Secret:
    """User name and password, which do not show themselves."""

    username: str
    password: str = dataclasses.field(repr=False)


def login(
    endpoint: Endpoint,
    addresses: t.Iterable[str],
    trust: ssl.SSLContext,
    username: str,
    password: str,
    mechanisms: t.Sequence[str],
    timeout: float,
) -> LoginResult:
    """Log in at the first address that can be reached, once.

    :arg addresses: IPv4 and IPv6 as literals
    :arg trust: a context that verifies chain and name
    :arg mechanisms: names of SASL in order of preference; the first that the server offers is taken. PLAIN and LOGIN include
        the protocol's own command, as clients do it
    :arg timeout: seconds for each address, whatever the server does

    Raises ValueError for a user name or password that no client can send; the message contains neither.
    """
    for value, what in ((username, "user name"), (password, "password")):
        if not value or any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in value):
            raise ValueError(f"the {what} is empty or has control characters")
    secret = _Secret(username, password)
    result = LoginResult("unreachable")
    for address in addresses:
        result = _at(endpoint, address, trust, secret, mechanisms, timeout)
        if result.outcome != "unreachable":
            break
    return result


def _at(
    endpoint: Endpoint, address: str, trust: ssl.SSLContext, secret: _Secret, mechanisms: t.Sequence[str], timeout: float
) -> LoginResult:
    if endpoint.tls == NO_TLS or trust.verify_mode != ssl.CERT_REQUIRED or not trust.check_hostname:
        return LoginResult("insecure", address)
    mechanism = ""
    try:
        with Stream(address, endpoint.port, Deadline(timeout)) as stream:
            talk = _encrypted(endpoint, stream, trust)
            offer = talk.offer()
            mechanism = chosen(offer, mechanisms, talk.login_command)
            if not mechanism:
                return LoginResult("no_mechanism", address)
            reply = _told(talk, mechanism, secret)
            if reply.outcome == "accepted":
                _leave(talk)
            return LoginResult(reply.outcome, address, mechanism, reply.code)
    except HandshakeError:
        return LoginResult("insecure", address)
    except SaslError as exc:
        return LoginResult(exc.outcome, address, mechanism)
    except DialogueError as exc:
        # Some servers answer wrong passwords later and later.
        told = "temporary" if exc.problem == "timeout" else "broken"
        return LoginResult(told if mechanism else _without_password(exc.problem), address, mechanism)


def _without_password(problem: str) -> str:
    """The outcome where a dialogue broke off before the password was due."""
    if problem in ("no_starttls", "starttls_failed"):
        return "insecure"
    return "unreachable" if problem in (*UNREACHED, "no_route") else "broken"


def _encrypted(endpoint: Endpoint, stream: Stream, trust: ssl.SSLContext) -> Dialogue:
    """A dialogue inside TLS. Raises DialogueError."""
    if endpoint.tls == TLS:
        stream.encrypt(trust, endpoint.host)
    first = stream.line()
    if recognised(first) != endpoint.protocol:
        raise DialogueError("other_protocol")
    talk = DIALOGUES[endpoint.protocol](stream)
    talk.greet(first)
    if endpoint.tls != TLS:
        if not talk.offer().starttls:
            raise DialogueError("no_starttls")
        talk.start_tls()
        stream.encrypt(trust, endpoint.host)
    if not stream.tls_version:
        raise DialogueError("starttls_failed")
    return talk


def chosen(offer: Offer, wanted: t.Sequence[str], login_command: str) -> str:
    """The first of the wanted mechanisms that is offered; for a password as it is also the protocol's own command."""
    for name in wanted:
        if name in MECHANISMS and name in offer.mechanisms:
            return name
    takes_command = offer.login_command and login_command and not {"PLAIN", "LOGIN"}.isdisjoint(wanted)
    return login_command if takes_command else ""


def _told(talk: Dialogue, mechanism: str, secret: _Secret) -> Reply:
    """Log in. Raises DialogueError, SaslError."""
    if mechanism in MECHANISMS:
        return talk.authenticate(MECHANISMS[mechanism](secret.username, secret.password), mechanism)
    return talk.log_in(secret.username, secret.password)


def _leave(talk: Dialogue) -> None:
    with contextlib.suppress(DialogueError):
        talk.end()
