"""The report of a check in a real Chromium, as a customer sees it: on a phone, a desktop and paper, dark and light."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import CACHE, need
from tests.unit.check.reports.test_reports import LATE, WRONG, rendered, report
from tools.browser import Browser

SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
LONG = "x" * 80


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need("chromium")
    with Browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    domains = [
        report("a.tld", WRONG, LATE),
        report("b.tld", LATE, said=f"<b>{LONG}</b>"),
        report("c.tld"),
        report("d.tld", verdict="unknown"),
    ]
    file.write_text(rendered("html", *domains))
    return file


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", sorted(SIZES))
def test_everyone_can_read_it(browser: Browser, page: Path, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    with browser.open(page.as_uri(), width=width, height=height, colour_scheme=scheme) as view:
        assert view.violations() == []
        assert not view.overflows()
        assert view.errors == []
        pictures = CACHE / "check_report"
        pictures.mkdir(exist_ok=True)
        view.screenshot(pictures / f"{size}-{scheme}.png")


def test_it_can_be_printed_from_a_dark_screen(browser: Browser, page: Path) -> None:
    with browser.open(page.as_uri(), colour_scheme="dark") as view:
        view.page.emulate_media(media="print")
        colours = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        assert view.page.evaluate(colours) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
        assert view.violations() == []


def test_the_summary_leads_to_each_domain(browser: Browser, page: Path) -> None:
    with browser.open(page.as_uri()) as view:
        view.page.click("a:has-text('a.tld')")
        assert view.page.inner_text("h2:target") == "a.tld"
