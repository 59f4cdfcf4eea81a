"""The memory of a server process: unused memory goes back to the operating system.

What a subscription leaves lies in cycles: graphql-core's own, and those of errors with their
tracebacks. Python would look for such garbage among long-lived objects only after millions of new
ones, so a few large operations could keep gigabytes. On the other hand, to look for it often would
stop the event loop often.

What remains after that is in parts: Python returns only arenas of 1 MiB that are empty, and one
small object that lives on keeps its arena. glibc returns every free page.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lamia_gql.domain.background_task import BackgroundTask

THRESHOLDS = (5_000, 20, 100)
"""Thresholds of Python's cycle collector. The first is low enough to free the bodies of large
requests; the last is high, as full collections are slow."""
INTERVAL_S = 10.0
"""The shortest time between two full collections."""
PAUSE_FACTOR = 300
"""How many times as long as a full collection took, the next one waits: with a thousand
subscribers it takes a tenth of a second, and a hundredth of all events must not wait for it."""
LONGEST_PAUSE_S = 30.0
"""The next one waits no longer than this."""
UNUSED_BYTES = 16 << 20
"""So much more memory than at the start is not worth a collection."""
STATISTICS = Path("/proc/self/statm")


class Memory:
    """Collects garbage from time to time. Lives as long as the application.

    ``release`` gives back what the database keeps for later; it blocks.
    """

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._at_start = 0
        self._task = BackgroundTask("memory", self._run)

    async def start(self) -> None:
        """Begin to collect. What exists now is taken for permanent."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
        self._at_start = _resident_bytes()
        self._task.start()

    async def stop(self) -> None:
        """Leave the rest to the end of the process."""
        await self._task.stop()

    async def _run(self) -> None:
        pause_s = INTERVAL_S
        while True:
            await asyncio.sleep(pause_s)
            if _resident_bytes() - self._at_start < UNUSED_BYTES:
                continue
            begin = time.perf_counter()
            gc.collect()
            pause_s = PAUSE_FACTOR * (time.perf_counter() - begin)
            pause_s = min(max(INTERVAL_S, pause_s), LONGEST_PAUSE_S)
            # It takes the time of as much memory as it returns.
            await asyncio.to_thread(self._return_unused)

    def _return_unused(self) -> None:
        self._release()
        _trim()


def _resident_bytes() -> int:
    """The memory of this process; where the system does not tell, more than any process has."""
    try:
        pages = int(STATISTICS.read_bytes().split()[1])
    except OSError:
        return 1 << 62
    return pages * os.sysconf("SC_PAGE_SIZE")


def _trim() -> None:
    """Return memory that the allocator keeps for later; only glibc keeps much, and has this."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
