"""Queries are read from replicas, and clients see what they have written."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from lamia_gql.domain.settings import load
from lamia_gql.live.replica_watch import ReplicaWatch
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.operation_reads import OperationReads
from lamia_gql.storage.read_sources import Freshness, Outcome
from lamia_gql.storage.transaction import ReadConnection
from tests.support.database_proxy import DatabaseProxy, Fault
from tests.support.harness import SUBMIT_EVENT, UPDATE_TASK, Server, StartServer
from tests.support.live_clients import BEGINNING, CHANGES, EVENTS, WebSocketClient, open_sse
from tests.support.metrics import scrape
from tests.support.postgres_pair import DATABASE, running_pair, running_standby
from tests.support.replica import Replica, running_replica
from tests.support.waiting import until, until_async

pytestmark = pytest.mark.slow
HEADER = "lamia-position"
POSITION = "SELECT pg_current_wal_lsn()"
REPLAYED = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= %s"
"""How many standbys have replayed what is before a position."""
DONE = '{ process(task: "t", name: "p") { counts { done } } }'


@pytest.fixture(scope="module")
def running(postgres: Path) -> Iterator[Replica]:
    """A replica of the PostgreSQL of the tests."""
    with running_replica(postgres) as found:
        yield found


@pytest.fixture
def replica(running: Replica) -> Iterator[Replica]:
    """The same; a test may pause its replay."""
    yield running
    running.resume()


class Site:
    """A server that reads from a replica, with a task."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._seen: dict[str, float] = {}
        self.next_index = 0

    def until_usable(self, number: int = 1) -> None:
        """Wait until queries may be read from so many replicas."""

        def is_usable() -> bool:
            return scrape(self.server).sum("lamia_read_replica_usable") == number

        until(is_usable, "usable")

    def read_from(self, outcome: str) -> float:
        """How many queries were read there since this was asked last."""
        now = scrape(self.server).sum("lamia_replica_reads_total", outcome=outcome)
        before = self._seen.get(outcome, 0)
        self._seen[outcome] = now
        return now - before

    def finish(self) -> str:
        """Finish another job; the position that the answer has."""
        event = {"task": "t", "process": "p", "eventClass": "DONE", "index": self.next_index}
        answer = self.server.request(SUBMIT_EVENT, {"input": event})
        assert answer.json()["data"]["submitEvent"]["userErrors"] == []
        self.next_index += 1
        return str(answer.headers[HEADER])

    def done(self, position: str | None = None, query: str = DONE) -> int:
        """How many jobs have finished, as a client sees it that has this position."""
        headers = {} if position is None else {HEADER: position}
        answer = self.server.request(query, headers=headers)
        assert HEADER not in answer.headers
        found: int = answer.json()["data"]["process"]["counts"]["done"]
        return found

    def done_in_rest(self, position: str | None = None) -> int:
        """The same, by REST."""
        headers = {} if position is None else {HEADER: position}
        answer = self.server.rest("GET", "/t/p", headers=headers)
        assert HEADER not in answer.headers
        # Of a hundred jobs.
        percent: float = answer.json()["progress"]
        return round(percent)


def start(start_server: StartServer, url: str, read_url: str, **settings: Any) -> Site:
    """A server with a task, which the replica has."""
    server = start_server(url, read_database_url=read_url, **settings)
    site = Site(server)
    server.create("t", {"name": "p", "jobCount": 100})
    site.until_usable()
    assert site.done("committed") == 0
    site.read_from("replica")
    server.clear_log()
    return site


