"""The lag of replicas in the metrics, with a real one that follows by streaming."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from lamia_gql.storage.replicas import READ_REPLICAS
from tests.api.test_backup import TOOLS
from tests.support.harness import Server, StartServer
from tests.support.metrics import scrape
from tests.support.waiting import until

NAME = "copy-1"


@contextmanager
def running_replica(primary: Path) -> Iterator[Path]:
    """A replica of the PostgreSQL whose socket is in a folder; the folder of its own socket."""
    # The programs refuse to run as root.
    owner = pwd.getpwuid(primary.stat().st_uid)
    folder = Path(tempfile.mkdtemp(prefix="lamia-replica-"))
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        user = owner.pw_name if os.geteuid() == 0 else None
        command = [str(TOOLS / program), *arguments]
        with (folder / f"{program}.log").open("wb") as log:
            subprocess.run(command, user=user, stdout=log, stderr=log, cwd=folder, check=True)

    source = f"host={primary} user=postgres application_name={NAME}"
    try:
        run("pg_basebackup", "-d", source, "-D", str(data), "-R", "-X", "stream", "-c", "fast")
        options = f"-h '' -k {folder} -c hot_standby=on"
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield folder
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def lag(server: Server) -> float | None:
    """By how many bytes the replica is behind; None if it is not known."""
    now = scrape(server)
    names = set(now.names)
    assert ("lamia_replica_lag_bytes" in names) == ("lamia_replica_lag_seconds" in names)
    if "lamia_replica_lag_bytes" not in names:
        return None
    assert now.values("lamia_replica_lag_bytes", "replica") == {NAME}
    assert now.sum("lamia_replica_lag_seconds") >= 0
    return now.sum("lamia_replica_lag_bytes")


@pytest.mark.slow
@pytest.mark.skipif("TEST_POSTGRES" in os.environ, reason="its programs are of another version")
def test_a_replica(start_server: StartServer, postgres: Path, postgres_url: str) -> None:
    """Its lag grows while it replays nothing, and is gone with it; several workers ask once."""
    server = start_server(postgres_url, workers=2)
    server.create("t", {"name": "p"})
    assert lag(server) is None
    server.clear_log()
    with running_replica(postgres) as replica:
        until(lambda: lag(server) == 0, lambda: lag(server))
        with psycopg.connect(f"postgresql://postgres@/postgres?host={replica}") as standby:
            standby.execute("SELECT pg_wal_replay_pause()")
            for _ in range(10):
                server.submit("t", "p", "BEAT")
            until(lambda: (lag(server) or 0) > 0, lambda: lag(server))
            standby.execute("SELECT pg_wal_replay_resume()")
        until(lambda: lag(server) == 0, lambda: lag(server))
        with psycopg.connect(postgres_url) as connection:
            query = str(READ_REPLICAS)
            assert len(connection.execute(query.encode()).fetchall()) == 1
            connection.execute("CREATE ROLE nobody_in_particular")
            connection.execute("SET ROLE nobody_in_particular")
            assert connection.execute(query.encode()).fetchall() == []
            connection.rollback()
    until(lambda: lag(server) is None, lambda: lag(server))
    assert server.complaints() == ""


def test_a_busy_database_does_not_delay_a_scrape(
    start_server: StartServer, postgres_url: str
) -> None:
    """Where no connection is free, the replicas are not known, and everything else is."""
    server = start_server(postgres_url, database_connections=1)
    with ThreadPoolExecutor(1) as threads, psycopg.connect(postgres_url) as blocker:
        blocker.execute("LOCK TABLE task IN ACCESS EXCLUSIVE MODE")
        reading = threads.submit(server.graphql, '{ task(name: "t") { id } }')

        def readers() -> float:
            return scrape(server).sum("lamia_database_readers", state="running")

        until(lambda: readers() == 1, "it waits for the lock")
        begin = time.monotonic()
        assert readers() == 1
        assert time.monotonic() - begin < 5
        blocker.rollback()
        assert reading.result() == {"task": None}
