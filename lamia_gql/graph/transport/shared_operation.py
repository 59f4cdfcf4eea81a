"""One execution of equal subscriptions, whose results are handed to all subscribers."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import islice

from lamia_gql.graph.context import Context
from lamia_gql.graph.transport.result import Result
from lamia_gql.graph.transport.waiting_results import Push, ResultSubscriber, SharedResult
from lamia_gql.live.light_event import LightEvent
from lamia_gql.live.pubsub import StreamEnded

PIECE_S = 0.002
"""How long results are handed out before the event loop does something else."""
REST_FACTOR = 1.5
"""How many times as long as such a piece took, the next one waits: the thread that writes events to
the database gets the interpreter only when the event loop rests. And what comes meanwhile is
written at once: a write takes as long for several results as for one."""
CLOCK_STEP = 16
"""Subscribers that are served before the time is looked at."""
MAX_KEPT_BYTES = 1 << 20
"""While the results that some subscribers do not have yet are larger, no more are made."""


class SharedOperation:
    """One running subscription with all its subscribers.

    They are served in turn, and each gets all results that were made since its last turn. So the
    more there is to do, the more it gets at once, and it waits for one turn of the others at most.

    Args:
        results: the results of the subscription.
        context: its context.
    """

    def __init__(self, results: AsyncGenerator[Result, None], context: Context) -> None:
        self.context = context
        self.ended = False
        self.follows = LightEvent()
        """Set once nothing new is missed any more, or at the end."""
        self._results = results
        self._subscribers: OrderedDict[ResultSubscriber, int] = OrderedDict()
        """By their turns, each with the number of results that had been made at its last one."""
        self._behind = 0
        """How many of them, from the first, may lack results."""
        self._made = 0
        """The number of results."""
        self._kept: deque[SharedResult] = deque()
        """The latest ones, from the first that somebody lacks."""
        self._kept_bytes = 0
        self._has_room = LightEvent()
        """Cleared while they are too large."""
        self._has_room.set()
        self._pushes: dict[int, Push] = {}
        """What is handed to those who lack the results from this number on."""
        self._rests_until = 0.0
        self._scheduled: asyncio.Handle | None = None
        self.running = asyncio.create_task(self._run(), name="shared operation")

    def __len__(self) -> int:
        """The number of subscribers."""
        return len(self._subscribers)

    def join(self, subscriber: ResultSubscriber) -> None:
        """Hand the results that are made from now on to a subscriber."""
        self._subscribers[subscriber] = self._made

    def leave(self, subscriber: ResultSubscriber) -> None:
        """Hand nothing more to a subscriber, if it has joined."""
        self._subscribers.pop(subscriber, None)

    async def _run(self) -> None:
        try:
            async with aclosing(self._results) as results:
                async for result in results:
                    self.ended = result.failed
                    # Also results that equal the one before: the selection may not show the change.
                    self._keep(result)
                    if self._scheduled is None:
                        self._schedule()
                    await self._has_room.wait()
        finally:
            self.ended = True
            self.follows.set()
            if self._scheduled is not None:
                self._scheduled.cancel()
            while self._behind:
                self._serve()
            for subscriber in self._subscribers:
                subscriber.end(StreamEnded())

    def _keep(self, result: Result) -> None:
        self._made += 1
        self._kept.append(SharedResult(result))
        self._kept_bytes += len(result.encoded)
        if self._kept_bytes > MAX_KEPT_BYTES:
            self._has_room.clear()
        self._pushes.clear()
        self._behind = len(self._subscribers)

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        rest_s = self._rests_until - time.monotonic()
        if rest_s > 0:
            self._scheduled = loop.call_later(rest_s, self._hand_out)
        else:
            self._scheduled = loop.call_soon(self._hand_out)

    def _hand_out(self) -> None:
        begin = now = time.monotonic()
        while self._behind and now < begin + PIECE_S:
            self._serve()
            now = time.monotonic()
        self._drop_unneeded()
        self._rests_until = now + REST_FACTOR * (now - begin)
        self._scheduled = None
        if self._behind:
            self._schedule()

    def _serve(self) -> None:
        """Hand some subscribers what they lack."""
        subscribers, made = self._subscribers, self._made
        # Some of those who were behind may have left.
        number = min(self._behind, CLOCK_STEP, len(subscribers))
        for _ in range(number):
            subscriber, has = subscribers.popitem(last=False)
            if has < made:
                subscriber.put(self._pushes.get(has) or self._push_from(has))
            subscribers[subscriber] = made
        self._behind = self._behind - number if number else 0

    def _push_from(self, number: int) -> Push:
        first = self._made - len(self._kept)
        push = self._pushes[number] = Push(list(islice(self._kept, number - first, None)))
        return push

    def _drop_unneeded(self) -> None:
        """Keep no results that all subscribers have."""
        needed = self._made - next(iter(self._subscribers.values()), self._made)
        while len(self._kept) > needed:
            self._kept_bytes -= len(self._kept.popleft().result.encoded)
        if not needed:
            self._pushes.clear()
        if self._kept_bytes <= MAX_KEPT_BYTES:
            self._has_room.set()
