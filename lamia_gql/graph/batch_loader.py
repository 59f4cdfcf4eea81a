"""A data loader: what many parts of an operation ask for is read in one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from lamia_gql.api.answer_budget import AnswerBudget

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
DELIVERED_AT_ONCE = 1_000
"""How many of those who wait for a value get it in one round of the event loop."""


class BatchLoader(Generic[K, V]):
    """Collects keys until no part of the operation can go on, then reads their values.

    The value of each key is read once. Where it is an exception, waiting for it raises that.

    Args:
        read: returns the values of some keys, in their order.
        budget: that of the operation.
    """

    def __init__(
        self, read: Callable[[list[K]], Awaitable[Sequence[V]]], budget: AnswerBudget
    ) -> None:
        self._read = read
        self._budget = budget
        self._values: dict[K, V] = {}
        self._waiting: dict[K, list[asyncio.Future[V]]] = {}
        self._wanted: list[K] = []
        self._reading: set[asyncio.Task[None]] = set()

    def load(self, key: K) -> asyncio.Future[V]:
        """The value of a key, or the error of its read."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[V] = loop.create_future()
        if key in self._values:
            _deliver(found, self._values[key])
        elif key in self._waiting:
            self._waiting[key].append(found)
        else:
            self._waiting[key] = [found]
            if not self._wanted:
                task = loop.create_task(self._read_wanted(), name="data loader")
                self._reading.add(task)
                task.add_done_callback(self._reading.discard)
            self._wanted.append(key)
        return found

    async def _read_wanted(self) -> None:
        await self._budget.settle()
        wanted, self._wanted = self._wanted, []
        if all(found.done() for key in wanted for found in self._waiting[key]):
            # All were cancelled meanwhile.
            for key in wanted:
                del self._waiting[key]
            return
        try:
            values = await self._read(wanted)
        except Exception as error:
            for key in wanted:
                for found in self._waiting.pop(key):
                    if not found.done():
                        found.set_exception(error)
            return
        delivered = 0
        for key, value in zip(wanted, values, strict=True):
            self._values[key] = value
            for found in self._waiting.pop(key):
                if not found.done():
                    _deliver(found, value)
                delivered += 1
                if delivered % DELIVERED_AT_ONCE == 0:
                    await asyncio.sleep(0)


def _deliver(waiting: asyncio.Future[V], value: V) -> None:
    if isinstance(value, Exception):
        waiting.set_exception(value)
    else:
        waiting.set_result(value)
