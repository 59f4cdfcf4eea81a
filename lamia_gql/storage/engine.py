"""The database engine: addresses, pools, and how connections and transactions are set up."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from lamia_gql.domain.settings import Settings

DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
_WRITES = "lamia_writes"
"""The execution option of a connection whose transactions write."""


class DatabaseURLError(ValueError):
    """The database address is not one that this server can use."""


def parse_url(text: str) -> URL:
    """The address with the driver that we use for it.

    Raises :class:`DatabaseURLError` with a sentence for the operator.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    if url is None or url.drivername not in DRIVERS:
        raise DatabaseURLError(
            "The database address must be like sqlite:///lamia.sqlite"
            " or postgresql://user:password@host/name."
        )
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise DatabaseURLError("SQLite needs a file: sqlite:///lamia.sqlite.")
    return url.set(drivername=DRIVERS[url.drivername])


def is_sqlite(engine: Engine) -> bool:
    """Whether the engine is SQLite, where one server has the database to itself."""
    return engine.dialect.name == "sqlite"


def create_engine(settings: Settings) -> Engine:
    """An engine whose connections are set up for durability, UTC and explicit transactions.

    Raises :class:`DatabaseURLError`.
    """
    url = parse_url(settings.database_url)
    sizes: dict[str, Any] = {
        # Readers, the recorder, and one more writer for everything else.
        "pool_size": settings.database_connections + 2,
        "max_overflow": 2,
        "pool_timeout": settings.database_timeout,
    }
    if url.get_backend_name() == "sqlite":
        engine = sqlalchemy.create_engine(
            url, connect_args={"timeout": settings.database_timeout}, **sizes
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "checkout", _check_file)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return sqlalchemy.create_engine(
            url,
            connect_args={
                "options": "-c timezone=UTC",
                "connect_timeout": max(2, int(settings.database_timeout)),
            },
            pool_pre_ping=True,
            **sizes,
        )
    except ModuleNotFoundError as error:
        raise DatabaseURLError(
            "PostgreSQL needs its driver: pip install 'lamia-gql[postgres]'."
        ) from error


@contextmanager
def begin_write(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that writes; committed unless the block raises."""
    with engine.connect() as connection:
        with connection.execution_options(**{_WRITES: True}).begin():
            yield connection


def _prepare_sqlite(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    # _begin_sqlite begins the transactions; the driver would guess when to.
    connection.isolation_level = None
    # SQLite's own lower() knows ASCII only; a search without case is to find other letters, too.
    connection.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # An acknowledged commit survives a power cut, not only a crash.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.execute("PRAGMA journal_size_limit = 67108864")
    path = cursor.execute("PRAGMA database_list").fetchone()[2]
    record.info["file"] = path, _identity(path)
    cursor.close()


def _check_file(
    _connection: sqlite3.Connection, record: ConnectionPoolEntry, _proxy: object
) -> None:
    # SQLite goes on writing into a file that was deleted or replaced, and the data is lost.
    path, identity = record.info["file"]
    if _identity(path) != identity:
        raise DisconnectionError(f"{path} was replaced by another file")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another one has written
    # in between. One that says at its start that it will write waits for its turn.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
