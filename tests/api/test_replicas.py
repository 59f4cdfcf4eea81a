"""The lag of replicas in the metrics, with a real one that follows by streaming."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from lamia_gql.storage.replicas import READ_REPLICAS
from tests.support.harness import Server, StartServer
from tests.support.metrics import scrape
from tests.support.replica import NAME, running_replica
from tests.support.waiting import until


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
def test_a_replica(start_server: StartServer, postgres: Path, postgres_url: str) -> None:
    """Its lag grows while it replays nothing, and is gone with it; several workers ask once."""
    server = start_server(postgres_url, workers=2)
    server.create("t", {"name": "p"})
    assert lag(server) is None
    server.clear_log()
    with running_replica(postgres) as replica:
        until(lambda: lag(server) == 0, lambda: lag(server))
        replica.pause()
        for _ in range(10):
            server.submit("t", "p", "BEAT")
        until(lambda: (lag(server) or 0) > 0, lambda: lag(server))
        replica.resume()
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
