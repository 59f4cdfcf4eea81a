"""Tables that are saved as files, and pages of lists that are gone."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.support.browser import OpenPage
from tests.support.harness import Server
from tests.support.sample_task import page_url

FORMULA = '=HYPERLINK("http://example.org", "click")'


def save(page: Page, form: str) -> tuple[str, str]:
    """The name and the content of the file that a page saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download as {form}").first.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes().decode()


def test_a_table_becomes_a_file(sqlite_server: Server, open_page: OpenPage) -> None:
    """All failed jobs, over several pages, as CSV and JSON; formulas stay texts."""
    sqlite_server.create("night", {"name": "a:b sweep", "jobCount": 400}, tags=["x", "=y"])
    event: dict[str, Any] = {"task": "night", "process": "a:b sweep", "hostname": "n1"}
    failed = [
        event | {"index": 3 * index, "eventClass": "FAILED", "exitCode": 1, "message": FORMULA}
        for index in range(120)
    ]
    failed[0] |= {"message": "two\nlines", "usage": {"cpuSeconds": 1.5}}
    sqlite_server.submit_many([*failed, event | {"index": 1, "eventClass": "DONE"}])
    path = ("tasks", "night", "a%3Ab%20sweep")
    page = open_page(page_url(sqlite_server, *path), allowed=("status of 429",))
    name, text = save(page, "CSV")
    assert name == "night-a_b sweep-unsuccessful.csv"
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [int(row["index"]) for row in rows] == [3 * index for index in range(120)]
    assert rows[0]["message"] == "two\nlines"
    assert rows[0]["cpuSeconds"] == "1.5"
    assert {row["message"] for row in rows[1:]} == {f"'{FORMULA}"}
    expect(page.get_by_text("Saved 120 rows")).to_be_visible()
    refusals = iter((429,))

    def refuse(route: Route) -> None:
        """Answer the second page only when it is asked for again."""
        body = route.request.post_data or ""
        is_second = "ExportJobs" in body and '"after":"' in body
        status = next(refusals, None) if is_second else None
        busy = {"errors": [{"message": "Later.", "extensions": {"code": "RATE_LIMITED"}}]}
        route.continue_() if status is None else route.fulfill(status=status, json=busy)

    page.route("**/graphql", refuse)
    name, text = save(page, "JSON")
    page.unroute("**/graphql")
    assert next(refusals, None) is None
    assert name.endswith(".json")
    jobs = json.loads(text)
    assert len(jobs) == 120
    assert jobs[1] | {"index": 3, "state": "FAILED", "message": FORMULA, "signal": None} == jobs[1]

    page.goto(page_url(sqlite_server, "?text=night"))
    page.locator("summary", has_text="Download").click()
    [task] = csv.DictReader(io.StringIO(save(page, "CSV")[1], newline=""))
    assert (task["name"], task["tags"], task["jobs"]) == ("night", "'=y, x", "400")
    assert (task["failed"], task["outlook"]) == ("120", "CANNOT_SUCCEED")

    waiting: list[Route] = []
    page.route("**/graphql", lambda route: waiting.append(route))
    page.get_by_role("button", name="Download as CSV").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Download as CSV")).to_be_visible()


def test_a_page_that_is_gone(sqlite_server: Server, open_page: OpenPage) -> None:
    """A page whose tasks were deleted, or whose cursor is another list's, offers the first one."""
    for number in range(2):
        sqlite_server.create(f"task-{number}", {"name": "alone"})
    cursor = sqlite_server.graphql("{ tasks(first: 2) { pageInfo { endCursor } } }")
    after = cursor["tasks"]["pageInfo"]["endCursor"]
    page = open_page(
        page_url(sqlite_server, f"?text=task&after={after}"), allowed=("status of 400",)
    )
    gone = page.get_by_role("heading", name="This page of the list is no longer there")
    for address in (f"?text=task&sort=name&after={after}", "?text=task&before=nothing"):
        expect(gone).to_be_visible()
        page.get_by_role("button", name="Show the first page").click()
        expect(page).to_have_url(re.compile(r"text=task[^&]*$|text=task&sort=name$"))
        expect(page.locator("tbody .name")).to_have_count(2)
        page.goto(page_url(sqlite_server, address))
    expect(gone).to_be_visible()
