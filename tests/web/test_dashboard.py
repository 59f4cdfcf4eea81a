"""The dashboard, driven like a person does: what it shows is what the API says, as it happens."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser import COLOR_SCHEMES, OpenPage, serious_findings, wait_for_value
from tests.support.harness import Server, environment_with
from tests.support.sample_task import create_sample_task, page_url

WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture
def demo(sqlite_server: Server) -> Iterator[None]:
    """The demonstration, running for some seconds beside the test."""
    command = [sys.executable, "-m", "lamia_gql", "demo", "--minutes", "0.05"]
    with subprocess.Popen(
        [*command, "--url", sqlite_server.url], env=environment_with({}), stderr=subprocess.DEVNULL
    ) as running:
        yield
        running.terminate()


def row(page: Page, name: str) -> Locator:
    """The row of a task in the list."""
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def test_list_updates_by_itself(sqlite_server: Server, open_page: OpenPage) -> None:
    """Tasks appear, move and end on a page that is only looked at."""
    page = open_page(sqlite_server.url)
    expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    sqlite_server.create("night", {"name": "sweep", "jobCount": 4})
    expect(row(page, "night")).to_contain_text("pending")
    sqlite_server.submit("night", "sweep", "STARTED", index=3)
    for index in range(3):
        sqlite_server.submit("night", "sweep", "DONE", index=index)
    expect(row(page, "night").get_by_role("progressbar")).to_have_attribute("aria-valuenow", "75")
    expect(row(page, "night")).to_contain_text("running")
    sqlite_server.submit("night", "sweep", "FAILED", index=3)
    expect(row(page, "night")).to_contain_text("1 unsuccessful")
    expect(row(page, "night").locator(".cell-state")).to_have_text("failed")


@pytest.mark.usefixtures("demo")
def test_demonstration_can_be_followed(open_page: OpenPage, sqlite_server: Server) -> None:
    """From the list through a task and an array to a job, while all of it runs."""
    page = open_page(sqlite_server.url)
    page.get_by_role("link", name=re.compile("^trouble-")).click()
    process = page.locator("li.process").filter(has_text="hopeless")
    expect(process).to_contain_text("only 2 tolerated")
    expect(process).to_contain_text("of 50 jobs DONE")
    process.get_by_role("link", name="hopeless").click()
    expect(page.get_by_role("heading", name="Failures by host")).to_be_visible()
    expect(page.locator("ol.hosts li").first).to_contain_text("node")
    failing = page.locator("table.unsuccessful tbody tr").first
    expect(failing).to_contain_text(re.compile(r"\((exit 139, SIGSEGV|exit 74)\)"))
    failing.get_by_role("link").click()
    expect(page.locator("table.events tbody tr").first).to_contain_text("failed")
    page.go_back()
    expect(page.get_by_role("heading", name="Map of 50 jobs")).to_be_visible()


def test_filter_is_in_the_address(sqlite_server: Server, open_page: OpenPage) -> None:
    """Text, state, tag, user, time and order narrow the list, survive a reload, and go again."""
    create_sample_task(sqlite_server)
    sqlite_server.create("day", {"name": "alone"}, username="bob")
    page = open_page(sqlite_server.url)
    expect(page.locator("tbody tr")).to_have_count(2)

    page.get_by_label("Search").fill("swee")
    expect(page).to_have_url(re.compile(r"text=swee"))
    page.get_by_role("button", name="running").click()
    page.get_by_label("Sort by").select_option("name")
    page.get_by_role("button", name="Filters", exact=True).click()
    page.get_by_role("combobox", name="Submitted").select_option("24h")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(row(page, "night")).to_be_visible()
    expect(page.get_by_label("Search")).to_have_value("swee")
    expect(page.get_by_role("button", name="running")).to_have_attribute("aria-pressed", "true")
    for part in ("text=swee", "state=running", "sort=name", "within=24h"):
        assert part in page.url

    page.get_by_role("button", name="failed").click()
    page.get_by_role("button", name="running").click()
    expect(page.get_by_role("heading", name="No matching tasks")).to_be_visible()
    page.get_by_role("button", name="Show all tasks").click()
    expect(page.locator("tbody .name")).to_have_text(["day", "night"])
    page.get_by_role("button", name="Sort descending").click()
    expect(page.locator("tbody .name")).to_have_text(["night", "day"])
    page.get_by_role("button", name="Task", exact=True).click()
    expect(page.locator("tbody .name")).to_have_text(["day", "night"])
    expect(page.get_by_role("columnheader", name="Task")).to_have_attribute(
        "aria-sort", "ascending"
    )
    page.get_by_role("link", name="physics").click()
    expect(page.locator("tbody .name")).to_have_text(["night"])


def test_list_is_paged(sqlite_server: Server, open_page: OpenPage) -> None:
    """A page of the list has an address of its own, and leads to the next and back."""
    for number in range(105):
        sqlite_server.create(f"task-{number:03}", {"name": "alone"})
    page = open_page(f"{sqlite_server.url}/#/?sort=name")
    expect(page.locator("tbody .name")).to_have_count(100)
    page.get_by_role("button", name="Next").click()
    expect(page.locator("tbody .name").first).to_have_text("task-100")
    page.reload()
    expect(page.locator("tbody .name")).to_have_count(5)
    page.get_by_role("button", name="Previous").click()
    expect(page.locator("tbody .name").first).to_have_text("task-000")


def test_what_is_not_there_is_said(sqlite_server: Server, open_page: OpenPage) -> None:
    """Unknown tasks, processes, jobs and pages have an answer, and a way on."""
    sqlite_server.create("night", {"name": "sweep", "jobCount": 4})
    page = open_page(page_url(sqlite_server, "tasks", "nothing"))
    for path, told in (
        (("tasks", "nothing"), "Task not found"),
        (("tasks", "night", "nothing"), "Process not found"),
        (("tasks", "night", "sweep", "7"), "Job not found"),
        (("nowhere",), "Page not found"),
    ):
        page.goto(page_url(sqlite_server, *path))
        expect(page.get_by_role("heading", name=told)).to_be_visible()
    page.get_by_role("link", name="All tasks").click()
    expect(row(page, "night")).to_be_visible()


def test_times_are_local_with_utc_on_hover(sqlite_server: Server, open_page: OpenPage) -> None:
    """Times are in the reader's zone; hovering tells them in UTC."""
    sqlite_server.create("night", {"name": "alone"}, submittedAt="2026-03-01T22:30:00Z")
    page = open_page(
        page_url(sqlite_server, "tasks", "night"), timezone_id="Asia/Tokyo", locale="en-GB"
    )
    submitted = page.locator('time[datetime^="2026-03-01"]')
    expect(submitted).to_have_text("2 Mar 07:30:00")
    expect(submitted).to_have_attribute("title", re.compile(r"2026-03-01 22:30:00 UTC"))


