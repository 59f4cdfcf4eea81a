"""Finding jobs that run for too long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import FromClause, Select, func, select

from lamia_gql.storage.key_table import INT, TIME, key_table
from lamia_gql.storage.keyed_rows import keyed_rows, of_process
from lamia_gql.storage.models import Job
from lamia_gql.storage.queries.bounds import SIZE
from lamia_gql.storage.queries.counts import COUNT_LIMIT
from lamia_gql.storage.queries.job_states import is_running
from lamia_gql.storage.statement import Statement
from lamia_gql.storage.transaction import ReadConnection


def started_before(
    connection: ReadConnection, wanted: Sequence[tuple[int, int, datetime]]
) -> list[list[int]]:
    """The indices of jobs that run, and started before a time, in order; at most 10,000.

    Args:
        connection: a connection to read on.
        wanted: for each process its task, its number, and the time.
    """
    found: list[list[int]] = [[] for _ in wanted]
    with _statement().stream(connection, keys=wanted, size=COUNT_LIMIT) as rows:
        for place, indices in _by_place(rows):
            found[place] = indices
    return found


def _by_place(rows: Iterator[tuple[int, int]]) -> Iterator[tuple[int, list[int]]]:
    for place, group in groupby(rows, key=lambda row: row[0]):
        yield place, [index for _, index in group]


@cache
def _statement() -> Statement:
    return Statement(_first_stragglers)


def _first_stragglers(engine: str) -> Select[Any]:
    k = key_table(task_id=INT, number=INT, before=TIME)
    rows = keyed_rows(engine, k, Job, _is_straggler)
    index = rows.of.job_index
    rank = func.row_number().over(partition_by=k.c.place, order_by=index).label("rank")
    jobs = select(k.c.place, index, rank).select_from(rows.source).subquery()
    return (
        select(jobs.c.place, jobs.c.job_index)
        .where(jobs.c.rank <= SIZE)
        .order_by(jobs.c.place, jobs.c.job_index)
    )


def _is_straggler(job: Any, k: FromClause) -> list[Any]:
    return [
        *of_process(job, k),
        is_running(job),
        job.started_at < k.c.before,
    ]
