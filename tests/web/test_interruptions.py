"""Pages whose server is away or refuses: they say so, and go on by themselves."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.support.browser import OpenPage
from tests.support.harness import Server
from tests.support.sample_task import page_url

NETWORK = ("WebSocket connection to", "net::ERR_")
"""What Chromium itself says about a server that is away."""


def test_interruption_is_shown_and_heals(sqlite_server: Server, open_page: OpenPage) -> None:
    """A killed server is told of at once; when it is back, so are the pages, without a reload."""
    sqlite_server.create("night", {"name": "sweep", "jobCount": 4})
    sqlite_server.submit("night", "sweep", "STARTED", index=1)
    page = open_page(page_url(sqlite_server, "tasks", "night"), allowed=NETWORK)
    job = open_page(page_url(sqlite_server, "tasks", "night", "sweep", "1"), allowed=NETWORK)
    process = page.locator("li.process")
    events = job.locator("table.events tbody .badge")
    expect(events).to_have_text(["started"])
    expect(process).to_contain_text("0 of 4 jobs DONE")
    page.evaluate("window.isSame = true")
    sqlite_server.kill()
    expect(page.get_by_role("alert")).to_contain_text("Connection lost at")
    expect(process).to_contain_text("0 of 4 jobs DONE")
    sqlite_server.start()
    sqlite_server.submit("night", "sweep", "READY", index=1)
    sqlite_server.submit("night", "sweep", "DONE", index=1)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(process).to_contain_text("1 of 4 jobs DONE")
    expect(events).to_have_text(["done", "ready", "started"])
    sqlite_server.submit("night", "sweep", "DONE", index=2)
    expect(process).to_contain_text("2 of 4 jobs DONE")
    sqlite_server.submit("night", "sweep", "BEAT", index=1)
    expect(events).to_have_text(["beat", "done", "ready", "started"])
    assert page.evaluate("window.isSame")


def test_what_is_awaited_or_refused_is_said(sqlite_server: Server, open_page: OpenPage) -> None:
    """Before the first answer there is its form; a failure is told, and passes without a reload."""
    sqlite_server.create("night", {"name": "sweep", "jobCount": 4})
    page = open_page(f"{sqlite_server.url}/graphiql", allowed=NETWORK)
    waiting: list[Route] = []
    ways: list[Callable[[Route], object]] = [lambda route: waiting.append(route)]
    page.route("**/graphql", lambda route: ways[-1](route))
    page.goto(page_url(sqlite_server, "tasks", "night"))
    expect(page.get_by_role("status", name="Loading")).to_be_visible()
    ways.append(lambda route: route.abort())
    for route in waiting:
        route.abort()
    expect(page.get_by_role("heading", name="The server can\u2019t be reached")).to_be_visible()
    refusal = {"errors": [{"message": "Ask for less at once."}]}
    ways.append(lambda route: route.fulfill(json=refusal))
    expect(page.get_by_role("heading", name="The server returned an error")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("Ask for less at once.")
    ways.append(lambda route: route.continue_())
    page.get_by_role("button", name="Retry now").click()
    expect(page.locator("li.process")).to_contain_text("0 of 4 jobs DONE")