def test_what_was_written_is_seen(
    start_server: StartServer, postgres_url: str, replica: Replica
) -> None:
    """By whoever has the position of the write, however far the replica is behind."""
    # The primary is no replica, and is not used as one.
    urls = f"{replica.url(postgres_url)} {postgres_url}"
    site = start(start_server, postgres_url, urls, max_replica_lag=600)
    first = site.finish()
    assert site.done(first) == site.done_in_rest(first) == 1
    assert site.read_from("replica") == 2
    replica.pause()
    second = site.finish()
    assert (site.done(), site.done(first)) == (1, 1)
    assert site.done_in_rest() == 1
    assert site.read_from("replica") == 3
    assert (site.done(second), site.done("committed")) == (2, 2)
    assert (site.done_in_rest(second), site.done_in_rest("committed")) == (2, 2)
    assert site.read_from("late") == 4
    assert (site.done("what is this?"), site.done_in_rest("-1")) == (2, 2)
    answer = site.server.rest("POST", "/t/p/event", {"eventClass": "DONE", "arrayIndex": 50})
    assert answer.status_code == 201, answer.text
    third = answer.headers[HEADER]
    assert (site.done_in_rest(third), site.done(third), site.done(second)) == (3, 3, 3)
    site.read_from("replica")
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(site.done, third) for _ in range(8)]
        replica.resume()
        assert [found.result() for found in waiting] == [3] * 8
    until(lambda: site.done() == 3, "replayed")
    assert site.read_from("replica") > 0
    assert site.server.complaints() == ""


def test_a_replica_that_is_late_or_gone(
    start_server: StartServer, postgres_url: str, replica: Replica
) -> None:
    """It is not read, nor does any query fail because of it; once it is well again, it is read."""
    site = start(start_server, postgres_url, replica.url(postgres_url), max_replica_lag=2)
    replica.pause()
    site.finish()

    def lag_s() -> float:
        return scrape(site.server).sum("lamia_read_replica_lag_seconds", replica=replica.name)

    until(lambda: site.done() == 1, "it is too far behind")
    assert lag_s() > 1
    assert site.read_from("unusable") >= 1
    replica.resume()
    site.until_usable()
    assert lag_s() == 0
    assert site.server.complaints() == ""
    stopped = threading.Event()

    def read_on() -> int:
        number = 0
        while not stopped.is_set():
            assert site.done() == site.done_in_rest() == 1
            number += 1
        return number

    with ThreadPoolExecutor(2) as threads:
        reading = [threads.submit(read_on) for _ in range(2)]
        try:
            site.read_from("replica")
            until(lambda: site.read_from("replica") > 10, "read")
            replica.stop()
            until(lambda: site.read_from("unusable") > 10, "read from the primary")
            replica.start()
            site.until_usable()
            site.read_from("replica")
            until(lambda: site.read_from("replica") > 10, "read again")
        finally:
            stopped.set()
        assert all(found.result() > 10 for found in reading)
    # Where the replica did not have the new database at once, this is a repetition, counted later.
    lines = [
        f"it is {known} how far replica {replica.name} is" for known in ("not known", "known again")
    ]
    until(lambda: all(line in site.server.complaints() for line in lines), site.server.complaints)
    assert " ERROR lamia_gql" not in site.server.complaints()


def test_a_replica_of_the_former_primary(start_server: StartServer, postgres: Path) -> None:
    """It has more than the standby that took over, but not what was written since."""
    with running_pair(postgres) as pair, running_standby(postgres, pair.primary) as replica:
        address = f"postgresql://postgres@{replica.place}/{DATABASE}"
        site = start(start_server, pair.url, address, max_replica_lag=600)
        with pair.primary.connect(DATABASE) as connection:
            # The server goes on to write, and standbys tell only now and then how far they are.
            before = connection.execute(POSITION).fetchone()
            until(lambda: connection.execute(REPLAYED, before).fetchone() == (2,), "replayed")
            pair.standby.stop()
            connection.execute("CREATE TABLE lost AS SELECT generate_series(1, 100000)")
        pair.primary.kill()
        pair.standby.start()
        pair.standby.promote()
        position = site.finish()
        with pair.standby.connect(DATABASE) as connection:
            connection.execute("CREATE TABLE new AS SELECT generate_series(1, 200000)")
        assert site.done("committed") == 1
        site.read_from("replica")
        assert [site.done(position) for _ in range(3)] == [1] * 3
        assert site.read_from("replica") == 0


