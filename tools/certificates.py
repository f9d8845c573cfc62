"""A certification authority for tests and the demonstration: openssl makes it, nobody trusts it."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

# As long as the name of a well-known authority, so that tools/delta_chat.py can put the one in the place of the other.
SUBJECT = "/O=mailops.autoconfig/CN=Testing authority"
_DAYS = 30


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def verified(signed: bytes, authority: Path, signer: Path | None = None, purpose: str = "smimesign") -> bytes:
    """What was signed (CMS, DER), if the signature leads to the authority by the certificates in it.

    :arg signer: where to write the certificate of whoever signed
    :arg purpose: what its certificate must be for, in openssl's words

    Raises CalledProcessError if it does not.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(signed)
        file.flush()
        command = ["openssl", "cms", "-verify", "-binary", "-inform", "der", "-in", file.name, "-CAfile", str(authority)]
        command += ["-purpose", purpose, *(["-signer", str(signer)] if signer else [])]
        return subprocess.run(command, check=True, capture_output=True).stdout


def _predate(path: Path, issuer_key: Path, days: int, until: int = 0) -> None:
    """Make a certificate begin some days earlier, and end so, which openssl cannot before version 3.4."""
    old = x509.load_pem_x509_certificate(path.read_bytes())
    key = serialization.load_pem_private_key(issuer_key.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101
    builder = x509.CertificateBuilder(subject_name=old.subject, issuer_name=old.issuer, public_key=old.public_key())
    builder = builder.serial_number(old.serial_number)
    builder = builder.not_valid_after(old.not_valid_after_utc - datetime.timedelta(until))
    builder = builder.not_valid_before(old.not_valid_before_utc - datetime.timedelta(days))
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def give_to_web_server(key: Path) -> None:
    """Let the web server's user read a key, and nobody else."""
    if os.geteuid() == 0:
        shutil.chown(key, "root", "www-data")
    key.chmod(0o640)


class Authority:
    """A root certificate and what it signs, in one directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        if not self._can_be_used():
            _openssl(
                *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(_DAYS), "-subj", SUBJECT),
                *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
                *("-keyout", str(self._key), "-out", str(self.certificate)),
            )

    def _can_be_used(self) -> bool:
        """Whether there is one of the right name that does not expire during the tests."""
        question = [
            "openssl",
            "x509",
            "-noout",
            "-subject",
            "-nameopt",
            "compat",
            "-checkend",
            "86400",
            "-in",
            str(self.certificate),
        ]
        answer = subprocess.run(question, check=False, capture_output=True, text=True)
        return answer.returncode == 0 and f"subject={SUBJECT}\n" in answer.stdout

    def issue(self, directory: Path, names: Iterable[str], purpose: str = "serverAuth", more: str = "", later: int = 0) -> None:
        """Write ``fullchain.pem`` and ``privkey.pem`` for the names into a directory, as certbot does.

        :arg purpose: what it is for, in openssl's words
        :arg more: further extensions, a line each
        :arg later: how many days from now its validity begins, below 0 for the past; it lasts 20
        """
        directory.mkdir(parents=True, exist_ok=True)
        listed = list(names)
        key, chain = directory / "privkey.pem", directory / "fullchain.pem"
        alternatives = ",".join(f"DNS:{name}" for name in listed)
        text = f"subjectAltName={alternatives}\nextendedKeyUsage={purpose}\nbasicConstraints=CA:FALSE\n{more}"
        self._sign(f"/CN={listed[0]}", text, key, chain, (self.certificate, self._key))
        if later:
            _predate(chain, self._key, -later, -later)

    def shifted(self, chain: bytes, days: int) -> bytes:
        """The first certificate of a chain (PEM) so many days later, signed by this authority, with this one behind it."""
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "cert.pem"
            path.write_bytes(chain)
            _predate(path, self._key, -days, -days)
            return path.read_bytes() + self.certificate.read_bytes()

    def issue_for_signing(self, directory: Path, name: str = "Profile signing", days: int = 60, begun: int = 0) -> None:
        """Write ``cert.pem``, ``chain.pem`` and ``privkey.pem`` of a signer below an intermediate authority.

        :arg begun: how many days ago its validity began
        """
        directory.mkdir(parents=True, exist_ok=True)
        chain, chain_key = directory / "chain.pem", directory / "chain.key"
        authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n"
        self._sign("/CN=Test intermediate", authority, chain_key, chain, (self.certificate, self._key))
        signer = "keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\nbasicConstraints=CA:FALSE\n"
        self._sign(f"/CN={name}", signer, directory / "privkey.pem", directory / "cert.pem", (chain, chain_key), days)
        if begun:
            _predate(directory / "cert.pem", chain_key, begun)
        chain_key.unlink()

    @staticmethod
    def _sign(subject: str, extensions: str, key: Path, certificate: Path, issuer: tuple[Path, Path], days: int = 20) -> None:
        """Make a key, and a certificate of it by the issuer's certificate and key."""
        request, file = certificate.with_suffix(".request"), certificate.with_suffix(".extensions")
        file.write_text(extensions)
        _openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout", str(key), "-out", str(request))
        _openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(issuer[0]), "-CAkey", str(issuer[1]), "-CAcreateserial"),
            *("-days", str(days), "-extfile", str(file), "-out", str(certificate)),
        )
        request.unlink()
        file.unlink()


if __name__ == "__main__":
    # Without names, a pair that signs.
    authority = Authority(Path(sys.argv[1]))
    if sys.argv[3:]:
        authority.issue(Path(sys.argv[2]), sys.argv[3:])
    else:
        authority.issue_for_signing(Path(sys.argv[2]))
