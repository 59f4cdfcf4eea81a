"""Statements that go past SQLAlchemy: they read what it reads, and fail as it fails."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from lamia_gql.domain.lifecycle import EventClass, Occurrence, summarise
from lamia_gql.domain.settings import load
from lamia_gql.ingest.event_statements import (
    INSERT_EVENTS,
    LOCK_TASKS,
    READ_JOBS,
    READ_PROCESSES,
    UPSERT_JOBS,
    WRITE_EVENTS,
)
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.task_totals import TaskCounts
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.storage.database import Database
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.engine import begin_write, create_engine
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.models import Event, Job, Task
from lamia_gql.storage.rows import (
    JOB_COLUMNS,
    PROCESS_COLUMNS,
    TASK_COLUMNS,
    EventRow,
    JobRow,
    ProcessRow,
    TaskRow,
)

TIME = datetime(2026, 11, 24, 12, 30, 0, 5, tzinfo=UTC)
KNOWN = Occurrence(str(uuid.uuid4()), EventClass.PROGRESS, TIME, 2, 12.5, "n1")
UNIQUE_AT_THE_END = "CREATE TABLE a (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
INSERT_AGAIN = """CREATE FUNCTION insert_again() RETURNS void LANGUAGE sql
  AS $$ INSERT INTO a VALUES (1) $$"""
CHECK = "INSERT INTO tag (task_id, name) VALUES (1, 'x')"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Either engine; there is a task with the id 1, with an array and a process."""
    database = Database(load(database_url=database_url))
    migrate(database.engine)
    spec = TaskSpec("t", [ProcessSpec("a", 1000, threshold=0.5), ProcessSpec("s")], comment="“ü”")
    database.write_blocking(create_tasks(load(), [spec], TIME))
    database.close()
    engine = create_engine(load(database_url=database_url))
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes."""
    with begin_write(engine) as connection:
        yield connection


def event(seq: int, id_: str = "") -> EventRow:
    """An event of the array."""
    return EventRow(
        *(1, seq, id_ or str(uuid.uuid4()), 0, 7, EventClass.BEAT, 0),
        *(None, TIME, None, None, None, None),
    )


def run(driver: Driver, statement: str, together: bool) -> None:
    """Run a statement, alone or together with another one."""
    if not together:
        driver.execute(statement)
        return
    with driver.together():
        driver.execute(statement)
        READ_JOBS.start(driver, [(1, 0, 1)])


def test_rows_are_those_that_sqlalchemy_reads(connection: Connection) -> None:
    """Each value has the same type and value, whether statements run together or not."""
    jobs = [JobRow.of((1, 0, index), summarise([KNOWN])) for index in (3, 4)]
    UPSERT_JOBS.run(connection, jobs)
    driver = Driver(connection)
    with driver.together():
        tasks = LOCK_TASKS.start(driver, [("t",), ("other",)])
        processes = READ_PROCESSES.start(driver, [("t", "s"), ("t", "a"), ("t", "x"), ("u", "s")])
    read = connection.execute(select(*TASK_COLUMNS)).all()
    assert tasks() == [TaskRow._make(row) for row in read]
    read = connection.execute(select(*PROCESS_COLUMNS)).all()
    expected = [ProcessRow._make(row) for row in read]
    assert sorted(map(repr, processes())) == sorted(map(repr, expected))
    keys = [(1, 0, 4), (1, 0, 3), (1, 0, 5), (1, 1, 3)]
    read = connection.execute(select(*JOB_COLUMNS)).all()
    found = READ_JOBS.run_on(driver, keys)
    assert sorted(map(repr, found)) == sorted(repr(JobRow._make(row)) for row in read)
    assert sorted(found) == jobs
    assert READ_JOBS.run_on(driver, [(1, 0, 5)]) == []


def test_nothing_is_written_beside_events_that_are_stored(connection: Connection) -> None:
    """Where an event is stored already, its job is not written, nor any other, nor its task."""
    driver = Driver(connection)
    stored = event(1)
    assert INSERT_EVENTS.run(connection, [stored]) == 1
    job = JobRow.of((1, 0, 7), summarise([KNOWN]))
    counts = TaskCounts(1, 9, 8, TIME)
    twice = [event(2), event(3, stored.id)]
    assert not WRITE_EVENTS.start(driver, (twice, [], [job], [], [counts]))()
    assert connection.scalars(select(Event.seq).order_by(Event.seq)).all() == [1, 2]
    assert connection.scalars(select(Job.job_index)).all() == []
    assert connection.scalars(select(Task.events).where(Task.id == 1)).all() == [0]
    assert WRITE_EVENTS.start(driver, ([event(3)], [], [job], [], [counts]))()
    assert connection.scalars(select(Job.job_index)).all() == [7]
    assert connection.scalars(select(Task.events).where(Task.id == 1)).all() == [8]


@pytest.mark.parametrize("together", [False, True])
def test_errors_are_those_of_sqlalchemy(engine: Engine, together: bool) -> None:
    """A key that exists is an IntegrityError, and the transaction can be rolled back."""
    connection = engine.connect()
    connection.begin()
    driver = Driver(connection)
    driver.execute(CHECK)
    with pytest.raises(IntegrityError):
        run(driver, CHECK, together)
    connection.close()
    with begin_write(engine) as connection:
        Driver(connection).execute(CHECK)


@pytest.mark.parametrize("together", [False, True])
def test_a_lost_connection_is_not_used_again(postgres_url: str, together: bool) -> None:
    """It is told apart from other errors, and the next transaction gets another one."""
    engine = create_engine(load(database_url=postgres_url))
    pid, end = "SELECT pg_backend_pid()", "SELECT pg_terminate_backend($1)"
    connection = engine.connect()
    driver = Driver(connection)
    [(mine,)] = driver.fetch(driver.execute(pid))
    with begin_write(engine) as other:
        Driver(other).execute(end, [mine])
    with pytest.raises(DBAPIError) as raised:
        run(driver, pid, together)
    connection.close()
    assert raised.value.connection_invalidated
    with begin_write(engine) as connection:
        driver = Driver(connection)
        assert driver.fetch(driver.execute(pid)) != [(mine,)]
    engine.dispose()


def test_what_follows_a_commit_does_not_undo_it(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is another transaction: its error is logged. That of COMMIT itself is raised.

    It may fail only at its end, as one with a NOTIFY does while PostgreSQL has too many of them.
    """
    database = create_engine(load(database_url=postgres_url))
    with database.connect() as connection:
        driver = Driver(connection)
        driver.execute(UNIQUE_AT_THE_END)
        driver.execute(INSERT_AGAIN)
        assert driver.commit(afterwards=["SELECT 7", "SELECT pg_notify('c', '')"]) == ["7", ""]
        driver.execute("INSERT INTO a VALUES (1)")
        assert driver.commit(afterwards=["SELECT 7", "SELECT 1 / 0", "SELECT 8"]) == ["7"]
        assert "division by zero" in caplog.text
        caplog.clear()
        driver.execute("SELECT")
        assert driver.commit(afterwards=["SELECT 7", "SELECT insert_again()"]) == ["7"]
        assert "duplicate key" in caplog.text
        caplog.clear()
        driver.execute("INSERT INTO a VALUES (1), (2)")
        with pytest.raises(IntegrityError):
            driver.commit(afterwards=["INSERT INTO a VALUES (3)"])
        connection.rollback()
        assert list(connection.exec_driver_sql("SELECT i FROM a").scalars()) == [1]
    assert caplog.text == ""
    database.dispose()
