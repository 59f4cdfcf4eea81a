"""Statements that write many rows of one table, without any work for each row but its encoding.

SQLite takes the rows one by one, with positional parameters, or some at once if they are inserted.
PostgreSQL takes all of them at once, as one array for each column, so that a statement for one row
has the same text as one for a thousand, and is prepared once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import orjson
from sqlalchemy import Connection, Dialect, String
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from lamia_gql.storage.base import Base
from lamia_gql.storage.driver import Driver

Row = Sequence[Any]
GROUP = 50
"""SQLite inserts so many rows at once: it takes two thirds of the time that it takes one by one."""


class BulkWrite:
    """A statement that is run with rows: tuples with the values of these columns, in order.

    Args:
        entity: the table.
        names: the columns.
        on_sqlite: the statement; the columns are its parameters ``?1``, ``?2`` and so on.
        on_sqlite_together: likewise, for :data:`GROUP` rows, one behind the other; if there is one.
        on_postgresql: what precedes the rows, which are the table ``given``, the condition for
            each of them, and what follows that.
    """

    def __init__(
        self,
        entity: type[Base],
        names: Sequence[str],
        on_sqlite: str,
        on_postgresql: tuple[str, str, str],
        on_sqlite_together: str | None = None,
    ) -> None:
        self._types = [entity.__table__.c[name].type for name in names]
        self._on_sqlite = on_sqlite
        self._on_sqlite_together = on_sqlite_together
        self._names = names
        self._around = on_postgresql
        self._on_postgresql = self.on_postgresql()
        self._encoders: list[Callable[[Row], str]] | None = None
        self._conversions: list[tuple[int, Callable[[Any], Any]]] | None = None
        """Those of the columns that SQLite's driver does not take as they are, by their places."""

    def run(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Write the rows, in their order; the number of rows that were written."""
        return self.run_on(Driver(connection), rows)

    def run_on(self, driver: Driver, rows: Sequence[Row]) -> int:
        """Like :meth:`run`, but not among statements that run together."""
        return self.start(driver, rows)()

    def start(self, driver: Driver, rows: Sequence[Row]) -> Callable[[], int]:
        """Write the rows; a function that tells how many were written."""
        if not rows:
            return lambda: 0
        if driver.is_sqlite:
            number = self._run_on_sqlite(driver, self._convert(driver.dialect, rows))
            return lambda: number
        written = driver.execute(self._on_postgresql, self.encode(driver.dialect, rows))
        return lambda: written.rowcount

    def _convert(self, dialect: Dialect, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows as SQLite's driver takes them."""
        if self._conversions is None:
            found = [_converter(kind, dialect) for kind in self._types]
            self._conversions = [(p, convert) for p, convert in enumerate(found) if convert]
        if not self._conversions:
            return rows
        columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
        for place, convert in self._conversions:
            columns[place] = map(convert, columns[place])
        return list(zip(*columns, strict=True))

    def _run_on_sqlite(self, driver: Driver, rows: Sequence[Row]) -> int:
        written, begin = 0, 0
        if self._on_sqlite_together is not None:
            while begin + GROUP <= len(rows):
                values = list(chain.from_iterable(rows[begin : begin + GROUP]))
                written += driver.execute(self._on_sqlite_together, values).rowcount
                begin += GROUP
        if begin < len(rows):
            written += driver.execute(self._on_sqlite, rows[begin:], many=True).rowcount
        return written

    def on_postgresql(self, first: int = 1, condition: str = "TRUE") -> str:
        """The statement of PostgreSQL.

        Args:
            first: the number of its first parameter.
            condition: on which it writes the rows.
        """
        arrays = ", ".join(
            f"CAST(${place} AS {_postgres_type(kind)}[])"
            for place, kind in enumerate(self._types, first)
        )
        before, joined, after = self._around
        given = f"FROM unnest({arrays}) AS given ({', '.join(self._names)})"
        return f"{before} {given} WHERE {joined} AND {condition}{after}"

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self._names)

    def encode(self, dialect: Dialect, rows: Sequence[Row]) -> list[str]:
        """The array of each column, as PostgreSQL gets it."""
        if self._encoders is None:
            self._encoders = [_encoder(kind, dialect) for kind in self._types]
        columns: Iterable[Row] = zip(*rows, strict=True) if rows else [()] * len(self._encoders)
        return [encode(values) for encode, values in zip(self._encoders, columns, strict=True)]


