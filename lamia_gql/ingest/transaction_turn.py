"""Who may begin a transaction of events: one at a time, or beside one that takes long."""

from __future__ import annotations

import asyncio

LOOK_INTERVAL_S = 0.005
"""How often a transaction is looked at."""
MAX_LOOKS = 20
"""So often it is looked at until another one may begin in any case: after a tenth of a second."""


class Begun:
    """A transaction that has begun."""

    def __init__(self) -> None:
        self.looks = 0
        """How often it was looked at."""
        self.is_prepared = False
        """Whether it does nothing more but wait for its commit. May be set in any thread."""
        self.timer: asyncio.TimerHandle | None = None
        """Rings when it is looked at next, as long as it has the turn."""


class TransactionTurn:
    """One at a time has the turn; others wait for it in their order.

    It is passed on at the end of a transaction. The next one then stores more events, and most of
    its cost is the same for any number. It is passed on earlier where the transaction waits for its
    commit: that takes none of the server's time, but may take long, above all where a standby has
    to confirm it. And it is where the transaction takes long in itself.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def take(self) -> None:
        """Wait for the turn."""
        await self._lock.acquire()

    def begin(self) -> Begun:
        """Begin a transaction: what :meth:`end` takes at its end."""
        begun = Begun()
        self._look_later(begun)
        return begun

    def end(self, begun: Begun) -> None:
        """End a transaction, and pass the turn on if it still has it."""
        if begun.timer is not None:
            begun.timer.cancel()
            self.pass_on()

    def pass_on(self) -> None:
        """Let the next one have the turn."""
        self._lock.release()

    def _look_later(self, begun: Begun) -> None:
        loop = asyncio.get_running_loop()
        begun.timer = loop.call_later(LOOK_INTERVAL_S, self._look, begun)

    def _look(self, begun: Begun) -> None:
        begun.looks += 1
        if begun.is_prepared or begun.looks == MAX_LOOKS:
            begun.timer = None
            self.pass_on()
        else:
            self._look_later(begun)
