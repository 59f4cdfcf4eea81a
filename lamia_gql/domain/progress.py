"""From the counters of a process to its progress, state and outlook.

Every rule is arithmetic on a few counters, which the recorder changes in the transaction of the
events by ``f(new job) - f(old job)``. Nothing here reads an event or does I/O.

Sums of progress are exact integers (see :data:`UNIT`): sums of floats would depend on the order of
the events. Only the comparison with a threshold allows for the rounding of floats.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from lamia_gql.domain.lifecycle import JobState, Summary

UNIT_BITS = 112
UNIT = 1 << UNIT_BITS
"""A progress of 1, as an integer in a sum. Every float from 2**-60 on is a multiple of 1 / UNIT."""
PERCENT = 100 * UNIT
FLOAT_PRECISION = 1 << 53
"""A float has 53 significant bits: a rounded sum is off by at most 1 in this number."""
MIN_THRESHOLD = 1e-9
"""The smallest threshold: the floats that matter beside it are exact in sums."""
MAX_PROGRESS = 1e18
"""The largest progress that an event may report."""


class ProcessKind(StrEnum):
    """Whether a process has many jobs, with indices, or one job without."""

    ARRAY = "ARRAY"
    SOLITARY = "SOLITARY"


class ProgressBasis(StrEnum):
    """The unit in which progress is counted."""

    DONE_JOBS = "DONE_JOBS"
    PERCENT = "PERCENT"
    DONE_OF_THRESHOLD = "DONE_OF_THRESHOLD"
    VALUE_OF_THRESHOLD = "VALUE_OF_THRESHOLD"


class State(StrEnum):
    """The lifecycle state of a process or a task."""

    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class Outlook(StrEnum):
    """Whether a process or a task can still succeed, from the best to the worst."""

    ON_TRACK = "ON_TRACK"
    AT_RISK = "AT_RISK"
    CANNOT_SUCCEED = "CANNOT_SUCCEED"


_COUNTER_NAMES = {state: state.value.lower() for state in JobState if state is not JobState.PENDING}
"""The counter of the jobs in each state."""
FINISHED = frozenset({State.SUCCEEDED, State.FAILED})
_SOLITARY_STATES = {
    JobState.PENDING: State.PENDING,
    JobState.SUBMITTED: State.SUBMITTED,
    JobState.RUNNING: State.RUNNING,
    JobState.DONE: State.SUCCEEDED,
    JobState.FAILED: State.FAILED,
    JobState.TERMINATED: State.FAILED,
}


class Progress(NamedTuple):
    """Progress as ``current`` of ``target``. ``ratio`` may exceed 1: jobs do not stop at once."""

    current: float
    target: float | None
    ratio: float | None
    basis: ProgressBasis


@dataclass(slots=True)
class Counters:
    """Counters of the jobs of a process. Its other jobs are pending."""

    submitted: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    terminated: int = 0
    reporting: int = 0
    """Jobs that have ever reported a non-zero progress."""
    progress_sum: int = 0
    """The exact sum of the jobs' contributions; 1 is :data:`UNIT`."""

    def change(self, old: Summary, new: Summary, threshold: float | None) -> None:
        """Replace the summary of a job, ``old``, by ``new``."""
        before, after = old.state, new.state
        if before is not after:
            self._count(before, -1)
            self._count(after, +1)
        self.reporting += new.reported - old.reported
        self.progress_sum += contribution(new, threshold) - contribution(old, threshold)

    def _count(self, state: JobState, change: int) -> None:
        if state is not JobState.PENDING:
            name = _COUNTER_NAMES[state]
            setattr(self, name, getattr(self, name) + change)

    @property
    def ended(self) -> int:
        """The number of jobs that have ended, with or without success."""
        return self.done + self.failed + self.terminated

    @property
    def failures(self) -> int:
        """The number of jobs that have ended without success."""
        return self.failed + self.terminated


@dataclass(frozen=True, slots=True)
class ProgressInputs:
    """The inputs of progress, state and outlook of a process."""

    kind: ProcessKind = ProcessKind.ARRAY
    job_count: int = 1
    failure_tolerance: int = 0
    threshold: float | None = None
    counters: Counters = field(default_factory=Counters)


def to_units(value: float) -> int:
    """A number as an integer in a sum: exact, but for bits below 1 / UNIT, which are cut off."""
    numerator, denominator = value.as_integer_ratio()
    return (numerator << UNIT_BITS) // denominator


def contribution(job: Summary, threshold: float | None) -> int:
    """What a job contributes to its process' sum of progress; 1 is :data:`UNIT`.

    With a threshold it is the reported value. Without, it is a percentage: at most 100 whatever
    the job reported, and 100 for a DONE job.
    """
    if threshold is None and job.state is JobState.DONE:
        return PERCENT
    value = job.progress
    if value is None:
        return 0
    units = to_units(value)
    return units if threshold is not None else min(units, PERCENT)


def adds_up(counters: Counters, threshold: float) -> bool:
    """Whether the numbers that the jobs reported add up to a threshold, in the sense of floats.

    Three times 1/3 is 1, although the float nearest to 1/3 is less. A sum of n floats, rounded
    after each addition in any order, exceeds the exact sum by at most (n - 1) / 2**53 of it. So one
    that falls short of the threshold by at most n / 2**53 of it is enough. That also covers decimal
    numbers that add up to the threshold before they are rounded to floats.
    """
    total = counters.progress_sum
    numerator, denominator = threshold.as_integer_ratio()
    with_slack = total * (FLOAT_PRECISION + counters.reporting)
    return with_slack * denominator >= (numerator << UNIT_BITS) * FLOAT_PRECISION


