"""Types for numbers about jobs: counts, progress, ranges of states, and history."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import strawberry

from lamia_gql.domain.lifecycle import JobState
from lamia_gql.domain.progress import ProgressBasis
from lamia_gql.graph import timeline
from lamia_gql.graph.types.fields import field
from lamia_gql.storage.queries.job_counts import SilentJobs
from lamia_gql.storage.rows import ProcessRow


@strawberry.type(description="Progress of a task, a process or a job.")
class Progress:
    """A progress, with what it is measured in."""

    ratio: float | None = field(
        "`current / target`. May exceed 1, because jobs do not stop immediately. Null if there is"
        " no target."
    )
    current: float = field("What has been reached, in the unit of `basis`.")
    target: float | None = field(
        "What is to be reached, in the unit of `basis`. Null for a single job of a process with a"
        " threshold."
    )
    basis: ProgressBasis = field("What `current` and `target` count.")


@strawberry.type(description="Number of jobs in each state.")
class JobCounts:
    """Numbers of jobs."""

    total: int = field("Number of all jobs.")
    pending: int = field("Number of jobs that have sent no event yet.")
    submitted: int = field("Number of jobs that wait in a batch system.")
    held: int = field("Number of jobs that are held or suspended.")
    running: int = field("Number of jobs that are running, LATE and LOST ones among them.")
    late: int | None = field(
        "Number of running jobs that are LATE. Null in a timeline, which does not tell."
    )
    lost: int | None = field(
        "Number of running jobs that are LOST. Null in a timeline, which does not tell."
    )
    done: int = field("Number of jobs that ended successfully.")
    failed: int = field("Number of jobs that failed.")
    terminated: int = field("Number of jobs that were ended from outside.")


class Counts(NamedTuple):
    """The values of :class:`JobCounts`."""

    total: int
    pending: int
    submitted: int
    held: int
    running: int
    done: int
    failed: int
    terminated: int
    late: int | None = None
    lost: int | None = None


SILENT = ("late", "lost")
"""The fields of :class:`JobCounts` that follow from liveness."""


def add_counts(
    processes: Iterable[ProcessRow], silent: Iterable[SilentJobs] | None = None
) -> Counts:
    """The counters of these processes, and their silent jobs if given, added up."""
    total = submitted = held = running = done = failed = terminated = 0
    for process in processes:
        total += process.job_count
        submitted += process.submitted
        held += process.held
        running += process.running
        done += process.done
        failed += process.failed
        terminated += process.terminated
    pending = total - submitted - held - running - done - failed - terminated
    counts = Counts(total, pending, submitted, held, running, done, failed, terminated)
    if silent is None:
        return counts
    late = lost = 0
    for each in silent:
        late += each.late
        lost += each.lost
    return counts._replace(late=late, lost=lost)


@strawberry.type(description="Consecutive jobs of an array that are in the same state.")
class StateRange:
    """A run of equal states."""

    first: int = field("Index of the first job.")
    last: int = field("Index of the last job.")
    state: JobState = field("State of all these jobs.")


@strawberry.type(description="Progress and job counts at one time in the past.")
class TimelinePoint:
    """A point of a history."""

    at: datetime = field("The time.")
    ratio: float | None = field("Progress ratio at that time. Null if it was unknown.")
    counts: JobCounts = field("Number of jobs in each state at that time.")


class HistoryPoint(NamedTuple):
    """The values of :class:`TimelinePoint`."""

    at: datetime
    ratio: float | None
    counts: Counts


def history_point(point: timeline.Point, total: int) -> HistoryPoint:
    """The point of a timeline; ``total`` is the number of all jobs."""
    counters = point.counters
    return HistoryPoint(
        point.at,
        point.ratio,
        Counts(
            total,
            point.pending,
            counters.submitted,
            counters.held,
            counters.running,
            counters.done,
            counters.failed,
            counters.terminated,
        ),
    )
