"""Calls a function periodically while a block of code takes long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Watchdog:
    """A context manager that calls ``callback`` periodically while its block runs.

    It does so from its own thread, which starts with the first block and sleeps between blocks.
    Only one block may run at a time.

    Args:
        callback: Gets the seconds since the block began.
        interval: Seconds between calls; a shorter block causes none.
    """

    def __init__(self, callback: Callable[[float], None], interval: float) -> None:
        self._callback = callback
        self._interval = interval
        self._changed = threading.Condition()
        self._begin: float | None = None
        self._stopped = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        with self._changed:
            self._begin = time.monotonic()
            self._changed.notify()
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="lamia-watchdog", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return  # no new threads, as when Python exits: run without a watchdog
                self._thread = thread

    def __exit__(self, *_exception: object) -> None:
        with self._changed:
            self._begin = None
            self._changed.notify()

    def stop(self) -> None:
        """End the thread; no block may follow."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                begin = self._begin
                if not self._stopped:
                    self._changed.wait(None if begin is None else self._interval)
                if self._stopped:
                    return
                if begin is None or begin != self._begin:
                    continue
            self._callback(time.monotonic() - begin)
