"""The dashboard with much to show: a hundred thousand jobs, thousands of tasks and events."""

from __future__ import annotations

import logging
import random
import time

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser import Open
from tests.harness import Server

pytestmark = pytest.mark.slow
log = logging.getLogger("measured")

JOBS = 100_000
CLASSES = ["DONE", "DONE", "DONE", "STARTED", "SUBMITTED", "FAILED", "TERMINATED"]
FRAMES = """() => {
  const canvas = document.querySelector("canvas");
  window.frames_ = { drawn: 0, begin: performance.now(), last: "" };
  const count = () => {
    const { cell, x, y } = canvas.dataset;
    const view = `${cell} ${x} ${y}`;
    if (view !== window.frames_.last) window.frames_.drawn += 1;
    window.frames_.last = view;
    requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
}"""
"""Counts the frames in which the map was another than in the one before."""
ZOOM = """([clientX, clientY]) => new Promise(resolve => {
  const canvas = document.querySelector("canvas");
  const begin = performance.now();
  const turn = now => {
    // In for the first second, and out again, a step in every frame.
    const deltaY = now - begin < 1000 ? -14 : 14;
    canvas.dispatchEvent(
      new WheelEvent("wheel", { deltaY, ctrlKey: true, clientX, clientY, cancelable: true })
    );
    if (now - begin < 1500) requestAnimationFrame(turn);
    else resolve(1000 * window.frames_.drawn / (performance.now() - begin));
  };
  requestAnimationFrame(turn);
})"""
"""Turns a wheel as fast as frames come, which a remote hand can't; the frames a second."""
RATE = "() => 1000 * window.frames_.drawn / (performance.now() - window.frames_.begin)"


def heap(page: Page) -> float:
    """Megabytes that the page's JavaScript holds, after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used: float = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    return used


def test_map_of_a_hundred_thousand_jobs(sqlite_server: Server, open_page: Open) -> None:
    """The map shows within a second of its data, costs little, and moves at 30 frames a second."""
    sqlite_server.create("big", {"name": "sweep", "jobCount": JOBS})
    chance = random.Random(1)
    sqlite_server.submit_many(
        [
            {
                "task": "big",
                "process": "sweep",
                "index": index,
                "eventClass": chance.choice(CLASSES),
            }
            for index in range(JOBS)
        ]
    )
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    page = open_page(sqlite_server.url)
    page.on("response", note)
    page.goto(f"{sqlite_server.url}/#/tasks/big/sweep")
    expect(page.get_by_role("heading", name="Map of 100,000 jobs")).to_be_visible()
    page.wait_for_timeout(1000)

    found = next(r for r in answers if "query JobMap" in (r.request.post_data or ""))
    timing = found.request.timing
    arrived = timing["startTime"] + timing["responseEnd"]
    painted = page.evaluate(
        """() => performance.timeOrigin
             + performance.getEntriesByName("lamia:map-painted")[0].startTime"""
    )
    size = len(found.body())
    log.info("milliseconds to the map: %.1f", painted - arrived)
    log.info("bytes of the map: %.1f", size)
    assert painted - arrived < 1000
    # Seven random kinds side by side are the worst case of run-lengths.
    assert size < 8 * JOBS

    canvas = page.locator("canvas")
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.evaluate(FRAMES)
    zooming = page.evaluate(ZOOM, [x, y])
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate("window.frames_.drawn = 0; window.frames_.begin = performance.now()")
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < 2:
        page.mouse.move(x - 150 * passed, y - 60 * passed)
    panning = page.evaluate(RATE)
    page.mouse.up()
    log.info("frames a second, zooming: %.1f", zooming)
    log.info("frames a second, panning: %.1f", panning)
    assert zooming > 30
    assert panning > 30


def test_thousands_of_tasks(sqlite_server: Server, open_page: Open) -> None:
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
    begin_opening = time.monotonic()
    page = open_page(sqlite_server.url)
    expect(page.locator("tbody tr")).to_have_count(25)
    opening = time.monotonic() - begin_opening
    expect(page.locator(".total")).to_have_text("5,000")
    begin_search = time.monotonic()
    page.get_by_label("Search").fill("task-4321")
    expect(page.locator("tbody tr")).to_have_count(1)
    search = time.monotonic() - begin_search
    used = heap(page)
    log.info("seconds to the list: %.1f", opening)
    log.info("seconds to a search: %.1f", search)
    log.info("megabytes: %.1f", used)
    assert opening < 3
    assert search < 2
    assert used < 30


def test_thousands_of_events(sqlite_server: Server, open_page: Open) -> None:
    """Of 10,000 events that stream in, the page keeps what it shows, and stays quick."""
    sqlite_server.create("long", {"name": "alone"})
    sqlite_server.submit("long", "alone", "STARTED")
    page = open_page(f"{sqlite_server.url}/#/tasks/long/alone")
    expect(page.locator("table.events tbody tr")).to_have_count(1)
    page.evaluate(
        """() => {
             window.longest = 0;
             let last = performance.now();
             const look = now => {
               window.longest = Math.max(window.longest, now - last);
               last = now;
               requestAnimationFrame(look);
             };
             requestAnimationFrame(look);
           }"""
    )
    event = {"task": "long", "process": "alone", "eventClass": "PROGRESS"}
    for begin in range(0, 10_000, 500):
        sqlite_server.submit_many(
            [event | {"progress": (begin + number) / 100} for number in range(500)]
        )
    expect(page.locator("#events .total")).to_have_text("10,001", timeout=30_000)
    assert page.locator("table.events tbody tr").count() <= 500
    longest, used = page.evaluate("window.longest"), heap(page)
    log.info("milliseconds of the longest frame: %.1f", longest)
    log.info("megabytes: %.1f", used)
    assert longest < 1000
    assert used < 40
    page.reload()
    expect(page.locator("#events .total")).to_have_text("10,001")
    page.get_by_role("button", name="Show older events").click()
    expect(page.locator("table.events tbody tr")).to_have_count(200)
