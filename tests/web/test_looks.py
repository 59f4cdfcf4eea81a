"""States are told apart with forced colours and on paper, and the map does not hold the wheel."""

from __future__ import annotations

import re
from functools import partial
from operator import eq

from playwright.sync_api import FloatRect, Page, expect

from tests.support.browser import (
    COLOR_SCHEMES,
    OpenPage,
    expect_true,
    serious_findings,
    wait_for_value,
)
from tests.support.harness import Server
from tests.support.sample_task import create_sample_task, page_url
from tests.web.test_array_page import colours_of_cells, place_of_cell

ALLOWED = ("Multiple readback operations",)
STATES = 8
"""The sample task has jobs of so many states, late and lost ones among them."""
NOWHERE: FloatRect = {"x": 0, "y": 0, "width": 0, "height": 0}
"""Where a part is that is not shown."""


def colour_in(page: Page, kind: str, scheme: str) -> str:
    """The colour that the style sheet has for a kind of cell in a scheme."""
    colour: str = page.evaluate(
        """([kind, scheme]) => {
             const probe = document.createElement("i");
             probe.className = "map-colour";
             probe.style.colorScheme = scheme;
             probe.style.color = `var(--${kind})`;
             document.body.append(probe);
             const { color } = getComputedStyle(probe);
             probe.remove();
             return color;
           }""",
        [kind, scheme],
    )
    return colour


def test_forced_colours(sqlite_server: Server, open_page: OpenPage) -> None:
    """Map and bars keep the colours of states, in those that suit the system's own."""
    create_sample_task(sqlite_server)
    page = open_page(
        page_url(sqlite_server, "tasks", "night", "sweep"), allowed=ALLOWED, forced_colors="active"
    )
    expect(page.get_by_role("button", name="late 1")).to_be_visible()
    for scheme in COLOR_SCHEMES:
        page.emulate_media(color_scheme=scheme)
        done = colour_in(page, "done", scheme)
        wait_for_value(page, lambda: colours_of_cells(page)[0], partial(eq, done))
        assert colours_of_cells(page)[0] == done
        assert len(set(colours_of_cells(page))) == STATES
        expect(page.locator(".jobs-bar .fill-done").first).to_have_css("background-color", done)
        assert serious_findings(page, "main") == []


def test_print(sqlite_server: Server, open_page: OpenPage) -> None:
    """Paper is light, also in the dark theme, and has no controls."""
    create_sample_task(sqlite_server)
    page = open_page(
        page_url(sqlite_server, "tasks", "night", "sweep"), allowed=ALLOWED, color_scheme="dark"
    )
    expect(page.get_by_role("button", name="late 1")).to_be_visible()
    page.emulate_media(media="print", color_scheme="dark")
    for control in ("Tasks", "GraphiQL"):
        expect(page.get_by_role("banner").get_by_role("link", name=control)).to_be_hidden()
    for control in ("Zoom in", "Open", "Pause", "Keyboard shortcuts ?"):
        expect(page.get_by_role("button", name=control, exact=True)).to_be_hidden()
    expect(page.locator("html")).to_have_css("background-color", "rgb(255, 255, 255)")
    light = colour_in(page, "done", "light")
    expect_true(page, lambda: colours_of_cells(page)[0] == light, "light")


def fills_the_screen(page: Page) -> bool:
    """Whether an array's map is as wide as the screen, and its two charts beside each other."""
    parts = (page.locator(part) for part in (".map-frame", "figure.plot", ".usage"))
    frame, plot, usage = (part.bounding_box() or NOWHERE for part in parts)
    assert page.viewport_size is not None
    wide = frame["width"] > page.viewport_size["width"] - 150
    return wide and plot["x"] + plot["width"] < usage["x"]


