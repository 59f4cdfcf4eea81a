"""What INSERT does with a row whose key exists already: the same words on both engines."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ClauseElement, Insert, insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import SyntaxExtension
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from lamia_gql.storage.models import Base


class OnConflict(SyntaxExtension, ClauseElement):
    """The clause ON CONFLICT of an INSERT.

    Args:
        key: the columns of the unique key.
        updated: the columns that take the values of the new row; without any, the old row stays.
    """

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012  (SQLAlchemy's own name and form)
        ("key", InternalTraversal.dp_string_list),
        ("updated", InternalTraversal.dp_string_list),
    ]

    def __init__(self, key: list[str], updated: list[str]) -> None:
        self.key = key
        self.updated = updated

    def apply_to_insert(self, insert_stmt: Insert) -> None:
        """Put the clause behind the values."""
        insert_stmt.apply_syntax_extension_point(self.append_replacing_same_type, "post_values")


@compiles(OnConflict)
def _on_conflict(clause: OnConflict, compiler: SQLCompiler, **_options: Any) -> str:
    quote = compiler.preparer.quote
    head = f"ON CONFLICT ({', '.join(map(quote, clause.key))}) DO"
    if not clause.updated:
        return f"{head} NOTHING"
    changes = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in clause.updated)
    return f"{head} UPDATE SET {changes}"


def insert_or_update(entity: type[Base]) -> Insert:
    """An INSERT that updates a row where its primary key exists."""
    columns = entity.__table__.columns
    return insert(entity).ext(
        OnConflict(
            [column.name for column in columns if column.primary_key],
            [column.name for column in columns if not column.primary_key],
        )
    )


def insert_or_ignore(entity: type[Base], key: str) -> Insert:
    """An INSERT that leaves a row alone where another one has the same value of ``key``."""
    return insert(entity).ext(OnConflict([key], []))
