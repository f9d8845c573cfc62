"""Certificates on a host: where they lie, and whether they can serve at all.

PRIVATE to the collection. Apache ends at a reload whose certificate it cannot use, which its configtest does not notice: so a
pair is tried here, by the same OpenSSL. What a certificate says is read without a program, because thousands of processes take
longer than all the rest of a run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import glob
import os
import re
import ssl
import time
import typing as t

from .. import der
from ..certificates import Certificate, Content, Origin, PairFacts
from .commands import Runner

_REASONS = {
    "KEY_VALUES_MISMATCH": "the key {key} does not belong to it",
    "KEY_TYPE_MISMATCH": "the key {key} does not belong to it",
    # A key of another type, with OpenSSL 3.
    "NO_CERTIFICATE_ASSIGNED": "the key {key} does not belong to it",
    "EE_KEY_TOO_SMALL": "its key is too small for this host's OpenSSL",
    "CA_KEY_TOO_SMALL": "a certificate in it has a key that is too small for this host's OpenSSL",
    "CA_MD_TOO_WEAK": "it is signed in a way that is too weak for this host's OpenSSL",
    "NO_START_LINE": "it or its key {key} is not in PEM form",
}

_INCOMPLETE = "its chain is incomplete: it needs the certificates of its issuers behind it"
_UNKNOWN_ISSUER = (
    "is neither behind it nor among the authorities that this host trusts: if it is no root that the clients have, the "
    "certificates of its issuers have to come behind it"
)
_NOT_FOR_SERVERS = "it is not for servers with TLS, says its key usage or its extended key usage, which lacks serverAuth"


# -- where they lie -----------------------------------------------------------------------------------------------------


def matching(pattern: Certificate) -> list[Certificate]:
    """The pairs of which both files exist, sorted. In both paths ``*`` stands for a part without a slash, the same in both."""
    expression = re.compile("([^/]*)".join(map(re.escape, pattern.file.split("*"))))
    found = []
    for file in sorted(glob.glob("*".join(map(glob.escape, pattern.file.split("*"))))):
        matched = expression.fullmatch(file)
        key = _filled(pattern.key, matched.groups() if matched else ())
        if os.path.isfile(file) and os.path.isfile(key):
            found.append(Certificate(file, key))
    return found


def _filled(pattern: str, parts: t.Iterable[str]) -> str:
    """A pattern with a part in the place of each star."""
    texts = pattern.split("*")
    return texts[0] + "".join(part + text for part, text in zip(parts, texts[1:]))


def names(path: str) -> tuple[str, ...]:
    """The DNS names in a certificate; none where it cannot be read."""
    try:
        return _names(next(_read(path)))
    except (OSError, der.DerError):
        return ()


def key(path: str) -> str:
    """The digest of the public key in a certificate; empty where it cannot be read."""
    try:
        return next(_read(path)).key
    except (OSError, der.DerError):
        return ""


# -- whether they can serve ---------------------------------------------------------------------------------------------


def inspect(pair: Certificate, run: Runner, now: float | None = None) -> PairFacts:
    """Look at a pair. Raises OSError where openssl cannot be run."""
    missing = tuple(path for path in (pair.file, pair.key) if not os.path.isfile(path))
    if missing:
        return PairFacts(missing)
    problem = refused(pair)
    if problem:
        return PairFacts(problem=problem, names=names(pair.file))
    try:
        certificate, *others = _read(pair.file)
    except der.DerError as exc:
        return PairFacts(problem=f"it is not a certificate that can be read ({exc})")
    facts = PairFacts(
        names=_names(certificate),
        key=certificate.key,
        fingerprint=certificate.fingerprint,
        begins=certificate.not_before.timestamp(),
        ends=certificate.not_after.timestamp(),
    )
    problem = _date_problem(certificate, time.time() if now is None else now)
    if problem:
        return dataclasses.replace(facts, problem=problem, is_input=False)
    # Most authorities of one's own do not say where their certificate is, and what they issue is none of our business.
    if certificate.names_issuer and certificate.issuer_der not in {other.subject_der for other in others}:
        facts = _without_issuer(certificate, facts, pair.file, run)
    if certificate.is_for_servers or facts.problem:
        return facts
    return dataclasses.replace(facts, problem=_NOT_FOR_SERVERS, is_for_others=True)


def inspect_content(content: Content, run: Runner) -> PairFacts:
    """Look at a pair that is not on this host, and comes on no disk of it by that. Raises OSError as :func:`inspect`."""
    with _in_memory(content.chain) as file, _in_memory(content.key) as key:
        facts = inspect(Certificate(file, key), run)
        said = facts.problem.replace(f"the key {key}", "certificate_key_content").replace(key, "certificate_key_content")
    return dataclasses.replace(facts, problem=said, origin=Origin.CONTENT)


@contextlib.contextmanager
def _in_memory(content: bytes) -> t.Iterator[str]:
    """A path at which this process and those that it starts can read something."""
    descriptor = os.memfd_create("mail_autoconfig")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        yield f"/proc/{os.getpid()}/fd/{descriptor}"


def refused(pair: Certificate, is_weak_allowed: bool = False) -> str:
    """Let OpenSSL load the pair as Apache's would; what it says against it.

    :arg is_weak_allowed: take keys and signatures of any strength
    """
    asked: list[bool] = []

    def password() -> str:
        asked.append(True)
        return ""

    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if is_weak_allowed:
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(pair.file, pair.key, password)
    except ssl.SSLError as exc:
        if asked:
            return f"the key {pair.key} has a passphrase, for which Apache would wait"
        text = _REASONS.get(exc.reason or "", f"OpenSSL refuses it or its key {{key}} ({exc.reason or exc})")
        return text.replace("{key}", pair.key)
    except PermissionError as exc:
        return f"{exc.filename or pair.file} cannot be read by this user (become: true?)"
    except OSError as exc:
        return f"it or its key {pair.key} cannot be read ({exc.strerror or exc})"
    return ""


def _read(path: str) -> t.Iterator[der.Certificate]:
    """The certificates in a file, at least one. Raises DerError, OSError."""
    with open(path, "rb") as stream:
        found = der.in_pem(stream.read())
    if not found:
        raise der.DerError("it has no certificate in PEM form")
    yield from map(der.certificate, found)


def _names(certificate: der.Certificate) -> tuple[str, ...]:
    """The common name counts only where there are no other names (RFC 6125 section 6.4.4)."""
    return certificate.names or tuple(filter(None, [certificate.common_name]))


def _date_problem(certificate: der.Certificate, now: float) -> str:
    if now > certificate.not_after.timestamp():
        return f"it has expired ({_shown(certificate.not_after)})"
    if now < certificate.not_before.timestamp():
        return f"it is not valid before {_shown(certificate.not_before)}"
    return ""


def _shown(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _without_issuer(certificate: der.Certificate, facts: PairFacts, path: str, run: Runner) -> PairFacts:
    """The same, with what it means that the issuer's certificate is not in the file.

    The issuer may be a root that clients have. One that this host does not know may be an authority of one's own; but the roots
    of public ones are known, so that it must be one in between.
    """
    if "local issuer" not in run(["openssl", "verify", path], {"LC_ALL": "C"}).said:
        return facts
    if certificate.is_public:
        return dataclasses.replace(facts, problem=_INCOMPLETE)
    return dataclasses.replace(facts, doubt=f"its issuer ({certificate.issuer}) {_UNKNOWN_ISSUER}")
