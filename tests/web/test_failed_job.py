"""The page of a job that failed: why, in words that can be read, followed and copied."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.browser import OpenPage, serious_findings
from tests.support.harness import Server
from tests.support.sample_task import page_url
from tests.web.test_dashboard import fits

LINES = [f'  File "/opt/fit/step.py", line {line}, in step_{line}' for line in range(60)]
TRACEBACK = "\n".join(["Traceback:", *LINES, "see https://wiki.example.org/io(1)."])
OUTPUT = "root://eos.example.org//store/ada/point-3.root"
CLIPBOARD = "navigator.clipboard.readText()"
BROKEN = """selector => [...document.querySelectorAll(selector)]
  .flatMap(({ childNodes }) => [...childNodes])
  .filter(node => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return node.nodeType === Node.TEXT_NODE && range.getClientRects().length > 1;
  })
  .map(({ textContent }) => textContent)"""
"""The texts in some elements that are on more than one line."""


def test_why_a_job_failed(sqlite_server: Server, open_page: OpenPage) -> None:
    """The head tells the cause; the payload has texts to read, links to follow, paths to copy."""
    sqlite_server.create("night", {"name": "fit", "jobCount": 4})
    payload = {
        "traceback": TRACEBACK,
        "log": "https://logs.example.org/jobs/3?full=1",
        "output": OUTPUT,
        "script": "javascript:alert(1)",
        "steps": 7,
    }
    failed = {"message": "std::bad_alloc at /scratch/run-7/fit.log", "exitCode": 134}
    sqlite_server.submit(
        "night", "fit", "FAILED", index=3, hostname="n3.example.org", payload=payload, **failed
    )
    page = open_page(page_url(sqlite_server, "tasks", "night", "fit", "3"), width=1000)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    why = page.locator(".why")
    expect(why).to_contain_text("Failed: std::bad_alloc at /scratch/run-7/fit.log")
    expect(why).to_contain_text("(exit 134)")
    why.get_by_role("button", name="Copy the message").click()
    expect(why.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate(CLIPBOARD) == f"{failed['message']} (exit 134)"
    why.get_by_role("button", name="Copy /scratch/run-7/fit.log").click()
    expect(why.get_by_role("button", name="Copied")).to_have_count(2)
    assert page.evaluate(CLIPBOARD) == "/scratch/run-7/fit.log"

    event = page.locator("table.events tbody tr")
    text = event.locator("pre")
    assert text.inner_text() == TRACEBACK
    assert text.evaluate("box => box.clientHeight < 240 && box.scrollWidth <= box.clientWidth")
    expect(event.locator(".host")).to_have_text("n3")
    event.get_by_role("button", name="Copy output").click()
    expect(event.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate(CLIPBOARD) == OUTPUT
    links = event.locator("a")
    assert [link.get_attribute("href") for link in links.all()] == [
        "https://wiki.example.org/io(1)",
        "https://logs.example.org/jobs/3?full=1",
    ]
    expect(links.first).to_have_attribute("rel", "noreferrer")
    expect(event).to_contain_text('{"script":"javascript:alert(1)","steps":7}')
    # Nothing tells when it began.
    expect(page.locator(".job-timeline figcaption")).to_have_text("failed")
    assert serious_findings(page) == []
    page.set_viewport_size({"width": 375, "height": 700})
    expect(page.locator(".page-head")).to_contain_text("n3.example.org")
    assert fits(page, 375)


def test_hosts_and_numbers_stay_whole(sqlite_server: Server, open_page: OpenPage) -> None:
    """Hosts lack the domain that all have in common; neither they nor indices are broken."""
    sqlite_server.create("night", {"name": "fit", "jobCount": 400})
    hosts = [f"wn-{number}.cluster-a.example.org" for number in range(10, 14)]
    event = {"task": "night", "process": "fit", "eventClass": "FAILED", "message": "no memory"}
    events = [event | {"index": 3 * i, "hostname": hosts[i % 4]} for i in range(120)]
    sqlite_server.submit_many(events)
    address = page_url(sqlite_server, "tasks", "night", "fit?pick=failed")
    page = open_page(address, width=375, height=700)
    expect(page.locator(".picked code")).to_contain_text("0,3,6,9,")
    expect(page.locator(".picked code")).to_contain_text(" …")
    table = page.locator("table.unsuccessful .host")
    expect(table.first).to_have_text("wn-10")
    expect(table.first).to_have_attribute("title", hosts[0])
    expect(page.locator("ol.hosts .host")).to_have_text([f"wn-{n}" for n in range(10, 14)])
    expect(page.locator("#hosts ~ p")).to_contain_text("without the domain cluster-a.example.org")
    assert page.evaluate(BROKEN, ".host, .picked code") == []
