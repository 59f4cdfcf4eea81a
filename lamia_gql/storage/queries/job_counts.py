"""Counting the jobs of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import FromClause, Select, func, literal, literal_column, select
from sqlalchemy.types import TypeEngine

from lamia_gql.domain.lifecycle import JobState
from lamia_gql.domain.liveness import Liveness, liveness_bounds
from lamia_gql.storage.filters import JobFilter
from lamia_gql.storage.key_table import INT, TIME, key_table, within_keys
from lamia_gql.storage.keyed_rows import keyed_rows, of_process
from lamia_gql.storage.models import Job
from lamia_gql.storage.queries.counts import Count, limited_count
from lamia_gql.storage.queries.job_states import is_running
from lamia_gql.storage.rows import ProcessRow
from lamia_gql.storage.statement import STATEMENTS_KEPT, Statement
from lamia_gql.storage.transaction import ReadConnection

LIVENESS_KEY: dict[str, TypeEngine[Any]] = {
    "task_id": INT,
    "number": INT,
    "since": TIME,
    "until": TIME,
}
"""The columns of a key table: processes, and bounds of their jobs' last sign of life."""


def count_jobs(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    wanted: JobFilter,
    now: datetime,
    beat_interval: float | None,
) -> list[Count]:
    """The number of wanted jobs of each array. A filter by states only needs no database."""
    states = set(JobState) if wanted.states is None else set(wanted.states)
    if wanted.liveness is not None:
        states &= {JobState.RUNNING}
    elif not wanted.is_by_details:
        return [Count(sum(getattr(array, state.lower()) for state in states)) for array in arrays]
    if not states:
        return [Count(0)] * len(arrays)
    keys: dict[int, tuple[Any, ...]]
    if wanted.liveness is None:
        keys = {place: (array.task_id, array.number) for place, array in enumerate(arrays)}
        statement = _count_statement(wanted.details, tuple(sorted(states)))
    else:
        keys = _liveness_keys(arrays, wanted.liveness, now, beat_interval)
        statement = _live_count_statement(wanted.details)
    if not keys:
        return [Count(0)] * len(arrays)
    places = list(keys)
    rows = statement.fetch(connection, keys=list(keys.values()))
    found = {places[place]: number for place, number in rows}
    return [Count.of_limited(found.get(place, 0)) for place in range(len(arrays))]


def have_lost_jobs(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    now: datetime,
    beat_interval: float | None,
) -> list[bool]:
    """Whether each process has a LOST job."""
    keys = _liveness_keys(arrays, Liveness.LOST, now, beat_interval)
    if not keys:
        return [False] * len(arrays)
    places = list(keys)
    rows = _any_statement().fetch(connection, keys=list(keys.values()))
    found = {places[place] for (place,) in rows}
    return [place in found for place in range(len(arrays))]


class SilentJobs(NamedTuple):
    """The running jobs of a process that give no sign of life."""

    late: int
    lost: int


def count_silent_jobs(
    connection: ReadConnection,
    arrays: Sequence[ProcessRow],
    now: datetime,
    beat_interval: float | None,
) -> list[SilentJobs]:
    """How many jobs of each process are LATE and LOST."""
    late = _liveness_keys(arrays, Liveness.LATE, now, beat_interval)
    found = [SilentJobs(0, 0)] * len(arrays)
    if late:
        places = list(late)
        for place, total, lost in _silent_statement().fetch(connection, keys=list(late.values())):
            found[places[place]] = SilentJobs(total - lost, lost)
    return found


@cache
def _silent_statement() -> Statement:
    k = key_table(**LIVENESS_KEY)

    def belongs(job: Any, k: FromClause) -> list[Any]:
        return [*of_process(job, k), is_running(job), job.alive_at <= k.c.until]

    def silent(engine: str) -> Select[Any]:
        rows = keyed_rows(engine, k, Job, belongs)
        # Those that are LATE have been heard of after ``since``, and LOST ones before.
        lost = func.count().filter(rows.of.alive_at <= k.c.since)
        return select(k.c.place, func.count(), lost).select_from(rows.source).group_by(k.c.place)

    return Statement(silent)


@lru_cache(STATEMENTS_KEPT)
def _live_count_statement(details: JobFilter) -> Statement:
    k = key_table(**LIVENESS_KEY)
    return Statement(select(k.c.place, limited_count(_of_liveness(k).where(*details.where(Job)))))


@lru_cache(STATEMENTS_KEPT)
def _count_statement(details: JobFilter, states: tuple[JobState, ...]) -> Statement:
    k = key_table(task_id=INT, number=INT)
    jobs = select(literal(1)).where(
        *of_process(Job, k),
        within_keys(Job.task_id),
        Job.state.in_(states),
        *details.where(Job),
    )
    return Statement(select(k.c.place, limited_count(jobs.correlate(k))))


@cache
def _any_statement() -> Statement:
    k = key_table(**LIVENESS_KEY)
    # With an offset, PostgreSQL looks for each key, and does not make a join of it.
    return Statement(select(k.c.place).where(_of_liveness(k).offset(literal_column("0")).exists()))


def _liveness_keys(
    arrays: Sequence[ProcessRow], liveness: Liveness, now: datetime, beat_interval: float | None
) -> dict[int, tuple[Any, ...]]:
    """By the position of each array that may have jobs of a liveness: its row in a key table."""
    keys = {}
    for place, array in enumerate(arrays):
        bounds = liveness_bounds(array.beat_interval or beat_interval, liveness, now)
        if array.running and bounds is not None:
            keys[place] = (array.task_id, array.number, *bounds)
    return keys


def _of_liveness(k: FromClause) -> Select[Any]:
    """The jobs of a process that run, and whose last sign of life is within the bounds."""
    return (
        select(literal(1))
        .where(
            *of_process(Job, k),
            within_keys(Job.task_id),
            is_running(Job),
            Job.alive_at > k.c.since,
            Job.alive_at <= k.c.until,
        )
        .correlate(k)
    )
