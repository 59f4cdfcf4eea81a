"""Readers: client addresses take turns, and no read takes for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from lamia_gql.domain.errors import ErrorCode, LimitExceeded, Unavailable
from lamia_gql.domain.settings import load
from lamia_gql.storage.database import Database
from tests.support.waiting import until_async

FOREVER = """WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)
  SELECT count(*) FROM forever"""
SOON_S = 10.0


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with two reader connections."""
    database = Database(load(database_url=database_url, database_connections=2))
    yield database
    database.close()


def forever(connection: Connection) -> None:
    """Never end."""
    connection.execute(text(FOREVER))


def one(connection: Connection) -> int:
    """End at once."""
    return int(connection.scalar(text("SELECT 1")) or 0)


async def test_one_address_does_not_have_all_connections(database: Database) -> None:
    """However much one address reads, others read at once, and the server itself."""
    greedy = [asyncio.create_task(database.read(forever, "192.0.2.1")) for _ in range(5)]
    # They run until they wait.
    await asyncio.sleep(0)
    async with asyncio.timeout(SOON_S):
        for address in ("192.0.2.2", "192.0.2.3", None):
            assert await database.read(one, address) == 1
    for reading in greedy:
        reading.cancel()
    await asyncio.gather(*greedy, return_exceptions=True)
    async with asyncio.timeout(SOON_S):
        assert await database.read(one, "192.0.2.1") == 1


async def test_addresses_take_turns(database: Database) -> None:
    """An address with many requests does not delay the one request of another behind all of its."""
    holding = [asyncio.create_task(database.read(forever, address)) for address in ("a", "b")]
    await asyncio.sleep(0)
    order: list[str] = []

    async def read(address: str) -> None:
        await database.read(one, address)
        order.append(address)

    waiting = [asyncio.create_task(read(address)) for address in ("c", "c", "c", "c", "d")]
    await asyncio.sleep(0)
    holding[0].cancel()
    async with asyncio.timeout(SOON_S):
        await asyncio.gather(*waiting)
    assert order.index("d") <= 1
    holding[1].cancel()
    await asyncio.gather(*holding, return_exceptions=True)


async def test_one_that_leaves_the_queue_does_not_block_it(database: Database) -> None:
    """Who is cancelled while it waits is passed over."""
    holding = [asyncio.create_task(database.read(forever, address)) for address in ("a", "b")]
    await asyncio.sleep(0)
    gone = [asyncio.create_task(database.read(one, "c")) for _ in range(3)]
    waiting = asyncio.create_task(database.read(one, "c"))
    await asyncio.sleep(0)
    for reading in (*gone, *holding):
        reading.cancel()
    async with asyncio.timeout(SOON_S):
        assert await waiting == 1
    await asyncio.gather(*gone, *holding, return_exceptions=True)


async def test_a_read_that_takes_too_long_is_stopped(database_url: str) -> None:
    """A read is stopped after `max_read_time`, and its connection is free again."""
    database = Database(load(database_url=database_url, database_connections=1, max_read_time=0.2))
    for _ in range(2):
        with pytest.raises(LimitExceeded) as raised:
            async with asyncio.timeout(SOON_S):
                await database.read(forever)
        assert (raised.value.code, raised.value.limit) == (ErrorCode.TIMED_OUT, 0.2)
    assert await database.read(one) == 1
    database.close()


async def test_one_dead_connection_is_no_failure_however_late_it_is(postgres_url: str) -> None:
    """A read that has taken all its time is made once more, on another connection."""
    timeout_s = 1.0
    database = Database(load(database_url=postgres_url, database_timeout=timeout_s))
    attempts = 0

    def die_late(connection: Connection) -> int:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            time.sleep(timeout_s)
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return one(connection)

    assert await database.read(die_late) == 1
    assert attempts == 2
    database.close()


async def test_nothing_is_waited_for_at_the_end() -> None:
    """A server that stops does not wait for a database that is gone."""
    database = Database(load(database_url="postgresql://nobody@127.0.0.1:9/none"))
    reading = asyncio.create_task(database.read(one))
    await until_async(lambda: database.readers.searching, "it waits")
    async with asyncio.timeout(SOON_S):
        await asyncio.to_thread(database.close)
        with pytest.raises(Unavailable):
            await reading
