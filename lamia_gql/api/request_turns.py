"""Turns of requests: whoever sends many delays nobody else."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable
from time import monotonic, thread_time
from typing import TypeAlias

ROUND_S = 0.03
"""How long requests may begin in one round of the event loop, in time that its thread has worked:
where others have the processor, a round begins no fewer. A hundred single events take less: fewer
at once would make smaller transactions, which cost more for each event."""
MOST_WOKEN = 64
"""How many requests are woken for a round at most: twice as many as have begun in the last one.
Those for which it has no time left wait again, which takes time, too."""

Turn: TypeAlias = "asyncio.Future[None]"


class RequestTurns:
    """Lets requests begin in turn, as many in each round of the event loop as it has time for.

    The loop runs everything that is ready before it looks for new requests. Two thousand
    connections of one client may have a request ready at once, and to decode one may take as long
    as to serve ten others. So in each round requests begin for :data:`ROUND_S`; the others wait for
    a later one, clients in turn, and those of one client in their order. Lives as long as the
    application.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[Hashable, deque[Turn]] = OrderedDict()
        """By client, whose turn is next at the front."""
        self._returned: list[tuple[Hashable, Turn]] = []
        """Those that were woken and had no time left, in their order."""
        self._counting = False
        self._begun = 0
        """How many requests have begun in this round."""
        self._begin = 0.0
        """When the round has begun, by ``monotonic``."""
        self._worked: float | None = None
        """How long the thread had worked by then. To ask takes microseconds: it is None after a
        short round."""

    async def take(self, client: Hashable, *, goes_on: bool = False) -> None:
        """Wait until it is this request's turn. To be awaited before the work on it begins.

        Args:
            client: whose request it is.
            goes_on: whether the work has begun, and this is another part of it. It comes before
                other requests of the client, so that few of them are half done.
        """
        if not self._is_over() and not self._waiting:
            self._begun += 1
            return
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        turns = self._waiting.setdefault(client, deque())
        if goes_on:
            turns.appendleft(turn)
        else:
            turns.append(turn)
        await turn
        while self._is_over():
            turn = loop.create_future()
            self._returned.append((client, turn))
            await turn
        self._begun += 1

    def _is_over(self) -> bool:
        """Whether this round has no time left."""
        if not self._counting:
            self._begin_round()
        # It can't have worked for longer than that.
        if monotonic() < self._begin + ROUND_S:
            return False
        return self._worked is None or thread_time() >= self._worked + ROUND_S

    def _begin_round(self) -> None:
        now = monotonic()
        self._worked = thread_time() if now >= self._begin + ROUND_S else None
        self._counting = True
        self._begun = 0
        self._begin = now
        # It is called behind all requests that were woken for this round.
        asyncio.get_running_loop().call_soon(self._end_round)

    def _end_round(self) -> None:
        self._counting = False
        for client, turn in reversed(self._returned):
            self._waiting.setdefault(client, deque()).appendleft(turn)
            self._waiting.move_to_end(client, last=False)
        self._returned.clear()
        if not self._waiting:
            return
        woken, most = 0, min(2 * max(1, self._begun), MOST_WOKEN)
        while self._waiting and woken < most:
            client, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[client] = turns
            # One that is done was cancelled.
            if not turn.done():
                turn.set_result(None)
                woken += 1
        self._begin_round()
