"""Watches of tasks: what ten thousand distinct filters cost when a task changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lamia_gql.domain.errors import ErrorCode, Unavailable
from lamia_gql.domain.settings import load
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.live.feeds import Feeds
from lamia_gql.live.pubsub import ServerStopping, StreamEnded, SubscriberTooSlow
from lamia_gql.live.task_watcher import TaskWatcher
from lamia_gql.live.task_watches import TaskWatches
from lamia_gql.storage.change_feed import Change
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import TaskFilter
from lamia_gql.storage.migrations import migrate
from tests.support.waiting import until_async

MANY = 10_240
INTERVAL_S = 0.05
NOW = datetime.now(UTC)


class Watched:
    """Tasks `t1` to `t9`, and watches of them."""

    def __init__(self, url: str, max_waiting: int) -> None:
        self.settings = load(database_url=url)
        self.database = Database(self.settings)
        self.feeds = Feeds(self.database, 100)
        self.watches = TaskWatches(self.database, self.feeds, max_waiting, INTERVAL_S)

    def change(self, *ids: int) -> None:
        """Tell that tasks have changed."""
        self.feeds.receive([Change(task_id, 0) for task_id in ids])

    async def cost_of_a_change(self, task_id: int, heard: TaskWatcher) -> float:
        """The CPU seconds of this process until a change of a task has been heard."""
        begin = time.process_time()
        self.change(task_id)
        [task] = await asyncio.wait_for(heard.drain(), 30)
        assert task.id == task_id
        return time.process_time() - begin


@asynccontextmanager
async def watched(folder: Path, max_waiting: int = 1_000) -> AsyncIterator[Watched]:
    """Run watches."""
    found = Watched(f"sqlite:///{folder}/lamia.sqlite", max_waiting)
    migrate(found.database.engine)
    specs = [TaskSpec(f"t{number}", [ProcessSpec("p")]) for number in range(1, 10)]
    await found.database.write(create_tasks(found.settings, specs, NOW))
    try:
        yield found
    finally:
        await found.feeds.stop()
        found.database.close()


FILTERS: dict[str, Callable[[int], tuple[TaskFilter, list[int] | None]]] = {
    "texts": lambda number: (TaskFilter(text=f"no {number}"), None),
    "names": lambda number: (TaskFilter(names=(f"*{number}*x",)), None),
    "tags": lambda number: (TaskFilter(tags_any=(f"{number}",)), None),
}


@pytest.mark.parametrize("kind", FILTERS)
async def test_ten_thousand_filters_are_evaluated_quickly(tmp_path: Path, kind: str) -> None:
    """10,240 distinct filters cost less than 0.1 s; those that do not match are not woken."""
    async with watched(tmp_path) as found:
        with ExitStack() as stack:
            others = [
                stack.enter_context(found.watches.watch(*FILTERS[kind](number)))
                for number in range(MANY)
            ]
            heard = stack.enter_context(found.watches.watch(TaskFilter(names=("t*",)), None))
            await found.cost_of_a_change(1, heard)
            costs = [await found.cost_of_a_change(number, heard) for number in range(2, 7)]
            assert min(costs) < 0.1, costs
            assert len(found.watches) == MANY + 1
            assert not any(other._waiting for other in others)
    assert len(found.watches) == 0


async def test_filters_of_other_tasks_cost_nothing(tmp_path: Path) -> None:
    """10,240 distinct filters of another task cost less than 5 ms."""
    async with watched(tmp_path) as found:
        with ExitStack() as stack:
            for number in range(MANY):
                stack.enter_context(found.watches.watch(TaskFilter(text=f"no {number}"), [9]))
            heard = stack.enter_context(found.watches.watch(TaskFilter(), [1]))
            await heard.drain()
            # The rest of the beginning: 10,240 tasks are looked at.
            await found.cost_of_a_change(1, heard)
            costs = [await found.cost_of_a_change(1, heard) for _ in range(5)]
            assert min(costs) < 0.005, costs


async def test_the_event_loop_goes_on_while_filters_are_evaluated(tmp_path: Path) -> None:
    """However long the evaluation takes, others have their turn meanwhile."""
    patterns = [tuple(f"*{number}?{place}*x" for place in range(50)) for number in range(2_000)]
    async with watched(tmp_path) as found:
        with ExitStack() as stack:
            for names in patterns:
                stack.enter_context(found.watches.watch(TaskFilter(names=names), None))
            heard = stack.enter_context(found.watches.watch(TaskFilter(), None))
            found.change(1)
            await heard.drain()
            await asyncio.sleep(2 * INTERVAL_S)
            turns, longest = 0, 0.0
            found.change(2)
            hearing = asyncio.create_task(heard.drain())
            while not hearing.done():
                begin = time.thread_time()
                await asyncio.sleep(0)
                longest, turns = max(longest, time.thread_time() - begin), turns + 1
            assert turns > 5
            assert longest < 0.05


async def test_equal_filters_are_evaluated_once(tmp_path: Path) -> None:
    """Watchers of the same tasks with the same filter are one entry, and all are told."""
    async with watched(tmp_path) as found:
        with ExitStack() as stack:
            watchers = [
                stack.enter_context(found.watches.watch(TaskFilter(names=("t1",)), None))
                for _ in range(100)
            ]
            assert len(found.watches) == 1
            found.change(1)
            for watcher in watchers:
                assert [task.name for task in await watcher.drain()] == ["t1"]


async def test_a_watcher_that_does_not_drain_is_too_slow(tmp_path: Path) -> None:
    """A full queue is dropped, for its watcher only."""
    async with watched(tmp_path, max_waiting=3) as found:
        with ExitStack() as stack:
            slow = stack.enter_context(found.watches.watch(TaskFilter(), None))
            few = stack.enter_context(found.watches.watch(TaskFilter(names=("t[12]", "t1")), None))
            found.change(*range(1, 10))
            assert [task.name for task in await few.drain()] == ["t1"]
            with pytest.raises(SubscriberTooSlow):
                await slow.drain()


async def test_all_watchers_hear_that_the_database_failed(tmp_path: Path) -> None:
    """An error ends all watches; those that begin later are served again."""
    async with watched(tmp_path) as found:
        with ExitStack() as stack:
            watchers = [
                stack.enter_context(found.watches.watch(TaskFilter(text=f"{number}"), None))
                for number in range(3)
            ]

            async def fail(*_: object) -> None:
                raise Unavailable(ErrorCode.STORAGE_FAILED, "The database failed.")

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(found.database, "read", fail)
                found.change(1)
                for watcher in watchers:
                    with pytest.raises(Unavailable):
                        await asyncio.wait_for(watcher.drain(), 10)
            again = stack.enter_context(found.watches.watch(TaskFilter(), [1]))
            assert [task.name for task in await again.drain()] == ["t1"]
            nobody = stack.enter_context(found.watches.watch(TaskFilter(), []))
            with pytest.raises(StreamEnded):
                await nobody.drain()
            await found.feeds.stop()
            with pytest.raises(ServerStopping):
                await again.drain()
        await until_async(lambda: not len(found.feeds.changes), "the end of the last watch")
