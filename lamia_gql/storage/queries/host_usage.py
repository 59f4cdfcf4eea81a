"""Reading how long jobs took on each host, and what they used there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Float,
    FromClause,
    Select,
    case,
    cast,
    func,
    literal_column,
    select,
)

from lamia_gql.storage.key_table import INT, key_table
from lamia_gql.storage.keyed_rows import keyed_rows, of_process
from lamia_gql.storage.models import Job
from lamia_gql.storage.queries.bounds import SIZE
from lamia_gql.storage.queries.job_states import is_failed
from lamia_gql.storage.statement import Statement
from lamia_gql.storage.transaction import ReadConnection

MAX_JOBS = 100_000
"""So many jobs of an array are looked at, its first ones: that takes about 0.4 s."""


class HostUsageRow(NamedTuple):
    """The jobs of a process that ended on a host."""

    hostname: str | None
    done: int
    unsuccessful: int
    mean_duration: float | None
    """Of those that are DONE and told when they started, in seconds; None if there are none."""
    mean_memory: float | None
    """Of those that told the largest memory they had, in bytes; None if there are none."""
    efficiency: float | None
    """CPU time by what was given, of those that told both; None if there are none."""


def read_host_usage(
    connection: ReadConnection, processes: Sequence[tuple[int, int, int]], first: int
) -> list[list[HostUsageRow]]:
    """The hosts of each process, at most ``first``: those on which jobs took longest come first.

    A process is given by its task, its number, and the index of its first job.
    """
    found: list[list[HostUsageRow]] = [[] for _ in processes]
    keys = [(task_id, number, index + MAX_JOBS) for task_id, number, index in processes]
    for place, *values in _statement().values(connection, keys=keys, size=first):
        found[place].append(HostUsageRow._make(values))
    return found


def _duration(engine: str, job: Any) -> ColumnElement[float]:
    """How long a job ran, in seconds. On SQLite, it is exact to a millisecond."""
    if engine == "sqlite":
        days = func.julianday(job.closed_at) - func.julianday(job.started_at)
        return days * literal_column("86400.0", Float())
    return func.date_part("epoch", job.closed_at - job.started_at)


def _told(name: str, engine: str, job: Any) -> ColumnElement[float]:
    """A part of the usage of a job; NULL where it did not tell it."""
    if engine == "sqlite":
        return func.json_extract(job.usage, literal_column(f"'$.{name}'"), type_=Float())
    return cast(cast(job.usage, JSON).op("->>")(literal_column(f"'{name}'")), Float())


def _is_done(job: Any) -> ColumnElement[bool]:
    found: ColumnElement[bool] = job.state == literal_column("'DONE'")
    return found


def _has_ended(job: Any, k: FromClause) -> list[Any]:
    return [
        *of_process(job, k),
        job.job_index < k.c.before,
        _is_done(job) | is_failed(job),
    ]


@cache
def _statement() -> Statement:
    return Statement(_slowest_hosts)


def _slowest_hosts(engine: str) -> Select[Any]:
    k = key_table(task_id=INT, number=INT, before=INT)
    rows = keyed_rows(engine, k, Job, _has_ended)
    job, is_done = rows.of, _is_done(rows.of)
    # With an offset, each part of the usage is taken out of the JSON once.
    jobs = (
        select(
            k.c.place,
            job.seen_hostname.label("hostname"),
            is_done.label("is_done"),
            case((is_done, _duration(engine, job))).label("duration"),
            _told("max_rss_bytes", engine, job).label("memory"),
            _told("cpu_seconds", engine, job).label("used"),
            (_told("wall_seconds", engine, job) * _told("cpus", engine, job)).label("given"),
        )
        .select_from(rows.source)
        .offset(literal_column("0"))
        .subquery()
    )
    of = jobs.c
    mean = func.avg(of.duration)
    hosts = (
        select(
            of.place,
            of.hostname,
            func.count().filter(of.is_done).label("done"),
            func.count().filter(~of.is_done).label("unsuccessful"),
            mean.label("mean"),
            func.avg(of.memory).label("mean_memory"),
            (
                func.sum(of.used).filter(of.given.is_not(None))
                / func.nullif(func.sum(of.given).filter(of.used.is_not(None)), literal_column("0"))
            ).label("efficiency"),
            func.row_number()
            .over(
                partition_by=of.place,
                order_by=(mean.desc().nulls_last(), of.hostname.nulls_last()),
            )
            .label("rank"),
        )
        .group_by(of.place, of.hostname)
        .subquery()
    )
    return (
        select(*(column for column in hosts.c if column is not hosts.c.rank))
        .where(hosts.c.rank <= SIZE)
        .order_by(hosts.c.place, hosts.c.rank)
    )
