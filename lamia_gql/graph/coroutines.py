"""The coroutines of one operation: those that nobody has awaited at its end are closed."""

from __future__ import annotations

from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType
from typing import Any, TypeGuard

PRUNED_AT = 250
"""How many coroutines are kept before those that have begun are dropped."""


class Coroutines:
    """Knows the coroutines that the executor makes for the fields and lists of an operation.

    A coroutine for an object or a list holds those for what is below it. If its field fails, or the
    operation is cancelled, before it has begun, nobody awaits these, and Python would warn about
    each. The executor does not know them by then, so all are remembered as they are found.
    """

    def __init__(self) -> None:
        self._found: list[CoroutineType[Any, Any, Any]] = []
        self._pruned_at = PRUNED_AT

    def is_awaitable(self, value: Any) -> TypeGuard[Any]:
        """Whether a value is to be awaited; the executor asks this about everything it gets."""
        if isinstance(value, CoroutineType):
            self.add(value)
            return True
        return hasattr(value, "__await__")

    def add(self, coroutine: CoroutineType[Any, Any, Any]) -> None:
        """Remember a coroutine."""
        self._found.append(coroutine)
        if len(self._found) >= self._pruned_at:
            # Those that run or wait have begun; those that have ended have no frame.
            self._found = [one for one in self._found if not one.cr_suspended and one.cr_frame]
            self._pruned_at = PRUNED_AT + 2 * len(self._found)

    def close(self) -> None:
        """Close those that have not begun, at the end of the operation."""
        for coroutine in self._found:
            if getcoroutinestate(coroutine) == CORO_CREATED:
                coroutine.close()
        self._found.clear()
