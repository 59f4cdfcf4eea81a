"""Turns of the event loop: operations that read much leave time for all others."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from time import monotonic

TURN_S = 0.01
"""How long operations may work before the loop looks after everything else."""


class Turns:
    """Lets operations that read much go on one after the other, once in each round of the loop.

    The loop runs everything that is ready before it looks for new requests. Ten thousand parts of
    one operation may be ready at once. So in each round they work for :data:`TURN_S` only, and the
    others wait for a later one. One of those that wait goes on in each round, the operations in
    turn. Lives as long as the application.
    """

    def __init__(self) -> None:
        self._end = 0.0
        self._counting = False
        self._waiting: OrderedDict[object, deque[asyncio.Future[None]]] = OrderedDict()

    def is_over(self) -> bool:
        """Whether operations have worked long enough in this round of the loop."""
        if self._counting:
            return monotonic() >= self._end
        self._begin()
        return False

    async def wait(self, operation: object) -> None:
        """Wait until it is the turn of this part of an operation."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.setdefault(operation, deque()).append(turn)
        if not self._counting:
            self._begin()
        await turn

    def has_waiting(self, operation: object) -> bool:
        """Whether a part of the operation waits for its turn."""
        return operation in self._waiting

    def _begin(self) -> None:
        self._counting = True
        self._end = monotonic() + TURN_S
        asyncio.get_running_loop().call_soon(self._next_round)

    def _next_round(self) -> None:
        self._counting = False
        while self._waiting:
            operation, parts = self._waiting.popitem(last=False)
            turn = parts.popleft()
            if parts:
                self._waiting[operation] = parts
            # One that is done was cancelled.
            if not turn.done():
                turn.set_result(None)
                self._begin()
                return
