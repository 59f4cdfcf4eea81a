"""Liveness as bounds on the time of a job's last sign of life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, literal_column

from lamia_gql.domain.progress import LATE_BEATS, LOST_BEATS, Liveness
from lamia_gql.storage.models import UTCDateTime

TIME = UTCDateTime()
EVER = datetime(9999, 12, 31, tzinfo=UTC)
NEVER = datetime(1, 1, 1, tzinfo=UTC)


def is_running(job: Any) -> ColumnElement[bool]:
    """That a job is RUNNING, in the words of the index of running jobs by their signs of life.

    With a parameter in place of the state no database would see that the index has them.
    """
    found: ColumnElement[bool] = job.state == literal_column("'RUNNING'")
    return found


def silence(
    is_sqlite: bool, beat_interval: float | None, liveness: Liveness | None, now: datetime
) -> tuple[str, str] | None:
    """The times after which, and until which, such a job was last alive; as keys have them.

    Without a liveness they are unbounded; None where no interval is known to measure by.
    """
    if liveness is None:
        return _text(is_sqlite, NEVER), _text(is_sqlite, EVER)
    if beat_interval is None:
        return None
    late = _ago(now, LATE_BEATS * beat_interval)
    lost = _ago(now, LOST_BEATS * beat_interval)
    bounds = {
        Liveness.ALIVE: (late, EVER),
        Liveness.LATE: (lost, late),
        Liveness.LOST: (NEVER, lost),
    }[liveness]
    return _text(is_sqlite, bounds[0]), _text(is_sqlite, bounds[1])


def _ago(now: datetime, seconds: float) -> datetime:
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return NEVER


def _text(is_sqlite: bool, time: datetime) -> str:
    if is_sqlite:
        return time.replace(tzinfo=None).isoformat(" ", "microseconds")
    return time.isoformat()
