"""The certificate that a web host shows, and why a client would not take it.

PRIVATE to the collection.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ssl
import typing as t

from .connections import CERTIFICATE_FAULTS, SENTENCES, Deadline, LinkError, connect, start_tls
from .model import CertificateFacts
from .servers import tls


@dataclasses.dataclass(frozen=True)
class Shown:
    """What one address of a host shows.

    :ivar fault: a key of ``connections.SENTENCES``; empty if a client takes it
    """

    facts: CertificateFacts
    address: str
    fault: str = ""
    detail: str = ""


def look(host: str, addresses: t.Sequence[str], port: int, trust: ssl.SSLContext, timeout: float) -> tuple[Shown, ...]:
    """What each address of a host shows. Never raises."""
    return tuple(_look_at(host, address, port, trust, timeout) for address in addresses)


def _look_at(host: str, address: str, port: int, trust: ssl.SSLContext, timeout: float) -> Shown:
    deadline = Deadline(timeout)
    try:
        return Shown(_facts(host, address, port, trust, deadline), address)
    except LinkError as exc:
        fault = exc
    facts = CertificateFacts(host, port)
    if fault.code in CERTIFICATE_FAULTS or fault.code == "handshake":
        with contextlib.suppress(LinkError):  # then nothing is to be seen; why is known already
            facts = _facts(host, address, port, tls.unverified(), deadline)
    if fault.code == "wrong_name" and not facts.names:
        fault = LinkError(fault.code, "the certificate has no names of hosts at all")
    return Shown(dataclasses.replace(facts, error=SENTENCES[fault.code]), address, fault.code, fault.detail)


def _facts(host: str, address: str, port: int, context: ssl.SSLContext, deadline: Deadline) -> CertificateFacts:
    """What is shown to a client. Raises LinkError."""
    with start_tls(connect(address, port, deadline), host, context, deadline) as link:
        return tls.describe(host, port, link.getpeercert(binary_form=True) or b"", link.version() or "")
