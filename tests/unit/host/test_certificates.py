"""Where certificates lie on a host, and whether they can serve at all."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import ssl
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import (
    Certificate,
    Content,
    Origin,
    PairFacts,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import certificates as tls
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import commands

from tools.certificates import Authority

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
    command = f"openssl x509 -in {sound.file} -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum"
    key = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout.split()[0]
    begins, ends = (ssl.cert_time_to_seconds(dates(sound)[name]) for name in ("notBefore", "notAfter"))
    digest = hashlib.sha256(der).hexdigest()
    assert facts == PairFacts(names=("server.tld",), key=key, fingerprint=digest, begins=begins, ends=ends)


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
    assert (facts.is_input, facts.names) == (True, ("server.tld",))


def test_a_key_with_a_passphrase_cannot_serve(tmp_path: Path) -> None:
    found = own(tmp_path, "-passout", "pass:secret")
    assert inspect(found).problem == f"the key {found.key} has a passphrase, for which Apache would wait"


_PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
BROKEN = ("", "no certificate", _PEM.format("AAAA"), _PEM.format("AAA"))


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_certificate_has_no_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "cert.pem").write_text(text)
    assert tls.names(str(tmp_path / "cert.pem")) == ()


def test_a_chain_of_which_a_part_is_broken_cannot_be_read(sound: Certificate, tmp_path: Path) -> None:
    content = Content(Path(sound.file).read_bytes() + BROKEN[-1].encode(), Path(sound.key).read_bytes())
    assert tls.inspect_content(content, commands.run).problem


def test_what_is_no_regular_file_is_not_found(sound: Certificate, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pem")
    pattern = Certificate(f"{tmp_path}/*.pem", sound.key)
    assert tls.matching(pattern) == []


@pytest.mark.parametrize("text", BROKEN)
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
    assert late.problem == f"it has expired ({shown(dates(sound)['notAfter'])})"
    assert early.problem == f"it is not valid before {shown(dates(sound)['notBefore'])}"
    assert late.is_input is early.is_input is False
    assert late.names == ("server.tld",)
    assert inspect(sound, begins + 9 * day).problem == ""


def shown(moment: str) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(ssl.cert_time_to_seconds(moment)))


def dates(found: Certificate) -> dict[str, str]:
    command = ["openssl", "x509", "-in", found.file, "-noout", "-dates"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in output.splitlines())  # type: ignore[misc]


def test_a_certificate_with_only_a_common_name_covers_that_one_alone(tmp_path: Path) -> None:
    assert inspect(own(tmp_path, subject="/O=Some/CN=other.tld", san="")).names == ("other.tld",)


def test_a_certificate_whose_other_names_do_not_match_is_not_helped_by_its_common_name(tmp_path: Path) -> None:
    assert inspect(own(tmp_path / "ip", subject="/CN=server.tld", san="IP:203.0.113.7")).names == ()
    assert inspect(own(tmp_path / "dns", subject="/CN=server.tld", san="DNS:else.tld")).names == ("else.tld",)


ISSUER = "authorityInfoAccess=caIssuers;URI:http://ca.tld/issuer.der\n"
# Two things that every certificate of a public authority has: one of these policies, and proofs that it was logged.
DOMAIN_VALIDATED = "certificatePolicies=2.23.140.1.2.1\n"
PROOFS = "1.3.6.1.4.1.11129.2.4.2=DER:04020000\n"


@pytest.mark.parametrize("mark", [DOMAIN_VALIDATED, "certificatePolicies=1.3.6.1.4.1.1,2.23.140.1.1\n", PROOFS])
def test_a_lone_certificate_of_a_public_authority_lacks_its_chain(tmp_path: Path, mark: str) -> None:
    root = own(tmp_path / "root", subject="/CN=root")
    leaf = signed_by(root, tmp_path / "leaf", ISSUER + mark)
    facts = inspect(leaf)
    assert facts.problem == "its chain is incomplete: it needs the certificates of its issuers behind it"
    with Path(leaf.file).open("a") as stream:
        stream.write(Path(root.file).read_text())
    assert inspect(leaf).problem == ""


def test_a_chain_that_leaves_out_the_issuer_is_incomplete_however_long_it_is(tmp_path: Path) -> None:
    root = own(tmp_path / "root", subject="/CN=root", san="")
    issuer = signed_by(root, tmp_path / "issuer", "basicConstraints=critical,CA:TRUE", subject="/CN=issuer")
    leaf = signed_by(issuer, tmp_path / "leaf", ISSUER + DOMAIN_VALIDATED)
    texts = {pair: Path(pair.file).read_text() for pair in (root, issuer, leaf)}
    for others, is_whole in (([root], False), ([leaf], False), ([issuer], True), ([root, issuer], True)):
        Path(leaf.file).write_text(texts[leaf] + "".join(texts[other] for other in others))
        assert (inspect(leaf).problem == "") is is_whole, others


@pytest.mark.parametrize("policy", ["", "certificatePolicies=1.3.6.1.4.1.1\n"])
def test_a_lone_certificate_whose_issuer_nobody_knows_serves_with_a_doubt(tmp_path: Path, policy: str) -> None:
    """It may be from a root of one's own, which has to be in no file, or from an authority below it."""
    root = own(tmp_path / "root", subject="/O=Some company/CN=root")
    leaf = signed_by(root, tmp_path / "leaf", ISSUER + policy)
    facts = inspect(leaf)
    assert (facts.problem, facts.is_usable) == ("", True)
    assert facts.doubt.startswith("its issuer (Some company, root) is neither behind it nor among the authorities that this host")
    with Path(leaf.file).open("a") as stream:
        stream.write(Path(root.file).read_text())
    assert inspect(leaf).doubt == ""