def test_names_of_any_kind(sqlite_server: Server, open_page: OpenPage) -> None:
    """Names with spaces, percent signs, question marks and emoji lead where they should."""
    name = "50% of ? & ü #1 👩‍🔬"
    sqlite_server.create(name, {"name": "a b%20?", "jobCount": 2})
    page = open_page(sqlite_server.url)
    page.get_by_role("link", name=name).click()
    page.get_by_role("link", name="a b%20?").click()
    expect(page.get_by_role("heading", name="Map of 2 jobs")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="a b%20?")).to_be_visible()


PAGES = {
    (): "Tasks",
    ("tasks", "night"): "night",
    ("tasks", "night", "sweep"): "sweep",
    ("tasks", "night", "sweep", "9"): "sweep 9",
}
"""The paths of all kinds of pages, and their headings."""


def go(page: Page, server: Server, path: tuple[str, ...], title: str) -> None:
    """Go to a page and wait until nothing of it is still to come."""
    page.goto(page_url(server, *path))
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.get_by_role("status", name="Loading")).to_have_count(0)


def test_pages_are_accessible(sqlite_server: Server, open_page: OpenPage) -> None:
    """Axe finds nothing serious on any page, in light and dark."""
    create_sample_task(sqlite_server)
    page = open_page(page_url(sqlite_server))
    for path, title in PAGES.items():
        go(page, sqlite_server, path, title)
        for scheme in COLOR_SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert serious_findings(page) == [], (path, scheme)


def fits(page: Page, width: int) -> bool:
    """Whether a page is no wider than a screen, which pictures are a moment after they know it."""
    found: int = wait_for_value(page, lambda: page.evaluate(WIDTH), lambda found: found <= width)
    return found <= width


def test_pages_fit_on_any_screen(sqlite_server: Server, open_page: OpenPage) -> None:
    """Nothing is wider than the screen, however long its name; a phone has filters folded."""
    create_sample_task(sqlite_server)
    long = "a-very-long-name-" + 80 * "x"
    sqlite_server.create(
        long,
        {"name": long, "jobCount": 2},
        tags=[long, "physics"],
        username=long,
        hostname=long,
        comment=long,
        email=f"{long}@example.org",
    )
    failed = {"payload": {"message": long}, "hostname": long}
    sqlite_server.submit(long, long, "FAILED", index=1, **failed)
    page = open_page(page_url(sqlite_server), width=375, height=700, has_touch=True, is_mobile=True)
    expect(page.get_by_label("User")).to_be_hidden()
    page.get_by_role("button", name="Filters", exact=True).click()
    expect(page.get_by_label("User")).to_be_visible()
    paths = {
        ("tasks", long): long,
        ("tasks", long, long): long,
        ("tasks", long, long, "1"): f"{long} 1",
    }
    for path, title in (PAGES | paths).items():
        go(page, sqlite_server, path, title)
        for width in (320, 375, 780, 1000):
            page.set_viewport_size({"width": width, "height": 700})
            assert fits(page, width), (path, width)
