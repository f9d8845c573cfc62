"""What is found out about a mail server: frozen values.

PRIVATE to the collection. :meth:`ServerFacts.as_data` gives:

.. code-block:: text

    {protocol: imap|pop3|smtp|managesieve, host: str, port: int, tls: tls|starttls|none,
     addresses: [{address: str, family: IPv4|IPv6, problem: str (empty, or one of PROBLEMS), detail: str, greeting: str,
                  spoken: str (imap, pop3, smtp, managesieve, http, ssh, ftp or empty), is_own: bool,
                  certificate: CERTIFICATE or None, certificate_problems: [str (of connections.CERTIFICATE_FAULTS, or unchecked)],
                  before: OFFER or None, after: OFFER or None, injected: bool}],
     login: {outcome: str (of OUTCOMES), address: str, mechanism: str, code: str} or None}

CERTIFICATE is that of ``model.py``; OFFER is ``{mechanisms: [str], starttls: bool, login_command: bool}``.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..model import CertificateFacts, Data, Endpoint, plain

# Why no dialogue came to its end at an address.
PROBLEMS = {
    "no_route": "this machine has no way to such an address",
    "unreachable": "a router says that the address cannot be reached",
    "refused": "nothing listens on the port",
    "timeout": "no answer in time",
    "failed": "the connection failed",
    "silent": "the port is open, but the server does not answer in time",
    "closed": "the server closed the connection",
    "rejected": "the server does not serve this machine",
    "garbled": "what comes is not the protocol",
    "other_protocol": "another protocol is spoken there",
    "tls_missing": "the port speaks without TLS from the start",
    "tls_unexpected": "the port speaks TLS from the start",
    "tls_failed": "the TLS handshake fails",
    "no_starttls": "STARTTLS is not offered",
    "starttls_failed": "STARTTLS is offered, but fails",
}
UNREACHED = ("unreachable", "refused", "timeout", "failed")
OUTCOMES = {
    "accepted": "the login works",
    "refused": "the server does not accept user name and password",
    "unwilling": "the server does not accept this way to log in",
    "temporary": "the server cannot say now",
    "broken": "the server failed in the dialogue",
    "not_genuine": "the server could not prove that it knows the password",
    "no_mechanism": "the server offers none of the mechanisms",
    "insecure": "no verified TLS, so the password was not sent",
    "unreachable": "no address could be reached, so the password was not sent",
}


@dataclasses.dataclass(frozen=True)
class Offer:
    """What a server says it can do at one moment.

    :ivar mechanisms: of SASL, in the server's order, upper case
    :ivar login_command: whether it takes a password by a command of its own (LOGIN of IMAP, USER of POP3)
    """

    mechanisms: tuple[str, ...] = ()
    starttls: bool = False
    login_command: bool = False

    @property
    def takes_passwords(self) -> bool:
        """Whether the password itself may be sent."""
        return self.login_command or self.takes_passwords_by_sasl

    @property
    def takes_passwords_by_sasl(self) -> bool:
        """Whether it may be sent by a mechanism."""
        return not {"PLAIN", "LOGIN"}.isdisjoint(self.mechanisms)


@dataclasses.dataclass(frozen=True)
class AddressFacts:
    """What is at one address.

    :ivar problem: one of PROBLEMS, or empty if the dialogue came to its end
    :ivar detail: its own words, cleaned and bounded
    :ivar is_own: whether the address is one of this machine, to which servers say more than to others
    :ivar before: what is offered without TLS
    :ivar after: what is offered inside TLS
    :ivar injected: whether something came between the answer to STARTTLS and TLS, where nothing may come (it was thrown away)
    """

    address: str
    problem: str = ""
    detail: str = ""
    greeting: str = ""
    spoken: str = ""
    is_own: bool = False
    certificate: CertificateFacts | None = None
    certificate_problems: tuple[str, ...] = ()
    before: Offer | None = None
    after: Offer | None = None
    injected: bool = False

    @property
    def family(self) -> str:
        """IPv4 or IPv6."""
        return "IPv6" if ":" in self.address else "IPv4"

    @property
    def is_reached(self) -> bool:
        """Whether anybody took the connection."""
        return self.problem not in (*UNREACHED, "no_route")

    @property
    def is_verified(self) -> bool:
        """Whether a client may believe that it is the server."""
        return self.certificate is not None and not self.certificate_problems


@dataclasses.dataclass(frozen=True)
class LoginResult:
    """How a login ended. Nothing in it comes from the server but codes that are known by heart, and no password.

    :ivar outcome: one of OUTCOMES
    :ivar mechanism: how the password was sent: a name of SASL, ``LOGIN command`` or ``USER command``
    :ivar code: a response code (RFC 5530, 2449, 3206, 5804) or a reply code with its enhanced code (RFC 5321, 3463), or empty
    """

    outcome: str
    address: str = ""
    mechanism: str = ""
    code: str = ""


@dataclasses.dataclass(frozen=True)
class ServerFacts:
    """What is at each address of a server."""

    endpoint: Endpoint
    addresses: tuple[AddressFacts, ...] = ()
    login: LoginResult | None = None

    def as_data(self) -> Data:
        """As the module returns it."""
        addresses = [{**plain(each), "family": each.family} for each in self.addresses]
        return t.cast(Data, {**plain(self.endpoint), "addresses": addresses, "login": plain(self.login)})
