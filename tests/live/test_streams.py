"""Equal subscriptions to changes share one execution."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from lamia_gql.domain.access import ANYONE, Principal, Role
from lamia_gql.domain.errors import RequestError
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.graph.transport.result import Result
from lamia_gql.graph.transport.waiting_results import NewestResults
from lamia_gql.live import task_watches
from lamia_gql.live.pubsub import SubscriberTooSlow
from lamia_gql.live.subscription_limit import SubscriptionLimit
from tests.support.live_clients import BEGINNING, EVENTS
from tests.support.statements import record_statements
from tests.support.unserved_app import Stream, push_of, running_app
from tests.support.waiting import until_async


async def next_snapshot(stream: Stream) -> dict[str, Any]:
    """The next snapshot of a stream."""
    result = await asyncio.wait_for(anext(stream), 10)
    assert not result.failed, result.body
    task: dict[str, Any] = result.body["data"]["taskChanged"]
    return task


async def snapshots_until(stream: Stream, done: int) -> int:
    """The number of snapshots until ``done`` jobs are done, which never decreases."""
    seen = [-1]
    while seen[-1] < done:
        task = await next_snapshot(stream)
        assert task["counts"]["done"] >= seen[-1]
        seen.append(task["counts"]["done"])
    return len(seen) - 1


async def test_many_followers_cost_as_many_reads_as_one(sqlite_url: str) -> None:
    """A change is read once for two hundred followers."""
    async with running_app(sqlite_url) as app:
        await app.make("t")
        streams = [app.watch(names=["t"]) for _ in range(200)]
        for task in await asyncio.gather(*map(next_snapshot, streams)):
            assert task["counts"]["done"] == 0
        assert len(app.streams) == 1
        # What is read anew for the last of those who came is shown before this is.
        await app.done("t", 0)
        await asyncio.gather(*(snapshots_until(stream, 1) for stream in streams))
        with record_statements("lamia-read") as statements:
            await app.done("t", 1)
            # One may have been on its way, for the last of those who came.
            assert (
                max(await asyncio.gather(*(snapshots_until(stream, 2) for stream in streams))) <= 2
            )
        assert len(statements) < 20
        for stream in streams:
            await stream.aclose()


async def test_jobs_of_past_events_are_read_in_batches(sqlite_url: str) -> None:
    """Reading many past events with their jobs takes few statements."""
    async with running_app(sqlite_url) as app:
        await app.make("t")
        for index in range(100):
            await app.done("t", index)
        stream = app.watch(EVENTS, task="t", after=BEGINNING)
        with record_statements("lamia-read") as statements:
            edges = [(await anext(stream)).body["data"]["events"] for _ in range(100)]
        assert [edge["node"]["job"]["index"] for edge in edges] == list(range(100))
        assert len(statements) < 20
        await stream.aclose()
        # What comes one by one is read when it comes.
        query = EVENTS.replace("index }", "index starts }")
        stream = app.watch(query, task="t", after=edges[-1]["cursor"])
        for starts in range(1, 4):
            await app.done("t", 7, EventClass.STARTED)
            node = (await anext(stream)).body["data"]["events"]["node"]
            assert node["job"] == {"index": 7, "starts": starts}
        await stream.aclose()


async def test_followers_that_leave_do_not_affect_the_others(sqlite_url: str) -> None:
    """A shared execution goes on when its first follower is cancelled, and ends with the last."""
    async with running_app(sqlite_url) as app:
        await app.make("t")
        first, second = app.watch(names=["t"]), app.watch(names=["t"])
        await asyncio.gather(next_snapshot(first), next_snapshot(second))
        seen: list[int] = []

        async def follow_first() -> None:
            while True:
                seen.append((await next_snapshot(first))["counts"]["done"])

        waiting = asyncio.create_task(follow_first())
        await app.done("t", 0)
        await snapshots_until(second, 1)
        await until_async(lambda: 1 in seen, "the first one's snapshot")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await first.aclose()
        await app.done("t", 1)
        assert await snapshots_until(second, 2) == 1
        assert len(app.streams) == 1
        await second.aclose()
        assert len(app.streams) == 0


async def test_only_equal_operations_are_shared(sqlite_url: str) -> None:
    """Operations are shared only if text and variables are equal."""
    async with running_app(sqlite_url) as app:
        await app.make("t", "u")
        fragment = "subscription { ...s } fragment s on Subscription { taskChanged { name } }"
        streams = [
            app.watch(names=["t"]),
            app.watch(names=["u"]),
            app.watch(names=["t", "u"]),
            app.watch('subscription { taskChanged(names: ["t"]) { name } }'),
        ]
        names = [(await next_snapshot(stream))["name"] for stream in streams]
        assert names == ["t", "u", "t", "t"]
        others = [
            app.watch(fragment),
            app.watch('subscription { events(task: "t") { cursor } } # taskChanged'),
        ]
        waiting = [asyncio.create_task(anext(stream)) for stream in others]
        services = app.services
        await until_async(
            # Two of them have the same filter.
            lambda: len(services.task_watches) == 4 and len(services.feeds.events) == 1,
            "both subscriptions",
        )
        assert len(app.streams) == 6
        await app.done("t", 0)
        await asyncio.gather(*waiting)
        for stream in streams + others:
            await stream.aclose()


async def test_who_may_not_read_joins_nothing(sqlite_url: str) -> None:
    """Others may share what one who may read has begun, but only if they may read, too."""
    async with running_app(sqlite_url) as app:
        await app.make("t")
        reader, reporter = (Principal(role, frozenset({role})) for role in (Role.READ, Role.REPORT))
        first = app.watch(names=["t"], principal=reader)
        await next_snapshot(first)
        refused = app.watch(names=["t"], principal=reporter)
        [error] = (await anext(refused)).body["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN"
        joined = app.watch(names=["t"], principal=Principal("admin", frozenset({Role.ADMIN})))
        assert (await next_snapshot(joined))["name"] == "t"
        assert len(app.streams) == 1
        for stream in (first, refused, joined):
            await stream.aclose()


async def test_a_new_follower_gets_the_current_state(sqlite_url: str) -> None:
    """A new follower gets the current state; the others get no extra snapshot."""
    async with running_app(sqlite_url) as app:
        await app.make("t")
        first = app.watch(names=["t"])
        await next_snapshot(first)
        for index in range(3):
            await app.done("t", index)
            joined = app.watch(names=["t"])
            assert await snapshots_until(joined, index + 1) <= 2
            assert await snapshots_until(first, index + 1) == 1
            await joined.aclose()
        await first.aclose()


async def test_a_recreated_task_is_another_stream(sqlite_url: str) -> None:
    """A subscription by name gets the current task of that name, not a deleted one."""
    async with running_app(sqlite_url) as app:
        await app.make("t", "u")
        old = app.watch(names=["t", "u"])
        await next_snapshot(old)
        await next_snapshot(old)
        await app.services.delete_tasks(ANYONE, None, ["t"])
        await app.make("t")
        await app.done("t", 0)
        new = app.watch(names=["t", "u"])
        seen = [await next_snapshot(new), await next_snapshot(new)]
        assert {task["name"]: task["counts"]["done"] for task in seen} == {"t": 1, "u": 0}
        await app.done("u", 0)
        for stream in (old, new):
            while (task := await next_snapshot(stream))["name"] != "u":
                # The event from before the subscription.
                assert (stream, task["name"], task["counts"]["done"]) == (new, "t", 1)
            assert task["counts"]["done"] == 1
        await app.services.delete_tasks(ANYONE, None, ["u"])
        with pytest.raises(StopAsyncIteration):
            await anext(old)
        await app.services.delete_tasks(ANYONE, None, ["t"])
        rest = [result.body["data"]["taskChanged"]["name"] async for result in new]
        assert rest in ([], ["t"])


async def test_remembered_tasks_are_bounded(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the newest matching tasks are remembered, so memory stays bounded."""
    monkeypatch.setattr(task_watches, "MAX_REMEMBERED_TASKS", 2)

    async with running_app(sqlite_url) as app:
        await app.make("a", "b", "c")
        stream = app.watch(filter={"states": ["PENDING"]})
        with record_statements("lamia-read") as statements:
            coming = asyncio.create_task(next_snapshot(stream))
            await until_async(lambda: statements, "the tasks that match at the beginning")
        await app.make("d")
        assert (await coming)["name"] == "d"
        await app.done("b", 0)
        # If b were told of, that would come first.
        await app.done("c", 0)
        task = await next_snapshot(stream)
        assert (task["name"], task["state"]) == ("c", "RUNNING")
        await stream.aclose()


