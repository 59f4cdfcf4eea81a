"""The dashboard, driven like a person does: what it shows is what the API says, as it happens."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import Open, serious_findings
from tests.harness import Server, environment

NETWORK = ("WebSocket connection to", "net::ERR_")
"""What Chromium itself says about a server that is away."""


@pytest.fixture
def demo(sqlite_server: Server) -> Iterator[None]:
    """The demonstration, running for some seconds beside the test."""
    command = [sys.executable, "-m", "lamia_gql", "demo", "--minutes", "0.15"]
    with subprocess.Popen(
        [*command, "--url", sqlite_server.url], env=environment({}), stderr=subprocess.DEVNULL
    ) as running:
        yield
        running.terminate()


def ago(seconds: float) -> str:
    """An ISO time of the past."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def make_night(server: Server) -> None:
    """A task with an array of which every kind of cell is on the map, and a solitary process."""
    server.create(
        "night",
        {
            "name": "sweep",
            "jobCount": 40,
            "firstIndex": 1,
            "failureTolerance": 2,
            "beatInterval": 60,
        },
        {"name": "merge"},
        username="ada",
        tags=["physics", "run-7"],
        comment="A sweep.",
        config={"energy": 13.6},
    )
    host = {
        index: "bad.example.org" if index in (9, 10, 11) else "good.example.org"
        for index in range(1, 41)
    }
    events: list[dict[str, Any]] = []

    def add(event_class: str, *indices: int, seconds: float = 1, **fields: Any) -> None:
        events.extend(
            {"task": "night", "process": "sweep", "index": index, "eventClass": event_class}
            | {"sentAt": ago(seconds), "hostname": host[index]}
            | fields
            for index in indices
        )

    add("SUBMITTED", *range(1, 31), seconds=900)
    add("STARTED", *range(1, 25), seconds=800)
    add("BEAT", 21, 22, seconds=1)
    add("BEAT", 23, seconds=150)
    add("DONE", *range(1, 9), *range(13, 21))
    add("FAILED", 9, 10, 11, payload={"exitCode": 139, "stderr": "segmentation violation"})
    add("TERMINATED", 12)
    assert all(result["userErrors"] == [] for result in server.submit_many(events))


def job_states(server: Server) -> dict[int, str]:
    """What the API says about every job: its state, or its silence."""
    jobs = server.graphql(
        """{ process(task: "night", name: "sweep") { ... on Array {
             jobs(first: 100) { nodes { index state liveness } } } } }"""
    )["process"]["jobs"]["nodes"]
    return {
        job["index"]: job["liveness"] if job["liveness"] in ("LATE", "LOST") else job["state"]
        for job in jobs
    }


def address(server: Server, *path: str) -> str:
    """The address of a page of the dashboard."""
    return f"{server.url}/#/{'/'.join(path)}"


def row(page: Page, name: str) -> Locator:
    """The row of a task in the list."""
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def test_list_updates_by_itself(sqlite_server: Server, open_page: Open) -> None:
    """Tasks appear, move and end on a page that is only looked at."""
    page = open_page(sqlite_server.url)
    expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    sqlite_server.create("night", {"name": "sweep", "jobCount": 4})
    expect(row(page, "night")).to_contain_text("pending")
    sqlite_server.submit("night", "sweep", "STARTED", index=0)
    expect(row(page, "night")).to_contain_text("running")
    for index in range(3):
        sqlite_server.submit("night", "sweep", "DONE", index=index)
    expect(row(page, "night").get_by_role("progressbar")).to_have_attribute("aria-valuenow", "75")
    sqlite_server.submit("night", "sweep", "FAILED", index=3)
    expect(row(page, "night")).to_contain_text("1 failed")
    expect(row(page, "night").locator(".cell-state")).to_have_text("failed")


@pytest.mark.usefixtures("demo")
def test_demonstration_can_be_followed(open_page: Open, sqlite_server: Server) -> None:
    """From the list through a task and an array to a job, while all of it runs."""
    page = open_page(sqlite_server.url)
    page.get_by_role("link", name=re.compile("^trouble-")).click()
    process = page.locator("li.process").filter(has_text="hopeless")
    expect(process).to_contain_text("only 2 tolerated")
    expect(process).to_contain_text("of 50 jobs DONE")
    process.get_by_role("link", name="hopeless").click()
    expect(page.get_by_role("heading", name="Hosts by failures")).to_be_visible()
    expect(page.locator("ol.hosts li").first).to_contain_text("node")
    failing = page.locator("table.failing tbody tr").first
    expect(failing).to_contain_text("segmentation violation (exit code 139)")
    failing.get_by_role("link").click()
    expect(page.locator("table.events tbody tr").first).to_contain_text("failed")
    page.go_back()
    expect(page.get_by_role("heading", name="Map of 50 jobs")).to_be_visible()


