"""Somebody who looks on while something takes its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Lookout:
    """As a context manager, calls ``look`` every few seconds while the block runs.

    It does so from a thread of its own, with the seconds since the block began. The thread is
    started with the first block, and sleeps between blocks. For one block at a time.
    """

    def __init__(self, look: Callable[[float], None], every: float) -> None:
        self._look = look
        self._every = every
        self._changed = threading.Condition()
        self._begin: float | None = None
        self._ended = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        with self._changed:
            self._begin = time.monotonic()
            self._changed.notify()
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="lamia-lookout", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return  # there are no new threads, as at the end of a Python: nobody looks
                self._thread = thread

    def __exit__(self, *_exception: object) -> None:
        with self._changed:
            self._begin = None
            self._changed.notify()

    def end(self) -> None:
        """End the thread; there is no block after this."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                begin = self._begin
                if not self._ended:
                    self._changed.wait(None if begin is None else self._every)
                if self._ended:
                    return
                if begin is None or begin != self._begin:
                    continue
            self._look(time.monotonic() - begin)
