"""Reading what the jobs of processes took and used."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlalchemy import and_, select

from lamia_gql.domain.usage_sketch import Bucket, Measure
from lamia_gql.storage.key_table import INT, key_table
from lamia_gql.storage.keyed_rows import of_process
from lamia_gql.storage.models import Usage
from lamia_gql.storage.statement import Statement
from lamia_gql.storage.transaction import ReadConnection

ProcessKey = tuple[int, int]
Buckets = dict[Measure, list[Bucket]]


def read_usage(connection: ReadConnection, processes: Sequence[ProcessKey]) -> list[Buckets]:
    """The buckets of each process by their measure, in their order; a bounded number."""
    found: list[Buckets] = [{} for _ in processes]
    for place, measure, *bucket in _statement().values(connection, keys=processes):
        found[place].setdefault(Measure(measure), []).append(Bucket(*bucket))
    return found


@cache
def _statement() -> Statement:
    k = key_table(task_id=INT, number=INT)
    return Statement(
        select(k.c.place, Usage.measure, Usage.bucket, Usage.jobs, Usage.total)
        .join_from(k, Usage, and_(*of_process(Usage, k)))
        .where(Usage.jobs > 0)
        .order_by(k.c.place, Usage.measure, Usage.bucket)
    )
