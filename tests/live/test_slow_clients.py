"""Clients that read too slowly, or not at all: told so, cut off, and nobody else's trouble."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.harness import Server
from tests.support.live_clients import (
    BEGINNING,
    EVENTS,
    Wire,
    sse,
    until_events_are_followed,
    until_events_come,
)
from tests.support.raw_sockets import PING, frame, is_cut, read_until, stream, vanish, websocket
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
async def test_those_who_never_read_are_nobody_elses_trouble(
    serve: Serve, postgres_url: str
) -> None:
    """Beside them events come as quickly as without; memory stays bounded; they are cut off."""
    # On PostgreSQL the memory is the server's own: it keeps no pages of a file.
    server = serve(postgres_url, max_waiting_changes=100, send_timeout=3)
    server.create("t", {"name": "p", "jobCount": 10})
    # So many requests that what Python collects now and then is collected in each round.
    batches, size = 300, 5

    async def pour() -> list[float]:
        """Seconds from an event's sending until another subscriber has it, again and again."""
        times = []
        async with Wire(server.url) as wire:
            await wire.subscribe("1", EVENTS, task="t", eventClass=["DONE"])
            await until_events_come(server, wire, event_class="DONE")
            for number in range(batches):
                await asyncio.to_thread(server.submit_many, big_events(size, 0))
                begin = time.monotonic()
                sending = asyncio.to_thread(server.submit, "t", "p", "DONE", index=number % 10)
                await asyncio.gather(sending, wire.receive())
                times.append(time.monotonic() - begin)
        return times

    before = statistics.median(await pour())
    warm = memory(server)
    with ExitStack() as stack:
        silent = [
            stack.enter_context(begin(server.url, PAYLOADS, task="t", after=after))
            for begin in (websocket, stream)
            for after in (None, BEGINNING)
        ]
        for client in silent:
            read_until(client, b"next", lambda: server.submit("t", "p", "DONE", index=0))
        beside = statistics.median(await pour())
        grown = memory(server) - warm
        # 60 MB were poured.
        assert grown < 30 * MEGABYTE, (grown, warm)
        assert beside < 0.1 + 3 * before, (beside, before)
        assert all(is_cut(client) for client in silent)
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_who_is_too_slow_is_told_and_resumes(
    serve: Serve, sqlite_url: str, transport: str
) -> None:
    """The error comes after all that came before it, and with its cursor nothing is missed."""
    server = serve(sqlite_url, max_waiting_changes=30)
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
        async with Wire(server.url, max_queue=1) as wire:
            await wire.subscribe("1", PAYLOADS, task="t", after=BEGINNING)
            await until_events_are_followed(server, wire.receive)
            await submit()
            cursor = BEGINNING
            while (message := await wire.receive())["type"] == "next":
                cursor = see(message["payload"]["data"]["events"])
            assert message["type"] == "error"
            assert message["payload"][0]["extensions"]["code"] == "TOO_SLOW"
            assert 0 < len(seen) < 400
            await wire.subscribe("1", PAYLOADS, task="t", after=cursor)
            while len(seen) < 400:
                see((await wire.receive())["payload"]["data"]["events"])

    async def over_sse() -> None:
        async with sse(server.url, PAYLOADS, task="t", after=BEGINNING) as stream:
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
        async with sse(server.url, PAYLOADS, task="t", last_event_id=cursor) as stream:
            async for message in stream:
                see(message.data["data"]["events"])
                if len(seen) == 400:
                    return

    await (over_websocket() if transport == "websocket" else over_sse())
    assert seen == list(range(400))
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_a_stuck_subscriber_does_not_keep_others_at_a_deleted_task(
    serve: Serve, database_url: str, transport: str
) -> None:
    """Whoever still reads the past when the task is deleted comes to an end all the same."""
    server = serve(database_url, send_timeout=120)
    server.create("t", {"name": "p", "jobCount": 10})
    begin = websocket if transport == "websocket" else stream
    with begin(server.url, PAYLOADS, task="t") as stuck:
        read_until(stuck, b"next", lambda: server.submit("t", "p", "DONE", index=0))
        # From here on it reads nothing more. There is more than fits into a connection.
        await asyncio.to_thread(server.submit_many, big_events(400, 1))
        async with Wire(server.url, max_queue=1) as wire:
            # The jobs of a deleted task can't be read.
            await wire.subscribe("1", PAYLOADS_ONLY)
            sockets = wire.socket.transport
            await until_async(lambda: not sockets.is_reading(), "a client in the middle")
            await asyncio.to_thread(
                server.graphql, 'mutation { deleteTask(input: { name: "t" }) { deletedId } }'
            )
            assert len([data async for data in wire.nexts()]) < 400
        vanish(stuck)
    assert "Traceback" not in server.log()


def test_pings_are_not_answered_without_end(sqlite_server: Server) -> None:
    """A client that pings, and reads none of the answers, does not fill the memory with them."""
    flood = frame(b"x" * 125, PING) * 1_000
    with websocket(sqlite_server.url) as client:
        before = memory(sqlite_server)
        for _ in range(200):
            client.sendall(flood)
        assert memory(sqlite_server) - before < 8 * MEGABYTE
        vanish(client)
    assert sqlite_server.graphql("{ server { version } }")
    assert sqlite_server.log() == ""
