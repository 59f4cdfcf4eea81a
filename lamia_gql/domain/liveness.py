"""How recently a running job gave a sign of life: one rule, for a job and for a filter of jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from lamia_gql.domain.lifecycle import JobState

LATE_BEATS = 2
"""A running job is LATE after this number of beat intervals without a sign of life."""
LOST_BEATS = 5
"""A running job is LOST after this number of beat intervals without a sign of life."""
MAX_TIME = datetime(9999, 12, 31, tzinfo=UTC)
MIN_TIME = datetime(1, 1, 1, tzinfo=UTC)


class Liveness(StrEnum):
    """How recently a running job gave a sign of life."""

    ALIVE = "ALIVE"
    LATE = "LATE"
    LOST = "LOST"


def liveness(
    state: JobState, alive_at: datetime | None, beat_interval: float | None, now: datetime
) -> Liveness | None:
    """The liveness of a RUNNING job; None for other jobs, or without a beat interval.

    ``beat_interval`` is in seconds. Liveness is computed on reading: after a beat a job is ALIVE
    again.
    """
    if state is not JobState.RUNNING or alive_at is None or beat_interval is None:
        return None
    if alive_at <= _before(now, LOST_BEATS * beat_interval):
        return Liveness.LOST
    return Liveness.LATE if alive_at <= _before(now, LATE_BEATS * beat_interval) else Liveness.ALIVE


def liveness_bounds(
    beat_interval: float | None, liveness: Liveness | None, now: datetime
) -> tuple[datetime, datetime] | None:
    """The bounds of ``alive_at`` of a RUNNING job of this liveness: later than, and not later than.

    ``beat_interval`` is in seconds. Without a liveness the bounds hold for every time; without an
    interval there are none: no job has a liveness.
    """
    if liveness is None:
        return MIN_TIME, MAX_TIME
    if beat_interval is None:
        return None
    late = _before(now, LATE_BEATS * beat_interval)
    lost = _before(now, LOST_BEATS * beat_interval)
    return {
        Liveness.ALIVE: (late, MAX_TIME),
        Liveness.LATE: (lost, late),
        Liveness.LOST: (MIN_TIME, lost),
    }[liveness]


def _before(now: datetime, seconds: float) -> datetime:
    """The time so many seconds before now, to the microsecond, as stored times are."""
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return MIN_TIME
