"""mod_md's store as it was seen to be, and waiting for what it orders."""

from __future__ import annotations

import json
import os
import socket
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import PairFacts
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import managed
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.orders import Addresses, Entry

NAME = "autoconfig.server.tld"
NAMES = (NAME, "autodiscover.server.tld")
WHEN = "Sat, 28 Nov 2026 09:25:32 GMT"
SECONDS = 1795857932.0
UNREACHABLE = {
    "name": NAME,
    "finished": False,
    "next-run": WHEN,
    "last-run": "Sat, 28 Nov 2026 09:24:53 GMT",
    "errors": 1,
    "last": {
        "status": 111,
        "status-description": "Connection refused",
        "detail": "Unsuccessful in contacting ACME server at <https://localhost:1/dir>.",
        "activity": f"Contacting ACME server for {NAME} at https://localhost:1/dir",
    },
    "log": {"entries": [{"when": WHEN, "type": "message-errored"}]},
}
INVALID = {
    "errors": 1,
    "last-run": WHEN,
    "last": {
        "status": 22,
        "problem": "urn:ietf:params:acme:error:unauthorized",
        "detail": "Error waiting on domain names to be validated",
        "activity": f"Monitoring challenge status for {NAME}",
    },
    "log": {
        "entries": [
            {"when": WHEN, "type": "message-errored"},
            {
                "when": WHEN,
                "type": "progress",
                "detail": f"Monitoring challenge status for {NAME}: domain authorization for {NAME} failed, CA considers "
                "answer to challenge invalid.",
            },
        ]
    },
}


