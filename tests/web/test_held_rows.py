"""Nothing jumps while events come fast, and pages that are looked at cost little."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import OpenPage, wait_for_value
from tests.support.harness import Server
from tests.support.sample_task import page_url

EVENTS_PER_S = 50
MEASURED_S = 5
MAX_SHIFT = 0.02
"""The layout shift of a page in this time: the share of the screen that moves, times how far."""
MAX_CPU = 0.1
"""The share of a core that the page of a busy job may take."""
MAX_REQUESTS_PER_MINUTE = 20
MESSAGES = ("std::bad_alloc", "timeout", "disk quota exceeded", "bad calibration")
BUSY = 4999
"""The job that sends half of all events."""
WATCH_SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver(list => {
    for (const { value, hadRecentInput, sources } of list.getEntries())
      if (!hadRecentInput)
        shifts.push([value, sources.map(({ node }) => node?.textContent?.slice(0, 30))]);
  }).observe({ type: "layout-shift" });
}"""


class Replay:
    """An array whose jobs start, end and fail; one of them sends half of all events."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._random = random.Random(7)
        self._running = list(range(20))
        self._next = 20
        self._stopped = threading.Event()
        server.create("night", {"name": "sweep", "jobCount": 5000, "failureTolerance": 5000})

    def play(self, number: int) -> None:
        """Submit so many events."""
        results = self._server.submit_many([self._event(place) for place in range(number)])
        assert all(result["userErrors"] == [] for result in results)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let it run beside the test."""
        thread = threading.Thread(target=self._run)
        thread.start()
        yield
        self._stopped.set()
        thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(0.2):
            self.play(EVENTS_PER_S // 5)

    def _event(self, place: int) -> dict[str, Any]:
        job: dict[str, Any] = {"task": "night", "process": "sweep", "index": BUSY}
        if place % 2:
            number = self._random.random() * 100
            return job | {"eventClass": "PROGRESS", "progress": number, "payload": {"loss": number}}
        if len(self._running) < 20:
            self._running.append(self._next)
            self._next += 1
            job |= {"index": self._running[-1], "eventClass": "STARTED"}
        else:
            index = self._running.pop(self._random.randrange(20))
            job |= {"index": index, "eventClass": "DONE"}
            if self._random.random() < 0.3:
                message = self._random.choice(MESSAGES)
                job |= {"eventClass": "FAILED", "exitCode": 1, "message": message}
        return job | {"hostname": f"node{job['index'] % 40}"}


class Meter:
    """What a page does from now on: shifts, requests, and time of the processor."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.requests: list[str] = []
        page.evaluate(WATCH_SHIFTS)
        page.on("request", lambda request: self.requests.append(request.url))
        self._session = page.context.new_cdp_session(page)
        # What the page itself takes, however busy the machine is.
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._begin = self._task_duration()

    def shifts(self) -> list[Any]:
        """All shifts, each with the beginning of what moved."""
        found: list[Any] = self._page.evaluate("shifts")
        return found

    def cpu(self) -> float:
        """The share of a core."""
        return (self._task_duration() - self._begin) / MEASURED_S

    def _task_duration(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return next(float(each["value"]) for each in metrics if each["name"] == "TaskDuration")


@pytest.mark.slow
def test_nothing_jumps_during_a_replay(sqlite_server: Server, open_page: OpenPage) -> None:
    """At 50 events/s, no page moves; they ask rarely, and that of a busy job is cheap."""
    replay = Replay(sqlite_server)
    replay.play(300)
    task = open_page(page_url(sqlite_server, "tasks", "night"))
    on_map = open_page(page_url(sqlite_server, "tasks", "night", "sweep"))
    on_table = open_page(page_url(sqlite_server, "tasks", "night", "sweep"))
    untouched = open_page(page_url(sqlite_server, "tasks", "night", "sweep"))
    job = open_page(page_url(sqlite_server, "tasks", "night", "sweep", str(BUSY)))
    failing = on_table.locator("table.unsuccessful tbody a")
    with replay.running():
        for page in (task, on_map, on_table, untouched, job):
            expect(page.get_by_role("status", name="Loading")).to_have_count(0)
            expect(page.locator(".card").first).to_be_visible()
        task.locator(".cause-pick").first.hover()
        on_map.locator("canvas").hover()
        failing.nth(2).focus()
        on_table.keyboard.press("j")
        expect(failing.nth(3)).to_be_focused()
        expect(job.get_by_role("button", name="new: show the latest events")).to_be_visible()
        begin = failing.all_text_contents()
        total = task.locator("#causes").text_content()
        meters = {
            name: Meter(page)
            for name, page in {
                "task": task,
                "map": on_map,
                "table": on_table,
                "untouched": untouched,
                "job": job,
            }.items()
        }
        job.wait_for_timeout(MEASURED_S * 1000)
        for name, meter in meters.items():
            shifts = meter.shifts()
            assert sum(value for value, _ in shifts) <= MAX_SHIFT, (name, shifts)
        assert meters["job"].cpu() <= MAX_CPU
        for name in ("task", "map", "table", "untouched"):
            per_minute = len(meters[name].requests) * 60 / MEASURED_S
            assert per_minute <= MAX_REQUESTS_PER_MINUTE, name
        assert failing.all_text_contents() == begin
        assert task.locator("#causes").text_content() != total


def test_a_held_list_tells_what_it_lacks(sqlite_server: Server, open_page: OpenPage) -> None:
    """Paused, or under the pointer, rows stay; a button says how many are new and shows them."""
    sqlite_server.create("night", {"name": "sweep", "jobCount": 9})
    for event_class in ("STARTED", "READY"):
        sqlite_server.submit("night", "sweep", event_class, index=3)
    page = open_page(page_url(sqlite_server, "tasks", "night", "sweep", "3"))
    events = page.locator("table.events tbody .badge")
    new = page.get_by_role("button", name="new: show the latest events")
    expect(events).to_have_text(["ready", "started"])
    page.get_by_role("button", name="Pause").click()
    page.mouse.move(0, 0)
    sqlite_server.submit("night", "sweep", "PROGRESS", index=3, progress=7)
    expect(new).to_have_text("1 new")
    expect(page.locator(".page-head .figure")).to_have_text("7 %")
    expect(events).to_have_text(["ready", "started"])
    new.click()
    expect(events).to_have_text(["progress", "ready", "started"])
    sqlite_server.submit("night", "sweep", "BEAT", index=3)
    expect(new).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    # The pointer still is on the button.
    expect(events).to_have_text(["progress", "ready", "started"])
    page.mouse.move(0, 0)
    expect(events).to_have_text(["beat", "progress", "ready", "started"])


def test_sections_wait_under_the_pointer(sqlite_server: Server, open_page: OpenPage) -> None:
    """The first failure moves nothing while one points at the map; a button tells of it."""
    sqlite_server.create("night", {"name": "sweep", "jobCount": 9})
    page = open_page(page_url(sqlite_server, "tasks", "night", "sweep"))
    page.locator("canvas").hover()
    top = page.locator("canvas").bounding_box()
    sqlite_server.submit("night", "sweep", "FAILED", index=3, message="timeout")
    expect(page.get_by_role("button", name="1 new: show")).to_be_visible()
    assert page.locator("canvas").bounding_box() == top
    expect(page.locator("#causes")).to_have_count(0)
    page.get_by_role("button", name="1 new: show").click()
    expect(page.locator("#causes")).to_have_text("1 failure, 1 cause")
    cells = page.locator("table.unsuccessful tbody a")
    wait_for_value(page, cells.count, lambda found: found == 1)
    expect(cells).to_have_text(["3"])
