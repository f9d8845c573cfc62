"""Which certificate serves which host name, and whether it can serve at all.

PRIVATE to the collection. Clients hide TLS errors and take the host for absent (Thunderbird), so a name that no certificate has
must be served over HTTP alone rather than be redirected to an HTTPS that fails. And Apache ends at a reload whose certificate it
cannot use, which its configtest does not notice: so a pair is tried here, by the same OpenSSL.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import re
import ssl
import time
import typing as t

from ..apache.signing import public_key
from ..apache.sites import Certificate
from .commands import Runner

# Arguments of ``openssl x509``.
_QUESTIONS = ("-noout", "-subject", "-nameopt", "RFC2253", "-dates", "-pubkey", "-ext", "subjectAltName,authorityInfoAccess")
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


@dataclasses.dataclass(frozen=True)
class PairFacts:
    """What there is to know of a certificate and its key.

    :ivar missing: the paths that do not exist
    :ivar problem: why it cannot serve; empty if it can
    :ivar is_input: whether the problem is a mistake (another key, no certificate) rather than the time that has passed
    :ivar names: DNS names in it, lower case
    :ivar public_key: in PEM form (SubjectPublicKeyInfo)
    :ivar fingerprint: SHA-256 of the certificate (DER), hexadecimal
    """

    missing: tuple[str, ...] = ()
    problem: str = ""
    is_input: bool = True
    names: tuple[str, ...] = ()
    public_key: str = ""
    fingerprint: str = ""


def names_in(output: str) -> tuple[str, ...]:
    """The DNS names in an output of ``openssl x509``; the common name only where there is no subjectAltName (RFC 6125 6.4.4)."""
    names = re.findall(r"DNS:([^\s,]+)", output)
    if not names and "Subject Alternative Name" not in output:
        names = re.findall(r"^subject=(?:.*,)?CN=([A-Za-z0-9.*-]+)", output, re.MULTILINE)
    return tuple(name.lower() for name in names)


def covers(names: t.Iterable[str], host: str) -> bool:
    """Whether one of a certificate's names is the host's; ``*`` stands for one whole label (RFC 6125 section 6.4.3)."""
    parent = host.partition(".")[2]
    return any(name in (host, f"*.{parent}") for name in names)


def key_digest(public_key: str) -> str:
    """The SHA-256 of a public key (PEM, SubjectPublicKeyInfo), hexadecimal, as TLSA has it with selector 1 (RFC 6698)."""
    body = "".join(line for line in public_key.splitlines() if not line.startswith("-----"))
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


def inspect(pair: Certificate, run: Runner, now: float | None = None) -> PairFacts:
    """Look at a pair. Raises OSError where openssl cannot be run."""
    missing = tuple(path for path in (pair.file, pair.key) if not os.path.isfile(path))
    if missing:
        return PairFacts(missing)
    problem = refused(pair)
    if problem:
        return PairFacts(problem=problem)
    output = run(["openssl", "x509", "-in", pair.file, *_QUESTIONS], {"LC_ALL": "C"}).output
    facts = PairFacts(names=names_in(output), public_key=public_key(output), fingerprint=_fingerprint(pair.file))
    problem = _date_problem(output, time.time() if now is None else now)
    if problem:
        return dataclasses.replace(facts, problem=problem, is_input=False)
    return dataclasses.replace(facts, problem=_chain_problem(pair.file, output, run))


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


def _fingerprint(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as stream:
        found = re.search("-----BEGIN (?:TRUSTED )?CERTIFICATE-----.*?-----END", stream.read(), re.DOTALL)
    body = re.sub("-----[^-]*-----|-----END|[^A-Za-z0-9+/=]", "", found.group()) if found else ""
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


def _date_problem(output: str, now: float) -> str:
    dates = dict(re.findall(r"^(notBefore|notAfter)=(.*)$", output, re.MULTILINE))
    if "notAfter" in dates and now > ssl.cert_time_to_seconds(dates["notAfter"]):
        return f"it has expired ({dates['notAfter']})"
    if "notBefore" in dates and now < ssl.cert_time_to_seconds(dates["notBefore"]):
        return f"it is not valid before {dates['notBefore']}"
    return ""


def _chain_problem(path: str, output: str, run: Runner) -> str:
    """Whether the certificates between it and its root are missing: a lone certificate that says where to get its issuer.

    Authorities of one's own say no such thing, and what they issue is not known to this host; that is none of our business.
    """
    with open(path, "rb") as stream:
        alone = stream.read().count(b"-----BEGIN CERTIFICATE-----") == 1
    if not alone or "CA Issuers" not in output:
        return ""
    said = run(["openssl", "verify", path], {"LC_ALL": "C"}).said
    return "its chain is incomplete: it needs the certificates of its issuers behind it" if "local issuer" in said else ""


@dataclasses.dataclass(frozen=True)
class Certificates:
    """Chooses certificates for host names.

    :ivar file: path pattern of the chain, ``{domain}`` is the mail domain
    :ivar key: path pattern of the key
    :ivar facts: of every pair that may be chosen
    """

    file: str
    key: str
    facts: t.Mapping[Certificate, PairFacts]

    def at(self, domain: str) -> Certificate:
        """The pair of paths for a mail domain, whether it exists or not."""
        return pair_at(self.file, self.key, domain)

    def of(self, domain: str) -> PairFacts:
        """What is known of it."""
        return self.facts.get(self.at(domain), PairFacts((self.at(domain).file,)))

    def choose(self, host: str, candidates: t.Iterable[str]) -> Certificate | None:
        """The first certificate among those of the candidate domains that can serve and names the host."""
        for domain in dict.fromkeys(candidates):
            facts = self.of(domain)
            if not (facts.missing or facts.problem) and covers(facts.names, host):
                return self.at(domain)
        return None


def pair_at(file: str, key: str, domain: str) -> Certificate:
    """The pair of paths for a mail domain."""
    return Certificate(file.replace("{domain}", domain), key.replace("{domain}", domain))
