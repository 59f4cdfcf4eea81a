"""The virtual jobs: which events are due."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bench.fleet.lives import Lives

PROCESS = "p"
MAX_JOBS = 1_000_000
"""The largest array that a server takes by default."""
ROOM = 20
"""An array has so many times as many jobs as run at once, if it may: those that follow."""
BURST_S = 5.0
"""In this time after the begin of an array, as many of its jobs start as run at once."""
TURNAROUND_S = 2.0
"""How long after the end of a job the next one starts in its place."""
FAILING = 0.02
"""The share of the jobs that fail."""
RESTARTING = 0.001
"""The share of the beats in whose place a job starts once more, as after a node was lost."""


class Event(NamedTuple):
    """An event that is due."""

    task: int
    job: int
    due_s: float
    """When, in seconds since the fleet began."""
    body: bytes
    """As JSON."""


class _Due(NamedTuple):
    """An event that is planned, in the order of the times."""

    at: float
    task: int
    job: int
    kind: str
    attempt: int
    end: float
    """When the job ends."""


class Fleet:
    """Jobs in arrays of one size, one array a task.

    The arrays begin in the course of one beat interval. Of each, as many jobs as run at once start
    together; their ends are spread as if they had run for some time. After each end the next job
    starts. It is submitted as long before as jobs wait, but not before its predecessor's start.

    Args:
        tasks: how many tasks.
        jobs: how many jobs run in each.
        lives: how long they take.
        beat_s: the time between two beats, in seconds.
        chance: the source of chance.
    """

    def __init__(
        self, tasks: int, jobs: int, lives: Lives, beat_s: float, chance: random.Random
    ) -> None:
        self._size = max(jobs, min(ROOM * jobs, MAX_JOBS))
        self.array = {"name": PROCESS, "jobCount": self._size, "beatInterval": beat_s}
        """The array, as it is created."""
        self._lives, self._beat_s, self._chance = lives, beat_s, chance
        self._began = datetime.now(UTC)
        self._next = [jobs] * tasks
        self._due: list[_Due] = []
        for task in range(tasks):
            begin = chance.uniform(0, beat_s)
            for index in range(jobs):
                at = begin + chance.uniform(0, BURST_S)
                end = at + chance.random() * lives.draw().run
                self._due.append(_Due(at, task, index, "STARTED", 0, end))
        heapq.heapify(self._due)

    def take(self, now_s: float) -> Iterator[Event]:
        """The events that are due by now, in the order of their times."""
        while self._due and self._due[0].at <= now_s:
            due = heapq.heappop(self._due)
            yield Event(due.task, due.job, due.at, self._body(due))
            if due.kind == "STARTED" and due.attempt == 0:
                self._plan_follower(due)
            if due.kind in ("STARTED", "BEAT"):
                heapq.heappush(self._due, self._after(due))

    def _after(self, due: _Due) -> _Due:
        """What a running job tells next."""
        chance = self._chance.random()
        if due.at + self._beat_s >= due.end:
            return due._replace(at=due.end, kind="FAILED" if chance < FAILING else "DONE")
        beat = due._replace(at=due.at + self._beat_s, kind="BEAT")
        if chance < RESTARTING:
            return beat._replace(kind="STARTED", attempt=due.attempt + 1)
        return beat

    def _plan_follower(self, due: _Due) -> None:
        index = self._next[due.task]
        if index < self._size:
            self._next[due.task] += 1
            life, start = self._lives.draw(), due.end + TURNAROUND_S
            first = _Due(max(due.at, start - life.wait), due.task, index, "SUBMITTED", 0, 0)
            heapq.heappush(self._due, first)
            started = first._replace(at=start, kind="STARTED", end=start + life.run)
            heapq.heappush(self._due, started)

    def _body(self, due: _Due) -> bytes:
        at = self._began + timedelta(seconds=due.at)
        # Of version 7, as those of lamia-job.
        digits = f"{self._chance.getrandbits(72):018x}"
        moment = f"{round(1000 * at.timestamp()):012x}"
        uuid = f"{moment[:8]}-{moment[8:]}-7{digits[:3]}-8{digits[3:6]}-{digits[6:]}"
        why = ',"exitCode":1,"message":"no space left"' if due.kind == "FAILED" else ""
        return (
            f'{{"task":"fleet-{due.task}","process":"{PROCESS}","index":{due.job},'
            f'"eventClass":"{due.kind}","attempt":{due.attempt},"uuid":"{uuid}",'
            f'"sentAt":"{at.isoformat()}","hostname":"node{due.job % 997:03}"{why}}}'
        ).encode()