def write(path: Path, value: t.Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that knows one domain."""
    write(tmp_path / "domains" / NAME / "md.json", {"name": NAME, "domains": list(NAMES)})
    return tmp_path


def entry(store: Path, facts: PairFacts | None = None) -> Entry:
    (found,) = managed.entries(str(store), [NAME, "unknown.tld"], lambda _path: facts or PairFacts()).values()
    return found


def test_a_domain_without_anything_and_one_with_its_certificate(store: Path) -> None:
    assert entry(store) == Entry(names=NAMES)
    asked: list[str] = []

    def read(path: str) -> PairFacts:
        asked.append(path)
        return PairFacts(names=NAMES, begins=1, ends=2)

    assert managed.entries(str(store), [NAME], read) == {NAME: Entry(NAMES, NAMES, 1, 2)}
    assert asked == [f"{store}/domains/{NAME}/pubcert.pem"]


def test_an_order_that_could_not_reach_the_authority(store: Path) -> None:
    write(store / "staging" / NAME / "job.json", UNREACHABLE)
    found = entry(store)
    assert (found.errors, found.tries, found.tried, found.reached, found.staged) == (1, SECONDS, SECONDS - 39, False, False)
    assert found.words == "Unsuccessful in contacting ACME server at <https://localhost:1/dir>: Connection refused"


def test_an_authority_whose_certificate_is_not_valid_here(store: Path) -> None:
    where = "Unsuccessful in contacting ACME server at <https://localhost:1/dir>"
    last = {**UNREACHABLE["last"], "status": 20014, "detail": f"{where}. If this problem persists, please check"}
    write(store / "staging" / NAME / "job.json", {**UNREACHABLE, "last": last})
    assert entry(store).words == (
        f"{where}: it does not answer, or its certificate is not valid here (acme_ca_file, the clock of this host)"
    )


def test_an_order_that_the_authority_refused(store: Path) -> None:
    write(store / "staging" / NAME / "job.json", INVALID)
    found = entry(store)
    assert found.reached
    assert found.words == (
        f"urn:ietf:params:acme:error:unauthorized: domain authorization for {NAME} failed, CA considers answer to challenge "
        "invalid."
    )


def test_a_certificate_is_staged_when_the_job_is_finished(store: Path) -> None:
    write(store / "staging" / NAME / "pubcert.pem", "PEM")
    write(store / "staging" / NAME / "job.json", {"finished": False, "errors": 0})
    assert not entry(store).staged
    write(store / "staging" / NAME / "job.json", {"finished": True, "errors": 0})
    assert entry(store).staged


def test_the_authority_is_the_one_that_the_certificate_is_from_and_not_the_one_that_is_configured(store: Path) -> None:
    def known(where: str, **ca: t.Any) -> None:
        write(store / where / NAME / "md.json", {"name": NAME, "domains": list(NAMES), "ca": {"proto": "ACME", **ca}})

    known("domains", urls=["https://new.tld/dir"])
    assert entry(store).authority == ""
    known("domains", url="https://old.tld/dir", urls=["https://new.tld/dir"])
    known("staging", url="https://new.tld/dir", urls=["https://new.tld/dir"])
    assert entry(store).authority == "https://old.tld/dir"
    write(store / "staging" / NAME / "pubcert.pem", "PEM")
    write(store / "staging" / NAME / "job.json", {"finished": True, "errors": 0})
    assert entry(store).authority == "https://new.tld/dir"
    known("staging", url=7)
    assert entry(store).authority == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"errors": "x", "last": 3, "log": {"entries": 5}, "last-run": 7}'])
def test_a_file_that_is_being_written_or_is_strange_is_passed_over(store: Path, text: str) -> None:
    write(store / "staging" / NAME / "job.json", text)
    assert entry(store) == Entry(names=NAMES)
    write(store / "domains" / NAME / "md.json", text)
    if not text.startswith('{"'):
        assert managed.entries(str(store), [NAME], lambda _path: PairFacts()) == {}


def test_words_are_told_for_errors_of_any_kind_and_are_short(store: Path) -> None:
    write(store / "staging" / NAME / "job.json", {"errors": 3})
    assert entry(store).words == "no reason is told"
    write(store / "staging" / NAME / "job.json", {"errors": 3, "last": {"detail": "x y\n" * 200}})
    assert len(entry(store).words) == 300


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "urn:org:apache:httpd:log:AH10109: MDMessageCmd /x failed with exit code 1."),
        ({"errors": 1}, "urn:org:apache:httpd:log:AH10109: MDMessageCmd /x failed with exit code 1."),
        ({"finished": True}, ""),
        ({"last": {"status": 0, "detail": "Creating new order"}}, ""),
        ({"last": {"status": 11}}, ""),
    ],
)
def test_words_are_told_of_an_order_that_stands_still_without_an_error(
    store: Path, changes: dict[str, t.Any], words: str
) -> None:
    last = {"status": 20014, "problem": "urn:org:apache:httpd:log:AH10109:", "detail": "MDMessageCmd /x failed with exit code 1."}
    stopped = {"finished": False, "errors": 0, "last": last}
    write(store / "staging" / NAME / "job.json", {**stopped, **changes})
    assert entry(store).words == words


def test_when_certificates_came(store: Path) -> None:
    assert managed.issued(str(store)) == ()
    write(store / "domains" / NAME / "pubcert.pem", "PEM")
    assert managed.issued(str(store)) == ((store / "domains" / NAME / "pubcert.pem").stat().st_mtime,)


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({"errors": 0, "reached": False}, False),
        ({"errors": 1, "reached": False, "tried": 990}, False),
        ({"errors": 1, "reached": False, "tried": 939}, True),
        # It tries by itself while the run waits, or only later.
        ({"errors": 1, "reached": False, "tried": 939, "tries": 1299}, False),
        ({"errors": 1, "reached": False, "tried": 939, "tries": 1301}, True),
        ({"errors": 1, "reached": False, "tried": 939, "tries": 999}, True),
        ({"errors": 1, "reached": True, "tried": 939}, False),
        ({"errors": 1, "reached": True, "tried": 99}, True),
        ({"errors": 1, "reached": True, "tried": 99, "again": 1001}, False),
        ({"errors": 1, "reached": True, "tried": 99, "staged": True}, False),
        ({"errors": 0, "words": "urn:org:apache:httpd:log:AH10109: MDMessageCmd /x failed"}, True),
        ({"errors": 0, "words": "it waits"}, False),
    ],
)
def test_a_failed_order_is_begun_anew_unless_that_would_ask_too_often(changes: dict[str, t.Any], due: bool) -> None:
    assert managed.due_again(Entry(**changes), 1000, 1300) is due


@pytest.mark.parametrize(
    ("last", "reached", "again"),
    [
        ({"problem": "urn:ietf:params:acme:error:serverInternal", "detail": "Error creating new order"}, False, 0),
        ({"detail": "unexpected http status: 503"}, False, 0),
        ({"detail": "unexpected http status: 404"}, True, 0),
        ({"problem": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}, True, SECONDS + 3600),
        (
            {"problem": "urn:ietf:params:acme:error:rateLimited", "detail": "too many, retry after 2026-11-28 20:00:00 UTC: see"},
            True,
            SECONDS + 38068,
        ),
    ],
)
def test_trouble_of_an_authority_and_its_limits_are_told_apart(
    store: Path, last: dict[str, t.Any], reached: bool, again: float
) -> None:
    job = {"errors": 1, "last-run": WHEN, "last": {"status": 20014, "activity": "Creating new order", **last}}
    write(store / "staging" / NAME / "job.json", job)
    assert (entry(store).reached, entry(store).again) == (reached, again)


def test_why_an_order_failed_outlives_a_reload() -> None:
    failed = Entry(names=NAMES, errors=2, words="it is down", tries=SECONDS)
    assert managed.kept(Entry(names=NAMES), failed) is failed
    for changes in ({"staged": True}, {"certified": NAMES}, {"errors": 1}, {"words": "it stands still"}):
        now = Entry(**changes)
        assert managed.kept(now, failed) is now
    assert managed.kept(Entry(), Entry(names=NAMES)) == Entry()


def test_forgetting_a_failure_leaves_everything_else(store: Path) -> None:
    write(store / "staging" / NAME / "job.json", UNREACHABLE)
    write(store / "staging/other.tld/job.json", UNREACHABLE)
    managed.forget_failure(str(store), NAME)
    managed.forget_failure(str(store), "unknown.tld")
    assert sorted(str(path.relative_to(store)) for path in store.rglob("*.json")) == [
        f"domains/{NAME}/md.json",
        "staging/other.tld/job.json",
    ]


# -- waiting ------------------------------------------------------------------------------------------------------------


class Looks:
    """What the store has at each look, the last one for ever."""

    def __init__(self, *looks: dict[str, Entry]) -> None:
        self.left = list(looks)
        self.said: list[str] = []

    def __call__(self) -> dict[str, Entry]:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed, "_PAUSE", 0)


def waited(looks: Looks, *wanted: str, seconds: float = 60) -> t.Mapping[str, Entry]:
    return managed.wait(looks, {name: (name,) for name in wanted}, seconds, looks.said.append)


def test_it_waits_until_all_are_there_and_says_how_far_it_is() -> None:
    ready, under_way = Entry(staged=True), Entry()
    looks = Looks({}, {"a": under_way, "b": under_way}, {"a": ready, "b": under_way}, {"a": ready, "b": Entry(certified=("b",))})
    assert waited(looks, "a", "b")["b"].certified == ("b",)
    assert looks.said == ["0 of 2 certificates are there", "1 of 2 certificates are there", "2 of 2 certificates are there"]


def test_it_waits_for_a_second_attempt_and_not_longer() -> None:
    looks = Looks({"a": Entry(errors=1)}, {"a": Entry(errors=1)}, {"a": Entry(errors=2)}, {"a": Entry(staged=True)})
    assert waited(looks, "a")["a"].errors == 2


def test_it_does_not_wait_for_an_attempt_that_comes_too_late() -> None:
    looks = Looks({"a": Entry(errors=1, tries=time.time() + 90)}, {"a": Entry(staged=True)})
    assert waited(looks, "a", seconds=60)["a"].errors == 1


def test_it_waits_for_an_attempt_that_comes_in_time() -> None:
    looks = Looks({"a": Entry(errors=1, tries=time.time() + 30)}, {"a": Entry(staged=True)})
    assert waited(looks, "a", seconds=60)["a"].staged


def test_a_failure_of_before_is_waited_for_once_more_where_the_authority_was_away() -> None:
    away = Entry(errors=3, reached=False)
    looks = Looks({"a": away}, {"a": away}, {"a": Entry(staged=True)})
    assert waited(looks, "a")["a"].staged
    looks = Looks({"a": away}, {"a": Entry(errors=4, reached=False)}, {"a": Entry(staged=True)})
    assert waited(looks, "a")["a"].errors == 4


@pytest.mark.parametrize("stuck", [Entry(errors=1, again=2**40), Entry(words="urn:org:apache:httpd:log:AH10109: it failed")])
def test_it_does_not_wait_for_what_is_limited_or_stands_still(stuck: Entry) -> None:
    assert waited(Looks({"a": Entry()}, {"a": stuck}, {"a": Entry(staged=True)}), "a")["a"] is stuck


def test_one_that_has_failed_does_not_end_the_waiting_for_others() -> None:
    failed = Entry(errors=5)
    looks = Looks({"a": failed, "b": Entry()}, {"a": failed, "b": Entry(staged=True)})
    assert waited(looks, "a", "b")["b"].staged


def test_it_waits_no_longer_than_it_may() -> None:
    looks = Looks({"a": Entry()}, {"a": Entry(staged=True)})
    assert waited(looks, "a", seconds=0)["a"] == Entry()


# -- DNS ----------------------------------------------------------------------------------------------------------------


def test_addresses_come_from_the_resolver_and_failures_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(name: str, *_arguments: t.Any, **_options: t.Any) -> list[tuple[t.Any, ...]]:
        if name == "there.tld":
            return [(0, 0, 0, "", ("203.0.113.7", 0)), (0, 0, 0, "", ("2001:db8::7", 0, 0, 0)), (0, 0, 0, "", ("203.0.113.7", 0))]
        raise socket.gaierror(socket.EAI_AGAIN if name == "silent.tld" else socket.EAI_NONAME, "no")

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert managed.resolve(["there.tld", "absent.tld", "silent.tld"]) == {
        "there.tld": Addresses(("2001:db8::7", "203.0.113.7")),
        "absent.tld": Addresses(),
        "silent.tld": Addresses(failure="could not be looked up in DNS, which does not answer"),
    }
    assert managed.resolve([]) == {}


def test_the_loopback_is_this_host() -> None:
    assert {"127.0.0.1", "::1"} <= managed.own_addresses()


class Clock:
    """Time that goes on by a second whenever somebody asks for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_what_the_store_never_comes_to_know_is_not_waited_for_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(managed.time, "monotonic", clock)
    assert waited(Looks({}), "a", seconds=10_000) == {}
    assert managed._APPEARS_WITHIN <= clock.now < 10_000
    # While they come one after the other it waits for the rest, and for one whose order is under way in any case.
    ready = {str(number): Entry(staged=True) for number in range(100)}
    coming = [dict(list(ready.items())[:count]) for count in range(100)]
    assert waited(Looks(*coming, ready), *ready, seconds=10_000) == ready
    assert waited(Looks(*[{"a": Entry()}] * 100, {"a": Entry(staged=True)}), "a", seconds=10_000)["a"].staged


def test_what_is_mounted_below_the_store_is_written_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: True)
    below = ["/md/accounts", "/md/archive", "/md/domains", "/md/staging", "/md/tmp"]
    assert managed.places("/md") == ["/md", *below]
    monkeypatch.setattr(os.path, "ismount", lambda path: False)
    assert managed.places("/md") == ["/md"]
