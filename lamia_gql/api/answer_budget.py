"""What one answer may take: bytes, values, and turns of the event loop."""

from __future__ import annotations

import asyncio
from threading import Lock
from typing import Any

from lamia_gql.api.turns import Turns
from lamia_gql.domain.errors import ErrorCode, LamiaError, LimitExceeded, Unavailable

FREE_VALUES = 100
"""An answer with no more values never waits for its turn."""
ROUNDS_TO_GO_ON = 10
"""In so many rounds of the event loop, a part whose turn it is has started those below it."""
STEP_BYTES = 1 << 20
"""What an answer takes of the memory for all answers at once. Smaller answers take nothing."""


class AnswerMemory:
    """The memory for large answers. Lives as long as the application.

    The first of them gets as much as it asks for, so that of many at once not all are refused; the
    others share ``limit`` bytes. May be used in any thread.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._first: object = None
        self._lock = Lock()

    def take(self, answer: object, size: int) -> bool:
        """Take so many bytes for an answer, if they are free."""
        with self._lock:
            if self._first is None and self._taken == 0:
                self._first = answer
            if self._first is answer:
                return True
            if self._taken + size > self._limit:
                return False
            self._taken += size
            return True

    def give_back(self, answer: object, size: int) -> None:
        """Give back what was taken for an answer."""
        with self._lock:
            if self._first is answer:
                self._first = None
            else:
                self._taken -= size


class AnswerBudget:
    """Counts what an answer takes while it is built.

    Whoever builds the answer charges its parts, looks at :attr:`exceeded` from time to time, and
    stops as soon as it is. :meth:`checkpoint` lets others work.

    Args:
        max_bytes: the largest size of the answer in JSON, and of all texts read for it.
        max_values: the largest number of values.
        memory: the memory that all answers share.
        turns: the turns that all operations share.
    """

    def __init__(self, max_bytes: int, max_values: int, memory: AnswerMemory, turns: Turns) -> None:
        self.max_bytes = max_bytes
        """The largest size that it may have."""
        self.max_values = max_values
        """The largest number of values that it may have."""
        self._memory = memory
        self._turns = turns
        self._reserved = 0
        self._closed = False
        self._lock = Lock()
        self._error: tuple[type[LamiaError], tuple[Any, ...]] | None = None
        # Not the error itself: once raised, it keeps the frames with all that was read.
        self.exceeded = False
        """Whether the answer cannot be given, because of :meth:`error`."""
        self.size = 0
        """The size of the answer in JSON, in bytes."""
        self.held = 0
        """The size of the texts that were read for the answer, in bytes."""
        self.values = 0
        """The number of values in the answer."""

    def charge(self, size: int, values: int = 0) -> None:
        """Count a part of the answer."""
        self.size += size
        self.values += values
        if self.size > self.max_bytes:
            self._refuse_bytes()
        elif self.values > self.max_values:
            self._refuse_values()
        elif self.size + self.held > self._reserved + STEP_BYTES:
            self._reserve()

    def hold(self, size: int) -> None:
        """Count a text that is read: it stays in memory until the answer is given.

        May be called in another thread. Raises the error of the budget.
        """
        self.held += size
        if self.held > self.max_bytes:
            self._refuse_bytes()
        elif self.size + self.held > self._reserved + STEP_BYTES:
            self._reserve()
        if self.exceeded:
            raise self.error()

    def error(self) -> LamiaError:
        """Why the answer cannot be given."""
        assert self._error is not None
        kind, arguments = self._error
        return kind(*arguments)

    def is_due(self) -> bool:
        """Whether it is time for a :meth:`checkpoint`."""
        return self.values > FREE_VALUES and self._turns.is_over()

    async def checkpoint(self) -> None:
        """Let others work, if it is time for that."""
        if self.values > FREE_VALUES and self._turns.is_over():
            await self._turns.wait(self)

    async def settle(self) -> None:
        """Wait until no part of the operation waits for its turn."""
        # One whose turn has just come waits no more, and has not started those below it.
        rounds = ROUNDS_TO_GO_ON if self.values > FREE_VALUES else 1
        while rounds > 0:
            rounds = ROUNDS_TO_GO_ON if self._turns.has_waiting(self) else rounds - 1
            await asyncio.sleep(0)

    def restart(self) -> None:
        """Begin with the next answer; the one before was sent."""
        with self._lock:
            self._memory.give_back(self, self._reserved)
            self._reserved = self.size = self.held = self.values = 0
            self._error = None
            self.exceeded = False

    def close(self) -> None:
        """Give the memory back: the answer was sent, or is given up."""
        self.restart()
        # A read that still goes on must take no more.
        self._closed = True

    def _reserve(self) -> None:
        with self._lock:
            missing = self.size + self.held - self._reserved
            wanted = -(-missing // STEP_BYTES) * STEP_BYTES
            if not self._closed and self._memory.take(self, wanted):
                self._reserved += wanted
            else:
                self._refuse(
                    Unavailable,
                    ErrorCode.BUSY,
                    "Too many large answers are being sent: try again later, or request less.",
                )

    def _refuse_bytes(self) -> None:
        self._refuse(
            LimitExceeded,
            ErrorCode.RESPONSE_TOO_LARGE,
            f"The answer has more than {self.max_bytes} bytes: request less at once.",
            self.max_bytes,
        )

    def _refuse_values(self) -> None:
        self._refuse(
            LimitExceeded,
            ErrorCode.TOO_COSTLY,
            f"The answer has more than {self.max_values} values, as its lists are long:"
            " request less at once. For the states of a large array, use `indices`.",
            self.max_values,
        )

    def _refuse(self, kind: type[LamiaError], *arguments: Any) -> None:
        if not self.exceeded:
            self._error = kind, arguments
            self.exceeded = True
