"""Figures in the words of the pages, for a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MINUTES_OF_HOUR = 60
MINUTES_OF_DAY = 24 * MINUTES_OF_HOUR
SMALLEST_RATE = 0.1
"""Slower rates are given by the next longer unit of time."""
LONGEST_RUN = timedelta(days=365)
"""Who has run for longer has been started by a clock that was not set."""
COMPACT_UNITS = ((1e9, "B"), (1e6, "M"), (1e3, "K"))
SMALLEST_COMPACT = 10_000
LARGE_RATE = 1000
"""Rates from this on, in jobs per minute, have no decimals."""


def format_number(value: float) -> str:
    """Format a number with thousands separators and at most one decimal, like ``1,234.5``."""
    return f"{value:,.1f}".removesuffix(".0")


def format_count(value: int, noun: str, plural: str) -> str:
    """Format a number and what is counted, like ``1 task`` or ``1,200 tasks``."""
    return f"{value:,} {noun if value == 1 else plural}"


def format_compact(value: int) -> str:
    """Format a number in at most six characters, like ``12.3K``."""
    if value < SMALLEST_COMPACT:
        return str(value)
    size, unit = next(unit for unit in COMPACT_UNITS if value >= unit[0])
    return f"{format_number(value / size)}{unit}"


def format_percent(ratio: float) -> str:
    """Format a ratio in percent; only exactly 1 gives 100 %, and only 0 gives 0 %."""
    value = 100 * ratio
    if 0 < value < 0.1:
        return "< 0.1 %"
    digits = 1 if value < 10 or 99 < value < 100 else 0
    rounded = round(value, digits)
    if ratio < 1 and rounded >= 100:
        return "99.9 %"
    return f"{format_number(rounded)} %"


def format_rate(per_minute: float) -> str:
    """Format a rate of jobs, like ``12.5 jobs/min``; a slow one by the hour or the day.

    A large one has no decimals, like ``1,235 jobs/min``, or is in short form.
    """
    if per_minute >= LARGE_RATE:
        rounded = round(per_minute)
        number = f"{rounded:,}" if rounded < SMALLEST_COMPACT else format_compact(rounded)
        return f"{number} jobs/min"
    for minutes, unit in ((1, "min"), (MINUTES_OF_HOUR, "h")):
        if per_minute * minutes >= SMALLEST_RATE:
            return f"{format_number(per_minute * minutes)} jobs/{unit}"
    return f"{format_number(per_minute * MINUTES_OF_DAY)} jobs/d"


def format_duration(duration: timedelta) -> str:
    """Format a duration in its two largest units, like ``2 h 5 min``; a negative one as ``0 s``."""
    seconds = max(0, int(duration.total_seconds()))
    units = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
    for size, unit, smaller, small in units:
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{seconds} s"


def format_run(begin: datetime, end: datetime) -> str:
    """Format how long something has run, like ``for 5 min``."""
    if end - begin > LONGEST_RUN:
        return f"since {begin.astimezone():%Y-%m-%d}"
    return f"for {format_duration(end - begin)}"


def format_clock(at: datetime, now: datetime) -> str:
    """Format a time in the local time zone, like ``14:02``, or its day, unless that is today."""
    at, now = at.astimezone(), now.astimezone()
    return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%Y-%m-%d}"


def parse_time(text: str | None) -> datetime | None:
    """Parse a time of an answer."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
