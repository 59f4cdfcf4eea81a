"""Simulated jobs on a simulated clock, which send real events to a real server."""

from __future__ import annotations

import heapq
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from lamia_gql.commands.remote import Remote
from lamia_gql.domain.lifecycle import EventClass

BATCH = 500
"""Events in one request, at most."""
TICK = 0.1
"""Seconds between requests, where the clock leaves time for them."""


class Emit(NamedTuple):
    """An event that a job sends after so many simulated seconds."""

    after: float
    event_class: EventClass
    progress: float | None = None
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Address:
    """Whose events they are."""

    task: str
    process: str
    index: int | None = None


class Simulation:
    """Jobs are iterators of what they emit; the clock runs ``speed`` times as fast as ours.

    With speed 0 it does not wait at all, and events bear the times that they would have had if
    the simulation, ``span`` seconds long, had ended just now.
    """

    def __init__(self, remote: Remote, speed: float, span: float = 0.0) -> None:
        self._remote = remote
        self._speed = speed
        self._begin = time.time() if speed else time.time() - span
        self._queue: list[tuple[float, int, Address, str | None, Emit, Iterator[Emit]]] = []
        self._number = 0
        self.enough: set[tuple[str, str]] = set()
        """The tasks' processes of which the server has said that it is enough."""

    def add(self, address: Address, job: Iterator[Emit], hostname: str | None = None) -> None:
        """Let a job run from the beginning of the simulation."""
        self._push(0.0, address, hostname, job)

    def _push(
        self, now: float, address: Address, hostname: str | None, job: Iterator[Emit]
    ) -> None:
        emit = next(job, None)
        if emit is not None:
            self._number += 1
            entry = (now + emit.after, self._number, address, hostname, emit, job)
            heapq.heappush(self._queue, entry)

    def run(self, sent: Callable[[int], None]) -> None:
        """Run all jobs to their ends; ``sent`` is told of every event that was stored."""
        while self._queue:
            events = list(self._due())
            if events:
                answers = self._remote.submit(events)
                for event, enough in zip(events, answers, strict=True):
                    if enough:
                        self.enough.add((event["task"], event["process"]))
                sent(len(events))
            if self._speed and len(events) < BATCH:
                time.sleep(TICK)

    def _due(self) -> Iterator[dict[str, Any]]:
        now = (time.time() - self._begin) * self._speed if self._speed else float("inf")
        for _ in range(BATCH):
            if not self._queue or self._queue[0][0] > now:
                return
            at, _number, address, hostname, emit, job = heapq.heappop(self._queue)
            yield self._event(at, address, hostname, emit)
            self._push(at, address, hostname, job)

    def _event(
        self, at: float, address: Address, hostname: str | None, emit: Emit
    ) -> dict[str, Any]:
        seconds = self._begin + (at / self._speed if self._speed else at)
        sent_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        return {
            "id": str(uuid.uuid4()),
            **asdict(address),
            "eventClass": emit.event_class,
            "progress": emit.progress,
            "payload": emit.payload,
            "hostname": hostname,
            "sentAt": sent_at.isoformat(),
        }
