"""An INSERT that leaves rows alone whose key exists already: the same words on both engines."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ClauseElement, Insert, insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import SyntaxExtension
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from lamia_gql.storage.base import Base


class OnConflictDoNothing(SyntaxExtension, ClauseElement):
    """The clause ON CONFLICT DO NOTHING of an INSERT.

    Args:
        key: the column of the unique key.
    """

    inherit_cache = True
    _traverse_internals = [("key", InternalTraversal.dp_string)]  # noqa: RUF012  (SQLAlchemy's own name and form)

    def __init__(self, key: str) -> None:
        self.key = key

    def apply_to_insert(self, insert_stmt: Insert) -> None:
        """Put the clause behind the values."""
        insert_stmt.apply_syntax_extension_point(self.append_replacing_same_type, "post_values")


@compiles(OnConflictDoNothing)
def _on_conflict_do_nothing(
    clause: OnConflictDoNothing, compiler: SQLCompiler, **_options: Any
) -> str:
    return f"ON CONFLICT ({compiler.preparer.quote(clause.key)}) DO NOTHING"


def insert_or_ignore(entity: type[Base], key: str) -> Insert:
    """An INSERT that leaves a row alone where another one has the same value of ``key``."""
    return insert(entity).ext(OnConflictDoNothing(key))
