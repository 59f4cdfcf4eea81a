"""Equal subscriptions to changes share one execution."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from strawberry.types.graphql import OperationType

from lamia_gql.api.services import Services
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.settings import load
from lamia_gql.graph.context import Context
from lamia_gql.graph.schema import make_schema
from lamia_gql.graph.transport.operation import Operation
from lamia_gql.graph.transport.result import Result
from lamia_gql.graph.transport.streams import OperationStreams, ResultSubscriber
from lamia_gql.ingest.event_input import check_event
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.live import task_watches
from lamia_gql.live.pubsub import SubscriberTooSlow
from lamia_gql.server.app import create_app
from tests.support.live_clients import BEGINNING, CHANGES, EVENTS
from tests.support.statements import record_statements
from tests.support.waiting import until_async

Stream = AsyncGenerator[Result, None]
NOW = datetime.now(UTC)


class UnservedApp:
    """The application without a server, with its streams."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.streams = OperationStreams(make_schema(services.settings))

    async def make(self, *names: str) -> None:
        """Create tasks."""
        specs = [TaskSpec(name, [ProcessSpec("p", 100)]) for name in names]
        database, settings = self.services.database, self.services.settings
        await database.write(create_tasks(settings, specs, NOW))

    async def done(self, task: str, index: int, event_class: EventClass = EventClass.DONE) -> None:
        """Store an event of a job, by default DONE."""
        new = check_event(
            self.services.settings,
            task=task,
            process="p",
            index=index,
            event_class=event_class,
            received_at=NOW,
        )
        await self.services.record_events([new])

    def watch(self, query: str = CHANGES, **variables: Any) -> Stream:
        """The results of an operation."""
        operation = Operation(query, variables, None)
        return self.streams.results(operation, Context(self.services), set(OperationType))

    async def until_empty(self) -> None:
        """Wait until no subscription is left."""
        live = self.services.feeds
        await until_async(
            lambda: len(self.streams) == len(live.changes) == len(live.events) == 0,
            lambda: (list(live.changes), list(live.events)),
        )


@asynccontextmanager
async def running_app(url: str, **settings: Any) -> AsyncIterator[UnservedApp]:
    """Run an application without a server; at the end, no stream may be left."""
    application: Starlette = create_app(load(database_url=url, **settings))
    async with application.router.lifespan_context(application) as state:
        assert state is not None
        app = UnservedApp(state["services"])
        async with asyncio.timeout(60):
            yield app
        await app.until_empty()


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
    """Operations are shared only if text and variables are equal; events never are."""
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
        alone = [
            app.watch(fragment),
            app.watch('subscription { events(task: "t") { cursor } } # taskChanged'),
        ]
        waiting = [asyncio.create_task(anext(stream)) for stream in alone]
        services = app.services
        await until_async(
            # Two of those that are not shared have the same filter.
            lambda: len(services.task_watches) == 4 and len(services.feeds.events) == 1,
            "both subscriptions",
        )
        assert len(app.streams) == 4
        await app.done("t", 0)
        await asyncio.gather(*waiting)
        for stream in streams + alone:
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
        await app.services.delete_tasks(["t"])
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
        await app.services.delete_tasks(["u"])
        with pytest.raises(StopAsyncIteration):
            await anext(old)
        await app.services.delete_tasks(["t"])
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
    follower = ResultSubscriber(2)
    for number in range(100):
        follower.put(Result({"n": number}, task_id=number % 2))
    assert [result.body["n"] for result in await follower.drain()] == [98, 99]
    for number in range(3):
        follower.put(Result({"n": number}, task_id=number))
    assert follower.waiting == 0
    with pytest.raises(SubscriberTooSlow):
        await follower.drain()
