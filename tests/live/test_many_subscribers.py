"""Very many subscribers, at the same time and one after the other."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import pytest

from lamia_gql.server.open_files import raise_file_limit
from lamia_gql.server.websocket_protocol import WEBSOCKET_LOG
from tests.support.harness import CREATE_TASK, SUBMIT_EVENT, SUBMIT_EVENTS, StartServer
from tests.support.in_process_server import InProcessServer, serve_in_process
from tests.support.live_clients import BEGINNING, CHANGES, EVENTS, WebSocketClient
from tests.support.raw_sockets import CLOSE, UPGRADE, client_frame, stream_request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SUBSCRIBERS, JOBS = 1_000, 1_600
WARM, HALF, CYCLES = 3_000, 6_500, 10_000


async def test_a_thousand_subscribers_see_the_final_state(
    start_server: StartServer, sqlite_url: str
) -> None:
    """All subscribers receive the final state, with equal or distinct documents."""
    raise_file_limit()
    server = start_server(sqlite_url)
    server.create("t", {"name": "p", "jobCount": JOBS})

    def words(number: int) -> str:
        own = f"own{number}: name state" if number % 10 == 0 else "state"
        return CHANGES.replace("state", own, 1)

    async def last(ws: WebSocketClient) -> Any:
        done = -1
        while True:
            message = await ws.receive()
            assert message["type"] == "next", message
            task = message["payload"]["data"]["taskChanged"]
            assert task["counts"]["done"] >= done
            done = task["counts"]["done"]
            if task["state"] == "SUCCEEDED":
                return task

    def write(client: httpx.Client, writer: int) -> None:
        for begin in range(writer * 100, writer * 100 + 100, 5):
            events = [
                {"task": "t", "process": "p", "eventClass": "DONE", "index": begin + place}
                for place in range(5)
            ]
            body = {"query": SUBMIT_EVENTS, "variables": {"input": {"events": events}}}
            client.post(f"{server.url}/graphql", json=body).raise_for_status()

    # In threads: the event loop of the subscribers is too busy to use connections in time.
    writers = JOBS // 100
    async with AsyncExitStack() as stack:
        client = stack.enter_context(httpx.Client(timeout=60, verify=False))
        threads = stack.enter_context(ThreadPoolExecutor(writers))
        sockets = [WebSocketClient(server.url, open_timeout=60) for _ in range(SUBSCRIBERS)]
        for begin in range(0, SUBSCRIBERS, 50):
            some = sockets[begin : begin + 50]
            await asyncio.gather(*map(stack.enter_async_context, some))
            for number, ws in enumerate(some, begin):
                await ws.subscribe("1", words(number), names=["t"])
        watching = asyncio.gather(*map(last, sockets))
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.run_in_executor(threads, write, client, writer) for writer in range(writers))
        )
        tasks = await watching
    assert len(tasks) == SUBSCRIBERS
    assert all(task["counts"] == {"done": JOBS, "total": JOBS} for task in tasks)
    assert "Traceback" not in server.log()


class Visitor:
    """A client that subscribes and disconnects in one of several ways."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        host, port = self._address.hostname, self._address.port
        self._reader, self._writer = await asyncio.open_connection(host, port)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        # Without a word, where nothing was said before.
        self._writer.transport.abort()

    async def websocket(self, *messages: dict[str, Any]) -> None:
        """Begin a WebSocket, and send messages."""
        self._writer.write(UPGRADE)
        await self._reader.readuntil(b"\r\n\r\n")
        self.send({"type": "connection_init"}, *messages)
        await self._writer.drain()

    async def stream(self, query: str, **variables: Any) -> None:
        """Ask for a stream."""
        self._writer.write(stream_request(query, **variables))
        await self._writer.drain()

    def send(self, *messages: dict[str, Any]) -> None:
        """Send messages over the WebSocket."""
        for message in messages:
            self._writer.write(client_frame(json.dumps(message).encode()))

    async def until(self, word: bytes) -> None:
        """Read up to a word."""
        await asyncio.wait_for(self._reader.readuntil(word), 30)

    async def close(self) -> None:
        """Send a close frame, and wait for the answer."""
        self._writer.write(client_frame(b"", CLOSE))
        await asyncio.wait_for(self._reader.read(), 30)


