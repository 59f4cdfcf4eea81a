"""Requests over many connections: as many as the server answers, or so many in a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvloop

from bench.http_client import Connection, request

WARM_UP_S = 0.5
ANSWER_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Load:
    """Connections that each send the next request as soon as the last one is answered.

    Args:
        url: the address of the server.
        bodies: the bodies of the requests, without end.
        path: where they are sent.
        media_type: what they are.
        connections: how many connections.
        size: how many events a request has.
    """

    url: str
    bodies: Iterator[bytes]
    path: str = "/graphql"
    media_type: str = "application/json"
    connections: int = 64
    size: int = 1

    def rate(self, duration_s: float) -> float:
        """Events that are answered in a second; requests, where they have no events."""
        return self.size * uvloop.run(self._rate(duration_s))

    async def _rate(self, duration_s: float) -> float:
        loop = asyncio.get_running_loop()
        connections = [await Connection.open(self.url) for _ in range(self.connections)]
        found: asyncio.Future[float] = loop.create_future()
        ready = loop.time() + WARM_UP_S
        begin: float | None = None
        answered = 0

        def start(connection: Connection) -> None:
            def go_on(_body: bytes) -> None:
                nonlocal begin, answered
                now = loop.time()
                # From one answer to another: large requests are often answered several at once.
                if begin is not None:
                    answered += 1
                    if now >= begin + duration_s and not found.done():
                        found.set_result(answered / (now - begin))
                elif now >= ready:
                    begin = now
                send()

            def send() -> None:
                body = next(self.bodies)
                connection.send(request(self.url, self.path, body, self.media_type), go_on)

            send()

        for connection in connections:
            start(connection)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                failures = [connection.failed for connection in connections]
                ends: list[asyncio.Future[Any]] = [found, *failures]
                done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for end in done:
                    end.result()
                return found.result()
        finally:
            for connection in connections:
                connection.close()


async def send_evenly(
    per_second: float, number: int, connections: list[Connection], make: Callable[[], bytes]
) -> None:
    """Send so many requests at even intervals, whenever the earlier ones are answered.

    Args:
        per_second: how many in a second.
        number: how many in all.
        connections: over which they are sent; they wait if all of them are in use.
        make: makes a request at the moment for which it is planned.
    """
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)

    async def send(raw: bytes) -> None:
        connection = await free.get()
        await connection.ask(raw)
        free.put_nowait(connection)

    begin = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as group:
        for place in range(number):
            await asyncio.sleep(begin + place / per_second - asyncio.get_running_loop().time())
            group.create_task(send(make()))