@pytest.mark.parametrize(
    "extension",
    [
        "extendedKeyUsage=clientAuth",
        "extendedKeyUsage=emailProtection,codeSigning",
        "extendedKeyUsage=anyExtendedKeyUsage",
        "keyUsage=critical,keyCertSign,cRLSign",
        "keyUsage=nonRepudiation",
        "keyUsage=digitalSignature\nextendedKeyUsage=emailProtection",
    ],
)
def test_a_certificate_that_is_not_for_servers_cannot_serve_but_sign(tmp_path: Path, extension: str) -> None:
    root = own(tmp_path / "root", subject="/CN=root")
    leaf = signed_by(root, tmp_path / "leaf", extension)
    assert not is_taken_by_openssl(root, leaf)
    facts = inspect(leaf)
    assert facts.problem == "it is not for servers with TLS, says its key usage or its extended key usage, which lacks serverAuth"
    assert (facts.is_usable, facts.can_sign, facts.is_input, facts.names) == (False, True, True, ("server.tld",))


@pytest.mark.parametrize(
    "extension",
    [
        "",
        "extendedKeyUsage=serverAuth",
        "extendedKeyUsage=emailProtection,serverAuth",
        "keyUsage=digitalSignature",
        "keyUsage=critical,keyEncipherment",
        "keyUsage=keyAgreement,nonRepudiation\nextendedKeyUsage=serverAuth,clientAuth",
    ],
)
def test_a_certificate_that_is_for_servers_serves(tmp_path: Path, extension: str) -> None:
    root = own(tmp_path / "root", subject="/CN=root")
    leaf = signed_by(root, tmp_path / "leaf", extension)
    assert is_taken_by_openssl(root, leaf)
    assert (inspect(leaf).problem, inspect(leaf).can_sign) == ("", True)


def test_what_cannot_serve_for_another_reason_cannot_sign(tmp_path: Path) -> None:
    root = own(tmp_path / "root", subject="/CN=root")
    leaf = signed_by(root, tmp_path / "leaf", "extendedKeyUsage=emailProtection")
    late = inspect(leaf, time.time() + 11 * 86400)
    assert (late.problem.startswith("it has expired"), late.can_sign) == (True, False)
    assert not inspect(Certificate(leaf.file, f"{tmp_path}/none")).can_sign


def is_taken_by_openssl(root: Certificate, leaf: Certificate) -> bool:
    """What a client says that asks a server for it."""
    command = ["openssl", "verify", "-purpose", "sslserver", "-CAfile", root.file, leaf.file]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_a_lone_certificate_of_an_authority_of_ones_own_serves(tmp_path: Path) -> None:
    Authority(tmp_path / "ca").issue(tmp_path / "leaf", ["server.tld", "autoconfig.server.tld"])
    facts = inspect(Certificate(f"{tmp_path}/leaf/fullchain.pem", f"{tmp_path}/leaf/privkey.pem"))
    assert (facts.problem, facts.doubt, facts.names) == ("", "", ("server.tld", "autoconfig.server.tld"))


def signed_by(issuer: Certificate, directory: Path, extensions: str, subject: str = "/CN=server.tld") -> Certificate:
    found = own(directory)
    request, file = directory / "request", directory / "extensions"
    file.write_text(f"subjectAltName=DNS:server.tld\n{extensions}")
    openssl("req", "-new", "-key", found.key, "-subj", subject, "-out", str(request))
    authority = ["-CA", issuer.file, "-CAkey", issuer.key, "-CAcreateserial", "-days", "10"]
    openssl("x509", "-req", "-in", str(request), *authority, "-extfile", str(file), "-out", found.file)
    return found


