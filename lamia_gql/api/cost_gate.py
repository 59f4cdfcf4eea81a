"""A gate that bounds the cost of the operations that run at once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

FREE_SHARE = 100
"""Operations that cost no more than this part of the capacity pass by."""


class CostGate:
    """Lets operations pass as long as they cost no more than ``capacity`` together.

    The others wait: those of one client in their order, the clients in turn. Cheap operations
    never wait. Lives as long as the application.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._running = 0
        self._waiting: OrderedDict[str | None, deque[tuple[int, asyncio.Future[None]]]]
        self._waiting = OrderedDict()

    @property
    def waiting(self) -> int:
        """The number of operations that wait."""
        return sum(map(len, self._waiting.values()))

    def is_cheap(self, cost: int) -> bool:
        """Whether operations of this cost pass by."""
        return cost <= self._capacity // FREE_SHARE

    @asynccontextmanager
    async def passing(self, cost: int, client: str | None) -> AsyncIterator[None]:
        """Run an operation of this cost, for a client, as soon as there is room for it."""
        if self.is_cheap(cost):
            yield
            return
        await self._enter(cost, client)
        try:
            yield
        finally:
            self._running -= cost
            self._admit()

    async def _enter(self, cost: int, client: str | None) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append((cost, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._running -= cost
            self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting:
            client, turns = next(iter(self._waiting.items()))
            cost, turn = turns[0]
            fits = self._running == 0 or self._running + cost <= self._capacity
            if not turn.done() and not fits:
                return
            turns.popleft()
            del self._waiting[client]
            if turns:
                self._waiting[client] = turns
            # One that is done was cancelled while it waited.
            if not turn.done():
                self._running += cost
                turn.set_result(None)
