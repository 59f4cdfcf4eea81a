"""What the engines themselves need for the same rows, without a server of ours."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier, Placeholder

from bench.events import BATCH, JOBS

UNIQUE = ("seq", "id", "job_index")
"""The columns that differ from row to row."""


class Rows:
    """Rows like one that the server has stored, each with other keys.

    Args:
        columns: the names of the columns.
        row: the stored row.
    """

    def __init__(self, columns: Sequence[str], row: Sequence[Any]) -> None:
        self.columns = columns
        self._values = dict(zip(columns, row, strict=True))
        self._numbers = count(1)

    def next(self) -> list[Any]:
        """The next row."""
        number = next(self._numbers)
        key = {"seq": number, "id": uuid.uuid4().hex, "job_index": number % JOBS}
        known = {name: value for name, value in key.items() if name in self._values}
        return list((self._values | known).values())


class BareSQLite:
    """A file with the tables and indices of a server's file, and nobody else who writes.

    Args:
        path: the file of a server that has stored an event.
        copy: the new file.
    """

    def __init__(self, path: Path, copy: Path) -> None:
        self._connection = sqlite3.connect(copy, isolation_level=None)
        # Like those of the server.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._rows: dict[str, Rows] = {}
        self._insert: dict[str, str] = {}
        with closing(sqlite3.connect(path)) as server:
            for table in ("event", "job"):
                for (statement,) in server.execute(
                    "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL"
                    " ORDER BY type DESC",
                    (table,),
                ):
                    self._connection.execute(statement)
                cursor = server.execute(f"SELECT * FROM {table} LIMIT 1")  # noqa: S608
                columns = [column[0] for column in cursor.description]
                self._rows[table] = Rows(columns, cursor.fetchone())
                places = ", ".join("?" * len(columns))
                self._insert[table] = f"INSERT OR REPLACE INTO {table} VALUES ({places})"  # noqa: S608

    def rate(self, duration_s: float) -> float:
        """Events a second: a row of ``event`` and one of ``job`` each, 100 in a transaction."""
        stored, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < duration_s:
            self._connection.execute("BEGIN IMMEDIATE")
            for table, rows in self._rows.items():
                made = [rows.next() for _ in range(BATCH)]
                self._connection.executemany(self._insert[table], made)
            self._connection.execute("COMMIT")
            stored += BATCH
        return stored / (time.perf_counter() - begin)

    def insert(self) -> None:
        """Insert one event, and commit."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(self._insert["event"], self._rows["event"].next())
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class BarePostgres:
    """A table with the columns and indices of a server's table of events.

    Args:
        connection: commits every statement.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        connection.execute("CREATE TABLE bare (LIKE event INCLUDING ALL)")
        cursor = connection.execute("SELECT * FROM event LIMIT 1")
        assert cursor.description is not None
        row = cursor.fetchone()
        assert row is not None
        self._rows = Rows([column.name for column in cursor.description], row)
        self._insert = SQL("INSERT INTO bare ({}) VALUES ({})").format(
            SQL(", ").join(map(Identifier, self._rows.columns)),
            SQL(", ").join(Placeholder() for _ in self._rows.columns),
        )

    def insert(self) -> None:
        """Insert one event, and commit."""
        self._connection.execute(self._insert, self._rows.next())


@contextmanager
def bare_sqlite(path: Path) -> Iterator[BareSQLite]:
    """A file beside that of a server, which is removed afterwards."""
    copy = path.with_name(f"{path.stem}-bare.sqlite")
    bare = BareSQLite(path, copy)
    try:
        yield bare
    finally:
        bare.close()
        copy.unlink()


@contextmanager
def bare_postgres(url: str) -> Iterator[BarePostgres]:
    """A table in the database of a server."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield BarePostgres(connection)
