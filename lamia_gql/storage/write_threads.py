"""Threads that run writes, and tell the event loop as soon as one has ended.

An executor of Python takes more turns of the event loop for that, and a future with a lock of its
own for each write: for a single event, a tenth of the server's time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import Any

from lamia_gql.domain.errors import ErrorCode, Unavailable

log = logging.getLogger(__name__)

NO_THREAD = "The system starts no more threads. Nothing was changed; try again later."


class WriteThreads:
    """A number of threads, which are started when they are needed.

    Args:
        number: how many there are at most.
        name: what their names begin with.
    """

    def __init__(self, number: int, name: str) -> None:
        self._number = number
        self._name = name
        self._threads: list[Thread] = []
        self._busy = 0
        """How many calls are not ended yet. Used in the thread of the event loop only."""
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()

    def run(
        self, work: Callable[[], Any], ended: Callable[[Any, BaseException | None], None]
    ) -> None:
        """Run ``work`` in a thread, as soon as one is free. To be called in the event loop.

        It calls ``ended`` with the result, or with None and what ``work`` has raised. The thread
        has the context variables of the caller, as the log tells of the request it belongs to.
        Where there is no thread, and the system starts none, ``work`` is not run, and it calls
        ``ended`` with :class:`Unavailable` at once.
        """
        loop = asyncio.get_running_loop()

        def end(result: Any, error: BaseException | None) -> None:
            self._busy -= 1
            ended(result, error)

        def call() -> None:
            try:
                result, error = work(), None
            except BaseException as raised:  # or the thread would end, and its caller wait
                result, error = None, raised
            with suppress(RuntimeError):  # it is closed: nobody waits any more
                loop.call_soon_threadsafe(end, result, error)

        if len(self._threads) < min(self._busy + 1, self._number):
            self._start()
        if not self._threads:
            ended(None, Unavailable(ErrorCode.BUSY, NO_THREAD))
            return
        context = copy_context()
        self._busy += 1
        self._calls.put(lambda: context.run(call))

    def _start(self) -> None:
        name = f"{self._name}_{len(self._threads)}"
        thread = Thread(target=self._work, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            log.exception("the system does not start %s", name)
        else:
            self._threads.append(thread)

    def close(self) -> None:
        """Wait for all calls, and end the threads."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # or its result would be kept until the next one
