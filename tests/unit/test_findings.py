"""Findings: added up in their order, each said once."""

from __future__ import annotations

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.findings import Findings, total


def test_of_two_nothing_is_lost_and_the_order_stays() -> None:
    assert Findings(("p",), ("w",)) + Findings(("q",), ("v",)) == Findings(("p", "q"), ("w", "v"))
    assert Findings() + Findings() == Findings()


def test_each_line_begins_with_its_subject() -> None:
    assert Findings(("p", "q"), ("w",)).of("server.tld") == Findings(("server.tld: p", "server.tld: q"), ("server.tld: w",))


def test_what_several_rules_say_is_said_once() -> None:
    found = (Findings(("p", "p"), ("w",)), Findings(("q", "p"), ("w", "v")))
    assert total(iter(found)) == Findings(("p", "q"), ("w", "v"))


def test_a_line_may_be_a_problem_and_a_warning() -> None:
    assert total([Findings(("x",)), Findings(warnings=("x",))]) == Findings(("x",), ("x",))
