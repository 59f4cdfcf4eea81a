"""Times that clients give: with any offset from UTC, or with none."""

from __future__ import annotations

from datetime import UTC, datetime


def in_utc(time: datetime) -> datetime:
    """A time in UTC; one without an offset is taken as UTC.

    Raises ``OverflowError`` if it is outside the calendar there.
    """
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
