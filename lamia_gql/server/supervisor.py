"""Runs a function in several processes: starts, restarts and stops them."""

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

from lamia_gql.server.service_manager import ServiceManager

log = logging.getLogger(__name__)

MIN_LIFETIME_S = 5.0
"""A worker that ends sooner after its start is restarted with a delay."""
RESTART_DELAY_S = 1.0
CHECK_INTERVAL_S = 0.2


class Supervisor:
    """Runs a function in worker processes, and restarts those that end.

    Args:
        number: how many worker processes to run.
        work: the function, which must be importable. It gets the number of its worker, from 0: one
            that is restarted has the number of its predecessor. It also gets an event, which is set
            before all workers are stopped, and not where a single one is.
        arguments: its further arguments.
        grace_s: how many seconds the workers have to end after SIGTERM, before they are killed.
        manager: the service manager, which is told that the workers are watched, and when they
            are stopped.
    """

    def __init__(
        self,
        number: int,
        work: Callable[..., None],
        arguments: tuple[Any, ...],
        grace_s: float,
        manager: ServiceManager,
    ) -> None:
        self._work = work
        self._arguments = arguments
        self._grace_s = grace_s
        self._manager = manager
        self._context = multiprocessing.get_context("spawn")
        self._processes: dict[SpawnProcess, tuple[int, float]] = {}
        """The workers that run: their numbers, and when they were started."""
        self._number = number
        self._stopping = False
        self._all_stop = self._context.Event()

    def run(self, when_stopping: Callable[[], object]) -> None:
        """Run until SIGTERM or SIGINT; exits with 1 if a worker had to be killed.

        ``when_stopping`` is called before the workers are told to stop.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle_stop_signal)
        while not self._stopping:
            while len(self._processes) < self._number:
                self._start_worker()
            # The timeout is needed because a signal handler does not end the wait.
            wait([process.sentinel for process in self._processes], timeout=CHECK_INTERVAL_S)
            self._remove_ended()
            self._manager.tell_alive()
        self._manager.tell_stopping()
        self._all_stop.set()
        when_stopping()
        self._stop_workers()

    def _handle_stop_signal(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start_worker(self) -> None:
        taken = {number for number, _ in self._processes.values()}
        number = next(number for number in range(self._number) if number not in taken)
        arguments = number, self._all_stop, *self._arguments
        process = self._context.Process(target=self._work, args=arguments)
        process.start()
        self._processes[process] = number, time.monotonic()

    def _remove_ended(self) -> None:
        for process, (_, begin) in list(self._processes.items()):
            if process.exitcode is None:
                continue
            del self._processes[process]
            log.error("worker %s exited with code %s", process.pid, process.exitcode)
            if not self._stopping and time.monotonic() < begin + MIN_LIFETIME_S:
                # It may be unable to start: do not keep the machine busy with restarts.
                time.sleep(RESTART_DELAY_S)

    def _stop_workers(self) -> None:
        deadline = time.monotonic() + self._grace_s
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
        late = [process for process in self._processes if process.exitcode is None]
        for process in late:
            process.kill()
            process.join()
        if late:
            log.error("%d workers did not stop in time and were killed", len(late))
            sys.exit(1)