def without_openssl(*_arguments: t.Any) -> t.NoReturn:
    raise FileNotFoundError(2, "No such file or directory", "openssl")


def test_a_program_is_run_only_for_a_lone_certificate_that_says_where_its_issuer_is(sound: Certificate, tmp_path: Path) -> None:
    assert tls.inspect(sound, without_openssl).problem == ""
    root = own(tmp_path / "root", subject="/CN=root")
    leaf = signed_by(root, tmp_path / "leaf", ISSUER)
    with pytest.raises(FileNotFoundError):
        tls.inspect(leaf, without_openssl)


@pytest.mark.parametrize("label", ["TRUSTED CERTIFICATE", "X509 CERTIFICATE"])
def test_older_words_for_a_certificate_are_understood_as_openssl_does(sound: Certificate, tmp_path: Path, label: str) -> None:
    other = tmp_path / "other.pem"
    other.write_text(Path(sound.file).read_text().replace("CERTIFICATE-", f"{label}-"))
    assert inspect(Certificate(str(other), sound.key)) == inspect(sound)


# -- where they lie -----------------------------------------------------------------------------------------------------


def test_a_star_stands_for_the_same_in_both_paths_and_both_files_must_be_there(tmp_path: Path) -> None:
    for path in ("a/x_ecc/c.pem", "a/x_ecc/k.pem", "a/y_ecc/c.pem", "b/z_ecc/c.pem", "b/z_ecc/k.pem", "b/z/c.pem", "b/z/k.pem"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    pattern = Certificate(f"{tmp_path}/*/*_ecc/c.pem", f"{tmp_path}/*/*_ecc/k.pem")
    assert tls.matching(pattern) == [
        Certificate(f"{tmp_path}/a/x_ecc/c.pem", f"{tmp_path}/a/x_ecc/k.pem"),
        Certificate(f"{tmp_path}/b/z_ecc/c.pem", f"{tmp_path}/b/z_ecc/k.pem"),
    ]
    assert tls.matching(Certificate(f"{tmp_path}/a/*/c.pem", f"{tmp_path}/b/z/k.pem"))[1].key == f"{tmp_path}/b/z/k.pem"
    assert tls.matching(Certificate("/nowhere/*/c", "/nowhere/*/k")) == []


def test_other_characters_of_shells_stand_for_themselves(tmp_path: Path) -> None:
    for name in ("[a]", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "c1").touch()
    assert [pair.file for pair in tls.matching(Certificate(f"{tmp_path}/[a]/c*", f"{tmp_path}/a/c1"))] == [f"{tmp_path}/[a]/c1"]


def test_the_names_of_a_file_are_read_without_its_key(sound: Certificate, tmp_path: Path) -> None:
    assert tls.names(sound.file) == ("server.tld",)
    assert tls.names(own(tmp_path, subject="/CN=Other.tld", san="").file) == ("other.tld",)
    assert tls.names(sound.key) == tls.names("/nowhere") == ()


# -- on no disk ---------------------------------------------------------------------------------------------------------


def content(pair: Certificate) -> Content:
    return Content(Path(pair.file).read_bytes(), Path(pair.key).read_bytes())


def test_a_pair_as_text_is_looked_at_like_one_that_is_there(sound: Certificate, tmp_path: Path) -> None:
    facts = tls.inspect_content(content(sound), commands.run)
    assert facts == dataclasses.replace(inspect(sound), origin=Origin.CONTENT)
    other = own(tmp_path / "other")
    wrong = tls.inspect_content(Content(content(sound).chain, content(other).key), commands.run)
    assert wrong.problem == "certificate_key_content does not belong to it"
    locked = own(tmp_path / "locked", "-passout", "pass:secret")
    assert tls.inspect_content(content(locked), commands.run).problem == (
        "certificate_key_content has a passphrase, for which Apache would wait"
    )
    root = own(tmp_path / "root", subject="/CN=root")
    leaf = signed_by(root, tmp_path / "leaf", ISSUER + DOMAIN_VALIDATED)
    assert tls.inspect_content(content(leaf), commands.run).problem.startswith("its chain is incomplete")


def test_another_text_goes_elsewhere_and_no_key_is_shown(sound: Certificate) -> None:
    item = content(sound)
    where = item.at("/state", "server.tld")
    assert where == item.at("/state", "server.tld") != dataclasses.replace(item, key=b"x").at("/state", "server.tld")
    assert (where.file[:18], where.file[26:], where.key[26:]) == ("/state/server.tld-", ".pem", ".key")
    assert "PRIVATE KEY" not in repr(item)
