"""The filter by outlook and the order by attention agree with the fields, whatever there is."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, create_engine, text

from tests.support.harness import StartServer

SEED = 2
TASKS = 110
BEAT_S = 120.0
"""The server's own beat interval, in seconds."""
INTERVALS = (None, None, 60.0, 3600.0, 1e-300, 1e300, 1.7e308)
"""Those of processes: also such that five of them are too long for a time, or for a number."""
SILENCE_MINUTES = (0.5, 3, 9, 13, 200, 2000, 3000)
"""How long ago running jobs were heard of: never close to a bound."""
DURATION_MINUTES = (1, 8, 300)
AGES_S = ((0, 300, 4 * 3600), (0, 673, 5 * 3600))
"""How much older the history of a task is made, after each half of its events."""
FOUND = """query($filter: TaskFilter, $order: TaskOrder!) {
  tasks(first: 100, filter: $filter, orderBy: $order) {
    totalCount nodes { name state outlook stalledSince finishedAt } } }"""
DELETE = "mutation($name: String!) { deleteTask(input: {name: $name}) { deletedId } }"
RANKS = {"CANNOT_SUCCEED": 6, "AT_RISK": 5, "ON_TRACK": 2}
"""The attention that an unfinished task needs, by its outlook."""


def rank(task: dict[str, Any]) -> int:
    """How much attention a task needs, by its fields."""
    if task["state"] == "SUCCEEDED":
        return 0
    if task["state"] == "FAILED":
        since = datetime.now(UTC) - datetime.fromisoformat(task["finishedAt"])
        return 3 if since < timedelta(hours=24) else 1
    found = RANKS[task["outlook"]]
    return 4 if found == 2 and task["stalledSince"] is not None else found


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
    if chance.random() < 0.6:
        ends = ["DONE"]
    share = chance.choice([0.2, 0.7, 1.0])
    for index in range(process.get("jobCount", 1)):
        ended = datetime.now(UTC) - timedelta(minutes=chance.choice(SILENCE_MINUTES))
        job = {"task": task, "process": process["name"], "sentAt": ended.isoformat()}
        if "jobCount" in process:
            job["index"] = index
        if chance.random() > share:
            continue
        begun = ended - timedelta(minutes=chance.choice(DURATION_MINUTES))
        yield {
            **job,
            "eventClass": chance.choice(["SUBMITTED", "STARTED", "STARTED"]),
            "sentAt": begun.isoformat(),
        }
        if chance.random() < 0.4:
            yield {**job, "eventClass": "PROGRESS", "progress": chance.choice([1, 2.5, 80])}
        if chance.random() < share:
            yield {**job, "eventClass": chance.choice(ends)}


def make_older(engine: Engine, chance: random.Random, ages: Sequence[int]) -> None:
    """Make the history of each task older by one of these, in seconds."""
    with engine.begin() as connection:
        for task_id in connection.scalars(text("SELECT id FROM task ORDER BY id")).all():
            given = {"task": task_id, "s": chance.choice(ages)}
            for change in (
                "UPDATE sample SET at = at - :s WHERE task_id = :task",
                "UPDATE process SET sampled_since = sampled_since - :s WHERE task_id = :task",
            ):
                connection.execute(text(change), given)


def test_sql_and_python_of_an_outlook_agree(database_url: str, start_server: StartServer) -> None:
    """For random processes with random events; also of tasks that were deleted."""
    server = start_server(database_url, beat_interval=BEAT_S)
    chance = random.Random(SEED)
    engine = create_engine(database_url)
    halves: tuple[list[dict[str, Any]], ...] = ([], [])
    for number in range(TASKS):
        processes = [any_process(chance, f"p{place}") for place in range(chance.randint(1, 2))]
        server.create(f"t{number}", *processes)
        for process in processes:
            events = list(any_events(chance, f"t{number}", process))
            middle = chance.randint(0, len(events))
            halves[0].extend(events[:middle])
            halves[1].extend(events[middle:])
    for events, ages in zip(halves, AGES_S, strict=True):
        assert not any(result["userErrors"] for result in server.submit_many(events))
        make_older(engine, chance, ages)
    engine.dispose()
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
    ranks = [rank(task) for task in everything]
    assert ranks == sorted(ranks, reverse=True)
    assert set(ranks) == {0, 1, 2, 3, 4, 5, 6}
    assert find("ASC") == everything[::-1]
