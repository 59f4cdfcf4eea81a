"""Where a reader is: in the address and the history, so that back leads there; and keys."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.support.browser import OpenPage, expect_true, serious_findings, wait_for_value
from tests.support.harness import Server
from tests.support.sample_task import create_sample_task, page_url

MESSAGES = ("std::bad_alloc", "timeout")
"""Why the jobs failed, in turn: those of 0, 6, 12, …, and of 3, 9, 15, …"""


def create_failures(server: Server) -> None:
    """Create an array of 5,000 jobs, of which every third of the first 400 failed."""
    server.create("night", {"name": "sweep", "jobCount": 5000})
    failed: dict[str, Any] = {"task": "night", "process": "sweep", "eventClass": "FAILED"}
    server.submit_many(
        [
            failed | {"index": index, "message": MESSAGES[index % 2], "exitCode": 1}
            for index in range(0, 400, 3)
        ]
    )


def place(page: Page) -> tuple[str, int, str]:
    """The address, how far it is scrolled, and what the map shows."""
    return (
        page.url,
        page.evaluate("Math.round(scrollY)"),
        page.evaluate("JSON.stringify(document.querySelector('canvas')?.dataset)"),
    )


def expect_place(page: Page, wanted: tuple[str, int, str]) -> None:
    """Wait until the page is at a place."""
    assert wait_for_value(page, lambda: place(page), lambda found: found == wanted) == wanted


def expect_job(page: Page, index: int) -> None:
    """Wait until the page of a job is shown."""
    expect(page.get_by_role("heading", level=1)).to_have_text(f"sweep {index}")


def test_back_leads_to_where_one_was(sqlite_server: Server, open_page: OpenPage) -> None:
    """From the second page of a cause to some of its jobs and back, all is as it was."""
    create_failures(sqlite_server)
    page = open_page(page_url(sqlite_server, "tasks", "night", "sweep"))
    page.get_by_role("button", name="timeout").first.click()
    page.get_by_role("button", name="Zoom in", exact=True).click()
    page.get_by_role("button", name="Zoom in", exact=True).click()
    expect(page).to_have_url(re.compile("map=2.56"))
    links = page.locator("table.unsuccessful tbody a")
    pages = page.get_by_role("navigation", name="Pages of unsuccessful jobs")
    pages.get_by_role("button", name="Next").click()
    expect(links.first).to_have_text("93")
    page.reload()
    expect(links.first).to_have_text("93")
    links.nth(3).scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, 60)")
    links.nth(3).focus()
    before = place(page)
    assert "2.56" in before[0]
    assert before[1] > 0
    page.keyboard.press("Enter")

    expect_job(page, 111)
    expect_true(page, lambda: page.evaluate("scrollY") == 0, "its top")
    page.keyboard.press("]")
    expect_job(page, 117)
    page.get_by_role("button", name="Next").click()
    expect_job(page, 123)
    page.keyboard.press("[")
    expect_job(page, 117)
    page.go_back()
    expect_place(page, before)
    expect(links.first).to_have_text("93")
    expect(links.nth(3)).to_be_focused()
    page.reload()
    expect_place(page, before)

    pages.get_by_role("button", name="Previous").click()
    expect(links.first).to_have_text("3")
    expect(page).not_to_have_url(re.compile("unsuccessful-"))
    page.get_by_role("button", name="timeout").first.click()
    expect(links.first).to_have_text("0")


def test_a_list_of_jobs_has_ends(sqlite_server: Server, open_page: OpenPage) -> None:
    """Before the first and after the last unsuccessful job there is none, and the page says so."""
    create_failures(sqlite_server)
    page = open_page(page_url(sqlite_server, "tasks", "night", "sweep", "1000"))
    expect_job(page, 1000)
    page.keyboard.press("]")
    told = page.locator(".failing-jobs [role=status]")
    expect(told).to_have_text("No unsuccessful job after this one.")
    page.keyboard.press("[")
    expect_job(page, 399)
    page.goto(f"{page.url}?why=message&message=timeout")
    page.keyboard.press("]")
    expect(told).to_have_text("No job with this cause after this one.")


def test_a_page_of_a_list_that_is_none(sqlite_server: Server, open_page: OpenPage) -> None:
    """A cursor that the server does not know is told, and the first page offered."""
    create_failures(sqlite_server)
    address = page_url(sqlite_server, "tasks", "night", "sweep")
    page = open_page(f"{address}?unsuccessful-after=nonsense")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="First page").click()
    expect(page.locator("table.unsuccessful tbody a").first).to_have_text("0")


def test_an_address_with_values_that_are_wrong(sqlite_server: Server, open_page: OpenPage) -> None:
    """Each page says what it ignores, and a link removes that, but not what it knows."""
    create_failures(sqlite_server)
    path = ["tasks", "night", "sweep", "1000"]
    page = open_page("about:blank")
    for length, wrong, right in (
        (2, "view=tree", "why=message&message=timeout"),
        (3, "pick=broken&map=middle", "why=message&message=timeout"),
        (4, "exit=134", "why=message&message=timeout"),
    ):
        page.goto(page_url(sqlite_server, *path[:length]) + f"?{wrong}&{right}")
        page.reload()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("This page ignores")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        alert.get_by_role("link", name="from the address").click()
        expect(alert).to_have_count(0)
        assert page.url.endswith(f"?{right}")


def test_keys(sqlite_server: Server, open_page: OpenPage) -> None:
    """Rows, search and help by single keys, which fields leave alone and a reader can turn off."""
    create_sample_task(sqlite_server)
    page = open_page(page_url(sqlite_server, "tasks", "night", "sweep"))
    rows = page.locator("table.unsuccessful tbody a")
    expect(rows).to_have_count(4)
    for key, row in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(rows.nth(row)).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("spinbutton", name="Job")).to_be_focused()
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(help_).to_be_hidden()
    page.locator("main").focus()
    page.keyboard.press("?")
    expect(help_).to_be_visible()
    assert serious_findings(page, "dialog") == []
    page.keyboard.press("Escape")
    page.goto(page_url(sqlite_server, "tasks", "night", "sweep", "9"))
    expect_job(page, 9)
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_label("Single keys are shortcuts").uncheck()
    page.get_by_role("button", name="Close").click()
    page.reload()
    expect(page.get_by_role("row").filter(has_text="night")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("?")
    expect(help_).to_be_hidden()
    expect(page.locator("tbody a.name")).not_to_be_focused()
