"""The first rows of each of many parents, in one statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import FromClause, Select, select, true
from sqlalchemy.orm import aliased

from lamia_gql.storage.base import Base
from lamia_gql.storage.key_table import GREATEST_KEY, LEAST_KEY
from lamia_gql.storage.keyed_rows import Condition
from lamia_gql.storage.partitions import PARTITIONED
from lamia_gql.storage.queries.bounds import SIZE
from lamia_gql.storage.row_shape import RowShape
from lamia_gql.storage.statement import Statement


def top_n_per_key(
    k: FromClause,
    entity: type[Base],
    shape: RowShape[Any],
    order_by: str,
    unique: Condition,
    belongs: Condition,
    backward: bool = False,
) -> Statement:
    """The first rows that belong to each key, in any order; run it with ``keys`` and ``size``.

    PostgreSQL looks the rows up laterally. SQLite has no lateral joins, but it uses the values
    that a correlated subquery gives as keys into the table's index.

    Args:
        k: the key table.
        entity: the table whose rows are wanted.
        shape: what each row has before ``place``, the position of its key.
        order_by: the column that orders the rows of one key.
        unique: conditions that, together with ``order_by``, identify one row of the table.
        belongs: conditions that choose the rows of one key.
        backward: whether to take the last rows instead, from the end.
    """
    inner: Any = aliased(entity)
    outer: Any = entity

    def first(*selected: Any) -> Select[Any]:
        order = getattr(inner, order_by)
        return (
            select(*selected)
            .where(*unique(inner, k), *belongs(inner, k))
            .order_by(order.desc() if backward else order)
            .limit(SIZE)
        )

    def lateral() -> Select[Any]:
        read = dict.fromkeys((*shape.columns_read, order_by))
        rows = first(*(getattr(inner, name) for name in read))
        if entity.__tablename__ in PARTITIONED:
            # Not within_keys: a page of a few keys would be planned for each partition.
            rows = rows.where(inner.task_id.between(LEAST_KEY, GREATEST_KEY))
        row = rows.lateral("row")
        return select(*shape.select(row.c.__getitem__), k.c.place).join_from(k, row, true())

    def correlated() -> Select[Any]:
        last = getattr(outer, order_by)
        return (
            select(*shape.select(lambda name: getattr(outer, name)), k.c.place)
            .join_from(k, outer, true())
            .where(*unique(outer, k), last.in_(first(getattr(inner, order_by)).correlate(k)))
        )

    return Statement(lambda engine: correlated() if engine == "sqlite" else lateral())
