"""What is found out about the mail server of a host: frozen values.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

# The services that are looked for, in the order of the result.
IMAP, POP3, SUBMISSION, MANAGESIEVE = "imap", "pop3", "submission", "managesieve"
SERVICES = (IMAP, POP3, SUBMISSION, MANAGESIEVE)
SSL, STARTTLS, PLAIN = "SSL", "STARTTLS", "plain"
ADDRESS, LOCAL_PART = "%EMAILADDRESS%", "%EMAILLOCALPART%"
# Mechanisms that send the password itself.
CLEARTEXT = frozenset(("PLAIN", "LOGIN"))
# A list in a result is for people; more entries than these are counted only.
MOST = 1000


@dataclasses.dataclass(frozen=True)
class Unknown:
    """Something that could not be told.

    :ivar what: ``imap``, ``username``, ``domains``, ``provider`` ...
    :ivar source: the command or the file that should have told it
    """

    what: str
    why: str
    source: str = ""


class CannotTellError(Exception):
    """Why an answer is not to be believed; its text is the reason."""


@dataclasses.dataclass(frozen=True)
class Listener:
    """A port on which a service takes connections.

    :ivar program: ``dovecot`` or ``postfix``
    :ivar addresses: as the program has them (``*``, ``::``, ``127.0.0.1``); none for all
    :ivar socket_type: ``SSL``, ``STARTTLS`` or ``plain``; empty where it cannot be told
    :ivar before: mechanisms of SASL that are offered without TLS, upper case; ``None`` where that cannot be told
    :ivar after: those inside TLS
    :ivar certificates: paths of the files in which its certificate is looked for
    :ivar not_for_clients: why mail clients cannot or should not use it; empty if they can
    :ivar has_dovecots_users: whether users log in as they do at Dovecot
    :ivar message_size_limit: in bytes, 0 for none; ``None`` where it is not known or does not apply
    :ivar source: the command that told it
    """

    service: str
    program: str
    port: int
    socket_type: str
    addresses: tuple[str, ...] = ()
    before: tuple[str, ...] | None = None
    after: tuple[str, ...] | None = None
    certificates: tuple[str, ...] = ()
    not_for_clients: str = ""
    has_dovecots_users: bool = False
    message_size_limit: int | None = None
    source: str = ""

    def __str__(self) -> str:
        return f"{self.service} on port {self.port}" + (f" ({self.socket_type})" if self.socket_type else "")


@dataclasses.dataclass(frozen=True)
class CertificateUse:
    """A file with a certificate that a program serves.

    :ivar services: for which
    :ivar server_names: for which names in TLS (SNI) only; none for all others
    """

    file: str
    services: tuple[str, ...]
    source: str
    server_names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class CertificateFile:
    """A use with the DNS names in the certificate, lower case; ``problem`` says why there are none."""

    use: CertificateUse
    names: tuple[str, ...] = ()
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Domain:
    """A mail domain, lower case."""

    name: str
    source: str


@dataclasses.dataclass(frozen=True)
class Program:
    """What one program said.

    :ivar hostname: how it calls itself; empty if it does not
    """

    name: str
    version: str = ""
    source: str = ""
    hostname: str = ""
    protocols: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()
    certificates: tuple[CertificateUse, ...] = ()
    domains: tuple[Domain, ...] = ()
    unknown: tuple[Unknown, ...] = ()


@dataclasses.dataclass(frozen=True)
class Username:
    """What users log in with: ``%EMAILADDRESS%``, ``%EMAILLOCALPART%``, or empty where that cannot be told."""

    format: str = ""
    because: str = ""
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Facts:
    """Everything about the host."""

    programs: tuple[Program, ...]
    certificates: tuple[CertificateFile, ...]
    username: Username
    domains: tuple[Domain, ...]
    unknown: tuple[Unknown, ...]

    def listeners(self, service: str) -> tuple[Listener, ...]:
        """Those of a service."""
        return tuple(each for program in self.programs for each in program.listeners if each.service == service)

    def certificate(self, listener: Listener) -> CertificateFile | None:
        """The certificate of a listener: the first of its files that has names."""
        found = {each.use.file: each for each in self.certificates if each.names}
        return next((found[file] for file in listener.certificates if file in found), None)

    def names(self, listener: Listener) -> tuple[str, ...]:
        """The names in it."""
        found = self.certificate(listener)
        return found.names if found else ()


def is_loopback(addresses: t.Sequence[str]) -> bool:
    """Whether nobody but the host itself reaches these."""

    def loopback(text: str) -> bool:
        try:
            return ipaddress.ip_address(text.strip("[]")).is_loopback
        except ValueError:
            return text == "localhost"

    return bool(addresses) and all(map(loopback, addresses))
