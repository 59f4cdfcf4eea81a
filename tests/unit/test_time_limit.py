"""Operations that take too long are stopped, with what they do in the database."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from lamia_gql.domain.errors import ErrorCode, LimitExceeded
from lamia_gql.domain.settings import load
from lamia_gql.storage.cancellation import CancellableRead, Stopped
from lamia_gql.storage.database import Database
from lamia_gql.storage.operation_reads import OperationReads
from tests.conftest import Serve
from tests.support.statements import watched
from tests.support.waiting import until, until_async

FOREVER = """WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)
  SELECT count(*) FROM forever"""
SOON = 10.0
"""Seconds by which on any machine all has long happened, and which a statement above outlasts."""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with one reader, so that one that is stuck keeps all others out."""
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
    """A read whose reader is cancelled ends in the database, too."""
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
    running = asyncio.create_task(database.run_read(reading))
    assert await asyncio.to_thread(between.wait, SOON)
    database.stop(reading)
    stopped.set()
    async with asyncio.timeout(SOON):
        with pytest.raises(Stopped):
            await running
        assert await database.read(one) == 1


async def test_stop_of_all_reads(database: Database) -> None:
    """All reads of an operation end together, those that wait and those to come included."""
    reads = OperationReads(database, 7)
    running: list[asyncio.Task[Any]]
    with watched() as statements:
        running = [asyncio.create_task(reads.read(forever)) for _ in range(3)]
        await until_async(lambda: FOREVER in statements, "the first of them")
    reads.stop()
    running.append(asyncio.create_task(reads.read(one)))
    async with asyncio.timeout(SOON):
        for ended in await asyncio.gather(*running, return_exceptions=True):
            assert isinstance(ended, LimitExceeded)
            assert (ended.code, ended.limit) == (ErrorCode.TIMED_OUT, 7)
        assert await database.read(one) == 1


async def test_stop_after_the_end_is_nothing(database: Database) -> None:
    """A stop that comes too late neither harms nor waits."""
    reading = CancellableRead(one)
    assert await database.run_read(reading) == 1
    begin = time.monotonic()
    reading.stop()
    assert time.monotonic() - begin < SOON
    assert await database.read(one) == 1


def test_time_limit_over_the_wire(serve: Serve, database_url: str) -> None:
    """A query beyond the time limit is answered by one coded error; the next one is served."""
    server = serve(database_url, max_operation_time=0.000_001, database_connections=1)
    for _ in range(20):
        answer = server.request("{ tasks(first: 1) { nodes { tags } } }")
        assert answer.status_code == 400
        body = answer.json()
        assert "data" not in body
        (error,) = body["errors"]
        assert error["extensions"] == {"code": "TIMED_OUT", "limit": 0.000_001}
    assert server.get("/readyz").status_code == 200
    assert "never retrieved" not in server.log()
    assert "Traceback" not in server.log()


def test_time_limit_of_a_mutation(serve: Serve, database_url: str) -> None:
    """What a mutation wrote is stored, whatever the time limit: only reading it back is refused."""
    server = serve(database_url, max_operation_time=0.000_001)
    body = server.request(
        """mutation { createTask(input: { name: "t", processes: [{ name: "p" }] }) {
          task { name tags } userErrors { code } } }"""
    ).json()
    assert body["data"]["createTask"] is None or body["data"]["createTask"]["task"] is None
    assert {error["extensions"]["code"] for error in body["errors"]} == {"TIMED_OUT"}
    refused = server.try_create("t", {"name": "p"})
    assert [error["code"] for error in refused["userErrors"]] == ["NAME_TAKEN"]


def test_time_limit_frees_the_connection(serve: Serve, postgres_url: str) -> None:
    """A query that waits for a lock is answered in time, and waits in the database no longer."""
    server = serve(postgres_url, max_operation_time=0.5, database_connections=1)
    query = "{ tasks(first: 1) { totalCount nodes { id } } }"
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE task IN ACCESS EXCLUSIVE MODE")
        for _ in range(3):
            begin = time.monotonic()
            assert server.error(query)["extensions"]["code"] == "TIMED_OUT"
            assert time.monotonic() - begin < SOON
        # The purger, which looks for deleted tasks at the start, may wait: it has no time limit.
        waiting = """SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'
          AND query NOT LIKE '%deleted_at IS NOT NULL%'"""
        until(lambda: other.execute(waiting).fetchone() == (0,), "the statement still waits", SOON)
    assert server.graphql(query) == {"tasks": {"totalCount": 0, "nodes": []}}
    assert "Traceback" not in server.log()
