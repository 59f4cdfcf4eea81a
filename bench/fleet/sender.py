"""Sends the events of the fleet, and notes which of them were acknowledged, and when."""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter, deque
from collections.abc import Callable

from bench.fleet.jobs import Event
from bench.http_client import Connection, request

PATH = "/api/v0/events"
ACCEPTED = b'{"created":true'
RETRY_S = 0.2
ANSWER_TIMEOUT_S = 60.0


class Sender:
    """One connection. What fails is sent again, with the same ids, until it is acknowledged.

    Args:
        url: the address of the server.
        batch: how many events a request has at most.
        clock: the time of the fleet, in seconds.
    """

    def __init__(self, url: str, batch: int, clock: Callable[[], float]) -> None:
        self._url, self._batch, self._clock = url, batch, clock
        self._queue: deque[Event] = deque()
        self._filled = asyncio.Event()
        self.idle = asyncio.Event()
        """Set while nothing waits."""
        self.delays = array("d")
        """For each acknowledged event, how long after it was due, in seconds."""
        self.acknowledged: Counter[int] = Counter()
        """How many, by task."""
        self.body_bytes = 0
        self.retries = 0

    @property
    def waiting(self) -> int:
        """How many events are not acknowledged."""
        return len(self._queue)

    def add(self, event: Event) -> None:
        """Send an event as soon as there is time."""
        self._queue.append(event)
        self._filled.set()
        self.idle.clear()

    async def run(self) -> None:
        """Send, until cancelled."""
        while True:
            try:
                connection = await Connection.open(self._url)
                try:
                    await self._send(connection)
                finally:
                    connection.close()
            except (OSError, AssertionError, TimeoutError):
                self.retries += 1
                await asyncio.sleep(RETRY_S)

    async def _send(self, connection: Connection) -> None:
        queue = self._queue
        while True:
            if not queue:
                self._filled.clear()
                self.idle.set()
                await self._filled.wait()
            events = [queue[place] for place in range(min(self._batch, len(queue)))]
            body = b"\n".join(event.body for event in events)
            raw = request(self._url, PATH, body, "application/x-ndjson")
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer = await connection.ask(raw)
            assert answer.count(ACCEPTED) == len(events), answer[:500]
            now = self._clock()
            self.body_bytes += len(body)
            for event in events:
                queue.popleft()
                self.delays.append(now - event.due_s)
                self.acknowledged[event.task] += 1
