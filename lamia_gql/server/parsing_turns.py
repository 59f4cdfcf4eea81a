"""Turns of the event loop: connections whose clients send much leave time for all others."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable


class ParsingTurns:
    """Lets connections that have much to do work one after the other, each for a short time.

    In each turn of the event loop, one of them works, however many there are.
    """

    LENGTH_S = 0.002

    def __init__(self) -> None:
        self._queue: deque[Callable[[float], object]] = deque()

    def take(self, work: Callable[[float], object]) -> None:
        """Have ``work`` called with the time (``time.monotonic``) until which it may work."""
        self._queue.append(work)
        if len(self._queue) == 1:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        work = self._queue[0]
        try:
            work(time.monotonic() + self.LENGTH_S)
        finally:
            self._queue.popleft()
            if self._queue:
                asyncio.get_running_loop().call_soon(self._next)
