"""Charts show a part of the time, the values at a time, and what went wrong when."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect
from sqlalchemy import create_engine, text

from tests.support.browser import OpenPage, expect_true, serious_findings
from tests.support.harness import Server
from tests.support.sample_task import page_url, seconds_ago


def drag(page: Page, chart: Locator, begin: float, end: float) -> None:
    """Select from one part of a chart's width to another with the mouse."""
    box = chart.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + begin * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], middle)
    page.mouse.up()


def test_a_part_of_the_time(sqlite_server: Server, open_page: OpenPage) -> None:
    """A job that was silent and began again: it is marked, and one can look closer."""
    sqlite_server.create("fit", {"name": "alone"})
    job = {"task": "fit", "process": "alone"}
    moments: list[tuple[str, int, int]] = [("STARTED", 0, 3000)]
    moments += [("PROGRESS", 0, 3000 - 60 * step) for step in range(1, 9)]
    moments += [("FAILED", 0, 1500), ("STARTED", 1, 1400)]
    moments += [("PROGRESS", 1, 1400 - 60 * step) for step in range(1, 9)]
    moments.append(("DONE", 1, 800))
    events = [
        job
        | {"eventClass": event_class, "attempt": attempt, "sentAt": seconds_ago(seconds)}
        | ({"progress": 10 + number} if event_class == "PROGRESS" else {})
        for number, (event_class, attempt, seconds) in enumerate(moments)
    ]
    assert all(result["userErrors"] == [] for result in sqlite_server.submit_many(events))
    page = open_page(page_url(sqlite_server, "tasks", "fit", "alone"))
    chart = page.get_by_role("slider", name="Waits, attempts and progress over time")
    figure = page.locator("figure.job-timeline")
    expect(figure.locator("figcaption")).to_contain_text("silent for 17 min")
    expect(figure.locator("figcaption")).to_contain_text("↻ began again at")
    expect(figure.locator(".plot-restart")).to_have_count(1)
    ticks = figure.locator(".axes text")
    whole = ticks.all_text_contents()
    drag(page, chart, 0.7, 0.9)
    expect(page.get_by_role("button", name="Show all of the time")).to_be_enabled()
    part = ticks.all_text_contents()
    assert part != whole
    expect(page).to_have_url(re.compile(r"time=\d{8}T\d{6}Z-\d{8}T\d{6}Z$"))
    page.reload()
    expect(ticks).to_have_text(part)
    page.get_by_role("button", name="Earlier").click()
    page.get_by_role("button", name="Later").click()
    expect(ticks).to_have_text(part)
    chart.hover(position={"x": 400, "y": 20})
    expect(figure.locator(".plot-cursor")).to_have_count(1)
    expect(figure.locator(".plot-foot")).to_contain_text(re.compile("runningprogress 2. %"))
    assert serious_findings(page, "figure.job-timeline") == []
    chart.dblclick()
    expect(ticks).to_have_text(whole)
    expect(page).not_to_have_url(re.compile("time="))


def test_a_stall(sqlite_server: Server, open_page: OpenPage) -> None:
    """Nothing has ended for an hour: the chart says since when, and which jobs began again."""
    sqlite_server.create("fit", {"name": "sweep", "jobCount": 4})
    sweep = {"task": "fit", "process": "sweep"}
    events = [sweep | {"eventClass": "STARTED", "index": index} for index in range(4)]
    events += [sweep | {"eventClass": "DONE", "index": index} for index in (0, 1)]
    events.append(sweep | {"eventClass": "FAILED", "index": 2})
    assert all(result["userErrors"] == [] for result in sqlite_server.submit_many(events))
    engine = create_engine(sqlite_server.database_url)
    with engine.begin() as connection:
        for change in (
            "sample SET at = at - 3600",
            "process SET sampled_since = sampled_since - 3600",
        ):
            connection.execute(text(f"UPDATE {change}"))
    engine.dispose()
    page = open_page(page_url(sqlite_server, "tasks", "fit", "sweep"))
    marks = page.locator(".plot-marks")
    expect(marks).to_contain_text("stalled since")
    expect(page.locator(".plot-stall")).to_have_count(1)
    page.get_by_role("slider", name="Jobs by state and progress over time").focus()
    show_all = page.get_by_role("button", name="Show all of the time")
    with page.expect_response(lambda it: "ProcessTimeline" in (it.request.post_data or "")):
        page.keyboard.press("+")
    expect(show_all).to_be_enabled()
    expect(page).to_have_url(re.compile("time="))
    page.keyboard.press("0")
    expect(show_all).to_be_disabled()
    sqlite_server.submit("fit", "sweep", "STARTED", index=2, attempt=1)
    expect(marks).to_contain_text("1 job began again at")
    page.set_viewport_size({"width": 320, "height": 800})
    plot = page.locator("figure.plot")
    expect_true(page, lambda: plot.evaluate("it => it.scrollWidth <= it.clientWidth"), "it fits")
