"""The dashboard with much to show: a hundred thousand jobs, thousands of tasks and events.

Machines that run tests are busy with others, too. So what a page works is told by the processor's
time of its thread, and what takes time on the clock by the best of a few attempts.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.support.browser import OpenPage
from tests.support.harness import Server

pytestmark = [pytest.mark.slow, pytest.mark.timed]
log = logging.getLogger("measured")

JOBS = 100_000
CLASSES = ["DONE", "DONE", "DONE", "STARTED", "SUBMITTED", "FAILED", "TERMINATED"]
BATCH = 1000
SUBMIT = "mutation($i: SubmitEventsInput!) { submitEvents(input: $i) { userErrors { code } } }"
ATTEMPTS = 5
FRAME = 1 / 30
"""Seconds that a frame may take at 30 of them a second."""
MOVE = """([kind, clientX, clientY]) => new Promise(resolve => {
  const canvas = document.querySelector("canvas");
  const view = () => `${canvas.dataset.cell} ${canvas.dataset.x} ${canvas.dataset.y}`;
  const at = { pointerId: 7, clientX, clientY, cancelable: true };
  const pointer = name => canvas.dispatchEvent(new PointerEvent(`pointer${name}`, at));
  const steps = {
    zoom: way =>
      canvas.dispatchEvent(new WheelEvent("wheel", { ...at, ctrlKey: true, deltaY: -14 * way })),
    pan: way => {
      at.clientX -= 9 * way;
      at.clientY -= 4 * way;
      pointer("move");
    },
  };
  // Only a pointer that exists can be captured.
  canvas.setPointerCapture = () => {};
  if (kind === "pan") pointer("down");
  const begin = performance.now();
  let [frames, last] = [0, view()];
  const turn = now => {
    if (view() !== last) frames += 1;
    last = view();
    const passed = now - begin;
    if (passed > 1500) {
      pointer("cancel");
      return resolve([frames, passed / 1000]);
    }
    // Forth for most of the time, and back, a step in every frame.
    steps[kind](passed < 1000 ? 1 : -1);
    requestAnimationFrame(turn);
  };
  requestAnimationFrame(turn);
})"""
"""Turns a wheel or drags as fast as frames come, which a remote hand can't: the frames in which
the map was another than before, and the seconds that they took."""
LONGEST = """() => {
  window.longest = 0;
  let last = performance.now();
  const look = now => {
    window.longest = Math.max(window.longest, now - last);
    last = now;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def first_good_enough(measure: Callable[[], float], enough: Callable[[float], bool]) -> float:
    """The first measurement that is good enough, or the last of some attempts."""
    for _ in range(ATTEMPTS - 1):
        if enough(found := measure()):
            return found
    return measure()


class MainThread:
    """The main thread of a page."""

    def __init__(self, page: Page) -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def worked(self) -> float:
        """Seconds of the processor that its tasks have taken so far."""
        metrics: list[dict[str, Any]] = self._session.send("Performance.getMetrics")["metrics"]
        taken: float = next(m["value"] for m in metrics if m["name"] == "TaskDuration")
        return taken

    def heap(self) -> float:
        """Megabytes that the page's JavaScript holds, after a collection."""
        self._session.send("HeapProfiler.collectGarbage")
        used: float = self._session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        return used


def create_big_array(server: Server) -> None:
    """An array whose jobs have random states side by side: the worst case of run-lengths."""
    server.create("big", {"name": "sweep", "jobCount": JOBS})
    chance = random.Random(1)
    event = {"task": "big", "process": "sweep"}
    for begin in range(0, JOBS, BATCH):
        batch = [
            event | {"index": index, "eventClass": chance.choice(CLASSES)}
            for index in range(begin, begin + BATCH)
        ]
        answer = server.graphql(SUBMIT, i={"events": batch})["submitEvents"]
        assert answer == {"userErrors": []}


def seconds_to_map(page: Page) -> float:
    """From the arrival of the map's data until it is painted, in a page that is loaded anew."""
    with page.expect_response(lambda r: "query ArrayJobs" in (r.request.post_data or "")) as found:
        page.reload()
    answer = found.value
    answer.finished()
    expect(page.get_by_role("heading", name="Map of 100,000 jobs")).to_be_visible()
    mark = 'performance.getEntriesByName("lamia:map-painted")[0]?.startTime'
    while (painted := page.evaluate(mark)) is None:
        page.wait_for_timeout(20)
    size = len(answer.body())
    log.info("bytes of the map: %d", size)
    assert size < 8 * JOBS
    timing = answer.request.timing
    arrived = timing["startTime"] + timing["responseEnd"]
    seconds: float = (page.evaluate("performance.timeOrigin") + painted - arrived) / 1000
    log.info("milliseconds to the map: %.1f", 1000 * seconds)
    return seconds


@pytest.mark.timeout(240)
def test_map_of_a_hundred_thousand_jobs(sqlite_server: Server, open_page: OpenPage) -> None:
    """The map shows within a second of its data, costs little, and moves at 30 frames a second."""
    create_big_array(sqlite_server)
    page = open_page(f"{sqlite_server.url}/#/tasks/big/sweep")
    assert first_good_enough(lambda: seconds_to_map(page), lambda seconds: seconds < 1) < 1

    thread = MainThread(page)
    page.locator("canvas").scroll_into_view_if_needed()
    box = page.locator("canvas").bounding_box()
    assert box is not None
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    for kind in ("zoom", "pan"):
        works: list[float] = []

        def rate(kind: str = kind, works: list[float] = works) -> float:
            before = thread.worked()
            frames, seconds = page.evaluate(MOVE, [kind, *middle])
            works.append((thread.worked() - before) / frames)
            log.info("%s: %.1f frames a second", kind, frames / seconds)
            return float(frames / seconds)

        assert first_good_enough(rate, lambda found: found > 30) > 30
        log.info("%s: %.1f ms of work for a frame", kind, 1000 * median(works))
        assert median(works) < FRAME


def log_seconds(what: str, begin: float) -> float:
    """Seconds since a moment, which are told."""
    seconds = time.monotonic() - begin
    log.info("seconds to %s: %.2f", what, seconds)
    return seconds


def test_thousands_of_tasks(sqlite_server: Server, open_page: OpenPage) -> None:
    """A list of 5,000 tasks opens and narrows quickly, and holds no more than it shows."""
    for begin in range(0, 5000, 100):
        tasks = [
            {"name": f"task-{number:04}", "processes": [{"name": "sweep", "jobCount": 10}]}
            for number in range(begin, begin + 100)
        ]
        sqlite_server.graphql(
            "mutation($i: CreateTasksInput!) { createTasks(input: $i) { userErrors { code } } }",
            i={"tasks": tasks},
        )
    page = open_page(sqlite_server.url)
    thread = MainThread(page)

    def opening() -> float:
        begin = time.monotonic()
        page.reload()
        expect(page.locator("tbody tr")).to_have_count(100)
        return log_seconds("the list", begin)

    def search() -> float:
        page.get_by_label("Search").fill("")
        expect(page.locator("tbody tr")).to_have_count(100)
        begin = time.monotonic()
        page.get_by_label("Search").fill("task-4321")
        expect(page.locator("tbody tr")).to_have_count(1)
        return log_seconds("a search", begin)

    assert first_good_enough(opening, lambda seconds: seconds < 3) < 3
    expect(page.locator(".totals").first).to_contain_text("100 of 5,000 tasks")
    assert first_good_enough(search, lambda seconds: seconds < 2) < 2
    used = thread.heap()
    log.info("megabytes: %.1f", used)
    assert used < 30


def test_thousands_of_events(sqlite_server: Server, open_page: OpenPage) -> None:
    """Of 10,000 events that stream in, the page keeps what it shows, and stays quick."""
    sqlite_server.create("long", {"name": "alone"})
    sqlite_server.submit("long", "alone", "STARTED")
    page = open_page(f"{sqlite_server.url}/#/tasks/long/alone")
    expect(page.locator("table.events tbody tr")).to_have_count(1)
    thread = MainThread(page)
    page.evaluate(LONGEST)
    before = thread.worked()
    event = {"task": "long", "process": "alone", "eventClass": "PROGRESS"}
    for begin in range(0, 10_000, 500):
        sqlite_server.submit_many(
            [event | {"progress": (begin + number) / 100} for number in range(500)]
        )
    expect(page.locator("#events .total")).to_have_text("10,001", timeout=30_000)
    assert page.locator("table.events tbody tr").count() <= 500
    worked, used = thread.worked() - before, thread.heap()
    log.info("milliseconds of the longest frame: %.1f", page.evaluate("window.longest"))
    log.info("milliseconds of work for an event: %.3f", worked / 10)
    log.info("megabytes: %.1f", used)
    # One thread could follow a thousand events a second.
    assert worked < 10
    assert used < 40
    page.reload()
    expect(page.locator("#events .total")).to_have_text("10,001")
    page.get_by_role("button", name="Show older events").click()
    expect(page.locator("table.events tbody tr")).to_have_count(200)
