"""The page of a task with trouble, and with many processes: what needs attention comes first."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect
from sqlalchemy import create_engine, text

from tests.support.browser import OpenPage, serious_findings, wait_for_value
from tests.support.harness import Server
from tests.support.sample_task import create_sample_task, page_url, seconds_ago

CLIPBOARD = "navigator.clipboard.readText()"
COPY = {"permissions": ["clipboard-read", "clipboard-write"]}
WALL = {"width": 1920, "height": 1080}


def event(process: str, event_class: str, index: int | None = None, **fields: Any) -> Any:
    """An event of a job of the task ``many``."""
    place = {} if index is None else {"index": index}
    return {"task": "many", "process": process, "eventClass": event_class} | place | fields


def create_many(server: Server) -> None:
    """Create a task of two hundred arrays, of which four need attention."""
    names = [f"simulated-step-{number}" for number in range(200)]
    arrays = ({"name": name, "jobCount": 5, "beatInterval": 60} for name in names)
    server.create("many", *arrays, dependencies={})
    started = [event(name, "STARTED", 0) for name in names[:100]]
    lost = event("simulated-step-30", "STARTED", 1, sentAt=seconds_ago(900), hostname="node7")
    failed = [event(f"simulated-step-{number}", "FAILED", 1, exitCode=1) for number in (150, 60)]
    held = event("simulated-step-90", "HELD", 1, message="over the limit")
    results = server.submit_many([*started, lost, *failed, held])
    assert all(result["userErrors"] == [] for result in results)


def test_trouble_is_told_with_its_reason(sqlite_server: Server, open_page: OpenPage) -> None:
    """Lost and late jobs are in bars and words; lost ones are listed, to be copied and saved."""
    create_sample_task(sqlite_server)
    page = open_page(page_url(sqlite_server, "tasks", "night"), **COPY)
    head = page.locator(".page-head")
    expect(head).to_contain_text("cannot succeed: 4 unsuccessful, 1 lost")
    expect(head.locator(".jobs-legend")).to_contain_text("4 running(1 lost,1 late)")
    expect(head.locator(".jobs-bar .fill-lost, .jobs-bar .fill-late")).to_have_count(2)
    expect(head).to_contain_text(re.compile(r"\d jobs/min"))
    address = "https://wiki.example.org/sweep?run=7"
    sqlite_server.comment("night", f"A sweep, see {address}.")
    expect(page.locator(".comment").get_by_role("link")).to_have_attribute("href", address)
    lost = page.get_by_role("region", name="1 lost job in 1 process")
    lost.get_by_role("button", name="Copy indices").click()
    expect(lost.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate(CLIPBOARD) == "24"
    lost.get_by_role("link", name="sweep").click()

    table = page.get_by_role("region", name="Lost jobs")
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table.locator("tbody tr")).to_contain_text(re.compile(r"24.*good.*started.*13 min ago"))
    expect(page.locator(".page-head .badges")).to_contain_text("4 unsuccessful, 1 lost")
    table.get_by_role("button", name="Copy 1 lost index").click()
    expect(table.get_by_role("button", name="Copied")).to_be_visible()
    with page.expect_download() as download:
        table.get_by_role("button", name="Download as JSON").click()
    [saved] = json.loads(Path(download.value.path()).read_text())
    told = {"index": 24, "liveness": "LOST", "lastEventClass": "STARTED", "progress": None}
    assert saved | told == saved
    table.get_by_role("link", name="24").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("sweep 24")


def let_pass(server: Server, seconds: float) -> None:
    """Put the changes of all processes into the past."""
    engine = create_engine(server.database_url)
    with engine.begin() as connection:
        for change in ("sample SET at = at", "process SET sampled_since = sampled_since"):
            connection.execute(text(f"UPDATE {change} - :seconds"), {"seconds": seconds})
    engine.dispose()


def test_why_it_is_at_risk_or_stalled(sqlite_server: Server, open_page: OpenPage) -> None:
    """An outlook has its reason; what makes no progress says so, instead of an estimate."""
    tolerant = {"name": "fit", "jobCount": 8, "failureTolerance": 3, "beatInterval": 60}
    sqlite_server.create("many", tolerant, {"name": "slow", "jobCount": 4})
    events = [
        *(event("fit", "STARTED", index) for index in range(6)),
        *(event("fit", "FAILED", index) for index in range(2)),
        event("fit", "STARTED", 6, sentAt=seconds_ago(900)),
        event("fit", "HELD", 5),
        *(event("slow", "STARTED", index, sentAt=seconds_ago(1500)) for index in range(4)),
        event("slow", "DONE", 0, sentAt=seconds_ago(1260)),
    ]
    assert all(result["userErrors"] == [] for result in sqlite_server.submit_many(events))
    let_pass(sqlite_server, 1200)
    page = open_page(page_url(sqlite_server, "tasks", "many"))
    fit, slow = (page.locator("li.process").filter(has_text=name) for name in ("fit", "slow"))
    expect(fit).to_contain_text("at risk: 2 unsuccessful, 1 lost, 1 held")
    expect(slow).to_contain_text(re.compile(r"stalled since .*\d\d?:\d\d"))
    expect(slow).not_to_contain_text("ends")
    slow.get_by_role("link").click()
    expect(page.locator(".page-head .badges")).to_contain_text("stalled since")
    expect(page.locator(".facts").first).to_contain_text("Stalled since")
    expect(page.locator(".facts").first).not_to_contain_text("Estimated finish")


def tiles(page: Page) -> Any:
    """The processes of a compact list."""
    return page.locator(".process-tiles .tile-name")


def test_two_hundred_processes_on_one_screen(sqlite_server: Server, open_page: OpenPage) -> None:
    """They fit, with those that need attention first; they are found, sorted, and stay in place."""
    create_many(sqlite_server)
    page = open_page(page_url(sqlite_server, "tasks", "many"), **WALL)
    expect(tiles(page)).to_have_count(200)
    urgent = ["simulated-step-60", "simulated-step-150", "simulated-step-30", "simulated-step-90"]
    first = tiles(page).evaluate_all("names => names.slice(0, 5).map(name => name.textContent)")
    assert sorted(first[:4]) == sorted(urgent)
    box = page.get_by_role("region", name="200 processes").bounding_box()
    assert box is not None
    assert box["height"] < WALL["height"]
    assert serious_findings(page) == []

    # Nothing moves under the pointer; what has changed is in its place when it leaves.
    last = page.locator(".process-tile").filter(has_text="simulated-step-199")
    last.hover()
    sqlite_server.submit("many", "simulated-step-199", "FAILED", index=0, exitCode=1)
    expect(last).to_contain_text("1 failed")
    assert tiles(page).nth(199).text_content() == "simulated-step-199"
    page.get_by_role("heading", level=1).hover()
    wait_for_value(
        page, lambda: tiles(page).nth(199).text_content(), lambda name: name != "simulated-step-199"
    )

    # Nor when one points at another part of the page; a button tells of it, and keys lead along.
    page.locator(".plot").hover()
    sqlite_server.submit("many", "simulated-step-120", "FAILED", index=0, exitCode=1)
    changed = page.get_by_role("button", name="Changed: show the latest processes")
    expect(changed).to_be_visible()
    place = tiles(page).all_text_contents().index("simulated-step-120")
    assert place > 4
    changed.click()
    wait_for_value(
        page,
        lambda: tiles(page).all_text_contents().index("simulated-step-120"),
        lambda found: found < place,
    )
    page.locator(".process-tile").first.focus()
    page.keyboard.press("j")
    expect(page.locator(".process-tile").nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator(".process-tile").first).to_be_focused()

    page.get_by_role("button", name="6 need attention").click()
    expect(tiles(page)).to_have_count(6)
    page.get_by_label("Sort by").select_option("name")
    names = [
        "simulated-step-30",
        "simulated-step-60",
        "simulated-step-90",
        "simulated-step-120",
        "simulated-step-150",
        "simulated-step-199",
    ]
    expect(tiles(page)).to_have_text(names)
    page.get_by_label("Find").fill("9 STEP")
    expect(tiles(page)).to_have_text(["simulated-step-90", "simulated-step-199"])
    page.get_by_role("button", name="Rows").click()
    expect(page.locator("li.process .name")).to_have_text(
        ["simulated-step-90", "simulated-step-199"]
    )
    page.reload()
    expect(page.locator("li.process .name")).to_have_text(
        ["simulated-step-90", "simulated-step-199"]
    )
    expect(page.get_by_text("200 processes, 2 matches")).to_be_visible()
