"""After the change: the new settings and the customer's answer, the domain's own site too, and the rest is as it was."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest

OURS = ("/.well-known/autoconfig/mail/config-v1.1.xml", "/autodiscover/autodiscover.xml")


def is_ours(question: str) -> bool:
    """Whether it is a path of ours on the web site of a mail domain."""
    _method, url, *_address = question.split()
    found = re.fullmatch(r"https?://(server\.tld|customer\.example)(/.*)", url)
    return bool(found) and found[2].lower() in OURS


def test_every_site_answers_as_before(changed_answers: dict[str, Any]) -> None:
    assert {question: both for question, both in changed_answers.items() if not is_ours(question)} == {}


def test_the_site_that_leads_to_https_still_does(changed_answers: dict[str, Any]) -> None:
    """No settings in clear: status, and where it leads."""
    plain = [after for question, (_before, after) in changed_answers.items() if " http://server.tld/" in question]
    assert [after for after in plain if after[0] not in (301, 302) or not after[1][1].startswith("https://")] == []


def test_nothing_but_ours_is_new(changed_files: dict[str, Any]) -> None:
    existing = {path for path, (before, _after) in changed_files.items() if before is not None}
    assert existing == set()


@pytest.mark.parametrize("address", ["127.0.0.1", "own", "192.0.2.7"])
@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://autoconfig.server.tld/mail/config-v1.1.xml", "587"),
        ("http://autoconfig.customer.example/mail/config-v1.1.xml", "465"),
    ],
)
def test_the_new_settings_are_served(ask: Callable[[str, str], dict[str, Any]], url: str, port: str, address: str) -> None:
    answer = ask(address, url)
    assert answer.get("status") == 200, answer
    assert ET.fromstring(answer["body"]).findtext("emailProvider/outgoingServer/port") == port


@pytest.mark.parametrize("address", ["127.0.0.1", "own"])
def test_the_domains_own_site_serves_them_too(ask: Callable[[str, str], dict[str, Any]], address: str) -> None:
    answer = ask(address, "https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml")
    assert answer.get("status") == 200, answer
    assert answer["body"] == ask(address, "https://autoconfig.server.tld/mail/config-v1.1.xml")["body"]
