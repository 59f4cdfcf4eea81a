"""Reading the history of processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import FromClause, Select, func, select
from sqlalchemy.orm import aliased

from lamia_gql.domain.counters import Counters
from lamia_gql.storage.key_table import INT, key_table, within_keys
from lamia_gql.storage.keyed_rows import keyed_rows, of_process
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


_COLUMNS = ("at", *(field.name for field in fields(Counters)))


@cache
def _statement() -> Statement:
    k = key_table(task_id=INT, number=INT)

    def of_processes(engine: str) -> Select[Any]:
        rows = keyed_rows(engine, k, Sample, of_process)
        counters = map(rows.of.__getitem__, _COLUMNS)
        return select(k.c.place, *counters).select_from(rows.source).order_by(k.c.place, rows.of.at)

    return Statement(of_processes)


@cache
def _last_statement() -> Statement:
    k = key_table(task_id=INT, number=INT, at=INT)
    earlier = aliased(Sample)
    last = (
        select(func.max(earlier.at))
        .where(
            *of_process(earlier, k),
            earlier.at <= k.c.at,
            within_keys(earlier.task_id),
        )
        .correlate(k)
        .scalar_subquery()
    )

    def belongs(sample: Any, k: FromClause) -> list[Any]:
        return [*of_process(sample, k), sample.at == last]

    def at_instants(engine: str) -> Select[Any]:
        rows = keyed_rows(engine, k, Sample, belongs)
        return select(k.c.place, *map(rows.of.__getitem__, _COLUMNS)).select_from(rows.source)

    return Statement(at_instants)
