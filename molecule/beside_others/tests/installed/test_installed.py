"""After the first run: ours answer, and of the others nothing has changed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest


def test_every_site_answers_as_before(changed_answers: dict[str, Any]) -> None:
    assert changed_answers == {}


def test_nothing_but_ours_is_new(changed_files: dict[str, Any]) -> None:
    existing = {path for path, (before, _after) in changed_files.items() if before is not None}
    assert existing == set()


@pytest.mark.parametrize("address", ["127.0.0.1", "own", "192.0.2.7"])
def test_thunderbird_is_answered_at_every_address(ask: Callable[[str, str], dict[str, Any]], address: str) -> None:
    answer = ask(address, "https://autoconfig.server.tld/mail/config-v1.1.xml")
    assert answer.get("status") == 200, answer
    assert ET.fromstring(answer["body"]).findtext("emailProvider/incomingServer/hostname") == "mail.server.tld"
    plain = ask(address, "http://autoconfig.server.tld/mail/config-v1.1.xml")
    location = "https://autoconfig.server.tld/mail/config-v1.1.xml"
    assert (plain.get("status"), plain.get("headers", {}).get("location")) == (302, location), plain


@pytest.mark.parametrize("address", ["127.0.0.1", "own", "192.0.2.7"])
def test_outlook_is_answered_at_every_address(ask: Callable[[str, str], dict[str, Any]], address: str) -> None:
    answer = ask(address, "https://autodiscover.server.tld/autodiscover/autodiscover.xml")
    assert (answer.get("status"), answer.get("headers", {}).get("content-type")) == (200, "text/xml; charset=utf-8"), answer
    plain = ask(address, "http://autodiscover.server.tld/autodiscover/autodiscover.xml")
    location = "https://autodiscover.server.tld/autodiscover/autodiscover.xml"
    assert (plain.get("status"), plain.get("headers", {}).get("location")) == (302, location), plain


@pytest.mark.parametrize("address", ["127.0.0.1", "own", "192.0.2.7"])
@pytest.mark.parametrize("path", ["/", "/mail/"])
def test_nothing_else_is_there(ask: Callable[[str, str], dict[str, Any]], path: str, address: str) -> None:
    assert ask(address, f"https://autoconfig.server.tld{path}").get("status") == 404
