"""The rows of a partitioned table that belong to keys (see :mod:`lamia_gql.storage.key_table`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, and_, literal_column, select, true
from sqlalchemy.orm import aliased

from lamia_gql.storage.base import Base
from lamia_gql.storage.key_table import within_keys

Condition = Callable[[Any, FromClause], Sequence[ColumnElement[bool]]]
"""From a table, or an alias of it, and the table of keys to the conditions on the table's rows."""


class KeyedRows(NamedTuple):
    """What to select from, for keys and the rows that belong to each."""

    source: FromClause
    of: Any
    """The columns of the rows."""


def of_process(row: Any, k: FromClause) -> list[ColumnElement[bool]]:
    """The conditions that choose the rows of a process, for keys that begin with one."""
    return [row.task_id == k.c.task_id, row.process_number == k.c.number]


def keyed_rows(engine: str, k: FromClause, entity: type[Base], belongs: Condition) -> KeyedRows:
    """Join keys with the rows that belong to each.

    PostgreSQL looks for the rows of each key by an index, in the partitions of the keys' tasks. By
    a plain join it reads all rows of these tasks, where a partition has no statistics.

    Args:
        engine: the engine of the statement.
        k: the key table, whose first column is the task.
        entity: the table; it has a column ``task_id``.
        belongs: conditions that choose the rows of a key; all that the statement has on them, as
            PostgreSQL uses no others to find them.
    """
    if engine == "sqlite":
        table = entity.__table__
        return KeyedRows(k.join(table, and_(*belongs(table.c, k))), table.c)
    each: Any = aliased(entity)
    rows = (
        select(each)
        .where(*belongs(each, k), within_keys(each.task_id))
        .offset(literal_column("0"))
        .lateral("row")
    )
    return KeyedRows(k.join(rows, true()), rows.c)