def subscribe(query: str, **variables: Any) -> dict[str, Any]:
    """The message that begins an operation."""
    return {"id": "1", "type": "subscribe", "payload": {"query": query, "variables": variables}}


COMPLETE = {"id": "1", "type": "complete"}


async def visit(url: str, number: int) -> None:
    """Subscribe and disconnect, in a way that depends on the number."""
    async with Visitor(url) as client:
        match number % 10:
            case 0:
                await client.websocket(subscribe(CHANGES, names=["t"]))
                await client.until(b"next")
                client.send(COMPLETE)
                await client.close()
            case 1:
                await client.websocket(subscribe(CHANGES, names=["t"]))
                await client.until(b"next")
                await client.close()
            case 2:
                await client.websocket(subscribe(CHANGES, names=["t"]))
                await client.until(b"next")
            case 3:
                # In words of its own. The server remembers the latest 256 documents: fewer than are
                # needed to get warm.
                await client.websocket(subscribe(f"{CHANGES} # {number}", filter={"tags": ["x"]}))
                await client.until(b"ack")
            case 4:
                await client.websocket(subscribe(EVENTS, task="t", after=BEGINNING))
                await client.until(b"next")
                await client.close()
            case 5:
                await client.websocket(subscribe(EVENTS, task="t"), COMPLETE)
                client.send(subscribe(EVENTS, task="t"))
                await client.until(b"ack")
            case 6:
                await client.websocket(subscribe(EVENTS, task="nobody"))
                await client.until(b"error")
            case 7:
                await client.stream(CHANGES, names=["t"])
                await client.until(b"next")
            case 8:
                await client.stream(EVENTS, task="t")
                await client.until(b":")
            case 9:
                await client.stream(EVENTS, task="t", after=BEGINNING)


def memory() -> int:
    """The bytes that this process has in memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * int(found[1])


async def happen(client: httpx.AsyncClient, query: str, **given: Any) -> None:
    """Run a mutation."""
    answer = await client.post("/graphql", json={"query": query, "variables": {"input": given}})
    assert "errors" not in answer.json(), answer.text


async def test_ten_thousand_subscribers_leave_no_resources(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However they disconnect, no resources remain, and the memory does not grow."""
    # pytest keeps what is logged, and a test before this one may have chosen a lower level.
    for name in (None, "uvicorn", WEBSOCKET_LOG):
        caplog.set_level(logging.WARNING, name)

    async def visits(server: InProcessServer, numbers: range) -> None:
        places = asyncio.Semaphore(20)

        async def one(number: int) -> None:
            async with places:
                await visit(server.url, number)

        async with httpx.AsyncClient(base_url=server.url, verify=False) as client:
            for begin in range(numbers.start, numbers.stop, 100):
                await happen(
                    client, SUBMIT_EVENT, task="t", process="p", eventClass="BEAT", index=0
                )
                await asyncio.gather(*map(one, range(begin, begin + 100)))

    async with serve_in_process(sqlite_url) as server:
        async with httpx.AsyncClient(base_url=server.url, verify=False) as client:
            processes = [{"name": "p", "jobCount": 5}]
            await happen(client, CREATE_TASK, name="t", processes=processes)
        nothing = server.resources()
        assert nothing == dict.fromkeys(nothing, 0) | {"tasks": nothing["tasks"]}
        found = []
        for numbers in (range(WARM), range(WARM, HALF), range(HALF, CYCLES)):
            await visits(server, numbers)
            await server.until_resources(nothing)
            gc.collect()
            found.append((len(gc.get_objects()), memory()))
        (objects, size), (more, larger), (most, largest) = found
        # If anything were kept of each, it would be thousands in each round; a cache that fills
        # grows in one of them only.
        assert min(more - objects, most - more) < 500
        assert min(larger - size, largest - larger) < 10 << 20
