"""Live events and changes: from commits, here or on another server, to the subscribers here.

New events of a task are numbered without gaps, in the order of their commits. For every task with
subscribers, a feed therefore keeps the number of the event that was published last. Events that
this server commits are published at once if they follow directly; everything else is read from
the database, once for all subscribers. A commit whose notification comes late, or never, is read
together with the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from lamia_gql.live.event_subscribers import EventSubscribers
from lamia_gql.live.light_event import LightEvent
from lamia_gql.live.own_notifications import OwnNotifications
from lamia_gql.live.pubsub import CoalescingSubscriber, StreamEnded, Subscriber, Subscribers
from lamia_gql.live.unheard_commits import UnheardCommits
from lamia_gql.storage.change_feed import Change
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.queries.events import events_after
from lamia_gql.storage.queries.tasks import tasks_by_id
from lamia_gql.storage.rows import EventRow, TaskRow

log = logging.getLogger(__name__)

ALL_TASKS = 0
"""Stands for any task, in place of a task's id."""
MAX_EVENTS_PER_READ = 1_000
RETRY_DELAY_S = 1.0
"""How long to wait after the database has failed."""
ROOM_WAIT_S = 1.0
"""How long missed events wait for subscribers that have not yet taken the ones before."""
ROOM_POLL_S = 0.005
CATCH_UP_TIMEOUT_S = 10.0
"""How long the database may take to say what was committed."""
ALL_EVENTS = EventFilter()


@dataclass(slots=True, eq=False)
class _Feed:
    """The events of one task: up to which number they exist, and up to which were published."""

    latest_seq: int = 0
    published_seq: int | None = None
    """None until it is known where the feed starts."""
    ready: LightEvent = field(default_factory=LightEvent)
    """Set once ``published_seq`` is known."""
    reading: asyncio.Task[None] | None = None
    deleted: bool = False
    """Whether the task is deleted. Subscribers that do not read may keep the feed for long."""


