"""From the counters of a process to its progress, state and outlook.

Every rule is arithmetic on a few counters. Nothing here reads an event or does I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, Protocol

from lamia_gql.domain.counters import COUNTER_NAMES, UNIT, JobCounters, adds_up
from lamia_gql.domain.lifecycle import JobState


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


# To look a member of an enumeration up takes longer than to divide.
PERCENT, DONE_JOBS = ProgressBasis.PERCENT, ProgressBasis.DONE_JOBS
VALUE_OF_THRESHOLD = ProgressBasis.VALUE_OF_THRESHOLD
DONE_OF_THRESHOLD = ProgressBasis.DONE_OF_THRESHOLD
SOLITARY = ProcessKind.SOLITARY
ONE_UNIT = 1 / UNIT
"""A power of two: a product with it is as exact as to divide by :data:`UNIT`, and faster."""
FINISHED = frozenset({State.SUCCEEDED, State.FAILED})
_SOLITARY_STATES = {
    JobState.PENDING: State.PENDING,
    JobState.SUBMITTED: State.SUBMITTED,
    JobState.RUNNING: State.RUNNING,
    JobState.DONE: State.SUCCEEDED,
    JobState.FAILED: State.FAILED,
    JobState.TERMINATED: State.FAILED,
    JobState.HELD: State.SUBMITTED,
}


class Progress(NamedTuple):
    """Progress as ``current`` of ``target``. ``ratio`` may exceed 1: jobs do not stop at once."""

    current: float
    target: float | None
    ratio: float | None
    basis: ProgressBasis


class ProcessTerms(Protocol):
    """What a process was created with, as far as its progress and state depend on it."""

    @property
    def kind(self) -> str:
        """The kind, a :class:`ProcessKind`."""

    @property
    def job_count(self) -> int:
        """The number of jobs."""

    @property
    def failure_tolerance(self) -> int:
        """How many jobs of an array may fail."""

    @property
    def threshold(self) -> float | None:
        """How much progress is enough."""


def process_progress(process: ProcessTerms, counters: JobCounters) -> Progress | None:
    """The progress of a process by the table of ``docs/concepts.md``; None where not available."""
    found = _measured(*_terms(process, counters))
    if found is None:
        return None
    current, target, basis = found
    return Progress(current, target, current / target, basis)


def process_ratio(process: ProcessTerms, counters: JobCounters) -> float | None:
    """The ratio of :func:`process_progress`; None where not available."""
    return counted_ratio(*_terms(process, counters))


def counted_ratio(
    kind: str,
    job_count: int,
    threshold: float | None,
    reporting: int,
    progress_sum: int,
    done: int,
) -> float | None:
    """The ratio of a process by what :class:`ProcessTerms` and :class:`JobCounters` have of it."""
    found = _measured(kind, job_count, threshold, reporting, progress_sum, done)
    return None if found is None else found[0] / found[1]


def _terms(
    process: ProcessTerms, counters: JobCounters
) -> tuple[str, int, float | None, int, int, int]:
    return (
        process.kind,
        process.job_count,
        process.threshold,
        counters.reporting,
        counters.progress_sum,
        counters.done,
    )


def _measured(
    kind: str,
    job_count: int,
    threshold: float | None,
    reporting: int,
    progress_sum: int,
    done: int,
) -> tuple[float, float, ProgressBasis] | None:
    """What has been reached, what is to be reached, and what both count."""
    if reporting:
        current = progress_sum * ONE_UNIT
        if threshold is None:
            return current, 100.0 * job_count, PERCENT
        if current < threshold and adds_up(progress_sum, reporting, threshold):
            # So that it is enough exactly where ``current`` has reached its target.
            current = threshold
        return current, threshold, VALUE_OF_THRESHOLD
    if kind == SOLITARY:
        return None
    if threshold is None:
        return done, float(job_count), DONE_JOBS
    return done, threshold, DONE_OF_THRESHOLD


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


def is_enough(process: ProcessTerms, counters: JobCounters) -> bool:
    """Whether a threshold is set and reached, so that further work is not needed."""
    if process.threshold is None:
        return False
    progress = process_progress(process, counters)
    return progress is not None and progress.current >= process.threshold


def process_state(process: ProcessTerms, counters: JobCounters) -> State:
    """The state of a process.

    A solitary process has the state of its job. An array with a threshold succeeds when it has
    reached it; one without, when all jobs have ended with at most ``failure_tolerance`` failures.
    """
    if process.kind == ProcessKind.SOLITARY:
        return _SOLITARY_STATES[_only_state(counters)]
    all_ended = counters.ended >= process.job_count
    if process.threshold is not None:
        if is_enough(process, counters):
            return State.SUCCEEDED
    elif all_ended and counters.failures <= process.failure_tolerance:
        return State.SUCCEEDED
    if all_ended:
        return State.FAILED
    if counters.running or counters.ended:
        return State.RUNNING
    return State.SUBMITTED if counters.submitted or counters.held else State.PENDING


def _only_state(counters: JobCounters) -> JobState:
    for state, name in COUNTER_NAMES.items():
        if getattr(counters, name):
            return state
    return JobState.PENDING


def process_outlook(process: ProcessTerms, counters: JobCounters, has_lost: bool) -> Outlook:
    """Whether a process can still succeed; ``has_lost`` tells whether it has LOST jobs.

    It cannot with more failures than tolerated, or with too few jobs left to reach a threshold
    that is counted in jobs. It is at risk with failures, lost jobs or held ones, which wait for
    somebody. A threshold beyond the number of jobs must be in the unit that jobs
    report, so nothing follows for it.
    """
    state = process_state(process, counters)
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
    is_at_risk = counters.failures or counters.held or has_lost
    return Outlook.AT_RISK if is_at_risk else Outlook.ON_TRACK


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


def task_ratio(processes: Iterable[tuple[float | None, int, int]]) -> float:
    """The mean of the ratios of processes, each at most 1, weighted by jobs.

    Args:
        processes: of each, the ratio, how many of its jobs are DONE, and how many it has.
    """
    total, weight = 0.0, 0
    for ratio, done, jobs in processes:
        # Only a solitary process has no ratio, so what is DONE is its single job.
        share = done if ratio is None else ratio
        total += jobs if share > 1.0 else share * jobs
        weight += jobs
    return total / weight if weight else 0.0
