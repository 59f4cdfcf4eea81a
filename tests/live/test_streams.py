"""Equal subscriptions to changes: run once, and yet each follower's own."""

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
from lamia_gql.live import task_snapshots
from lamia_gql.live.feeds import ALL_TASKS
from lamia_gql.live.pubsub import SubscriberTooSlow
from lamia_gql.server.app import create_app
from tests.support.live_clients import BEGINNING, CHANGES, EVENTS
from tests.support.statements import watched
from tests.support.waiting import until_async

Stream = AsyncGenerator[Result, None]
NOW = datetime.now(UTC)


class House:
    """The streams of an application that is served by nobody."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.streams = OperationStreams(make_schema(services.settings))

    async def make(self, *names: str) -> None:
        """Make tasks."""
        specs = [TaskSpec(name, [ProcessSpec("p", 100)]) for name in names]
        database, settings = self.services.database, self.services.settings
        await database.write(lambda c: create_tasks(c, settings, specs, NOW))

    async def done(self, task: str, index: int, event_class: EventClass = EventClass.DONE) -> None:
        """Store that a job is done, or something else of it."""
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

    async def empty(self) -> None:
        """Wait until nothing is left of any subscription."""
        live = self.services.feeds
        await until_async(
            lambda: len(self.streams) == len(live.changes) == len(live.events) == 0,
            lambda: (list(live.changes), list(live.events)),
        )


@asynccontextmanager
async def house_of(url: str, **settings: Any) -> AsyncIterator[House]:
    """Run an application that nobody serves; in the end, nothing may be left of its streams."""
    app: Starlette = create_app(load(database_url=url, **settings))
    async with app.router.lifespan_context(app) as state:
        assert state is not None
        house = House(state["services"])
        async with asyncio.timeout(60):
            yield house
        await house.empty()


async def following(stream: Stream) -> dict[str, Any]:
    """The next snapshot of a stream."""
    result = await asyncio.wait_for(anext(stream), 10)
    assert not result.failed, result.body
    task: dict[str, Any] = result.body["data"]["taskChanged"]
    return task


async def until(stream: Stream, done: int) -> int:
    """How many snapshots come until so many jobs are done; they never count back."""
    seen = [-1]
    while seen[-1] < done:
        task = await following(stream)
        assert task["counts"]["done"] >= seen[-1]
        seen.append(task["counts"]["done"])
    return len(seen) - 1


async def test_many_followers_cost_the_reads_of_one(sqlite_url: str) -> None:
    """A change is read once, and each of two hundred has it."""
    async with house_of(sqlite_url) as house:
        await house.make("t")
        streams = [house.watch(names=["t"]) for _ in range(200)]
        for task in await asyncio.gather(*map(following, streams)):
            assert task["counts"]["done"] == 0
        assert len(house.streams) == 1
        # What is read anew for the last of those who came is shown before this is.
        await house.done("t", 0)
        await asyncio.gather(*(until(stream, 1) for stream in streams))
        with watched("lamia-read") as statements:
            await house.done("t", 1)
            # One may have been on its way, for the last of those who came.
            assert max(await asyncio.gather(*(until(stream, 2) for stream in streams))) <= 2
        assert len(statements) < 20
        for stream in streams:
            await stream.aclose()


async def test_what_belongs_to_events_is_read_for_many_at_once(sqlite_url: str) -> None:
    """Who resumes far behind, and asks for the job of each event, costs few statements."""
    async with house_of(sqlite_url) as house:
        await house.make("t")
        for index in range(100):
            await house.done("t", index)
        stream = house.watch(EVENTS, task="t", after=BEGINNING)
        with watched("lamia-read") as statements:
            edges = [(await anext(stream)).body["data"]["events"] for _ in range(100)]
        assert [edge["node"]["job"]["index"] for edge in edges] == list(range(100))
        assert len(statements) < 20
        await stream.aclose()
        # What comes one by one is read when it comes.
        query = EVENTS.replace("index }", "index starts }")
        stream = house.watch(query, task="t", after=edges[-1]["cursor"])
        for starts in range(1, 4):
            await house.done("t", 7, EventClass.STARTED)
            node = (await anext(stream)).body["data"]["events"]["node"]
            assert node["job"] == {"index": 7, "starts": starts}
        await stream.aclose()


async def test_those_who_leave_take_nothing_from_the_others(sqlite_url: str) -> None:
    """The first, who began it, goes in the middle of a wait; the last takes all with him."""
    async with house_of(sqlite_url) as house:
        await house.make("t")
        first, second = house.watch(names=["t"]), house.watch(names=["t"])
        await asyncio.gather(following(first), following(second))
        seen: list[int] = []

        async def follow_first() -> None:
            while True:
                seen.append((await following(first))["counts"]["done"])

        waiting = asyncio.create_task(follow_first())
        await house.done("t", 0)
        await until(second, 1)
        await until_async(lambda: 1 in seen, "the first one's snapshot")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await first.aclose()
        await house.done("t", 1)
        assert await until(second, 2) == 1
        assert len(house.streams) == 1
        await second.aclose()
        assert len(house.streams) == 0


async def test_only_equal_operations_are_one(sqlite_url: str) -> None:
    """Another text, other variables: another stream; events and fragments are each their own."""
    async with house_of(sqlite_url) as house:
        await house.make("t", "u")
        fragment = "subscription { ...s } fragment s on Subscription { taskChanged { name } }"
        streams = [
            house.watch(names=["t"]),
            house.watch(names=["u"]),
            house.watch(names=["t", "u"]),
            house.watch('subscription { taskChanged(names: ["t"]) { name } }'),
        ]
        names = [(await following(stream))["name"] for stream in streams]
        assert names == ["t", "u", "t", "t"]
        alone = [
            house.watch(fragment),
            house.watch('subscription { events(task: "t") { cursor } } # taskChanged'),
        ]
        waiting = [asyncio.create_task(anext(stream)) for stream in alone]
        live = house.services.feeds
        await until_async(
            lambda: ALL_TASKS in live.changes and len(live.events) == 1, "both subscriptions"
        )
        assert len(house.streams) == 4
        await house.done("t", 0)
        await asyncio.gather(*waiting)
        for stream in streams + alone:
            await stream.aclose()


async def test_who_joins_sees_the_present_and_the_others_nothing_new(sqlite_url: str) -> None:
    """The state is read anew for him; for those who have it already it is no change."""
    async with house_of(sqlite_url) as house:
        await house.make("t")
        first = house.watch(names=["t"])
        await following(first)
        for index in range(3):
            await house.done("t", index)
            joined = house.watch(names=["t"])
            assert await until(joined, index + 1) <= 2
            assert await until(first, index + 1) == 1
            await joined.aclose()
        await first.aclose()


async def test_a_task_made_anew_is_another_stream(sqlite_url: str) -> None:
    """Who asks for a name gets the task that has it now, whatever those before him follow."""
    async with house_of(sqlite_url) as house:
        await house.make("t", "u")
        old = house.watch(names=["t", "u"])
        await following(old)
        await following(old)
        await house.services.delete_tasks(["t"])
        await house.make("t")
        await house.done("t", 0)
        new = house.watch(names=["t", "u"])
        seen = [await following(new), await following(new)]
        assert {task["name"]: task["counts"]["done"] for task in seen} == {"t": 1, "u": 0}
        await house.done("u", 0)
        for stream in (old, new):
            task = await following(stream)
            assert (task["name"], task["counts"]["done"]) == ("u", 1)
        await house.services.delete_tasks(["u"])
        with pytest.raises(StopAsyncIteration):
            await anext(old)
        await house.services.delete_tasks(["t"])
        with pytest.raises(StopAsyncIteration):
            await anext(new)


async def test_so_many_tasks_are_remembered(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a task leaves is told of the newest ones that match, and memory stays bounded."""
    monkeypatch.setattr(task_snapshots, "MAX_REMEMBERED_TASKS", 2)

    async with house_of(sqlite_url) as house:
        await house.make("a", "b", "c")
        stream = house.watch(filter={"states": ["PENDING"]})
        with watched("lamia-read") as statements:
            coming = asyncio.create_task(following(stream))
            await until_async(lambda: statements, "the tasks that match at the beginning")
        await house.make("d")
        assert (await coming)["name"] == "d"
        await house.done("b", 0)
        # If b were told of, that would come first.
        await house.done("c", 0)
        task = await following(stream)
        assert (task["name"], task["state"]) == ("c", "RUNNING")
        await stream.aclose()


