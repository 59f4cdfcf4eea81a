"""The tasks that a ``taskChanged`` subscription sends, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable
from functools import partial

from lamia_gql.live.feeds import ALL_TASKS
from lamia_gql.live.pubsub import CoalescingSubscriber
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import TaskFilter
from lamia_gql.storage.queries.tasks import matching_ids, matching_tasks
from lamia_gql.storage.rows import TaskRow

MAX_REMEMBERED_TASKS = 10_000
"""Matching tasks that are remembered, so that a last snapshot is sent when they stop matching."""


class TaskSnapshots:
    """Reads changed tasks in rounds, and yields those that match a filter or have just stopped to.

    Example, with a filter for RUNNING tasks. Task 1 runs, task 2 is pending:

    ==============  ===========  ==========  =======================
    what happens    changed ids  yields      remembered as matching
    ==============  ===========  ==========  =======================
    the start                                {1}
    2 starts        {2}          2           {1, 2}
    1 succeeds      {1}          1, a last   {2}
                                 time
    1 is edited     {1}                      {2}
    2 is deleted    {2}                      {}
    ==============  ===========  ==========  =======================

    If tasks are watched by name, the first round reads all of them, nothing is remembered at the
    start, and the stream ends when all of them are deleted: at once if there are none.

    Args:
        database: Where the tasks are read.
        subscriber: Gets the ids of the tasks that change.
        wanted: The filter.
        task_ids: The tasks that are watched; None for all.
        interval_s: The shortest time between the starts of two rounds, in seconds.
    """

    def __init__(
        self,
        database: Database,
        subscriber: CoalescingSubscriber[int],
        wanted: TaskFilter,
        task_ids: Iterable[int] | None,
        interval_s: float,
    ) -> None:
        self._database = database
        self._subscriber = subscriber
        self._wanted = wanted
        self._watched = None if task_ids is None else set(task_ids)
        self._interval_s = interval_s
        self._matching: set[int] = set()

    async def stream(self) -> AsyncGenerator[TaskRow, None]:
        """All snapshots, each task at most once per round.

        Raises :class:`lamia_gql.live.pubsub.StreamEnded` or one of its subclasses when no more
        follow, and :class:`lamia_gql.domain.errors.Unavailable`.
        """
        loop = asyncio.get_running_loop()
        if self._watched is None:
            self._matching = await self._read_matching_ids()
            changed: Collection[int] = await self._subscriber.drain()
        else:
            changed = self._watched
        while True:
            if ALL_TASKS in changed:
                changed = self._watched or self._matching | await self._read_matching_ids()
            started = loop.time()
            for task in await self._read_round(set(changed)):
                yield task
            if self._watched is not None and not self._watched:
                return
            # Changes during the pause wait in the queue.
            await asyncio.sleep(started + self._interval_s - loop.time())
            changed = await self._subscriber.drain()

    async def _read_round(self, changed: set[int]) -> list[TaskRow]:
        """Read the changed tasks, and select those to send."""
        found = await self._database.read(
            partial(
                matching_tasks,
                wanted=self._wanted,
                ids=sorted(changed),
            )
        )
        selected = [
            task for task, matches in found.values() if matches or task.id in self._matching
        ]
        matching = {task.id for task, matches in found.values() if matches}
        deleted = changed - found.keys()
        self._matching = self._matching - changed | matching
        if len(self._matching) > MAX_REMEMBERED_TASKS:
            self._matching = set(sorted(self._matching)[-MAX_REMEMBERED_TASKS:])
        if self._watched is not None:
            self._watched -= deleted
        return selected

    async def _read_matching_ids(self) -> set[int]:
        found = await self._database.read(
            partial(
                matching_ids,
                wanted=self._wanted,
                limit=MAX_REMEMBERED_TASKS,
            )
        )
        return set(found)
