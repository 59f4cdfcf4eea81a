"""The type ``FailureGroup``: failures with the same cause."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Self

import strawberry

from lamia_gql.domain.pagination import check_size
from lamia_gql.graph.reads import Reads, RowRead, ValueRead
from lamia_gql.graph.types.arguments import argument
from lamia_gql.graph.types.failure_cause import BY_CAUSE, FailureCause, keys_of
from lamia_gql.graph.types.fields import column, computed, field, single, value
from lamia_gql.graph.types.job import Job
from lamia_gql.graph.types.parents import require
from lamia_gql.storage import models
from lamia_gql.storage.queries.failure_statements import FailureKey
from lamia_gql.storage.queries.failures import (
    FAILURES,
    MAX_HOSTS,
    FailureRow,
    HostRow,
    Owner,
    ProcessPart,
    failure_groups,
    group_host_numbers,
    group_hosts,
    group_indices,
    group_processes,
)
from lamia_gql.storage.queries.jobs import jobs_by_key
from lamia_gql.storage.queries.processes import processes_by_key
from lamia_gql.storage.row_shape import RowShape
from lamia_gql.storage.rows import ProcessRow


@strawberry.type(description="The jobs of a group that are of one process.")
class ProcessFailures:
    """The part of a group of failures that is of one process."""

    name: str = field("Name of the process.")
    count: int = field("Number of jobs.")
    indices: str | None = field(
        "Their indices as ranges: `813,900-904`. Null in a solitary process."
    )


@strawberry.type(description="How many of the jobs of a group ran on a host.")
class HostCount:
    """A host of a group of failures."""

    hostname: str | None = field("Name of the host. Null for jobs that told none.")
    count: int = field("Number of jobs.")


def _hosts(
    *, first: Annotated[int, argument(f"Number of hosts; at most {MAX_HOSTS}.")] = MAX_HOSTS
) -> ValueRead:
    check_size("first", first, 1, MAX_HOSTS)

    def read(reads: Reads, rows: Sequence[FailureRow]) -> list[list[HostRow]]:
        return group_hosts(reads.connection, rows, first)

    return ValueRead(("failure_group.hosts", first), read)


def _host_count() -> ValueRead:
    return ValueRead(
        "failure_group.host_count", lambda reads, rows: group_host_numbers(reads.connection, rows)
    )


def _read_processes(reads: Reads, rows: Sequence[FailureRow]) -> list[list[ProcessPart]]:
    def processes(keys: Sequence[tuple[int, int]]) -> list[ProcessRow | None]:
        return processes_by_key(reads.connection, keys)

    return group_processes(reads.connection, rows, processes, reads.budget.hold)


def _processes() -> ValueRead:
    return ValueRead("failure_group.processes", _read_processes)


def _indices() -> ValueRead:
    return ValueRead(
        "failure_group.indices",
        lambda reads, rows: group_indices(rows, _read_processes(reads, rows)),
    )


def _sample() -> RowRead:
    def read(
        reads: Reads, rows: Sequence[FailureRow], shape: RowShape[Any], owner: RowShape[Any]
    ) -> list[Any]:
        keys = [(row.task_id, row.sample_process, row.sample_index) for row in rows]
        jobs = jobs_by_key(reads.connection, keys, shape)
        processes = processes_by_key(reads.connection, [key[:2] for key in keys], owner)
        return [
            process if isinstance(process, Exception) else (job, process)
            for job, process in zip(jobs, map(require, processes), strict=True)
        ]

    return RowRead("failure_group.sample", read)


@strawberry.type(description="Jobs that ended without success for the same cause.")
class FailureGroup:
    """A group of failures."""

    row: strawberry.Private[FailureRow]

    count: int = column("jobs", "Number of jobs.")
    exit_code: int | None = column(
        "exit_code", "Their exit code. Null if they told none, or are not grouped by `EXIT`."
    )
    signal: str | None = column(
        "signal",
        "The signal that ended them. Null if they told none, or are not grouped by `EXIT`.",
    )
    message: str | None = column(
        "message",
        "What their messages have in common: `…` stands for a path, `#` for any other part that"
        " varies, like a number, an address or a UUID. Null if they told none, or are not grouped"
        " by `MESSAGE`.",
    )
    hostname: str | None = column(
        "hostname", "Their host. Null if they told none, or are not grouped by `HOST`."
    )
    hosts: list[HostCount] = value("Their hosts, those with most jobs first.", _hosts)
    host_count: int = value("Number of their hosts. Jobs that told none count as one.", _host_count)
    first_at: datetime = column("first_at", "When the first of them ended.")
    last_at: datetime = column("last_at", "When the last of them ended.")
    indices: str = value(
        "Their indices as ranges: `813,900-904`, the form that `sbatch --array` takes. In a group"
        " of a task, those of each process follow its name: `fill[813,900-904] merge[0]`.",
        _indices,
    )
    processes: list[ProcessFailures] = value("Their processes.", _processes)
    sample: Job = single("One of them.", _sample, models.Job, lambda pair: Job.of(*pair))

    @classmethod
    def of(cls, found: FailureRow) -> Self:
        """The group of a row."""
        return cls(row=found)


By = Annotated[
    list[FailureKey] | None,
    argument("What the jobs of a group have in common. An empty list makes one group of all."),
]
GROUPS = 20
Only = Annotated[
    FailureCause | None,
    argument("Only the group of this cause, whose `by` then takes the place of `by`."),
]
First = Annotated[int | None, argument("Number of groups; at most the server's `pageLimit`.")]


def failure_groups_of(description: str, owner: Callable[[Any], Owner], needs: Sequence[str]) -> Any:
    """The field ``failureGroups``; ``owner`` tells whose failures they are, from a row."""

    def read_groups(
        reads: Reads,
        *,
        by: By = BY_CAUSE,
        first: First = GROUPS,
        cause: Only = None,
    ) -> ValueRead:
        first = GROUPS if first is None else first
        check_size("first", first, 1, reads.settings.page_limit)
        wanted = None if cause is None else cause.parse()
        keys = keys_of(BY_CAUSE if by is None else by) if wanted is None else wanted.by
        return ValueRead(
            ("failure_groups", owner, keys, first, wanted),
            lambda reads, rows: failure_groups(
                reads.connection, [owner(row) for row in rows], keys, first, wanted
            ),
        )

    return computed(description, read_groups, FAILURES, FailureGroup.of, needs=needs)
