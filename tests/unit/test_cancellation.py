"""Reads that are cancelled or stopped end in the database, too."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from lamia_gql.domain.errors import ErrorCode, LimitExceeded
from lamia_gql.domain.settings import load
from lamia_gql.storage.cancellation import CancellableRead, Stopped
from lamia_gql.storage.database import Database
from lamia_gql.storage.operation_reads import OperationReads
from tests.support.statements import record_statements
from tests.support.waiting import until_async

FOREVER = """WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)
  SELECT count(*) FROM forever"""
SOON = 10.0
"""Seconds by which on any machine all has long happened, and which a statement above outlasts."""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with a single reader connection."""
    database = Database(load(database_url=database_url, database_connections=1))
    yield database
    begin = time.monotonic()
    database.close()
    assert time.monotonic() - begin < SOON


def forever(connection: Connection) -> None:
    """Never end."""
    connection.execute(text(FOREVER))


def one(connection: Connection) -> int:
    """End at once."""
    return int(connection.scalar(text("SELECT 1")) or 0)


async def test_cancelled_read_frees_its_reader(database: Database) -> None:
    """A cancelled read ends in the database, too."""
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await database.read(forever)
        async with asyncio.timeout(SOON):
            assert await database.read(one) == 1


async def test_stop_reaches_between_statements(database: Database) -> None:
    """A stop that comes while no statement runs stops the next one."""
    between, stopped = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        one(connection)
        between.set()
        assert stopped.wait(SOON)
        forever(connection)

    reading = CancellableRead(work)
    running = asyncio.create_task(database.readers.run(reading, None))
    assert await asyncio.to_thread(between.wait, SOON)
    database.readers.stop(reading)
    stopped.set()
    async with asyncio.timeout(SOON):
        with pytest.raises(Stopped):
            await running
        assert await database.read(one) == 1


async def test_stop_of_all_reads(database: Database) -> None:
    """All reads of an operation end together, including waiting and future ones."""
    reads = OperationReads(database, 7)
    running: list[asyncio.Task[Any]]
    with record_statements() as statements:
        running = [asyncio.create_task(reads.read(forever)) for _ in range(3)]
        await until_async(lambda: FOREVER in statements, "the first of them")
    reads.stop()
    running.append(asyncio.create_task(reads.read(one)))
    async with asyncio.timeout(SOON):
        for ended in await asyncio.gather(*running, return_exceptions=True):
            assert isinstance(ended, LimitExceeded)
            assert (ended.code, ended.limit) == (ErrorCode.TIMED_OUT, 7)
        assert await database.read(one) == 1


async def test_stop_after_the_end_has_no_effect(database: Database) -> None:
    """A stop after the end has no effect."""
    reading = CancellableRead(one)
    assert await database.readers.run(reading, None) == 1
    begin = time.monotonic()
    reading.stop()
    assert time.monotonic() - begin < SOON
    assert await database.read(one) == 1
