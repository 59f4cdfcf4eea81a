"""Ranges of tasks on PostgreSQL: how they begin, and which of their partitions are locked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, text

from lamia_gql.domain.pagination import Page
from lamia_gql.domain.settings import load
from lamia_gql.ingest.purger import purge
from lamia_gql.ingest.ranges import begin_range
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.partitions import (
    PARTITIONED,
    WIDTH,
    IdRanges,
    add_range,
    drop_partition,
    move_ids,
    read_ranges,
)
from lamia_gql.storage.queries.events import read_events
from lamia_gql.storage.transaction import WriteTransaction
from tests.support.new_events import create

RANGES = 9
"""As many as there are where retention removes tasks."""


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """A migrated database with several ranges."""
    database = Database(load(database_url=postgres_url))
    migrate(database.engine)
    database.write_blocking(lambda transaction: _fill(transaction.connection))
    yield database
    database.close()


def _fill(connection: Connection) -> None:
    for number in range(1, RANGES + 1):
        move_ids(connection, add_range(connection, number * WIDTH))


def locked(connection: Connection) -> set[str]:
    """The tables that the transaction has locked, without indexes."""
    found = connection.scalars(
        text(
            "SELECT relname FROM pg_locks JOIN pg_class AS c ON c.oid = relation"
            " WHERE pid = pg_backend_pid() AND relkind IN ('r', 'p') AND relname LIKE 'event%'"
        )
    )
    return set(found)


def test_a_page_is_planned_for_its_partition(database: Database) -> None:
    """PostgreSQL does not look at the others, which would take longer than to read the page."""

    def read(connection: Connection) -> set[str]:
        page = Page(10)
        read_events(connection, [(3 * WIDTH + 5,)], EventFilter(), page, lambda _: None)
        return locked(connection)

    assert database.read_blocking(read) == {"event", "event_r3"}


def test_ranges_are_read_as_they_were_made(database: Database) -> None:
    """With the bounds that their names tell."""
    found = database.read_blocking(read_ranges)
    assert [known.number for known in found.ended] == [*range(RANGES)]
    assert (found.current.begin, found.current.end) == (RANGES * WIDTH, (RANGES + 1) * WIDTH)
    assert (found.ahead, found.last_id) == ([], RANGES * WIDTH)


def test_a_partition_that_goes_meanwhile_is_of_no_range(database: Database) -> None:
    """Another server, or a command, drops it after this transaction has begun."""

    def read(connection: Connection) -> IdRanges:
        gone = read_ranges(connection).ended[0]
        for table in PARTITIONED:
            database.write_blocking(
                lambda transaction, of=table: drop_partition(transaction.connection, of, gone)  # type: ignore[misc]
            )
        return read_ranges(connection)

    found = database.read_blocking(read)
    assert [known.number for known in found.ended] == [*range(1, RANGES)]


async def test_a_partition_that_others_need(postgres_url: str) -> None:
    """It stays, and the rows of deleted tasks are removed from it."""
    database = Database(load(database_url=postgres_url))
    migrate(database.engine)
    create(database)

    def delete(transaction: WriteTransaction) -> None:
        move_ids(transaction.connection, add_range(transaction.connection, WIDTH))
        transaction.connection.exec_driver_sql("CREATE VIEW others AS SELECT * FROM event_r0")
        transaction.connection.exec_driver_sql("UPDATE task SET name = NULL, deleted_at = now()")

    database.write_blocking(delete)
    await purge(database, None)
    with database.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM task")) == 0
        assert connection.scalar(text("SELECT count(*) FROM others")) == 0
    database.close()


def test_ids_that_could_not_move_go_on(postgres_url: str) -> None:
    """A range that was rolled back has no partitions, so no task may get its ids."""
    database = Database(load(database_url=postgres_url))
    migrate(database.engine)
    create(database)

    def begin(transaction: WriteTransaction) -> None:
        assert begin_range(transaction, timedelta(0)) is not None
        raise ValueError("rolled back")

    with pytest.raises(ValueError, match="rolled back"):
        database.write_blocking(begin)
    create(database)
    assert database.read_blocking(read_ranges).last_id == 2
    database.close()


def test_partitions_come_before_the_ids_end(postgres_url: str) -> None:
    """Also where a new range can't begin as well, because an id is not committed yet."""
    database = Database(load(database_url=postgres_url))
    migrate(database.engine)
    create(database)
    begin = partial(begin_range, period=timedelta(0))
    with database.engine.connect() as other:
        other.execute(text("SELECT setval('task_id_seq', :id)"), {"id": WIDTH // 2})
        other.execute(text("SELECT nextval('task_id_seq')"))
        assert database.write_blocking(begin) is None
    [ahead] = database.read_blocking(read_ranges).ahead
    assert database.write_blocking(begin) == ahead
    database.close()
