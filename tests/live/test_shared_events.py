"""Equal subscriptions to events share one execution, and nobody notices."""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest
from sqlalchemy import Connection

from lamia_gql.domain.access import ANYONE
from lamia_gql.domain.errors import RequestError
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.graph.transport.result import Result
from lamia_gql.graph.transport.waiting_results import (
    MAX_WRITTEN_AT_ONCE,
    Push,
    ResultSubscriber,
)
from lamia_gql.live.subscription_limit import SubscriptionLimit
from lamia_gql.storage.rows import ProcessRow
from tests.support.engines import quick_on
from tests.support.harness import Server, StartServer
from tests.support.live_clients import BEGINNING, CHANGES, EVENTS, WebSocketClient, open_sse
from tests.support.unserved_app import Stream, UnservedApp, push_of, running_app
from tests.support.waiting import until_async

PLAIN = """subscription($task: String!, $eventClass: [EventClass!], $after: String) {
  events(task: $task, eventClass: $eventClass, after: $after) {
    cursor node { uuid eventClass receivedAt payload } } }"""
"""It needs nothing but the events, so that a plan makes the results."""


async def next_edge(stream: Stream) -> Any:
    """The edge of the next event of a stream."""
    result = await asyncio.wait_for(anext(stream), 10)
    assert not result.failed, result.body
    return result.body["data"]["events"]


async def until_followed(app: UnservedApp, number: int) -> None:
    """Wait until so many executions follow new events."""
    await until_async(lambda: len(app.services.feeds.events) == number, "followers")


async def cursors_of(app: UnservedApp, number: int) -> list[str]:
    """The cursors of the first events of task t."""
    async with aclosing(app.watch(PLAIN, task="t", after=BEGINNING)) as stream:
        return [(await next_edge(stream))["cursor"] for _ in range(number)]


@pytest.mark.parametrize("query", [PLAIN, EVENTS])
@pytest.mark.parametrize("compiled", [True, False])
async def test_equal_subscribers_get_the_same_result(
    sqlite_url: str, query: str, compiled: bool
) -> None:
    """An event is executed and encoded once for all equal subscribers, wherever they began."""
    async with running_app(sqlite_url, compiled_queries=compiled) as app:
        await app.make("t")
        for index in range(3):
            await app.done("t", index)
        [first, second, _] = await cursors_of(app, 3)
        starts: list[dict[str, Any]] = [{}, {"after": first}, {"after": second}, {}]
        streams = [app.watch(query, task="t", **start) for start in starts]
        waiting = [asyncio.create_task(anext(stream)) for stream in streams]
        # What is past comes to each alone.
        for place, number in ((1, 2), (2, 1)):
            for _ in range(number):
                await waiting[place]
                waiting[place] = asyncio.create_task(anext(streams[place]))
        await until_async(
            lambda: [len(shared) for shared in app.streams._shared.values()] == [4],
            "all subscribers in one place",
        )
        await app.done("t", 3)
        results = await asyncio.gather(*waiting)
        assert all(result is results[0] for result in results)
        assert results[0].body["data"]["events"]["node"]["eventClass"] == "DONE"
        assert len(app.services.feeds.events) == 1
        for stream in streams:
            await stream.aclose()


async def test_unequal_subscribers_share_nothing(sqlite_url: str) -> None:
    """Other variables, other documents and other tasks are executed by themselves."""
    async with running_app(sqlite_url) as app:
        await app.make("t", "u")
        streams = [
            app.watch(PLAIN, task="t"),
            app.watch(PLAIN, task="t", eventClass=["DONE"]),
            app.watch(PLAIN + " # the same, in other words", task="t"),
            app.watch(PLAIN, task="u"),
        ]
        waiting = [asyncio.create_task(next_edge(stream)) for stream in streams]
        await until_followed(app, 4)
        await app.done("t", 0, EventClass.STARTED)
        await app.done("t", 0)
        await app.done("u", 0, EventClass.READY)
        edges = await asyncio.gather(*waiting)
        classes = [edge["node"]["eventClass"] for edge in edges]
        assert classes == ["STARTED", "DONE", "STARTED", "READY"]
        for stream in streams:
            await stream.aclose()


