"""Who waits for what: bounded queues between those who publish and those who listen.

A publisher never waits. A subscriber that lets its queue fill up loses the queue and is told so;
it comes back with the place up to which it has seen everything. All methods are to be called in
one thread: the event loop's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Ended(Exception):  # noqa: N818  (an end, not an error of the program)
    """Nothing more comes: what was subscribed to is gone."""


class TooSlow(Ended):
    """The subscriber's queue was full, and is lost."""


class Stopping(Ended):
    """The server stops."""


class Subscriber(Generic[T]):
    """A bounded queue of items, in the order in which they were published."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Sequence[T]] = deque()
        self._size = 0
        self._awake = asyncio.Event()
        self._end: Ended | None = None

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return self._size

    def add(self, items: Sequence[T]) -> None:
        """Let items wait; they are kept as they are, so many subscribers can share them."""
        if self._end is None:
            self._waiting.append(items)
            self._size += len(items)
            self._awake.set()
            if self._size > self._limit:
                self._waiting.clear()
                self._size = 0
                self.end(TooSlow())

    def end(self, reason: Ended) -> None:
        """Let nothing follow; what waits is still to be had."""
        if self._end is None:
            self._end = reason
            self._awake.set()

    async def take(self) -> list[T]:
        """All that waits, and at least one; raises :class:`Ended` after the last."""
        while not self._waiting:
            if self._end is not None:
                raise self._end
            self._awake.clear()
            await self._awake.wait()
        taken = [item for items in self._waiting for item in items]
        self._waiting.clear()
        self._size = 0
        return taken


class CoalescingSubscriber(Subscriber[T]):
    """A queue that keeps equal items only once, where the first of them was."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._distinct: set[T] = set()

    def add(self, items: Sequence[T]) -> None:
        """Let those wait that do not yet."""
        new = [item for item in dict.fromkeys(items) if item not in self._distinct]
        if new:
            self._distinct.update(new)
            super().add(new)

    async def take(self) -> list[T]:
        """All that waits, and at least one; raises :class:`Ended` after the last."""
        taken = await super().take()
        self._distinct.clear()
        return taken


class PubSub(Generic[K, T]):
    """Subscribers by what they listen to; born in the lifespan."""

    def __init__(self) -> None:
        self._subscribers: dict[K, set[Subscriber[T]]] = {}
        self._stopped = False

    def __len__(self) -> int:
        """How many subscribers there are, each counted once for everything it listens to."""
        return sum(map(len, self._subscribers.values()))

    def __contains__(self, key: object) -> bool:
        return key in self._subscribers

    def __iter__(self) -> Iterator[K]:
        """All that somebody listens to."""
        return iter(self._subscribers)

    @contextmanager
    def subscribe(self, subscriber: Subscriber[T], keys: Iterable[K]) -> Iterator[None]:
        """Let a subscriber hear of ``keys`` until the block is left, by whatever way."""
        wanted = set(keys)
        if self._stopped:
            subscriber.end(Stopping())
        for key in wanted:
            self._subscribers.setdefault(key, set()).add(subscriber)
        try:
            yield
        finally:
            for key in wanted:
                listening = self._subscribers[key]
                listening.remove(subscriber)
                if not listening:
                    del self._subscribers[key]

    def publish(self, key: K, items: Sequence[T]) -> None:
        """Give items to all who listen to ``key``."""
        for subscriber in self._subscribers.get(key, ()):
            subscriber.add(items)

    def end(self, key: K) -> None:
        """Tell all who listen to ``key`` that it is gone."""
        for subscriber in self._subscribers.get(key, ()):
            subscriber.end(Ended())

    def stop(self) -> None:
        """Tell everybody that the server stops, also those who come later."""
        self._stopped = True
        for listening in self._subscribers.values():
            for subscriber in listening:
                subscriber.end(Stopping())
