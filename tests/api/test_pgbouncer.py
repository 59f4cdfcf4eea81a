"""A server whose transactions go through a real PgBouncer, in transaction mode."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from lamia_gql.domain.settings import load
from lamia_gql.storage.database import Database
from lamia_gql.storage.engine import FIND_BY_KEY
from tests.api.test_failover import JOBS, Jobs
from tests.support.harness import StartServer, run_cli
from tests.support.live_clients import BEGINNING, EVENTS, WebSocketClient
from tests.support.pgbouncer import POOL_SIZE, PgBouncer, pgbouncer
from tests.support.waiting import until

ALIKE = 12
"""So many clients write at once: more than there are connections."""


@pytest.fixture
def bouncer(tmp_path: Path, bare_postgres_url: str) -> Iterator[PgBouncer]:
    """A PgBouncer before a fresh database."""
    with pgbouncer(tmp_path, bare_postgres_url) as bouncer:
        yield bouncer


@pytest.fixture
def bouncer_url(bouncer: PgBouncer) -> str:
    """Its address."""
    return bouncer.url


def show(connection: Connection, *names: str) -> list[Any]:
    """Run-time parameters, as they are in this transaction."""
    return [connection.scalar(text(f"SHOW {name}")) for name in names]


def test_each_transaction_has_its_parameters(bare_postgres_url: str, bouncer_url: str) -> None:
    """Whatever the one before it on the same connection to the database had."""
    settings = load(
        database_url=bouncer_url, listen_database_url=bare_postgres_url, database_timeout=7
    )
    database = Database(settings)
    reading = ("transaction_isolation", "transaction_read_only", "timezone", "enable_seqscan")
    writing = ("lock_timeout", "idle_in_transaction_session_timeout", *FIND_BY_KEY)
    for _ in range(2 * POOL_SIZE):
        assert database.read_blocking(lambda c: show(c, *reading)) == [
            "repeatable read",
            "on",
            "UTC",
            "on",
        ]
        found = database.write_blocking(lambda t: show(t.connection, *reading[:3], *writing))
        assert found == ["read committed", "off", "UTC", "7s", "7s", *FIND_BY_KEY.values()]
    database.close()


async def test_two_servers_share_few_connections(
    start_server: StartServer, bare_postgres_url: str, bouncer_url: str
) -> None:
    """They write, read and push; all checks are well; and nothing is left behind in a session."""
    settings = {"database_url": bouncer_url, "listen_database_url": bare_postgres_url}
    assert run_cli("migrate", **settings).returncode == 0
    one, two = (
        start_server(bouncer_url, listen_database_url=bare_postgres_url, retention_failed_days=1)
        for _ in range(2)
    )
    one.create("t", {"name": "p", "jobCount": ALIKE})

    def send(index: int) -> list[str]:
        server = (one, two)[index % 2]
        ids = [str(uuid.uuid4()) for _ in range(10)]
        events = [
            {"task": "t", "process": "p", "index": index, "eventClass": "BEAT", "id": i}
            for i in ids
        ]
        # One by one, then all again at once.
        for event in events:
            server.submit_many([event])
        assert all(result["duplicate"] for result in server.submit_many(events))
        assert server.process("t", "p")["counts"]["running"] > 0
        return ids

    async with WebSocketClient(two.url) as client:
        await client.subscribe("1", EVENTS, task="t", after=BEGINNING)
        with ThreadPoolExecutor(ALIKE) as threads:
            sending = [asyncio.wrap_future(threads.submit(send, i)) for i in range(ALIKE)]
            sent = {i for ids in await asyncio.gather(*sending) for i in ids}
        received = [
            (await client.receive())["payload"]["data"]["events"]["node"]["uuid"] for _ in sent
        ]
    assert len(received) == len(sent)
    assert set(received) == sent
    one.check_counters()
    assert not re.search(" (WARNING|ERROR) ", one.log() + two.log())
    checked = run_cli("check", **settings)
    assert checked.returncode == 0, checked.stdout
    assert "ok     listening" in checked.stdout
    wrong = run_cli("check", database_url=bouncer_url, listen_database_url=bouncer_url)
    assert "WRONG  listening" in wrong.stdout
    wrong = run_cli("check", database_url=bouncer_url)
    assert "Through PgBouncer, listen_database_url is needed." in wrong.stdout


def test_the_database_restarts(
    start_server: StartServer, bare_postgres_url: str, bouncer_url: str
) -> None:
    """Requests wait until PgBouncer has connected again; none fails."""
    server = start_server(bouncer_url, listen_database_url=bare_postgres_url)
    server.create("t", {"name": "p"})
    with psycopg.connect(bare_postgres_url, autocommit=True) as connection:
        for _ in range(3):
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert server.submit("t", "p", "BEAT")["duplicate"] is False
            assert server.process("t", "p")["state"] == "RUNNING"
    until(lambda: server.get("/readyz").status_code == 200, "ready")
    server.check_counters()


def test_pgbouncer_restarts(
    start_server: StartServer, bare_postgres_url: str, bouncer: PgBouncer
) -> None:
    """Killed among the requests of jobs: none fails, and each event is there once."""
    server = start_server(bouncer.url, listen_database_url=bare_postgres_url)
    server.create("t", {"name": "p", "jobCount": JOBS})
    jobs = Jobs(server)
    for _ in range(3):
        jobs.until_they_go_on()
        bouncer.kill()
        bouncer.start()
    jobs.until_they_go_on()
    acknowledged = jobs.stop()
    assert jobs.wrong == []
    with psycopg.connect(bare_postgres_url) as connection:
        stored = [str(uuid) for (uuid,) in connection.execute("SELECT id FROM event")]
    assert sorted(stored) == sorted(acknowledged)
    server.check_counters()
