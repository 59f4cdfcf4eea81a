"""Shutdown: what subscribers receive, and what is stored."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.support.engines import quick_on
from tests.support.harness import SUBMIT_EVENT, Server, StartServer
from tests.support.live_clients import (
    BEGINNING,
    CHANGES,
    EVENTS,
    WebSocketClient,
    open_sse,
    until_events_come,
)
from tests.support.waiting import until, until_async


async def test_subscribers_are_told_that_the_server_stops(server: Server) -> None:
    """WebSockets are closed with 1001, without `complete`; streams end with an error."""
    server.create("t", {"name": "p", "jobCount": 3})
    server.submit("t", "p", "STARTED", index=0)

    async with (
        WebSocketClient(server.url) as ws,
        WebSocketClient(server.url, greet=False) as silent,
        open_sse(server.url, EVENTS, task="t", after=BEGINNING) as stream,
        open_sse(server.url, CHANGES, names=["t"]) as changes,
    ):
        await ws.subscribe("1", EVENTS, task="t")
        await ws.subscribe("2", CHANGES, names=["t"])
        assert (await ws.receive())["id"] == "2"
        await anext(stream)
        await anext(changes)
        os.kill(server.pid, signal.SIGTERM)
        begin = time.monotonic()
        assert await ws.closed() == (1001, "The server is stopping")
        assert (await silent.closed())[0] == 1001
        for messages in (stream, changes):
            last = await anext(messages)
            while "errors" not in last.data:
                # A busy server may have told of the event after the first state.
                last = await anext(messages)
            assert last.data["errors"][0]["extensions"]["code"] == "STOPPING"
            assert (await anext(messages)).event == "complete"
            assert [message async for message in messages] == []
        assert time.monotonic() - begin < 4
    server.stop()
    assert server.complaints() == ""


async def test_a_server_that_drains_does_its_work(
    start_server: StartServer, sqlite_url: str
) -> None:
    """It is not ready, and ends connections with its answers, but takes all that comes."""
    server = start_server(sqlite_url, drain_time=2)
    server.create("t", {"name": "p", "jobCount": 3})
    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", EVENTS, task="t")
        await until_events_come(server, ws)
        os.kill(server.pid, signal.SIGTERM)

        async def is_off() -> bool:
            answer = await asyncio.to_thread(server.get, "/readyz")
            return answer.status_code == 503 and "stopping" in answer.json()["reason"]

        await until_async(is_off, "a server that is not ready")
        answer = await asyncio.to_thread(server.get, "/healthz")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        await asyncio.to_thread(server.submit, "t", "p", "DONE", index=0)
        async with WebSocketClient(server.url) as late:
            await late.subscribe("1", EVENTS, task="t", after=BEGINNING)
            assert (await late.receive())["type"] == "next"
            while (await ws.receive())["payload"]["data"]["events"]["node"]["eventClass"] == "BEAT":
                pass
            assert await ws.closed() == (1001, "The server is stopping")
            assert (await late.closed())[0] == 1001
    server.stop()
    server.check_counters()


async def test_a_subscriber_that_does_not_read_does_not_keep_the_server(
    start_server: StartServer, sqlite_url: str
) -> None:
    """The server stops within its time limit, even if a client does not read."""
    server = start_server(sqlite_url)
    server.create("t", {"name": "p", "jobCount": 3})
    big = {"text": "x" * 60_000}
    events: list[dict[str, Any]] = [
        {"task": "t", "process": "p", "eventClass": "BEAT", "index": 0, "payload": big}
    ]
    server.submit_many(events * 100)

    query = """subscription { events(task: "t", after: "") { node { payload } } }"""
    # The stream is cut, which shows when it is left.
    with suppress(httpx.TransportError):
        async with (
            open_sse(server.url, query) as stream,
            WebSocketClient(server.url, max_queue=1) as ws,
        ):
            await ws.subscribe("1", query)
            await anext(stream)
            transport = ws.socket.transport
            await until_async(lambda: not transport.is_reading(), "a client that reads no more")
            begin = time.monotonic()
            await asyncio.to_thread(server.stop)
            assert time.monotonic() - begin < 8
            transport.abort()
    assert "Traceback" not in server.log()


@quick_on("postgresql")
async def test_what_was_acknowledged_before_the_end_is_stored(server: Server) -> None:
    """During a shutdown, every acknowledged event is stored."""
    jobs = 5_000
    server.create("t", {"name": "p", "jobCount": jobs})
    acknowledged: set[int] = set()
    enough = asyncio.Event()

    async def write(client: httpx.AsyncClient, indices: range) -> None:
        for index in indices:
            event = {"task": "t", "process": "p", "eventClass": "DONE", "index": index}
            body = {"query": SUBMIT_EVENT, "variables": {"input": event}}
            try:
                answer = await client.post(f"{server.url}/graphql", json=body)
            except httpx.TransportError:
                return
            if "errors" not in answer.json():
                acknowledged.add(index)
            if len(acknowledged) >= 300:
                enough.set()

    async with httpx.AsyncClient(verify=False) as client, WebSocketClient(server.url) as ws:
        await ws.subscribe("1", CHANGES, names=["t"])
        writers = [asyncio.create_task(write(client, range(part, jobs, 16))) for part in range(16)]
        await asyncio.wait_for(enough.wait(), 60)
        await asyncio.to_thread(server.stop)
        await asyncio.gather(*writers)
    assert len(acknowledged) < jobs
    assert "Traceback" not in server.log()
    server.start()
    indices = server.graphql(
        '{ process(task: "t", name: "p") { ... on JobArray { indices(states: [DONE]) } } }'
    )["process"]["indices"]
    stored: set[int] = set()
    for part in indices.split(","):
        first, _, last = part.partition("-")
        stored.update(range(int(first), int(last or first) + 1))
    assert acknowledged <= stored
    # What was on its way when the server was told is at most one event for each writer.
    assert len(stored - acknowledged) <= 16
    server.check_counters()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_each_connection_is_answered_or_refused(
    start_server: StartServer, postgres_url: str, workers: int
) -> None:
    """A connection that the system has accepted for the server is never reset."""
    server = start_server(postgres_url, workers=workers)
    answered = [0] * 16

    def ask_again_and_again(number: int) -> None:
        while True:
            # A new connection each time.
            try:
                assert httpx.get(f"{server.url}/healthz", verify=False).status_code == 200
            except httpx.ConnectError:
                return
            answered[number] += 1

    with ThreadPoolExecutor(len(answered)) as threads:
        asking = [threads.submit(ask_again_and_again, number) for number in range(len(answered))]
        until(lambda: all(number > 3 for number in answered), lambda: answered)
        server.stop()
        for one in asking:
            one.result()
