"""The graph of a task's processes, from its dependencies."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser import OpenPage, serious_findings, wait_for_value
from tests.support.harness import Server
from tests.support.sample_task import page_url

SCROLL = """() => new Promise(resolve => {
  const frame = document.querySelector(".graph-frame");
  const times = [];
  const turn = now => {
    times.push(now);
    if (times.length === 62) {
      const steps = times.slice(1).map((time, place) => time - times[place]);
      return resolve(steps.sort((one, other) => one - other)[steps.length >> 1]);
    }
    frame.scrollBy(4, 12);
    requestAnimationFrame(turn);
  };
  requestAnimationFrame(turn);
})"""
"""The median of the milliseconds between frames while it is scrolled."""


def node(page: Page, name: str) -> Locator:
    """A process in the graph."""
    return page.locator(f'.graph li[data-name="{name}"]')


def left(page: Page, name: str) -> float:
    """Where a process begins, from the left."""
    box = node(page, name).bounding_box()
    assert box is not None
    return box["x"]


def test_dependencies_are_drawn(sqlite_server: Server, open_page: OpenPage) -> None:
    """On demand, with states and progress as they change; pointer and keys lead along the lines."""
    processes: list[dict[str, Any]] = [{"name": name} for name in ("clean", "plot", "merge")]
    sqlite_server.create(
        "night",
        *processes,
        {"name": "fit", "jobCount": 4},
        dependencies={"fit": ["clean"], "plot": ["clean"], "merge": ["fit", "plot", "sum"]},
    )
    sqlite_server.create("day", *processes, dependencies="gASVHQAAAAAAAAB9lIwFbWVyZ2WU")
    page = open_page(page_url(sqlite_server, "tasks", "day"))
    expect(page.locator("li.process")).to_have_count(3)
    expect(page.get_by_role("button", name="Graph")).to_have_count(0)
    expect(page.get_by_text("Dependencies")).to_be_visible()

    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_url(sqlite_server, "tasks", "night"))
    expect(page.locator("li.process")).to_have_count(4)
    assert not any("process-graph" in url for url in requests)
    page.get_by_role("button", name="Graph").click()
    expect(page.locator(".graph li")).to_have_count(4)
    assert any("process-graph" in url for url in requests)
    assert left(page, "clean") < left(page, "fit") == left(page, "plot") < left(page, "merge")
    expect(page.get_by_text("no such process: sum")).to_be_visible()

    sqlite_server.submit("night", "clean", "DONE")
    sqlite_server.submit("night", "fit", "DONE", index=0)
    sqlite_server.submit("night", "fit", "FAILED", index=1)
    expect(node(page, "clean")).to_contain_text("succeeded")
    expect(node(page, "fit")).to_contain_text("1 failed")
    expect(node(page, "fit").locator(".jobs-bar > span")).to_have_count(3)
    node(page, "fit").hover()
    expect(page.get_by_text("fit: waits for clean; awaited by merge")).to_be_visible()
    assert serious_findings(page, ".graph") == []

    page.get_by_label("Graph of the processes").get_by_role("link", name="fit").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("merge: waits for fit, plot")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("merge")
    page.go_back()
    expect(page.locator(".graph li")).to_have_count(4)


@pytest.mark.slow
@pytest.mark.timed
def test_five_hundred_processes_move_smoothly(sqlite_server: Server, open_page: OpenPage) -> None:
    """They are laid out beside the page, and scroll at thirty frames a second or more."""
    names = [f"p{number}" for number in range(500)]
    dependencies = {
        name: sorted({names[number - 25 - number % 7], names[number - 30]})
        for number, name in enumerate(names)
        if number >= 40
    }
    sqlite_server.create("large", *({"name": name} for name in names), dependencies=dependencies)
    page = open_page(f"{page_url(sqlite_server, 'tasks', 'large')}?view=graph&find=p499")
    expect(node(page, "p499")).to_be_in_viewport()
    expect(page.locator(".graph li.is-dim")).to_have_count(499)
    frame = wait_for_value(page, lambda: page.evaluate(SCROLL), lambda ms: ms < 1000 / 30)
    assert frame < 1000 / 30
    # A drag that begins on a process moves the graph, and opens nothing.
    node(page, "p499").hover()
    before = left(page, "p499")
    page.mouse.down()
    page.mouse.move(500, 400, steps=20)
    page.mouse.move(700, 400, steps=5)
    page.mouse.up()
    assert left(page, "p499") != before
    assert "view=graph" in page.url
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.locator(".graph-frame.is-far")).to_be_visible()
    page.get_by_label("Find").fill("p0")
    expect(node(page, "p0")).to_be_in_viewport()
