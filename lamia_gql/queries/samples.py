"""Reading the history of processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from lamia_gql.keys import INT, encode, keys
from lamia_gql.models import Sample
from lamia_gql.progress import Counters

ProcessKey = tuple[int, int]


class SampleRecord(NamedTuple):
    """The counters of a process as they were at the end of an interval that begins at ``at``."""

    at: int
    counters: Counters


def read_samples(
    connection: Connection, is_sqlite: bool, processes: Sequence[ProcessKey]
) -> list[list[SampleRecord]]:
    """The samples of each process, oldest first: a bounded number, however old it is."""
    k = keys(is_sqlite, task_id=INT, number=INT)
    found: list[list[SampleRecord]] = [[] for _ in processes]
    rows = connection.execute(
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
        )
        .join_from(
            k, Sample, (Sample.task_id == k.c.task_id) & (Sample.process_number == k.c.number)
        )
        .order_by(k.c.place, Sample.at),
        {"keys": encode(processes)},
    )
    for place, at, *counters in rows:
        found[place].append(SampleRecord(at, Counters(*counters)))
    return found
