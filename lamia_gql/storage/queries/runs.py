"""Arrays of any size as runs of jobs: ranges of states, and lists of indices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import FromClause, Select, func, select

from lamia_gql.domain.errors import ErrorCode, LimitExceeded
from lamia_gql.domain.lifecycle import JobState
from lamia_gql.domain.liveness import liveness_bounds
from lamia_gql.storage.filters import JobFilter
from lamia_gql.storage.key_table import INT, TIME, key_table
from lamia_gql.storage.keyed_rows import keyed_rows, of_process
from lamia_gql.storage.models import Job
from lamia_gql.storage.queries.bounds import SIZE
from lamia_gql.storage.queries.job_states import is_running
from lamia_gql.storage.rows import ProcessRow
from lamia_gql.storage.statement import STATEMENTS_KEPT, Statement
from lamia_gql.storage.transaction import Hold, ReadConnection

Span = tuple[int, int]
"""The first and the last of consecutive indices."""
NO_LIMIT = 2**63 - 1
"""The largest number that the engines take as a limit."""


class Run(NamedTuple):
    """Consecutive jobs in the same state: from ``first`` to ``last``, both included."""

    first: int
    last: int
    state: JobState


@contextmanager
def _islands(
    connection: ReadConnection,
    rows: Sequence[tuple[Any, ...]],
    listed: tuple[JobState, ...] | None = None,
    details: JobFilter | None = None,
    *,
    by_state: bool,
    limit: int = NO_LIMIT,
) -> Iterator[Iterator[tuple[int, int, int, str]]]:
    """Key position, first, last and state of the runs of rows, in order.

    Within a run, the index and the rank of a row grow by one together, so their difference
    identifies the run. The database groups the rows; only the runs are read.

    Args:
        connection: a connection to read on.
        rows: the keys: task, process, and the bounds of ``alive_at``, or None for both.
        listed: the states of the rows; None for all.
        details: further conditions on the jobs.
        by_state: whether a run ends where the state changes.
        limit: how many runs are read at most.
    """
    by_liveness = any(row[2] is not None for row in rows)
    details = JobFilter() if details is None else details
    statement = _islands_statement(listed, details, by_state=by_state, by_liveness=by_liveness)
    with statement.stream(connection, keys=rows, size=limit) as found:
        yield found


@lru_cache(STATEMENTS_KEPT)
def _islands_statement(
    listed: tuple[JobState, ...] | None,
    details: JobFilter,
    *,
    by_state: bool,
    by_liveness: bool,
) -> Statement:
    def belongs(job: Any, k: FromClause) -> list[Any]:
        found = of_process(job, k)
        if by_liveness:
            found += [is_running(job), job.alive_at > k.c.since, job.alive_at <= k.c.until]
        elif listed is not None:
            found.append(job.state.in_(listed))
        return [*found, *details.where(job)]

    def islands(engine: str) -> Select[Any]:
        k = key_table(task_id=INT, number=INT, since=TIME, until=TIME)
        rows = keyed_rows(engine, k, Job, belongs)
        index, state = rows.of.job_index, rows.of.state
        parts = [k.c.place, state] if by_state else [k.c.place]
        rank = func.row_number().over(partition_by=parts, order_by=index)
        job = (
            select(k.c.place, index, state, (index - rank).label("run"))
            .select_from(rows.source)
            .subquery()
        )
        keyed = [job.c.place, job.c.state] if by_state else [job.c.place]
        first = func.min(job.c.job_index).label("first")
        return (
            select(job.c.place, first, func.max(job.c.job_index), func.min(job.c.state))
            .group_by(*keyed, job.c.run)
            .order_by(job.c.place, first)
            .limit(SIZE)
        )

    return Statement(islands)


def state_ranges(
    connection: ReadConnection, arrays: Sequence[ProcessRow], limit: int
) -> list[list[Run]]:
    """The states of all jobs of each array, run-length encoded, in the order of the indices.

    Raises :class:`LimitExceeded` if the arrays have more than ``limit`` ranges together.
    """
    rows = [(array.task_id, array.number, None, None) for array in arrays]
    runs: list[list[Run]] = [[] for _ in arrays]
    with _islands(connection, rows, by_state=True, limit=limit + 1) as found:
        for number, (place, first, last, state) in enumerate(found):
            if number == limit:
                raise LimitExceeded(
                    ErrorCode.TOO_COSTLY,
                    f"`stateRanges` has more than {limit} entries: use `indices`, or `jobs`.",
                    limit,
                )
            runs[place].append(Run(first, last, JobState(state)))
    return [list(_with_pending(array, found)) for array, found in zip(arrays, runs, strict=True)]


def _with_pending(array: ProcessRow, runs: Iterable[Run]) -> Iterator[Run]:
    expected = array.first_index
    for run in runs:
        if run.first > expected:
            yield Run(expected, run.first - 1, JobState.PENDING)
        yield run
        expected = run.last + 1
    if expected <= array.last_index:
        yield Run(expected, array.last_index, JobState.PENDING)


def job_indices(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    wanted: JobFilter,
    now: datetime,
    beat_interval: float | None,
    hold: Hold,
) -> list[str]:
    """The indices of the wanted jobs of each array, as ``813,900-904``: for ``sbatch --array``."""
    states = set(JobState) if wanted.states is None else set(wanted.states)
    if wanted.liveness is not None:
        states &= {JobState.RUNNING}
    if wanted.is_by_details:
        states -= {JobState.PENDING}
    # PENDING jobs have no row: where they are wanted, list the rows that are not, and invert.
    inverted = JobState.PENDING in states
    listed = set(JobState) - states if inverted else states
    rows: list[tuple[Any, ...]] = []
    places = []
    for place, array in enumerate(arrays):
        if wanted.liveness is None:
            rows.append((array.task_id, array.number, None, None))
            places.append(place)
            continue
        bounds = liveness_bounds(array.beat_interval or beat_interval, wanted.liveness, now)
        if bounds is not None:
            rows.append((array.task_id, array.number, *bounds))
            places.append(place)
    texts = [indices_text(_between(array, ())) if inverted else "" for array in arrays]
    if rows and listed:
        states_listed = tuple(sorted(listed))
        with _islands(connection, rows, states_listed, wanted.details, by_state=False) as islands:
            # One array after the other: the runs of all of them may need much memory.
            for row, found in groupby(islands, lambda island: island[0]):
                place = places[row]
                spans: Iterable[Span] = ((first, last) for _, first, last, _ in found)
                texts[place] = indices_text(_between(arrays[place], spans) if inverted else spans)
                hold(len(texts[place]))
    return texts


def _between(array: ProcessRow, spans: Iterable[Span]) -> Iterator[Span]:
    runs = (Run(first, last, JobState.RUNNING) for first, last in spans)
    for run in _with_pending(array, runs):
        if run.state is JobState.PENDING:
            yield run.first, run.last


def spans(indices: Iterable[int]) -> Iterator[Span]:
    """The runs of sorted indices."""
    first = last = -1
    for index in indices:
        if index != last + 1 or last < 0:
            if last >= 0:
                yield first, last
            first = index
        last = index
    if last >= 0:
        yield first, last


def indices_text(spans: Iterable[Span]) -> str:
    """Indices as ``813,900-904``."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
