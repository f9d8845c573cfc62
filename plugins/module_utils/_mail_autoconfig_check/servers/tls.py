"""TLS with a server, and what is wrong with its certificate, all of it at once.

PRIVATE to the collection. RFC 6125 (names). OpenSSL stops at the first fault of a certificate; who mends that one and then meets
the next loses a day.
"""

from __future__ import annotations

import datetime
import ssl
import typing as t

from ..._mail_autoconfig import der
from ..connections import VERIFY
from ..model import CertificateFacts


def unverified() -> ssl.SSLContext:
    """A context that looks at everything and believes nothing: old versions and weak ciphers too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    except (ssl.SSLError, ValueError):
        # A system whose policy knows nothing old.
        pass
    return context


def covers(names: t.Iterable[str], host: str) -> bool:
    """Whether a certificate for the names is one for the host."""
    host = host.lower().rstrip(".")
    parent = host.partition(".")[2]
    return any(name in (host, f"*.{parent}") for name in (each.lower() for each in names))


def describe(host: str, port: int, certificate: bytes, version: str, now: datetime.datetime | None = None) -> CertificateFacts:
    """What a certificate (DER) says. One that cannot be read has no names and an error."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    try:
        found = der.certificate(certificate)
    except der.DerError:
        return CertificateFacts(host, port, protocol=version, error="the certificate cannot be read")
    life = (found.not_after - found.not_before).total_seconds()
    left = (found.not_after - now).total_seconds()
    return CertificateFacts(
        host,
        port,
        names=found.names,
        issuer=found.issuer,
        not_before=found.not_before.isoformat(),
        not_after=found.not_after.isoformat(),
        days_left=int(left // 86400),
        share_left=round(min(max(left / life, 0.0), 1.0), 3) if life > 0 else 0.0,
        protocol=version,
        key=found.key,
    )


def problems(facts: CertificateFacts, code: int, now: datetime.datetime | None = None) -> tuple[str, ...]:
    """Everything that is wrong with a certificate that OpenSSL did not accept.

    :arg code: OpenSSL's for the first fault that it met, 0 if it never came to look at it
    """
    now = now or datetime.datetime.now(datetime.timezone.utc)
    found = [VERIFY.get(code, "invalid") if code else "unchecked"]
    if facts.not_after and datetime.datetime.fromisoformat(facts.not_after) < now:
        found.append("expired")
    if facts.not_before and datetime.datetime.fromisoformat(facts.not_before) > now:
        found.append("not_yet_valid")
    if facts.not_after and not covers(facts.names, facts.host):
        found.append("wrong_name")
    return tuple(dict.fromkeys(found))
