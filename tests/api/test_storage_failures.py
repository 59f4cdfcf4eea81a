"""Failures of the storage are answered 503, and no acknowledged event is lost."""

from __future__ import annotations

import resource
import sqlite3
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine.default import DefaultDialect

from lamia_gql.domain.errors import Unavailable
from lamia_gql.domain.settings import load
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.storage.database import Database
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.rows import TaskRow
from lamia_gql.storage.transaction import WriteTransaction
from tests.support.harness import SUBMIT_EVENT, Server, StartServer, rest_errors, run_cli
from tests.support.waiting import until

FULL_DISK = """
  CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
  CREATE TRIGGER fail BEFORE UPDATE ON task EXECUTE FUNCTION fail()"""
"""Lets tasks be changed no more."""
OTHER_FORMS = (
    "array_nulls = off",
    "datestyle = 'German'",
    "extra_float_digits = -5",
    "standard_conforming_strings = off",
    "timezone = 'Iran'",
    "transform_null_equals = on",
)
"""What a database or its user may have set, for other programs."""


def submit(server: Server, **fields: Any) -> tuple[int, Any]:
    """The status and body of the answer to an event."""
    event = {"task": "t", "process": "p", "eventClass": "BEAT", **fields}
    response = server.request(SUBMIT_EVENT, {"input": event})
    return response.status_code, response.json()


def test_full_disk(start_server: StartServer, sqlite_url: str) -> None:
    """A full disk is answered 503; once there is room, the same event is accepted."""
    server = start_server(sqlite_url)
    server.create("t", {"name": "p"})
    server.submit("t", "p", "STARTED")
    wal = Path(server.database_url.removeprefix("sqlite:///") + "-wal")
    full = wal.stat().st_size
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    mine = str(uuid.uuid4())
    status, body = submit(server, id=mine)
    assert status == 503
    assert body["errors"][0]["extensions"]["code"] == "STORAGE_FAILED"
    assert "try again" in body["errors"][0]["message"]
    by_rest = server.rest("POST", "/t/p/event", {"eventClass": "BEAT"})
    assert (by_rest.status_code, by_rest.json()["created"]) == (503, False)
    assert rest_errors(by_rest) == [("STORAGE_FAILED", None)]
    # What needs no writing goes on.
    count = '{ task(name: "t") { events(first: 1) { totalCount } } }'
    assert server.graphql(count)["task"]["events"]["totalCount"] == 1

    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
    status, body = submit(server, id=mine)
    assert (status, body["data"]["submitEvent"]["duplicate"]) == (200, False)
    assert server.graphql(count)["task"]["events"]["totalCount"] == 2
    server.check_counters()


def test_a_damaged_file(start_server: StartServer, sqlite_url: str) -> None:
    """What can't be read or written is answered 503: no client takes it for its own fault."""
    server = start_server(sqlite_url)
    server.create("t", {"name": "p"})
    # So that everything is in the file itself.
    server.stop()
    server.start()
    with Path(sqlite_url.removeprefix("sqlite:///")).open("r+b") as file:
        for page in range(4096, file.seek(0, 2), 4096):
            file.seek(page)
            file.write(b"\xde\xad" * 500)
    query = server.request('{ task(name: "t") { name } }')
    assert query.status_code == 503
    assert query.json()["errors"][0]["extensions"]["code"] == "STORAGE_FAILED"
    assert submit(server)[0] == server.rest("PUT", "/t", {"comment": "x"}).status_code == 503


