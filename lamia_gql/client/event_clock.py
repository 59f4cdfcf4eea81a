"""The times of events."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone


class EventClock:
    """Gives each event a later time than all before it, even if the clock is set back."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=timezone.utc)

    def next(self, at: float | None = None) -> str:
        """Return the time of the next event: now, or ``at`` in seconds since 1970."""
        given = (
            datetime.now(timezone.utc) if at is None else datetime.fromtimestamp(at, timezone.utc)
        )
        # Without a lock, which a fork or a signal handler could find taken. Two threads at once
        # may get equal times; neither is the earlier one.
        self._latest = latest = max(given, self._latest + timedelta(microseconds=1))
        return latest.isoformat(timespec="microseconds")
