"""The authority of all worlds, and certificates with faults."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.check.world import Certificates

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


class Faulty(Certificates):
    """Certificates of our authority that a test makes as wrong as it likes."""

    def pair(
        self,
        *names: str,
        begins: float = -10,
        ends: float = 80,
        issuer: _Pair | None = None,
        authority: bool = False,
        by_itself: bool = False,
        organization: str = "Test",
    ) -> _Pair:
        """A certificate and its key; ``begins`` and ``ends`` are days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])]
        attributes.append(x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization))
        subject = x509.Name(attributes)
        parent, parent_key = (None, key) if by_itself else issuer or self.root()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(parent.subject if parent else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + begins * DAY)
            .not_valid_after(NOW + ends * DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        )
        return builder.sign(parent_key, hashes.SHA256()), key

    def root(self) -> _Pair:
        """Our authority."""
        certificate = x509.load_pem_x509_certificate(self.authority.certificate.read_bytes())
        key = serialization.load_pem_private_key((self.directory / "ca/ca.key").read_bytes(), None)
        return certificate, key  # type: ignore[return-value]

    def shown(self, pair: _Pair, *chain: x509.Certificate) -> ssl.SSLContext:
        """A server's context with the pair and what is above it."""
        certificate, key = pair
        directory = self.directory / f"{certificate.serial_number}"
        directory.mkdir()
        pem = serialization.Encoding.PEM
        (directory / "c.pem").write_bytes(b"".join(each.public_bytes(pem) for each in (certificate, *chain)))
        plain = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (directory / "k.pem").write_bytes(key.private_bytes(*plain))
        return self.of(directory / "c.pem", directory / "k.pem")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Faulty:
    return Faulty(tmp_path_factory.mktemp("check"))


@pytest.fixture
def ca_file(certificates: Faulty) -> Path:
    return certificates.authority.certificate
