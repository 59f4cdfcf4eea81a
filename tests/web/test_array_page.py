"""The page of an array: its map agrees with the API, and what failed is at hand."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Position, expect

from tests.support.browser import COLOR_SCHEMES, OpenPage, wait_for_value
from tests.support.harness import Server
from tests.support.sample_task import create_sample_task, page_url


def job_states(server: Server) -> dict[int, str]:
    """What the API says about every job: its state, or its silence."""
    jobs = server.graphql(
        """{ process(task: "night", name: "sweep") { ... on JobArray {
             jobs(first: 100) { nodes { index state liveness } } } } }"""
    )["process"]["jobs"]["nodes"]
    return {
        job["index"]: job["liveness"] if job["liveness"] in ("LATE", "LOST") else job["state"]
        for job in jobs
    }


def expect_colours(page: Page, kinds: list[str]) -> None:
    """Wait until the cells of the map have the colours that the style sheet has for these kinds."""
    wanted = [colour_named(page, kind) for kind in kinds]
    assert (
        wait_for_value(page, lambda: colours_of_cells(page), lambda found: found == wanted)
        == wanted
    )


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


def test_map_shows_what_the_api_says(sqlite_server: Server, open_page: OpenPage) -> None:
    """Every cell has the colour of its job's state or silence, in light and dark, and follows."""
    create_sample_task(sqlite_server)
    page = open_page(
        page_url(sqlite_server, "tasks", "night", "sweep"),
        allowed=("Multiple readback operations",),
    )
    expect(page.get_by_role("button", name="late 1")).to_be_visible()
    states = job_states(sqlite_server)
    assert set(states.values()) == {
        *("PENDING", "SUBMITTED", "RUNNING", "DONE", "FAILED", "TERMINATED", "LATE", "LOST")
    }
    for scheme in COLOR_SCHEMES:
        page.emulate_media(color_scheme=scheme)
        expect_colours(page, [states[index] for index in range(1, 41)])
    sqlite_server.submit("night", "sweep", "DONE", index=40)
    expect_colours(page, [*(states[index] for index in range(1, 40)), "DONE"])


def test_failed_indices_in_three_clicks(sqlite_server: Server, open_page: OpenPage) -> None:
    """From the list, two clicks copy the failed jobs of a task, as the API has them."""
    create_sample_task(sqlite_server)
    page = open_page(sqlite_server.url, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="night").click()
    page.get_by_role("button", name="Copy 4 unsuccessful indices").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    indices = sqlite_server.graphql(
        """{ process(task: "night", name: "sweep") { ... on JobArray {
             indices(states: [FAILED, TERMINATED]) } } }"""
    )["process"]["indices"]
    assert page.evaluate("navigator.clipboard.readText()") == indices == "9-12"


def test_picked_state_is_brought_out(sqlite_server: Server, open_page: OpenPage) -> None:
    """A state that is picked is in the address, its indices can be read and copied."""
    create_sample_task(sqlite_server)
    page = open_page(
        page_url(sqlite_server, "tasks", "night", "sweep"),
        permissions=["clipboard-read", "clipboard-write"],
    )
    for kind, indices in (("lost", "24"), ("pending", "31-40"), ("done", "1-8,13-20")):
        page.get_by_role("button", name=re.compile(rf"^{kind} \d")).click()
        expect(page.locator(".picked code")).to_have_text(indices)
        page.get_by_role("button", name=f"Copy indices: {kind}").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == indices
    page.reload()
    expect(page.locator(".picked code")).to_have_text("1-8,13-20")


def test_failures_are_listed(sqlite_server: Server, open_page: OpenPage) -> None:
    """Each failing job with its host, its time and its last words; the bad node is at the top."""
    create_sample_task(sqlite_server)
    page = open_page(page_url(sqlite_server, "tasks", "night", "sweep"))
    expect(page.locator("table.unsuccessful .message")).to_have_text(
        [
            "segmentation violation (exit 139)",
            "segmentation violation (exit 139)",
            "killed by SIGKILL",
            "stopped by SIGTERM",
        ]
    )
    rows = page.locator("table.unsuccessful tbody tr")
    expect(rows).to_contain_text(["9failedbad", "10failed", "11failed", "12terminated"])
    expect(rows.first.locator("time")).to_have_attribute("title", re.compile(" UTC$"))
    expect(page.locator("ol.hosts li")).to_contain_text(["bad", "good"])
    expect(page.locator("ol.hosts li .host-count")).to_have_text(["3", "1"])


