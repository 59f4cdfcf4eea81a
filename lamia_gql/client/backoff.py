"""When a server that has failed is tried again."""

from __future__ import annotations

import os
import time

from lamia_gql.client.down_mark import DownMark

MIN_RETRY_DELAY_S, MAX_RETRY_DELAY_S = 1.0, 60.0
"""How long after a failure the server is tried again; doubles with every failure."""


class Backoff:
    """Leaves a server alone: longer after more failures in a row, and at least as long as it says.

    Args:
        down: Where other jobs note, and are told, that the server does not answer.
    """

    def __init__(self, down: DownMark) -> None:
        self._down = down
        self.failures = 0
        """How often in a row the server was not available."""
        self.is_slow = False
        """Whether a request has taken long, and no answer has come since."""
        self._retry_at = 0.0
        self._down_until = 0.0

    def read_mark(self) -> bool:
        """Take over what other jobs have found; returns whether the server is left alone."""
        down_s = self._down.remaining_s()
        if down_s:
            self._down_until = time.monotonic() + down_s
            self.failures += 1
        return bool(down_s)

    def note_success(self) -> None:
        """Note that the server is available."""
        self.failures, self._retry_at, self.is_slow = 0, 0.0, False
        if self._down_until:
            self._down_until = 0.0
            self._down.clear()

    def note_failure(self, retry_after_s: float) -> None:
        """Note that the server was not available, and for how long it wants to be left alone."""
        self.tell_others()
        self.delay(self.failures, retry_after_s)
        self.failures += 1

    def tell_others(self) -> None:
        """Spare other jobs the time that a request has taken without an answer."""
        if self.is_slow:
            self.is_slow = False
            self._down.set()

    def delay(self, times: int = 0, at_least_s: float = 0.0) -> None:
        """Leave the server alone, as after this number of earlier failures."""
        seconds = min(MIN_RETRY_DELAY_S * 2 ** min(times, 10), MAX_RETRY_DELAY_S)
        self._retry_at = time.monotonic() + max(seconds * jitter(), at_least_s)

    def remaining_s(self, *, is_closing: bool = False) -> float:
        """Return for how long the server is left alone; 0 or less if it may be tried.

        A job that is closing makes one last attempt. That may take long, so it is not made if
        others have just found no answer.
        """
        until = self._down_until if is_closing else max(self._down_until, self._retry_at)
        return until - time.monotonic()


def jitter() -> float:
    """Return a random factor from 0.5 to 1, so that a thousand jobs do not retry at once.

    The module ``random`` is slow to import.
    """
    return 0.5 + os.urandom(1)[0] / 510
