"""A data loader: what many parts of an operation ask for is read in one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from lamia_gql.api.answer_budget import AnswerBudget

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
DELIVERED_AT_ONCE = 500
"""How many keys get their values in one round of the event loop; each wakes those who wait."""


class BatchLoader(Generic[K, V]):
    """Collects keys until no part of the operation can go on, then reads their values.

    The value of each key is read once.

    Args:
        read: returns the values of some keys, in their order.
        budget: that of the operation.
    """

    def __init__(
        self, read: Callable[[list[K]], Awaitable[Sequence[V]]], budget: AnswerBudget
    ) -> None:
        self._read = read
        self._budget = budget
        self._values: dict[K, asyncio.Future[V]] = {}
        self._wanted: dict[K, asyncio.Future[V]] = {}
        self._reading: set[asyncio.Task[None]] = set()

    def load(self, key: K) -> asyncio.Future[V]:
        """The value of a key, or the error of its read."""
        value = self._values.get(key)
        if value is None or value.cancelled():
            loop = asyncio.get_running_loop()
            value = self._values[key] = loop.create_future()
            if not self._wanted:
                task = loop.create_task(self._read_wanted(), name="data loader")
                self._reading.add(task)
                task.add_done_callback(self._reading.discard)
            self._wanted[key] = value
        return value

    async def _read_wanted(self) -> None:
        await self._budget.settle()
        # What was cancelled meanwhile is no longer wanted.
        wanted = {key: value for key, value in self._wanted.items() if not value.done()}
        self._wanted = {}
        if not wanted:
            return
        try:
            found = await self._read(list(wanted))
        except Exception as error:
            for value in wanted.values():
                if not value.done():
                    value.set_exception(error)
            return
        for place, (value, one) in enumerate(zip(wanted.values(), found, strict=True), 1):
            if not value.done():
                value.set_result(one)
            if place % DELIVERED_AT_ONCE == 0:
                await asyncio.sleep(0)
