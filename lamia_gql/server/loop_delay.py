"""How late the event loop is: what it does at once keeps everything else waiting."""

from __future__ import annotations

import asyncio

from lamia_gql.domain.background_task import BackgroundTask
from lamia_gql.domain.histogram import SECONDS, Histogram

INTERVAL_S = 0.25
"""How often the delay is measured."""


class LoopDelay:
    """Measures the delay of timers at regular intervals. Lives as long as the application."""

    def __init__(self) -> None:
        self.delays = Histogram(SECONDS)
        """How much later than planned a timer rang."""
        self._task = BackgroundTask("loop delay", self._run)

    async def start(self) -> None:
        """Begin to measure."""
        self._task.start()

    async def stop(self) -> None:
        """Measure no more."""
        await self._task.stop()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            planned = loop.time() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            self.delays.add(max(0.0, loop.time() - planned))
