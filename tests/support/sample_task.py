"""A task with jobs of every state and liveness, and the URLs of its pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.harness import Server


def seconds_ago(seconds: float) -> str:
    """An ISO time of the past."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def create_sample_task(server: Server) -> None:
    """Create a task with an array of jobs of every state and liveness, and a solitary process."""
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
            | {"sentAt": seconds_ago(seconds), "hostname": host[index]}
            | fields
            for index in indices
        )

    add("SUBMITTED", *range(1, 31), seconds=900)
    add("STARTED", *range(1, 25), seconds=800)
    add("BEAT", 21, 22, seconds=1)
    add("BEAT", 23, seconds=150)
    add("DONE", *range(1, 9), *range(13, 21))
    stderr = "reading run-7\nsegmentation violation\n"
    add("FAILED", 9, 10, payload={"exitCode": 139, "stderr": stderr})
    add("FAILED", 11, payload={"usage": {"cpuTime": 3.5}, "signal": "SIGKILL"})
    add("TERMINATED", 12, payload={"usage": {}, "exitCode": 0, "stoppedBy": "SIGTERM"})
    assert all(result["userErrors"] == [] for result in server.submit_many(events))


def page_url(server: Server, *path: str) -> str:
    """The address of a page of the dashboard."""
    return f"{server.url}/#/{'/'.join(path)}"
