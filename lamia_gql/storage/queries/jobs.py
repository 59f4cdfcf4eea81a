"""Reading the jobs of arrays. Jobs without events have no row: they are PENDING."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import FromClause, func, select

from lamia_gql.domain.lifecycle import JobState
from lamia_gql.domain.liveness import liveness_bounds
from lamia_gql.domain.pagination import Cursors, Page, Slice, cut, int32
from lamia_gql.storage.filters import JobFilter
from lamia_gql.storage.key_table import INT, TEXT, TIME, key_table
from lamia_gql.storage.models import Job
from lamia_gql.storage.queries.running_jobs import is_running
from lamia_gql.storage.queries.top_n_per_key import TopNPerKey, top_n_per_key
from lamia_gql.storage.rows import JOB_COLUMNS, JobRow, ProcessRow, pending_job
from lamia_gql.storage.transaction import ReadConnection

JobKey = tuple[int, int, int]
JOB_CURSORS = Cursors(("j",), (int32,))
"""The cursors of jobs of an array, by their index."""


def read_jobs(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    wanted: JobFilter,
    page: Page,
    now: datetime,
    beat_interval: float | None,
) -> list[Slice[JobRow]]:
    """A page of the jobs of each array, in the order of their indices.

    Args:
        connection: a connection to read on.
        arrays: the arrays.
        wanted: which jobs are wanted.
        page: the size of the page, and the index after which it begins; forward only.
        now: the time at which liveness is judged.
        beat_interval: the beat interval in seconds of arrays that have none of their own.
    """
    after = None if page.after is None else page.after[0]
    begins = [
        array.first_index if after is None else max(after + 1, array.first_index)
        for array in arrays
    ]
    if wanted.states is None and wanted.liveness is None:
        return _read_span(connection, arrays, begins, page)
    states = set(JobState) if wanted.states is None else set(wanted.states)
    if wanted.liveness is not None:
        states &= {JobState.RUNNING}
    found = _read_states(
        connection, arrays, begins, states, wanted, page.size + 1, now, beat_interval
    )
    if JobState.PENDING in states:
        pending = _read_pending(connection, arrays, begins, page.size + 1)
        found = [
            list(islice(merge(*rows, key=lambda job: job.job_index), page.size + 1))
            for rows in zip(found, pending, strict=True)
        ]
    return [cut(rows, page) for rows in found]


def _read_span(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    begins: Sequence[int],
    page: Page,
) -> list[Slice[JobRow]]:
    """The page without a filter: its indices are known before any row is read."""
    spans = [
        range(begin, min(begin + page.size, array.last_index + 1))
        for array, begin in zip(arrays, begins, strict=True)
    ]
    k = key_table(task_id=INT, number=INT, begin=INT, end=INT)
    rows = connection.execute(
        select(*JOB_COLUMNS).join(
            k,
            (Job.task_id == k.c.task_id)
            & (Job.process_number == k.c.number)
            & (Job.job_index >= k.c.begin)
            & (Job.job_index < k.c.end),
        ),
        {
            "keys": [
                (array.task_id, array.number, span.start, span.stop)
                for array, span in zip(arrays, spans, strict=True)
                if span and array.pending < array.job_count
            ]
        },
    )
    found = {row[:3]: row for row in map(JobRow._make, rows)}
    slices = []
    for array, span in zip(arrays, spans, strict=True):
        key = (array.task_id, array.number)
        jobs = [found.get((*key, index)) or pending_job(*key, index) for index in span]
        slices.append(Slice(jobs, span.stop <= array.last_index, page.after is not None))
    return slices


def _read_states(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    begins: Sequence[int],
    states: set[JobState],
    wanted: JobFilter,
    size: int,
    now: datetime,
    beat_interval: float | None,
) -> list[list[JobRow]]:
    """The first ``size`` jobs of each array that are in one of the states and have a row.

    Each array and state is a key of its own: its jobs are neighbours in ``ix_job_state``.
    """
    rows, places = [], []
    for place, (array, begin) in enumerate(zip(arrays, begins, strict=True)):
        bounds = liveness_bounds(array.beat_interval or beat_interval, wanted.liveness, now)
        if bounds is None or begin > array.last_index:
            continue
        for state in sorted(states - {JobState.PENDING}):
            if getattr(array, state.lower()):
                rows.append((array.task_id, array.number, state, begin, *bounds))
                places.append(place)
    found: list[list[JobRow]] = [[] for _ in arrays]
    if not rows:
        return found
    statement = _states_statement(by_liveness=wanted.liveness is not None)
    for place, *row in connection.execute(statement, {"keys": rows, "size": size}):
        found[places[place]].append(JobRow._make(row))
    return [sorted(jobs, key=lambda job: job.job_index)[:size] for jobs in found]


@cache
def _states_statement(*, by_liveness: bool) -> TopNPerKey:
    k = key_table(task_id=INT, number=INT, state=TEXT, begin=INT, since=TIME, until=TIME)

    def belongs(job: Any, k: FromClause) -> list[Any]:
        found = [job.state == k.c.state, job.job_index >= k.c.begin]
        if by_liveness:
            found += [is_running(job), job.alive_at > k.c.since, job.alive_at <= k.c.until]
        return found

    return top_n_per_key(k, Job, JobRow._fields, "job_index", _of_process, belongs)


def _of_process(job: Any, k: FromClause) -> list[Any]:
    return [job.task_id == k.c.task_id, job.process_number == k.c.number]


def _read_pending(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    begins: Sequence[int],
    size: int,
) -> list[list[JobRow]]:
    """The first ``size`` jobs of each array that have no row, from its index in ``begins`` on.

    They are what lies before the first row, and in the gaps behind rows whose successor is not
    the next index. Three statements find these, so no row is read that does not border a gap.

    Example: an array has the jobs 0 to 9, and rows for 2, 3, 6 and 9. From 0 on, 4 are wanted.

    1. ``firsts``: the first row is 2, so 0 and 1 are pending.
    2. ``gaps``: 3 is not followed by 4, 6 not by 7, 9 not by 10: gaps may begin at 4, 7 and 10.
    3. ``ends``: the next rows are 6 and 9, and none after 10, where the array ends.

    The spans are 0-1, 4-5, 7-8 and the empty one from 10: the first four jobs are 0, 1, 4, 5.
    """
    rows, places = [], []
    for place, (array, begin) in enumerate(zip(arrays, begins, strict=True)):
        if array.pending and begin <= array.last_index:
            rows.append((array.task_id, array.number, begin))
            places.append(place)
    found: list[list[JobRow]] = [[] for _ in arrays]
    if not rows:
        return found
    given = {"keys": rows, "size": size}
    firsts = {
        row[0]: row[1] for row in connection.execute(_first_row_statement(), given | {"size": 1})
    }
    gaps: list[list[int]] = [[] for _ in rows]
    for place, index in connection.execute(_before_gap_statement(), given):
        gaps[place].append(index + 1)
    ends = _next_rows(connection, rows, gaps)
    for key_place, place in enumerate(places):
        array, begin = arrays[place], begins[place]
        first_row = firsts.get(key_place, array.last_index + 1)
        spans = [range(begin, first_row)]
        spans += [
            range(start, ends.get((key_place, start), array.last_index + 1))
            for start in gaps[key_place]
        ]
        indices = islice((index for span in spans for index in span), size)
        found[place] = [pending_job(array.task_id, array.number, index) for index in indices]
    return found


@cache
def _first_row_statement() -> TopNPerKey:
    def belongs(job: Any, k: FromClause) -> list[Any]:
        return [job.job_index >= k.c.begin]

    k = key_table(task_id=INT, number=INT, begin=INT)
    return top_n_per_key(k, Job, ("job_index",), "job_index", _of_process, belongs)


@cache
def _before_gap_statement() -> TopNPerKey:
    def belongs(job: Any, k: FromClause) -> list[Any]:
        # For the minimum, PostgreSQL uses the index that has the jobs in order. For a test on one
        # index it may use another one while it has no statistics, and read all jobs.
        next_row = select(func.min(Job.job_index)).where(
            Job.task_id == job.task_id,
            Job.process_number == job.process_number,
            Job.job_index > job.job_index,
        )
        return [
            job.job_index >= k.c.begin,
            next_row.scalar_subquery().is_distinct_from(job.job_index + 1),
        ]

    k = key_table(task_id=INT, number=INT, begin=INT)
    return top_n_per_key(k, Job, ("job_index",), "job_index", _of_process, belongs)


def _next_rows(
    connection: ReadConnection,
    rows: Sequence[tuple[int, int, int]],
    gaps: Sequence[Sequence[int]],
) -> dict[tuple[int, int], int]:
    """The index of the row that ends each gap, by the gap's key in ``rows`` and its first index.

    Gaps that last until the end of their array are left out.
    """
    starts = [(place, start) for place, found in enumerate(gaps) for start in found]
    k = key_table(task_id=INT, number=INT, begin=INT)
    next_row = (
        select(func.min(Job.job_index))
        .where(*_of_process(Job, k), Job.job_index > k.c.begin)
        .scalar_subquery()
    )
    found = connection.execute(
        select(k.c.place, next_row.label("next")),
        {"keys": [(*rows[place][:2], start) for place, start in starts]},
    )
    return {starts[place]: index for place, index in found if index is not None}


def jobs_by_key(connection: ReadConnection, wanted: Sequence[JobKey]) -> list[JobRow]:
    """The job of each task, process and index, also where it has no row."""
    k = key_table(task_id=INT, number=INT, job_index=INT)
    rows = connection.execute(
        select(*JOB_COLUMNS).join(
            k,
            (Job.task_id == k.c.task_id)
            & (Job.process_number == k.c.number)
            & (Job.job_index == k.c.job_index),
        ),
        {"keys": wanted},
    )
    found = {row[:3]: row for row in map(JobRow._make, rows)}
    return [found.get(key) or pending_job(*key) for key in wanted]


def count_jobs(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    wanted: JobFilter,
    now: datetime,
    beat_interval: float | None,
) -> list[int]:
    """The number of wanted jobs of each array. Only a filter by liveness needs the database."""
    states = set(JobState) if wanted.states is None else set(wanted.states)
    if wanted.liveness is None:
        return [sum(getattr(array, state.lower()) for state in states) for array in arrays]
    if JobState.RUNNING not in states:
        return [0] * len(arrays)
    rows, places = [], []
    for place, array in enumerate(arrays):
        bounds = liveness_bounds(array.beat_interval or beat_interval, wanted.liveness, now)
        if array.running and bounds is not None:
            rows.append((array.task_id, array.number, *bounds))
            places.append(place)
    counts = [0] * len(arrays)
    if rows:
        k = key_table(task_id=INT, number=INT, since=TIME, until=TIME)
        statement = (
            select(k.c.place, func.count())
            .join_from(k, Job, _of_process(Job, k)[0] & _of_process(Job, k)[1])
            .where(
                is_running(Job),
                Job.alive_at > k.c.since,
                Job.alive_at <= k.c.until,
            )
            .group_by(k.c.place)
        )
        for place, number in connection.execute(statement, {"keys": rows}):
            counts[places[place]] = number
    return counts