def test_filter_is_in_the_address(sqlite_server: Server, open_page: Open) -> None:
    """Text, state, tag, user, time and order narrow the list, survive a reload, and go again."""
    make_night(sqlite_server)
    sqlite_server.create("day", {"name": "alone"}, username="bob")
    page = open_page(sqlite_server.url)
    expect(page.locator("tbody tr")).to_have_count(2)

    page.get_by_label("Search").fill("swee")
    expect(page).to_have_url(re.compile(r"text=swee"))
    page.get_by_role("button", name="running").click()
    page.get_by_label("Order", exact=True).select_option("name")
    page.get_by_label("Submitted").select_option("24h")
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
    expect(page.get_by_role("heading", name="No task fits")).to_be_visible()
    page.get_by_role("button", name="Show all tasks").click()
    expect(page.locator("tbody .name")).to_have_text(["day", "night"])
    page.get_by_role("button", name="Oldest or first first; turn around").click()
    expect(page.locator("tbody .name")).to_have_text(["night", "day"])
    page.get_by_role("link", name="physics").click()
    expect(page.locator("tbody .name")).to_have_text(["night"])


def test_list_is_paged(sqlite_server: Server, open_page: Open) -> None:
    """A page of the list has an address of its own, and leads to the next and back."""
    for number in range(30):
        sqlite_server.create(f"task-{number:02}", {"name": "alone"})
    page = open_page(f"{sqlite_server.url}/#/?sort=name")
    expect(page.locator("tbody .name")).to_have_count(25)
    page.get_by_role("button", name="Next").click()
    expect(page.locator("tbody .name").first).to_have_text("task-25")
    page.reload()
    expect(page.locator("tbody .name")).to_have_count(5)
    page.get_by_role("button", name="Previous").click()
    expect(page.locator("tbody .name").first).to_have_text("task-00")


def colours_of_cells(page: Page) -> list[str]:
    """The colours in the cells of the map, by place, a little off their middles."""
    found: list[str] = page.evaluate(
        """() => {
             const canvas = document.querySelector("canvas");
             const { columns, cell, x, y } = canvas.dataset;
             const context = canvas.getContext("2d");
             const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
             const colours = [];
             for (let place = 0; place < 40; place += 1) {
               const left = Math.round((+x + (place % columns + 0.2) * cell) * devicePixelRatio);
               const row = Math.floor(place / columns);
               const top = Math.round((+y + (row + 0.5) * cell) * devicePixelRatio);
               const [r, g, b] = data.slice(4 * (top * canvas.width + left));
               colours.push(`rgb(${r}, ${g}, ${b})`);
             }
             return colours;
           }"""
    )
    return found


def colour_named(page: Page, kind: str) -> str:
    """What the style sheet has for a kind of cell."""
    colour: str = page.evaluate(
        """name => {
             const probe = document.createElement("i");
             probe.style.color = `var(--${name})`;
             document.body.append(probe);
             const { color } = getComputedStyle(probe);
             probe.remove();
             return color;
           }""",
        kind.lower(),
    )
    return colour


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_map_shows_what_the_api_says(sqlite_server: Server, open_page: Open, scheme: str) -> None:
    """Every cell has the colour of its job's state or silence, and follows it."""
    make_night(sqlite_server)
    page = open_page(
        address(sqlite_server, "tasks", "night", "sweep"),
        color_scheme=scheme,
        allowed=("Multiple readback operations",),
    )
    expect(page.get_by_role("button", name="late 1")).to_be_visible()
    states = job_states(sqlite_server)
    assert set(states.values()) == {
        *("PENDING", "SUBMITTED", "RUNNING", "DONE", "FAILED", "TERMINATED", "LATE", "LOST")
    }
    page.wait_for_timeout(200)
    assert colours_of_cells(page) == [colour_named(page, states[index]) for index in range(1, 41)]

    sqlite_server.submit("night", "sweep", "DONE", index=40)
    expect(page.get_by_role("button", name="done 17")).to_be_visible()
    page.wait_for_timeout(200)
    assert colours_of_cells(page)[39] == colour_named(page, "DONE")


