"""Why jobs failed: causes at the top of the pages, which pick jobs in table, map and clipboard."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from lamia_gql.commands.resubmission import FORMS
from tests.api.test_failure_groups import Failure, expected, fail
from tests.support.browser import COLOR_SCHEMES, OpenPage, expect_true, serious_findings
from tests.support.harness import Server, run_cli
from tests.support.sample_task import page_url, seconds_ago
from tests.web.test_array_page import colour_named, colours_of_cells
from tests.web.test_dashboard import fits
from tests.web.test_pushed_pages import Traffic

CLIPBOARD = ["clipboard-read", "clipboard-write"]
BAD_ALLOC = "std::bad_alloc at #"
CODES = list(enumerate("abcdefghijkl", 20))


@pytest.fixture
def failing(sqlite_server: Server) -> Server:
    """A server with a task whose jobs failed for four causes, most of them on one node."""
    server = sqlite_server
    server.create("night", {"name": "fill", "jobCount": 40}, {"name": "merge"}, {"name": "plain"})
    events: list[dict[str, Any]] = []

    def add(event_class: str, *indices: int | None, process: str = "fill", **fields: Any) -> None:
        for index in indices:
            event: dict[str, Any] = {"task": "night", "process": process, "eventClass": event_class}
            event |= {"sentAt": seconds_ago(60), "hostname": "good.example.org"} | fields
            event |= {} if index is None else {"index": index}
            if "message" in fields:
                event["message"] = fields["message"].format(index or 0)
            events.append(event)

    add("DONE", *range(20))
    memory: dict[str, Any] = {
        "exitCode": 134,
        "signal": "SIGABRT",
        "message": "std::bad_alloc at 0x7f{}00",
    }
    add("FAILED", 20, 21, 22, 25, hostname="bad.example.org", **memory)
    add("FAILED", 30, **memory)
    add("FAILED", 23, 24, exitCode=1, message="step {} of 99 failed")
    add("FAILED", None, process="merge", exitCode=1, message="step {} of 99 failed")
    add("FAILED", 26, exitCode=1, message="no such file: /data/{}.root", hostname="bad.example.org")
    add("TERMINATED", 27)
    add("HELD", 31, 32, message="over the memory limit of 2048 MB")
    assert all(result["userErrors"] == [] for result in server.submit_many(events))
    return server


def cause(page: Page, text: str) -> Locator:
    """The button that picks a cause."""
    return page.locator("li.cause .cause-pick").filter(has_text=text)


def indices_in_table(page: Page) -> Locator:
    """The links to the jobs in the table of failures."""
    return page.locator("table.unsuccessful tbody .name")


def copied(page: Page, button: Locator) -> str:
    """What a button copies."""
    button.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def test_causes_of_an_array(failing: Server, open_page: OpenPage) -> None:
    """The causes are those of the API, with their hosts, the largest first."""
    page = open_page(page_url(failing, "tasks", "night", "fill"))
    expect(page.get_by_role("heading", name="9 failures, 4 causes")).to_be_visible()
    groups = failing.graphql(
        """{ process(task: "night", name: "fill") { ... on JobArray {
             failureGroups { count message exitCode } } } }"""
    )["process"]["failureGroups"]
    rows = page.locator("li.cause")
    expect(rows.locator(".cause-count")).to_have_text([str(g["count"]) for g in groups])
    expect(rows.locator(".cause-message")).to_have_text([g["message"] for g in groups[:3]])
    expect(rows.first).to_contain_text("exit 134, SIGABRT")
    expect(rows.first).to_contain_text("bad (4), good (1)")
    expect(rows.last).to_contain_text("nothing told")


def test_a_picked_cause(failing: Server, open_page: OpenPage) -> None:
    """From the task to the indices of the worst cause on the worst node in four clicks.

    Table, map, hosts and indices show the same jobs, and the address keeps them.
    """
    page = open_page(
        page_url(failing, "tasks", "night"),
        permissions=CLIPBOARD,
        allowed=("Multiple readback operations",),
    )
    page.get_by_role("link", name="fill").click()
    cause(page, BAD_ALLOC).click()
    expect(indices_in_table(page)).to_have_text(["20", "21", "22", "25", "30"])
    expect(page.locator(".picked code")).to_have_text("20-22,25,30")
    expect(page.locator("ol.hosts li .host-count")).to_have_text(["4", "1"])
    page.locator("ol.hosts").get_by_role("button", name="bad").click()
    expect(indices_in_table(page)).to_have_text(["20", "21", "22", "25"])
    button = page.get_by_role("button", name="Copy the picked indices")
    assert copied(page, button) == "20-22,25"
    page.reload()
    expect(indices_in_table(page)).to_have_text(["20", "21", "22", "25"])
    expect(cause(page, BAD_ALLOC)).to_have_attribute("aria-pressed", "true")
    failed = colour_named(page, "failed")

    def failed_cells() -> list[int]:
        return [place for place, it in enumerate(colours_of_cells(page)) if it == failed]

    expect_true(page, lambda: failed_cells() == [20, 21, 22, 25], "the map shows them")
    page.get_by_role("button", name="show all causes").click()
    expect(indices_in_table(page)).to_have_text(["20", "21", "22", "25", "26"])
    page.get_by_role("button", name="show all hosts").click()
    expect(indices_in_table(page)).to_have_count(9)
    expect(page.locator(".picked")).to_have_count(0)


def test_how_jobs_ended(failing: Server, open_page: OpenPage) -> None:
    """Failures are picked by exit code, whatever their messages; a state takes their place."""
    page = open_page(page_url(failing, "tasks", "night", "fill"))
    exits = page.get_by_role("group", name="Ended by")
    expect(exits.get_by_role("button")).to_have_text(
        ["exit 134, SIGABRT 5", "exit 1 3", "no exit code 1"]
    )
    exits.get_by_role("button", name="exit 1 3").click()
    expect(indices_in_table(page)).to_have_text(["23", "24", "26"])
    exits.get_by_role("button", name="no exit code").click()
    expect(indices_in_table(page)).to_have_text(["27"])
    page.get_by_role("button", name=re.compile(r"^held \d")).click()
    expect(page.locator(".picked code")).to_have_text("31-32")
    expect(indices_in_table(page)).to_have_count(9)
    cause(page, "nothing told").click()
    expect(indices_in_table(page)).to_have_text(["27"])


def test_copies_in_many_forms(failing: Server, open_page: OpenPage) -> None:
    """Indices are copied as ``lamia-gql resubmit`` prints them; the choice is for all pages."""
    task, process = page_url(failing, "tasks", "night"), page_url(failing, "tasks", "night", "fill")
    page = open_page(process, permissions=CLIPBOARD)
    for form in FORMS:
        page.get_by_label("Copy as").select_option(form)
        text = copied(page, page.get_by_role("button", name="Copy 9 unsuccessful indices"))
        states = "--state=failed,terminated"
        url = f"--url={failing.url}"
        printed = run_cli("resubmit", "night", "fill", states, "--as", form, url).stdout
        assert "27" in printed
        assert text == printed.removesuffix("\n")
        page.goto(task)
        expect(page.get_by_label("Copy as")).to_have_value(form)
        page.goto(process)


def test_causes_of_a_task(failing: Server, open_page: OpenPage) -> None:
    """A cause of a task leads to the processes that have it, each with its indices."""
    page = open_page(page_url(failing, "tasks", "night"), permissions=CLIPBOARD)
    expect(page.get_by_role("heading", name="10 failures, 4 causes")).to_be_visible()
    step = cause(page, "step # of # failed")
    step.click()
    processes = page.locator(".failed-processes li")
    expect(processes).to_contain_text(["fill 2 failures", "merge 1 failure"])
    page.get_by_label("Copy as").select_option("slurm")
    assert copied(page, page.get_by_role("button", name="Copy 3 indices")) == (
        "# fill\n--array=23-24\n# merge, whose only job has no index"
    )
    processes.get_by_role("link", name="fill").click()
    expect(indices_in_table(page)).to_have_text(["23", "24"])
    expect(page.locator(".picked code")).to_have_text("23-24")


def test_held_jobs(failing: Server, open_page: OpenPage) -> None:
    """What is held is counted, listed with its reason, and goes when it goes on."""
    page = open_page(page_url(failing, "tasks", "night", "fill"))
    expect(page.locator(".page-head .jobs-legend")).to_contain_text("2 held")
    rows = page.locator("table.held tbody tr")
    expect(rows).to_contain_text(["31", "32"])
    expect(rows.first).to_contain_text("over the memory limit of 2048 MB")
    rows.first.get_by_role("link").click()
    expect(page.locator(".why")).to_have_text("Held: over the memory limit of 2048 MB")
    failing.submit("night", "fill", "STARTED", index=31)
    expect(page.locator(".why")).to_have_count(0)
    expect(page.locator(".job-timeline figcaption")).to_contain_text("held")
    page.go_back()
    expect(rows).to_have_count(1)


def test_why_a_job_failed(failing: Server, open_page: OpenPage) -> None:
    """The head of a job tells why, what it used, and its id in the batch system."""
    usage: dict[str, float] = {"cpuSeconds": 90, "wallSeconds": 60, "cpus": 2}
    usage |= {"maxRssBytes": 2**30, "requestedMemoryBytes": 2**31}
    failing.submit("night", "fill", "STARTED", index=35, batchId="1234_35", attempt=2)
    failing.submit(
        "night",
        "fill",
        "FAILED",
        index=35,
        attempt=2,
        batchId="1234_35",
        exitCode=134,
        message="std::bad_alloc",
        usage=usage,
        payload={"stderr": ["first line", "  second line"], "code": 7},
    )
    page = open_page(page_url(failing, "tasks", "night", "fill", "35"))
    expect(page.locator(".why")).to_have_text("Failed: std::bad_alloc (exit 134)")
    facts = page.locator(".page-head .facts")
    for told in (
        "Batch id1234_35",
        "Restarts2",
        "CPU time1 min 30 s (75 % of 2 CPUs)",
        "Memory1 GiB of 2 GiB requested (50 %)",
    ):
        expect(facts).to_contain_text(told)
    ended = page.locator("table.events tbody tr").first
    expect(ended.locator("pre")).to_have_text("first line\n  second line")
    expect(ended.locator("code")).to_have_text('{"code":7}')
    failing.submit(
        "night", "plain", "FAILED", payload={"exitCode": 139, "stderr": "segmentation violation"}
    )
    page.goto(page_url(failing, "tasks", "night", "plain"))
    # Earlier clients told why in the payload only.
    expect(page.locator(".why")).to_have_text("Failed: segmentation violation (exit 139)")


def test_a_picked_cause_is_pushed(failing: Server, open_page: OpenPage) -> None:
    """Causes, and the jobs of the one that is picked, follow without a request."""
    page = open_page("about:blank")
    traffic = Traffic(page)
    page.goto(page_url(failing, "tasks", "night", "fill"))
    cause(page, BAD_ALLOC).click()
    expect(indices_in_table(page)).to_have_count(5)
    traffic.until_pushed(4)
    traffic.requests.clear()
    failing.submit(
        *("night", "fill", "FAILED"),
        index=36,
        exitCode=134,
        signal="SIGABRT",
        message="std::bad_alloc at 0x1234",
    )
    expect(page.get_by_role("heading", name="10 failures, 4 causes")).to_be_visible()
    page.mouse.move(0, 0)
    expect(indices_in_table(page)).to_have_text(["20", "21", "22", "25", "30", "36"])
    expect(page.locator(".picked code")).to_have_text("20-22,25,30,36")
    failing.submit("night", "fill", "STARTED", index=20, attempt=1)
    expect(indices_in_table(page)).to_have_text(["21", "22", "25", "30", "36"])
    assert traffic.requests == []


def test_many_causes(sqlite_server: Server, open_page: OpenPage) -> None:
    """The first causes are shown, then twenty; how many failures have others is told."""
    sqlite_server.create("night", {"name": "fill", "jobCount": 60})
    failed = {"task": "night", "process": "fill", "eventClass": "FAILED"}
    sqlite_server.submit_many([failed | {"index": i, "exitCode": i // 2} for i in range(50)])
    page = open_page(page_url(sqlite_server, "tasks", "night", "fill"))
    expect(page.get_by_role("heading", name="50 failures, more than 20 causes")).to_be_visible()
    expect(page.locator("li.cause")).to_have_count(6)
    page.get_by_role("button", name="Show all 20 causes").click()
    expect(page.locator("li.cause")).to_have_count(20)
    expect(page.get_by_text("and 10 failures of other causes")).to_be_visible()
    cause(page, "exit 17").click()
    page.reload()
    # One that is picked is shown.
    expect(cause(page, "exit 17")).to_have_attribute("aria-pressed", "true")


def test_causes_are_accessible(failing: Server, open_page: OpenPage) -> None:
    """Axe finds nothing serious where a cause is picked, in light and dark, and on a phone."""
    page = open_page(page_url(failing, "tasks", "night"))
    for path in (("night",), ("night", "fill")):
        page.goto(page_url(failing, "tasks", *path))
        button = cause(page, "step # of # failed")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_role("status", name="Loading")).to_have_count(0)
        for scheme in COLOR_SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert serious_findings(page) == [], (path, scheme)
        page.set_viewport_size({"width": 375, "height": 700})
        assert fits(page, 375), path
        page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_fifty_thousand_failures_of_a_million_jobs(
    sqlite_server: Server, open_page: OpenPage
) -> None:
    """Twelve causes on 300 hosts are grouped on the page as they were sent, and can be picked."""
    chance = random.Random(14)
    sqlite_server.create("t", {"name": "a", "jobCount": 1_000_000})
    causes = [Failure(code, None, f"{name}: step {{}} failed", None) for code, name in CODES]
    failures: dict[int, tuple[Failure, str | None]] = {
        index: (chance.choice(causes), f"node{chance.randrange(300):03}")
        for index in chance.sample(range(1_000_000), 50_000)
    }
    events = [fail(index, *how) for index, how in failures.items()]
    for begin in range(0, len(events), 1000):
        sqlite_server.submit_many(events[begin : begin + 1000])
    page = open_page(page_url(sqlite_server, "tasks", "t", "a"))
    expect(page.get_by_role("heading", name="50,000 failures, 12 causes")).to_be_visible()
    page.get_by_role("button", name="Show all 12 causes").click()
    groups = expected(failures)
    rows = page.locator("li.cause")
    expect(rows.locator(".cause-count")).to_have_text([f"{g['count']:,}" for g in groups])
    expect(rows.locator(".tag")).to_have_text([f"exit {g['exitCode']}" for g in groups])
    for group, facts in zip(groups, rows.locator(".cause-facts").all_inner_texts(), strict=True):
        assert f"and {len(group['hosts']) - 3} more hosts" in facts
    cause(page, f"exit {groups[3]['exitCode']}").click()
    first = sorted(groups[3]["indices"])[:15]
    expect(indices_in_table(page)).to_have_text([str(index) for index in first])
    expect(page.locator("#unsuccessful")).to_contain_text(f"{groups[3]['count']:,}")
