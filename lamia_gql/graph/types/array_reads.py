"""What is read of the jobs of an array, for whatever arrays there will be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.lifecycle import JobState
from lamia_gql.domain.liveness import Liveness
from lamia_gql.domain.pagination import Slice, page
from lamia_gql.graph.reads import ListRead, Reads, RowRead, ValueRead
from lamia_gql.graph.types import filter_inputs
from lamia_gql.graph.types.arguments import After, Before, First, Index, Last, argument
from lamia_gql.graph.types.job import find_jobs
from lamia_gql.storage import filters
from lamia_gql.storage.queries.counts import Count
from lamia_gql.storage.queries.job_counts import count_jobs
from lamia_gql.storage.queries.jobs import JOB_CURSORS, read_jobs
from lamia_gql.storage.queries.runs import Run, job_indices, state_ranges
from lamia_gql.storage.row_shape import RowShape
from lamia_gql.storage.rows import ProcessRow


def array_jobs(
    reads: Reads,
    *,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    filter: Annotated[  # noqa: A002  (its name in the schema)
        filter_inputs.JobFilter | None, argument("Only jobs that match. Defaults to all.")
    ] = None,
) -> ListRead:
    """Pages of the jobs."""
    wanted = filters.JobFilter() if filter is None else filter.parse()
    part = page(
        JOB_CURSORS,
        reads.settings.page_limit,
        first=first,
        after=after,
        last=last,
        before=before,
    )

    def read(
        reads: Reads, rows: Sequence[ProcessRow], shape: RowShape[Any]
    ) -> Sequence[Slice[Any]]:
        return read_jobs(
            reads.connection, rows, wanted, part, reads.now, reads.beat_interval, shape
        )

    def count(reads: Reads, rows: Sequence[ProcessRow]) -> list[Count]:
        return count_jobs(reads.connection, rows, wanted, reads.now, reads.beat_interval)

    return ListRead(
        ("jobs", wanted, part),
        read,
        lambda job: JOB_CURSORS.encode(job.job_index),
        ("count_jobs", wanted),
        count,
    )


def array_job(*, index: Index) -> RowRead:
    """The job of an index."""
    return RowRead(
        ("job", index), lambda reads, rows, shape, _: find_jobs(reads, rows, index, shape)
    )


def state_ranges_of() -> ValueRead:
    """The states of all jobs."""

    def read(reads: Reads, rows: Sequence[ProcessRow]) -> list[list[Run]]:
        return state_ranges(reads.connection, rows, reads.budget.max_values)

    return ValueRead("state_ranges", read)


def indices_of(
    *,
    states: Annotated[
        list[JobState] | None, argument("Only jobs in one of these states. Defaults to all.")
    ] = None,
    liveness: Annotated[
        Liveness | None,
        argument("Only RUNNING jobs of this liveness. Defaults to all jobs."),
    ] = None,
    filter: Annotated[  # noqa: A002  (its name in the schema)
        filter_inputs.JobFilter | None,
        argument("Only jobs that match; instead of `states` and `liveness`."),
    ] = None,
) -> ValueRead:
    """The indices of the jobs that match."""
    if filter is not None and (states is not None or liveness is not None):
        raise RequestError(
            ErrorCode.ARGUMENT_INVALID, "Give `states` and `liveness` in `filter`, if you give one."
        )
    if filter is not None:
        wanted = filter.parse()
    else:
        wanted = filter_inputs.job_filter(states, liveness, "states")

    def read(reads: Reads, rows: Sequence[ProcessRow]) -> list[str]:
        return job_indices(
            reads.connection, rows, wanted, reads.now, reads.beat_interval, reads.budget.hold
        )

    return ValueRead(("indices", wanted), read)
