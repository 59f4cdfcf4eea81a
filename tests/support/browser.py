"""Debian's Chromium without network access, and checks for pages."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.support.npm import node_tool
from tests.support.tools import require

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
COLOR_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
"""What a reader's system may prefer."""
TIMEOUT_MS = 15_000
"""Milliseconds that a page has for what is expected of it."""
SET_HIDDEN = """hidden => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""Lets a page believe that it is in a tab that nobody sees, or that it is seen again."""

CHROMIUMS = ("chromium-headless-shell", "chromium")
"""Its programs. A page takes the first, which has no windows, half the time of a processor."""

expect.set_options(timeout=TIMEOUT_MS)


@contextmanager
def launch_chromium(*names: str) -> Iterator[Browser]:
    """A running Chromium that resolves no host names but these, to 127.0.0.1."""
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    path = require(found, f"Debian's {' or '.join(CHROMIUMS)}")
    # The one that it brings needs libraries that few machines have.
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", node_tool("node"))
    rules = [f"MAP {name} 127.0.0.1" for name in names]
    rules += ["MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", f"--host-resolver-rules={', '.join(rules)}"],
        )
        yield browser
        browser.close()


class PageWatcher:
    """Records errors, policy violations and foreign requests of a page."""

    def __init__(self, page: Page) -> None:
        self.faults: list[str] = []
        self.allowed: list[str] = []
        """Patterns of complaints that a test provokes on purpose."""
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.context.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        # Chromium tells violations of the policy as errors, too.
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not re.match(r"https?://127\.0\.0\.1[:/]|data:|blob:", request.url):
            self.faults.append(f"request: {request.url}")

    def check(self) -> None:
        """Fail if there is a fault that was not allowed."""
        found = [f for f in self.faults if not any(re.search(p, f) for p in self.allowed)]
        assert not found, found


OpenPage = Callable[..., Page]


@contextmanager
def page_opener(browser: Browser) -> Iterator[OpenPage]:
    """A function that opens pages; at the end, none may have had faults."""
    watchers: list[PageWatcher] = []

    def open_page(
        url: str,
        *,
        allowed: tuple[str, ...] = (),
        width: int = 1280,
        height: int = 800,
        **options: Any,
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        watcher = PageWatcher(page)
        watcher.allowed += allowed
        watchers.append(watcher)
        page.goto(url)
        return page

    yield open_page
    for context in browser.contexts:
        context.close()
    for watcher in watchers:
        watcher.check()


def wait_for_value(page: Page, look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """The value of ``look`` once it is as wanted, or at the latest after the timeout."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while not wanted(found := look()) and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    return found


def expect_true(page: Page, look: Callable[[], Any], what: str) -> None:
    """Wait until ``look`` finds something true; fails with ``what`` at the timeout."""
    assert wait_for_value(page, look, bool), what


def serious_findings(page: Page, *selectors: str) -> list[str]:
    """axe-core's findings on a page, or in some elements, that are serious or worse."""
    source = require(str(AXE) if AXE.exists() else None, "axe-core: run `web/build`")
    page.evaluate(Path(source).read_text() + "; undefined")
    found: list[str] = page.evaluate(
        """async selectors => (await axe.run(selectors.length ? selectors : document)).violations
             .filter(({ impact }) => impact === "serious" || impact === "critical")
             .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(", ")}`)""",
        list(selectors),
    )
    return found
