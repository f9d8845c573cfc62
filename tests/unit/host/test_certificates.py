"""Which certificate serves which host name, and whether it can serve at all."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.sites import Certificate
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import certificates as tls
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import commands
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.certificates import Certificates, PairFacts

from tools.certificates import Authority

OPENSSL = """\
subject=O=x,CN=ignored.tld
X509v3 Subject Alternative Name: critical
    DNS:Server.tld, DNS:*.server.tld, IP Address:203.0.113.7, email:x@server.tld, DNS:autoconfig.other.tld
"""


def pair(domain: str) -> Certificate:
    return Certificate(f"/tls/{domain}.pem", f"/tls/{domain}.key")


def certificates(**names: list[str]) -> Certificates:
    """Certificates of domains, with their names."""
    facts = {pair(domain.replace("_", ".")): PairFacts(names=tuple(found)) for domain, found in names.items()}
    return Certificates("/tls/{domain}.pem", "/tls/{domain}.key", facts)


# -- choosing -----------------------------------------------------------------------------------------------------------


def test_names_are_found_in_the_words_of_openssl() -> None:
    assert tls.names_in(OPENSSL) == ("server.tld", "*.server.tld", "autoconfig.other.tld")
    assert tls.names_in("No extensions matching SAN") == ()


def test_the_common_name_counts_only_where_there_are_no_other_names() -> None:
    assert tls.names_in("subject=O=x,CN=Server.tld\nnotBefore=x\n") == ("server.tld",)
    assert tls.names_in("subject=CN=server.tld,O=x\n") == ("server.tld",)
    assert tls.names_in("subject=CN=server.tld\nX509v3 Subject Alternative Name: \n    IP Address:203.0.113.7\n") == ()


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
    assert certificates().at("server.tld") == pair("server.tld")
    fixed = Certificates("/tls/all.pem", "/tls/all.key", {})
    assert fixed.at("server.tld") == fixed.at("other.tld") == pair("all")


def test_the_first_certificate_that_names_the_host_is_chosen() -> None:
    found = certificates(other_tld=["other.tld"], server_tld=["server.tld", "autoconfig.other.tld", "autoconfig.server.tld"])
    assert found.choose("autoconfig.other.tld", ("other.tld", "server.tld")) == pair("server.tld")
    assert found.choose("autoconfig.server.tld", ("server.tld", "server.tld")) == pair("server.tld")


def test_a_host_that_no_certificate_names_has_none() -> None:
    found = certificates(server_tld=["server.tld", "autoconfig.server.tld"], empty_tld=[])
    assert found.choose("autodiscover.server.tld", ("server.tld",)) is None
    assert found.choose("autoconfig.other.tld", ("other.tld", "server.tld")) is None
    assert found.choose("autoconfig.empty.tld", ("empty.tld",)) is None
    assert found.choose("autoconfig.server.tld", ("server.tld",)) == pair("server.tld")


@pytest.mark.parametrize("facts", [PairFacts(missing=("/x",)), PairFacts(problem="x"), PairFacts(problem="x", is_input=False)])
def test_a_certificate_that_is_missing_or_cannot_serve_serves_no_host(facts: PairFacts) -> None:
    names = ("autoconfig.server.tld",)
    found = Certificates("/tls/{domain}.pem", "/tls/{domain}.key", {pair("server.tld"): facts})
    assert found.choose(names[0], ("server.tld",)) is None
    assert found.of("server.tld") == facts
    assert found.of("absent.tld").missing == ("/tls/absent.tld.pem",)


# -- looking at one -----------------------------------------------------------------------------------------------------


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def own(
    directory: Path, *extra: str, key: str = "ec", subject: str = "/CN=common.tld", san: str = "DNS:server.tld"
) -> Certificate:
    """A pair that signs itself."""
    keys = {
        "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["-newkey", "rsa:2048"],
        "small": ["-newkey", "rsa:1024"],
    }
    directory.mkdir(parents=True, exist_ok=True)
    found = Certificate(f"{directory}/cert.pem", f"{directory}/key.pem")
    names = ["-addext", f"subjectAltName={san}"] if san else []
    protection = [] if "-passout" in extra else ["-nodes"]
    openssl("req", "-x509", *keys[key], *protection, "-subj", subject, *names, "-keyout", found.key, "-out", found.file, *extra)
    return found


def inspect(found: Certificate, now: float | None = None) -> PairFacts:
    return tls.inspect(found, commands.run, now)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return own(tmp_path_factory.mktemp("sound"), "-days", "10")


def test_a_sound_pair_tells_its_names_key_and_fingerprint(sound: Certificate) -> None:
    facts = inspect(sound)
    der = ssl.PEM_cert_to_DER_cert(Path(sound.file).read_text())
    assert facts == PairFacts(names=("server.tld",), public_key=facts.public_key, fingerprint=hashlib.sha256(der).hexdigest())
    assert facts.public_key.startswith("-----BEGIN PUBLIC KEY-----\n")


def test_the_fingerprint_is_that_of_the_first_certificate_of_a_chain(sound: Certificate, tmp_path: Path) -> None:
    other = own(tmp_path / "other")
    chain = tmp_path / "chain.pem"
    chain.write_text("a remark\n" + Path(sound.file).read_text() + Path(other.file).read_text())
    assert inspect(Certificate(str(chain), sound.key)).fingerprint == inspect(sound).fingerprint


def test_what_is_not_there_is_named(sound: Certificate) -> None:
    assert inspect(Certificate("/nowhere/c", sound.key)) == PairFacts(("/nowhere/c",))
    assert inspect(Certificate("/nowhere/c", "/nowhere/k")) == PairFacts(("/nowhere/c", "/nowhere/k"))


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_key_of_another_certificate_cannot_serve(sound: Certificate, tmp_path: Path, kind: str) -> None:
    other = own(tmp_path, key=kind)
    facts = inspect(Certificate(sound.file, other.key))
    assert facts.problem == f"the key {other.key} does not belong to it"
    assert facts.is_input


def test_a_key_with_a_passphrase_cannot_serve(tmp_path: Path) -> None:
    found = own(tmp_path, "-passout", "pass:secret")
    assert inspect(found).problem == f"the key {found.key} has a passphrase, for which Apache would wait"


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_cannot_serve(sound: Certificate, tmp_path: Path, text: str) -> None:
    file = tmp_path / "cert.pem"
    file.write_text(text)
    facts = inspect(Certificate(str(file), sound.key))
    assert facts.problem
    assert facts.is_input
    assert facts.names == ()


def test_a_key_that_is_too_small_cannot_serve(tmp_path: Path) -> None:
    assert inspect(own(tmp_path, key="small")).problem == "its key is too small for this host's OpenSSL"


def test_a_certificate_that_has_expired_or_is_not_valid_yet_cannot_serve(sound: Certificate) -> None:
    day = 86400
    begins = ssl.cert_time_to_seconds(dates(sound)["notBefore"])
    late, early = inspect(sound, begins + 11 * day), inspect(sound, begins - day)
    assert late.problem == f"it has expired ({dates(sound)['notAfter']})"
    assert early.problem == f"it is not valid before {dates(sound)['notBefore']}"
    assert late.is_input is early.is_input is False
    assert late.names == ("server.tld",)
    assert inspect(sound, begins + 9 * day).problem == ""


def dates(found: Certificate) -> dict[str, str]:
    command = ["openssl", "x509", "-in", found.file, "-noout", "-dates"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in output.splitlines())  # type: ignore[misc]


def test_a_certificate_with_only_a_common_name_covers_that_one_alone(tmp_path: Path) -> None:
    assert inspect(own(tmp_path, subject="/O=Some/CN=other.tld", san="")).names == ("other.tld",)


def test_a_certificate_whose_other_names_do_not_match_is_not_helped_by_its_common_name(tmp_path: Path) -> None:
    assert inspect(own(tmp_path / "ip", subject="/CN=server.tld", san="IP:203.0.113.7")).names == ()
    assert inspect(own(tmp_path / "dns", subject="/CN=server.tld", san="DNS:else.tld")).names == ("else.tld",)


def test_a_lone_certificate_that_says_where_its_issuer_is_lacks_its_chain(tmp_path: Path) -> None:
    root = own(tmp_path / "root", subject="/CN=root")
    leaf = signed_by(root, tmp_path / "leaf", "authorityInfoAccess=caIssuers;URI:http://ca.invalid/ca.der\n")
    facts = inspect(leaf)
    assert facts.problem == "its chain is incomplete: it needs the certificates of its issuers behind it"
    with Path(leaf.file).open("a") as stream:
        stream.write(Path(root.file).read_text())
    assert inspect(leaf).problem == ""


def test_a_lone_certificate_of_an_authority_of_ones_own_serves(tmp_path: Path) -> None:
    Authority(tmp_path / "ca").issue(tmp_path / "leaf", ["server.tld", "autoconfig.server.tld"])
    facts = inspect(Certificate(f"{tmp_path}/leaf/fullchain.pem", f"{tmp_path}/leaf/privkey.pem"))
    assert (facts.problem, facts.names) == ("", ("server.tld", "autoconfig.server.tld"))


def signed_by(issuer: Certificate, directory: Path, extensions: str) -> Certificate:
    found = own(directory)
    request, file = directory / "request", directory / "extensions"
    file.write_text(f"subjectAltName=DNS:server.tld\n{extensions}")
    openssl("req", "-new", "-key", found.key, "-subj", "/CN=server.tld", "-out", str(request))
    authority = ["-CA", issuer.file, "-CAkey", issuer.key, "-CAcreateserial", "-days", "10"]
    openssl("x509", "-req", "-in", str(request), *authority, "-extfile", str(file), "-out", found.file)
    return found


def test_without_openssl_nothing_can_be_told(sound: Certificate) -> None:
    def run(*_arguments: t.Any) -> t.NoReturn:
        raise FileNotFoundError(2, "No such file or directory", "openssl")

    with pytest.raises(FileNotFoundError):
        tls.inspect(sound, run)
