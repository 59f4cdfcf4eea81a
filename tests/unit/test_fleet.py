"""The virtual jobs of the fleet simulator live as jobs do."""

from __future__ import annotations

import random
import statistics
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import orjson

from bench.fleet.jobs import BURST_S, Fleet
from bench.fleet.lives import Lives, measure, read_known
from lamia_gql.commands.wfformat import ExecutedJob, Execution

BEAT_S, RUN_S, DURATION_S = 60.0, 1200.0, 7200
TASKS, JOBS = 3, 40


def simulate() -> dict[tuple[int, int], list[tuple[float, Any]]]:
    """The events of two hours, with their times, by task and index."""
    chance = random.Random(1)
    fleet = Fleet(TASKS, JOBS, Lives(read_known(), RUN_S, chance), BEAT_S, chance)
    found: dict[tuple[int, int], list[tuple[float, Any]]] = defaultdict(list)
    last = 0.0
    for second in range(DURATION_S):
        for event in fleet.take(second):
            assert last <= event.due_s <= second
            last = event.due_s
            found[event.task, event.job].append((event.due_s, orjson.loads(event.body)))
    return found


def test_jobs_live() -> None:
    """Arrays start in bursts, as many jobs run at all times, and each beats until it ends."""
    jobs = simulate()
    for (task, index), events in jobs.items():
        classes = [body["eventClass"] for _, body in events]
        assert (classes[0] == "SUBMITTED") == (index >= JOBS)
        assert not {"DONE", "FAILED"} & set(classes[:-1])
        assert {(body["task"], body["index"]) for _, body in events} == {(f"fleet-{task}", index)}
        signs = [at for at, body in events if body["eventClass"] != "SUBMITTED"]
        assert all(later - one <= BEAT_S + 1e-6 for one, later in pairwise(signs))
    assert any(body["attempt"] for events in jobs.values() for _, body in events)
    ids = [body["uuid"] for events in jobs.values() for _, body in events]
    assert len(ids) == len(set(ids))
    starts = [events[0][0] for (task, index), events in jobs.items() if task == 0 and index < JOBS]
    assert max(starts) - min(starts) <= BURST_S
    ended = Counter(body["eventClass"] for events in jobs.values() for _, body in events[-1:])
    assert ended["DONE"] > 10 * ended["FAILED"] > 0
    running = sum(ended.values()) - ended["DONE"] - ended["FAILED"] - ended["SUBMITTED"]
    assert 0.9 * TASKS * JOBS <= running <= TASKS * JOBS


def test_lives_are_those_that_were_recorded() -> None:
    """A distribution has the shape of its execution, in the unit of its median run."""
    jobs = [
        ExecutedJob(str(n), "p", n, 0.0, 10.0 * n, 10.0 * n + (5 if n < 90 else 50), None, {})
        for n in range(100)
    ]
    distribution = measure(Execution("recorded", None, {"p": 100}, jobs, {}))
    lives = Lives([distribution], 60.0, random.Random(1))
    drawn = [lives.draw() for _ in range(4000)]
    assert statistics.median(life.run for life in drawn) == 60
    assert 0.05 < sum(life.run > 500 for life in drawn) / 4000 < 0.15
    assert 5000 < statistics.median(life.wait for life in drawn) < 7000