def test_the_file_is_deleted_and_put_back(start_server: StartServer, tmp_path: Path) -> None:
    """No event is acknowledged while the database file is missing; a restored copy is served."""
    folder = tmp_path / "data"
    folder.mkdir()
    server = start_server(f"sqlite:///{folder}/lamia.sqlite")
    server.create("t", {"name": "p"})
    server.submit("t", "p", "STARTED")
    copy = sqlite3.connect(tmp_path / "copy.sqlite")
    with sqlite3.connect(folder / "lamia.sqlite") as original:
        original.backup(copy)
    original.close()
    copy.close()

    remove(folder)
    mine = str(uuid.uuid4())
    for _ in range(2):
        status, body = submit(server, id=mine)
        assert (status, body["errors"][0]["extensions"]["code"]) == (503, "STORAGE_FAILED")
    until(lambda: server.get("/readyz").status_code == 503, "not ready")

    remove(folder)
    (tmp_path / "copy.sqlite").rename(folder / "lamia.sqlite")
    status, body = submit(server, id=mine)
    assert (status, body["data"]["submitEvent"]["duplicate"]) == (200, False)
    count = '{ task(name: "t") { events(first: 1) { totalCount } } }'
    assert server.graphql(count)["task"]["events"]["totalCount"] == 2
    until(lambda: server.get("/readyz").status_code == 200, "ready")
    server.check_counters()


def remove(folder: Path) -> None:
    """Delete all files of a folder."""
    for file in folder.iterdir():
        file.unlink()


def test_database_goes_away_and_comes_back(start_server: StartServer, postgres_url: str) -> None:
    """Terminated database connections are replaced; at most one request fails with 503."""
    server = start_server(postgres_url)
    server.create("t", {"name": "p"})
    for _ in range(3):
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        statuses = [submit(server)[0] for _ in range(3)]
        assert set(statuses) <= {200, 503}
        assert statuses[-1] == 200
    until(lambda: server.get("/readyz").status_code == 200, "ready")
    server.check_counters()


@pytest.mark.parametrize("past_sqlalchemy", [False, True])
async def test_rows_that_nobody_read_keep_no_old_state(
    database_url: str, past_sqlalchemy: bool
) -> None:
    """Whoever has the connection after a failure sees what was committed since."""
    database = Database(load(database_url=database_url, database_connections=1))
    writing = Database(load(database_url=database_url))
    migrate(database.engine)
    kept: list[object] = []

    def add(name: str) -> Callable[[WriteTransaction], list[TaskRow]]:
        return create_tasks(load(), [TaskSpec(name, [ProcessSpec("p")])], datetime.now(UTC))

    def fail(connection: Connection) -> None:
        if past_sqlalchemy:
            connection.begin()
            kept.append(Driver(connection).execute("SELECT name FROM task"))
        else:
            kept.append(connection.execute(text("SELECT name FROM task")))
        raise ZeroDivisionError

    def count(connection: Connection) -> int:
        found: int = connection.scalar(text("SELECT count(*) FROM task"))
        return found

    for name in "ab":
        await writing.write(add(name))
    with pytest.raises(ZeroDivisionError):
        await database.read(fail)
    await writing.write(add("c"))
    assert await database.read(count) == 3
    assert kept
    database.close()
    writing.close()


async def test_connection_ends_after_the_last_row(postgres_url: str) -> None:
    """What was read before is the result, and the next read has another connection."""
    database = Database(load(database_url=postgres_url, database_connections=1))

    def read_and_be_cut(connection: Connection) -> int:
        pid: int = connection.scalar(text("SELECT pg_backend_pid()"))
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
            here = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
            until(lambda: other.execute(here, [pid]).fetchone() == (0,), "its end")
        return pid

    first = await database.read(read_and_be_cut)
    assert await database.read(read_and_be_cut) != first
    database.close()


def test_texts_are_utf_8_whatever_the_client_is_told(
    start_server: StartServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the environment nor the database changes the encoding of the connections."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE \"{name}\" SET client_encoding = 'LATIN1'".encode())
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    server = start_server(postgres_url)
    server.create("задача", {"name": "p"}, comment="“жук” 🐞")
    payload = server.try_submit("задача", "жук", "BEAT")
    assert [error["code"] for error in payload["userErrors"]] == ["PROCESS_NOT_FOUND"]
    server.submit("задача", "p", "BEAT", payload={"текст": "🐞"})
    task = server.graphql("""{ task(name: "задача") { comment
      events(first: 1) { nodes { payload } } } }""")["task"]
    assert task == {"comment": "“жук” 🐞", "events": {"nodes": [{"payload": {"текст": "🐞"}}]}}


