"""What became of the transactions of one kind, and how long they took."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lamia_gql.domain.errors import ErrorCode, OutcomeUnknown, Unavailable
from lamia_gql.domain.histogram import SECONDS, Histogram
from lamia_gql.storage.write import Write

OUTCOMES = ("committed", "refused", "busy", "failed", "unknown")
"""How a transaction ends: ``refused`` by a rule, ``busy`` because of a lock, ``unknown`` if it may
have been committed."""


class WriteStatistics:
    """Counts transactions that have ended. To be used in the thread of the event loop."""

    def __init__(self) -> None:
        self.waits = Histogram(SECONDS)
        """How long they waited for a thread, a connection and, on SQLite, for other writers."""
        self.durations = Histogram(SECONDS)
        """How long those that were committed took from then on, with their commit."""
        self.commits = Histogram(SECONDS)
        """How long their commits took."""
        self.outcomes: Counter[str] = Counter()
        """How many had each of the :data:`OUTCOMES`."""

    def add(self, write: Write[Any], error: BaseException | None) -> None:
        """Count a transaction that has ended, with this error or with none."""
        self.outcomes[_outcome(error)] += 1
        times = write.times
        if times.begun is not None:
            self.waits.add(times.begun - times.created)
        if times.ended is not None:
            assert times.begun is not None
            assert times.commit_begun is not None
            self.durations.add(times.ended - times.begun)
            self.commits.add(times.ended - times.commit_begun)


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "committed"
    if isinstance(error, OutcomeUnknown):
        return "unknown"
    if isinstance(error, Unavailable):
        return "busy" if error.code is ErrorCode.BUSY else "failed"
    return "refused"
