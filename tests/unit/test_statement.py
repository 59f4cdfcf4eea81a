"""Statements whose text is made once: they read what SQLAlchemy reads, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from operator import itemgetter

import pytest
from sqlalchemy import Connection, Engine, bindparam, select, update
from sqlalchemy.exc import DBAPIError

from lamia_gql.domain.progress import State
from lamia_gql.domain.settings import load
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.storage.database import Database
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.engine import create_engine
from lamia_gql.storage.key_table import INT, key_table
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.models import Process, Task
from lamia_gql.storage.statement import Statement

PLACE = itemgetter(-1, 1)
TIME = datetime(2026, 11, 24, 12, 30, 0, 5, tzinfo=UTC)
NAMES = ("a", "b", "c")
COMMENT = "100%\t\x1f\x7f\"\\/'é\u2028🐑"
THRESHOLDS = (1 / 3, 0.1, 5.0, 2e-8 / 3, 12345678.987654321, None)
"""Some of them need 17 digits."""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Either engine; there are the tasks ``a``, ``b`` and ``c``."""
    database = Database(load(database_url=database_url))
    migrate(database.engine)
    processes = [ProcessSpec(f"p{n}", 9, threshold=each) for n, each in enumerate(THRESHOLDS)]
    specs = [TaskSpec(name, processes, comment=COMMENT) for name in NAMES]
    database.write_blocking(create_tasks(load(), specs, TIME))
    database.close()
    engine = create_engine(load(database_url=database_url))
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection whose transaction has not begun."""
    with engine.connect() as connection:
        yield connection


def test_values_are_those_of_sqlalchemy(connection: Connection) -> None:
    """With constants of all kinds, lists of them, and parameters."""
    chosen = (
        select(Task.name, Task.received_at, Task.comment)
        .where(
            Task.state.in_([State.PENDING, State.FAILED]),
            Task.received_at <= TIME,
            Task.comment == COMMENT,
            Task.deleted_at.is_(None),
        )
        .order_by(Task.name.desc())
        .limit(bindparam("size", required=False))
    )
    statement = Statement(chosen)
    for size in (2, 1, 3):
        expected = connection.execute(chosen, {"size": size}).all()
        assert [tuple(row) for row in statement.values(connection, size=size)] == expected
        assert len(expected) == size
    assert expected[0] == ("c", TIME, COMMENT)


def test_rows_of_keys_are_the_same_in_whatever_form_they_come(connection: Connection) -> None:
    """SQLite gives those of eight keys as one text of JSON, with each float and text as it is."""
    k = key_table(id=INT)
    columns = (Process.threshold, Process.number, Task.comment, Task.deleted_at, k.c.place)
    processes = select(*columns).join(k, Process.task_id == k.c.id).join(Task, Task.id == k.c.id)
    statement, keys = Statement(processes), [(task_id,) for task_id in (*range(1, 12), 2)]
    for some in (keys, keys[:1], []):
        found = sorted(map(tuple, statement.fetch_keyed(connection, keys=some)), key=PLACE)
        assert found == sorted(statement.fetch(connection, keys=some), key=PLACE)
        assert found == [
            (threshold, number, COMMENT, None, place)
            for place, (task_id,) in enumerate(some)
            if task_id <= len(NAMES)
            for number, threshold in enumerate(THRESHOLDS)
        ]


def test_the_form_of_a_statement_may_depend_on_the_engine(connection: Connection) -> None:
    """It is asked for the form of the engine only."""
    asked = []

    def form(engine: str) -> object:
        asked.append(engine)
        return select(Task.name).order_by(Task.name).limit(1)

    statement = Statement(form)  # type: ignore[arg-type] # a function of less exact type
    for _ in range(2):
        assert statement.fetch(connection) == [("a",)]
    assert asked == [connection.dialect.name]


def test_parameters_are_neither_forgotten_nor_unknown(connection: Connection) -> None:
    """NULL in place of a forgotten one would find nothing, without a word."""
    k = key_table(id=INT)
    statement = Statement(select(Task.name).join(k, Task.id == k.c.id))
    assert statement.fetch(connection, keys=[(1,)]) == [("a",)]
    with pytest.raises(TypeError, match="keys"):
        statement.fetch(connection)
    with pytest.raises(TypeError, match="size"):
        statement.fetch(connection, keys=[], size=1)


def test_what_was_not_read_keeps_no_state(engine: Engine) -> None:
    """A stream that is left early is closed, and the transaction ends with the connection."""
    statement = Statement(select(Task.name, Task.events).order_by(Task.name))
    with engine.connect() as connection:
        with statement.stream(connection) as rows:
            assert next(rows) == ("a", 0)
        with engine.begin() as other:
            other.execute(update(Task).values(events=7))
        # Still in the transaction that has begun with the first statement, on SQLite.
        seen = {events for _, events in statement.fetch(connection)}
        assert seen == ({0} if Driver(connection).is_sqlite else {7})
    with engine.connect() as connection:
        assert statement.fetch(connection) == [(name, 7) for name in NAMES]


def test_statements_past_sqlalchemy_and_with_it_share_a_transaction(engine: Engine) -> None:
    """Whichever comes first."""
    statement = Statement(select(Task.events).limit(1))
    for past_first in (True, False):
        with engine.connect() as connection:
            for past in (past_first, not past_first):
                found = (
                    statement.fetch(connection)
                    if past
                    else connection.execute(select(Task.events).limit(1)).all()
                )
                assert found == [(0,)]


def test_errors_are_those_of_sqlalchemy(connection: Connection) -> None:
    """The table is gone."""
    statement = Statement(select(Task.name))
    Driver(connection).execute("ALTER TABLE task RENAME TO job_list")
    with pytest.raises(DBAPIError, match="task"):
        statement.fetch(connection)
