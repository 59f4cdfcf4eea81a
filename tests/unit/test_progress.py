"""Progress, state and outlook are computed from counters, as docs/concepts.md says."""

from __future__ import annotations

import math
import random
from datetime import timedelta
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lamia_gql.domain.counters import MAX_PROGRESS, MIN_THRESHOLD, UNIT, Counters, to_units
from lamia_gql.domain.lifecycle import EMPTY, EventClass, JobState, Occurrence, add, summarise
from lamia_gql.domain.progress import (
    Outlook,
    Progress,
    ProgressBasis,
    State,
    is_enough,
    job_progress,
    process_outlook,
    process_progress,
    process_ratio,
    process_state,
    task_outlook,
    task_ratio,
    task_state,
)
from lamia_gql.domain.progress import ProcessKind as Kind
from tests.support.strategies import NOON, job_histories


class Terms(NamedTuple):
    """What a process was created with."""

    kind: Kind
    job_count: int
    failure_tolerance: int
    threshold: float | None


Process = tuple[Terms, Counters]


def array(jobs: int, tolerance: int = 0, threshold: float | None = None, **counts: Any) -> Process:
    """An array with these counters; ``value`` is the sum of its jobs' progress."""
    value = counts.pop("value", 0)
    counters = Counters(**counts, progress_sum=round(value * UNIT))
    return Terms(Kind.ARRAY, jobs, tolerance, threshold), counters


def solitary(threshold: float | None = None, **counts: Any) -> Process:
    """A solitary process with these counters."""
    _, counters = array(1, 0, threshold, **counts)
    return Terms(Kind.SOLITARY, 1, 0, threshold), counters


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        (array(4, done=3, failed=1), Progress(3, 4, 0.75, ProgressBasis.DONE_JOBS)),
        (solitary(done=1), None),
        (
            array(4, running=3, done=1, reporting=2, value=180),
            Progress(180, 400, 0.45, ProgressBasis.PERCENT),
        ),
        (
            solitary(running=1, reporting=1, value=42),
            Progress(42, 100, 0.42, ProgressBasis.PERCENT),
        ),
        (array(9, 0, 4, done=3), Progress(3, 4, 0.75, ProgressBasis.DONE_OF_THRESHOLD)),
        (array(9, 0, 4, done=6), Progress(6, 4, 1.5, ProgressBasis.DONE_OF_THRESHOLD)),
        (solitary(5, done=1), None),
        (
            array(9, 0, 1000, running=9, reporting=9, value=1200),
            Progress(1200, 1000, 1.2, ProgressBasis.VALUE_OF_THRESHOLD),
        ),
        (
            solitary(500, running=1, reporting=1, value=50),
            Progress(50, 500, 0.1, ProgressBasis.VALUE_OF_THRESHOLD),
        ),
    ],
)
def test_table_of_progress(process: Process, expected: Progress | None) -> None:
    """Every row of the table of progress, for arrays and solitary processes."""
    assert process_progress(*process) == expected


def test_progress_of_a_job() -> None:
    """A job has a percentage or a plain number, or nothing if its process does not report."""
    assert job_progress(None, JobState.RUNNING, False, None) is None
    assert job_progress(None, JobState.RUNNING, False, 5) is None
    assert job_progress(30, JobState.RUNNING, True, None) == (30, 100, 0.3, ProgressBasis.PERCENT)
    assert job_progress(None, JobState.RUNNING, True, None) == (0, 100, 0, ProgressBasis.PERCENT)
    assert job_progress(30, JobState.DONE, True, None) == (100, 100, 1, ProgressBasis.PERCENT)
    assert job_progress(170, JobState.RUNNING, True, None) == (100, 100, 1, ProgressBasis.PERCENT)
    value = ProgressBasis.VALUE_OF_THRESHOLD
    assert job_progress(170, JobState.DONE, True, 5) == (170, None, None, value)