async def test_all_followers_are_told_why_it_ends(sqlite_url: str) -> None:
    """A refusal, and the server's end, is everybody's; nobody is left waiting."""
    async with house_of(sqlite_url) as house:
        for _ in range(2):
            refused = [house.watch(names=["nobody"]) for _ in range(3)]
            for result in await asyncio.gather(*map(anext, refused)):
                [error] = result.body["errors"]
                assert (result.failed, error["extensions"]["code"]) == (True, "TASK_NOT_FOUND")
            for stream in refused:
                assert [result async for result in stream] == []
            assert len(house.streams) == 0
        await house.make("t")
        streams = [house.watch(names=["t"]) for _ in range(3)]
        await asyncio.gather(*map(following, streams))
        await house.services.feeds.stop()
        for stream in streams:
            async with aclosing(stream):
                [last] = [result async for result in stream]
                assert last.body["errors"][0]["extensions"]["code"] == "STOPPING"


async def test_a_follower_that_does_not_look_keeps_the_newest_of_each_task() -> None:
    """However often a task is shown meanwhile; and beyond the limit, nothing at all."""
    follower = ResultSubscriber(2)
    for number in range(100):
        follower.put(Result({"n": number}, task_id=number % 2))
    assert [result.body["n"] for result in await follower.drain()] == [98, 99]
    for number in range(3):
        follower.put(Result({"n": number}, task_id=number))
    assert follower.waiting == 0
    with pytest.raises(SubscriberTooSlow):
        await follower.drain()
