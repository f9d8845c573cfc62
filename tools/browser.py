"""A real Chromium without a screen, Debian's own, that looks at pages of a server under test as a person's browser would.

No name but the given ones is resolved, and every certificate is accepted: ``http_client`` is the one that checks them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import ConsoleMessage, Error, Page, sync_playwright


class Browser:
    """One Chromium; a context manager that ends it.

    :arg names: addresses by host name, ``{"autoconfig.server.tld": "127.0.0.1"}``; with a port (``127.0.0.1:8443``) it
        takes the place of the URL's
    """

    def __init__(self, names: Mapping[str, str] | None = None, program: str = "chromium") -> None:
        found = shutil.which(program)
        if found is None:
            raise FileNotFoundError(f"{program} is not installed")
        self._program = found
        rules = [f"MAP {name} {address}" for name, address in (names or {}).items()]
        rules += ["MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1", "EXCLUDE localhost"]
        self._arguments = [f"--host-resolver-rules={', '.join(rules)}"]
        if os.geteuid() == 0:
            # Chromium refuses to run as root otherwise.
            self._arguments.append("--no-sandbox")

    def __enter__(self) -> Browser:
        self._playwright = sync_playwright().start()
        try:
            self._browser = self._playwright.chromium.launch(executable_path=self._program, args=self._arguments)
        except Error:
            self._playwright.stop()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self._browser.close()
        self._playwright.stop()

    def open(
        self,
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        colour_scheme: Literal["light", "dark"] = "light",
        locale: str = "en-US",
        javascript: bool = True,
    ) -> View:
        """Open a page in a window of its own, which shares nothing with the others."""
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=colour_scheme,
            locale=locale,
            java_script_enabled=javascript,
            ignore_https_errors=True,
        )
        view = View(context.new_page())
        try:
            view.page.goto(url)
        except Error:
            context.close()
            raise
        return view


class View:
    """An open page; a context manager that closes it.

    :ivar page: Playwright's page, to click and to type in
    :ivar errors: what the browser complained about so far, breaches of the Content-Security-Policy among it
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.page.context.close()

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def violations(self) -> list[str]:
        """What axe-core finds inaccessible; needs JavaScript."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {one['help']}: {node['html']}" for one in found for node in one["nodes"]]

    def overflows(self) -> bool:
        """Whether one would have to scroll sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def screenshot(self, path: Path) -> None:
        """Save a picture of the whole page (PNG)."""
        self.page.screenshot(path=path, full_page=True)