async def test_all_followers_receive_the_final_error(sqlite_url: str) -> None:
    """All followers receive the error that ends a shared execution."""
    async with running_app(sqlite_url) as app:
        for _ in range(2):
            refused = [app.watch(names=["nobody"]) for _ in range(3)]
            for result in await asyncio.gather(*map(anext, refused)):
                [error] = result.body["errors"]
                assert (result.failed, error["extensions"]["code"]) == (True, "TASK_NOT_FOUND")
            for stream in refused:
                assert [result async for result in stream] == []
            assert len(app.streams) == 0
        await app.make("t")
        streams = [app.watch(names=["t"]) for _ in range(3)]
        await asyncio.gather(*map(next_snapshot, streams))
        await app.services.feeds.stop()
        for stream in streams:
            async with aclosing(stream):
                [last] = [result async for result in stream]
                assert last.body["errors"][0]["extensions"]["code"] == "STOPPING"


async def test_a_slow_follower_keeps_the_newest_result_of_each_task() -> None:
    """A slow follower keeps the newest result per task; above the limit it is SubscriberTooSlow."""
    subscriptions = SubscriptionLimit(1, 10_000)
    follower = NewestResults(2, subscriptions)
    for number in range(100):
        follower.put(push_of(Result({"n": number}, task_id=number % 2)))
    assert [result.body["n"] for result in await follower.drain()] == [98, 99]
    for number in range(3):
        follower.put(push_of(Result({"n": number}, task_id=number)))
    assert follower.waiting == 0
    with pytest.raises(SubscriberTooSlow):
        await follower.drain()


async def test_what_waits_for_all_followers_is_bounded() -> None:
    """A result counts once until all have it; above the limit, slow followers are ended."""
    subscriptions = SubscriptionLimit(1, 25)
    slow, other, fast = (NewestResults(10, subscriptions) for _ in range(3))
    results = [Result({}, task_id=number, encoded=b"1234567890") for number in range(4)]
    for follower in (slow, other):
        follower.put(push_of(results[0]))
        follower.put(push_of(results[1]))
    assert subscriptions.held == 20
    assert await other.drain() == results[:2]
    other.release(results[0])
    other.release(results[1])
    assert subscriptions.held == 20
    with pytest.raises(RequestError, match="All subscriptions"):
        subscriptions.admit("127.0.0.1", 6)
    for follower in (slow, fast):
        follower.put(push_of(results[2]))
    with pytest.raises(SubscriberTooSlow):
        await slow.drain()
    assert subscriptions.held == 10
    assert await fast.drain() == [results[2]]
    fast.put(push_of(results[3]))
    fast.close()
    assert subscriptions.held == 0