def test_failed_indices_in_three_clicks(sqlite_server: Server, open_page: Open) -> None:
    """From the list, two clicks copy the failed jobs of a task, as the API has them."""
    make_night(sqlite_server)
    page = open_page(sqlite_server.url, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="night").click()
    page.get_by_role("button", name="Copy 4 failed indices").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    indices = sqlite_server.graphql(
        """{ process(task: "night", name: "sweep") { ... on Array {
             indices(state: [FAILED, TERMINATED]) } } }"""
    )["process"]["indices"]
    assert page.evaluate("navigator.clipboard.readText()") == indices == "9-12"


def test_picked_state_is_brought_out(sqlite_server: Server, open_page: Open) -> None:
    """A state that is picked is in the address, its indices can be read and copied."""
    make_night(sqlite_server)
    page = open_page(
        address(sqlite_server, "tasks", "night", "sweep"),
        permissions=["clipboard-read", "clipboard-write"],
    )
    for kind, indices in (("lost", "24"), ("pending", "31-40"), ("done", "1-8,13-20")):
        page.get_by_role("button", name=re.compile(rf"^{kind} \d")).click()
        expect(page.locator(".picked code")).to_have_text(indices)
        page.get_by_role("button", name=f"Copy the indices: {kind}").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == indices
    page.reload()
    expect(page.locator(".picked code")).to_have_text("1-8,13-20")


def test_hosts_are_ranked_by_failures(sqlite_server: Server, open_page: Open) -> None:
    """The bad node is at the top."""
    make_night(sqlite_server)
    page = open_page(address(sqlite_server, "tasks", "night", "sweep"))
    expect(page.locator("ol.hosts li")).to_contain_text(["bad.example.org", "good.example.org"])
    expect(page.locator("ol.hosts li .host-count")).to_have_text(["3", "1"])


def test_map_by_keyboard(sqlite_server: Server, open_page: Open) -> None:
    """The map can be moved through, zoomed and opened without a mouse."""
    make_night(sqlite_server)
    page = open_page(address(sqlite_server, "tasks", "night", "sweep"))
    page.get_by_role("application").focus()
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".map-readout")).to_contain_text("Job 9 failed")
    before = float(page.locator("canvas").get_attribute("data-cell") or 0)
    page.keyboard.press("+")
    expect(page.locator("canvas")).not_to_have_attribute("data-cell", str(before))
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="sweep 9")).to_be_visible()


def test_map_by_mouse(sqlite_server: Server, open_page: Open) -> None:
    """Pointing tells the job, a click opens it."""
    make_night(sqlite_server)
    page = open_page(address(sqlite_server, "tasks", "night", "sweep"))
    expect(page.get_by_role("button", name="late 1")).to_be_visible()
    place = page.evaluate(
        """() => {
             const { columns, cell, x, y } = document.querySelector("canvas").dataset;
             const row = Math.floor(22 / columns);
             return [+x + (22 - row * columns + 0.5) * cell, +y + (row + 0.5) * cell];
           }"""
    )
    page.locator("canvas").hover(position={"x": place[0], "y": place[1]})
    expect(page.locator(".map-readout")).to_contain_text("Job 23 running, late")
    page.locator("canvas").click(position={"x": place[0], "y": place[1]})
    expect(page).to_have_url(re.compile("/sweep/23$"))


def test_events_stream_in(sqlite_server: Server, open_page: Open) -> None:
    """A job's page grows with its events, and tells host, attempts, progress and payloads."""
    sqlite_server.create("one", {"name": "alone"})
    page = open_page(address(sqlite_server, "tasks", "one", "alone"))
    expect(page.get_by_text("Nothing was heard of this job yet")).to_be_visible()
    sqlite_server.submit("one", "alone", "STARTED", sentAt=ago(60), hostname="node1")
    expect(page.locator("table.events tbody tr")).to_have_count(1)
    sqlite_server.submit("one", "alone", "PROGRESS", progress=40, sentAt=ago(30), hostname="node1")
    sqlite_server.submit("one", "alone", "STARTED", attempt=1, sentAt=ago(20), hostname="node2")
    sqlite_server.submit("one", "alone", "DONE", attempt=1, payload={"lines": 7}, hostname="node2")
    expect(page.locator("table.events tbody tr")).to_have_count(4)
    expect(page.locator("table.events tbody tr").first).to_contain_text('{"lines":7}')
    expect(page.locator(".page-head")).to_contain_text("Attempts2")
    expect(page.locator(".page-head")).to_contain_text("node2")
    expect(page.locator(".life rect")).to_have_count(2)


