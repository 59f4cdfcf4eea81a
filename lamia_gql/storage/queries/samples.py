"""Reading the history of processes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from lamia_gql.domain.counters import Counters
from lamia_gql.storage.key_table import INT, key_table
from lamia_gql.storage.models import Sample
from lamia_gql.storage.statement import Statement
from lamia_gql.storage.transaction import ReadConnection

ProcessKey = tuple[int, int]


class SampleRow(NamedTuple):
    """The counters of a process at the end of the interval that begins at ``at``."""

    at: int
    counters: Counters


def read_samples(
    connection: ReadConnection, processes: Sequence[ProcessKey]
) -> list[list[SampleRow]]:
    """The samples of each process, oldest first; at most 256, however old the process is."""
    found: list[list[SampleRow]] = [[] for _ in processes]
    for place, at, *counters in _statement().values(connection, keys=processes):
        found[place].append(SampleRow(at, Counters(*counters)))
    return found


def sample_time(seconds: int) -> datetime:
    """The time of a sample, from seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


class Instant(NamedTuple):
    """A process at a time in the past, in seconds since 1970."""

    task_id: int
    number: int
    at: int


def samples_at(connection: ReadConnection, instants: Sequence[Instant]) -> list[SampleRow | None]:
    """The last sample at or before each instant; None before the first one."""
    found: list[SampleRow | None] = [None] * len(instants)
    for place, at, *counters in _last_statement().values(connection, keys=instants):
        found[place] = SampleRow(at, Counters(*counters))
    return found


_COUNTERS = (
    Sample.at,
    Sample.submitted,
    Sample.running,
    Sample.done,
    Sample.failed,
    Sample.terminated,
    Sample.reporting,
    Sample.progress_sum,
    Sample.held,
)


@cache
def _statement() -> Statement:
    k = key_table(task_id=INT, number=INT)
    return Statement(
        select(k.c.place, *_COUNTERS)
        .join_from(
            k, Sample, (Sample.task_id == k.c.task_id) & (Sample.process_number == k.c.number)
        )
        .order_by(k.c.place, Sample.at)
    )


@cache
def _last_statement() -> Statement:
    k = key_table(task_id=INT, number=INT, at=INT)
    earlier = aliased(Sample)
    last = (
        select(func.max(earlier.at))
        .where(
            earlier.task_id == k.c.task_id,
            earlier.process_number == k.c.number,
            earlier.at <= k.c.at,
        )
        .correlate(k)
        .scalar_subquery()
    )
    return Statement(
        select(k.c.place, *_COUNTERS).join_from(
            k,
            Sample,
            (Sample.task_id == k.c.task_id)
            & (Sample.process_number == k.c.number)
            & (Sample.at == last),
        )
    )
