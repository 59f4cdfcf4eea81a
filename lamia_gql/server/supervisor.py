"""Several processes that do the same: started, watched, restarted, and ended together."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""A process that ends sooner than this many seconds after its start is not restarted at once."""


class Supervisor:
    """Runs ``work(*arguments)`` in ``number`` new processes, until told to stop.

    ``grace`` is how many seconds they have to end after SIGTERM, before they are killed.
    """

    def __init__(
        self, number: int, work: Callable[..., None], arguments: tuple[Any, ...], grace: float
    ) -> None:
        self._work = work
        self._arguments = arguments
        self._grace = grace
        self._context = multiprocessing.get_context("spawn")
        self._processes: dict[SpawnProcess, float] = {}
        self._number = number
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            while len(self._processes) < self._number:
                self._start()
            # Also wakes up for a signal, whose handler does not end the wait by itself.
            wait([process.sentinel for process in self._processes], timeout=0.2)
            self._bury()
        self._end()

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start(self) -> None:
        process = self._context.Process(target=self._work, args=self._arguments)
        process.start()
        self._processes[process] = time.monotonic()

    def _bury(self) -> None:
        for process, begin in list(self._processes.items()):
            if process.exitcode is None:
                continue
            del self._processes[process]
            log.error("worker %s has ended with code %s", process.pid, process.exitcode)
            if not self._stopping and time.monotonic() < begin + PATIENCE:
                # It may be unable to start at all: no reason to keep the machine busy with it.
                time.sleep(1)

    def _end(self) -> None:
        deadline = time.monotonic() + self._grace
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
        late = [process for process in self._processes if process.exitcode is None]
        for process in late:
            process.kill()
            process.join()
        if late:
            log.error("%d workers had to be killed", len(late))
            sys.exit(1)
