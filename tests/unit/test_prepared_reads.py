"""What PostgreSQL has prepared for readers outlives their transactions, as long as it is valid."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from lamia_gql.domain.settings import load
from lamia_gql.storage.database import Database
from lamia_gql.storage.driver import Driver

TIMES = 12
"""So often, a statement is surely run again and again."""
READ = "SELECT value FROM changing"


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """A database with one reader connection, and a table of one row."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE changing AS SELECT 1 AS value")
    database = Database(load(database_url=postgres_url, database_connections=1))
    yield database
    database.close()


def rows(connection: Connection, statement: str) -> list[tuple[object, ...]]:
    """The rows of a statement."""
    driver = Driver(connection)
    return driver.fetch(driver.execute(statement))


async def read(database: Database, statement: str = READ) -> list[tuple[object, ...]]:
    """The rows of a statement in a transaction of its own."""
    return await database.read(lambda connection: rows(connection, statement))


async def prepared(database: Database) -> int:
    """How many statements with this table are prepared for the connection."""
    listed = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%changing%'"
    [(number,)] = await read(database, f"{listed} AND statement NOT LIKE '%count%'")
    assert isinstance(number, int)
    return number


async def test_statements_stay_prepared(database: Database, postgres_url: str) -> None:
    """Each transaction sees what was committed before it; none of them goes on for the next."""
    for _ in range(TIMES):
        assert await read(database) == [(1,)]
    assert await prepared(database) == 1
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE changing SET value = 2")
        assert await read(database) == [(2,)]
        open_ones = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state LIKE 'idle in%'"
        ).fetchone()
    assert open_ones == (0,)
    assert await prepared(database) == 1


async def test_one_that_fails_is_forgotten(database: Database, postgres_url: str) -> None:
    """PostgreSQL refuses a prepared statement whose columns have other types than before: once."""
    for _ in range(TIMES):
        await read(database)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE changing ALTER value TYPE text")
    with pytest.raises(DBAPIError):
        await read(database)
    assert await prepared(database) == 0
    for _ in range(TIMES):
        assert await read(database) == [("1",)]
