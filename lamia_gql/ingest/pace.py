"""How much a transaction in the background does, so that events never wait long for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

TARGET_S = 0.015
"""How long a transaction is to keep its locks: an event may wait for 100 ms, with the commit."""
PAUSE_S = 0.05
"""Time between two transactions, for other writers. A process that waits for the lock of a SQLite
file looks for it every 25 ms by then: in the pause, it finds the file free."""
FEWEST_ROWS = 100
MOST_ROWS = 2_000


class Pace:
    """The number of rows for the next transaction, by how long the earlier ones took."""

    def __init__(self) -> None:
        self.rows = 200
        """How many rows to handle."""

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure a block that handles :attr:`rows` rows, and adapt that number."""
        begin = time.monotonic()
        yield
        self.adapt(time.monotonic() - begin)

    def adapt(self, seconds: float) -> None:
        """Adapt :attr:`rows` to the time that so many have taken."""
        ratio = TARGET_S / max(seconds, 1e-6)
        # It grows slowly, because a few rows may be cheap; it shrinks at once.
        self.rows = round(min(max(self.rows * min(ratio, 1.5), FEWEST_ROWS), MOST_ROWS))
