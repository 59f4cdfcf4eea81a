"""When it is enough: thresholds that are met exactly, and numbers on events of any class."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.support.harness import Server


def report(server: Server, *events: tuple[int, str, float | None]) -> list[bool]:
    """Submit events of the array ``a``, one by one: index, class and number; each ``enough``."""
    answers = []
    for index, event_class, number in events:
        fields = {} if number is None else {"progress": number}
        answers.append(server.submit("t", "a", event_class, index=index, **fields)["enough"])
    return answers


@pytest.mark.parametrize(
    ("threshold", "parts"), [(1.0, [1 / 3] * 3), (100.0, [100 / 7] * 7), (0.8, [0.1, 0.7])]
)
def test_parts_that_add_up_to_the_threshold_are_enough(
    server: Server, threshold: float, parts: list[float]
) -> None:
    """A whole in equal parts is a whole, although no part has a finite number of digits."""
    server.create("t", {"name": "a", "jobCount": len(parts), "threshold": threshold})
    indices = list(range(len(parts)))
    random.shuffle(indices)
    answers = report(server, *((index, "PROGRESS", parts[index]) for index in indices))
    assert answers == [False] * (len(parts) - 1) + [True]
    report(server, *((index, "DONE", None) for index in indices))
    process = server.process("t", "a")
    assert (process["state"], process["enough"]) == ("SUCCEEDED", True)
    assert process["progress"] == {
        "ratio": 1.0,
        "current": threshold,
        "target": threshold,
        "basis": "VALUE_OF_THRESHOLD",
    }
    rest = server.rest("GET", "/t/a").json()
    assert (rest["state"], rest["enough"], rest["progress"]) == ("SUCCEEDED", True, 100.0)
    server.check_counters()


def test_parts_that_fall_short_are_not_enough(server: Server) -> None:
    """A sum that is short by more than floats round is short."""
    server.create("t", {"name": "a", "jobCount": 3, "threshold": 1})
    parts = [1 / 3, 1 / 3, 1 / 3 - 1e-15]
    report(server, *((index, "PROGRESS", part) for index, part in enumerate(parts)))
    report(server, *((index, "DONE", None) for index in range(3)))
    process = server.process("t", "a")
    assert (process["state"], process["enough"]) == ("FAILED", False)
    assert process["progress"]["current"] < 1
    server.check_counters()


def test_a_number_on_an_end_counts(server: Server) -> None:
    """A job may say how much it has done with its DONE: that is a reading like any other."""
    server.create("t", {"name": "a", "jobCount": 3, "threshold": 2})
    assert report(server, (0, "DONE", None), (1, "DONE", None)) == [False, True]
    assert server.process("t", "a")["state"] == "SUCCEEDED"
    assert report(server, (2, "DONE", 100)) == [True]
    process = server.process("t", "a")
    assert (process["state"], process["enough"]) == ("SUCCEEDED", True)
    assert process["progress"]["current"] == 100
    server.check_counters()


def test_a_number_on_an_event_of_any_class_is_shown(server: Server) -> None:
    """Numbers of beats count, and a number from before the latest start does not."""

    def progress(index: int) -> Any:
        query = """query($index: Int!) { job(task: "t", process: "a", index: $index) {
          progress { current ratio } } }"""
        return server.graphql(query, index=index)["job"]["progress"]

    server.create("t", {"name": "a", "jobCount": 2})
    report(server, (0, "STARTED", 1), (0, "BEAT", 40))
    assert progress(0) == {"current": 40, "ratio": 0.4}
    assert progress(1) == {"current": 0, "ratio": 0}
    report(server, (0, "FAILED", 60), (1, "READY", 10))
    assert progress(0) == {"current": 60, "ratio": 0.6}
    assert server.process("t", "a")["progress"]["current"] == 70
    report(server, (0, "STARTED", None))
    assert progress(0) == {"current": 0, "ratio": 0}
    server.check_counters()


@pytest.mark.parametrize(("missing", "percent"), [(1, 99.999999999), (0, 100.0), (-1, 100.0)])
def test_percent_of_what_is_nearly_enough(
    sqlite_server: Server, missing: int, percent: float
) -> None:
    """REST rounds percentages, but shows 100 only where it is enough."""
    sqlite_server.create("t", {"name": "p", "threshold": 1e12})
    sqlite_server.submit("t", "p", "PROGRESS", progress=1e12 - missing)
    process = sqlite_server.rest("GET", "/t/p").json()
    assert (process["progress"], process["enough"]) == (percent, missing <= 0)
    task = sqlite_server.rest("GET", "/t").json()
    assert task["progress"] == percent
