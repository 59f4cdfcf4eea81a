"""The changed tasks that wait for one ``taskChanged`` subscription."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from lamia_gql.live.light_event import LightEvent
from lamia_gql.live.pubsub import SubscriberTooSlow
from lamia_gql.storage.rows import TaskRow


class TaskWatcher:
    """A bounded queue of changed tasks, which keeps only the newest row of each.

    Args:
        limit: the largest number of tasks that may wait.
        interval_s: the shortest time between two times that the queue is emptied, in seconds.
    """

    def __init__(self, limit: int, interval_s: float = 0.0) -> None:
        self._limit = limit
        self._interval_s = interval_s
        self._pauses_until = 0.0
        """By the clock of the event loop."""
        self._skips_pause = False
        self._waiting: dict[int, TaskRow] = {}
        self._awake = LightEvent()
        self._end: Exception | None = None

    def put(self, task: TaskRow, *, at_once: bool = False) -> None:
        """Queue a task; it replaces a queued row of the same task.

        ``at_once`` ends the pause that ``interval_s`` demands.
        """
        if self._end is None:
            self._waiting[task.id] = task
            self._skips_pause |= at_once
            self._awake.set()
            if len(self._waiting) > self._limit:
                self._waiting.clear()
                self.end(SubscriberTooSlow())

    def end(self, reason: Exception) -> None:
        """Accept no more tasks; those in the queue can still be drained."""
        if self._end is None:
            self._end = reason
            self._awake.set()

    async def drain(self) -> list[TaskRow]:
        """Wait for at least one task, and for the interval, and empty the queue.

        What waits when the watch ends is handed over at once. Raises :class:`StreamEnded` after the
        last one, or the error that ended the watch.
        """
        loop = asyncio.get_running_loop()
        while not self._waiting or self._pauses(loop.time()):
            if not self._waiting and self._end is not None:
                raise self._end
            self._awake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._pauses_until if self._waiting else None):
                    await self._awake.wait()
        drained = list(self._waiting.values())
        self._waiting.clear()
        self._skips_pause = False
        self._pauses_until = loop.time() + self._interval_s
        return drained

    def _pauses(self, now: float) -> bool:
        return now < self._pauses_until and not self._skips_pause and self._end is None
