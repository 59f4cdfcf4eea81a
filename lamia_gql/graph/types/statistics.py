"""Numbers about jobs: counts, progress, runs of states, and history."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

import strawberry

from lamia_gql.domain import progress
from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.lifecycle import JobState
from lamia_gql.domain.progress import ProgressBasis
from lamia_gql.graph import timeline
from lamia_gql.graph.types.fields import field
from lamia_gql.storage.rows import ProcessRow


@strawberry.type(description="How far something is.")
class Progress:
    """A progress."""

    ratio: float | None = field(
        "Current by target; may pass 1, as jobs do not stop at once. Null without."
    )
    current: float = field("How much there is.")
    target: float | None = field("How much there is to be.")
    basis: ProgressBasis = field("What it is counted in.")

    @classmethod
    def of(cls, found: progress.Progress | None) -> Self | None:
        """The progress, if there is one."""
        if found is None:
            return None
        return cls(ratio=found.ratio, current=found.current, target=found.target, basis=found.basis)


@strawberry.type(description="Jobs by state.")
class JobCounts:
    """Numbers of jobs."""

    total: int = field("All jobs.")
    pending: int = field("Jobs that nothing was heard of yet.")
    submitted: int = field("Jobs that wait in a batch system.")
    running: int = field("Jobs that run.")
    done: int = field("Jobs that ended with success.")
    failed: int = field("Jobs that ended without success.")
    terminated: int = field("Jobs that were ended by somebody else.")


def counts(processes: Iterable[ProcessRow]) -> JobCounts:
    """The jobs of these processes by state."""
    sums = [0] * 7
    for process in processes:
        for place, number in enumerate(
            (
                process.job_count,
                process.pending,
                process.submitted,
                process.running,
                process.done,
                process.failed,
                process.terminated,
            )
        ):
            sums[place] += number
    return JobCounts(
        total=sums[0],
        pending=sums[1],
        submitted=sums[2],
        running=sums[3],
        done=sums[4],
        failed=sums[5],
        terminated=sums[6],
    )


@strawberry.type(description="Neighbouring jobs in the same state.")
class StateRange:
    """A run of jobs."""

    first: int = field("The index of the first of them.")
    last: int = field("The index of the last of them.")
    state: JobState = field("The state of them all.")


@strawberry.type(description="What was known at a moment of the past.")
class TimelinePoint:
    """A moment of a history."""

    at: datetime = field("The moment.")
    ratio: float | None = field("The progress, as a ratio, if any.")
    counts: JobCounts = field("The jobs by state.")

    @classmethod
    def of(cls, point: timeline.Point, total: int) -> Self:
        """The moment of a history."""
        counters = point.counters
        return cls(
            at=point.at,
            ratio=point.ratio,
            counts=JobCounts(
                total=total,
                pending=point.pending,
                submitted=counters.submitted,
                running=counters.running,
                done=counters.done,
                failed=counters.failed,
                terminated=counters.terminated,
            ),
        )


def check_points(points: int, limit: int) -> None:
    """Raise :class:`RequestError` for a number of points that is not served."""
    if not 2 <= points <= limit:
        raise RequestError(
            ErrorCode.PAGE_SIZE_INVALID, f"`points` must be from 2 to {limit}, not {points}."
        )
