"""The first rows of each of many parents, in one statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause, Select, bindparam, select, true
from sqlalchemy.orm import aliased

from lamia_gql.storage.models import Base

Condition = Callable[[Any, FromClause], Sequence[ColumnElement[bool]]]
"""From an entity and the table of keys to the conditions on the entity's rows."""
SIZE: BindParameter[int] = bindparam("size")


def top(
    is_sqlite: bool,
    k: FromClause,
    entity: type[Base],
    columns: Sequence[str],
    place: str,
    unique: Condition,
    belongs: Condition,
    backward: bool = False,
) -> Select[Any]:
    """The key's place, then these columns of the first ``size`` rows that belong to each key.

    Rows are ordered by the column ``place``, which together with ``unique`` tells one row from
    all others. PostgreSQL looks them up laterally. SQLite has no lateral joins, but uses the
    places that a correlated subquery gives as keys into the table's index.
    """
    inner: Any = aliased(entity)
    order = getattr(inner, place)
    chosen = (
        select(order if is_sqlite else inner)
        .where(*unique(inner, k), *belongs(inner, k))
        .order_by(order.desc() if backward else order)
        .limit(SIZE)
    )
    if not is_sqlite:
        row = chosen.lateral("row")
        found = select(k.c.place, *(row.c[name] for name in columns)).join_from(k, row, true())
        outer = row.c[place]
    else:
        table: Any = entity
        outer = getattr(table, place)
        found = (
            select(k.c.place, *(getattr(table, name) for name in columns))
            .join_from(k, table, true())
            .where(*unique(table, k), outer.in_(chosen.correlate(k)))
        )
    return found.order_by(k.c.place, outer.desc() if backward else outer)