def test_another_writer_that_does_not_end(start_server: StartServer, sqlite_url: str) -> None:
    """Events and edits are refused after ``database_timeout``, and the server goes on."""
    server = start_server(sqlite_url, database_timeout=2)
    server.create("t", {"name": "p"})
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    status, body = submit(server)
    assert (status, body["errors"][0]["extensions"]["code"]) == (503, "BUSY")
    assert server.rest("PUT", "/t", {"comment": "x"}).status_code == 503
    other.close()
    # On a busy disk, it may take longer than that once.
    until(lambda: submit(server)[0] == 200, server.log)
    server.check_counters()


def test_another_writer_on_the_same_file(sqlite_server: Server) -> None:
    """While another process holds the file's write lock, events wait."""
    server = sqlite_server
    server.create("t", {"name": "p"})
    other = sqlite3.connect(
        server.database_url.removeprefix("sqlite:///"),
        isolation_level=None,
        check_same_thread=False,
    )
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(1.0, lambda: other.execute("ROLLBACK"))
    timer.start()
    assert submit(server)[0] == 200
    timer.join()
    other.close()
    server.check_counters()


def test_a_command_says_why_it_failed(start_server: StartServer, postgres_url: str) -> None:
    """The reason of the database, in a sentence."""
    start_server(postgres_url).create("t", {"name": "p"})
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE task SET received_at = received_at - interval '2 days'")
        connection.execute(FULL_DISK)
    done = run_cli("prune", database_url=postgres_url, retention_unfinished_days=1)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "The database can't be used: No space left on device."
    assert "Traceback" not in done.stderr


def test_values_are_the_same_whatever_the_user_has_set(
    start_server: StartServer, postgres_url: str
) -> None:
    """The forms of times, numbers and missing values are those that the server sets."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        for setting in OTHER_FORMS:
            connection.execute(f'ALTER DATABASE "{name}" SET {setting}'.encode())
    server = start_server(postgres_url)
    server.create("t", {"name": "p", "threshold": 1000})
    begun = datetime.now(UTC)
    server.submit("t", "p", "BEAT", progress=123.456789012345)
    job = server.graphql("""{ process(task: "t", name: "p") { ... on SolitaryProcess {
      job { progress { current } lastEventAt } } } }""")["process"]["job"]
    assert job["progress"]["current"] == 123.456789012345
    assert begun <= datetime.fromisoformat(job["lastEventAt"]) <= datetime.now(UTC)
    assert run_cli("check", database_url=postgres_url).returncode == 0


async def test_a_refused_commit_of_a_write_that_tells_nobody(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is handed on without what it has written."""
    settings = load(database_url=database_url)
    database = Database(settings)
    migrate(database.engine)
    original: Any = DefaultDialect.do_commit

    def write(word: str) -> Callable[[WriteTransaction], None]:
        statement = text(f"CREATE TABLE {word} (place INTEGER)")

        def work(transaction: WriteTransaction) -> None:
            transaction.connection.execute(statement)

        return work

    def refuse(dialect: DefaultDialect, _connection: Any) -> None:
        monkeypatch.setattr(DefaultDialect, "do_commit", original)
        raise (
            sqlite3.OperationalError("disk I/O error")
            if dialect.name == "sqlite"
            else psycopg.errors.QueryCanceled("canceling statement")
        )

    try:
        monkeypatch.setattr(DefaultDialect, "do_commit", refuse)
        with pytest.raises(Unavailable):
            await database.write(write("refused"))
        await database.write(write("stored"))
        names = inspect(database.engine).get_table_names()
        assert "stored" in names
        assert "refused" not in names
    finally:
        database.close()