def test_interruption_is_shown_and_heals(sqlite_server: Server, open_page: Open) -> None:
    """A killed server is told of at once; when it is back, so is the page, without a reload."""
    sqlite_server.create("night", {"name": "sweep", "jobCount": 4})
    page = open_page(address(sqlite_server, "tasks", "night"), allowed=NETWORK)
    process = page.locator("li.process")
    expect(process).to_contain_text("0 of 4 jobs DONE")
    page.evaluate("window.isSame = true")
    sqlite_server.kill()
    expect(page.get_by_role("alert")).to_contain_text("The connection was interrupted")
    expect(process).to_contain_text("0 of 4 jobs DONE")
    sqlite_server.start()
    sqlite_server.submit("night", "sweep", "DONE", index=1)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(process).to_contain_text("1 of 4 jobs DONE")
    sqlite_server.submit("night", "sweep", "DONE", index=2)
    expect(process).to_contain_text("2 of 4 jobs DONE")
    assert page.evaluate("window.isSame")


def test_what_is_not_there_is_said(sqlite_server: Server, open_page: Open) -> None:
    """Unknown tasks, processes, jobs and pages have an answer, and a way on."""
    sqlite_server.create("night", {"name": "sweep", "jobCount": 4})
    page = open_page(address(sqlite_server, "tasks", "nothing"))
    for path, told in (
        (("tasks", "nothing"), "There is no such task"),
        (("tasks", "night", "nothing"), "There is no such process"),
        (("tasks", "night", "sweep", "7"), "There is no such job"),
        (("nowhere",), "There is no such page"),
    ):
        page.goto(address(sqlite_server, *path))
        expect(page.get_by_role("heading", name=told)).to_be_visible()
    page.get_by_role("link", name="All tasks").click()
    expect(row(page, "night")).to_be_visible()


def test_times_are_local_with_utc_on_hover(sqlite_server: Server, open_page: Open) -> None:
    """Times are in the reader's zone; hovering tells them in UTC."""
    sqlite_server.create("night", {"name": "alone"}, submittedAt="2026-03-01T22:30:00Z")
    page = open_page(
        address(sqlite_server, "tasks", "night"), timezone_id="Asia/Tokyo", locale="en-GB"
    )
    submitted = page.locator('time[datetime^="2026-03-01"]')
    expect(submitted).to_have_text("2 Mar 07:30:00")
    expect(submitted).to_have_attribute("title", re.compile(r"2026-03-01 22:30:00 UTC"))


def test_names_of_any_kind(sqlite_server: Server, open_page: Open) -> None:
    """Names with spaces, percent signs and question marks lead where they should."""
    name = "50% of ? & ü #1"
    sqlite_server.create(name, {"name": "a b%20?", "jobCount": 2})
    page = open_page(sqlite_server.url)
    page.get_by_role("link", name=name).click()
    page.get_by_role("link", name="a b%20?").click()
    expect(page.get_by_role("heading", name="Map of 2 jobs")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="a b%20?")).to_be_visible()


PAGES = [(), ("tasks", "night"), ("tasks", "night", "sweep"), ("tasks", "night", "sweep", "9")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(sqlite_server: Server, open_page: Open, scheme: str) -> None:
    """Axe finds nothing serious on any page, in light and dark."""
    make_night(sqlite_server)
    for path in PAGES:
        page = open_page(address(sqlite_server, *path), color_scheme=scheme)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_timeout(500)
        assert serious_findings(page) == [], path


def test_pages_fit_on_a_phone(sqlite_server: Server, open_page: Open) -> None:
    """Nothing is wider than the screen of a phone."""
    make_night(sqlite_server)
    for path in PAGES:
        page = open_page(
            address(sqlite_server, *path), width=375, height=700, has_touch=True, is_mobile=True
        )
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_timeout(500)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 375, path
