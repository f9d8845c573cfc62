"""Which certificate serves which host name, and why."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import certificates as tls
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import (
    Certificate,
    Certificates,
    Choice,
    Origin,
    PairFacts,
    Search,
)

HOSTS = ("autoconfig.server.tld", "autodiscover.server.tld")
OTHERS = ("autoconfig.other.tld", "autodiscover.other.tld")
DAY = 86400.0


def pair(name: str) -> Certificate:
    return Certificate(f"/tls/{name}.pem", f"/tls/{name}.key")


def facts(*names: str, origin: Origin = Origin.CERTBOT, **changes: t.Any) -> PairFacts:
    return dataclasses.replace(PairFacts(names=names, origin=origin, begins=0, ends=90 * DAY), **changes)


def chosen(
    found: dict[str, PairFacts],
    *names: str,
    everywhere: bool = True,
    used: t.Iterable[str] = (),
    file: str = "/tls/{domain}.pem",
    key: str = "/tls/{domain}.key",
    moment: float = 0,
) -> dict[str, Choice]:
    """What serves the hosts, of server.tld and behind it of other.tld."""
    known = {pair(name): item for name, item in found.items()}
    hosts = [(name, name.partition(".")[2]) for name in names or HOSTS]
    return Certificates(file, key, known, frozenset(map(pair, used)), moment).choose(hosts, everywhere)


def files(choices: dict[str, Choice]) -> list[str]:
    """The names of the chosen ones, in the order of the hosts."""
    return [choice.pair.file[len("/tls/") : -len(".pem")] if choice.pair else "" for choice in choices.values()]


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
    assert Search(hosts=frozenset({host})).wants([name]) is expected
    assert bool(chosen({"x": facts(name)}, host)[host].pair) is expected


def test_the_place_of_a_certificate_follows_from_the_domain() -> None:
    assert Certificates("/tls/{domain}.pem", "/tls/{domain}.key", {}).at("server.tld") == pair("server.tld")
    fixed = Certificates("/tls/all.pem", "/tls/all.key", {})
    assert fixed.at("server.tld") == fixed.at("other.tld") == pair("all")
    assert fixed.of("absent.tld").missing == ("/tls/all.pem",)


# -- as the pattern says ------------------------------------------------------------------------------------------------


def test_that_of_the_domain_comes_before_that_of_the_first_domain_and_both_before_all_others() -> None:
    found = {"server.tld": facts(*HOSTS, *OTHERS), "other.tld": facts(OTHERS[0]), "best": facts(*HOSTS, *OTHERS, ends=900 * DAY)}
    assert files(chosen(found, *HOSTS, *OTHERS)) == ["server.tld", "server.tld", "other.tld", "server.tld"]


def test_only_what_is_given_counts_where_nothing_else_may() -> None:
    found = {"best": facts(*HOSTS), "other.tld": facts(*HOSTS), "server.tld": facts(HOSTS[0])}
    assert files(chosen(found, everywhere=False)) == ["server.tld", ""]
    assert files(chosen(found)) == ["server.tld", "best"]


def test_of_those_that_a_star_stands_for_the_names_decide() -> None:
    found = {"x": facts(*HOSTS, origin=Origin.GIVEN), "y": facts(*OTHERS, origin=Origin.GIVEN), "certbot": facts(*HOSTS, *OTHERS)}
    star = {"file": "/tls/*.pem", "key": "/tls/*.key"}
    for everywhere in (True, False):
        assert files(chosen(found, *HOSTS, *OTHERS, everywhere=everywhere, **star)) == ["x", "x", "y", "y"]
    assert files(chosen({"certbot": facts(*HOSTS)}, everywhere=False, **star)) == ["", ""]


@pytest.mark.parametrize("changes", [{"missing": ("/x",)}, {"problem": "x"}, {"problem": "x", "is_input": False}])
def test_a_certificate_that_is_missing_or_cannot_serve_serves_no_host(changes: dict[str, t.Any]) -> None:
    for name in ("server.tld", "elsewhere"):
        assert files(chosen({name: facts(*HOSTS, **changes)})) == ["", ""]


# -- the best of all ----------------------------------------------------------------------------------------------------

BETTER: dict[str, tuple[PairFacts, PairFacts]] = {
    "our own before one of a site of others": (facts(*HOSTS), facts(*HOSTS, ends=900 * DAY, origin=Origin.NEIGHBOUR)),
    "one for the whole domain before one for a host": (facts("*.server.tld"), facts(HOSTS[0], ends=900 * DAY)),
    "the name itself before a wildcard": (facts(*HOSTS), facts("*.server.tld", ends=900 * DAY)),
    "one for all domains of the provider": (facts(*HOSTS, *OTHERS), facts(*HOSTS, ends=900 * DAY)),
    "the one that lasts longer": (facts(*HOSTS, ends=91 * DAY), facts(*HOSTS)),
}


@pytest.mark.parametrize(("better", "worse"), BETTER.values(), ids=BETTER.keys())
def test_the_better_one_is_chosen_in_whatever_order_they_are_found(better: PairFacts, worse: PairFacts) -> None:
    for found in ({"a": better, "b": worse}, {"b": better, "a": worse}):
        (name,) = (name for name, item in found.items() if item is better)
        assert files(chosen(found, *HOSTS, *OTHERS))[:2] == [name, name]


def test_the_one_in_use_stays_when_another_is_renewed() -> None:
    found = {"a": facts(*HOSTS), "b": facts(*HOSTS, ends=180 * DAY)}
    assert files(chosen(found)) == ["b", "b"]
    assert files(chosen(found, used=["a"])) == ["a", "a"]
    assert files(chosen({**found, "b": facts(*HOSTS, *OTHERS)}, *HOSTS, *OTHERS, used=["a"])) == ["b"] * 4


def test_of_equals_the_path_decides_so_that_every_run_decides_alike() -> None:
    assert files(chosen({"b": facts(*HOSTS), "a": facts(*HOSTS)})) == ["a", "a"]


# Of 90 days, so many before the end.
ENDING, RENEWED = {"ends": 90 * DAY}, {"begins": 60 * DAY, "ends": 150 * DAY}
LATE = 61 * DAY


@pytest.mark.parametrize(
    "fresh",
    [
        facts(*HOSTS, **RENEWED),
        facts("*.server.tld", **RENEWED),
        facts(*HOSTS, origin=Origin.NEIGHBOUR, **RENEWED),
        facts(*HOSTS, begins=55 * DAY, ends=85 * DAY),
    ],
)
@pytest.mark.parametrize("name", ["server.tld", "dying"])
def test_one_that_nobody_renews_gives_way_to_any_that_lasts_whatever_is_in_use_or_named(fresh: PairFacts, name: str) -> None:
    found = {name: facts(*HOSTS, *OTHERS, **ENDING), "fresh": fresh}
    assert files(chosen(found, used=[name], moment=LATE)) == ["fresh", "fresh"]
    assert files(chosen(found, used=[name], moment=59 * DAY)) == [name, name]


def test_that_of_the_first_domain_takes_the_place_of_one_that_is_ending() -> None:
    found = {"other.tld": facts(*OTHERS), "server.tld": facts(*HOSTS, *OTHERS, **RENEWED), "x": facts(*OTHERS, **RENEWED)}
    assert files(chosen(found, *HOSTS, *OTHERS, moment=LATE)) == ["server.tld"] * 4


def test_of_those_that_are_all_ending_it_is_chosen_as_ever_so_that_nothing_flips() -> None:
    ending = {"server.tld": facts(*HOSTS), "b": facts(*HOSTS, ends=91 * DAY)}
    assert files(chosen(ending, moment=62 * DAY)) == ["server.tld", "server.tld"]
    ending = {"a": facts(*HOSTS), "b": facts(*HOSTS, ends=91 * DAY)}
    assert files(chosen(ending, used=["a"], moment=62 * DAY)) == ["a", "a"]
    fresh = {
        "server.tld": facts(*HOSTS, **ENDING),
        "a": facts(*HOSTS, **RENEWED),
        "b": facts(*HOSTS, begins=61 * DAY, ends=151 * DAY),
    }
    assert files(chosen(fresh, moment=LATE)) == ["b", "b"]
    assert files(chosen(fresh, used=["a"], moment=LATE)) == ["a", "a"]


def test_a_literal_path_that_is_given_and_what_a_provider_brings_stay_to_their_end() -> None:
    found = {"other.tld": facts(*OTHERS), "server.tld": facts(*OTHERS, **RENEWED), "x": facts(*OTHERS, **RENEWED)}
    assert files(chosen(found, HOSTS[0], *OTHERS, everywhere=False, moment=LATE)) == ["", "other.tld", "other.tld"]
    known = {pair("brought"): facts(*HOSTS, origin=Origin.CONTENT), pair("x"): facts(*HOSTS, **RENEWED)}
    hosts = [(name, "server.tld") for name in HOSTS]
    brought = Certificates("/tls/{domain}.pem", "/tls/{domain}.key", known, moment=LATE).choose(hosts, True, pair("brought"))
    assert files(brought) == ["brought", "brought"]
    star = {"file": "/tls/*.pem", "key": "/tls/*.key"}
    given = {"a": facts(*HOSTS, origin=Origin.GIVEN), "b": facts(*HOSTS, origin=Origin.GIVEN, **RENEWED)}
    assert files(chosen(given, everywhere=False, used=["a"], moment=LATE, **star)) == ["b", "b"]


def test_the_pairs_that_would_do_too_are_told() -> None:
    found = {"server.tld": facts(*HOSTS), "other.tld": facts(HOSTS[0]), "x": facts(HOSTS[0])}
    assert chosen(found)[HOSTS[0]].others == (pair("other.tld"), pair("x"))
    assert chosen(found)[HOSTS[1]].others == ()
    given = chosen({"other.tld": facts(*OTHERS), "server.tld": facts(*OTHERS)}, HOSTS[0], *OTHERS, everywhere=False)
    assert given[OTHERS[0]].others == (pair("server.tld"),)


# -- words --------------------------------------------------------------------------------------------------------------


def test_it_is_said_where_a_certificate_is_from_and_how_many_others_there_are() -> None:
    found = {
        "server.tld": facts(HOSTS[0]),
        "a": facts("*.server.tld", origin=Origin.MOD_MD),
        "b": facts(HOSTS[1], origin=Origin.NEIGHBOUR),
    }
    assert [choice.reason for choice in chosen(found).values()] == ["certbot", "mod_md, by a wildcard; 1 more would do"]


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin.GIVEN, "certificate_file"),
        (Origin.CONTENT, "certificate_content"),
        (Origin.DEHYDRATED, "dehydrated"),
        (Origin.NEIGHBOUR, "site of others"),
        (Origin.USED, "used until now"),
    ],
)
def test_each_place_that_a_certificate_is_from_has_its_words(origin: Origin, words: str) -> None:
    assert chosen({"server.tld": facts(HOSTS[0], origin=origin)}, HOSTS[0])[HOSTS[0]].reason == words


def test_it_is_said_why_a_host_has_none() -> None:
    found = {"old": facts(HOSTS[0], problem="it has expired", is_input=False)}
    assert [choice.reason for choice in chosen(found).values()] == [
        "/tls/old.pem names it, but it has expired",
        "no certificate on this host names it",
    ]
    assert chosen({}, everywhere=False)[HOSTS[0]].reason == "no certificate at /tls/server.tld.pem names it"


# -- time ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "left", "is_ending"),
    [(90, 31, False), (90, 29, True), (6, 2.1, False), (6, 1.9, True), (3650, 31, False), (3650, 29, True), (90, -1, True)],
)
def test_a_third_of_its_lifetime_and_at_most_a_month_before_its_end_it_should_have_been_renewed(
    days: float, left: float, is_ending: bool
) -> None:
    assert facts(begins=0, ends=days * DAY).is_ending((days - left) * DAY) is is_ending


def test_what_is_left_is_told_in_days_and_as_a_share() -> None:
    item = facts(begins=100 * DAY, ends=190 * DAY)
    assert (item.days_left(160.5 * DAY), item.lifetime_left(160.5 * DAY)) == (29, 0.33)
    assert (item.lifetime_left(200 * DAY), item.lifetime_left(0), PairFacts().lifetime_left(0)) == (0.0, 1.0, 0.0)
    assert not PairFacts().is_ending(DAY)


def test_one_that_may_lack_its_chain_comes_behind_those_that_do_not() -> None:
    found = {"doubtful": facts(*HOSTS, doubt="its issuer is unknown", ends=100 * DAY), "sound": facts("*.server.tld")}
    assert files(chosen(found)) == ["sound", "sound"]
    assert files(chosen({"doubtful": found["doubtful"]})) == ["doubtful", "doubtful"]
