"""The page of an array tells how long its jobs took, which still run, and what they used."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.browser import OpenPage, expect_true, serious_findings
from tests.support.harness import Server
from tests.support.sample_task import page_url, seconds_ago

GIB = 2**30


def test_distributions(sqlite_server: Server, open_page: OpenPage) -> None:
    """Durations as a histogram and by host, stragglers to copy, memory and CPU time as used."""
    sqlite_server.create("long", {"name": "fit", "jobCount": 24, "beatInterval": 60})
    job = {"task": "long", "process": "fit"}
    used = {"maxRssBytes": GIB, "requestedMemoryBytes": 2 * GIB, "cpus": 2}
    events = []
    for index in range(20):
        seconds = 60 if index < 10 else 300
        usage = used | {"cpuSeconds": seconds, "wallSeconds": seconds}
        begin, end = seconds_ago(3000), seconds_ago(3000 - seconds)
        events += [
            job | {"index": index, "eventClass": "STARTED", "sentAt": begin},
            job
            | {"index": index, "eventClass": "DONE", "sentAt": end, "usage": usage}
            | {"hostname": "fast" if index < 10 else "slow"},
        ]
    for index in (20, 21, 23):
        events.append(job | {"index": index, "eventClass": "STARTED", "sentAt": seconds_ago(2000)})
    assert all(result["userErrors"] == [] for result in sqlite_server.submit_many(events))
    page = open_page(
        page_url(sqlite_server, "tasks", "long", "fit"),
        permissions=["clipboard-read", "clipboard-write"],
    )
    card = page.get_by_role("region", name="Durations and resources")
    bins = card.get_by_role("list", name="Jobs by duration").get_by_role("listitem")
    full = bins.filter(has_text="jobs")
    expect(full).to_have_text([re.compile("1 min.*: 10 jobs"), re.compile("5 min.*: 10 jobs")])
    expect(card).to_contain_text("3 jobs have run for more than 7 min 30 s")
    card.get_by_role("button", name="Copy 3 indices").click()
    expect(card.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "20-21,23"
    memory = card.get_by_role("img")
    expect(memory).to_have_accessible_name(re.compile("largest 1 GiB, requested 2 GiB"))
    efficiency = card.get_by_role("progressbar", name="CPU efficiency")
    expect(efficiency).to_have_attribute("aria-valuetext", "50 %")
    hosts = card.get_by_role("region", name="Hosts on which jobs took longest")
    expect(hosts.get_by_role("listitem")).to_have_text(
        [
            "slow5 min on average1 GiB50 % CPU efficiency10 done",
            "fast1 min on average1 GiB50 % CPU efficiency10 done",
        ]
    )
    assert serious_findings(page, "section[aria-labelledby=usage]") == []
    page.set_viewport_size({"width": 320, "height": 800})
    fits = """it => it.getBoundingClientRect().right <= 320 && it.scrollWidth <= it.clientWidth"""
    expect_true(page, lambda: card.evaluate(fits), "it fits")
