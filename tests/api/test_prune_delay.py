"""Events are stored in time while a server removes much."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from lamia_gql.domain.settings import load
from lamia_gql.storage.engine import create_engine
from tests.hostile.large_task import fill
from tests.support.harness import Server, StartServer

pytestmark = [pytest.mark.slow, pytest.mark.timed, pytest.mark.timeout(300)]
EVENTS = 20_000
"""In each of two tasks."""
LONGEST_S = 0.1
"""How much longer an event may take."""


def prepare(server: Server) -> None:
    """A task that is to go, and one whose BEATs are; and one that gets events."""
    for name in "goes", "stays":
        fill(server, name, 1_000, EVENTS)
    server.create("now", {"name": "p", "jobCount": 100})
    engine = create_engine(load(database_url=server.database_url))
    with engine.begin() as connection:
        # The last sign of life of each job is a later one.
        connection.execute(text("UPDATE job SET alive_at = '2026-11-23 12:00:01'"))
        old = "UPDATE task SET received_at = '2026-11-23 12:00:00' WHERE name <> 'now'"
        connection.execute(text(old))
        connection.execute(text("INSERT INTO tag SELECT id, 'keep' FROM task WHERE name = 'stays'"))
    engine.dispose()


def left(server: Server) -> int:
    """How many events of the old tasks are left."""
    engine = create_engine(load(database_url=server.database_url))
    with engine.connect() as connection:
        found = connection.scalar(
            text("SELECT count(*) FROM event WHERE received_at < '2026-11-23 12:00:02'")
        )
    engine.dispose()
    return int(found or 0)


def delays(server: Server, goes_on: Callable[[int], bool]) -> list[float]:
    """The times that single events take, in seconds, sorted; one after the other."""
    found: list[float] = []
    while goes_on(len(found)):
        begin = time.perf_counter()
        server.submit("now", "p", "BEAT", index=len(found) % 100)
        found.append(time.perf_counter() - begin)
    return sorted(found)


def test_events_do_not_wait(start_server: StartServer, database_url: str) -> None:
    """Not even one in a hundred takes 100 ms longer than it does just after the pruning."""
    server = start_server(database_url)
    prepare(server)
    server.stop()
    server.settings |= {
        "retention_unfinished_days": 1,
        "retention_tags": "keep=3650",
        "beat_retention_days": 1,
    }
    server.start()
    # STARTED of the jobs of the task that stays, and its last event.
    end = 1_001

    def still_prunes(number: int) -> bool:
        return number % 50 != 0 or (number < 20_000 and left(server) > end)

    begin = time.monotonic()
    during = delays(server, still_prunes)
    took = time.monotonic() - begin
    after = delays(server, lambda number: number < len(during))
    place = len(during) * 99 // 100
    numbers = (
        f"{len(during)} events in {took:.1f} s; 99 %: {1000 * during[place]:.0f} ms while pruning,"
        f" {1000 * after[place]:.0f} ms after; longest {1000 * during[-1]:.0f} and"
        f" {1000 * after[-1]:.0f} ms"
    )
    assert len(during) >= 100, numbers
    assert during[place] - after[place] < LONGEST_S, numbers
