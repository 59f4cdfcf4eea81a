"""Reading the jobs of arrays. Jobs without events have no row: they are PENDING."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, lru_cache, partial
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

from sqlalchemy import FromClause, Select, func, select

from lamia_gql.domain.lifecycle import JobState
from lamia_gql.domain.liveness import liveness_bounds
from lamia_gql.domain.pagination import Cursors, Page, Slice, cut, int32
from lamia_gql.storage.filters import JobFilter
from lamia_gql.storage.key_table import INT, TEXT, TIME, key_table, within_keys
from lamia_gql.storage.keyed_rows import Condition, keyed_rows, of_process
from lamia_gql.storage.models import Job
from lamia_gql.storage.queries.fetch import fetch_by_place, fetch_one_by_place
from lamia_gql.storage.queries.job_states import is_running
from lamia_gql.storage.queries.top_n_per_key import top_n_per_key
from lamia_gql.storage.row_shape import JOB, RowShape, pending_row, row_shape
from lamia_gql.storage.rows import JobRow, ProcessRow
from lamia_gql.storage.statement import STATEMENTS_KEPT, Statement
from lamia_gql.storage.transaction import ReadConnection

JobKey = tuple[int, int, int]
JOB_CURSORS = Cursors(("j",), (int32,))
"""The cursors of jobs of an array, by their index."""
JOB_INDEX = row_shape(Job, frozenset(), is_plain=True)
"""The index only, as the first value of a row."""


def read_jobs(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    wanted: JobFilter,
    page: Page,
    now: datetime,
    beat_interval: float | None,
    shape: RowShape[JobRow] = JOB,
) -> list[Slice[JobRow]]:
    """A page of the jobs of each array, in the order of their indices.

    Args:
        connection: a connection to read on.
        arrays: the arrays.
        wanted: which jobs are wanted.
        page: the size and direction of the page, and the indices between which it lies.
        now: the time at which liveness is judged.
        beat_interval: the beat interval in seconds of arrays that have none of their own.
        shape: the columns to read.
    """
    spans = [_span(array, page) for array in arrays]
    if wanted == JobFilter():
        return _read_all(connection, arrays, spans, page, shape)
    states = set(JobState) if wanted.states is None else set(wanted.states)
    if wanted.liveness is not None:
        states &= {JobState.RUNNING}
    if wanted.is_by_details:
        states -= {JobState.PENDING}
    found = _read_states(connection, arrays, spans, states, wanted, page, now, beat_interval, shape)
    if JobState.PENDING in states:
        pending = _read_pending(connection, arrays, spans, page, shape)
        index_of = _index_of(shape)
        found = [
            list(islice(merge(*rows, key=index_of, reverse=page.backward), page.size + 1))
            for rows in zip(found, pending, strict=True)
        ]
    return [cut(rows, page) for rows in found]


def _span(array: ProcessRow, page: Page) -> range:
    """The indices of an array between those that bound the page."""
    begin, end = array.first_index, array.last_index + 1
    if page.after is not None:
        begin = max(begin, page.after[0] + 1)
    if page.before is not None:
        end = min(end, page.before[0])
    return range(begin, end)


@cache
def _index_of(shape: RowShape[JobRow]) -> Callable[[JobRow], int]:
    """A function that gives the index of a job from its row, which has this shape."""
    return itemgetter(shape.key_width - 1)


def _read_all(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    spans: Sequence[range],
    page: Page,
    shape: RowShape[JobRow],
) -> list[Slice[JobRow]]:
    """The page without a filter: its indices are known before any row is read."""
    parts = [
        span[max(len(span) - page.size, 0) :] if page.backward else span[: page.size]
        for span in spans
    ]
    asked = [
        place
        for place, (array, part) in enumerate(zip(arrays, parts, strict=True))
        if part and array.pending < array.job_count
    ]
    keys = [
        (arrays[place].task_id, arrays[place].number, parts[place].start, parts[place].stop)
        for place in asked
    ]
    rows = fetch_by_place(connection, _spans_statement(shape), shape, len(keys), keys=keys)
    found = dict(zip(asked, rows, strict=True))
    slices = []
    for place, (array, span, part) in enumerate(zip(arrays, spans, parts, strict=True)):
        jobs = _with_pending(array, part, found.get(place, []), shape)
        more = len(part) < len(span)
        slices.append(
            Slice(jobs, page.before is not None, more)
            if page.backward
            else Slice(jobs, more, page.after is not None)
        )
    return slices


@lru_cache(STATEMENTS_KEPT)
def _spans_statement(shape: RowShape[JobRow]) -> Statement:
    k = key_table(task_id=INT, number=INT, begin=INT, end=INT)

    def belongs(job: Any, k: FromClause) -> list[Any]:
        return [*of_process(job, k), *_of_span(job, k)]

    return Statement(partial(_select_rows, k=k, shape=shape, belongs=belongs))


def _select_rows(
    engine: str, k: FromClause, shape: RowShape[JobRow], belongs: Condition
) -> Select[Any]:
    rows = keyed_rows(engine, k, Job, belongs)
    return select(*shape.select(rows.of.__getitem__), k.c.place).select_from(rows.source)


def _with_pending(
    array: ProcessRow, part: range, rows: list[JobRow], shape: RowShape[JobRow]
) -> list[JobRow]:
    """All jobs of a part of an array, from those that have a row."""
    if len(rows) == len(part):
        return rows
    index_of = _index_of(shape)
    found = {index_of(row): row for row in rows}
    task_id, number = array.task_id, array.number
    return [found.get(index) or pending_row(shape, (task_id, number, index)) for index in part]


def _read_states(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    spans: Sequence[range],
    states: set[JobState],
    wanted: JobFilter,
    page: Page,
    now: datetime,
    beat_interval: float | None,
    shape: RowShape[JobRow],
) -> list[list[JobRow]]:
    """The jobs of the page, and one more, that are in one of the states and have a row.

    They are in the direction of the page. Each array and state is a key of its own: its jobs are
    neighbours in ``ix_job_state``.
    """
    rows, places = [], []
    for place, (array, span) in enumerate(zip(arrays, spans, strict=True)):
        bounds = liveness_bounds(array.beat_interval or beat_interval, wanted.liveness, now)
        if bounds is None or not span:
            continue
        for state in sorted(states - {JobState.PENDING}):
            if getattr(array, state.lower()):
                rows.append((array.task_id, array.number, state, span.start, span.stop, *bounds))
                places.append(place)
    found: list[list[JobRow]] = [[] for _ in arrays]
    if not rows:
        return found
    statement = _states_statement(
        shape, wanted.details, by_liveness=wanted.liveness is not None, backward=page.backward
    )
    groups = fetch_by_place(
        connection,
        statement,
        shape,
        len(rows),
        backward=page.backward,
        keys=rows,
        size=page.size + 1,
    )
    for place, group in zip(places, groups, strict=True):
        found[place] += group
    index_of = _index_of(shape)
    return [sorted(jobs, key=index_of, reverse=page.backward)[: page.size + 1] for jobs in found]


@lru_cache(STATEMENTS_KEPT)
def _states_statement(
    shape: RowShape[JobRow], details: JobFilter, *, by_liveness: bool, backward: bool
) -> Statement:
    k = key_table(task_id=INT, number=INT, state=TEXT, begin=INT, end=INT, since=TIME, until=TIME)

    def belongs(job: Any, k: FromClause) -> list[Any]:
        found = [job.state == k.c.state, *_of_span(job, k), *details.where(job)]
        if by_liveness:
            found += [is_running(job), job.alive_at > k.c.since, job.alive_at <= k.c.until]
        return found

    return top_n_per_key(k, Job, shape, "job_index", of_process, belongs, backward)


def _of_span(job: Any, k: FromClause) -> list[Any]:
    return [job.job_index >= k.c.begin, job.job_index < k.c.end]


def _read_pending(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    spans: Sequence[range],
    page: Page,
    shape: RowShape[JobRow],
) -> list[list[JobRow]]:
    """The jobs of the page, and one more, that have no row, in the direction of the page.

    They are what lies before the first row, and in the gaps behind rows whose successor is not
    the next index. Three statements find these, so no row is read that does not border a gap.
    Backward, the same holds from the end: "before" means behind, and "first" means last.

    Example: an array has the jobs 0 to 9, and rows for 2, 3, 6 and 9. From 0 on, 4 are wanted.

    1. ``firsts``: the first row is 2, so 0 and 1 are pending.
    2. ``borders``: 3 is not followed by 4, 6 not by 7, 9 not by 10: gaps may lie behind 3, 6, 9.
    3. ``ends``: the next rows are 6 and 9, and none after 9, where the array ends.

    The gaps are 0-1, 4-5, 7-8 and an empty one: the first four jobs are 0, 1, 4, 5.
    """
    rows, places = [], []
    for place, (array, span) in enumerate(zip(arrays, spans, strict=True)):
        if array.pending and span:
            rows.append((array.task_id, array.number, span.start, span.stop))
            places.append(place)
    found: list[list[JobRow]] = [[] for _ in arrays]
    if not rows:
        return found
    number, backward, size = len(rows), page.backward, page.size + 1
    first_row, border = _first_row_statement(backward), _border_statement(backward)
    first = fetch_by_place(connection, first_row, JOB_INDEX, number, keys=rows, size=1)
    firsts = {place: jobs[0][0] for place, jobs in enumerate(first) if jobs}
    at_borders = fetch_by_place(
        connection, border, JOB_INDEX, number, backward=backward, keys=rows, size=size
    )
    borders = [[job[0] for job in jobs] for jobs in at_borders]
    ends = _next_rows(connection, rows, borders, backward)
    for key_place, place in enumerate(places):
        array, span = arrays[place], spans[place]
        outside = span.start - 1 if backward else span.stop
        limits = [(span.stop if backward else span.start - 1, firsts.get(key_place, outside))]
        limits += [(row, ends.get((key_place, row), outside)) for row in borders[key_place]]
        gaps = (_gap(span, *pair, backward) for pair in limits)
        indices = islice((index for gap in gaps for index in gap), page.size + 1)
        found[place] = [
            pending_row(shape, (array.task_id, array.number, index)) for index in indices
        ]
    return found


def _gap(span: range, near: int, far: int, backward: bool) -> range:
    """The indices of the span between two rows, from the nearer one on."""
    if backward:
        return range(near - 1, max(far, span.start - 1), -1)
    return range(near + 1, min(far, span.stop))


@cache
def _first_row_statement(backward: bool) -> Statement:
    k = key_table(task_id=INT, number=INT, begin=INT, end=INT)
    return top_n_per_key(k, Job, JOB_INDEX, "job_index", of_process, _of_span, backward)


@cache
def _border_statement(backward: bool) -> Statement:
    def belongs(job: Any, k: FromClause) -> list[Any]:
        # For the minimum, PostgreSQL uses the index that has the jobs in order. For a test on one
        # index it may use another one while it has no statistics, and read all jobs.
        next_row = _next_row(backward, job.job_index).where(
            Job.task_id == job.task_id,
            Job.process_number == job.process_number,
            within_keys(Job.task_id),
        )
        expected = job.job_index - 1 if backward else job.job_index + 1
        return [*_of_span(job, k), next_row.scalar_subquery().is_distinct_from(expected)]

    k = key_table(task_id=INT, number=INT, begin=INT, end=INT)
    return top_n_per_key(k, Job, JOB_INDEX, "job_index", of_process, belongs, backward)


def _next_row(backward: bool, index: Any) -> Select[Any]:
    """The index of the row that comes next to an index, in the direction of the page."""
    if backward:
        return select(func.max(Job.job_index)).where(Job.job_index < index)
    return select(func.min(Job.job_index)).where(Job.job_index > index)


def _next_rows(
    connection: ReadConnection,
    rows: Sequence[tuple[int, int, int, int]],
    borders: Sequence[Sequence[int]],
    backward: bool,
) -> dict[tuple[int, int], int]:
    """The index of the row at the far end of each gap, by the gap's key in ``rows`` and its border.

    Gaps that last until the end of their array are left out.
    """
    starts = [(place, index) for place, found in enumerate(borders) for index in found]
    keys = [(*rows[place][:2], index) for place, index in starts]
    found = _next_row_statement(backward).fetch(connection, keys=keys)
    return {starts[place]: index for place, index in found if index is not None}


@cache
def _next_row_statement(backward: bool) -> Statement:
    k = key_table(task_id=INT, number=INT, border=INT)
    wanted = (*of_process(Job, k), within_keys(Job.task_id))
    next_row = _next_row(backward, k.c.border).where(*wanted).scalar_subquery()
    return Statement(select(k.c.place, next_row.label("next")))


def jobs_by_key(
    connection: ReadConnection, wanted: Sequence[JobKey], shape: RowShape[JobRow] = JOB
) -> list[JobRow]:
    """The job of each task, process and index, also where it has no row."""
    statement = _by_key_statement(shape)
    found = fetch_one_by_place(connection, statement, shape, len(wanted), keys=wanted)
    return [row or pending_row(shape, key) for row, key in zip(found, wanted, strict=True)]


@lru_cache(STATEMENTS_KEPT)
def _by_key_statement(shape: RowShape[JobRow]) -> Statement:
    k = key_table(task_id=INT, number=INT, job_index=INT)

    def belongs(job: Any, k: FromClause) -> list[Any]:
        return [*of_process(job, k), job.job_index == k.c.job_index]

    return Statement(partial(_select_rows, k=k, shape=shape, belongs=belongs))
