"""Subscriptions to changes at an interval that the client asks for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lamia_gql.domain.access import ANYONE
from tests.support.engines import quick_on
from tests.support.harness import Server
from tests.support.live_clients import WebSocketClient
from tests.support.unserved_app import Stream, running_app

PACED = """subscription($names: [String!], $interval: Float) {
  taskChanged(names: $names, interval: $interval) { name counts { done } process(name: "p") {
    ... on JobArray { indices(states: [DONE]) } } } }"""
SHOWN = '{ process(task: "t", name: "p") { ... on JobArray { indices(states: [DONE]) } } }'
LONG = 60
"""An interval in seconds that no test waits for."""


async def next_done(stream: Stream) -> int:
    """How many jobs are done in the next snapshot."""
    result = await asyncio.wait_for(anext(stream), 10)
    assert not result.failed, result.body
    done: int = result.body["data"]["taskChanged"]["counts"]["done"]
    return done


async def until_done(stream: Stream, done: int) -> None:
    """Return with the snapshot in which so many jobs are done."""
    while await next_done(stream) < done:
        pass


async def test_changes_within_the_interval_are_combined(sqlite_url: str) -> None:
    """The present state is sent at once, to all who share; what changes after it waits."""
    async with running_app(sqlite_url) as app:
        await app.make("t")
        paced, other = (app.watch(PACED, names=["t"], interval=wait) for wait in (LONG, None))
        assert [await next_done(stream) for stream in (paced, other)] == [0, 0]
        waiting = asyncio.create_task(next_done(paced))
        for index in range(3):
            await app.done("t", index)
            await until_done(other, index + 1)
        assert not waiting.done()

        # Equal ones share an execution, so both get the present state.
        joined = app.watch(PACED, names=["t"], interval=LONG)
        assert (await next_done(joined), await waiting) == (3, 3)
        assert len(app.streams) == 2
        waiting = asyncio.create_task(next_done(paced))
        await app.done("t", 3)
        await until_done(other, 4)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        await app.services.delete_tasks(ANYONE, None, ["t"])
        # The task that waits is not there any more, so nothing is sent of it.
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(joined), 10)
        for stream in (paced, other, joined):
            await stream.aclose()


@quick_on("sqlite")
async def test_the_last_snapshot_is_what_a_query_answers(server: Server) -> None:
    """After the last change, a subscriber with an interval gets the state that it has led to."""
    server.create("t", {"name": "p", "jobCount": 30})
    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", PACED, names=["t"], interval=0.5)
        snapshots: list[Any] = [(await ws.receive())["payload"]["data"]["taskChanged"]]
        for index in range(0, 30, 2):
            await asyncio.to_thread(server.submit, "t", "p", "DONE", index=index)
        while snapshots[-1]["counts"]["done"] < 15:
            snapshots.append((await ws.receive())["payload"]["data"]["taskChanged"])
    assert snapshots[-1]["process"] == server.graphql(SHOWN)["process"]


@pytest.mark.parametrize("interval", [-0.5, LONG + 1])
async def test_an_interval_has_bounds(sqlite_server: Server, interval: float) -> None:
    """An interval that is negative or too long is refused, in words."""
    sqlite_server.create("t", {"name": "p"})
    async with WebSocketClient(sqlite_server.url) as ws:
        await ws.subscribe("1", PACED, names=["t"], interval=interval)
        message = await ws.receive()
    assert message["type"] == "error", message
    [error] = message["payload"]
    assert error["extensions"]["code"] == "ARGUMENT_INVALID"
    assert error["message"] == f"`interval` must be from 0 to 60 seconds, not {interval:g}."
