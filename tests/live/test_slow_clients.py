"""Clients that read too slowly get an error or are disconnected, without effect on others."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import quick_on
from tests.support.harness import Server, StartServer
from tests.support.live_clients import (
    BEGINNING,
    EVENTS,
    WebSocketClient,
    open_sse,
    until_events_are_followed,
    until_events_come,
)
from tests.support.raw_sockets import (
    PING,
    client_frame,
    is_closed_by_server,
    open_stream,
    open_websocket,
    read_until,
    reset_connection,
)
from tests.support.waiting import until_async

PAYLOADS = EVENTS.replace("uuid", "uuid payload")
PAYLOADS_ONLY = """subscription { events(task: "t", after: "") { node { payload } } }"""
BIG = 40_000
"""Characters in the payload of an event."""
MEGABYTE = 1 << 20


def memory(server: Server) -> int:
    """The bytes that a server has in memory."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return 1024 * int(found[1])


def big_events(number: int, index: int) -> list[dict[str, Any]]:
    """Events of a job, with large payloads."""
    event = {"task": "t", "process": "p", "eventClass": "BEAT", "index": index}
    return [event | {"payload": {"n": place, "x": "x" * BIG}} for place in range(number)]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_clients_that_never_read_do_not_affect_others(
    start_server: StartServer, postgres_url: str
) -> None:
    """They do not delay others, memory stays bounded, and they are disconnected."""
    # On PostgreSQL the memory is the server's own: it keeps no pages of a file.
    server = start_server(postgres_url, max_waiting_changes=100, send_timeout=3)
    server.create("t", {"name": "p", "jobCount": 10})
    # So many requests that what Python collects now and then is collected in each round.
    batches, size = 300, 5

    async def pour() -> list[float]:
        """Seconds from an event's sending until another subscriber has it, again and again."""
        times = []
        async with WebSocketClient(server.url) as ws:
            await ws.subscribe("1", EVENTS, task="t", eventClass=["DONE"])
            await until_events_come(server, ws, event_class="DONE")
            for number in range(batches):
                await asyncio.to_thread(server.submit_many, big_events(size, 0))
                begin = time.monotonic()
                sending = asyncio.to_thread(server.submit, "t", "p", "DONE", index=number % 10)
                await asyncio.gather(sending, ws.receive())
                times.append(time.monotonic() - begin)
        return times

    before = statistics.median(await pour())
    warm = memory(server)
    with ExitStack() as stack:
        silent = [
            stack.enter_context(begin(server.url, PAYLOADS, task="t", after=after))
            for begin in (open_websocket, open_stream)
            for after in (None, BEGINNING)
        ]
        for client in silent:
            read_until(client, b"next", lambda: server.submit("t", "p", "DONE", index=0))
        beside = statistics.median(await pour())
        grown = memory(server) - warm
        # 60 MB were poured.
        assert grown < 30 * MEGABYTE, (grown, warm)
        assert beside < 0.1 + 3 * before, (beside, before)
        assert all(is_closed_by_server(client) for client in silent)
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_a_slow_client_gets_too_slow_and_resumes(
    start_server: StartServer, sqlite_url: str, transport: str
) -> None:
    """TOO_SLOW comes after all earlier events; resuming from the last cursor misses nothing."""
    server = start_server(sqlite_url, max_waiting_changes=30)
    server.create("t", {"name": "p", "jobCount": 10})
    seen: list[int] = []

    def see(edge: Any) -> str:
        seen.append(edge["node"]["payload"]["n"])
        cursor: str = edge["cursor"]
        return cursor

    async def submit() -> None:
        events = big_events(400, 1)
        for begin in range(0, len(events), 10):
            await asyncio.to_thread(server.submit_many, events[begin : begin + 10])

    async def over_websocket() -> None:
        # It takes no more than one message until somebody asks for it.
        async with WebSocketClient(server.url, max_queue=1) as ws:
            await ws.subscribe("1", PAYLOADS, task="t", after=BEGINNING)
            await until_events_are_followed(server, ws.receive)
            await submit()
            cursor = BEGINNING
            while (message := await ws.receive())["type"] == "next":
                cursor = see(message["payload"]["data"]["events"])
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"]["code"] == "TOO_SLOW"
            assert 0 < len(seen) < 400
            await ws.subscribe("1", PAYLOADS, task="t", after=cursor)
            while len(seen) < 400:
                see((await ws.receive())["payload"]["data"]["events"])

    async def over_sse() -> None:
        # The cursor of an event of the past is not that of the error.
        await asyncio.to_thread(server.submit, "t", "p", "BEAT", index=0)
        async with open_sse(server.url, PAYLOADS, task="t", after=BEGINNING) as stream:
            await anext(stream)
            await until_events_are_followed(server, lambda: anext(stream))
            await submit()
            cursor: str | None = BEGINNING
            async for message in stream:
                if "errors" in message.data:
                    break
                see(message.data["data"]["events"])
                cursor = message.id
            assert message.data["errors"][0]["extensions"]["code"] == "TOO_SLOW"
            assert message.id in (None, cursor)
            assert (await anext(stream)).event == "complete"
            assert 0 < len(seen) < 400
        async with open_sse(server.url, PAYLOADS, task="t", last_event_id=cursor) as stream:
            async for message in stream:
                see(message.data["data"]["events"])
                if len(seen) == 400:
                    return

    await (over_websocket() if transport == "websocket" else over_sse())
    assert seen == list(range(400))
    assert "Traceback" not in server.log()


@quick_on("sqlite", "database_url")
@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_a_stuck_subscriber_does_not_keep_others_at_a_deleted_task(
    start_server: StartServer, database_url: str, transport: str
) -> None:
    """Whoever still reads the past when the task is deleted comes to an end all the same."""
    server = start_server(database_url, send_timeout=120)
    server.create("t", {"name": "p", "jobCount": 10})
    begin = open_websocket if transport == "websocket" else open_stream
    with begin(server.url, PAYLOADS, task="t") as stuck:
        sent = []
        read_until(stuck, b"next", lambda: sent.append(server.submit("t", "p", "DONE", index=0)))
        # From here on it reads nothing more. There is more than fits into a connection.
        await asyncio.to_thread(server.submit_many, big_events(400, 1))
        async with WebSocketClient(server.url, max_queue=1) as wire:
            # The jobs of a deleted task can't be read.
            await wire.subscribe("1", PAYLOADS_ONLY)
            sockets = wire.socket.transport
            await until_async(lambda: not sockets.is_reading(), "a client in the middle")
            await asyncio.to_thread(
                server.graphql, 'mutation { deleteTask(input: { name: "t" }) { deletedId } }'
            )
            # How many of the past events it still gets depends on when their rows are purged.
            assert len([data async for data in wire.results()]) <= 400 + len(sent)
        reset_connection(stuck)
    assert "Traceback" not in server.log()


def test_pings_are_not_answered_without_end(sqlite_server: Server) -> None:
    """A client that pings without reading the pongs does not fill the memory."""
    flood = client_frame(b"x" * 125, PING) * 1_000
    with open_websocket(sqlite_server.url) as client:
        before = memory(sqlite_server)
        for _ in range(200):
            client.sendall(flood)
        assert memory(sqlite_server) - before < 8 * MEGABYTE
        reset_connection(client)
    assert sqlite_server.graphql("{ server { version } }")
    assert sqlite_server.complaints() == ""
