"""Whose turn it is to have one of a number of connections."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque


class ReaderTurns:
    """Who has a connection, and whose turn it is: the client addresses that wait take turns.

    One address never has all connections, unless there is only one: so whatever it reads, another
    one need not wait for the end of it. All methods must be called in the thread of the event loop.

    Args:
        limit: the number of connections.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._share = max(1, limit - 1)
        self._held: Counter[str | None] = Counter()
        self._waiting: OrderedDict[str | None, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def taken(self) -> int:
        """How many connections are taken."""
        return self._held.total()

    @property
    def waiting(self) -> int:
        """How many wait for a connection."""
        return sum(map(len, self._waiting.values()))

    def take_free(self, address: str | None) -> bool:
        """Take a connection, which must be given back, if one is free for an address."""
        if address in self._waiting or not self._free or self._held[address] >= self._share:
            return False
        self._free -= 1
        self._held[address] += 1
        return True

    async def take(self, address: str | None) -> None:
        """Wait for a connection. It must be given back."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, deque()).append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(address)
            raise

    def give_back(self, address: str | None) -> None:
        """Let the next one have the connection of an address."""
        self._free += 1
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]
        self._let_in()

    def _let_in(self) -> None:
        for address in list(self._waiting):
            if not self._free:
                return
            if self._held[address] < self._share:
                self._let_in_first(address)

    def _let_in_first(self, address: str | None) -> None:
        turns = self._waiting.pop(address)
        while turns:
            turn = turns.popleft()
            if not turn.done():
                self._free -= 1
                self._held[address] += 1
                turn.set_result(None)
                break
        if turns:
            # Last in the row of the addresses.
            self._waiting[address] = turns
