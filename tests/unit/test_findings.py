"""Findings: added up in their order, each said once."""

from __future__ import annotations

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.findings import (
    Findings,
    of_each,
    total,
)


def test_of_two_nothing_is_lost_and_the_order_stays() -> None:
    assert Findings(("p",), ("w",)) + Findings(("q",), ("v",)) == Findings(("p", "q"), ("w", "v"))
    assert Findings() + Findings() == Findings()


def test_each_line_begins_with_its_subject() -> None:
    found = {"a.tld": Findings(("p", "q"), ("w",)), "b.tld": Findings((), ("v",))}
    assert of_each(found) == Findings(("a.tld: p", "a.tld: q"), ("a.tld: w", "b.tld: v"))


def test_what_many_subjects_have_in_common_is_one_line_that_names_some() -> None:
    found = {f"d{number}.tld": Findings(warnings=("w", "w", f"v{number}")) for number in range(1000)}
    lines = of_each(found).warnings
    assert lines[:2] == ("d0.tld, d1.tld, d2.tld, d3.tld, d4.tld, d5.tld and 994 more: w", "d0.tld: v0")
    assert len(lines) == 1001


def test_what_several_rules_say_is_said_once() -> None:
    found = (Findings(("p", "p"), ("w",)), Findings(("q", "p"), ("w", "v")))
    assert total(iter(found)) == Findings(("p", "q"), ("w", "v"))


def test_a_line_may_be_a_problem_and_a_warning() -> None:
    assert total([Findings(("x",)), Findings(warnings=("x",))]) == Findings(("x",), ("x",))