class Feeds:
    """Everything that can be subscribed to. Lives as long as the application.

    ``max_waiting`` is the largest number of events, or changed tasks, in a subscriber's queue.
    """

    def __init__(self, database: Database, max_waiting: int) -> None:
        self._database = database
        self._max_waiting = max_waiting
        self._feeds: dict[int, _Feed] = {}
        self._unheard = UnheardCommits(database, self.catch_up)
        self.events = EventSubscribers()
        """Events, by the id of their task."""
        self.changes: Subscribers[int] = Subscribers()
        """Ids of changed tasks, or :data:`ALL_TASKS`."""
        self.notifications = OwnNotifications()

    @property
    def feed_count(self) -> int:
        """The number of tasks whose events have subscribers."""
        return len(self._feeds)

    async def start(self) -> None:
        """Start to receive the commits of this server."""
        loop = asyncio.get_running_loop()

        def note() -> None:
            loop.call_soon_threadsafe(self._unheard.note)

        await self._unheard.start()
        self._database.on_commit = self._receive_own
        self._database.on_unheard_commit = note

    async def stop(self) -> None:
        """End all subscribers with ``ServerStopping``, and stop to read."""
        self._database.on_commit = None
        self._database.on_unheard_commit = None
        self.events.stop()
        self.changes.stop()
        await self._unheard.stop()
        for feed in list(self._feeds.values()):
            feed.ready.set()
            if feed.reading is not None:
                feed.reading.cancel()
                with suppress(asyncio.CancelledError):
                    await feed.reading

    @asynccontextmanager
    async def subscribe_to_events(
        self, task_id: int, wanted: EventFilter = ALL_EVENTS
    ) -> AsyncIterator[Subscriber[EventRow]]:
        """A subscriber that gets every wanted event of a task that is committed from now on.

        "Now" is when the block is entered: events committed before can be read from then on. Some
        of these may be delivered as well.
        """
        subscriber: Subscriber[EventRow] = Subscriber(self._max_waiting)
        try:
            with self.events.subscribe(subscriber, task_id, wanted):
                feed = self._feeds.get(task_id)
                if feed is None:
                    feed = self._feeds[task_id] = _Feed()
                    self._start_reading(task_id, feed)
                await feed.ready.wait()
                if feed.deleted:
                    subscriber.end(StreamEnded())
                yield subscriber
        finally:
            if task_id not in self.events:
                self._drop(task_id)

    @contextmanager
    def subscribe_to_changes(
        self, awake: LightEvent | None = None
    ) -> Iterator[CoalescingSubscriber[int]]:
        """A subscriber that gets the ids of those tasks that change from now on.

        It gets :data:`ALL_TASKS` when any of the tasks may have changed. ``awake`` is set when
        there is something to take, or no more will follow.
        """
        subscriber = CoalescingSubscriber(self._max_waiting, ALL_TASKS, awake)
        with self.changes.subscribe(subscriber):
            yield subscriber

    def receive(self, changes: Sequence[Change]) -> None:
        """Publish what was committed. Must be called in the thread of the event loop."""
        for change in changes:
            feed = self._feeds.get(change.task_id)
            if feed is not None:
                self._advance(feed, change)
        self.changes.publish([change.task_id for change in changes])

    def _receive_own(self, changes: Sequence[Change]) -> None:
        if self._database.has_other_servers:
            self.notifications.send(changes)
        self.receive(changes)

    async def catch_up(self) -> None:
        """Find out what was committed without a notification.

        Raises :class:`lamia_gql.domain.errors.Unavailable` if the database fails, and
        ``TimeoutError`` if it does not answer.
        """
        task_ids = list(self._feeds)
        found: list[TaskRow | None] = []
        if task_ids:
            async with asyncio.timeout(CATCH_UP_TIMEOUT_S):
                found = await self._database.read(lambda c: tasks_by_id(c, task_ids))
        for task_id, task in zip(task_ids, found, strict=True):
            feed = self._feeds.get(task_id)
            if feed is not None:
                change = Change(task_id, 0, deleted=True) if task is None else Change.of(task)
                self._advance(feed, change)
        self.changes.publish([ALL_TASKS])

    def _advance(self, feed: _Feed, change: Change) -> None:
        """Publish the events of a change if they follow directly, else have them read."""
        feed.latest_seq = max(feed.latest_seq, change.last_seq)
        if change.deleted:
            self._end(change.task_id, feed)
        elif (
            feed.reading is None
            and feed.published_seq is not None
            and feed.published_seq < feed.latest_seq
        ):
            new = [event for event in change.events if event.seq > feed.published_seq]
            if new and new[0].seq == feed.published_seq + 1:
                feed.published_seq = new[-1].seq
                self.events.publish(change.task_id, new)
            else:
                self._start_reading(change.task_id, feed)

    def _start_reading(self, task_id: int, feed: _Feed) -> None:
        feed.reading = asyncio.create_task(
            self._read_to_latest(task_id, feed), name=f"feed of {task_id}"
        )

    async def _read_to_latest(self, task_id: int, feed: _Feed) -> None:
        """Publish all events that are known to exist; for a new feed, only find its start."""
        while feed.published_seq is None or feed.published_seq < feed.latest_seq:
            try:
                if feed.published_seq is None:
                    feed.published_seq = await self._read_last_seq(task_id, feed)
                    feed.ready.set()
                    continue
                events = await self._database.read(
                    partial(
                        events_after,
                        task_id=task_id,
                        seq=feed.published_seq,
                        wanted=ALL_EVENTS,
                        # No more than what fits into an empty queue.
                        limit=min(MAX_EVENTS_PER_READ, self._max_waiting),
                    )
                )
            except Exception:
                log.exception("cannot read the events of task %d; trying again", task_id)
                await asyncio.sleep(RETRY_DELAY_S)
                continue
            if events:
                await self._wait_for_room(task_id, len(events))
                self.events.publish(task_id, events)
            # There are none if the task was deleted.
            feed.published_seq = events[-1].seq if events else feed.latest_seq
        feed.reading = None

    async def _wait_for_room(self, task_id: int, size: int) -> None:
        """Wait a moment for subscribers of a task whose queues have no room for so many events.

        Else all that were missed together would make subscribers too slow that read at once.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ROOM_WAIT_S
        while self.events.longest_queue(task_id) + size > self._max_waiting:
            if loop.time() > deadline:
                return
            await asyncio.sleep(ROOM_POLL_S)

    async def _read_last_seq(self, task_id: int, feed: _Feed) -> int:
        [task] = await self._database.read(lambda c: tasks_by_id(c, [task_id]))
        if task is None:
            self._end(task_id, feed)
            return 0
        return task.last_seq

    def _end(self, task_id: int, feed: _Feed) -> None:
        """End all subscribers of a deleted task: those of now, and those that come later."""
        feed.deleted = True
        self.events.end(task_id)

    def _drop(self, task_id: int) -> None:
        feed = self._feeds.pop(task_id)
        if feed.reading is not None:
            feed.reading.cancel()
