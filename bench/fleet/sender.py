"""Sends the events of the fleet as jobs do, until they are acknowledged."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice

import httptools

from bench.fleet.jobs import Event
from bench.fleet.ledger import Ledger, submission
from bench.fleet.servers import Servers
from bench.http_client import Connection

STORED = b'"duplicate":'
RETRY_S = 0.2
ANSWER_TIMEOUT_S = 60.0
FAILURES = (OSError, AssertionError, TimeoutError, httptools.HttpParserError)
"""What a server, or a proxy before it, that goes away may lead to."""


class Sender:
    """One connection. A request has the events of one task, and names it in a header.

    What fails is sent again, with the same ids, to the next of the servers.

    Args:
        servers: where they are sent.
        batch: how many events a request has at most.
        ledger: is told what waits and what is acknowledged.
        fresh: whether each request has a connection of its own, as those of jobs that beat less
            often than a server keeps an idle one.
    """

    def __init__(self, servers: Servers, batch: int, ledger: Ledger, *, fresh: bool) -> None:
        self._servers, self._batch, self._ledger, self._fresh = servers, batch, ledger, fresh
        self._queues: dict[int, deque[Event]] = {}
        """The events by their tasks, whose turns are in this order."""
        self._filled = asyncio.Event()
        self.requests = 0
        self.bytes_sent = 0
        self.failures = 0
        """How many requests and connections have failed."""

    def add(self, event: Event) -> None:
        """Send an event as soon as there is time."""
        self._ledger.expect()
        self._queues.setdefault(event.task, deque()).append(event)
        self._filled.set()

    async def run(self) -> None:
        """Send, until cancelled."""
        while True:
            try:
                await self._send()
            except FAILURES:
                self.failures += 1
                self._servers.move_on()
                await asyncio.sleep(RETRY_S)

    async def _send(self) -> None:
        """Send over one connection, as long as it is usable."""
        await self._wait_for_events()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            connection = await Connection.open(self._servers.url)
        try:
            # Servers close connections that are idle.
            while not connection.failed.done():
                await self._send_some(connection)
                if self._fresh:
                    break
                await self._wait_for_events()
        finally:
            connection.close()

    async def _wait_for_events(self) -> None:
        if not self._queues:
            self._filled.clear()
            await self._filled.wait()

    async def _send_some(self, connection: Connection) -> None:
        task, queue = next(iter(self._queues.items()))
        events = list(islice(queue, self._batch))
        body = submission([event.body for event in events])
        raw = self._servers.request(body, **{"Lamia-Task": f"fleet-{task}"})
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            answer = await connection.ask(raw)
        assert answer.count(STORED) == len(events), answer[:500]
        self.requests += 1
        self.bytes_sent += len(raw)
        self._ledger.acknowledge(events)
        for _ in events:
            queue.popleft()
        del self._queues[task]
        if queue:
            self._queues[task] = queue
