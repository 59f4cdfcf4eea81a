"""Reading the history of processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select

from lamia_gql.domain.progress import Counters
from lamia_gql.storage.key_table import INT, key_table
from lamia_gql.storage.models import Sample
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
    k = key_table(task_id=INT, number=INT)
    found: list[list[SampleRow]] = [[] for _ in processes]
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
        {"keys": processes},
    )
    for place, at, *counters in rows:
        found[place].append(SampleRow(at, Counters(*counters)))
    return found
