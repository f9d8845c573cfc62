"""The pair that signs: what is judged of it, and the filters."""

from __future__ import annotations

import dataclasses
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import directives as apache
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import signing
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.signing import (
    CertificateFacts,
    PairFacts,
    Signer,
)

from tests.conftest import need

DAY = 86400
NOW = 1_800_000_000  # 2027-01-15
SIGNER = Signer("/s/cert.pem", "/s/key.pem", "/s/chain.pem")
FACTS = CertificateFacts("CN=signer", NOW - DAY, NOW + 90 * DAY, "PUBLIC")
SOUND = PairFacts(certificate=FACTS, public_key="PUBLIC", key_mode=0o640)


def test_a_sound_pair_has_no_problem() -> None:
    assert signing.problems(SIGNER, SOUND, NOW) == []
    assert signing.warning(SOUND, NOW) == ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"missing": ("/s/chain.pem",)}, ["signing_chain: /s/chain.pem does not exist on this host"]),
        ({"certificate": None}, ["signing_certificate: /s/cert.pem is not a certificate (PEM)"]),
        ({"public_key": ""}, ["signing_key: /s/key.pem is not a private key (PEM) without a passphrase"]),
        (
            {"public_key": "ANOTHER", "key_mode": 0o644},
            [
                "signing_key: /s/key.pem does not belong to the certificate of CN=signer in /s/cert.pem",
                "signing_key: everybody on this host may read /s/key.pem (mode 0644); only the web server's group should: chmod "
                "0640, and chgrp to its group",
            ],
        ),
        (
            {"certificates": 3},
            [
                "signing_certificate: /s/cert.pem holds 3 certificates; name a file with the first, and one with the others in "
                "signing_chain"
            ],
        ),
        ({"trial": "Permission denied"}, ["signing_key: www-data cannot sign with /s/key.pem: Permission denied"]),
        # What openssl says of a pair that is wrong anyhow helps nobody.
        ({"public_key": "", "trial": "x"}, ["signing_key: /s/key.pem is not a private key (PEM) without a passphrase"]),
    ],
)
def test_each_fault_is_named_with_its_option(changes: dict[str, t.Any], expected: list[str]) -> None:
    assert signing.problems(SIGNER, dataclasses.replace(SOUND, **changes), NOW) == expected


@pytest.mark.parametrize(
    ("now", "problem", "warning"),
    [
        (NOW - 2 * DAY, "signing_certificate: /s/cert.pem: the certificate of CN=signer is not valid before 2027-01-14", ""),
        (NOW + 59 * DAY, "", ""),
        (NOW + 61 * DAY, "", "the signing certificate of CN=signer ends on 2027-04-15"),
        (NOW + 91 * DAY, "signing_certificate: /s/cert.pem: the certificate of CN=signer ended on 2027-04-15", "the signing"),
    ],
)
def test_dates(now: int, problem: str, warning: str) -> None:
    assert signing.problems(SIGNER, SOUND, now) == ([problem] if problem else [])
    assert signing.warning(SOUND, now).startswith(warning)
    assert bool(signing.warning(SOUND, now)) == bool(warning)


def test_a_certificate_is_read_as_openssl_shows_it(tmp_path: Path) -> None:
    need("openssl")
    key, file = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/O=Server \u00e9/CN=signer, one"]
    subprocess.run([*made, "-utf8", "-keyout", key, "-out", file], check=True, capture_output=True)
    shown = subprocess.run(
        ["openssl", "x509", "-in", file, *signing.CERTIFICATE_QUESTIONS], check=True, capture_output=True, text=True
    ).stdout
    found = signing.read_certificate(shown)
    assert found is not None
    assert found.ends - found.begins == 3 * DAY
    assert "CN=signer\\, one" in found.subject
    public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
    assert found.public_key == signing.public_key(public)


@pytest.mark.parametrize("output", ["", "unable to load certificate", "subject=CN=x\nnotBefore=x\nnotAfter=y\n"])
def test_what_is_no_certificate_is_none(output: str) -> None:
    assert signing.read_certificate(output) is None


def test_the_filters_differ_in_their_place_only() -> None:
    text = apache.write(signing.definitions(SIGNER, "server.tld"))
    defined = [line for line in text.splitlines() if line.startswith("ExtFilterDefine")]
    assert len(defined) == signing.SLOTS
    assert len({line.partition("openssl")[2] for line in defined}) == 1
    places = {line.partition("waiting-")[2].partition(" ")[0] for line in defined}
    turns = {line.partition("signing-")[2].partition(" ")[0] for line in defined}
    assert (len(places), len(turns)) == (signing.SLOTS, signing.PROCESSES)


def test_a_site_uses_the_filters_of_its_provider_and_judges_them_last() -> None:
    text = apache.write(signing.directives("server.tld", "/conf/x.lua", "/mail.mobileconfig"))
    assert text.count("LuaOutputFilter mail_autoconfig_signed /conf/x.lua signed\n") == 1
    chain = text.partition("SetOutputFilter ")[2].split("\n")[0].strip('"').split(";")
    assert chain[-1] == "mail_autoconfig_signed"
    defined = [line.split()[1] for line in apache.write(signing.definitions(SIGNER, "server.tld")).splitlines()]
    assert chain[:-1] == defined
    others = {line.split()[1] for line in apache.write(signing.definitions(SIGNER, "other.tld")).splitlines()}
    assert not others & set(defined)


def test_without_a_chain_there_is_no_word_of_it() -> None:
    assert "-certfile" in SIGNER.command()
    assert "-certfile" not in Signer("/s/cert.pem", "/s/key.pem").command()