class DependentWrites:
    """Several writes; all but the first are done only if that has written all of its rows.

    PostgreSQL gets them as one statement.
    """

    def __init__(self, first: BulkWrite, *others: BulkWrite) -> None:
        self._writes = (first, *others)
        parts = [
            f"first AS ({first.on_postgresql(2)} RETURNING 1)",
            "found AS (SELECT count(*) = $1 AS is_complete FROM first)",
        ]
        place = 2 + first.width
        for write in others:
            statement = write.on_postgresql(place, "(SELECT is_complete FROM found)")
            parts.append(f"from_{place} AS ({statement})")
            place += write.width
        self._on_postgresql = f"WITH {', '.join(parts)} SELECT is_complete FROM found"  # noqa: S608

    def start(self, driver: Driver, rows: Sequence[Sequence[Row]]) -> Callable[[], bool]:
        """Write the rows of each; a function that tells whether the first wrote all of its own."""
        first, *others = zip(self._writes, rows, strict=True)
        if driver.is_sqlite:
            write, given = first
            if write.run_on(driver, given) < len(given):
                return lambda: False
            for write, given in others:
                write.run_on(driver, given)
            return lambda: True
        columns = [write.encode(driver.dialect, given) for write, given in (first, *others)]
        parameters = [len(rows[0]), *chain.from_iterable(columns)]
        cursor = driver.execute(self._on_postgresql, parameters)
        return lambda: bool(driver.fetch(cursor)[0][0])


def bulk_insert(entity: type[Base], names: Sequence[str], unless: Sequence[str]) -> BulkWrite:
    """An INSERT of rows, unless there is one with the same values in the unique key ``unless``."""
    return _insert(entity, names, f" ON CONFLICT ({', '.join(unless)}) DO NOTHING")


def bulk_upsert(entity: type[Base], names: Sequence[str]) -> BulkWrite:
    """An INSERT of rows; where the primary key exists, the row takes the new values."""
    key = [column.name for column in entity.__table__.primary_key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
    return _insert(entity, names, f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}")


def bulk_add(entity: type[Base], names: Sequence[str], added: Sequence[str]) -> BulkWrite:
    """An INSERT of rows; where the primary key exists, the numbers ``added`` are added."""
    table = entity.__tablename__
    key = [column.name for column in entity.__table__.primary_key]
    changes = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in added)
    return _insert(entity, names, f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}")


def _insert(entity: type[Base], names: Sequence[str], on_conflict: str) -> BulkWrite:
    columns = ", ".join(names)
    head = f"INSERT INTO {entity.__tablename__} ({columns})"
    row = f"({', '.join('?' for _ in names)})"
    return BulkWrite(
        entity,
        names,
        f"{head} VALUES {row}{on_conflict}",
        (f"{head} SELECT {columns}", "TRUE", on_conflict),
        f"{head} VALUES {', '.join([row] * GROUP)}{on_conflict}",
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
        (" ".join(("UPDATE", table, "SET", given_changes)), given_found, ""),
    )


def _postgres_type(kind: TypeEngine[Any]) -> str:
    # A cast to text of a limited length would cut it off; the column itself refuses it.
    return "TEXT" if _is_text(kind) else kind.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call] # SQLAlchemy's


def _is_text(kind: TypeEngine[Any]) -> bool:
    return isinstance(kind.impl if isinstance(kind, TypeDecorator) else kind, String)


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """From a value of a column to what the driver gets; None where it gets the value."""
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _encoder(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Row], str]:
    """From the values of a column to their array."""
    convert = _converter(kind, dialect)
    return _array if convert is None else lambda values: _array(list(map(convert, values)))


def _array(values: Row) -> str:
    """PostgreSQL's text of an array; the driver would look at each value to find out what it is.

    It is written like an array of JSON, but for the brackets and for some escapes in texts.
    """
    text = orjson.dumps(values).decode()
    if "\\" in text:
        text = f"[{','.join(['null' if value is None else _quote(value) for value in values])}]"
    return f"{{{text[1:-1]}}}"


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