def test_wide_screens(sqlite_server: Server, open_page: OpenPage) -> None:
    """An array takes the width of the screen: its map, and two charts beside each other."""
    create_sample_task(sqlite_server)
    address = page_url(sqlite_server, "tasks", "night", "sweep")
    for width in (1920, 3840):
        page = open_page(address, width=width, height=1080)
        expect(page.locator(".usage")).to_be_visible()
        expect_true(page, partial(fills_the_screen, page), f"{width} pixels are not filled")


def test_a_wall(sqlite_server: Server, open_page: OpenPage) -> None:
    """On the screen of a wall, all is larger, and pointers hit what is shown."""
    create_sample_task(sqlite_server)
    size = {"width": 3840, "height": 2160}
    page = open_page(page_url(sqlite_server, "tasks", "night", "sweep"), **size)
    expect(page.get_by_role("button", name="late 1")).to_be_visible()
    canvas = page.locator("canvas")

    def is_sharp() -> bool:
        box = canvas.bounding_box()
        return box is not None and abs(canvas.evaluate("it => it.width") - box["width"]) < 2

    expect_true(page, is_sharp, "the map is blurred")
    box = canvas.bounding_box()
    assert box is not None
    zoom = canvas.evaluate("it => it.currentCSSZoom")
    columns, cell, left = (
        float(canvas.get_attribute(f"data-{name}") or 0) for name in ("columns", "cell", "x")
    )
    assert zoom * cell > 40
    assert columns > 22
    x, y = box["x"] + zoom * (left + 22.5 * cell), box["y"] + zoom * cell / 2
    page.mouse.move(x, y)
    expect(page.locator(".map-readout")).to_contain_text("Job 23 running, late")
    page.mouse.click(x, y)
    expect(page).to_have_url(re.compile("/sweep/23$"))
    timeline = page.locator(".job-timeline [role=slider]")
    frame = timeline.bounding_box()
    assert frame is not None
    labels = page.locator(".facts dt").first.bounding_box()
    assert labels is not None
    assert labels["height"] > 25
    middle = frame["y"] + frame["height"] / 2
    page.mouse.move(frame["x"] + frame["width"] * 0.25, middle)
    cursor = page.locator(".plot-cursor").bounding_box()
    assert cursor is not None
    assert abs(cursor["x"] - (frame["x"] + frame["width"] * 0.25)) < 4
    kiosk = open_page(f"{sqlite_server.url}/?kiosk", **size).locator("#root")
    expect(kiosk).to_have_css("zoom", "1")


def test_a_wall_with_an_older_browser(sqlite_server: Server, open_page: OpenPage) -> None:
    """One that does not tell by how much an element is enlarged shows the usual size."""
    create_sample_task(sqlite_server)
    page = open_page(f"{sqlite_server.url}/healthz", width=3840, height=2160)
    page.add_init_script("delete Element.prototype.currentCSSZoom")
    page.goto(page_url(sqlite_server, "tasks", "night", "sweep"))
    expect(page.get_by_role("button", name="late 1")).to_be_visible()
    expect(page.locator("#root")).to_have_css("zoom", "1")
    page.locator("canvas").hover(position=place_of_cell(page, 22))
    expect(page.locator(".map-readout")).to_contain_text("Job 23 running, late")


def test_wheel_scrolls_the_page(sqlite_server: Server, open_page: OpenPage) -> None:
    """Over the map, too, when it is zoomed; with Ctrl it zooms."""
    create_sample_task(sqlite_server)
    page = open_page(page_url(sqlite_server, "tasks", "night", "sweep"), height=500)
    canvas = page.locator("canvas")
    before = canvas.get_attribute("data-cell")
    canvas.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    expect(canvas).not_to_have_attribute("data-cell", before or "")
    place = [canvas.get_attribute(f"data-{name}") for name in ("cell", "x", "y")]
    top = page.evaluate("scrollY")
    page.mouse.wheel(0, 200)
    wait_for_value(page, lambda: page.evaluate("scrollY"), lambda it: it > top)
    assert page.evaluate("scrollY") > top
    assert [canvas.get_attribute(f"data-{name}") for name in ("cell", "x", "y")] == place
