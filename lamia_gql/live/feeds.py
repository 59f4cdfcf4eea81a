"""Live events and changes: from commits, on this server or another, to the subscribers here.

Events of a task are numbered without gaps, in the order of their commits. So for every task that
somebody follows here a feed knows the number that it has handed out last: what was committed here
goes straight on where it is the next, and everything else is read from the database, once for all
followers. A commit that is heard of late, or never, is read with the next one that is heard of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from lamia_gql.live.pubsub import CoalescingSubscriber, PubSub, Subscriber
from lamia_gql.storage.change_feed import Change
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.queries.events import events_after
from lamia_gql.storage.queries.tasks import tasks_by_id
from lamia_gql.storage.rows import EventRow, TaskRow

log = logging.getLogger(__name__)

ALL_TASKS = 0
"""In place of a task's id: any task."""
PAGE = 1_000
"""Events that are read at once."""
RETRY = 1.0
"""Seconds until a read is tried again after the database failed."""
EVERY_EVENT = EventFilter()


@dataclass(slots=True, eq=False)
class _Feed:
    """How far the events of a task were handed out, and how far they are known to go."""

    known: int = 0
    last: int | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it is known where the feed begins: ``last`` is not None."""
    reading: asyncio.Task[None] | None = None


class Feeds:
    """What happens, for those who watch; born in the lifespan.

    ``max_waiting`` is how many events, or changed tasks, may wait for a subscriber.
    """

    def __init__(self, database: Database, max_waiting: int) -> None:
        self._database = database
        self._max_waiting = max_waiting
        self._feeds: dict[int, _Feed] = {}
        self.events: PubSub[int, EventRow] = PubSub()
        """Events, by the id of their task."""
        self.changes: PubSub[int, int] = PubSub()
        """The ids of changed tasks, by themselves; and all of them by :data:`ALL_TASKS`."""

    @property
    def followed(self) -> int:
        """Of how many tasks somebody follows the events."""
        return len(self._feeds)

    def start(self) -> None:
        """Begin to listen to what is committed here."""
        loop = asyncio.get_running_loop()

        def hear(changes: Sequence[Change]) -> None:
            loop.call_soon_threadsafe(self.hear, changes)

        self._database.on_commit = hear

    async def stop(self) -> None:
        """Tell all subscribers that the server stops, and read no more."""
        self._database.on_commit = None
        self.events.stop()
        self.changes.stop()
        for feed in list(self._feeds.values()):
            feed.begun.set()
            if feed.reading is not None:
                feed.reading.cancel()
                with suppress(asyncio.CancelledError):
                    await feed.reading

    @asynccontextmanager
    async def follow(self, task_id: int) -> AsyncIterator[Subscriber[EventRow]]:
        """A subscriber that gets every event of a task which is committed from now on.

        From when the block is entered, that is: what was committed before can be read then.
        Events that were committed a little earlier may come as well.
        """
        subscriber: Subscriber[EventRow] = Subscriber(self._max_waiting)
        try:
            with self.events.subscribe(subscriber, [task_id]):
                if task_id not in self._feeds:
                    self._feeds[task_id] = feed = _Feed()
                    self._read(task_id, feed)
                await self._feeds[task_id].begun.wait()
                yield subscriber
        finally:
            if task_id not in self.events:
                self._drop(task_id)

    @contextmanager
    def watch(self, ids: Iterable[int] = (ALL_TASKS,)) -> Iterator[CoalescingSubscriber[int]]:
        """A subscriber that gets the ids of those of these tasks that change from now on.

        It gets :data:`ALL_TASKS` where any of them may have changed.
        """
        gatherer: CoalescingSubscriber[int] = CoalescingSubscriber(self._max_waiting)
        with self.changes.subscribe(gatherer, ids):
            yield gatherer

    def hear(self, changes: Sequence[Change]) -> None:
        """Take note of what was committed; to be called in the event loop."""
        for change in changes:
            feed = self._feeds.get(change.task_id)
            if feed is not None:
                self._hand_out(feed, change)
            self.changes.publish(change.task_id, [change.task_id])
        self.changes.publish(ALL_TASKS, [change.task_id for change in changes])

    async def catch_up(self) -> None:
        """Find out what was committed unheard of.

        Raises :class:`lamia_gql.domain.errors.Unavailable` when the storage fails.
        """
        followed = list(self._feeds)
        found: list[TaskRow | None] = []
        if followed:
            found = await self._database.read(lambda c: tasks_by_id(c, followed))
        for task_id, task in zip(followed, found, strict=True):
            feed = self._feeds.get(task_id)
            if feed is not None:
                change = Change(task_id, 0, deleted=True) if task is None else Change.of(task)
                self._hand_out(feed, change)
        for task_id in self.changes:
            self.changes.publish(task_id, [ALL_TASKS])

    def _hand_out(self, feed: _Feed, change: Change) -> None:
        feed.known = max(feed.known, change.last_seq)
        if change.deleted:
            self.events.end(change.task_id)
        elif feed.reading is None and feed.last is not None and feed.last < feed.known:
            new = [event for event in change.events if event.seq > feed.last]
            if new and new[0].seq == feed.last + 1:
                feed.last = new[-1].seq
                self.events.publish(change.task_id, new)
            else:
                self._read(change.task_id, feed)

    def _read(self, task_id: int, feed: _Feed) -> None:
        reading = asyncio.create_task(self._read_on(task_id, feed), name=f"feed of {task_id}")
        feed.reading = reading

    async def _read_on(self, task_id: int, feed: _Feed) -> None:
        """Hand out what the feed knows of; at its beginning, only find out where that is."""
        while feed.last is None or feed.last < feed.known:
            try:
                if feed.last is None:
                    feed.last = await self._latest(task_id)
                    feed.begun.set()
                    continue
                events = await self._database.read(
                    partial(
                        events_after,
                        task_id=task_id,
                        seq=feed.last,
                        wanted=EVERY_EVENT,
                        # No more than what fits into an empty queue.
                        limit=min(PAGE, self._max_waiting),
                    )
                )
            except Exception:
                log.exception("the events of task %d can't be read; trying again", task_id)
                await asyncio.sleep(RETRY)
                continue
            if events:
                self.events.publish(task_id, events)
            # Where there is none, the task was deleted.
            feed.last = events[-1].seq if events else feed.known
        feed.reading = None

    async def _latest(self, task_id: int) -> int:
        [task] = await self._database.read(lambda c: tasks_by_id(c, [task_id]))
        if task is None:
            self.events.end(task_id)
            return 0
        return task.last_seq

    def _drop(self, task_id: int) -> None:
        feed = self._feeds.pop(task_id)
        if feed.reading is not None:
            feed.reading.cancel()
