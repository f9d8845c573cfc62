"""Which certificate serves which host name."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.sites import Certificate
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import certificates as tls
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.certificates import Certificates

OPENSSL = """\
X509v3 Subject Alternative Name: critical
    DNS:Server.tld, DNS:*.server.tld, IP Address:203.0.113.7, email:x@server.tld, DNS:autoconfig.other.tld
"""


class Files:
    """Certificates that exist, with their names; counts how often one is asked."""

    def __init__(self, **certificates: list[str] | None) -> None:
        self.names = {f"/tls/{domain.replace('_', '.')}.pem": names for domain, names in certificates.items()}
        self.absent: set[str] = set()
        self.asked: list[str] = []

    def exists(self, path: str) -> bool:
        return path.replace(".key", ".pem") in self.names and path not in self.absent

    def names_of(self, path: str) -> list[str] | None:
        self.asked.append(path)
        return self.names[path]

    def certificates(self) -> Certificates:
        return Certificates("/tls/{domain}.pem", "/tls/{domain}.key", self.exists, self.names_of)


def pair(domain: str) -> Certificate:
    return Certificate(f"/tls/{domain}.pem", f"/tls/{domain}.key")


def test_names_are_found_in_the_words_of_openssl() -> None:
    assert tls.names_in(OPENSSL) == ("server.tld", "*.server.tld", "autoconfig.other.tld")
    assert tls.names_in("No extensions matching SAN") == ()


@pytest.mark.parametrize(
    ("name", "host", "expected"),
    [
        ("autoconfig.server.tld", "autoconfig.server.tld", True),
        ("*.server.tld", "autoconfig.server.tld", True),
        ("*.server.tld", "server.tld", False),
        ("*.server.tld", "autoconfig.sub.server.tld", False),
        ("server.tld", "autoconfig.server.tld", False),
        ("*.tld", "autoconfig.server.tld", False),
        ("a*.server.tld", "autoconfig.server.tld", False),
        ("*", "autoconfig.server.tld", False),
    ],
)
def test_a_wildcard_stands_for_one_whole_label(name: str, host: str, expected: bool) -> None:
    assert tls.covers([name], host) is expected


def test_the_digest_of_a_key_is_that_of_all_its_lines() -> None:
    # Made by openssl: pkey -pubout, and the sha256sum of pkey -pubin -outform DER.
    public_key = """\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2pXeq22VTj5UvMs4vCtuYf+6ejDC
H4FEIWtXvvM/CqsI+ql58e5BV1IAzLqqub+dpfcKmwkxS3spIy9/5tp0/w==
-----END PUBLIC KEY-----
"""
    assert tls.key_digest(public_key) == "4d70f9e62e8e49b6440c7a68c59a39474264ab4ceef5484180b906eac1f56300"


def test_the_place_of_a_certificate_follows_from_the_domain() -> None:
    certificates = Files().certificates()
    assert certificates.at("server.tld") == pair("server.tld")
    assert certificates.missing("server.tld") == ["/tls/server.tld.pem", "/tls/server.tld.key"]
    fixed = Certificates("/tls/all.pem", "/tls/all.key", lambda path: True, lambda path: None)
    assert fixed.at("server.tld") == fixed.at("other.tld") == pair("all")


def test_the_first_certificate_that_names_the_host_is_chosen() -> None:
    certificates = Files(
        other_tld=["other.tld"], server_tld=["server.tld", "autoconfig.other.tld", "autoconfig.server.tld"]
    ).certificates()
    assert certificates.choose("autoconfig.other.tld", ("other.tld", "server.tld")) == pair("server.tld")
    assert certificates.choose("autoconfig.server.tld", ("server.tld", "server.tld")) == pair("server.tld")


def test_a_host_that_no_certificate_names_has_none() -> None:
    certificates = Files(server_tld=["server.tld", "autoconfig.server.tld"]).certificates()
    assert certificates.choose("autodiscover.server.tld", ("server.tld",)) is None
    assert certificates.choose("autoconfig.other.tld", ("other.tld", "server.tld")) is None
    assert certificates.choose("autoconfig.server.tld", ("server.tld",)) == pair("server.tld")


@pytest.mark.parametrize("missing", ["/tls/server.tld.pem", "/tls/server.tld.key"])
def test_a_certificate_without_key_or_a_key_without_certificate_is_none(missing: str) -> None:
    files = Files(server_tld=["autoconfig.server.tld"])
    files.absent.add(missing)
    certificates = files.certificates()
    assert certificates.missing("server.tld") == [missing]
    assert certificates.choose("autoconfig.server.tld", ("server.tld",)) is None


def test_a_certificate_whose_names_cannot_be_told_is_trusted_to_fit() -> None:
    certificates = Files(server_tld=None).certificates()
    assert certificates.choose("autoconfig.server.tld", ("server.tld",)) == pair("server.tld")


def test_a_certificate_without_names_fits_no_host() -> None:
    certificates = Files(server_tld=[]).certificates()
    assert certificates.choose("autoconfig.server.tld", ("server.tld",)) is None


def test_a_certificate_is_asked_once_for_all_hosts() -> None:
    files = Files(server_tld=["*.server.tld"])
    certificates = files.certificates()
    for host in ("autoconfig.server.tld", "autodiscover.server.tld", "autoconfig.other.tld"):
        certificates.choose(host, ("server.tld",))
    assert files.asked == ["/tls/server.tld.pem"]
