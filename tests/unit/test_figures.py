"""Figures in a terminal: honest, short, and in the words of the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.commands.figures import (
    format_clock,
    format_compact,
    format_duration,
    format_percent,
    format_rate,
    format_run,
)

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0, "0 %"),
        (0.0004, "< 0.1 %"),
        (0.054, "5.4 %"),
        (0.5, "50 %"),
        (0.995, "99.5 %"),
        (0.999999, "99.9 %"),
        (1, "100 %"),
        (1.5, "150 %"),
    ],
)
def test_percent(ratio: float, text: str) -> None:
    """A task of which one job is missing has not 100 %."""
    assert format_percent(ratio) == text


@given(st.floats(0, 2))
def test_only_what_is_complete_has_all_percent(ratio: float) -> None:
    """100 % is said of nothing below, and 0 % of nothing above zero."""
    text = format_percent(ratio)
    assert (text == "0 %") == (ratio == 0)
    assert ratio >= 1 or float(text.strip("<% ")) < 100


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (12_345.6, "12.3K jobs/min"),
        (1234.56, "1,235 jobs/min"),
        (234.56, "234.6 jobs/min"),
        (12, "12 jobs/min"),
        (0.5, "0.5 jobs/min"),
        (0.05, "3 jobs/h"),
        (0.001, "1.4 jobs/d"),
    ],
)
def test_rate(rate: float, text: str) -> None:
    """Slow rates are told by the hour or the day, not as 0 a minute; large ones in short form."""
    assert format_rate(rate) == text


def test_durations() -> None:
    """Two units at most; a start by a clock that was not set gives no duration."""
    seconds = {
        0.4: "0 s",
        59: "59 s",
        120: "2 min",
        7500: "2 h 5 min",
        90_000: "1 d 1 h",
        -5: "0 s",
    }
    for number, text in seconds.items():
        assert format_duration(timedelta(seconds=number)) == text
    assert format_run(NOW - timedelta(hours=3), NOW) == "for 3 h"
    assert format_run(datetime(1970, 1, 1, 12, tzinfo=UTC), NOW) == "since 1970-01-01"


def test_clock() -> None:
    """The time today, the day otherwise."""
    local = NOW.astimezone().replace(hour=14, minute=2)
    assert format_clock(local, local + timedelta(hours=1)) == "14:02"
    assert format_clock(local - timedelta(days=1), local) == f"{local - timedelta(days=1):%Y-%m-%d}"


@given(st.integers(0, 10**12))
def test_compact_numbers_are_short(number: int) -> None:
    """They fit in a narrow column."""
    assert len(format_compact(number)) <= 6
