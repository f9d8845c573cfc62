"""Signing Apple's profiles inside Apache: ``mod_ext_filter`` hands what the responder wrote to ``openssl cms``.

PRIVATE to the collection. CMS SignedData with the content in it, DER (RFC 5652 section 5), which is what Apple's devices take.
A signature costs a process, so their number is bounded twice. The responder begins only so many a second, and the rest by
locks that the processes themselves hold: a request that finds its place in the waiting room taken is turned away at once, so
a flood of downloads cannot take all of Apache's workers, and only a few of those who wait sign at the same time.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import re
import ssl

from ..certificates import is_ending
from . import server_settings
from .directives import Directive, Node, directive, section

SLOT = "MAIL_AUTOCONFIG_SIGN_"
# Places in the waiting room, of the 150 requests that Apache answers at once by default.
SLOTS = 16
# Signatures at the same time.
PROCESSES = 2
# What one of Apache's processes begins in a second: even to be turned away at the waiting room costs a process.
STARTED_A_SECOND = 10
_WAIT_SECONDS = 5
_CHECK = "mail_autoconfig_signed"
# Arguments of ``openssl x509``.
CERTIFICATE_QUESTIONS = ("-noout", "-subject", "-nameopt", "RFC2253", "-dates", "-pubkey")


@dataclasses.dataclass(frozen=True)
class Signer:
    """The pair that signs.

    :ivar certificate: path of the certificate
    :ivar key: path of its key, which the web server's user must be able to read
    :ivar chain: path of the certificates between it and its root; a file of its own, because openssl refuses to put a
        certificate into a signature twice
    """

    certificate: str
    key: str
    chain: str = ""

    def command(self) -> list[str]:
        """The command that signs what it reads."""
        options = ["-sign", "-binary", "-nodetach", "-nosmimecap", "-outform", "der"]
        pair = ["-signer", self.certificate, "-inkey", self.key, "-passin", "pass:"]
        chain = ["-certfile", self.chain] if self.chain else []
        return ["/usr/bin/openssl", "cms", *options, *pair, *chain]

    def trial(self) -> list[str]:
        """The command that signs something, and keeps nothing of it."""
        return [*self.command(), "-in", self.certificate, "-out", "/dev/null"]


@dataclasses.dataclass(frozen=True)
class CertificateFacts:
    """What openssl says of a certificate; times in seconds since 1970."""

    subject: str
    begins: int
    ends: int
    public_key: str


@dataclasses.dataclass(frozen=True)
class PairFacts:
    """What was found on the host.

    :ivar missing: the paths that do not exist
    :ivar certificate: None where the file is no certificate
    :ivar certificates: how many there are in the file
    :ivar public_key: of the key; empty where openssl cannot read it without a passphrase
    :ivar key_mode: permission bits
    :ivar user: the web server's
    :ivar trial: what openssl said when it could not sign as that user; empty if it could
    """

    missing: tuple[str, ...] = ()
    certificate: CertificateFacts | None = None
    certificates: int = 1
    public_key: str = ""
    key_mode: int = 0
    user: str = "www-data"
    trial: str = ""


def problems(signer: Signer, found: PairFacts, now: float) -> list[str]:
    """What is wrong with the pair, each with the option that it is about; empty if it can sign."""
    if found.missing:
        return [f"{_option(signer, path)}: {path} does not exist on this host" for path in found.missing]
    result = []
    if found.certificate is None:
        result.append(f"signing_certificate: {signer.certificate} is not a certificate (PEM)")
    else:
        date_problem = _date_problem(found.certificate, now)
        if date_problem:
            result.append(f"signing_certificate: {signer.certificate}: {date_problem}")
        if found.certificates > 1:
            result.append(
                f"signing_certificate: {signer.certificate} holds {found.certificates} certificates; name a file with the first, "
                "and one with the others in signing_chain"
            )
    if not found.public_key:
        result.append(f"signing_key: {signer.key} is not a private key (PEM) without a passphrase")
    elif found.certificate and found.certificate.public_key != found.public_key:
        result.append(
            f"signing_key: {signer.key} does not belong to the certificate of {found.certificate.subject} in {signer.certificate}"
        )
    if found.key_mode & 0o007:
        result.append(
            f"signing_key: everybody on this host may read {signer.key} (mode {found.key_mode:04o}); only the web server's group "
            "should: chmod 0640, and chgrp to its group"
        )
    if not result and found.trial:
        result.append(f"signing_key: {found.user} cannot sign with {signer.key}: {found.trial}")
    return result


def _option(signer: Signer, path: str) -> str:
    return {signer.certificate: "signing_certificate", signer.key: "signing_key"}.get(path, "signing_chain")


def warning(found: PairFacts, now: float) -> str:
    """What will soon be wrong with the pair; empty if nothing."""
    facts = found.certificate
    if facts is None or not is_ending(facts.begins, facts.ends, now):
        return ""
    return (
        f"the signing certificate of {facts.subject} ends on {_day(facts.ends)}: renew it, or devices show profiles as "
        "not verified from then on"
    )


def _date_problem(facts: CertificateFacts, now: float) -> str:
    if now > facts.ends:
        return f"the certificate of {facts.subject} ended on {_day(facts.ends)}"
    if now < facts.begins:
        return f"the certificate of {facts.subject} is not valid before {_day(facts.begins)}"
    return ""


def _day(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date().isoformat()


def read_certificate(output: str) -> CertificateFacts | None:
    """Read what :data:`CERTIFICATE_QUESTIONS` answer; None if that is no certificate."""
    lines = dict(re.findall(r"^(subject|notBefore|notAfter)=(.*)$", output, re.MULTILINE))
    key = public_key(output)
    if not key or len(lines) != 3:
        return None
    begins, ends = (ssl.cert_time_to_seconds(lines[name]) for name in ("notBefore", "notAfter"))
    return CertificateFacts(lines["subject"].strip(), begins, ends, key)


def public_key(output: str) -> str:
    """The public key in an output of openssl; empty if there is none."""
    found = re.search("-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", output, re.DOTALL)
    return found.group() if found else ""


def key_digest(public_key: str) -> str:
    """The SHA-256 of a public key (PEM, SubjectPublicKeyInfo), hexadecimal."""
    body = "".join(line for line in public_key.splitlines() if not line.startswith("-----"))
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


def definitions(signer: Signer, provider: str) -> list[Node]:
    """The filters that sign for a provider, for the main server: sixteen of them in each of thousands of sites would be many.

    The responder chooses one of them for each request by its environment.
    """
    nodes: list[Node] = []
    for slot in range(SLOTS):
        # Each flock becomes the next program without a process of its own (-F).
        place = f"/usr/bin/flock -nF ${{APACHE_LOCK_DIR}}/mail_autoconfig-waiting-{slot}"
        turn = f"/usr/bin/flock -w {_WAIT_SECONDS} -F ${{APACHE_LOCK_DIR}}/mail_autoconfig-signing-{slot % PROCESSES}"
        command = " ".join([place, turn, *signer.command()])
        raw = f'{_filter(provider, slot)} mode=output enableenv={SLOT}{slot} cmd="{command}"'
        nodes.append(Directive("ExtFilterDefine", raw=raw))
    return nodes


def _filter(provider: str, slot: int) -> str:
    return f"mail_autoconfig_sign_{slot}_{provider}"


def directives(provider: str, script: str, path: str) -> list[Node]:
    """What signs on a site.

    :arg script: path of the responder, which judges what comes out
    :arg path: the URL path that is signed
    """
    chain = ";".join([*(_filter(provider, slot) for slot in range(SLOTS)), _CHECK])
    return [
        directive("LuaOutputFilter", _CHECK, script, "signed"),
        # The filter takes an interpreter while the handler has one, for which requests would wait for each other, and leaves the
        # profile on its stack; so these are made anew.
        section(
            "Location",
            [path],
            [server_settings.strongest([directive("LuaScope", "request"), directive("SetOutputFilter", chain)])],
        ),
    ]
