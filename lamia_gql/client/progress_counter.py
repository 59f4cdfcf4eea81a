"""Reports how many of a job's steps are done, not too often."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from lamia_gql.client.job import Job

REPORT_INTERVAL_S = 5.0
"""Seconds between two reports, at least."""
Item = TypeVar("Item")


class ProgressCounter:
    """Counts steps, and sends PROGRESS every few seconds and at the end.

    Args:
        job: Sends the events.
        total: The number of steps. The progress is the percentage of them that is done; without a
            total there is none, and BEAT is sent.
        is_count: Whether the progress is the number of steps that are done, as for a process with
            a threshold.
        interval: Seconds between two events, at least.
    """

    def __init__(
        self,
        job: Job,
        total: float | None = None,
        *,
        is_count: bool = False,
        interval: float = REPORT_INTERVAL_S,
    ) -> None:
        self.total = total
        self.done = 0.0
        """The number of steps that are done."""
        self._job = job
        self._is_count = is_count
        self._interval = interval
        self._next_at = time.monotonic() + interval
        self._reported: float | None = None

    def set(self, done: float, make_payload: Callable[[], Any] = lambda: None) -> None:
        """Set the number of steps that are done; the payload is made if it is time for an event."""
        self.done = done
        if time.monotonic() >= self._next_at:
            self.report(make_payload())

    def report(self, payload: Any = None) -> None:
        """Send the progress, if it has changed."""
        self._next_at = time.monotonic() + self._interval
        progress = self._find_progress()
        if progress is None:
            self._job.beat(payload)
        elif progress != self._reported:
            self._reported = progress
            self._job.progress(progress, payload)

    def finish(self, payload: Any = None) -> None:
        """Send the last progress, however short ago the one before was sent."""
        if self._find_progress() is not None:
            self.report(payload)

    def _find_progress(self) -> float | None:
        if self._is_count:
            return self.done
        return min(100.0, round(100 * self.done / self.total, 3)) if self.total else None


def find_length(items: object) -> int | None:
    """Return how many items there are, or None if they do not tell."""
    return len(items) if isinstance(items, Sized) else None


def track(
    job: Job,
    items: Iterable[Item],
    total: float | None = None,
    *,
    is_count: bool = False,
    stop_when_enough: bool = False,
) -> Iterator[Item]:
    """Yield items, and report their progress: see :meth:`Job.track`."""
    if total is None:
        total = find_length(items)
    counter = ProgressCounter(job, total, is_count=is_count)
    try:
        for done, item in enumerate(items, 1):
            yield item
            counter.set(done)
            if stop_when_enough and job.enough:
                return
    finally:
        counter.finish()
