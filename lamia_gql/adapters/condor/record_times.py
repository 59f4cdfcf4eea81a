"""When the records of a job event log happened, to the second or better."""

from __future__ import annotations

from datetime import datetime

DAY_S = 86400.0
CLOCK_CHANGE_S = 1800.0
"""Records of one log are never so much older than those before, unless clocks were put back."""


def parse_time(text: str, changed_at: float, latest: float) -> float:
    """Return the time of a record in seconds since 1970.

    HTCondor writes the local time, often without the year. It is the year in which it is read
    unless the record would then be newer than its file. In the hour that exists twice when clocks
    are put back, times go on.

    Args:
        text: the attribute ``EventTime``.
        changed_at: when the file was last written to.
        latest: the latest time in this log before.
    """
    local = datetime.fromisoformat(text)
    seconds = local.timestamp()
    if seconds > changed_at + DAY_S:
        local = _year_before(local)
        seconds = local.timestamp()
    if seconds < latest - CLOCK_CHANGE_S:
        later = local.replace(fold=1).timestamp()
        if later > seconds:
            return later
    return seconds


def _year_before(local: datetime) -> datetime:
    try:
        return local.replace(year=local.year - 1)
    except ValueError:  # 29 February
        return local.replace(year=local.year - 1, day=28)
