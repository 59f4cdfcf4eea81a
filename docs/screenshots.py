"""Takes the pictures of the pages for the documentation: run by ``make screenshots``.

A server on a fresh database has the tasks of several people, and runs the demonstration and an
array of 20,000 jobs with a bad node, until there is something to see.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from docs.crowd import create_crowd
from docs.terminal_picture import make_page
from tests.support.browser import OpenPage, launch_chromium, page_opener
from tests.support.harness import Server, environment_with
from tests.support.terminal import Terminal

IMAGES = Path(__file__).parent / "images"
JOBS = 20_000
MINUTES = 1.0
"""How long the demonstration runs; the pictures are taken shortly before it ends."""
HOSTS = [f"node{number:02}.example.org" for number in range(1, 33)]
BAD = "node17.example.org"


def purge_chunk(server: Server, seconds: float) -> None:
    """Let most of a large array run within some seconds."""
    chance = random.Random(3)
    server.create(
        "parameter-sweep",
        {"name": "scan", "jobCount": JOBS, "failureTolerance": 400, "beatInterval": 20},
        {"name": "collect"},
        username="grace",
        tags=["physics", "run-7"],
        comment="All points of the grid; resubmit what failed on the bad node.",
    )
    steps = 40
    size = JOBS * 9 // 10 // steps
    begin = time.monotonic()
    for step in range(steps):
        events = [_first(index) for index in range((step + 1) * size, (step + 3) * size)]
        for index in range(step * size, (step + 1) * size):
            events += _life(index, chance)
        assert all(result["userErrors"] == [] for result in server.submit_many(events))
        time.sleep(max(0.0, begin + seconds * (step + 1) / steps - time.monotonic()))


def _first(index: int) -> dict[str, Any]:
    return {"task": "parameter-sweep", "process": "scan", "index": index, "eventClass": "SUBMITTED"}


def _life(index: int, chance: random.Random) -> list[dict[str, Any]]:
    host = chance.choice(HOSTS)
    event = _first(index) | {"hostname": host}
    events = [event | {"eventClass": "STARTED"}]
    luck = chance.random()
    if host == BAD and luck < 0.4:
        message = f"input/output error on /scratch/point-{index}.root"
        events.append(event | {"eventClass": "FAILED", "exitCode": 74, "message": message})
    elif luck > 0.998:
        killed = {"exitCode": 137, "signal": "SIGKILL", "message": "out of memory"}
        events.append(event | {"eventClass": "TERMINATED"} | killed)
    elif luck > 0.997:
        message = f"step {index % 90} of 90: no convergence"
        events.append(event | {"eventClass": "FAILED", "exitCode": 1, "message": message})
    elif luck > 0.995:
        events.append(event | {"eventClass": "HELD", "message": "over the limit of 2048 MB"})
    elif luck > 0.05:
        events.append(event | {"eventClass": "DONE"})
    return events


def submit_failure(server: Server) -> None:
    """Let a job fail that tells why."""
    server.create("calibration", {"name": "fit"}, username="ada", tags=["physics"])
    job: dict[str, Any] = {"task": "calibration", "process": "fit", "hostname": HOSTS[4]}
    begin = datetime.now(UTC) - timedelta(minutes=7)
    steps = [
        f'  File "/opt/calibration/step_{step}.py", line {7 * step + 12}' for step in range(12)
    ]
    payload = {
        "traceback": "\n".join(["Traceback (most recent call last):", *steps, "MemoryError"]),
        "log": "https://logs.example.org/calibration/fit?attempt=1",
        "output": "root://data.example.org//store/calibration/fit.root",
        "events": 41_250,
    }
    end: dict[str, Any] = {"exitCode": 134, "signal": "SIGABRT", "message": "std::bad_alloc"}
    usage = {"cpuSeconds": 402.5, "maxRssBytes": 2_130_000_000, "requestedMemoryBytes": 2 << 30}
    events = [
        job | {"eventClass": "STARTED", "sentAt": begin.isoformat()},
        job | {"eventClass": "FAILED", "payload": payload, "usage": usage} | end,
    ]
    assert all(result["userErrors"] == [] for result in server.submit_many(events))


def take(page: Page, name: str) -> None:
    """Keep what the window shows, once it stands still."""
    page.wait_for_timeout(1200)
    page.screenshot(path=IMAGES / f"{name}.png")


def take_all(server: Server, open_page: OpenPage) -> None:
    """The pictures of all pages."""
    trouble, analysis = (find_task(server, prefix) for prefix in ("trouble-", "analysis-"))
    root = f"{server.url}/#"
    take(open_page(f"{root}/", height=640), "tasks")
    take(open_page(f"{root}/?kiosk", width=1920, height=1080, color_scheme="dark"), "wall")
    take(open_page(f"{root}/tasks/{trouble}", height=1000), "task")
    page = open_page(f"{root}/tasks/{analysis}?view=graph")
    page.locator(".graph li").last.scroll_into_view_if_needed()
    take(page, "graph")
    page = open_page(f"{root}/tasks/parameter-sweep/scan", height=1180)
    expect(page.locator("ol.hosts li").first).to_contain_text(BAD.partition(".")[0])
    take(page, "array")
    page = open_page(
        f"{root}/tasks/parameter-sweep/scan?pick=failed", height=900, color_scheme="dark"
    )
    expect(page.locator(".picked code")).to_be_visible()
    take(page, "array-dark")
    take(open_page(f"{root}/tasks/{trouble}/restarted/2", height=860), "job")
    take(open_page(f"{root}/tasks/calibration/fit", height=980), "job-failed")
    phone = {"width": 390, "height": 780, "is_mobile": True, "has_touch": True}
    take(open_page(f"{root}/", **phone), "phone-tasks")
    take(open_page(f"{root}/tasks/parameter-sweep/scan", **phone), "phone-array")
    page = open_page(f"{server.url}/graphiql")
    expect(page.locator(".graphiql-query-editor")).to_contain_text("Tree")
    page.get_by_role("button", name="Show Documentation Explorer").click()
    expect(page.get_by_text("Root Types")).to_be_visible()
    page.locator(".graphiql-execute-button").click()
    expect(page.locator(".graphiql-response")).to_contain_text("trouble")
    take(page, "graphiql")


def take_terminals(server: Server, browser: Browser) -> None:
    """The pictures of ``watch``, of a task and of all tasks."""
    trouble = find_task(server, "trouble-")
    for name, rows, arguments in (("watch", 15, [trouble]), ("watch-tasks", 6, [])):
        command = ["watch", *arguments, "--url", server.url]
        with Terminal(*command, columns=125, rows=rows) as terminal:
            terminal.until(lambda text: "trouble first" in text)
            page = browser.new_page()
            page.set_content(make_page(terminal.screen))
            page.locator("body").screenshot(path=IMAGES / f"{name}.png")
            page.close()


def find_task(server: Server, prefix: str) -> str:
    """The name of the task of the demonstration that begins with this."""
    tasks = server.graphql("{ tasks(first: 10) { nodes { name } } }")["tasks"]["nodes"]
    return next(str(task["name"]) for task in tasks if task["name"].startswith(prefix))


def main() -> None:
    """Take them."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, launch_chromium() as browser:
        with Server(f"sqlite:///{folder}/lamia.sqlite", Path(folder)) as server:
            create_crowd(server)
            command = [sys.executable, "-m", "lamia_gql", "demo", "--minutes", str(MINUTES)]
            demo = subprocess.Popen([*command, "--url", server.url], env=environment_with({}))
            try:
                submit_failure(server)
                purge_chunk(server, 0.8 * 60 * MINUTES)
                with page_opener(browser) as open_page:
                    take_all(server, open_page)
                take_terminals(server, browser)
            finally:
                demo.terminate()
                demo.wait()


if __name__ == "__main__":
    main()
