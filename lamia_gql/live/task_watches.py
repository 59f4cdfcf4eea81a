"""The ``taskChanged`` subscriptions: which of them are sent a task, and when.

The tasks that have changed are read once for all subscriptions, in rounds, and each distinct filter
is evaluated once for each of them. A subscription to tasks by name costs nothing while other tasks
change.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from lamia_gql.live.feeds import ALL_TASKS, Feeds
from lamia_gql.live.light_event import LightEvent
from lamia_gql.live.pubsub import CoalescingSubscriber, StreamEnded
from lamia_gql.live.task_watcher import TaskWatcher
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import TaskFilter, TaskState
from lamia_gql.storage.queries.tasks import newest_ids, read_task_states

MAX_REMEMBERED_TASKS = 10_000
"""Tasks whose last state is remembered, so that a last snapshot is sent when they stop matching."""
READ_SIZE = 1_000
"""Tasks that are read at once."""
EVALUATIONS = 50
"""Filters that are evaluated before the time is looked at."""
PIECE_S = 0.01
"""How long filters are evaluated before the event loop does something else."""
PAUSE_FACTOR = 2
"""How many times as long as a round took, the next one waits at least."""
ANY_TASK = TaskFilter()


class _Group:
    """The watchers of the same tasks with the same filter.

    Args:
        wanted: the filter.
        ids: the tasks that are watched and not deleted yet; None for all tasks.
    """

    def __init__(self, wanted: TaskFilter, ids: Iterable[int] | None) -> None:
        self.wanted = wanted
        self.ids = None if ids is None else set(ids)
        self.watchers: set[TaskWatcher] = set()

    def see(self, task: TaskState, before: TaskState | None) -> None:
        """Hand a changed task on if it matches, or if it did before."""
        if self.wanted.matches(task) or (before is not None and self.wanted.matches(before)):
            for watcher in self.watchers:
                watcher.put(task.row)


class TaskWatches:
    """All ``taskChanged`` subscriptions. Lives as long as the application.

    Example, with a filter for RUNNING tasks. Task 1 runs, task 2 is pending:

    ==============  ===========  ====================  ================
    what happens    changed ids  matches before, now   sent
    ==============  ===========  ====================  ================
    2 starts        {2}          no, yes               2
    1 succeeds      {1}          yes, no               1, a last time
    1 is edited     {1}          no, no
    2 is deleted    {2}
    ==============  ===========  ====================  ================

    If tasks are watched by name, their present state is sent first, and the watch ends when all of
    them are deleted.

    Args:
        database: where the tasks are read.
        feeds: tells which tasks change.
        max_waiting: the largest number of tasks that may wait for one subscription.
        interval_s: the shortest time between the starts of two rounds, in seconds.
            It is longer where rounds take long.
    """

    def __init__(
        self, database: Database, feeds: Feeds, max_waiting: int, interval_s: float
    ) -> None:
        self._database = database
        self._feeds = feeds
        self._max_waiting = max_waiting
        self._interval_s = interval_s
        self._groups: dict[tuple[TaskFilter, frozenset[int] | None], _Group] = {}
        self._of_all: set[_Group] = set()
        """The groups that watch all tasks."""
        self._by_task: dict[int, set[_Group]] = {}
        """The groups that watch tasks by name."""
        self._known: dict[int, TaskState] = {}
        """The last state of the newest tasks, and of those that are watched with a filter."""
        self._knows_newest = False
        self._group_of: dict[TaskWatcher, _Group] = {}
        self._new: dict[TaskWatcher, _Group] = {}
        """Those that have not been sent the present state yet; they do not wait for a round."""
        self._resend: dict[TaskWatcher, _Group] = {}
        """Those that are sent the present state again, in the next round."""
        self._awake = LightEvent()
        self._running: asyncio.Task[None] | None = None
        self._subscription = ExitStack()
        """The subscription to changes, while there are watches."""

    def __len__(self) -> int:
        """The number of filters that are evaluated."""
        return len(self._groups)

    @contextmanager
    def watch(
        self, wanted: TaskFilter, ids: Collection[int] | None, interval_s: float = 0.0
    ) -> Iterator[TaskWatcher]:
        """A watcher of tasks that match, until the block is left.

        Args:
            wanted: the filter.
            ids: the tasks to watch; None stands for all.
            interval_s: the shortest time between what it hands over, in seconds; only the present
                state that is sent first, or again, does not wait for it.
        """
        watcher = TaskWatcher(self._max_waiting, interval_s)
        key = (wanted, None if ids is None else frozenset(ids))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(wanted, ids)
            self._index(group)
        group.watchers.add(watcher)
        self._group_of[watcher] = group
        if group.ids:
            self._new[watcher] = group
        elif group.ids is not None:
            watcher.end(StreamEnded())
        self._awake.set()
        if self._running is None:
            changed = self._subscription.enter_context(
                self._feeds.subscribe_to_changes(self._awake)
            )
            self._running = asyncio.create_task(self._run(changed), name="watches of tasks")
        try:
            yield watcher
        finally:
            del self._group_of[watcher]
            self._new.pop(watcher, None)
            self._resend.pop(watcher, None)
            group.watchers.discard(watcher)
            if not group.watchers and self._groups.get(key) is group:
                del self._groups[key]
                self._drop(group)
                if not self._groups:
                    self._running.cancel()
                    self._stop()

    def resend_all(self, watcher: TaskWatcher) -> None:
        """Have the present state of all tasks that it watches by name sent to a watcher again."""
        self._resend[watcher] = self._group_of[watcher]
        self._awake.set()

    def _index(self, group: _Group) -> None:
        if group.ids is None:
            self._of_all.add(group)
        for task_id in group.ids or ():
            self._by_task.setdefault(task_id, set()).add(group)

    def _drop(self, group: _Group) -> None:
        self._of_all.discard(group)
        for task_id in group.ids or ():
            self._unwatch(group, task_id)

    def _unwatch(self, group: _Group, task_id: int) -> None:
        groups = self._by_task[task_id]
        groups.discard(group)
        if not groups:
            del self._by_task[task_id]

    async def _run(self, changed: CoalescingSubscriber[int]) -> None:
        try:
            await self._serve_rounds(changed)
        except Exception as error:
            self._end(error)

    async def _serve_rounds(self, changed: CoalescingSubscriber[int]) -> None:
        loop = asyncio.get_running_loop()
        next_round = loop.time()
        timer: asyncio.TimerHandle | None = None

        def wake() -> None:
            # The clock of the loop may call a little early: then there is another timer.
            nonlocal timer
            timer = None
            self._awake.set()

        while True:
            await self._awake.wait()
            self._awake.clear()
            if not self._knows_newest and any(group.wanted != ANY_TASK for group in self._of_all):
                self._knows_newest = True
                await self._learn_newest()
            if self._new:
                new, self._new = self._new, {}
                await self._serve(set(), new)
            if not (changed.waiting or changed.has_ended or self._resend):
                continue
            if loop.time() < next_round and not changed.has_ended:
                # Changes during the pause wait.
                if timer is None:
                    timer = loop.call_at(next_round, wake)
                continue
            next_round = loop.time() + self._interval_s
            again, self._resend = self._resend, {}
            begin = loop.time()
            await self._serve(set(changed.take()), again)
            end = loop.time()
            next_round = max(next_round, end + PAUSE_FACTOR * (end - begin))

    def _end(self, error: Exception) -> None:
        """End all watches; those that begin later start anew."""
        groups = list(self._groups.values())
        self._groups.clear()
        self._of_all.clear()
        self._by_task.clear()
        self._new.clear()
        self._resend.clear()
        self._stop()
        for group in groups:
            for watcher in group.watchers:
                watcher.end(error)

    async def _learn_newest(self) -> None:
        ids = await self._database.read(partial(newest_ids, limit=MAX_REMEMBERED_TASKS))
        for begin in range(0, len(ids), READ_SIZE):
            part = ids[begin : begin + READ_SIZE]
            for state in await self._database.read(partial(read_task_states, ids=part)):
                self._known[state.row.id] = state

    async def _serve(self, changed: set[int], watchers: dict[TaskWatcher, _Group]) -> None:
        """Send changed tasks to all who watch them, and to some watchers all that they watch."""
        watched = {task_id for group in watchers.values() for task_id in group.ids or ()}
        if ALL_TASKS in changed:
            changed = {*self._known, *self._by_task}
            if self._of_all:
                changed.update(
                    await self._database.read(partial(newest_ids, limit=MAX_REMEMBERED_TASKS))
                )
        elif not self._of_all:
            changed &= self._by_task.keys()
        ids = sorted(changed | watched)
        for begin in range(0, len(ids), READ_SIZE):
            part = ids[begin : begin + READ_SIZE]
            states = await self._database.read(partial(read_task_states, ids=part))
            for state in states:
                if state.row.id in watched:
                    for watcher, group in watchers.items():
                        if state.row.id in (group.ids or ()) and group.wanted.matches(state):
                            watcher.put(state.row, at_once=True)
                if state.row.id in changed:
                    await self._see(state)
                self._remember(state)
            for task_id in set(part) - {state.row.id for state in states}:
                self._see_deleted(task_id)
        self._forget_oldest()

    async def _see(self, task: TaskState) -> None:
        before = self._known.get(task.row.id)
        groups = [*self._of_all, *self._by_task.get(task.row.id, ())]
        begin = time.monotonic()
        for number, group in enumerate(groups, 1):
            group.see(task, before)
            if number % EVALUATIONS == 0 and time.monotonic() - begin > PIECE_S:
                await asyncio.sleep(0)
                begin = time.monotonic()

    def _see_deleted(self, task_id: int) -> None:
        self._known.pop(task_id, None)
        for group in self._by_task.pop(task_id, ()):
            assert group.ids is not None
            group.ids.discard(task_id)
            if not group.ids:
                for watcher in group.watchers:
                    watcher.end(StreamEnded())

    def _remember(self, task: TaskState) -> None:
        filtered = any(group.wanted != ANY_TASK for group in self._by_task.get(task.row.id, ()))
        if filtered or self._knows_newest:
            self._known[task.row.id] = task

    def _forget_oldest(self) -> None:
        excess = len(self._known) - MAX_REMEMBERED_TASKS
        if excess > 0:
            oldest = sorted(self._known.keys() - self._by_task.keys())
            for task_id in oldest[:excess]:
                del self._known[task_id]

    def _stop(self) -> None:
        self._subscription.close()
        self._running = None
        self._known.clear()
        self._knows_newest = False
