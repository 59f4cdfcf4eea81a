"""Reading how long jobs took on each host."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Float, Select, func, literal_column, select

from lamia_gql.storage.key_table import INT, key_table
from lamia_gql.storage.models import Job
from lamia_gql.storage.queries.bounds import SIZE
from lamia_gql.storage.queries.job_states import is_failed
from lamia_gql.storage.statement import Statement
from lamia_gql.storage.transaction import ReadConnection

MAX_JOBS = 100_000
"""So many jobs of an array are looked at, its first ones: that takes about 0.2 s."""


class HostUsageRow(NamedTuple):
    """The jobs of a process that ended on a host."""

    hostname: str | None
    done: int
    unsuccessful: int
    mean_duration: float | None
    """Of those that are DONE and told when they started, in seconds; None if there are none."""


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


def _duration(engine: str) -> ColumnElement[float]:
    """How long a job ran, in seconds. On SQLite, it is exact to a millisecond."""
    if engine == "sqlite":
        days = func.julianday(Job.closed_at) - func.julianday(Job.started_at)
        return days * literal_column("86400.0", Float())
    return func.date_part("epoch", Job.closed_at - Job.started_at)


@cache
def _statement() -> Statement:
    return Statement(_slowest_hosts)


def _slowest_hosts(engine: str) -> Select[Any]:
    k = key_table(task_id=INT, number=INT, before=INT)
    is_done = Job.state == literal_column("'DONE'")
    mean = func.avg(_duration(engine)).filter(is_done)
    hosts = (
        select(
            k.c.place,
            Job.seen_hostname.label("hostname"),
            func.count().filter(is_done).label("done"),
            func.count().filter(is_failed()).label("unsuccessful"),
            mean.label("mean"),
            func.row_number()
            .over(
                partition_by=k.c.place,
                order_by=(mean.desc().nulls_last(), Job.seen_hostname.nulls_last()),
            )
            .label("rank"),
        )
        .join_from(k, Job, (Job.task_id == k.c.task_id) & (Job.process_number == k.c.number))
        .where(Job.job_index < k.c.before, is_done | is_failed())
        .group_by(k.c.place, Job.seen_hostname)
        .subquery()
    )
    return (
        select(hosts.c.place, hosts.c.hostname, hosts.c.done, hosts.c.unsuccessful, hosts.c.mean)
        .where(hosts.c.rank <= SIZE)
        .order_by(hosts.c.place, hosts.c.rank)
    )
