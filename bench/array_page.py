"""Line 15: what a server needs for a hundred browsers that show one array while it runs.

The viewers send the operations of the page ``web/src/pages/process.tsx``, over the same transports,
and as often as ``usePushedQuery`` in ``web/src/live-query.ts`` does.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import uvloop
from graphql import parse, print_ast, separate_operations

from bench.environment import Environment, Scale
from bench.events import ONE, create, submit
from bench.http_client import Connection, operation, request
from bench.load import send_evenly
from bench.server import Server, serving
from bench.subscription import Subscription
from bench.table import Measured

OPERATIONS = Path(__file__).parents[1] / "schema" / "operations"
JOBS, STARTED, DONE, FAILED = 1_000, 900, 300, 20
BEAT_INTERVAL_S = 30
PER_SECOND, CONNECTIONS = 50, 8
WARM_UP_S = 6.0
POLL_INTERVAL_S = 20.0
HEADERS = "Accept: application/json\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
ARRAY = {"task": "t", "name": "p"}
WATCHED = {"names": ["t"], "process": "p"}
SHOWN = {"points": 90, "first": 15, "hosts": 8, "groups": 20}
QUERIES: list[tuple[str, dict[str, Any], float]] = [
    ("Process", {}, 1.0),
    ("ArrayJobs", SHOWN, 2.0),
]
"""The queries of the page, their variables besides the names, and the interval in seconds of the
subscription that pushes the same. There are too few failures for later pages of jobs and hosts."""


@cache
def documents() -> dict[str, str]:
    """The operations of our own clients, each with its fragments, by name."""
    return {
        name: print_ast(document)
        for file in OPERATIONS.glob("*.graphql")
        for name, document in separate_operations(parse(file.read_text())).items()
    }


class Page:
    """The page in a browser: each query is asked once, and then pushed."""

    def __init__(self) -> None:
        self.requests = 0
        self.pushes = 0

    async def show(self, url: str) -> None:
        """Show it, until cancelled."""
        stored = documents()
        queries = [operation(stored[name], **ARRAY, **shown) for name, shown, _ in QUERIES]
        with closing(await Connection.open(url)) as connection:
            requests = [request(url, "/graphql", query, headers=HEADERS) for query in queries]
            for raw in requests:
                await self._ask(connection, raw)
            subscription = Subscription(
                url,
                *(
                    operation(stored[f"{name}Changed"], **WATCHED, **shown, interval=interval_s)
                    for name, shown, interval_s in QUERIES
                ),
            )
            pushed = asyncio.Event()

            def read() -> None:
                for result in subscription.read():
                    assert "errors" not in result, result
                    self.pushes += 1
                    pushed.set()

            asyncio.get_running_loop().add_reader(subscription.socket, read)
            while True:
                pushed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_INTERVAL_S):
                        await pushed.wait()
                        continue
                for raw in requests:
                    await self._ask(connection, raw)

    async def _ask(self, connection: Connection, raw: bytes) -> None:
        await connection.ask(raw)
        self.requests += 1


def cpu_of_viewers(environment: Environment) -> Measured:
    """Line 15, on SQLite; the CPU time for the events is a part of it."""
    scale = environment.scale
    with environment.sqlite.empty() as database, serving(database) as server:
        create(server.url, "t", {"name": "p", "jobCount": JOBS, "beatInterval": BEAT_INTERVAL_S})
        for event_class, first, last in (
            ("STARTED", 0, STARTED),
            ("DONE", 0, DONE),
            ("FAILED", DONE, DONE + FAILED),
        ):
            submit(server.url, [_event(event_class, index) for index in range(first, last)])
        return uvloop.run(_measure(server, scale))


async def _measure(server: Server, scale: Scale) -> Measured:
    pages = [Page() for _ in range(scale.viewers)]
    showing = [asyncio.create_task(page.show(server.url)) for page in pages]
    # Most jobs report that they are alive or how far they are, in turn; one in ten ends.
    indices = cycle(range(DONE + FAILED, STARTED))
    classes = cycle(["PROGRESS", "BEAT"] * 4 + ["PROGRESS", "DONE"])
    connections = [await Connection.open(server.url) for _ in range(CONNECTIONS)]

    def make() -> bytes:
        event = _event(next(classes), next(indices))
        return request(server.url, "/graphql", operation(ONE, input=event))

    number = round(PER_SECOND * (WARM_UP_S + scale.live_s))
    sending = asyncio.create_task(send_evenly(PER_SECOND, number, connections, make))
    await asyncio.sleep(WARM_UP_S)
    cpu_s, begin = server.cpu_s(), time.perf_counter()
    for page in pages:
        page.requests = page.pushes = 0
    await sending
    duration_s = time.perf_counter() - begin
    cpu_s = server.cpu_s() - cpu_s
    for task in showing:
        assert not task.done(), task.exception()
        task.cancel()
    await asyncio.wait(showing)
    for connection in connections:
        connection.close()
    viewer_minutes = len(pages) * duration_s / 60
    requests = sum(page.requests for page in pages) / viewer_minutes
    pushes = sum(page.pushes for page in pages) / viewer_minutes
    details = f"{requests:.0f} requests/min and {pushes:.0f} pushes/min a viewer"
    return Measured((100 * cpu_s / duration_s,), details)


def _event(event_class: str, index: int) -> dict[str, Any]:
    return {
        "task": "t",
        "process": "p",
        "index": index,
        "eventClass": event_class,
        "progress": index % 100 if event_class == "PROGRESS" else None,
        "sentAt": datetime.now(UTC).isoformat(),
        "hostname": f"node{index:03}.example.org",
    }
