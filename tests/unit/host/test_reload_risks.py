"""What would end Apache at its next reload, seen without one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import reload_risks

from tools.certificates import Authority

SITE = "<VirtualHost *:443>\nSSLCertificateFile {directory}/fullchain.pem\nSSLCertificateKeyFile {directory}/privkey.pem\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def pair(tmp_path: Path, authority: Authority) -> Path:
    authority.issue(tmp_path, ["shop.example"])
    return tmp_path


def found(directory: Path, more: str = "", since: float | None = None) -> tuple[str, ...]:
    text = SITE.format(directory=directory) + more + "</VirtualHost>\n"
    return reload_risks.found({"/x.conf": text}, [f"{directory}/fullchain.pem"], "/etc/apache2", "/var/log/apache2", since)


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def test_a_pair_that_serves_is_no_risk(pair: Path) -> None:
    assert found(pair) == ()


def test_another_key_is_named_with_its_place(pair: Path) -> None:
    openssl("genrsa", "-out", f"{pair}/privkey.pem", "2048")
    (problem,) = found(pair)
    assert problem == f"/x.conf:2: the certificate {pair}/fullchain.pem: the key {pair}/privkey.pem does not belong to it"


@pytest.mark.parametrize("name", ["fullchain.pem", "privkey.pem"])
def test_a_file_that_is_gone_or_garbage_is_named(pair: Path, name: str) -> None:
    (pair / name).write_text("half a fi")
    assert "PEM" in found(pair)[0]
    (pair / name).unlink()
    assert f"{pair}/{name} cannot be read (No such file or directory)" in found(pair)[0]


def test_a_form_that_only_apache_reads_is_passed_over(pair: Path) -> None:
    openssl("x509", "-in", f"{pair}/fullchain.pem", "-outform", "DER", "-out", f"{pair}/fullchain.pem")
    assert found(pair) == ()


@pytest.mark.parametrize(
    ("is_new", "dialog", "is_risk"),
    [
        # Somebody typed the passphrase when Apache was started, and it still knows.
        (False, "", False),
        (True, "", True),
        (True, "SSLPassPhraseDialog builtin\n", True),
        (True, "SSLPassPhraseDialog  exec:/usr/share/apache2/ask-for-passphrase\n", True),
        (True, "SSLPassPhraseDialog exec:/usr/local/bin/passphrase\n", False),
        (True, 'SSLPassPhraseDialog "|/usr/local/bin/passphrase"\n', False),
        (True, "# SSLPassPhraseDialog exec:/usr/local/bin/passphrase\n", True),
    ],
)
def test_a_new_key_with_a_passphrase_is_a_risk_where_no_program_knows_it(
    pair: Path, is_new: bool, dialog: str, is_risk: bool
) -> None:
    key = f"{pair}/privkey.pem"
    openssl("rsa", "-aes128", "-passout", "pass:x", "-in", key, "-out", key)
    changed = os.stat(key).st_mtime
    problems = found(pair, dialog, changed - 1 if is_new else changed + 1)
    assert (len(problems), "passphrase" in "".join(problems)) == (is_risk, is_risk)
    assert found(pair, dialog, None) == ()  # where it does not run, nothing is reloaded


def test_a_weak_key_is_a_risk_unless_apache_is_told_to_take_it(tmp_path: Path) -> None:
    key, certificate = f"{tmp_path}/privkey.pem", f"{tmp_path}/fullchain.pem"
    openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=x")
    assert "too small" in found(tmp_path)[0]
    assert found(tmp_path, "SSLCipherSuite DEFAULT@SECLEVEL=0\n") == ()


def test_a_log_without_a_directory_is_a_risk(pair: Path) -> None:
    def problems(line: str) -> list[str]:
        return [problem.partition("x.conf:")[2] for problem in found(pair, line)]

    (pair / "logs").mkdir()
    missing = "4: the directory of the log {path} does not exist"
    assert problems(f"CustomLog {pair}/no/x.log combined\n") == [missing.format(path=f"{pair}/no/x.log")]
    assert problems(f'TransferLog "{pair}/no/x.log"\n') == [missing.format(path=f"{pair}/no/x.log")]
    assert problems("CustomLog no/x.log combined\n") == [missing.format(path="no/x.log")]
    for fine in (
        f"CustomLog {pair}/logs/x.log combined\n",
        f'CustomLog "|/usr/bin/rotatelogs {pair}/no/x.log" combined\n',
        f"<IfDefine X>\nCustomLog {pair}/no/x.log combined\n</IfDefine>\n",
        f"CustomLog {pair}/$name/x.log combined\n",
        "CustomLog\n",
    ):
        assert problems(fine) == []


def test_debians_variable_for_logs_is_known(pair: Path) -> None:
    text = "CustomLog ${APACHE_LOG_DIR}/access.log combined\n"
    assert reload_risks.found({"/x": text}, [], "/", str(pair), None) == ()
    assert reload_risks.found({"/x": text}, [], "/", f"{pair}/no", None) == (
        f"/x:1: the directory of the log {pair}/no/access.log does not exist",
    )
    assert reload_risks.found({"/x": text + "\\"}, [], "/", str(pair), None) == ()
