"""PostgreSQL fails, and another one takes its place: no acknowledged event is lost."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from lamia_gql.storage.postgres_connection import MAX_SILENCE_S
from tests.support.harness import SUBMIT_EVENT, UPDATE_TASK, Server, StartServer, rest_errors
from tests.support.live_clients import BEGINNING, COMMENTS, EVENTS, WebSocketClient
from tests.support.postgres_pair import DATABASE, Pair, running_pair
from tests.support.remote_host import remote_host
from tests.support.waiting import until, until_async

T = TypeVar("T")
JOBS = 4
TIMEOUT_S = 3.0
"""The setting ``database_timeout``, where it is a short one."""
READ_S = 0.5
"""The setting ``max_read_time``, where it is a short one."""
QUERY = '{ task(name: "t") { name } }'
BEAT = {"task": "t", "process": "p", "eventClass": "BEAT"}
SEARCHED = "the database is gone; looking for it again"
END_WAITING = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE wait_event = 'SyncRep'"""
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def pair(postgres: Path) -> Iterator[Pair]:
    """A primary with a synchronous standby."""
    with running_pair(postgres) as pair:
        yield pair


class Jobs:
    """Jobs that send events, one after the other, each as soon as the last one is answered."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(JOBS)
        self.acknowledged: list[tuple[float, str]] = []
        """When each event was answered, and its id."""
        self.wrong: list[Any] = []
        """Answers that do not say that the event was stored, for the first time."""
        self._running = [self._threads.submit(self._send, index) for index in range(JOBS)]

    def _send(self, index: int) -> None:
        with httpx.Client(timeout=60, verify=False) as client:
            while not self._stopping.is_set():
                mine = str(uuid.uuid4())
                variables = {"input": {**BEAT, "id": mine, "index": index}}
                body = {"query": SUBMIT_EVENT, "variables": variables}
                answer = client.post(f"{self._server.url}/graphql", json=body)
                if '"duplicate":false' in answer.text:
                    self.acknowledged.append((time.monotonic(), mine))
                else:
                    self.wrong.append(answer.text)

    def until_they_go_on(self, number: int = 50) -> None:
        """Wait until so many more events are acknowledged."""
        goal = len(self.acknowledged) + number
        until(lambda: len(self.acknowledged) >= goal, lambda: self.wrong, 60)

    def stop(self) -> list[str]:
        """Wait for the last answers; the ids of all acknowledged events."""
        self._stopping.set()
        for running in self._running:
            running.result()
        self._threads.shutdown()
        return [event_id for _, event_id in self.acknowledged]


@pytest.mark.parametrize(
    ("away", "back", "is_read"),
    [
        ("ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true", False),
        # As a standby is, behind the same address.
        ("SET default_transaction_read_only = on", "RESET default_transaction_read_only", True),
    ],
)
def test_a_database_that_is_gone_for_a_moment(
    start_server: StartServer,
    postgres: Path,
    postgres_url: str,
    away: str,
    back: str,
    is_read: bool,
) -> None:
    """Requests wait until it is there again and can be written, but no longer than they may."""
    server = start_server(
        postgres_url,
        database_timeout=TIMEOUT_S,
        max_read_time=READ_S,
        max_operation_time=TIMEOUT_S - READ_S,
    )
    server.create("t", {"name": "p"})
    name = urlsplit(postgres_url).path[1:]
    others = f"postgresql://postgres@/postgres?host={postgres}"
    with (
        ThreadPoolExecutor(4) as threads,
        psycopg.connect(others, autocommit=True) as connection,
    ):

        def change(how: str) -> None:
            connection.execute(f'ALTER DATABASE "{name}" {how}'.encode())
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )

        change(away)
        event = threads.submit(server.submit, "t", "p", "BEAT")
        edit = threads.submit(server.comment, "t", "made meanwhile")
        query = threads.submit(server.graphql, QUERY)
        until(lambda: SEARCHED in server.log(), server.log)
        assert not event.done()
        change(back)
        assert event.result()["duplicate"] is False
        edit.result()
        assert query.result() == {"task": {"name": "t"}}

        change(away)
        begin = time.monotonic()
        waited_s: list[float] = []

        def timed(ask: Callable[..., T], *arguments: Any, **variables: Any) -> T:
            answer = ask(*arguments, **variables)
            waited_s.append(time.monotonic() - begin)
            return answer

        changed = {"name": "t", "comment": "lost"}
        failing = [
            threads.submit(timed, server.graphql_error, SUBMIT_EVENT, input=BEAT),
            threads.submit(timed, server.graphql_error, UPDATE_TASK, input=changed),
        ]
        if is_read:
            assert server.rest("GET", "/t").status_code == 200
        else:
            failing.append(threads.submit(timed, server.graphql_error, QUERY))
            by_rest = threads.submit(timed, server.rest, "GET", "/t").result()
            assert by_rest.status_code == 503
            assert rest_errors(by_rest) == [("STORAGE_FAILED", None)]
        for failed in failing:
            assert failed.result()["extensions"]["code"] == "STORAGE_FAILED"
        assert min(waited_s) > TIMEOUT_S / 2
        assert max(waited_s) < 3 * TIMEOUT_S
        change(back)
        assert server.submit("t", "p", "BEAT")["duplicate"] is False
    server.check_counters()


def test_time_that_is_spent_on_the_search(start_server: StartServer, postgres_url: str) -> None:
    """The database was gone: this is told, not the statement that had too little time after it."""
    server = start_server(postgres_url, database_timeout=TIMEOUT_S / 2)
    server.create("t", {"name": "p"})
    with (
        ThreadPoolExecutor(1) as threads,
        psycopg.connect(postgres_url) as other,
        psycopg.connect(postgres_url, autocommit=True) as watching,
    ):
        other.execute("UPDATE task SET comment = 'kept'")
        changed = {"name": "t", "comment": "lost"}
        end = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'"""

        def code_after_a_lost_connection() -> str:
            failing = threads.submit(server.graphql_error, UPDATE_TASK, input=changed)
            until(lambda: watching.execute(end).fetchall() or failing.done(), "the lock")
            return str(failing.result()["extensions"]["code"])

        # On a busy machine, the time may be over before the connection is ended.
        until(lambda: code_after_a_lost_connection() == "STORAGE_FAILED", server.log)
        until(lambda: SEARCHED in server.log(), server.log)
        # A write that has waited for the lock alone.
        assert server.graphql_error(UPDATE_TASK, input=changed)["extensions"]["code"] == "BUSY"
        other.rollback()
    server.comment("t", "changed")


