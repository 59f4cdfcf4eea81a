"""Publish and subscribe within one process, through bounded queues.

Publishing never blocks. A subscriber whose queue overflows loses the queue and gets
:class:`SubscriberTooSlow`; it can resume from the last item that it has seen. All methods must be
called in the thread of the event loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from lamia_gql.live.light_event import LightEvent

T = TypeVar("T")


class StreamEnded(Exception):  # noqa: N818  (an end, not an error of the program)
    """No more items follow, because what they are about does not exist any more."""


class SubscriberTooSlow(StreamEnded):
    """The subscriber's queue was full, and has been dropped."""


class ServerStopping(StreamEnded):
    """No more items follow, because the server stops."""


class Subscriber(Generic[T]):
    """A bounded queue of items, in the order in which they were published.

    ``limit`` is the largest number of items that may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: list[Sequence[T]] = []
        self._size = 0
        self._awake = LightEvent()
        self._end: StreamEnded | None = None

    @property
    def waiting(self) -> int:
        """The number of items in the queue."""
        return self._size

    @property
    def has_ended(self) -> bool:
        """Whether no more items will follow."""
        return self._end is not None

    def add(self, items: Sequence[T]) -> None:
        """Queue items; the sequence is not copied, so that subscribers can share it."""
        if self._end is None:
            self._queue.append(items)
            self._size += len(items)
            self._awake.set()
            if self._size > self._limit:
                self.drop()

    def drop(self) -> None:
        """Drop the queue, as it takes too much: the subscriber is too slow."""
        self._queue.clear()
        self._size = 0
        self.end(SubscriberTooSlow())

    def end(self, reason: StreamEnded) -> None:
        """Accept no more items; those in the queue can still be drained."""
        if self._end is None:
            self._end = reason
            self._awake.set()

    async def drain(self) -> list[T]:
        """Wait for at least one item and empty the queue.

        Raises :class:`StreamEnded` after the last item.
        """
        while not self._queue:
            if self._end is not None:
                raise self._end
            self._awake.clear()
            await self._awake.wait()
        drained = [item for items in self._queue for item in items]
        self._queue.clear()
        self._size = 0
        return drained


class CoalescingSubscriber(Subscriber[T]):
    """A queue that keeps equal items only once, and never overflows.

    Args:
        limit: the largest number of distinct items that may wait.
        overflow: the item that then takes the place of all.
        awake: is set when there is something to take, or no more will follow.
    """

    def __init__(self, limit: int, overflow: T, awake: LightEvent | None = None) -> None:
        super().__init__(limit)
        self._overflow = overflow
        self._distinct: dict[T, None] = {}
        if awake is not None:
            self._awake = awake

    @property
    def waiting(self) -> int:
        """The number of distinct items in the queue."""
        return len(self._distinct)

    def add(self, items: Sequence[T]) -> None:
        """Queue those items that are not in the queue yet."""
        if self._end is None:
            self._distinct.update(dict.fromkeys(items))
            if len(self._distinct) > self._limit:
                self._distinct = {self._overflow: None}
            self._awake.set()

    def take(self) -> list[T]:
        """Empty the queue, without waiting. Raises :class:`StreamEnded` after the last item."""
        if not self._distinct and self._end is not None:
            raise self._end
        taken, self._distinct = self._distinct, {}
        return list(taken)

    async def drain(self) -> list[T]:
        """Wait for at least one item and empty the queue.

        Raises :class:`StreamEnded` after the last item.
        """
        while not self._distinct and self._end is None:
            self._awake.clear()
            await self._awake.wait()
        return self.take()


class Subscribers(Generic[T]):
    """Subscribers that all get the same items. Lives as long as the application."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber[T]] = set()
        self._stopped = False

    def __len__(self) -> int:
        """The number of subscribers."""
        return len(self._subscribers)

    @contextmanager
    def subscribe(self, subscriber: Subscriber[T]) -> Iterator[None]:
        """Subscribe until the block is left."""
        if self._stopped:
            subscriber.end(ServerStopping())
        self._subscribers.add(subscriber)
        try:
            yield
        finally:
            self._subscribers.remove(subscriber)

    def publish(self, items: Sequence[T]) -> None:
        """Queue items for all subscribers."""
        for subscriber in self._subscribers:
            subscriber.add(items)

    def stop(self) -> None:
        """End all subscribers, present and future ones, because the server stops."""
        self._stopped = True
        for subscriber in self._subscribers:
            subscriber.end(ServerStopping())