def test_a_lost_answer_to_a_commit(start_server: StartServer, postgres_url: str) -> None:
    """Where the position of a commit is lost, so is its outcome; the retry has both."""
    with DatabaseProxy(postgres_url) as proxy:
        server = start_server(proxy.url, read_database_url=postgres_url)
        server.create("t", {"name": "p"})
        change = {"input": {"name": "t", "comment": "changed"}}
        # Not at the commit of what the server does by itself.
        proxy.fail(Fault.CUT_AFTER, after=b"comment=")
        lost = server.request(UPDATE_TASK, change)
        assert lost.json()["errors"][0]["extensions"]["code"] == "OUTCOME_UNKNOWN"
        again = server.request(UPDATE_TASK, change)
        assert again.json()["data"]["updateTask"] is not None
        assert int(again.headers[HEADER], 16) > 0


async def query_live(url: str) -> int:
    """How many jobs have finished, asked over a WebSocket, and as an event stream."""
    async with WebSocketClient(url) as ws:
        await ws.subscribe("1", DONE)
        by_websocket: int = (await anext(ws.results()))["process"]["counts"]["done"]
    async with open_sse(url, DONE) as messages:
        found = (await anext(messages)).data["data"]["process"]["counts"]["done"]
    assert found == by_websocket
    return by_websocket


async def test_live_data(start_server: StartServer, postgres_url: str, replica: Replica) -> None:
    """Subscriptions, and queries over a WebSocket, see what has changed, whatever replicas have."""
    site = start(start_server, postgres_url, replica.url(postgres_url), max_replica_lag=600)
    replica.pause()
    await asyncio.to_thread(site.finish)
    url = site.server.url
    async with WebSocketClient(url) as ws, WebSocketClient(url) as events:
        await ws.subscribe("1", CHANGES, names=["t"])
        changes = ws.results()
        await events.subscribe("1", EVENTS, task="t", after=BEGINNING)
        new_events = events.results()
        for done in (1, 2):
            changed = (await anext(changes))["taskChanged"]
            assert changed["counts"] == {"done": done, "total": 100}
            event = (await anext(new_events))["events"]["node"]
            assert event["job"] == {"index": done - 1}
            if done == 1:
                await asyncio.to_thread(site.finish)
    site.read_from("replica")
    assert await query_live(url) == 2
    assert site.read_from("replica") == 0
    assert site.done() == 0
    replica.resume()
    until(lambda: site.done() == 2, "replayed")
    site.read_from("replica")
    assert await query_live(url) == 2
    assert site.read_from("replica") == 2


async def test_a_recovery_conflict(postgres_url: str, replica: Replica) -> None:
    """A read that a replica ends, because it must replay a lock, is repeated on the primary."""
    settings = load(database_url=postgres_url, read_database_url=replica.url(postgres_url))
    with closing(Database(settings)) as database:
        migrate(database.engine, "head")
        watch = ReplicaWatch(database)
        await watch.start()
        sources = database.sources
        await until_async(lambda: sources.is_usable(sources.replicas[0]), "usable")
        began, places = threading.Event(), []

        def read(connection: ReadConnection) -> bool:
            is_replica = bool(connection.scalar(text("SELECT pg_is_in_recovery()")))
            places.append(is_replica)
            connection.execute(text("SELECT count(*) FROM task"))
            began.set()
            connection.execute(text(f"SELECT pg_sleep({60 if is_replica else 0})"))
            return is_replica

        reads = OperationReads(database, 60, wanted=Freshness.COMMITTED)
        reading = asyncio.create_task(reads.read_once(read))
        await asyncio.to_thread(began.wait)
        with psycopg.connect(postgres_url) as connection:
            connection.execute("LOCK TABLE task IN ACCESS EXCLUSIVE MODE")
            connection.execute("CREATE TABLE needs_wal (id int)")
        assert await reading is False
        assert places == [True, False]
        assert sources.outcomes == {Outcome.REPLICA: 1, Outcome.FAILED: 1}
        await watch.stop()