@pytest.mark.slow
@pytest.mark.parametrize("is_silent", [False, True])
async def test_a_standby_takes_over(
    start_server: StartServer, postgres: Path, is_silent: bool
) -> None:
    """No request fails, every event is there once, and a subscriber gets all of them.

    The primary is killed; or its host vanishes, and nobody is told so.
    """
    with ExitStack() as stack:
        host = stack.enter_context(remote_host()) if is_silent else None
        pair = stack.enter_context(running_pair(postgres, host))
        end_primary = pair.primary.kill if host is None else host.vanish
        await take_over(start_server(pair.url), pair, end_primary)


async def take_over(server: Server, pair: Pair, end_primary: Callable[[], None]) -> None:
    """Let the standby take the place of the primary while jobs and pages send requests."""
    server.create("t", {"name": "p", "jobCount": JOBS})
    received: list[str] = []
    take = received.append

    async def follow(client: WebSocketClient) -> None:
        async for result in client.results():
            take(result["events"]["node"]["uuid"])

    async with WebSocketClient(server.url) as client:
        await client.subscribe("1", EVENTS, task="t", after=BEGINNING)
        following = asyncio.create_task(follow(client))
        jobs = await asyncio.to_thread(Jobs, server)
        await asyncio.to_thread(jobs.until_they_go_on)
        end_primary()
        query = asyncio.create_task(asyncio.to_thread(server.graphql, QUERY))
        edit = asyncio.create_task(asyncio.to_thread(server.comment, "t", "made meanwhile"))
        # Also a host that is silent, with time for a busy machine.
        await until_async(lambda: SEARCHED in server.log(), server.log, 1.5 * MAX_SILENCE_S)
        await asyncio.to_thread(pair.standby.promote)
        promoted_at = time.monotonic()
        await asyncio.to_thread(jobs.until_they_go_on)
        await edit
        assert await query == {"task": {"name": "t"}}
        acknowledged = await asyncio.to_thread(jobs.stop)
        await until_async(
            lambda: len(received) >= len(acknowledged), lambda: (following, server.log())
        )
        following.cancel()
    resumed_s = next(at for at, _ in jobs.acknowledged if at > promoted_at) - promoted_at
    assert jobs.wrong == []
    with pair.standby.connect(DATABASE) as connection:
        rows = connection.execute("SELECT id::text FROM event ORDER BY seq").fetchall()
    assert received == [event_id for (event_id,) in rows]
    assert set(acknowledged) <= set(received)
    found = server.graphql('{ task(name: "t") { comment } }')
    assert found == {"task": {"comment": "made meanwhile"}}
    until(lambda: server.get("/readyz").status_code == 200, server.log)
    server.check_counters()
    assert resumed_s < 15


