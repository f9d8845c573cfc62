"""What certbot has, and having it order."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import lineages
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.managed_domains import AcmeOptions
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import certbot, certbot_log
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.lineages import Failure, Lineage, Store

from tests.unit.fake_apache import FakeApache

OPTIONS = AcmeOptions(contact="admin@a.tld", directory="https://acme.tld/dir", ca_file="/ca.pem", wait_seconds=60)
# As certbot 2.1.0 says it.
REFUSED = """\
Saving debug log to /var/log/letsencrypt/letsencrypt.log
Requesting a certificate for autoconfig.a.tld and autodiscover.a.tld

Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: autoconfig.a.tld
  Type:   connection
  Detail: Get "http://autoconfig.a.tld/x": dial tcp 127.0.0.1:80: connect: connection refused

  Domain: autodiscover.a.tld
  Type:   connection
  Detail: ValueError: Requesting http://autodiscover.a.tld/x

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.

Some challenges have failed.
Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile for more details.
"""
LIMITED = """\
Saving debug log to /var/log/letsencrypt/letsencrypt.log
An unexpected error occurred:
Error creating new order :: too many certificates already issued
Ask for help or search for solutions at https://community.letsencrypt.org.
"""
DOWN = "An unexpected error occurred:\nValueError: Requesting localhost/dir: Connection refused\n"
SILENT = "An unexpected error occurred:\nrequests.exceptions.ReadTimeout: HTTPSConnectionPool: Read timed out.\n"
# What Debian 12's certbot makes of a second nonce that is no good, and what later ones say.
NONCE = "An unexpected error occurred:\nAttributeError: can't set attribute\n"
LATER_NONCE = (
    "An unexpected error occurred:\n"
    "The client sent an unacceptable anti-replay nonce :: JWS has an invalid anti-replay nonce: x\n"
)
BUSY = "Another instance of Certbot is already running.\n"


class Certbot:
    """certbot as far as a run sees it: what it says to each call, and a new certificate where that is nothing."""

    def __init__(self, directory: Path, *said: str) -> None:
        self.directory = directory
        self.said = list(said)
        self.calls: list[list[str]] = []
        self.environment: t.Mapping[str, str] = {}

    def __call__(self, command: t.Sequence[str], environment: t.Mapping[str, str], seconds: float) -> Result:
        assert 0 < seconds <= OPTIONS.wait_seconds
        self.calls.append(list(command))
        self.environment = environment
        text = self.said.pop(0) if self.said else ""
        if text == "slow":
            raise TimeoutError("certbot did not end within 60 s")
        if not text:
            live = self.directory / "live" / command[-1]
            live.mkdir(parents=True, exist_ok=True)
            (live / "fullchain.pem").unlink(missing_ok=True)
            (live / "fullchain.pem").symlink_to(self.directory / f"fullchain{len(self.calls)}.pem")
            (self.directory / f"fullchain{len(self.calls)}.pem").touch()
        return Result(1 if text and text != "keeps" else 0, "", text)

    def order(self, *domains: str) -> certbot.Outcome:
        ordered = {domain: Lineage(domain, (f"autoconfig.{domain}",)) for domain in domains}
        self.progress: list[str] = []
        return certbot.order_all(
            ordered,
            lambda lineage: ["certbot", lineage.name],
            str(self.directory),
            str(self.directory),
            OPTIONS,
            self,
            self.progress.append,
        )


@pytest.mark.parametrize(
    ("said", "expected"),
    [("certbot 2.1.0\n", False), ("certbot 3.9.9\n", False), ("certbot 4.0.0\n", True), ("certbot 10.1\n", True), ("?", True)],
)
def test_whether_certbot_knows_profiles_is_told_by_its_version(said: str, expected: bool) -> None:
    assert certbot.takes_profiles(lambda _command, _environment: Result(0, said, "")) is expected


CONFIGURATION = """\
version = 2.1.0
[renewalparams]
authenticator = webroot
webroot_path = /other,
[[webroot_map]]
autoconfig.a.tld = {ours}
mail.a.tld = {ours}/
www.a.tld = /other
[acme_renewal_info]
mail.b.tld = {ours}
"""


def test_the_names_that_are_validated_from_our_directory_are_told(tmp_path: Path) -> None:
    (tmp_path / "renewal").mkdir()
    (tmp_path / "renewal/a.conf").write_text(CONFIGURATION.format(ours=tmp_path))
    (tmp_path / "renewal/b.conf").write_text("[renewalparams]\nauthenticator = apache\n")
    (tmp_path / "renewal/c.conf").write_bytes(b"\xff")
    apache = FakeApache(tmp_path / "host")
    platform = Debian(certbot_directory=str(tmp_path))
    server = apache.surveyor().server()
    found = certbot.look(platform, server, str(tmp_path), (), True, ("a", "b", "c", "none"), str(tmp_path))
    assert found.validated == {
        "a": {"autoconfig.a.tld", "mail.a.tld"},
        **dict.fromkeys(("b", "c", "none"), frozenset()),
    }


def test_each_order_is_made_for_itself_and_one_that_fails_keeps_no_other(tmp_path: Path) -> None:
    program = Certbot(tmp_path, "", REFUSED, "")
    found = program.order("a.tld", "b.tld", "c.tld")
    assert (found.begun, found.issued, set(found.failed)) == ({"a.tld", "b.tld", "c.tld"}, {"a.tld", "c.tld"}, {"b.tld"})
    assert program.progress[-1] == "certbot was asked for 3 of 3 certificates, 1 failed"
    assert certbot.failures(str(tmp_path)) == found.failed
    # What it keeps is no new certificate, and no failure.
    program.said = ["keeps"]
    again = program.order("a.tld")
    assert (again.begun, again.issued, again.failed) == ({"a.tld"}, frozenset(), {})


@pytest.mark.parametrize(
    ("said", "words", "alone"),
    [
        (
            REFUSED,
            'autoconfig.a.tld: Get "http://autoconfig.a.tld/x": dial tcp 127.0.0.1:80: connect: connection refused; '
            "autodiscover.a.tld: ValueError: Requesting http://autodiscover.a.tld/x",
            True,
        ),
        (LIMITED, "An unexpected error occurred: Error creating new order :: too many certificates already issued", True),
        (DOWN, " ".join(DOWN.split()), False),
        (SILENT, " ".join(SILENT.split()), False),
        ("slow", "certbot did not end within 60 s", False),
    ],
)
def test_why_an_order_failed_is_told_in_the_words_of_who_knows(tmp_path: Path, said: str, words: str, alone: bool) -> None:
    failure = Certbot(tmp_path, said).order("a.tld").failed["a.tld"]
    assert (failure.words, failure.alone, failure.directory) == (words, alone, OPTIONS.directory)
    # What the authority has not counted may be asked again at any time.
    assert (failure.until - failure.at == lineages.BETWEEN_ATTEMPTS) is alone


def test_an_authority_that_is_away_is_not_asked_for_each_domain(tmp_path: Path) -> None:
    found = Certbot(tmp_path, DOWN).order("a.tld", "b.tld")
    assert (found.begun, set(found.failed)) == ({"a.tld"}, {"a.tld"})


def test_another_certbot_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    program = Certbot(tmp_path, BUSY, BUSY, "")
    assert program.order("a.tld").issued == {"a.tld"}
    assert (len(program.calls), len(pauses)) == (3, 2)


@pytest.mark.parametrize("said", [NONCE, LATER_NONCE])
def test_where_certbot_stumbled_it_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    program = Certbot(tmp_path, said, BUSY, said, "")
    found = program.order("a.tld")
    assert (found.issued, found.failed, len(program.calls)) == ({"a.tld"}, {}, 4)
    stuck = Certbot(tmp_path, said, said, said, "")
    found = stuck.order("a.tld", "b.tld")
    assert (found.failed["a.tld"].words, found.failed["a.tld"].alone) == (" ".join(said.split()), True)
    assert (found.issued, len(stuck.calls)) == ({"b.tld"}, 4)


@pytest.mark.parametrize("said", [REFUSED, LIMITED, DOWN, SILENT])
def test_what_the_authority_has_said_is_not_asked_for_again(tmp_path: Path, said: str) -> None:
    program = Certbot(tmp_path, said)
    assert set(program.order("a.tld").failed) == {"a.tld"}
    assert len(program.calls) == 1


def log(tmp_path: Path, arguments: t.Sequence[str], *answers: str) -> str:
    """certbot's log of a call, as it writes it; what certbot says of it."""
    stamp, file = "2026-11-28 13:24:16,955:DEBUG", tmp_path / "letsencrypt.log"
    text = f"{stamp}:certbot._internal.main:Arguments: {list(arguments)!r}\n"
    for answer in answers:
        text += f"{stamp}:acme.client:Received response:\n{answer}\n{stamp}:acme.client:Storing nonce: x\n"
    file.write_text(text)
    return f"Saving debug log to {file}\n{NONCE}"


