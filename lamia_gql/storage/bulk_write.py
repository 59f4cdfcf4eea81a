"""Statements that write many rows of one table, without any work for each row but its encoding.

SQLite takes the rows one by one, with positional parameters. PostgreSQL takes all of them at once,
as one array for each column, so that a statement for one row has the same text as one for a
thousand, and is prepared once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, String
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from lamia_gql.storage.models import Base

Row = Sequence[Any]


class BulkWrite:
    """A statement that is run with rows: tuples with the values of these columns, in order.

    Args:
        entity: the table.
        names: the columns.
        on_sqlite: the statement; the columns are its parameters ``?1``, ``?2`` and so on.
        on_postgresql: what precedes and follows the rows, which are the table ``given``.
    """

    def __init__(
        self,
        entity: type[Base],
        names: Sequence[str],
        on_sqlite: str,
        on_postgresql: tuple[str, str],
    ) -> None:
        self._types = [entity.__table__.c[name].type for name in names]
        self._on_sqlite = on_sqlite
        arrays = ", ".join(f"CAST(%s AS {_postgres_type(kind)}[])" for kind in self._types)
        given = f"FROM unnest({arrays}) AS given ({', '.join(names)})"
        self._on_postgresql = given.join(on_postgresql)
        self._encoders: dict[str, list[Callable[[Row], Row | str]]] = {}

    def run(self, connection: Connection, rows: Iterable[Row]) -> int:
        """Write the rows, in their order; the number of rows that were written."""
        columns = list(zip(*rows, strict=True))
        if not columns:
            return 0
        encoders = self._encoders.get(connection.dialect.name)
        if encoders is None:
            encoders = [_encoder(kind, connection.dialect) for kind in self._types]
            self._encoders[connection.dialect.name] = encoders
        encoded: list[Any] = [
            encode(values) for encode, values in zip(encoders, columns, strict=True)
        ]
        if connection.dialect.name == "sqlite":
            given = list(zip(*encoded, strict=True))
            return connection.exec_driver_sql(self._on_sqlite, given).rowcount
        return connection.exec_driver_sql(self._on_postgresql, tuple(encoded)).rowcount


def bulk_insert(entity: type[Base], names: Sequence[str], unless: Sequence[str]) -> BulkWrite:
    """An INSERT of rows, unless there is one with the same values in the unique key ``unless``."""
    return _insert(entity, names, f" ON CONFLICT ({', '.join(unless)}) DO NOTHING")


def bulk_upsert(entity: type[Base], names: Sequence[str]) -> BulkWrite:
    """An INSERT of rows; where the primary key exists, the row takes the new values."""
    key = [column.name for column in entity.__table__.primary_key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
    return _insert(entity, names, f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}")


def _insert(entity: type[Base], names: Sequence[str], on_conflict: str) -> BulkWrite:
    columns = ", ".join(names)
    head = f"INSERT INTO {entity.__tablename__} ({columns})"
    places = ", ".join(f"?{place}" for place, _ in enumerate(names, 1))
    return BulkWrite(
        entity,
        names,
        f"{head} VALUES ({places}){on_conflict}",
        (f"{head} SELECT {columns} ", on_conflict),
    )


def bulk_update(entity: type[Base], key: Sequence[str], names: Sequence[str]) -> BulkWrite:
    """An UPDATE of the columns ``names``; the rows have the columns ``key`` before them."""
    table, every = entity.__tablename__, [*key, *names]
    places = {name: f"?{place}" for place, name in enumerate(every, 1)}
    changes = ", ".join(f"{name} = {places[name]}" for name in names)
    found = " AND ".join(f"{name} = {places[name]}" for name in key)
    given_changes = ", ".join(f"{name} = given.{name}" for name in names)
    given_found = " AND ".join(f"{table}.{name} = given.{name}" for name in key)
    return BulkWrite(
        entity,
        every,
        " ".join(("UPDATE", table, "SET", changes, "WHERE", found)),
        (" ".join(("UPDATE", table, "SET", given_changes, "")), f" WHERE {given_found}"),
    )


def _postgres_type(kind: TypeEngine[Any]) -> str:
    # A cast to text of a limited length would cut it off; the column itself refuses it.
    return "TEXT" if _is_text(kind) else kind.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call] # SQLAlchemy's


def _is_text(kind: TypeEngine[Any]) -> bool:
    return isinstance(kind.impl if isinstance(kind, TypeDecorator) else kind, String)


def _encoder(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Row], Row | str]:
    """From the values of a column to those that the driver gets, or to their array."""
    process = kind.dialect_impl(dialect).bind_processor(dialect)
    if dialect.name == "sqlite":
        return (lambda values: values) if process is None else lambda v: list(map(process, v))
    literal = _text_array if _is_text(kind) else _array
    return literal if process is None else lambda values: literal(map(process, values))


def _array(values: Iterable[Any]) -> str:
    """PostgreSQL's text of an array of numbers, times, UUIDs or truth values.

    The driver would look at each value to find out what it is.
    """
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def _text_array(values: Iterable[str | None]) -> str:
    return f"{{{','.join(['NULL' if value is None else _quote(value) for value in values])}}}"


def _quote(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
