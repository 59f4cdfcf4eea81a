"""The time by which it is decided what is kept no longer, so that no wrong clock removes it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select, text

from lamia_gql.storage.models import Event, Task
from lamia_gql.storage.transaction import ReadConnection

log = logging.getLogger(__name__)

MAX_LEAP = timedelta(days=1)
"""By how much a clock may be ahead of what is known to have passed, and is believed at once."""
DOUBT_S = 86_400.0
"""After how long another clock is believed, too, if it was not set right meanwhile."""
LATEST_TASKS = 100
"""Of so many tasks, those with the latest events by the clocks of jobs, the last one is read."""


class Reading(NamedTuple):
    """What can be known about the time."""

    now: datetime
    """By the clock of this machine, or of the database if that is behind it."""
    last_received_at: datetime | None
    """About when the latest event or task was received; None without tasks, or if not asked."""


def read_time(connection: ReadConnection) -> datetime:
    """The time by the clock of this machine, or of PostgreSQL if that is behind it."""
    now = datetime.now(UTC)
    if connection.dialect.name == "sqlite":
        return now
    there: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return min(now, there)


def read_clock(connection: ReadConnection, *, with_latest: bool) -> Reading:
    """What this machine and the database know about the time.

    ``with_latest``: whether to look for the latest receipt, for which all tasks are read.
    """
    return Reading(read_time(connection), _last_receipt(connection) if with_latest else None)


def _last_receipt(connection: ReadConnection) -> datetime | None:
    latest = (
        select(Task.id, Task.last_seq)
        .where(Task.last_event_at.is_not(None))
        .order_by(Task.last_event_at.desc(), Task.id.desc())
        .limit(LATEST_TASKS)
        .subquery()
    )
    event_at = connection.scalar(
        select(func.max(Event.received_at)).join_from(
            latest, Event, (Event.task_id == latest.c.id) & (Event.seq == latest.c.last_seq)
        )
    )
    task_at = connection.scalar(select(func.max(Task.received_at)))
    times = [at for at in (event_at, task_at) if at is not None]
    return max(times, default=None)


class RetentionClock:
    """What a server takes for the time of each round.

    At first, a clock is doubted that is far ahead of the latest receipt; then one that has gone on
    by much more than the time that has passed. It is believed after :data:`DOUBT_S`: the server may
    have been idle, or its machine asleep.
    """

    def __init__(self) -> None:
        self._believed: datetime | None = None
        self._believed_at = 0.0
        """When that was, by the clock of the rounds."""
        self._doubted_since: float | None = None

    @property
    def is_new(self) -> bool:
        """Whether no round has begun yet: the first one needs the latest receipt."""
        return self._believed is None

    def believe(self, reading: Reading, ticks: float) -> datetime | None:
        """The time of a round; None while there is reason to doubt it: then nothing is removed.

        Args:
            reading: what this round has read.
            ticks: seconds by a clock that nobody sets, such as ``time.monotonic``.
        """
        if self._believed is None:
            # What is received from now on has the time of this clock, right or wrong.
            self._believed = min(reading.last_received_at or reading.now, reading.now)
            self._believed_at = ticks
        known = self._believed + timedelta(seconds=ticks - self._believed_at)
        if reading.now <= known + MAX_LEAP:
            self._doubted_since = None
        elif self._doubted_since is None:
            self._doubted_since = ticks
            log.warning(
                "the clock is %.1f days ahead of what is known to have passed: it may be wrong,"
                " so nothing is removed for %g hours",
                (reading.now - known) / timedelta(days=1),
                DOUBT_S / 3600,
            )
        if self._doubted_since is not None and ticks < self._doubted_since + DOUBT_S:
            return None
        self._believed, self._believed_at, self._doubted_since = reading.now, ticks, None
        return reading.now
