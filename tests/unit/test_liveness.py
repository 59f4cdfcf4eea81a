"""The liveness of running jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.domain.lifecycle import JobState
from lamia_gql.domain.liveness import Liveness, liveness, liveness_bounds

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_liveness_counts_beats() -> None:
    """A running job is LATE after two beat intervals, LOST after five; others have no liveness."""
    heard = NOON - timedelta(seconds=60)
    for interval, expected in ((31, Liveness.ALIVE), (30, Liveness.LATE), (12, Liveness.LOST)):
        assert liveness(JobState.RUNNING, heard, interval, NOON) is expected
    assert liveness(JobState.RUNNING, heard, None, NOON) is None
    assert liveness(JobState.DONE, heard, 1, NOON) is None


@given(
    interval=st.floats(1e-6, 1e15),
    beats=st.sampled_from([2, 5]),
    microseconds=st.integers(-2, 2),
    now=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)
def test_a_job_is_what_the_filter_selects_it_as(
    interval: float, beats: int, microseconds: int, now: datetime
) -> None:
    """The bounds for a liveness contain exactly the jobs that have it, to the microsecond."""
    try:
        alive_at = now - timedelta(seconds=beats * interval) + timedelta(microseconds=microseconds)
    except OverflowError:
        alive_at = now
    found = []
    for wanted in Liveness:
        bounds = liveness_bounds(interval, wanted, now)
        assert bounds is not None
        if bounds[0] < alive_at <= bounds[1]:
            found.append(wanted)
    assert found == [liveness(JobState.RUNNING, alive_at, interval, now)]
