"""An existing PostgreSQL gets its partitions while servers of the version before write to it."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from lamia_gql.storage.migrations import HEAD, SERVER_LOCK_ID
from lamia_gql.storage.partitions import PARTITIONED, WIDTH
from tests.support.harness import StartServer, environment_with, run_cli
from tests.support.sample_task import create_sample_task
from tests.support.waiting import until

WHOLE = "2026_11_28_usage"
"""The revision before."""
INSERT = b"""INSERT INTO event
    (task_id, seq, id, process_number, job_index, event_class, attempt, received_at)
    SELECT id, $2, $1, 0, 0, 'BEAT', 0, now() FROM task WHERE name = 'night'
    ON CONFLICT (task_id, id) DO NOTHING"""


def migrate(url: str, revision: str) -> None:
    """As an operator does."""
    done = run_cli("migrate", f"--revision={revision}", "--yes", database_url=url)
    assert done.returncode == 0, done.stderr


class Writer:
    """Writes events by one prepared statement, as a server of the version before does."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET plan_cache_mode = force_generic_plan")
        self._connection.execute("SELECT pg_advisory_lock_shared(%s)", (SERVER_LOCK_ID,))
        self._stopping = threading.Event()
        self.written = 0

    def _run(self) -> None:
        cursor = psycopg.RawCursor(self._connection)
        while not self._stopping.is_set():
            cursor.execute(INSERT, (uuid.uuid4(), 1_000 + self.written), prepare=True)
            assert cursor.rowcount == 1
            self.written += 1

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write during the block."""
        thread = threading.Thread(target=self._run)
        thread.start()
        yield
        self._stopping.set()
        thread.join()
        self._connection.close()


def rows(database: psycopg.Connection) -> list[int]:
    """How many rows the tables have."""
    counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in PARTITIONED)
    return list(database.execute(f"SELECT {counts}".encode()).fetchone() or ())


def kinds(database: psycopg.Connection) -> list[str]:
    """Which of the tables are partitioned: p, else r."""
    query = "SELECT relkind::text FROM pg_class WHERE oid = ANY (%s::regclass[]) ORDER BY relname"
    return [kind for (kind,) in database.execute(query, (list(PARTITIONED),))]


@pytest.mark.slow
def test_while_others_write(start_server: StartServer, postgres_url: str) -> None:
    """Nothing is lost or refused, also where the migration was killed once; and it can go back."""
    server = start_server(postgres_url)
    create_sample_task(server)
    server.stop()
    migrate(postgres_url, WHOLE)
    writer = Writer(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as database:
        assert kinds(database) == ["r"] * 3
        database.execute("GRANT SELECT ON event TO pg_monitor")
        begun = rows(database)
        with writer.writing():
            with psycopg.connect(postgres_url) as reader:
                reader.execute("SELECT count(*) FROM sample")
                command = (sys.executable, "-m", "lamia_gql", "migrate")
                environment = environment_with({"database_url": postgres_url})
                killed = subprocess.Popen(command, env=environment)
                until(lambda: kinds(database) == ["p", "p", "r"], "partitions")
                killed.kill()
                killed.wait()
                # So many tasks meanwhile that their partition would be longer if it were made now.
                database.execute("SELECT setval('task_id_seq', %s)", (WIDTH // 2 + 1,))
            migrate(postgres_url, "head")
            written = writer.written
            until(lambda: writer.written > written, "events")
        assert kinds(database) == ["p"] * 3
        begun[0] += writer.written
        assert rows(database) == begun
        bounds = (
            "SELECT DISTINCT pg_get_expr(relpartbound, oid) FROM pg_class"
            " WHERE relname LIKE '%_r0' AND relkind = 'r'"
        )
        assert database.execute(bounds).fetchall() == [
            (f"FOR VALUES FROM (MINVALUE) TO ('{WIDTH}')",)
        ]
        granted = "SELECT has_table_privilege('pg_monitor', 'event', 'SELECT')"
        assert database.execute(granted).fetchone() == (True,)
        migrate(postgres_url, WHOLE)
        assert (kinds(database), rows(database)) == (["r"] * 3, begun)
        migrate(postgres_url, "head")
        assert rows(database) == begun
        revision = database.execute("SELECT version_num FROM alembic_version").fetchone()
        assert revision == (HEAD,)
