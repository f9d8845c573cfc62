"""The setup page in a real Chromium, as people see it: on a phone and a desktop, dark and light, in three languages."""

from __future__ import annotations

import plistlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import CACHE, need
from tests.rules import Target
from tools.browser import Browser
from tools.containers import container_address
from tools.http_client import Client

from .conftest import AUTHORITY, Scenario

URL = "https://autoconfig.server.tld/"
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
ADDRESS = "jo+tag@server.tld"


@pytest.fixture(scope="module")
def browser(scenario: Scenario) -> Iterator[Browser]:
    assert scenario("setup_page") == ""
    need("chromium")
    with Browser({"autoconfig.server.tld": container_address("mailops-setup-page")}) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def target() -> Target:
    return Target(Client(container_address("mailops-setup-page"), AUTHORITY), "", AUTHORITY)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", sorted(SIZES))
@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_everyone_can_read_it(browser: Browser, language: str, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    with browser.open(URL, width=width, height=height, colour_scheme=scheme, locale=language) as view:
        assert view.page.get_attribute("html", "lang") == language
        view.page.fill("#emailaddress", ADDRESS)
        assert view.violations() == []
        assert not view.overflows()
        assert view.errors == []
        pictures = CACHE / "setup_page"
        pictures.mkdir(exist_ok=True)
        view.screenshot(pictures / f"{language}-{size}-{scheme}.png")


def test_an_address_and_a_button_give_the_profile(browser: Browser, target: Target, tmp_path: Path) -> None:
    with browser.open(URL) as view:
        view.page.fill("#emailaddress", ADDRESS)
        with view.page.expect_download() as download:
            view.page.click("button[formaction='/mail.mobileconfig']")
        file = tmp_path / "profile"
        download.value.save_as(file)
        assert download.value.suggested_filename == "server.tld.mobileconfig"
        mail = plistlib.loads(target.verified(file.read_bytes()))["PayloadContent"][0]
        assert mail["EmailAddress"] == ADDRESS
        assert view.errors == []


@pytest.mark.parametrize("javascript", [True, False])
def test_the_settings_for_an_address_without_it_in_the_url(browser: Browser, javascript: bool) -> None:
    with browser.open(URL, javascript=javascript) as view:
        view.page.fill("#emailaddress", "Jörg.Doe@server.tld")
        view.page.click("button[formmethod=post]")
        view.page.wait_for_load_state()
        assert view.page.url == URL
        shown = view.page.inner_text("#settings")
        for text in ("mail.server.tld", "993", "465", "Jörg.Doe@server.tld"):
            assert text in shown
        # The user name of POP3 is the part before the @ here.
        assert "Jörg.Doe" in shown.replace("Jörg.Doe@server.tld", "")
        assert view.page.context.cookies() == []
        assert view.errors == []


def test_the_user_name_follows_what_one_types(browser: Browser) -> None:
    with browser.open(URL) as view:
        before = view.page.inner_text("#settings")
        view.page.type("#emailaddress", "a@server.tld")
        assert "a@server.tld" in view.page.inner_text("#settings")
        view.page.fill("#emailaddress", "")
        assert view.page.inner_text("#settings") == before


@pytest.mark.parametrize("address", ["user@foreign.tld", "'\"><script>alert(1)</script>@server.tld", "a" * 65 + "@server.tld"])
def test_what_is_not_served_here_is_said(browser: Browser, address: str) -> None:
    with browser.open(URL) as view:
        view.page.fill("#emailaddress", address)
        # A browser stops most of these itself.
        view.page.evaluate("document.querySelector('form').noValidate = true")
        view.page.click("button[formmethod=post]")
        view.page.wait_for_load_state()
        assert view.page.is_visible("#about-refused")
        assert "alert(1)" not in view.page.content()
        assert view.violations() == []
