"""One execution of equal subscriptions, whose results are handed to all subscribers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from lamia_gql.graph.context import Context
from lamia_gql.graph.transport.result import Result
from lamia_gql.graph.transport.waiting_results import Push, ResultSubscriber
from lamia_gql.live.light_event import LightEvent
from lamia_gql.live.pubsub import StreamEnded

PIECE_S = 0.001
"""How long results are handed out before the event loop does something else."""
PAUSE_FACTOR = 2.0
"""How many times as long as a round took, the next one waits: the thread that writes events to the
database gets the interpreter only when the event loop rests. And what comes meanwhile is written at
once: a write takes as long for several results as for one."""
LONGEST_PAUSE_S = 0.02
CLOCK_STEP = 16
"""Subscribers that are served before the time is looked at."""
MAX_PENDING_BYTES = 1 << 20
"""Results that are handed out together; meanwhile, no more are made than these."""


class SharedOperation:
    """One running subscription with all its subscribers.

    Results are handed out in rounds. While one goes on, those that come meanwhile wait for the next
    one: the more there is to do, the more results a subscriber gets at once.

    Args:
        results: the results of the subscription.
        context: its context.
    """

    def __init__(self, results: AsyncGenerator[Result, None], context: Context) -> None:
        self.context = context
        self.subscribers: set[ResultSubscriber] = set()
        self.ended = False
        self.follows = LightEvent()
        """Set once nothing new is missed any more, or at the end."""
        self._results = results
        self._pending: list[Result] = []
        self._pending_bytes = 0
        self._taken = LightEvent()
        """Set when the pending results are handed out, while there are too many."""
        self._push: Push | None = None
        """What is handed out."""
        self._begun = 0.0
        """When it has begun to be handed out."""
        self._waiting: list[ResultSubscriber] = []
        """Those that do not have it yet."""
        self._scheduled: asyncio.Handle | None = None
        self.running = asyncio.create_task(self._run(), name="shared operation")

    async def _run(self) -> None:
        try:
            async with aclosing(self._results) as results:
                async for result in results:
                    self.ended = result.failed
                    # Also results that equal the one before: the selection may not show the change.
                    self._pending.append(result)
                    self._pending_bytes += len(result.encoded)
                    if self._scheduled is None:
                        self._schedule()
                    if self._pending_bytes > MAX_PENDING_BYTES:
                        self._taken.clear()
                        await self._taken.wait()
        finally:
            self.ended = True
            self.follows.set()
            if self._scheduled is not None:
                self._scheduled.cancel()
            while self._next():
                pass
            for subscriber in self.subscribers:
                subscriber.end(StreamEnded())

    def _schedule(self) -> None:
        self._scheduled = asyncio.get_running_loop().call_soon(self._hand_out)

    def _hand_out(self) -> None:
        until = time.monotonic() + PIECE_S
        while self._next():
            now = time.monotonic()
            pause = 0.0 if self._push else min(PAUSE_FACTOR * (now - self._begun), LONGEST_PAUSE_S)
            if pause > PIECE_S:
                loop = asyncio.get_running_loop()
                self._scheduled = loop.call_later(pause, self._hand_out)
                return
            if now > until:
                self._schedule()
                return
        self._scheduled = None

    def _next(self) -> bool:
        """Serve some subscribers; whether there may be more to do."""
        if self._push is None:
            if not self._pending:
                return False
            self._push, self._pending, self._pending_bytes = Push(self._pending), [], 0
            self._taken.set()
            self._waiting = list(self.subscribers)
            self._begun = time.monotonic()
        for _ in range(min(CLOCK_STEP, len(self._waiting))):
            self._waiting.pop().put(self._push)
        if not self._waiting:
            self._push = None
        return True
