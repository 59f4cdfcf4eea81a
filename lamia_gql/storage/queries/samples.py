"""Reading the history of processes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import select

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


@cache
def _statement() -> Statement:
    k = key_table(task_id=INT, number=INT)
    return Statement(
        select(
            k.c.place,
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
        .join_from(
            k, Sample, (Sample.task_id == k.c.task_id) & (Sample.process_number == k.c.number)
        )
        .order_by(k.c.place, Sample.at)
    )
