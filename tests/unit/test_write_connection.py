"""Which connection writes to SQLite."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection

from lamia_gql.domain.settings import load
from lamia_gql.storage.database import Database
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.transaction import WriteTransaction


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The connection of the driver."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def cache_kib(driver: sqlite3.Connection) -> int:
    """How much of the database the connection keeps, at most."""
    (negative,) = driver.cursor().execute("PRAGMA cache_size").fetchone()
    return -int(negative)


async def test_all_writes_have_one_connection(tmp_path: Path) -> None:
    """Another one would have to read the pages again that the last one has written.

    Reads use others, and would make the writes take turns with all of these. It keeps few pages:
    else they would become more with each event.
    """
    database = Database(load(database_url=f"sqlite:///{tmp_path}/lamia.sqlite"))
    writers, readers = set(), set()
    for _ in range(3):
        writers.add(await database.write(lambda t: driver_of(t.connection)))
        readers.add(await database.read(driver_of))
        writers.add(await database.write_events(lambda t: driver_of(t.connection), 5))
    assert len(writers) == 1
    assert not writers & readers
    [writer], [reader, *_] = writers, readers
    assert cache_kib(writer) < cache_kib(reader)
    database.close()


def test_nothing_outlives_a_transaction(tmp_path: Path) -> None:
    """The connection stays with the writers: the next one finds no open statement, nor a change."""
    database = Database(load(database_url=f"sqlite:///{tmp_path}/lamia.sqlite"))
    begun: list[sqlite3.Cursor] = []

    def read_half(transaction: WriteTransaction) -> sqlite3.Connection:
        driver = Driver(transaction.connection)
        driver.execute("CREATE TABLE IF NOT EXISTS number (n)")
        driver.execute("INSERT INTO number VALUES (1), (2), (3)")
        begun.append(driver.execute("SELECT n FROM number"))
        assert begun[-1].fetchone() == (1,)
        return driver_of(transaction.connection)

    def fail(transaction: WriteTransaction) -> None:
        read_half(transaction)
        raise KeyError

    first = database.write_blocking(read_half)
    with pytest.raises(KeyError):
        database.write_blocking(fail)
    for cursor in begun:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            cursor.fetchone()
    assert database.write_blocking(read_half) is first
    assert first.execute("SELECT count(*) FROM number").fetchone() == (6,)
    database.close()
