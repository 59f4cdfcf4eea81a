"""How fast the work of a process goes, and whether it has stalled."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamia_gql.domain.counters import UNIT, Counters
from lamia_gql.domain.progress import ProcessKind
from lamia_gql.domain.throughput import (
    LOOKBACKS,
    Past,
    Throughput,
    estimated_finish,
    stall,
    throughput,
    together,
)
from tests.support.strategies import NOON

HOUR = timedelta(hours=1)


class Terms(NamedTuple):
    """What a process was created with."""

    job_count: int = 1000
    failure_tolerance: int = 0
    threshold: float | None = None
    kind: str = ProcessKind.ARRAY


def history(done_at: list[int], elapsed: float) -> list[Past]:
    """A past with these numbers of DONE jobs, the latest first."""
    past = [
        Past(share * elapsed, Counters(done=done))
        for share, done in zip(LOOKBACKS, done_at, strict=True)
    ]
    return [*past, Past(elapsed, Counters())]


def at_rate(jobs: float, done: int, elapsed: float) -> list[Past]:
    """A past in which so many jobs were done in a second."""
    return history([round(done - jobs * share * elapsed) for share in LOOKBACKS], elapsed)


def test_a_steady_rate_is_found() -> None:
    """Where a job ends every two seconds, the rate is half a job a second, however long it runs."""
    for elapsed in (64, 3200, 96_000):
        done = elapsed // 2
        terms = Terms(job_count=100_000)
        found = throughput(terms, Counters(done=done), at_rate(0.5, done, elapsed), None)
        assert found.jobs == pytest.approx(0.5)
        assert found.ratio == pytest.approx(0.5 / 100_000)


def test_recent_work_counts_more() -> None:
    """The rate follows a change, and is between the old and the new one."""
    # 100 jobs an hour before, none in the last eighth of the time.
    slower = throughput(Terms(), Counters(done=100), history([100, 100, 100, 86, 57], 3600), None)
    assert 0 < slower.jobs < 100 / 3600 / 2
    # 400 instead of 100 in an hour since an eighth of the time.
    faster = throughput(Terms(), Counters(done=138), history([125, 113, 88, 75, 50], 3600), None)
    assert 200 / 3600 < faster.jobs < 400 / 3600


def test_progress_counts_where_jobs_report_it() -> None:
    """The ratio rises with what the jobs report, though none has ended."""
    past = [
        Past(
            share * 1000,
            Counters(running=10, reporting=10, progress_sum=int(500 - share * 500) * UNIT),
        )
        for share in (*LOOKBACKS, 1)
    ]
    now = Counters(running=10, reporting=10, progress_sum=500 * UNIT)
    found = throughput(Terms(job_count=10), now, past, None)
    assert found.jobs == 0
    assert found.ratio == pytest.approx(0.5 / 1000, rel=0.05)


@given(
    st.lists(st.integers(0, 1000), min_size=5, max_size=5),
    st.integers(0, 1000),
    st.floats(1e-3, 1e9),
)
def test_a_rate_is_never_negative(before: list[int], done: int, elapsed: float) -> None:
    """Also where jobs run again; and never above what happened in the shortest span."""
    found = throughput(Terms(), Counters(done=done), history(before, elapsed), None)
    assert 0 <= found.jobs <= 1000 / (LOOKBACKS[0] * elapsed)
    assert 0 <= found.ratio <= 1 / (LOOKBACKS[0] * elapsed)


@pytest.mark.parametrize(
    ("silent", "p95_s", "stalled"),
    [
        (timedelta(minutes=9), 60.0, False),  # too short
        (timedelta(minutes=11), 60.0, True),
        (timedelta(minutes=80), 3600.0, False),  # its jobs take an hour
        (timedelta(minutes=91), 3600.0, True),
        (timedelta(minutes=59), None, False),  # it has run for four hours
        (timedelta(minutes=61), None, True),
    ],
)
def test_what_has_stalled(silent: timedelta, p95_s: float | None, stalled: bool) -> None:
    """Silence is compared with how long jobs take, or with the time before."""
    changed_at = NOON - silent
    found = stall(changed_at, changed_at - 4 * HOUR, p95_s, NOON)
    assert found == (changed_at if stalled else None)


def test_the_estimate_follows_the_rate() -> None:
    """Without a rate, or where the work has stalled or is done, there is none."""

    def estimate(
        ratio: float | None, rate: float, since: datetime | None = None
    ) -> datetime | None:
        return estimated_finish(ratio, Throughput(0, rate, since), NOON)

    assert estimate(0.25, 0.25 / 3600) == NOON + 3 * HOUR
    assert estimate(0.25, 0) is None
    assert estimate(1.5, 0.1) is None
    assert estimate(None, 0.1) is None
    assert estimate(0.25, 0.1, NOON - HOUR) is None
    assert estimate(0.25, 1e-300) is None
    assert estimated_finish(0.25, None, NOON) is None


def test_a_task_adds_up_its_processes() -> None:
    """Rates add up, ratios by the number of jobs; one process that has stalled is enough."""
    large, small = Terms(job_count=300), Terms(job_count=100)
    fast, slow = Throughput(1, 0.004), Throughput(0.5, 0.008, NOON)
    assert together([(large, fast), (small, slow)]) == Throughput(1.5, 0.005, NOON)
    assert together([(large, fast), (small, None)]) == Throughput(1, 0.003)
    assert together([(large, None), (small, None)]) is None
