"""The virtual jobs: which events are due."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bench.fleet.lives import Lives

PROCESS = "p"
FAILING = 0.02
"""The share of the jobs that fail."""


class Event(NamedTuple):
    """An event that is due."""

    task: int
    due_s: float
    """When, in seconds since the fleet began."""
    body: bytes
    """As JSON."""


class Fleet:
    """Jobs in arrays of one size, one array a task.

    All start within the first beat interval, so that the fleet soon does what it does later. A job
    that has ended is followed by another one, which waits first.

    Args:
        tasks: how many tasks.
        jobs: how many jobs are alive in each.
        lives: how long they take.
        beat_s: the time between two beats, in seconds.
        chance: the source of chance.
    """

    def __init__(
        self, tasks: int, jobs: int, lives: Lives, beat_s: float, chance: random.Random
    ) -> None:
        self._lives, self._beat_s, self._chance = lives, beat_s, chance
        self._began = datetime.now(UTC)
        self._next = [jobs] * tasks
        self._due: list[tuple[float, int, int, str, float]] = []
        """When; the task; the index; the class of the event; when the job ends."""
        for task in range(tasks):
            for index in range(jobs):
                self._start(chance.uniform(0, beat_s), task, index)

    def _start(self, at: float, task: int, index: int) -> None:
        heapq.heappush(self._due, (at, task, index, "STARTED", at + self._lives.draw().run_s))

    def take(self, now_s: float) -> Iterator[Event]:
        """The events that are due by now, in the order of their times."""
        due = self._due
        while due and due[0][0] <= now_s:
            at, task, index, kind, end = heapq.heappop(due)
            yield Event(task, at, self._body(at, task, index, kind))
            if kind in ("DONE", "FAILED"):
                follower, self._next[task] = self._next[task], self._next[task] + 1
                self._start(at + self._lives.draw().wait_s, task, follower)
            elif at + self._beat_s < end:
                heapq.heappush(due, (at + self._beat_s, task, index, "BEAT", end))
            else:
                ended = "FAILED" if self._chance.random() < FAILING else "DONE"
                heapq.heappush(due, (end, task, index, ended, end))

    def _body(self, at: float, task: int, index: int, kind: str) -> bytes:
        digits = f"{self._chance.getrandbits(128):032x}"
        uuid = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
        sent_at = (self._began + timedelta(seconds=at)).isoformat()
        why = ',"exitCode":1,"message":"no space left"' if kind == "FAILED" else ""
        return (
            f'{{"task":"fleet-{task}","process":"{PROCESS}","index":{index},"eventClass":"{kind}",'
            f'"uuid":"{uuid}","sentAt":"{sent_at}","hostname":"node{index % 997:03}"{why}}}'
        ).encode()
