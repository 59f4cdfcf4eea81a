"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT_S = 20.0
"""Default deadline: far more than any condition needs, even on a slow machine."""
POLL_INTERVAL_S = 0.02

What = str | Callable[[], object]
"""What is waited for: a text, or a function that describes the state when the deadline passes."""


def until(condition: Callable[[], T], what: What, timeout_s: float = TIMEOUT_S) -> T:
    """Poll ``condition`` until it is true, and return its value.

    Fails the test with ``what`` in the message when that takes longer than ``timeout_s``.
    """
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        _check(deadline, what, timeout_s)
        time.sleep(POLL_INTERVAL_S)
    return value


async def until_async(
    condition: Callable[[], object], what: What, timeout_s: float = TIMEOUT_S
) -> None:
    """Like :func:`until`, but lets the event loop run; ``condition`` may be a coroutine function.

    A condition that blocks belongs into a thread: ``lambda: asyncio.to_thread(condition)``.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return
        _check(deadline, what, timeout_s)
        await asyncio.sleep(POLL_INTERVAL_S)


def _check(deadline: float, what: What, timeout_s: float) -> None:
    if time.monotonic() > deadline:
        described = what if isinstance(what, str) else what()
        raise AssertionError(f"not within {timeout_s} s: {described}")