def process_progress(process: ProgressInputs) -> Progress | None:
    """The progress of a process by the table of ``docs/concepts.md``; None where not available."""
    counters, threshold = process.counters, process.threshold
    reports = counters.reporting > 0
    if threshold is None:
        if reports:
            current = counters.progress_sum / UNIT
            target = 100.0 * process.job_count
            return Progress(current, target, current / target, ProgressBasis.PERCENT)
        if process.kind is ProcessKind.SOLITARY:
            return None
        target, basis = float(process.job_count), ProgressBasis.DONE_JOBS
        return Progress(counters.done, target, counters.done / target, basis)
    if reports:
        current = counters.progress_sum / UNIT
        if current < threshold and adds_up(counters, threshold):
            # So that it is enough exactly where ``current`` has reached its target.
            current = threshold
        basis = ProgressBasis.VALUE_OF_THRESHOLD
        return Progress(current, threshold, current / threshold, basis)
    if process.kind is ProcessKind.SOLITARY:
        return None
    basis = ProgressBasis.DONE_OF_THRESHOLD
    return Progress(counters.done, threshold, counters.done / threshold, basis)


def job_progress(
    value: float | None, state: JobState, reports: bool, threshold: float | None
) -> Progress | None:
    """The progress of one job, by the same table; None where not available.

    A percentage has a target and a ratio; a value with a threshold has neither.

    Args:
        value: the latest value that the job reported.
        state: the state of the job.
        reports: whether any job of the process has reported.
        threshold: the threshold of the process.
    """
    if not reports:
        return None
    if threshold is not None:
        return Progress(value or 0.0, None, None, ProgressBasis.VALUE_OF_THRESHOLD)
    percent = 100.0 if state is JobState.DONE else min(value or 0.0, 100.0)
    return Progress(percent, 100.0, percent / 100.0, ProgressBasis.PERCENT)


def is_enough(process: ProgressInputs) -> bool:
    """Whether a threshold is set and reached, so that further work is not needed."""
    if process.threshold is None:
        return False
    progress = process_progress(process)
    return progress is not None and progress.current >= process.threshold


def process_state(process: ProgressInputs) -> State:
    """The state of a process.

    A solitary process has the state of its job. An array with a threshold succeeds when it has
    reached it; one without, when all jobs have ended with at most ``failure_tolerance`` failures.
    """
    counters = process.counters
    if process.kind is ProcessKind.SOLITARY:
        return _SOLITARY_STATES[_only_state(counters)]
    all_ended = counters.ended >= process.job_count
    if process.threshold is not None:
        if is_enough(process):
            return State.SUCCEEDED
    elif all_ended and counters.failures <= process.failure_tolerance:
        return State.SUCCEEDED
    if all_ended:
        return State.FAILED
    if counters.running or counters.ended:
        return State.RUNNING
    return State.SUBMITTED if counters.submitted else State.PENDING


def _only_state(counters: Counters) -> JobState:
    for state, name in _COUNTER_NAMES.items():
        if getattr(counters, name):
            return state
    return JobState.PENDING


def process_outlook(process: ProgressInputs, has_lost: bool) -> Outlook:
    """Whether a process can still succeed; ``has_lost`` tells whether it has LOST jobs.

    It cannot with more failures than tolerated, or with too few jobs left to reach a threshold
    that is counted in jobs. A threshold beyond the number of jobs must be in the unit that jobs
    report, so nothing follows for it.
    """
    state, counters = process_state(process), process.counters
    if state is State.SUCCEEDED:
        return Outlook.ON_TRACK
    if state is State.FAILED:
        return Outlook.CANNOT_SUCCEED
    if process.threshold is None:
        if counters.failures > process.failure_tolerance:
            return Outlook.CANNOT_SUCCEED
    elif (
        not counters.reporting
        and process.job_count - counters.failures < process.threshold <= process.job_count
    ):
        return Outlook.CANNOT_SUCCEED
    return Outlook.AT_RISK if counters.failures or has_lost else Outlook.ON_TRACK


def task_state(states: Iterable[State]) -> State:
    """The state of a task, from the states of its processes, of which there is at least one."""
    found = set(states)
    if found <= FINISHED:
        return State.FAILED if State.FAILED in found else State.SUCCEEDED
    if State.RUNNING in found or found & FINISHED:
        return State.RUNNING
    return State.SUBMITTED if State.SUBMITTED in found else State.PENDING


def task_outlook(outlooks: Iterable[Outlook]) -> Outlook:
    """The outlook of a task: the worst of its processes."""
    return max(outlooks, key=list(Outlook).index, default=Outlook.ON_TRACK)


def task_ratio(processes: Iterable[ProgressInputs]) -> tuple[float, int]:
    """The mean of the ratios of processes, each at most 1, weighted by jobs; and the weight."""
    total, weight = 0.0, 0
    for process in processes:
        progress = process_progress(process)
        if progress is not None and progress.ratio is not None:
            share = min(progress.ratio, 1.0)
        else:
            share = float(process_state(process) is State.SUCCEEDED)
        total += share * process.job_count
        weight += process.job_count
    return (total / weight if weight else 0.0), weight


def estimated_finish(
    ratio: float | None, state: State, started_at: datetime | None, now: datetime
) -> datetime | None:
    """When the work will be done at the rate since its first start; None where unknown."""
    if ratio is None or not 0 < ratio < 1 or state in FINISHED or started_at is None:
        return None
    elapsed = (now - started_at).total_seconds()
    if elapsed <= 0:
        return None
    try:
        return started_at + timedelta(seconds=elapsed / ratio)
    except OverflowError:
        return None
