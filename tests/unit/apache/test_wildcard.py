"""The host names of a site with wildcards, told from others by the expressions that are written."""

from __future__ import annotations

import random
import re

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import wildcard
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.directives import Directive

# PCRE's own limits: the nesting of parentheses, and the size of what an expression of its kind compiles to, of which a character
# takes two bytes, and a group with two branches nine.
PCRE_NESTING, PCRE_SIZE = 250, 65_535


def expressions(hosts: list[str]) -> list[str]:
    """The expressions that tell the hosts from others."""
    found = [node for node in wildcard.refuse_others(hosts) if isinstance(node, Directive)]
    assert {(node.name, node.words[0], node.words[2:]) for node in found} == {
        ("SetEnvIfNoCase", "Host", ("MAIL_AUTOCONFIG_HOST",))
    }
    return [node.words[1] for node in found]


def is_answered(hosts: list[str], host: str) -> bool:
    """Whether a request with this ``Host`` is not refused."""
    return any(re.search(expression, host, re.IGNORECASE | re.ASCII) for expression in expressions(hosts))


def hosts_of(*domains: str) -> list[str]:
    return [f"{label}.{domain}" for domain in domains for label in ("autoconfig", "autodiscover")]


def test_a_wildcard_for_each_label_stands_beside_the_first_name() -> None:
    names = wildcard.names(["autoconfig.a.tld", "autodiscover.a.tld", "autoconfig.b.tld", "ua-auto-config.b.tld"])
    assert names == ["autoconfig.a.tld", "autoconfig.*", "autodiscover.*", "ua-auto-config.*"]


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("autoconfig.server.tld", True),
        ("AutoDiscover.Other.TLD.", True),
        ("autoconfig.server.tld:8080", True),
        ("autoconfig.server.tld.:80", True),
        ("autoconfig.server.tld.evil", True),
        ("autoconfig.server.tld.bad", False),
        ("autoconfig.foreign.tld", False),
        ("autoconfig.server-tld", False),
        ("autoconfig.server", False),
        ("autoconfig.server.tl", False),
        ("autoconfig.server.tldx", False),
        ("x.server.tld", False),
        ("server.tld", False),
        ("a.autoconfig.server.tld", False),
        ("autoconfig.a.server.tld", False),
        ("autoconfig.server.tld:x", False),
        ("autoconfig.", False),
        (".server.tld", False),
        ("", False),
    ],
)
def test_the_hosts_are_told_from_others(host: str, answered: bool) -> None:
    assert is_answered(hosts_of("server.tld", "other.tld", "server.tld.evil", "serv.tld", "x"), host) is answered


def test_a_label_counts_for_the_domains_that_have_it() -> None:
    hosts = ["autoconfig.a.tld", "autodiscover.a.tld", "autoconfig.b.tld"]
    assert [is_answered(hosts, host) for host in hosts] == [True] * 3
    assert not is_answered(hosts, "autodiscover.b.tld")


def test_every_one_of_very_many_names_is_told() -> None:
    chosen = random.Random(7)  # noqa: S311
    made = {"".join(chosen.choices("abcx-19.", k=chosen.randint(1, 20))).strip(".") for _number in range(4000)}
    ours, others = sorted(made)[::2], sorted(made)[1::2]
    found = [re.compile(expression) for expression in expressions(hosts_of(*ours))]
    assert len(found) > 1
    assert all(any(one.search(f"autoconfig.{name}") for one in found) for name in ours)
    assert not any(one.search(f"autoconfig.{name}") for one in found for name in others)


@pytest.mark.parametrize(
    "domains",
    [
        [f"d{number}.tld" for number in range(10_000)],
        [f"{chr(97 + number % 26)}{number}.example" for number in range(10_000)],
        [f"{'x' * number}.tld" for number in range(1, 64)],
        [f"{'.'.join('a' * 110)[:number]}b.tld" for number in range(1, 230)],
        [f"{'a' * 60}.{number:060}.tld" for number in range(2000)],
    ],
)
def test_pcre_takes_the_expressions(domains: list[str]) -> None:
    for expression in expressions(hosts_of(*domains)):
        characters = len(re.sub(r"\\(.)|\(\?:|[|)]", r"\1", expression))
        assert 2 * characters + 9 * expression.count("|") + 100 < PCRE_SIZE
        depth = deepest = 0
        for sign in re.findall(r"[()]", expression):
            depth += 1 if sign == "(" else -1
            deepest = max(deepest, depth)
        assert deepest < PCRE_NESTING
