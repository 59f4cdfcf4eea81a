"""The dashboard without a mouse."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.browser import OpenPage
from tests.support.harness import Server
from tests.support.sample_task import create_sample_task


def tab_to(page: Page, text: str) -> None:
    """Press Tab until something with this text, or of this name, has the focus."""
    focused = """() => document.activeElement.ariaLabel ?? document.activeElement.textContent"""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(focused).startswith(text):
            return
    raise AssertionError(f"Tab does not lead to {text}")


def test_everywhere_by_keyboard(sqlite_server: Server, open_page: OpenPage) -> None:
    """From the list to a job and back, and to the numbers of a plot, without a mouse."""
    create_sample_task(sqlite_server)
    page = open_page(sqlite_server.url)
    expect(page.get_by_role("row").filter(has_text="night")).to_be_visible()
    for name, title in (("night", "night"), ("sweep", "sweep")):
        tab_to(page, name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.get_by_role("slider")).to_be_visible()
    tab_to(page, "failed")
    page.keyboard.press("Enter")
    expect(page.locator(".picked code")).to_have_text("9-11")
    tab_to(page, "Jobs by state and progress over time")
    page.keyboard.press("Home")
    expect(page.locator(".plot-cursor")).to_have_count(1)
    page.keyboard.press("End")
    expect(page.locator(".plot figcaption")).to_contain_text("3 failed")
    page.get_by_role("heading", level=1).click()
    tab_to(page, "10")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("sweep 10")
    tab_to(page, "Tasks")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row").filter(has_text="night")).to_be_visible()
