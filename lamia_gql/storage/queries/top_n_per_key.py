"""The first rows of each of many parents, in one statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Executable,
    FromClause,
    Select,
    bindparam,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from lamia_gql.storage.models import Base
from lamia_gql.storage.row_shape import RowShape

Condition = Callable[[Any, FromClause], Sequence[ColumnElement[bool]]]
"""From an entity and the table of keys to the conditions on the entity's rows."""
SIZE: BindParameter[int] = bindparam("size")
STATEMENTS_KEPT = 256
"""How many statements of one kind are kept, rather than built anew for each read."""


class TopNPerKey(Executable, ClauseElement):
    """A query in two forms, of which each engine gets the one that it is fast at.

    Both are part of the key of SQLAlchemy's cache, so that the values in either form are parameters
    of the compiled statement.
    """

    inherit_cache = True
    is_select = True
    _traverse_internals = [  # noqa: RUF012  (SQLAlchemy's own name and form)
        ("lateral", InternalTraversal.dp_clauseelement),
        ("correlated", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, lateral: Select[Any], correlated: Select[Any]) -> None:
        self.lateral = lateral
        self.correlated = correlated

    @property
    def _all_selected_columns(self) -> tuple[()]:
        # SQLAlchemy asks for the columns by which a row may be read; ours are read by position.
        return ()


@compiles(TopNPerKey, "postgresql")
def _lateral(query: TopNPerKey, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(query.lateral, **options)


@compiles(TopNPerKey, "sqlite")
def _correlated(query: TopNPerKey, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(query.correlated, **options)


def top_n_per_key(
    k: FromClause,
    entity: type[Base],
    shape: RowShape[Any],
    order_by: str,
    unique: Condition,
    belongs: Condition,
    backward: bool = False,
) -> TopNPerKey:
    """The first rows that belong to each key; run it with the parameters ``keys`` and ``size``.

    PostgreSQL looks the rows up laterally. SQLite has no lateral joins, but it uses the values
    that a correlated subquery gives as keys into the table's index.

    Args:
        k: the key table.
        entity: the table whose rows are wanted.
        shape: what each row has after ``place``, the position of its key.
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

    read = dict.fromkeys((*shape.columns_read, order_by))
    row = first(*(getattr(inner, name) for name in read)).lateral("row")
    last = row.c[order_by]
    lateral = (
        select(k.c.place, *shape.select(row.c.__getitem__))
        .join_from(k, row, true())
        .order_by(k.c.place, last.desc() if backward else last)
    )
    last = getattr(outer, order_by)
    correlated = (
        select(k.c.place, *shape.select(lambda name: getattr(outer, name)))
        .join_from(k, outer, true())
        .where(*unique(outer, k), last.in_(first(getattr(inner, order_by)).correlate(k)))
        .order_by(k.c.place, last.desc() if backward else last)
    )
    return TopNPerKey(lateral, correlated)
