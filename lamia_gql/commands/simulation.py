"""Simulated jobs on a simulated clock, which send real events to a real server."""

from __future__ import annotations

import heapq
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from lamia_gql.commands.server_client import ServerClient
from lamia_gql.domain.lifecycle import EventClass

MAX_EVENTS_PER_REQUEST = 500
REQUEST_INTERVAL_S = 0.1
"""How long to wait between requests, unless more events are due than fit into one."""


class SimulatedEvent(NamedTuple):
    """An event, and how many simulated seconds after the previous one the job sends it."""

    delay: float
    event_class: EventClass
    progress: float | None = None
    payload: Any = None
    exit_code: int | None = None
    signal: str | None = None
    message: str | None = None
    usage: dict[str, float] | None = None


SimulatedJob = Iterator[SimulatedEvent]
"""The events of a job. It may look at :attr:`Simulation.enough` between them."""


@dataclass(frozen=True, slots=True)
class JobAddress:
    """The job that events belong to; ``index`` is None in a solitary process."""

    task: str
    process: str
    index: int | None = None


class Simulation:
    """Runs simulated jobs.

    Args:
        client: Sends the events.
        speed: How many times faster than the real clock the simulated one runs. With 0 the
            simulation does not wait, and events get times as if it ended now.
        duration: Simulated seconds until the last event; used with speed 0 only.
    """

    def __init__(self, client: ServerClient, speed: float, duration: float = 0.0) -> None:
        self._client = client
        self._speed = speed
        self._begin = time.time() if speed else time.time() - duration
        self._queue: list[
            tuple[float, int, JobAddress, str | None, SimulatedEvent, SimulatedJob]
        ] = []
        self._number = 0
        self.enough: set[tuple[str, str]] = set()
        """Pairs of task and process that have reached their thresholds."""

    def add(self, address: JobAddress, job: SimulatedJob, hostname: str | None = None) -> None:
        """Add a job, which starts with the simulation and runs on a host."""
        self._schedule(0.0, address, hostname, job)

    def _schedule(
        self, now: float, address: JobAddress, hostname: str | None, job: SimulatedJob
    ) -> None:
        event = next(job, None)
        if event is not None:
            # The number keeps the heap from comparing what follows it.
            self._number += 1
            entry = (now + event.delay, self._number, address, hostname, event, job)
            heapq.heappush(self._queue, entry)

    def run(self, on_stored: Callable[[int], None]) -> None:
        """Run all jobs to their ends; ``on_stored`` gets the number of events of each request."""
        while self._queue:
            events = list(self._take_due())
            if events:
                results = self._client.submit(events)
                for event, enough in zip(events, results, strict=True):
                    if enough:
                        self.enough.add((event["task"], event["process"]))
                on_stored(len(events))
            if self._speed and len(events) < MAX_EVENTS_PER_REQUEST:
                time.sleep(REQUEST_INTERVAL_S)

    def _take_due(self) -> Iterator[dict[str, Any]]:
        now = (time.time() - self._begin) * self._speed if self._speed else float("inf")
        for _ in range(MAX_EVENTS_PER_REQUEST):
            if not self._queue or self._queue[0][0] > now:
                return
            at, _number, address, hostname, event, job = heapq.heappop(self._queue)
            yield self._to_input(at, address, hostname, event)
            self._schedule(at, address, hostname, job)

    def _to_input(
        self, at: float, address: JobAddress, hostname: str | None, event: SimulatedEvent
    ) -> dict[str, Any]:
        """Return the event as a ``SubmitEventInput``; ``at`` is in simulated seconds."""
        seconds = self._begin + (at / self._speed if self._speed else at)
        sent_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        return {
            "uuid": str(uuid.uuid4()),
            **asdict(address),
            "eventClass": event.event_class,
            "progress": event.progress,
            "payload": event.payload,
            "exitCode": event.exit_code,
            "signal": event.signal,
            "message": event.message,
            "usage": event.usage,
            "hostname": hostname,
            "sentAt": sent_at.isoformat(),
        }