@pytest.mark.slow
def test_a_commit_that_only_the_primary_has(start_server: StartServer, pair: Pair) -> None:
    """Where the wait for the standby is cancelled, nothing is acknowledged until it has it.

    PostgreSQL only warns of that; also where it is to send clients no warnings.
    """
    with pair.primary.connect() as connection:
        connection.execute(f"ALTER DATABASE {DATABASE} SET client_min_messages = error".encode())
    server = start_server(pair.url)
    server.create("t", {"name": "p", "jobCount": JOBS})
    pair.standby.stop()

    def until_one_waits(connection: psycopg.Connection[Any]) -> int:
        found = until(lambda: connection.execute(WAITING).fetchall(), "a commit that waits")
        pid: int = found[0][0]
        return pid

    with ThreadPoolExecutor(1) as thread, pair.primary.connect() as connection:
        answer = thread.submit(server.submit, "t", "p", "DONE", index=0)
        connection.execute("SELECT pg_cancel_backend(%s)", [until_one_waits(connection)])
        until(lambda: "canceling wait for synchronous" in server.log(), server.log)
        pid = until_one_waits(connection)
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        until(lambda: until_one_waits(connection) != pid, "another connection")
        assert server.process("t", "p")["counts"]["done"] == 1
        assert not answer.done()
        pair.standby.start()
        assert answer.result()["duplicate"] is False

        pair.until_it_follows()
        pair.standby.stop()
        edit = thread.submit(server.rest, "PUT", "/t", {"comment": "x"})
        connection.execute("SELECT pg_cancel_backend(%s)", [until_one_waits(connection)])
        body = edit.result().json()
        assert body["errors"][0]["details"]["code"] == "OUTCOME_UNKNOWN"
        pair.standby.start()
    server.check_counters()


@pytest.mark.slow
async def test_others_hear_of_a_commit_whose_outcome_is_unknown(
    start_server: StartServer, pair: Pair
) -> None:
    """The connection ends after the commit, before others are notified; they find out."""
    server, other = start_server(pair.url), start_server(pair.url)
    server.create("t", {"name": "p"})
    async with WebSocketClient(other.url) as client:
        await client.subscribe("1", COMMENTS)
        changes = client.results()
        assert await anext(changes) == {"taskChanged": {"comment": None}}
        pair.standby.stop()
        with pair.primary.connect() as connection:
            editing = asyncio.create_task(
                asyncio.to_thread(server.rest, "PUT", "/t", {"comment": "unheard"})
            )
            await until_async(lambda: connection.execute(END_WAITING).fetchall(), "a commit")
            assert rest_errors(await editing) == [("OUTCOME_UNKNOWN", None)]
            assert await anext(changes) == {"taskChanged": {"comment": "unheard"}}