@pytest.mark.parametrize(
    ("process", "state", "outlook"),
    [
        (array(3), State.PENDING, Outlook.ON_TRACK),
        (array(3, submitted=1), State.SUBMITTED, Outlook.ON_TRACK),
        (array(3, running=1), State.RUNNING, Outlook.ON_TRACK),
        (array(3, done=1), State.RUNNING, Outlook.ON_TRACK),
        (array(3, done=3), State.SUCCEEDED, Outlook.ON_TRACK),
        (array(3, failed=1), State.RUNNING, Outlook.CANNOT_SUCCEED),
        (array(3, 1, failed=1), State.RUNNING, Outlook.AT_RISK),
        (array(3, 1, done=2, terminated=1), State.SUCCEEDED, Outlook.ON_TRACK),
        (array(3, 1, done=1, failed=1, terminated=1), State.FAILED, Outlook.CANNOT_SUCCEED),
        (array(3, 0, 2, done=2, running=1), State.SUCCEEDED, Outlook.ON_TRACK),
        (array(3, 0, 2, done=1, failed=1, running=1), State.RUNNING, Outlook.AT_RISK),
        (array(3, 0, 2, failed=2, running=1), State.RUNNING, Outlook.CANNOT_SUCCEED),
        (array(3, 0, 2, done=1, failed=2), State.FAILED, Outlook.CANNOT_SUCCEED),
        # A threshold beyond the jobs is in units that jobs have yet to report.
        (array(3, 0, 50, running=3), State.RUNNING, Outlook.ON_TRACK),
        (array(3, 0, 50, running=3, reporting=1, value=50), State.SUCCEEDED, Outlook.ON_TRACK),
        (array(3, 0, 50, done=3, reporting=1, value=49), State.FAILED, Outlook.CANNOT_SUCCEED),
        (solitary(), State.PENDING, Outlook.ON_TRACK),
        (solitary(running=1), State.RUNNING, Outlook.ON_TRACK),
        (solitary(done=1), State.SUCCEEDED, Outlook.ON_TRACK),
        (solitary(terminated=1), State.FAILED, Outlook.CANNOT_SUCCEED),
        # With a threshold or without, it is what its one job is.
        (solitary(10, running=1, reporting=1, value=20), State.RUNNING, Outlook.ON_TRACK),
    ],
)
def test_state_and_outlook(process: Process, state: State, outlook: Outlook) -> None:
    """State and outlook of a process."""
    assert process_state(*process) is state
    assert process_outlook(*process, has_lost=False) is outlook


def test_lost_jobs_are_a_risk_while_it_runs() -> None:
    """LOST jobs put a running process AT_RISK, but not one that has succeeded."""
    assert process_outlook(*array(3, running=2), has_lost=True) is Outlook.AT_RISK
    assert process_outlook(*array(3, 0, 1, running=2, done=1), has_lost=True) is Outlook.ON_TRACK


def test_enough_needs_a_threshold() -> None:
    """A process is enough only by reaching its threshold."""
    assert not is_enough(*array(2, done=2))
    assert not is_enough(*array(9, 0, 4, done=3))
    assert is_enough(*array(9, 0, 4, done=4))
    assert is_enough(*solitary(10, running=1, reporting=1, value=10))
    assert not is_enough(*solitary(1, done=1))


def reporting(numbers: list[float], threshold: float) -> Process:
    """An array of which each job has reported one of these numbers."""
    counters = Counters(
        running=len(numbers),
        reporting=sum(bool(number) for number in numbers),
        progress_sum=sum(map(to_units, numbers)),
    )
    return Terms(Kind.ARRAY, max(1, len(numbers)), 0, threshold), counters


numbers = st.lists(st.floats(1e-6, MAX_PROGRESS) | st.sampled_from([0.0, 0.1, 1 / 3]), min_size=1)


@given(numbers)
@example([1 / 3] * 3)
@example([100 / 7] * 7)
@example([100 / 97] * 97)
@example([0.7] * 6)
@example([1e18, *[1e-6] * 99])
def test_numbers_that_add_up_to_a_threshold_are_enough(parts: list[float]) -> None:
    """Whether they are added one by one, in any order, or exactly and then rounded."""
    one_by_one = 0.0
    for part in parts:
        one_by_one += part
    for threshold in (one_by_one, math.fsum(parts), sum(sorted(parts)), sum(sorted(parts)[::-1])):
        if threshold < MIN_THRESHOLD:
            continue
        process = reporting(parts, threshold)
        progress = process_progress(*process)
        assert progress is not None
        assert progress.current >= threshold
        assert is_enough(*process)


@given(st.lists(st.decimals(0, 10**6, places=6), min_size=1, max_size=50))
def test_decimal_numbers_that_add_up_to_a_threshold_are_enough(parts: list[Any]) -> None:
    """What adds up as it was written down: 0.1 and 0.7 are 0.8, though not as floats."""
    threshold = float(sum(parts))
    assume(threshold >= MIN_THRESHOLD)
    assert is_enough(*reporting([float(part) for part in parts], threshold))