async def test_whoever_resumes_in_the_middle_misses_nothing(sqlite_url: str) -> None:
    """Subscribers come, leave and resume while events pour in: each event comes once, in order."""
    total, clients = 300, 12
    choose = random.Random(11)
    async with running_app(sqlite_url) as app:
        await app.make("t")

        async def follow() -> list[str]:
            seen: list[str] = []
            cursor = BEGINNING
            while len(seen) < total:
                async with aclosing(app.watch(PLAIN, task="t", after=cursor)) as stream:
                    for _ in range(min(choose.randint(1, 60), total - len(seen))):
                        edge = await next_edge(stream)
                        cursor = edge["cursor"]
                        seen.append(edge["node"]["uuid"])
            return seen

        async def pour() -> None:
            for begin in range(0, total, 5):
                await asyncio.gather(
                    *(app.done("t", index % 100) for index in range(begin, begin + 5))
                )

        pouring = asyncio.create_task(pour())
        seen = await asyncio.gather(*(follow() for _ in range(clients)))
        await pouring
        stored = await cursors_of(app, total)
        assert len(set(stored)) == total
        assert all(each == seen[0] for each in seen)
        assert len(set(seen[0])) == total


async def test_a_slow_subscriber_does_not_keep_others(sqlite_url: str) -> None:
    """It is ended as too slow after what waits for it; equal ones get all, and it can resume."""
    async with running_app(sqlite_url, max_waiting_changes=20) as app:
        await app.make("t")
        slow, fast = app.watch(PLAIN, task="t"), app.watch(PLAIN, task="t")
        coming = asyncio.gather(next_edge(slow), next_edge(fast))
        await until_async(
            lambda: [len(shared) for shared in app.streams._shared.values()] == [2],
            "both subscribers",
        )
        await app.done("t", 0)
        [edge, _] = await coming
        seen = []
        for index in range(1, 31):
            await app.done("t", index)
            seen.append((await next_edge(fast))["cursor"])
        last = await asyncio.wait_for(anext(slow), 10)
        assert last.body["errors"][0]["extensions"]["code"] == "TOO_SLOW"
        with pytest.raises(StopAsyncIteration):
            await anext(slow)
        resumed = app.watch(PLAIN, task="t", after=edge["cursor"])
        assert [(await next_edge(resumed))["cursor"] for _ in range(30)] == seen
        await resumed.aclose()
        await fast.aclose()


async def test_a_deleted_task_ends_all_but_its_successor(sqlite_url: str) -> None:
    """Whoever follows a deleted task comes to an end; a new task of its name is another stream."""
    async with running_app(sqlite_url) as app:
        await app.make("t")
        old = [app.watch(PLAIN, task="t") for _ in range(3)]
        coming = asyncio.gather(*map(next_edge, old))
        await until_async(
            lambda: [len(shared) for shared in app.streams._shared.values()] == [3],
            "all subscribers",
        )
        await app.done("t", 0)
        await coming
        await app.services.delete_tasks(ANYONE, None, ["t"])
        await app.make("t")
        new = app.watch(PLAIN, task="t")
        fresh = asyncio.create_task(next_edge(new))
        for stream in old:
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
        await until_followed(app, 1)
        await app.done("t", 1)
        assert (await fresh)["node"]["eventClass"] == "DONE"
        await new.aclose()


async def test_results_are_written_at_once_or_queued_in_order(sqlite_url: str) -> None:
    """While a client reads, results go past its queue; while it does not, they wait in order."""
    written: list[Result] = []
    reads = True

    def write(push: Push) -> bool:
        if reads:
            written.extend(shared.result for shared in push.shared)
        return reads

    async with running_app(sqlite_url) as app:
        await app.make("t")
        stream = app.watch(PLAIN, write=write, task="t")
        coming = asyncio.create_task(next_edge(stream))
        await until_followed(app, 1)
        await until_async(lambda: app.streams._shared, "the subscriber")
        for index in range(5):
            await app.done("t", index)
        await until_async(lambda: len(written) == 5, lambda: written)
        reads = False
        for index in range(5, 8):
            await app.done("t", index)
        queued = [await coming, await next_edge(stream), await next_edge(stream)]
        past = await cursors_of(app, 8)
        assert [result.cursor for result in written] == past[:5]
        assert [edge["cursor"] for edge in queued] == past[5:]
        await stream.aclose()


def test_what_waits_is_bounded_in_bytes() -> None:
    """Above the bytes that all subscriptions may hold, whoever has several results waiting ends."""
    subscriptions = SubscriptionLimit(2, 25)
    slow, fast = (ResultSubscriber(10, subscriptions) for _ in range(2))
    results = [Result({}, seq=number, encoded=b"1234567890") for number in range(1, 4)]
    for result in results[:2]:
        slow.put(push_of(result))
    fast.put(push_of(results[1]))
    assert subscriptions.held == 20
    fast.put(push_of(results[2]))
    assert subscriptions.held == 20
    assert fast.has_ended
    assert not slow.has_ended
    with pytest.raises(RequestError, match="All subscriptions"):
        subscriptions.admit("127.0.0.1", 6)
    slow.skip(1)
    assert subscriptions.held == 10
    slow.close()
    slow.put(push_of(results[2]))
    assert subscriptions.held == 0


