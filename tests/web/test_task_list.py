"""The list of tasks, as those see it who watch over many of them."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, Route, expect

from tests.support.browser import COLOR_SCHEMES, OpenPage, serious_findings, wait_for_value
from tests.support.harness import Server
from tests.support.sample_task import seconds_ago

RECORD_NOTIFICATIONS = """
  window.told = [];
  window.Notification = class {
    static permission = "default";
    static requestPermission = async () => (Notification.permission = "granted");
    constructor(title, { body }) { window.told.push(`${title}: ${body}`); }
  };
"""
"""Headless browsers show no notifications, and refuse them unasked."""
BAD_ALLOC = {"message": "std::bad_alloc", "exitCode": 134, "hostname": "node17"}


CREATE = "mutation($i: CreateTasksInput!) { createTasks(input: $i) { userErrors { code } } }"


def begin(server: Server, *names: str, **fields: Any) -> None:
    """Create tasks with an array of 20 jobs, of which four have started."""
    process = {"name": "fill", "jobCount": 20, "failureTolerance": 5, "beatInterval": 60}
    tasks = [{"name": name, "processes": [process]} | fields for name in names]
    assert server.graphql(CREATE, i={"tasks": tasks})["createTasks"]["userErrors"] == []
    for name in names:
        report(server, name, "STARTED", 0, 1, 2, 3)


def report(server: Server, name: str, event_class: str, *indices: int, **fields: Any) -> None:
    """Submit an event of some jobs of a task."""
    event = {"task": name, "process": "fill", "eventClass": event_class} | fields
    results = server.submit_many([event | {"index": index} for index in indices])
    assert all(result["userErrors"] == [] for result in results)


def begin_forty(server: Server) -> None:
    """Forty tasks, of which five need help, in the midst of the others."""
    begin(server, *(f"task-{number:02}" for number in range(40)))
    for name in ("task-07", "task-21"):
        report(server, name, "FAILED", *range(6), **BAD_ALLOC)
    report(server, "task-21", "TERMINATED", 6, hostname="node3")
    report(server, "task-12", "STARTED", 4, 5, sentAt=seconds_ago(900), hostname="node9")
    report(server, "task-30", "FAILED", 1, message="no convergence", hostname="node2")
    report(server, "task-30", "HELD", 2)
    report(server, "task-33", "FAILED", *range(20), **BAD_ALLOC)
    report(server, "task-05", "FAILED", 0, message="tolerated")
    report(server, "task-05", "DONE", *range(1, 20))


def rows(page: Page) -> Locator:
    """The tasks of the list."""
    return page.locator(".tasks tbody tr:not(.group)")


def names(page: Page) -> Locator:
    """Their names."""
    return page.locator(".tasks tbody .name")


def test_a_shift_sees_what_needs_help_and_why(sqlite_server: Server, open_page: OpenPage) -> None:
    """On one screen, with nothing touched: which of 40 tasks need help, and the reason."""
    begin_forty(sqlite_server)
    helped = [
        ("task-21", "cannot succeed: 7 unsuccessful · std::bad_alloc (exit 134)"),
        ("task-07", "cannot succeed: 6 unsuccessful · std::bad_alloc (exit 134)"),
        ("task-30", "at risk: 1 unsuccessful, 1 held · no convergence"),
        ("task-12", "at risk: 2 lost"),
        ("task-33", "20 unsuccessful · std::bad_alloc (exit 134)"),
    ]
    for address, scheme in zip(("/", "/?kiosk"), COLOR_SCHEMES, strict=True):
        page = open_page(f"{sqlite_server.url}{address}", width=1920, height=1080)
        expect(rows(page)).to_have_count(40)
        for place, (name, why) in enumerate(helped):
            expect(names(page).nth(place)).to_have_text(name)
            reason = rows(page).nth(place).locator(".cell-why")
            expect(reason).to_have_text(re.compile(re.escape(why.split(" · ")[0])))
            expect(reason).to_contain_text(why.split(" · ")[-1])
        expect(rows(page).nth(5).locator(".cell-why")).to_be_empty()
        succeeded = rows(page).filter(has_text="task-05")
        expect(succeeded).to_contain_text("succeeded")
        expect(succeeded.locator(".cell-why")).to_be_empty()
        assert page.evaluate("document.documentElement.scrollHeight") <= 1080
        expect(page).to_have_title("(3) Tasks · lamia")
        icon = page.locator('link[rel="icon"]')
        expect(icon).to_have_attribute("href", re.compile(r"^data:image/svg\+xml,.*%3E3%3C%2Ftext"))
        totals = page.locator(".totals").first
        for text in ("40 tasks", "2 cannot succeed", "2 at risk", "1 failed", "38 running"):
            expect(totals).to_contain_text(text)
        expect(totals).to_contain_text("35 unsuccessful, 2 lost, 1 held")
        page.emulate_media(color_scheme=scheme)
        assert serious_findings(page) == [], (address, scheme)


def test_rows_stay_under_the_pointer(sqlite_server: Server, open_page: OpenPage) -> None:
    """What comes while somebody points at the list waits for them; a pause holds it, too."""
    begin(sqlite_server, "one", "two")
    page = open_page(sqlite_server.url)
    expect(names(page)).to_have_text(["two", "one"])
    names(page).last.hover()
    at = names(page).last.bounding_box()
    report(sqlite_server, "one", "FAILED", *range(6))
    begin(sqlite_server, "three")
    expect(rows(page).last).to_contain_text("cannot succeed: 6 unsuccessful")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    assert names(page).last.bounding_box() == at
    page.get_by_role("button", name="1 new").click()
    expect(names(page)).to_have_text(["one", "three", "two"])

    page.get_by_role("button", name="Pause").click()
    page.get_by_role("heading", name="Tasks", exact=True).hover()
    begin(sqlite_server, "four")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(names(page)).to_have_text(["one", "three", "two"])
    page.get_by_role("button", name="Pause").click()
    expect(names(page)).to_have_text(["one", "four", "three", "two"])


def test_rows_do_not_jump_before_the_eye(sqlite_server: Server, open_page: OpenPage) -> None:
    """Where nobody touches the list, rows change their places after a quiet moment."""
    begin(sqlite_server, "one", "two")
    for address in ("/", "/?kiosk"):
        page = open_page("about:blank", width=1920)
        page.clock.install()
        page.goto(f"{sqlite_server.url}{address}")
        expect(names(page)).to_have_count(2)
        before = names(page).all_text_contents()
        report(sqlite_server, before[-1], "FAILED", *range(6))
        expect(rows(page).last).to_contain_text("cannot succeed: 6 unsuccessful")
        expect(page.get_by_role("button", name="Changed: show the latest tasks")).to_be_visible()
        assert names(page).all_text_contents() == before
        page.clock.fast_forward(8000)
        expect(names(page)).to_have_text(before[::-1])
        expect(page.get_by_role("button", name="Changed")).to_have_count(0)


def test_tasks_are_found_and_grouped(sqlite_server: Server, open_page: OpenPage) -> None:
    """By outlook, user, host and message, in groups; what is found can be saved as a view."""
    for name, user, tags in (
        ("skim", "ada", ["physics"]),
        ("fit", "grace", []),
        ("toys", "grace", ["physics", "mc"]),
    ):
        begin(sqlite_server, name, username=user, tags=tags)
    report(sqlite_server, "fit", "FAILED", 2, **BAD_ALLOC)
    page = open_page(sqlite_server.url)
    page.get_by_role("button", name="at risk").click()
    expect(names(page)).to_have_text(["fit"])
    page.get_by_role("button", name="Clear filters").click()
    page.get_by_label("Group by").select_option("user")
    groups = page.locator(".group strong:first-child")
    expect(groups).to_have_text(["grace", "ada"])
    page.get_by_label("Group by").select_option("tag")
    expect(groups).to_have_text(["mc", "physics", "without tags"])
    page.get_by_label("Group by").select_option("")
    # There may be no room for all of them.
    expect(rows(page).filter(has_text="toys").locator(".cell-tags")).to_have_attribute(
        "title", "mc, physics"
    )

    page.get_by_role("button", name="Dense rows").click()
    page.reload()
    expect(page.get_by_role("button", name="Dense rows")).to_have_attribute("aria-pressed", "false")

    page.get_by_label("User").fill("ada, g")
    expect(page.locator("datalist option")).to_have_attribute("value", "ada, grace")
    page.get_by_label("User").fill("")
    expect(names(page)).to_have_count(3)
    page.get_by_role("button", name="Filters", exact=True).click()
    page.get_by_label("Host of a job").fill("node17")
    expect(names(page)).to_have_text(["fit"])
    page.get_by_label("Message of a failed job").fill("alloc")
    expect(page).to_have_url(re.compile("message=alloc"))
    expect(names(page)).to_have_text(["fit"])
    page.get_by_text("Views", exact=True).click()
    page.get_by_label("Save this filter and order as").fill("out of memory")
    page.get_by_role("button", name="Save").click()
    page.goto(f"{sqlite_server.url}/#/?state=running,broken&colour=red")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("There is no state “broken”.")
    expect(page.get_by_role("alert")).to_contain_text("There is no parameter “colour”.")
    page.get_by_role("link", name="Remove them from the address").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(names(page)).to_have_count(3)
    page.get_by_text("Views", exact=True).click()
    assert serious_findings(page) == []
    page.get_by_role("link", name="out of memory").click()
    expect(names(page)).to_have_text(["fit"])
    page.get_by_text("out of memory").first.click()
    page.get_by_role("button", name="Remove the view out of memory").click()
    expect(page.get_by_text("No saved views yet.")).to_be_visible()


def test_the_list_stays_until_another_is_there(sqlite_server: Server, open_page: OpenPage) -> None:
    """A new filter empties neither the list nor the tab's title while its answer is awaited."""
    begin(sqlite_server, "early", "late")
    report(sqlite_server, "early", "FAILED", *range(6))
    page = open_page(sqlite_server.url)
    expect(page).to_have_title("(1) Tasks · lamia")
    held: list[Route] = []
    waiting = True

    def hold(route: Route) -> None:
        if waiting:
            held.append(route)
        else:
            route.continue_()

    page.route("**/graphql", hold)
    page.get_by_label("Search").fill("earl")
    expect(page.locator("[aria-busy=true] table")).to_be_visible()
    expect(names(page)).to_have_text(["early", "late"])
    expect(page).to_have_title("(1) Tasks · lamia")
    assert page.get_by_label("Loading").count() == 0
    waiting = False
    for route in held:
        route.continue_()
    expect(names(page)).to_have_text(["early"])
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    expect(page).to_have_title("(1) Tasks · lamia")


