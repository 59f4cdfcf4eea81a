"""Pages that are pushed what they show: they request it once, and follow."""

from __future__ import annotations

import json

from playwright.sync_api import Page, WebSocket, expect

from tests.support.browser import SET_HIDDEN, OpenPage, wait_for_value
from tests.support.harness import Server
from tests.support.sample_task import create_sample_task, page_url


class Traffic:
    """What a page requests, and what happens on its WebSocket.

    Args:
        page: a page that has not been opened yet.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self.requests: list[str] = []
        self.ended = 0
        """How many subscriptions the page has ended."""
        self.pushed = 0
        """How many results have come."""
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", self._follow)

    def until_pushed(self, number: int) -> None:
        """Wait until so many results have come over the WebSocket."""
        assert (
            wait_for_value(self._page, lambda: self.pushed, lambda pushed: pushed >= number)
            >= number
        )

    def _follow(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda text: self._count(str(text)))
        socket.on("framereceived", lambda text: self._count(str(text)))

    def _count(self, text: str) -> None:
        message = json.loads(text)
        self.ended += message["type"] == "complete"
        self.pushed += message["type"] == "next"


def expect_done(page: Page, number: int) -> None:
    """Wait until head and map show so many jobs done."""
    expect(page.locator(".page-head .jobs-legend")).to_contain_text(f"{number} done")
    expect(page.get_by_role("button", name=f"done {number}", exact=True)).to_be_visible()


def test_changes_are_pushed(sqlite_server: Server, open_page: OpenPage) -> None:
    """Head, map, failures and hosts follow a running array, and the page requests nothing more."""
    create_sample_task(sqlite_server)
    page = open_page("about:blank")
    traffic = Traffic(page)
    page.goto(page_url(sqlite_server, "tasks", "night", "sweep"))
    expect_done(page, 16)
    traffic.until_pushed(3)
    traffic.requests.clear()
    for index in range(25, 31):
        sqlite_server.submit("night", "sweep", "DONE", index=index)
    sqlite_server.submit("night", "sweep", "FAILED", index=31, hostname="third.example.org")
    expect_done(page, 22)
    expect(page.locator("table.unsuccessful tbody tr")).to_have_count(5)
    expect(page.locator("ol.hosts li")).to_contain_text(["bad", "good", "third"])
    assert traffic.requests == []


def test_events_of_a_job_are_pushed(sqlite_server: Server, open_page: OpenPage) -> None:
    """The page of a job requests its head for each of its own events, and nothing for others."""
    create_sample_task(sqlite_server)
    page = open_page("about:blank")
    traffic = Traffic(page)
    page.goto(page_url(sqlite_server, "tasks", "night", "sweep", "30"))
    events = page.locator("table.events tbody .badge")
    expect(events).to_have_text(["submitted"])
    # That the subscription has begun shows in the first event that is pushed.
    sqlite_server.submit("night", "sweep", "STARTED", index=30, hostname="first.example.org")
    expect(page.locator(".page-head")).to_contain_text("first.example.org")
    traffic.requests.clear()
    pushed = traffic.pushed
    for index in range(21, 25):
        sqlite_server.submit("night", "sweep", "BEAT", index=index)
    sqlite_server.submit("night", "sweep", "DONE", index=30, hostname="second.example.org")
    expect(events).to_have_text(["done", "started", "submitted"])
    expect(page.locator(".page-head")).to_contain_text("second.example.org")
    expect(page.locator(".page-head .badges")).to_have_text("done")
    assert (len(traffic.requests), traffic.pushed) == (1, pushed + 1)


def test_a_hidden_page_is_sent_nothing(sqlite_server: Server, open_page: OpenPage) -> None:
    """A page that nobody sees ends its subscriptions; when it is shown again, it is up to date."""
    create_sample_task(sqlite_server)
    page = open_page("about:blank")
    traffic = Traffic(page)
    page.goto(page_url(sqlite_server, "tasks", "night", "sweep"))
    expect_done(page, 16)
    traffic.until_pushed(3)
    page.evaluate(SET_HIDDEN, True)
    wait_for_value(page, lambda: traffic.ended, lambda ended: ended == 3)
    assert traffic.ended == 3
    pushed = traffic.pushed
    sqlite_server.submit("night", "sweep", "DONE", index=25)
    # If it were told, it would be before this one, whose page is seen.
    other = open_page(page_url(sqlite_server, "tasks", "night", "sweep"))
    expect_done(other, 17)
    assert traffic.pushed == pushed
    page.evaluate(SET_HIDDEN, False)
    expect_done(page, 17)


def test_a_deleted_task_is_told(sqlite_server: Server, open_page: OpenPage) -> None:
    """The page says that the array is not there any more, and shows the next one of its name."""
    create_sample_task(sqlite_server)
    page = open_page(page_url(sqlite_server, "tasks", "night", "sweep"))
    expect_done(page, 16)
    sqlite_server.graphql(
        "mutation($i: DeleteTaskInput!) { deleteTask(input: $i) { deletedId } }",
        i={"name": "night"},
    )
    expect(page.get_by_role("heading", name="Process not found")).to_be_visible()
    create_sample_task(sqlite_server)
    page.reload()
    expect_done(page, 16)
