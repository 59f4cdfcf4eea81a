"""The pages behind proxies: such as pass nothing on but requests, and such as add a prefix."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, Request, expect

from tests.support.browser import SET_HIDDEN, OpenPage, expect_true
from tests.support.harness import Server, StartServer
from tests.support.nginx import nginx

PASS = "proxy_pass {url}; proxy_set_header Host $http_host;"
PLAIN = f"location / {{{{ {PASS} }}}}"
NO_STREAMS = f"""location / {{{{
  if ($http_accept ~ event-stream) {{{{ return 502; }}}}
  {PASS}
}}}}"""
PREFIXED = """location /monitor/ {{
  proxy_pass {url}/; proxy_set_header Host $http_host; proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
  proxy_set_header X-Forwarded-Prefix /monitor;
}}"""
NETWORK = ("WebSocket connection to", "Failed to load resource")
"""What Chromium itself says about what a proxy refuses."""
SUBSCRIPTION = "subscription "
WORKERS = 3
"""Those of GraphiQL's editors: for text, GraphQL and JSON."""
IDLE_MS = 5_000
"""How long a page is given until nothing is loaded any more."""


def status(page: Page, text: str) -> None:
    """Wait for what the header says about the connection."""
    expect(page.locator(".connection")).to_have_text(text)


class Streams:
    """The event streams that a page has open."""

    def __init__(self, page: Page) -> None:
        self.open: list[Request] = []
        self.opened = 0
        page.on("request", self._on_request)
        page.on("requestfinished", self._on_end)
        page.on("requestfailed", self._on_end)

    def _on_request(self, request: Request) -> None:
        if request.resource_type == "eventsource":
            self.open.append(request)
            self.opened += 1

    def _on_end(self, request: Request) -> None:
        if request in self.open:
            self.open.remove(request)


def test_without_websockets(sqlite_server: Server, open_page: OpenPage, tmp_path: Path) -> None:
    """Where a proxy passes no WebSocket, a page that is seen is live by one event stream."""
    sqlite_server.create("t", {"name": "fill", "jobCount": 3})
    with nginx(tmp_path, PLAIN.format(url=sqlite_server.url)) as url:
        page = open_page(f"{url}/#/tasks/t/fill/0", allowed=NETWORK)
        streams = Streams(page)
        status(page, "Live")
        events = page.locator("table.events tbody .badge")
        for number, event_class in enumerate(("STARTED", "BEAT", "DONE"), 1):
            sqlite_server.submit("t", "fill", event_class, index=0)
            expect(events).to_have_count(number)
        expect(page.get_by_role("alert")).to_have_count(0)
        assert len(streams.open) == 1

        page.evaluate(SET_HIDDEN, True)
        expect_true(page, lambda: len(streams.open) == 0, "no stream")
        sqlite_server.submit("t", "fill", "STARTED", index=0)
        page.evaluate(SET_HIDDEN, False)
        expect(events).to_have_count(4)
        expect_true(page, lambda: len(streams.open) == 1, "one stream")

        page.get_by_role("link", name="Tasks").first.click()
        expect(page.locator("tbody .name")).to_have_text(["t"])
        expect_true(page, lambda: len(streams.open) == 1, "one stream")
        sqlite_server.create("u", {"name": "alone"})
        expect(page.locator("tbody .name")).to_have_text(["u", "t"])
        assert len(streams.open) == 1

        before = streams.opened
        sqlite_server.kill()
        expect(page.get_by_role("alert")).to_contain_text("Connection lost at")
        sqlite_server.start()
        status(page, "Live")
        assert streams.opened > before
        sqlite_server.create("v", {"name": "alone"})
        expect(page.locator("tbody .name")).to_have_text(["v", "u", "t"])


@pytest.mark.slow
def test_nothing_live_gets_through(
    sqlite_server: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    """Where a proxy passes neither, the page says what it probably is, and shows what it has."""
    sqlite_server.create("t", {"name": "fill", "jobCount": 3})
    with nginx(tmp_path, NO_STREAMS.format(url=sqlite_server.url)) as url:
        page = open_page(f"{url}/#/tasks/t", allowed=NETWORK)
        expect(page.get_by_role("alert")).to_contain_text("probably a proxy in between")
        status(page, "Delayed")
        expect(page.locator("li.process")).to_contain_text("0 of 3 jobs DONE")
        sqlite_server.kill()
        expect(page.get_by_role("alert")).to_contain_text("Connection lost at")


@pytest.mark.slow
def test_websocket_is_used_again(sqlite_server: Server, open_page: OpenPage) -> None:
    """A server that is away is no proxy: when it is back, so is the WebSocket."""
    page = open_page(sqlite_server.url, allowed=(*NETWORK, "net::ERR_"))
    streams = Streams(page)
    status(page, "Live")
    sqlite_server.kill()
    status(page, "Reconnecting")
    sqlite_server.start()
    with page.expect_websocket():
        status(page, "Live")
    assert streams.opened == 0


def test_under_a_prefix(
    start_server: StartServer, sqlite_url: str, open_page: OpenPage, tmp_path: Path
) -> None:
    """Both pages, and the links of the REST interface, stay below the prefix of a trusted proxy."""
    server = start_server(sqlite_url, trusted_proxies="127.0.0.1")
    server.create("t", {"name": "fill", "jobCount": 3})
    server.create("u", {"name": "alone"})
    with nginx(tmp_path, PREFIXED.format(url=server.url)) as url:
        page = open_page(f"{url}/monitor")
        expect(page).to_have_url(re.compile("/monitor/(#/)?$"))
        with page.expect_response(lambda response: "graphql" in response.url) as found:
            page.get_by_role("link", name="t", exact=True).click()
        assert found.value.url == f"{url}/monitor/graphql"
        status(page, "Live")
        server.submit("t", "fill", "DONE", index=1)
        expect(page.locator("li.process")).to_contain_text("1 of 3 jobs DONE")
        with page.expect_worker() as worker:
            page.get_by_role("link", name="GraphiQL").click()
        assert worker.value.url.startswith(f"{url}/monitor/assets/")
        expect(page).to_have_url(f"{url}/monitor/graphiql")
        expect(page.get_by_role("button", name=re.compile("Execute"))).to_be_visible()
        expect(page.locator(".graphiql-logo-link, .graphiql-logo a")).to_have_attribute(
            "href", "./"
        )
        # What is still being loaded when nginx ends, or the page is closed, is told as an error.
        # Of a worker that an editor ends while its script is loaded, the end of that is never told.
        with suppress(PlaywrightError):
            page.wait_for_load_state("networkidle", timeout=IDLE_MS)
        while len(page.workers) < WORKERS:
            page.wait_for_event("worker")
        for each in page.workers:
            # Editors end a worker that they do not need any more.
            with suppress(PlaywrightError):
                each.evaluate("null")
