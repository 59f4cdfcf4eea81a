"""Liveness as bounds on the time of a job's last sign of life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, literal_column

from lamia_gql.domain.progress import LATE_BEATS, LOST_BEATS, Liveness

MAX_TIME = datetime(9999, 12, 31, tzinfo=UTC)
MIN_TIME = datetime(1, 1, 1, tzinfo=UTC)


def is_running(job: Any) -> ColumnElement[bool]:
    """The condition that a job is RUNNING, written as in the partial index ``ix_job_alive_at``.

    With a parameter in place of the state, neither engine would use that index.
    """
    found: ColumnElement[bool] = job.state == literal_column("'RUNNING'")
    return found


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
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return MIN_TIME