def test_the_browser_tells_of_tasks_that_fail(sqlite_server: Server, open_page: OpenPage) -> None:
    """Once allowed, it tells of a task that can no longer succeed, and not of earlier ones."""
    begin(sqlite_server, "early", "late")
    report(sqlite_server, "early", "FAILED", *range(6))
    page = open_page("about:blank")
    page.add_init_script(RECORD_NOTIFICATIONS)
    page.goto(sqlite_server.url)
    expect(page).to_have_title("(1) Tasks · lamia")
    page.get_by_role("button", name="Notify").click()
    expect(page.get_by_role("button", name="Notify")).to_have_attribute("aria-pressed", "true")
    report(sqlite_server, "late", "FAILED", *range(7))
    expect(page).to_have_title("(2) Tasks · lamia")
    told = wait_for_value(page, lambda: page.evaluate("told"), bool)
    assert told == ["late cannot succeed: 7 unsuccessful"]

    # This browser refuses it when it is asked.
    refused = open_page("about:blank", width=375)
    refused.add_init_script(RECORD_NOTIFICATIONS.replace("granted", "denied"))
    refused.goto(sqlite_server.url)
    refused.get_by_role("button", name="Notify").press("Enter")
    reason = refused.get_by_text("This page cannot notify: your browser refuses it.")
    expect(reason).to_be_visible()
    refused.keyboard.press("Escape")
    expect(reason).to_be_hidden()
    refused.keyboard.press("Enter")
    expect(reason).to_be_visible()
