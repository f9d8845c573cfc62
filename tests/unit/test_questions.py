"""What is asked around a change, which answers are right, and which differences count."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.dump import VirtualHost
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.questions import (
    UNKNOWN_HOST,
    Answer,
    Expectation,
    Question,
    has_worked,
    of_neighbours,
)

QUESTION = Question("https", "autoconfig.server.tld", 443, "/mail/config-v1.1.xml")
ANSWER = Answer(200, "", "text/xml", b"<x/>", "aa")


# -- in words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (QUESTION, "GET https://autoconfig.server.tld/mail/config-v1.1.xml"),
        (Question("http", "a.tld", 8080, method="POST"), "POST http://a.tld:8080/"),
        (Question("https", "a.tld", 8443), "GET https://a.tld:8443/"),
        (Question("https", "a.tld", 80), "GET https://a.tld:80/"),
        (Question("any", "a.tld", 443, ip="192.0.2.7"), "GET http://a.tld:443/ at 192.0.2.7"),
    ],
)
def test_a_question_is_said_as_people_ask_it(question: Question, words: str) -> None:
    assert str(question) == words


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ANSWER, "200"),
        (Answer(302, "https://a.tld/"), "302 to https://a.tld/"),
        (Answer(failure="TLS: no peer certificate"), "no answer (TLS: no peer certificate)"),
    ],
)
def test_an_answer_is_said_in_short(answer: Answer, words: str) -> None:
    assert str(answer) == words


# -- expectations -------------------------------------------------------------------------------------------------------

EXACT = Expectation(QUESTION, 200, b"<x/>", certificate="aa")


def test_the_right_answer_is_right() -> None:
    assert EXACT.met_by(ANSWER)
    # What is not asked for may be anything.
    assert Expectation(QUESTION, 200).met_by(ANSWER)
    assert Expectation(QUESTION, 200, beginning=b"<x").met_by(ANSWER)
    assert Expectation(QUESTION, 302, location="https://a/").met_by(Answer(302, "https://a/"))


WRONG: dict[str, tuple[Expectation, Answer, str]] = {
    "no answer": (EXACT, Answer(failure="refused"), "no answer (refused), expected 200"),
    "another status": (EXACT, dataclasses.replace(ANSWER, status=404), "404, expected 200"),
    "other bytes": (EXACT, dataclasses.replace(ANSWER, body=b"<x/>\n"), "200 with other contents, expected 200"),
    "another certificate": (EXACT, dataclasses.replace(ANSWER, certificate="bb"), "200 with another certificate, expected 200"),
    "no TLS": (EXACT, dataclasses.replace(ANSWER, certificate=""), "200 with another certificate, expected 200"),
    "another beginning": (Expectation(QUESTION, 200, beginning=b"\x30"), ANSWER, "200 with other contents, expected 200"),
    "sent elsewhere": (EXACT, Answer(302, "https://b/"), "302 to https://b/, expected 200"),
    "another target": (
        Expectation(QUESTION, 302, location="https://a/"),
        Answer(302, "https://b/"),
        "302 to https://b/, expected 302 to https://a/",
    ),
    "no target": (Expectation(QUESTION, 302, location="https://a/"), Answer(302), "302, expected 302 to https://a/"),
    "a target that nobody wants": (EXACT, dataclasses.replace(ANSWER, location="/x"), "200 to /x, expected 200"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_told_with_what_was_asked_and_expected(name: str) -> None:
    expectation, answer, words = WRONG[name]
    assert not expectation.met_by(answer)
    assert expectation.complaint(answer) == f"{QUESTION}: {words}"


# -- the sites of others ------------------------------------------------------------------------------------------------


def host(file: str, name: str = "www.example", address: str = "*:80", default: bool = False, **changes: t.Any) -> VirtualHost:
    return VirtualHost(address, (name,), (), file, 1, default, **changes)


def asked(*hosts: VirtualHost) -> list[str]:
    return [f"{question.scheme}://{question.host}:{question.port} {question.ip}" for question in of_neighbours(hosts, {80, 8080})]


def test_each_site_is_asked_by_its_first_name_at_its_address() -> None:
    hosts = (host("a", "a.tld"), host("b", "b.tld", "192.0.2.7:8080"), host("c", "c.tld", "[2001:db8::7]:443"))
    assert asked(*hosts) == ["http://a.tld:80 *", "http://b.tld:8080 192.0.2.7", "any://c.tld:443 [2001:db8::7]"]
    assert {(found.path, found.method, found.body) for found in of_neighbours(hosts, {80})} == {("/", "GET", b"")}


def test_a_default_is_asked_for_a_name_that_nobody_has_too() -> None:
    assert asked(host("a", "a.tld", default=True)) == ["http://a.tld:80 *", f"http://{UNKNOWN_HOST}:80 *"]


def test_a_site_that_has_only_patterns_is_asked_for_a_name_that_nobody_has() -> None:
    assert asked(VirtualHost("*:80", ("*.tld", "?.tld"), (), "a", 1)) == [f"http://{UNKNOWN_HOST}:80 *"]
    assert asked(VirtualHost("*:80", ("*.tld", "a.tld"), (), "a", 1)) == ["http://a.tld:80 *"]


def test_a_site_on_every_port_cannot_be_asked() -> None:
    assert asked(host("a", address="*:*")) == []


def test_no_question_is_asked_twice() -> None:
    assert asked(host("a"), host("b"), host("b")) == ["http://www.example:80 *"]


def test_of_very_many_sites_one_of_each_file_is_asked_first() -> None:
    many = [host("many", f"h{number}.tld") for number in range(180)]
    found = asked(*many, host("other", "other.tld"), host("last", "last.tld", default=True))
    assert len(found) == 60
    assert found[:4] == ["http://h0.tld:80 *", "http://other.tld:80 *", "http://last.tld:80 *", f"http://{UNKNOWN_HOST}:80 *"]


# -- as before ----------------------------------------------------------------------------------------------------------

SAME = {
    "the very same": (ANSWER, ANSWER),
    "a page that is made anew": (ANSWER, dataclasses.replace(ANSWER, body=b"other")),
    "a redirect with a token": (Answer(302, "https://a/?state=1"), Answer(302, "https://a/?state=2#x")),
    "two failures": (Answer(failure="refused"), Answer(failure="timed out")),
}
DIFFERENT = {
    "gone": (ANSWER, dataclasses.replace(ANSWER, status=404)),
    "dead": (ANSWER, Answer(failure="refused")),
    "another host": (Answer(301, "https://a/"), Answer(301, "https://b/")),
    "another scheme": (Answer(301, "http://a/"), Answer(301, "https://a/")),
    "another path": (Answer(301, "/a"), Answer(301, "/b")),
    "another type": (ANSWER, dataclasses.replace(ANSWER, media_type="text/html")),
    "another certificate": (ANSWER, dataclasses.replace(ANSWER, certificate="bb")),
}


def test_where_nothing_came_nothing_is_known_of_the_site() -> None:
    nothing = Answer(failure="refused")
    assert (nothing.shape, nothing.body) == ((0, ("", "", ""), "", ""), b"")


@pytest.mark.parametrize("name", SAME)
def test_this_is_the_same_answer(name: str) -> None:
    before, after = SAME[name]
    assert before.shape == after.shape


@pytest.mark.parametrize("name", DIFFERENT)
def test_this_is_another_answer(name: str) -> None:
    before, after = DIFFERENT[name]
    assert before.shape != after.shape


@pytest.mark.parametrize(("status", "worked"), [(0, False), (200, True), (302, True), (401, True), (404, True), (500, False)])
def test_what_failed_before_says_nothing_of_the_site(status: int, worked: bool) -> None:
    assert has_worked(Answer(status)) is worked
