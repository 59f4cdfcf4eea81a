"""No wrong clock removes what is kept, and none keeps it for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lamia_gql.ingest.retention_clock import DOUBT_S, Reading, RetentionClock

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR_S = 3600.0


def after(seconds: float, *, leap: timedelta = timedelta()) -> datetime:
    """What a clock says so long after noon that has leapt by so much."""
    return NOON + timedelta(seconds=seconds) + leap


def test_a_clock_that_leaps_is_believed_after_a_day() -> None:
    """Nothing is removed until then, and everything again as soon as it was set right."""
    clock, year = RetentionClock(), timedelta(days=365)

    def at(seconds: float, leap: timedelta = timedelta()) -> datetime | None:
        return clock.believe(Reading(after(seconds, leap=leap), NOON), seconds)

    assert at(0) == NOON
    assert at(HOUR_S) == after(HOUR_S)
    # Not much: what is kept for a month goes a few hours too soon.
    assert at(2 * HOUR_S, timedelta(hours=9)) == after(2 * HOUR_S, leap=timedelta(hours=9))
    assert at(3 * HOUR_S, year) is None
    assert at(4 * HOUR_S) == after(4 * HOUR_S)

    leapt = 5 * HOUR_S
    assert at(leapt, year) is None
    assert at(leapt + DOUBT_S - 1, year) is None
    assert at(leapt + DOUBT_S, year) == after(leapt + DOUBT_S, leap=year)
    # It is set right, and leaps again.
    right = leapt + 2 * DOUBT_S
    assert at(right) == after(right)
    assert at(right + HOUR_S, year) is None


def test_at_its_start_a_server_knows_what_was_received() -> None:
    """A machine without a clock of its own may begin at any time, until it has asked others."""
    empty, busy, idle = RetentionClock(), RetentionClock(), RetentionClock()
    assert empty.believe(Reading(NOON, None), 0) == NOON
    assert busy.believe(Reading(NOON, NOON - timedelta(hours=20)), 0) == NOON
    # What was received in the future, by a clock that was wrong, says nothing.
    assert busy.believe(Reading(after(1), NOON + timedelta(days=900)), 1) == after(1)
    assert idle.believe(Reading(NOON, NOON - timedelta(days=40)), 0) is None
    # What has come since has the time of the clock that is in doubt.
    assert idle.believe(Reading(after(60), after(50)), 60) is None
    assert idle.believe(Reading(after(DOUBT_S), after(50)), DOUBT_S) == after(DOUBT_S)
