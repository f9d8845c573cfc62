"""Challenges for names that are no sites of ours are led to one that is."""

from __future__ import annotations

import re

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import challenges
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.directives import Directive, Section


def conditions(names: list[str], port: int = 80) -> list[tuple[re.Pattern[str], str]]:
    """Which hosts are asked for, and where that leads."""
    (location,) = challenges.snippet(names, "autoconfig.a.tld", port)
    assert isinstance(location, Section)
    found = []
    for item in location.children:
        assert isinstance(item, Section)
        (words,) = [child.words for child in item.children if isinstance(child, Directive) and child.name == "Redirect"]
        expression = item.words[0].partition("m#")[2].rpartition("#")[0]
        found.append((re.compile(expression, re.IGNORECASE), words[1]))
    return found


def test_only_the_names_themselves_are_led_away() -> None:
    ((host, target),) = conditions(["mail.a.tld", "mail.b.tld", "smtp.a.tld"])
    assert target == "http://autoconfig.a.tld%{REQUEST_URI}"
    for name in ("mail.a.tld", "MAIL.B.tld", "smtp.a.tld."):
        assert host.search(name)
    for name in ("a.tld", "smtp.b.tld", "mailxa.tld", "x.mail.a.tld", "mail.a.tld.evil.tld", "mail.a.tld:8080"):
        assert not host.search(name), name


def test_another_port_stands_only_where_it_was_asked_for() -> None:
    """Authorities ask port 80, and a router in front may lead it elsewhere."""
    (plain, target), (with_port, other) = conditions(["mail.a.tld"], 8080)
    assert (target, other) == ("http://autoconfig.a.tld%{REQUEST_URI}", "http://autoconfig.a.tld:8080%{REQUEST_URI}")
    assert (bool(plain.search("mail.a.tld")), bool(plain.search("mail.a.tld:8080"))) == (True, False)
    assert (bool(with_port.search("mail.a.tld")), bool(with_port.search("mail.a.tld:8080"))) == (False, True)


def test_very_many_names_fit_into_expressions_that_can_be_read() -> None:
    names = [f"mail.customer-with-a-long-name-{number}.tld" for number in range(2000)]
    found = conditions(names)
    assert len(found) > 1
    assert all(any(host.search(name) for host, _target in found) for name in names)
