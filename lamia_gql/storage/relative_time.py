"""Times before now as SQL; ``now`` is a parameter of the statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from lamia_gql.storage.column_types import UTCDateTime

NOW: BindParameter[Any] = bindparam("now", required=False, type_=UTCDateTime())


class Ago(ColumnElement[Any]):
    """The time that is so many seconds before now.

    On SQLite, it is rounded to a millisecond.
    """

    inherit_cache = True
    type = UTCDateTime()
    _traverse_internals = [  # noqa: RUF012  (SQLAlchemy's own name and form)
        ("now", InternalTraversal.dp_clauseelement),
        ("seconds", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, seconds: ColumnElement[Any]) -> None:
        self.now = NOW
        self.seconds = seconds

    @property
    def _from_objects(self) -> list[Any]:
        return [*self.seconds._from_objects]


@compiles(Ago, "sqlite")
def _text(time: Ago, compiler: SQLCompiler, **options: Any) -> str:
    modifier = func.printf("-%f seconds", time.seconds)
    return compiler.process(func.strftime("%Y-%m-%d %H:%M:%f", time.now, modifier), **options)


@compiles(Ago, "postgresql")
def _time(time: Ago, compiler: SQLCompiler, **options: Any) -> str:
    span = func.make_interval(0, 0, 0, 0, 0, 0, time.seconds)
    return compiler.process(time.now - span, **options)
