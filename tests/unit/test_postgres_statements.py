"""What is sent to PostgreSQL past its driver: prepared statements, and several at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from lamia_gql.domain.settings import load
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.postgres_statements import MAX_KNOWN
from tests.support.waiting import until

PREPARED = "SELECT count(*) FROM pg_prepared_statements"
NAMES = "SELECT statement FROM pg_prepared_statements"
INSERT = "INSERT INTO number VALUES (CAST($1 AS int))"
NUMBERS = "SELECT n FROM number ORDER BY n"
SLEEP = "SELECT pg_sleep(20)"
RUNNING = f"SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query = '{SLEEP}'"
LARGE = 1 << 22


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    """An engine; there is an empty table."""
    engine = create_engine(load(database_url=postgres_url))
    with engine.begin() as connection:
        Driver(connection).execute("CREATE TABLE number (n int PRIMARY KEY)")
    yield engine
    engine.dispose()


@contextmanager
def transaction(engine: Engine) -> Iterator[Driver]:
    """A transaction, on the one connection that there is."""
    with engine.begin() as connection:
        yield Driver(connection)


def values(driver: Driver, statement: str) -> list[object]:
    """The first column of a statement."""
    return [row[0] for row in driver.fetch(driver.execute(statement))]


def insert(driver: Driver, *numbers: int, before: str = "SELECT 1") -> list[int]:
    """Insert numbers, and read all of them together with that."""
    with driver.together():
        driver.execute(before)
        written = [driver.execute(INSERT, [number]) for number in numbers]
        found = driver.execute(NUMBERS)
    assert [cursor.rowcount for cursor in written] == [1] * len(numbers)
    return [number for (number,) in driver.iterate(found)]


def test_statements_that_are_run_again_are_prepared(engine: Engine) -> None:
    """A number of them; a transaction that fails changes nothing."""
    half = range(MAX_KNOWN // 2)
    for _ in range(3):
        with transaction(engine) as driver:
            assert [values(driver, f"SELECT {number}") for number in half] == [[n] for n in half]
        with pytest.raises(DBAPIError), transaction(engine) as driver:
            driver.execute("SELECT 1 / 0")
    with transaction(engine) as driver:
        assert values(driver, PREPARED) == [len(half) + 1]
        for number in range(2 * MAX_KNOWN):
            for _ in range(2):
                assert values(driver, f"SELECT {number}") == [number]
        # This one is the last of those that are known.
        assert values(driver, PREPARED) == [MAX_KNOWN - 1]


def test_statements_are_forgotten_though_transactions_fail(engine: Engine) -> None:
    """The database does not keep those for ever that had to make room in one that failed."""
    for _ in range(2):
        with transaction(engine) as driver:
            for number in range(MAX_KNOWN):
                values(driver, f"SELECT {number}")
    for number in range(MAX_KNOWN):
        with pytest.raises(DBAPIError), transaction(engine) as driver:
            insert(driver, number, before=f"SELECT {number} / 0")
    with transaction(engine) as driver:
        assert len(values(driver, NAMES)) <= 2


@pytest.mark.parametrize(
    "change",
    ["ALTER TABLE number ALTER COLUMN n TYPE bigint", "DEALLOCATE ALL"],
    ids=["of another type", "forgotten"],
)
def test_a_statement_that_must_be_prepared_anew_fails_once(engine: Engine, change: str) -> None:
    """A connection does not fail for ever, whatever others do to its session or the tables."""
    for _ in range(2):
        with transaction(engine) as driver:
            assert values(driver, NUMBERS) == []
    with transaction(engine) as driver:
        driver.execute(change)
    with pytest.raises(DBAPIError), transaction(engine) as driver:
        values(driver, NUMBERS)
    for _ in range(2):
        with transaction(engine) as driver:
            assert values(driver, NUMBERS) == []


def test_statements_that_run_together_fail_together(engine: Engine) -> None:
    """The error is that of the first one that fails, whether it was prepared before or not."""
    for number in range(10, 14):
        with pytest.raises(IntegrityError), transaction(engine) as driver:
            insert(driver, 1, 1, 2)
        with transaction(engine) as driver:
            assert insert(driver, number) == list(range(10, number + 1))


def test_large_statements_run_together(engine: Engine) -> None:
    """PostgreSQL sends answers while it is sent the rest, so neither waits for the other."""
    text = "x" * LARGE
    with transaction(engine) as driver:
        with driver.together():
            found = [driver.execute("SELECT CAST($1 AS text)", [text]) for _ in range(8)]
            driver.flush()
        for cursor in found:
            assert driver.fetch(cursor) == [(text,)]


def test_a_statement_ends_when_its_user_interrupts_it(engine: Engine) -> None:
    """By Ctrl-C: it does not go on in the database, and its transaction is rolled back."""

    def running() -> list[object]:
        with transaction(engine) as driver:
            return values(driver, RUNNING)

    def interrupt() -> None:
        until(running, "the statement runs")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt), transaction(engine) as driver:
        insert(driver, 1, before=SLEEP)
    thread.join()
    assert not running()
    with transaction(engine) as driver:
        assert insert(driver, 2) == [2]