def test_only_what_is_short_is_written_at_once() -> None:
    """Long results, and the error that is the end, take their turn in the queue."""
    long = Result({}, encoded=b"x" * (MAX_WRITTEN_AT_ONCE // 2 + 1))
    assert push_of(long).is_short
    assert not push_of(long, long).is_short
    assert not push_of(Result({}, failed=True, encoded=b"{}")).is_short


@quick_on("sqlite", "database_url")
@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_equal_subscribers_over_the_wire(
    start_server: StartServer, database_url: str, transport: str
) -> None:
    """Each gets each event once, under its own id, and resumes from its own cursor."""
    server = start_server(database_url)
    server.create("t", {"name": "p", "jobCount": 10})
    event = {"task": "t", "process": "p", "eventClass": "BEAT"}
    payloads = [{"n": number} for number in range(200)]
    events = [event | {"index": n["n"] % 10, "payload": n} for n in payloads]

    async def pour() -> None:
        for begin in range(0, 200, 10):
            await asyncio.to_thread(server.submit_many, events[begin : begin + 10])

    async def over_websocket() -> list[Any]:
        found: dict[str, list[Any]] = {"1": [], "other": []}
        async with WebSocketClient(server.url) as ws:
            for key in found:
                await ws.subscribe(key, PLAIN, task="t", after=BEGINNING)
            while any(len(each) < 200 for each in found.values()):
                message = await ws.receive()
                assert message["type"] == "next", message
                found[message["id"]].append(message["payload"]["data"]["events"]["node"]["payload"])
        assert found["1"] == found["other"]
        return found["1"]

    async def over_sse() -> list[Any]:
        seen: list[Any] = []
        cursor: str | None = None
        while len(seen) < 200:
            async with open_sse(
                server.url, PLAIN, task="t", after=BEGINNING, last_event_id=cursor
            ) as stream:
                async for message in stream:
                    seen.append(message.data["data"]["events"]["node"]["payload"])
                    cursor = message.id
                    if len(seen) % 70 == 0 or len(seen) == 200:
                        break
        return seen

    clients = over_websocket if transport == "websocket" else over_sse
    found = await asyncio.gather(pour(), *(clients() for _ in range(5)))
    assert all(each == payloads for each in found[1:])
    assert "Traceback" not in server.log()


async def test_an_id_that_is_used_again_belongs_to_its_new_operation(sqlite_server: Server) -> None:
    """After the first result of the new operation, none of the earlier one comes."""
    sqlite_server.create("reuse", {"name": "p", "jobCount": 10})
    event = {"task": "reuse", "process": "p", "index": 0}
    events = [event | {"eventClass": each} for each in ["BEAT"] * 9 + ["DONE"]]
    async with WebSocketClient(sqlite_server.url) as ws:
        await ws.subscribe("1", PLAIN, task="reuse", after=BEGINNING, eventClass=["BEAT"])

        async def pour() -> None:
            for _ in range(20):
                await asyncio.to_thread(sqlite_server.submit_many, events)

        pouring = asyncio.create_task(pour())
        await ws.receive()
        await ws.send({"id": "1", "type": "complete"})
        await ws.subscribe("1", PLAIN, task="reuse", after=BEGINNING, eventClass=["DONE"])
        classes: list[str] = []
        while classes.count("DONE") < 20:
            message = await ws.receive()
            classes.append(message["payload"]["data"]["events"]["node"]["eventClass"])
        await pouring
        assert "BEAT" not in classes[classes.index("DONE") :]


async def test_a_subscription_that_waits_holds_nothing_that_it_has_read(sqlite_url: str) -> None:
    """Neither rows nor connections: thousands of subscriptions may wait for days."""
    async with running_app(sqlite_url) as app, AsyncExitStack() as stack:
        await app.make("t")
        streams = [app.watch(EVENTS, task="t", process="p", index=index) for index in range(5)]
        streams.append(app.watch(CHANGES, names=["t"]))
        for stream in streams:
            await stack.enter_async_context(aclosing(stream))
        snapshot = await asyncio.wait_for(anext(streams[-1]), 10)
        assert not snapshot.failed
        waiting = [asyncio.create_task(anext(stream)) for stream in streams]
        await until_followed(app, 5)

        def held() -> list[str]:
            gc.collect()
            found = [one for one in gc.get_objects() if isinstance(one, Connection | ProcessRow)]
            return [type(one).__name__ for one in found]

        # SQLite's writers keep their connection.
        await until_async(lambda: held() == ["Connection"], held)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