@given(numbers, st.floats(0, 1e-9))
def test_numbers_that_fall_short_are_not_enough(parts: list[float], more: float) -> None:
    """Beyond what rounding can explain, it is not enough; and ``current`` always agrees."""
    exact = sum(map(Fraction, parts))
    summands = sum(bool(part) for part in parts)
    threshold = max(MIN_THRESHOLD, float(exact) * (1 + more))
    process = reporting(parts, threshold)
    short = Fraction(threshold) > exact * (1 + Fraction(summands, 2**53))
    progress = process_progress(*process)
    assert progress is not None
    if summands:
        assert is_enough(*process) == (not short)
        assert is_enough(*process) == (progress.current >= threshold)
        assert progress.current in (threshold, float(exact))


def test_a_few_missing_of_very_many_are_noticed() -> None:
    """Rounding explains nothing that one job reports, even among a million."""
    million = 1_000_000
    for missing, enough in ((400, False), (1, False), (0, True)):
        jobs = million - missing
        counters = Counters(done=jobs, reporting=jobs, progress_sum=jobs * to_units(1e-6))
        terms = Terms(Kind.ARRAY, million, 0, 1.0)
        assert is_enough(terms, counters) is enough, missing


def test_the_largest_sum_can_be_stored() -> None:
    """A million jobs at the largest progress: the column has 64 digits. Small numbers are exact."""
    assert len(str(1_000_000 * to_units(MAX_PROGRESS))) <= 64
    assert to_units(2.0**-60 * (1 + 2.0**-52)) == (2**52 + 1)


def test_task_of_processes() -> None:
    """State, outlook and ratio of a task follow from those of its processes."""
    succeeded, failed = State.SUCCEEDED, State.FAILED
    assert task_state([succeeded, succeeded]) is State.SUCCEEDED
    assert task_state([succeeded, failed]) is State.FAILED
    assert task_state([failed, State.PENDING]) is State.RUNNING
    assert task_state([State.SUBMITTED, State.PENDING]) is State.SUBMITTED
    assert task_state([State.PENDING]) is State.PENDING
    assert task_outlook([Outlook.ON_TRACK, Outlook.CANNOT_SUCCEED]) is Outlook.CANNOT_SUCCEED
    assert task_outlook([Outlook.AT_RISK, Outlook.ON_TRACK]) is Outlook.AT_RISK
    processes = [array(8, done=4), array(1, 0, 1, done=3), solitary(done=1)]
    assert task_ratio((process_ratio(*p), p[1].done, p[0].job_count) for p in processes) == 6 / 10


@given(
    st.lists(job_histories, min_size=1, max_size=6),
    st.sampled_from([None, 1.0, 3.0, 250.5]),
    st.randoms(use_true_random=False),
)
def test_counters_by_differences_are_exact(
    jobs: list[list[Occurrence]], threshold: float | None, chance: random.Random
) -> None:
    """Counters updated event by event equal those counted at the end, exactly."""
    arrivals = [(job, event) for job, life in enumerate(jobs) for event in life]
    chance.shuffle(arrivals)
    counters, known = Counters(), [EMPTY] * len(jobs)
    for job, event in arrivals:
        new = add(known[job], event)
        counters.change(known[job], new, threshold)
        known[job] = new
    counted = Counters()
    for life in jobs:
        counted.change(EMPTY, summarise(life), threshold)
    assert counters == counted
    heard = counters.submitted + counters.held + counters.running + counters.ended
    assert heard == sum(bool(life) for life in jobs)
    process = Terms(Kind.ARRAY, len(jobs), 0, threshold), counters
    progress = process_progress(*process)
    assert progress is not None
    assert progress.current >= 0
    if progress.basis is ProgressBasis.PERCENT:
        assert progress.ratio is not None
        assert progress.ratio <= 1
    assert is_enough(*process) <= (process_state(*process) is State.SUCCEEDED)


@given(st.lists(job_histories, min_size=1, max_size=4), st.sampled_from([None, 2.0]))
def test_what_cannot_succeed_does_not(
    jobs: list[list[Occurrence]], threshold: float | None
) -> None:
    """A process that CANNOT_SUCCEED does not, however its remaining jobs end."""
    counters = Counters()
    for life in jobs:
        counters.change(EMPTY, summarise(life), threshold)
    process = Terms(Kind.ARRAY, len(jobs), 0, threshold), counters
    if process_outlook(*process, has_lost=False) is not Outlook.CANNOT_SUCCEED:
        return
    for life in jobs:
        summary = summarise(life)
        if summary.finished_at is None:
            end = Occurrence("f" * 32, EventClass.DONE, NOON + timedelta(days=1), 9)
            counters.change(summary, add(summary, end), threshold)
    assert process_state(*process) is not State.SUCCEEDED