def test_many_failures(sqlite_server: Server, open_page: OpenPage) -> None:
    """What failed is shown page by page; the hosts of all are counted."""
    sqlite_server.create("bad", {"name": "sweep", "jobCount": 200})
    failed = {"task": "bad", "process": "sweep", "eventClass": "FAILED"}
    sqlite_server.submit_many(
        [failed | {"index": index, "hostname": f"node{index // 90}"} for index in range(130)]
    )
    page = open_page(page_url(sqlite_server, "tasks", "bad", "sweep"))
    expect(page.locator("ol.hosts li .host-count")).to_have_text(["90", "40"])
    expect(page.locator("#hosts ~ p")).to_have_text("by last host")
    links = page.locator("table.unsuccessful tbody a")
    pages = page.get_by_role("navigation", name="Pages of unsuccessful jobs")
    expect(links.first).to_have_text("0")
    pages.get_by_role("button", name="Next").click()
    expect(links.first).to_have_text("15")
    pages.get_by_role("button", name="Next").click()
    expect(links.first).to_have_text("30")
    for first in ("15", "0"):
        pages.get_by_role("button", name="Previous").click()
        expect(links.first).to_have_text(first)
    sqlite_server.submit("bad", "sweep", "STARTED", index=0, attempt=1)
    expect(page.get_by_role("button", name="1 new: show the latest jobs")).to_be_visible()
    expect(links.first).to_have_text("0")
    page.mouse.move(0, 0)
    expect(links.first).to_have_text("1")


def test_map_by_keyboard(sqlite_server: Server, open_page: OpenPage) -> None:
    """The map can be moved through, zoomed and opened without a mouse."""
    create_sample_task(sqlite_server)
    page = open_page(page_url(sqlite_server, "tasks", "night", "sweep"))
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


def place_of_cell(page: Page, offset: int) -> Position:
    """Where the middle of a cell is on the map."""
    place: Position = page.evaluate(
        """offset => {
             const { columns, cell, x, y } = document.querySelector("canvas").dataset;
             const row = Math.floor(offset / columns);
             return { x: +x + (offset - row * columns + 0.5) * cell, y: +y + (row + 0.5) * cell };
           }""",
        offset,
    )
    return place


def test_map_by_mouse(sqlite_server: Server, open_page: OpenPage) -> None:
    """Pointing tells the job, a click opens it."""
    create_sample_task(sqlite_server)
    page = open_page(page_url(sqlite_server, "tasks", "night", "sweep"))
    expect(page.get_by_role("button", name="late 1")).to_be_visible()
    page.locator("canvas").hover(position=place_of_cell(page, 22))
    expect(page.locator(".map-readout")).to_contain_text("Job 23 running, late")
    page.locator("canvas").click(position=place_of_cell(page, 22))
    expect(page).to_have_url(re.compile("/sweep/23$"))


def test_map_by_finger(sqlite_server: Server, open_page: OpenPage) -> None:
    """A tap only tells the job, as a finger covers several; a tap on what is told opens it."""
    create_sample_task(sqlite_server)
    address = page_url(sqlite_server, "tasks", "night", "sweep")
    page = open_page(address, width=320, height=640, has_touch=True, is_mobile=True)
    expect(page.get_by_role("button", name="late 1")).to_be_visible()
    expect(page.get_by_text("Tap a cell to identify it")).to_be_visible()
    expect(page.get_by_text("Hover over a cell")).to_be_hidden()
    told = page.locator(".map-readout").get_by_role("button")
    for index, state in ((9, "failed"), (23, "running, late")):
        page.locator("canvas").tap(position=place_of_cell(page, index - 1))
        expect(told).to_contain_text(f"Job {index} {state}")
    assert page.url == address
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    told.tap()
    expect(page).to_have_url(re.compile("/sweep/23$"))
