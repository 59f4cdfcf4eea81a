"""What subscribers cost: memory while they are idle, and how long a push takes.

Starts a server on a fresh SQLite file, and a client in this process that holds all connections;
both share the machine, so the times are those of server and client together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import websockets
from websockets.typing import Subprotocol

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


class Target:
    """A running server."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid
        self.client = httpx.AsyncClient(timeout=60)

    async def graphql(self, query: str, **variables: Any) -> None:
        """Run an operation."""
        body = {"query": query, "variables": variables}
        answer = await self.client.post(f"{self.url}/graphql", json=body)
        answer.raise_for_status()
        assert "errors" not in answer.json(), answer.text

    async def subscribe(self, stack: AsyncExitStack, query: str) -> websockets.ClientConnection:
        """A connection with one subscription."""
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

    def memory(self) -> int:
        """The bytes that the server has in memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return 1024 * int(found[1])


@contextmanager
def server() -> Iterator[Target]:
    """A server on a free port and a fresh file."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "lamia_gql", "serve", "--port", "0"],
            env=os.environ
            | {
                "LAMIA_DATABASE_URL": f"sqlite:///{folder}/lamia.sqlite",
                # Nobody reads the log, and a full pipe would stop the server.
                "LAMIA_LOG_LEVEL": "warning",
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if (told := re.search(r"on (http://\S+)/graphql", line)) is not None:
                    break
            assert told is not None
            yield Target(told[1], process.pid)
        finally:
            process.terminate()
            process.wait()


async def idle(target: Target, number: int) -> None:
    """Memory of subscribers to which nothing happens."""
    for what, query in (("taskChanged", CHANGES), ("events", EVENTS)):
        async with AsyncExitStack() as stack:
            before = target.memory()
            for begin in range(0, number, 50):
                sockets = await asyncio.gather(
                    *(target.subscribe(stack, query) for _ in range(min(50, number - begin)))
                )
                if what == "taskChanged":
                    await asyncio.gather(*(socket.recv() for socket in sockets))
            await asyncio.sleep(3)
            each = (target.memory() - before) / number
            print(f"{number} idle subscribers of {what}: {each / 1024:.0f} KiB each")
        await asyncio.sleep(2)


async def latency(target: Target, number: int) -> None:
    """From sending an event to its coming back, alone and among many."""
    async with AsyncExitStack() as stack:
        sockets = [await target.subscribe(stack, EVENTS) for _ in range(number)]
        await asyncio.sleep(1)
        times: list[float] = []
        for place in range(100 if number <= 100 else 5):
            event = {"task": "t", "process": "p", "eventClass": "BEAT", "index": place % JOBS}
            begin = time.perf_counter()
            sending = asyncio.create_task(target.graphql(SUBMIT, input=event))

            async def come(socket: websockets.ClientConnection, begin: float = begin) -> float:
                await socket.recv()
                return time.perf_counter() - begin

            times += await asyncio.gather(*map(come, sockets))
            await sending
        median, late = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(
            f"an event to {number} subscribers of its task, from before it is sent:"
            f" median {1000 * median:.1f} ms, 99% within {1000 * late:.1f} ms"
        )


async def final(target: Target, number: int) -> None:
    """How long after the last event everybody has the last state."""
    async with AsyncExitStack() as stack:
        sockets = []
        for begin in range(0, number, 50):
            sockets += await asyncio.gather(
                *(target.subscribe(stack, CHANGES) for _ in range(min(50, number - begin)))
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
            await target.graphql(SUBMIT_MANY, events=events)
        times = [moment - begin_of_last for moment in await asyncio.gather(*watching)]
        print(
            f"the last state to {number} subscribers of taskChanged, after 2 s of events, from"
            f" before the last is sent: median {statistics.median(times):.2f} s, the last"
            f" {max(times):.2f} s, after {statistics.mean(counts):.1f} snapshots each"
        )


async def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=1_000, help="How many subscribers.")
    number: int = parser.parse_args().number
    with server() as target:
        await target.graphql(CREATE, jobs=JOBS)
        await idle(target, number)
        for some in (1, 100, number):
            await latency(target, some)
        await final(target, number)


if __name__ == "__main__":
    asyncio.run(main())
