"""The filter by outlook and the order by attention agree with the field, whatever there is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from tests.support.harness import StartServer

SEED = 1
TASKS = 110
BEAT_S = 120.0
"""The server's own beat interval, in seconds."""
INTERVALS = (None, None, 60.0, 3600.0, 1e-300, 1e300, 1.7e308)
"""Those of processes: also such that five of them are too long for a time, or for a number."""
SILENCE_MINUTES = (0.5, 3, 9, 13, 200, 400)
"""How long ago running jobs were heard of: never close to a bound."""
FOUND = """query($filter: TaskFilter, $order: TaskOrder!) {
  tasks(first: 100, filter: $filter, orderBy: $order) {
    totalCount nodes { name state outlook } } }"""
DELETE = "mutation($name: String!) { deleteTask(input: {name: $name}) { deletedId } }"
FROM_WORST = (
    (False, "CANNOT_SUCCEED"),
    (False, "AT_RISK"),
    (True, "CANNOT_SUCCEED"),
    (False, "ON_TRACK"),
    (True, "ON_TRACK"),
)
"""Whether a task has finished, and its outlook: in the order of the attention that it needs."""


def any_process(chance: random.Random, name: str) -> dict[str, Any]:
    """An array or a solitary process."""
    terms: dict[str, Any] = {"name": name, "beatInterval": chance.choice(INTERVALS)}
    if chance.random() < 0.7:
        terms["jobCount"] = chance.randint(1, 6)
    if chance.random() < 0.4:
        terms["threshold"] = chance.choice([1, 2, 5, 7, 150])
    elif "jobCount" in terms:
        terms["failureTolerance"] = chance.randint(0, min(2, terms["jobCount"]))
    return {key: value for key, value in terms.items() if value is not None}


def any_events(
    chance: random.Random, task: str, process: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Events of some of its jobs."""
    ends = ["DONE", "DONE", "FAILED", "TERMINATED", "HELD"]
    if chance.random() < 0.4:
        ends = ["DONE"]
    share = chance.choice([0.2, 0.7, 1.0])
    for index in range(process.get("jobCount", 1)):
        at = datetime.now(UTC) - timedelta(minutes=chance.choice(SILENCE_MINUTES))
        job = {"task": task, "process": process["name"], "sentAt": at.isoformat()}
        if "jobCount" in process:
            job["index"] = index
        if chance.random() > share:
            continue
        yield {**job, "eventClass": chance.choice(["SUBMITTED", "STARTED", "STARTED"])}
        if chance.random() < 0.2:
            yield {**job, "eventClass": "PROGRESS", "progress": chance.choice([1, 2.5, 80])}
        if chance.random() < share:
            yield {**job, "eventClass": chance.choice(ends)}


def test_sql_and_python_of_an_outlook_agree(database_url: str, start_server: StartServer) -> None:
    """For random processes with random events; also of tasks that were deleted."""
    server = start_server(database_url, beat_interval=BEAT_S)
    chance = random.Random(SEED)
    events: list[dict[str, Any]] = []
    for number in range(TASKS):
        processes = [any_process(chance, f"p{place}") for place in range(chance.randint(1, 2))]
        server.create(f"t{number}", *processes)
        for process in processes:
            events += any_events(chance, f"t{number}", process)
    assert not any(result["userErrors"] for result in server.submit_many(events))
    for number in range(0, TASKS, 10):
        server.graphql(DELETE, name=f"t{number}")

    def find(direction: str = "DESC", **conditions: Any) -> list[dict[str, Any]]:
        order = {"field": "ATTENTION", "direction": direction}
        page = server.graphql(FOUND, filter=conditions, order=order)["tasks"]
        assert page["totalCount"] == len(page["nodes"])
        found: list[dict[str, Any]] = page["nodes"]
        return found

    everything = find()
    assert len(everything) == TASKS * 9 // 10
    for outlook in ("ON_TRACK", "AT_RISK", "CANNOT_SUCCEED"):
        expected = [task for task in everything if task["outlook"] == outlook]
        assert find(outlooks=[outlook]) == expected
    ranks = [(task["state"] in ("SUCCEEDED", "FAILED"), task["outlook"]) for task in everything]
    assert [rank for rank, _ in groupby(ranks)] == list(FROM_WORST)
    assert find("ASC") == everything[::-1]
