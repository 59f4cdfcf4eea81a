"""The page of a job: its events as they come, its timeline, its head."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Route, expect

from tests.support.browser import OpenPage, wait_for_value
from tests.support.harness import SUBMIT_EVENTS, Server
from tests.support.sample_task import page_url, seconds_ago


def test_events_stream_in(sqlite_server: Server, open_page: OpenPage) -> None:
    """A job's page grows with its events, and tells host, attempts, progress and payloads."""
    sqlite_server.create("one", {"name": "alone"})
    page = open_page(page_url(sqlite_server, "tasks", "one", "alone"))
    expect(page.get_by_text("No events yet")).to_be_visible()
    first, second, third, last = (seconds_ago(seconds) for seconds in (60, 30, 20, 0))
    sqlite_server.submit("one", "alone", "STARTED", sentAt=first, hostname="node1")
    expect(page.locator("table.events tbody tr")).to_have_count(1)
    sqlite_server.submit("one", "alone", "PROGRESS", progress=40, sentAt=second, hostname="node1")
    sqlite_server.submit("one", "alone", "STARTED", attempt=1, sentAt=third, hostname="node2")
    end = {"attempt": 1, "payload": {"lines": 7}, "sentAt": last, "hostname": "node2"}
    sqlite_server.submit("one", "alone", "DONE", **end)
    expect(page.locator("table.events tbody tr")).to_have_count(4)
    expect(page.locator("table.events tbody tr").first).to_contain_text('{"lines":7}')
    expect(page.locator(".page-head")).to_contain_text("Attempts2")
    expect(page.locator(".page-head")).to_contain_text("node2")
    expect(page.locator(".job-timeline rect")).to_have_count(2)
    expect(page.locator(".job-timeline figcaption span")).to_have_text(
        ["ran 40 s", "ran 20 s, done"]
    )


def test_numbers_of_earlier_events_of_any_class(sqlite_server: Server, open_page: OpenPage) -> None:
    """The timeline shows numbers that beats brought, although many events have come since."""
    sqlite_server.create("one", {"name": "alone"})
    job = {"task": "one", "process": "alone"}
    beat: dict[str, Any] = job | {"eventClass": "BEAT"}
    beats = [beat | {"progress": number} for number in (10, 20, 30)]
    later = [job | {"eventClass": "READY"}] * 100
    events = [job | {"eventClass": "STARTED"}, *beats, *later]
    sqlite_server.graphql(SUBMIT_EVENTS, input={"events": events})
    page = open_page(page_url(sqlite_server, "tasks", "one", "alone"))
    expect(page.locator("table.events tbody tr")).to_have_count(100)
    expect(page.locator(".job-timeline circle")).to_have_count(3)


def test_a_task_that_replaces_another(sqlite_server: Server, open_page: OpenPage) -> None:
    """When a task is created again under the same name, the events are those of the new one."""
    sqlite_server.create("one", {"name": "alone"})
    for event_class in ("STARTED", "BEAT", "DONE"):
        sqlite_server.submit("one", "alone", event_class)
    page = open_page(page_url(sqlite_server, "tasks", "one", "alone"))
    events = page.locator("table.events tbody tr")
    expect(events).to_have_count(3)
    held: list[Route] = []
    waiting = True

    def hold(route: Route) -> None:
        if waiting:
            held.append(route)
        else:
            route.continue_()

    page.route("**/graphql", hold)
    sqlite_server.graphql('mutation { deleteTask(input: {name: "one"}) { deletedId } }')
    # What the page asks when its task is deleted is answered once there is a new one.
    wait_for_value(page, lambda: len(held), lambda number: number >= 2)
    sqlite_server.create("one", {"name": "alone"})
    sqlite_server.submit("one", "alone", "READY")
    waiting = False
    for route in held:
        route.continue_()
    expect(events).to_have_count(1)
    sqlite_server.submit("one", "alone", "FAILED")
    expect(events).to_have_count(2)
