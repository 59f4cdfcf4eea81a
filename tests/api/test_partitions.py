"""On PostgreSQL, tasks of one time share partitions, which are dropped when all of them may go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest

from lamia_gql.storage.partitions import PARTITIONED, WIDTH
from tests.api.test_retention import age, names
from tests.support.harness import Server, StartServer
from tests.support.waiting import until

EVENTS = """query($name: String!) { task(name: $name) { id state progress { ratio }
  process(name: "p") { timeline(points: 2) { counts { done } } }
  events(first: 10) { totalCount nodes { uuid eventClass } } } }"""
KEEP = {
    "retention_succeeded_days": 8,
    "retention_tags": "keep=365",
    "prune_interval": 0.2,
    "log_level": "info",
}
"""A new range begins each day; the rows of an expired task wait for two days at most."""


@pytest.fixture
def database(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A connection to the database, beside the server."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def count(database: psycopg.Connection, table: str) -> int | None:
    """The rows of a table, or of a partition; None if it does not exist."""
    try:
        rows = database.execute(f"SELECT count(*) FROM {table}".encode())
    except psycopg.errors.UndefinedTable:
        return None
    [number] = rows.fetchone() or [0]
    return int(number)


def partitions(database: psycopg.Connection, number: int) -> list[int | None]:
    """The rows of the partitions of a range: events, jobs, and whether there are samples."""
    events, jobs, samples = (count(database, f"{table}_r{number}") for table in PARTITIONED)
    return [events, jobs, samples and 1]


def run_task(server: Server, name: str, *tags: str) -> None:
    """A task of two jobs that has succeeded."""
    server.create(name, {"name": "p", "jobCount": 2}, tags=list(tags))
    for index in range(2):
        server.submit(name, "p", "DONE", index=index)


@contextmanager
def restarted(server: Server) -> Iterator[None]:
    """Change the database while the server is stopped: it looks at the ranges when it starts."""
    server.stop()
    yield
    server.start()


def test_ranges_begin_and_go(
    start_server: StartServer, postgres_url: str, database: psycopg.Connection
) -> None:
    """Tasks of another day are in partitions of their own, and those of an old day are dropped."""
    server = start_server(postgres_url, **KEEP)
    run_task(server, "old")
    run_task(server, "kept", "keep")
    kept = server.graphql(EVENTS, name="kept")
    with restarted(server):
        age(server, 1.5, "old")
        age(server, 1.5, "kept")
    until(lambda: f"from id {WIDTH} on" in server.log(), server.log)
    run_task(server, "next")
    assert partitions(database, 1) == [2, 2, 1]
    assert partitions(database, 0) == [4, 4, 1]
    assert server.graphql(EVENTS, name="kept") == kept
    assert names(server) == {"old", "kept", "next"}

    # Where a task is kept for longer, the rows of the others wait for a while, and go.
    with restarted(server):
        age(server, 9, "old")
        age(server, 9, "kept")
    until(lambda: names(server) == {"kept", "next"}, server.log)
    assert count(database, "event_r0") == 4
    database.execute("UPDATE task SET deleted_at = deleted_at - %s", (timedelta(days=3),))
    until(lambda: count(database, "task") == 2, server.log)
    assert partitions(database, 0) == [2, 2, 1]
    assert server.graphql(EVENTS, name="kept") == kept

    # Events do not wait for a partition that cannot be dropped yet, because somebody reads it.
    with psycopg.connect(postgres_url) as reader:
        reader.execute("SELECT count(*) FROM event")
        with restarted(server):
            age(server, 366, "kept")
        until(lambda: names(server) == {"next"}, server.log)
        until(lambda: "a lock was not available in time" in server.log(), server.log)
        for _ in range(50):
            server.submit("next", "p", "BEAT", index=0)
        assert count(database, "event_r0") == 2
    until(lambda: count(database, "event_r0") is None, server.log)
    until(lambda: count(database, "task") == 1, server.log)
    assert partitions(database, 0) == [None] * 3
    assert partitions(database, 1) == [52, 2, 1]
    server.submit("next", "p", "BEAT", index=1)
    server.check_counters()


def test_who_creates_tasks_does_not_wait(
    start_server: StartServer, postgres_url: str, database: psycopg.Connection
) -> None:
    """While somebody keeps an id from being committed, for which a new range waits."""
    server = start_server(postgres_url, **KEEP)
    run_task(server, "old")
    with psycopg.connect(postgres_url) as other:
        with restarted(server):
            age(server, 1.5, "old")
            other.execute("SELECT nextval('task_id_seq')")
        until(lambda: "a lock was not available in time" in server.log(), server.log)
        run_task(server, "meanwhile")
        assert count(database, "event_r1") is None
    until(lambda: f"from id {WIDTH} on" in server.log(), server.log)
    run_task(server, "next")
    assert [count(database, f"event_r{number}") for number in range(2)] == [4, 2]


def test_ids_end(
    start_server: StartServer, postgres_url: str, database: psycopg.Connection
) -> None:
    """Where tasks are kept for ever, the next range begins when the ids of the last one end."""
    server = start_server(postgres_url)
    run_task(server, "first")
    with restarted(server):
        age(server, 1_000, "first")
        database.execute("SELECT setval('task_id_seq', %s)", (WIDTH - 2,))
    until(lambda: count(database, "event_r1") == 0, server.log)
    for name in "second", "third":
        run_task(server, name)
    assert [count(database, f"event_r{number}") for number in range(3)] == [4, 2, None]
    server.check_counters("second", "third")


def test_deleted_tasks_go_at_once(
    start_server: StartServer, postgres_url: str, database: psycopg.Connection
) -> None:
    """What a user deletes among the tasks of today does not wait, whatever is kept for how long."""
    server = start_server(postgres_url, **KEEP)
    run_task(server, "mistake")
    server.rest("DELETE", "/mistake")
    until(lambda: count(database, "task") == 0, server.log)
    assert partitions(database, 0) == [0, 0, 0]
