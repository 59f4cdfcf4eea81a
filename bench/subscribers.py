"""Measures the memory of idle subscribers, and the latency of pushes to one subscriber or many.

Starts a server on a new SQLite file. This process holds all client connections on the same machine,
so the times are those of server and client together.

    .venv/bin/python -m bench.subscribers
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from typing import Any

import httpx
import websockets
from websockets.typing import Subprotocol

from bench.server import Server, serving

CHANGES = """subscription { taskChanged(names: ["t"]) {
  name state progress { ratio } counts { total done running failed } } }"""
EVENTS = 'subscription { events(task: "t") { cursor node { eventClass progress } } }'
CREATE = """mutation($jobs: Int!) { createTask(input: {name: "t", processes:
  [{name: "p", jobCount: $jobs}]}) { userErrors { message } } }"""
SUBMIT = """mutation($input: SubmitEventInput!) { submitEvent(input: $input) {
  userErrors { message } } }"""
SUBMIT_MANY = """mutation($events: [SubmitEventInput!]!) { submitEvents(input: {events: $events}) {
  userErrors { message } } }"""
JOBS = 100


class BenchServer:
    """A running server, and a client for it."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.memory_bytes = server.resident_bytes
        self.client = httpx.AsyncClient(timeout=60)

    async def graphql(self, query: str, **variables: Any) -> None:
        """Execute an operation, and check that it succeeded."""
        body = {"query": query, "variables": variables}
        answer = await self.client.post(f"{self.url}/graphql", json=body)
        answer.raise_for_status()
        assert "errors" not in answer.json(), answer.text

    async def subscribe(self, stack: AsyncExitStack, query: str) -> websockets.ClientConnection:
        """Open a WebSocket with one subscription; the stack closes it."""
        socket = await stack.enter_async_context(
            websockets.connect(
                f"{self.url.replace('http', 'ws')}/graphql",
                subprotocols=[Subprotocol("graphql-transport-ws")],
                compression=None,
                open_timeout=60,
            )
        )
        await socket.send('{"type": "connection_init"}')
        await socket.recv()
        subscribe = {"id": "1", "type": "subscribe", "payload": {"query": query}}
        await socket.send(json.dumps(subscribe))
        return socket


async def measure_idle(server: BenchServer, number: int) -> None:
    """Print the memory per idle subscriber."""
    for what, query in (("taskChanged", CHANGES), ("events", EVENTS)):
        async with AsyncExitStack() as stack:
            before = server.memory_bytes()
            for begin in range(0, number, 50):
                sockets = await asyncio.gather(
                    *(server.subscribe(stack, query) for _ in range(min(50, number - begin)))
                )
                if what == "taskChanged":
                    await asyncio.gather(*(socket.recv() for socket in sockets))
            await asyncio.sleep(3)
            each = (server.memory_bytes() - before) / number
            print(f"{number} idle subscribers of {what}: {each / 1024:.0f} KiB each")
        await asyncio.sleep(2)


async def measure_latency(server: BenchServer, number: int) -> None:
    """Print the time from sending an event until every subscriber has received it."""
    async with AsyncExitStack() as stack:
        sockets = [await server.subscribe(stack, EVENTS) for _ in range(number)]
        await asyncio.sleep(1)
        times: list[float] = []
        for place in range(100 if number <= 100 else 5):
            event = {"task": "t", "process": "p", "eventClass": "BEAT", "index": place % JOBS}
            begin = time.perf_counter()
            sending = asyncio.create_task(server.graphql(SUBMIT, input=event))

            async def receive(socket: websockets.ClientConnection, begin: float = begin) -> float:
                await socket.recv()
                return time.perf_counter() - begin

            times += await asyncio.gather(*map(receive, sockets))
            await sending
        median, late = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(
            f"an event to {number} subscribers of its task, from before it is sent:"
            f" median {1000 * median:.1f} ms, 99% within {1000 * late:.1f} ms"
        )


async def measure_last_state(server: BenchServer, number: int) -> None:
    """Print the time from sending the last event until every subscriber has the last state."""
    async with AsyncExitStack() as stack:
        sockets = []
        for begin in range(0, number, 50):
            sockets += await asyncio.gather(
                *(server.subscribe(stack, CHANGES) for _ in range(min(50, number - begin)))
            )
        counts: list[int] = []

        async def watch(socket: websockets.ClientConnection) -> float:
            seen = 0
            while True:
                message = json.loads(await socket.recv())
                seen += 1
                if message["payload"]["data"]["taskChanged"]["state"] == "SUCCEEDED":
                    counts.append(seen)
                    return time.perf_counter()

        watching = [asyncio.create_task(watch(socket)) for socket in sockets]
        await asyncio.sleep(3)
        for begin in range(0, JOBS, 5):
            events = [
                {"task": "t", "process": "p", "eventClass": "DONE", "index": begin + place}
                for place in range(5)
            ]
            await asyncio.sleep(0.1)
            begin_of_last = time.perf_counter()
            await server.graphql(SUBMIT_MANY, events=events)
        times = [moment - begin_of_last for moment in await asyncio.gather(*watching)]
        print(
            f"the last state to {number} subscribers of taskChanged, after 2 s of events, from"
            f" before the last is sent: median {statistics.median(times):.2f} s, the last"
            f" {max(times):.2f} s, after {statistics.mean(counts):.1f} snapshots each"
        )


async def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=1_000, help="number of subscribers")
    number: int = parser.parse_args().number
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(f"sqlite:///{folder}/lamia.sqlite") as started,
    ):
        server = BenchServer(started)
        await server.graphql(CREATE, jobs=JOBS)
        await measure_idle(server, number)
        for some in (1, 100, number):
            await measure_latency(server, some)
        await measure_last_state(server, number)


if __name__ == "__main__":
    asyncio.run(main())