def problem(status: int, kind: str, detail: str, *headers: str) -> str:
    body = json.dumps({"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, "status": status}, indent=3)
    return "\n".join([f"HTTP {status}", "Server: x", *headers, "", body, ""])


@pytest.mark.parametrize(
    ("answer", "words", "wait", "alone"),
    [
        (problem(429, "rateLimited", "too many", "Retry-After: 7200"), ":rateLimited: too many", 7200, False),
        (problem(429, "rateLimited", "too many"), ":rateLimited: too many", 3600, False),
        (problem(503, "rateLimited", "busy", "retry-after: 120"), ":rateLimited: busy", 120, False),
        (problem(500, "serverInternal", "out of order"), ":serverInternal: out of order", None, False),
        ("HTTP 503\nServer: x\n\n<html>busy</html>\n", "the authority answers with HTTP status 503", None, False),
        (problem(400, "rejectedIdentifier", "no such name"), ":rejectedIdentifier: no such name", 3600, True),
        (
            problem(400, "accountDoesNotExist", "Account x not found."),
            ":accountDoesNotExist: Account x not found.; delete accounts/acme.tld/dir in certbot's directory",
            None,
            False,
        ),
    ],
)
def test_what_the_authority_said_is_read_in_the_log_where_certbot_does_not_tell(
    tmp_path: Path, answer: str, words: str, wait: float | None, alone: bool
) -> None:
    arguments = ["--cert-name", "autoconfig.a.tld"]
    said = log(tmp_path, arguments, "HTTP 200\nServer: x\n\n{}", answer)
    calls = []

    def call(command: t.Sequence[str], _environment: t.Mapping[str, str], _seconds: float) -> Result:
        calls.append(command)
        return Result(1, "", said)

    failure = certbot.order(["certbot", "certonly", *arguments], OPTIONS, time.monotonic() + 60, call)
    assert failure
    assert len(calls) == 1
    assert failure.words.endswith(words)
    assert failure.alone is alone
    assert (round(failure.until - failure.at) if failure.until else None) == wait


def test_the_log_of_another_call_says_nothing_of_this_one(tmp_path: Path) -> None:
    said = log(tmp_path, ["--cert-name", "shop.tld"], problem(500, "serverInternal", "out of order"))
    assert certbot_log.last_answer(said, ["--cert-name", "a.tld"], 0) == certbot_log.Answer()
    assert certbot_log.last_answer(said, ["--cert-name", "shop.tld"], 0).status == 500
    assert certbot_log.last_answer("no log", [], 0) == certbot_log.Answer()


@pytest.mark.parametrize(
    ("headers", "detail", "again"),
    [
        ("Retry-After: 60\nServer: x", "", 1060),
        ("Retry-After: Thu, 01 Jan 1970 00:30:00 GMT", "", 1800),
        ("", "too many, retry after 1970-01-01 00:40:00 UTC: see", 2400),
        ("Retry-After: 60", "retry after 1970-01-01T00:40:00Z", 2400),
        ("Retry-After: soon", "retry after 2026-99-99 00:00:00", 0),
        ("Retry-After: 99999999999", "", 1000 + 7 * 86400),
    ],
)
def test_when_an_authority_wants_to_be_asked_again(headers: str, detail: str, again: float) -> None:
    assert certbot_log.read(429, headers, json.dumps({"detail": detail}), 1000).again == again


def test_failures_are_kept_as_long_as_they_count_and_forgotten_with_a_success(tmp_path: Path) -> None:
    state, now = str(tmp_path), time.time()
    limited = Failure(now - 4000, "d", "w", now + 4000, alone=False)
    old, new = Failure(now - 4000, "d", "w"), Failure(now - 10, "d", "w", alone=False)
    certbot.remember(state, "old.tld", old)
    certbot.remember(state, "limited.tld", limited)
    certbot.remember(state, "new.tld", new)
    assert certbot.failures(state) == {"new.tld": new, "limited.tld": limited}
    certbot.remember(state, "limited.tld", None)
    assert os.stat(tmp_path / certbot.FAILURES).st_mode & 0o022 == 0
    certbot.remember(state, "new.tld", None)
    assert list(tmp_path.iterdir()) == []
    certbot.remember(state, "new.tld", new)
    certbot.forget(state, ["other.tld"])
    assert certbot.failures(state) == {"new.tld": new}
    certbot.forget(state, ["new.tld"])
    assert list(tmp_path.iterdir()) == []
    certbot.forget(state, ["new.tld"])


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a.tld": 1}', '{"a.tld": {"at": 1}}', '{"a.tld": {"other": 1}}'])
def test_notes_that_cannot_be_read_are_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / certbot.FAILURES).write_text(text)
    assert certbot.failures(str(tmp_path)) == {}


def test_a_command_names_everything_and_leaves_other_lineages_alone() -> None:
    lineage = Lineage("autoconfig.a.tld", ("autoconfig.a.tld", "autodiscover.a.tld"))
    usual = certbot.command(Store("/etc/letsencrypt", reload="true"), lineage, "/var/www/x", OPTIONS, keeps_key=False)
    text = shlex.join(usual)
    assert text.startswith(
        "certbot certonly --non-interactive --agree-tos --email admin@a.tld --server https://acme.tld/dir --config-dir "
        "/etc/letsencrypt --webroot --webroot-path /var/www/x --cert-name autoconfig.a.tld --keep-until-expiring --deploy-hook "
    )
    assert text.endswith(" --domain autoconfig.a.tld --domain autodiscover.a.tld")
    assert not {"--reuse-key", "--work-dir"} & set(usual)
    other = certbot.command(Store("/srv/le", reload="true"), lineage, "/var/www/x", OPTIONS, keeps_key=True)
    assert {"--reuse-key", "/srv/le/work", "/srv/le/logs"} <= set(other)
    assert "--preferred-profile" not in other
    profiled = dataclasses.replace(OPTIONS, profile="tlsserver")
    command = certbot.command(Store("/etc/letsencrypt", reload="true"), lineage, "/var/www/x", profiled, keeps_key=False)
    assert command[command.index("--preferred-profile") + 1] == "tlsserver"
    assert certbot.environment(OPTIONS)["REQUESTS_CA_BUNDLE"] == "/ca.pem"
    assert "REQUESTS_CA_BUNDLE" not in certbot.environment(AcmeOptions())


def test_the_hook_reloads_but_not_while_a_run_orders(tmp_path: Path) -> None:
    def run(hook: str, environment: t.Mapping[str, str]) -> int:
        return subprocess.run(["sh", "-c", hook], check=False, env={**os.environ, **environment}).returncode

    mark = tmp_path / "it's reloaded"
    hook = certbot.hook(f"touch {shlex.quote(str(mark))}")
    assert (run(hook, certbot.environment(OPTIONS)), mark.exists()) == (0, False)
    assert (run(hook, {}), mark.exists()) == (0, True)
    assert run(certbot.hook("false"), {}) == 1


def test_what_is_mounted_below_its_directory_is_written_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has to have room before anything is ordered."""
    monkeypatch.setattr(os.path, "ismount", lambda path: path in ("/acme/archive", "/acme/other"))
    assert certbot.places("/acme") == ["/acme", "/acme/archive", "/acme/work", "/acme/logs"]
    monkeypatch.setattr(os.path, "ismount", lambda path: True)
    below = ["/etc/letsencrypt/accounts", "/etc/letsencrypt/archive", "/etc/letsencrypt/live", "/etc/letsencrypt/renewal"]
    assert certbot.places("/etc/letsencrypt") == ["/etc/letsencrypt", *below, "/var/lib/letsencrypt", "/var/log/letsencrypt"]
