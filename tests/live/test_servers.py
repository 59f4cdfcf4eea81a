"""Several servers on one PostgreSQL, and the workers of one."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
from functools import partial
from typing import Any

import httpx
import psycopg
import pytest

from lamia_gql.storage.migrations import SERVER_LOCK_ID
from tests.support.harness import SUBMIT_EVENT, Server, StartServer, run_cli
from tests.support.live_clients import (
    BEGINNING,
    CHANGES,
    COMMENTS,
    EVENTS,
    TaskChanges,
    WebSocketClient,
    until_events_come,
)
from tests.support.own_functions import own_functions_first
from tests.support.waiting import until, until_async

DEADLY_NOTIFY = """CREATE FUNCTION public.pg_notify(text, text) RETURNS boolean LANGUAGE sql
  AS $$ SELECT pg_terminate_backend(pg_backend_pid()) $$"""
LISTENERS = """SELECT pid FROM pg_stat_activity
  WHERE application_name = 'lamia-gql listener' AND datname = current_database()"""


@pytest.fixture
def two(postgres_server: Server, start_server: StartServer) -> tuple[Server, Server]:
    """Two servers on one database."""
    return postgres_server, start_server(postgres_server.database_url)


def listeners(url: str) -> set[int]:
    """The database's processes for the servers and workers that listen."""
    with psycopg.connect(url) as connection:
        return {pid for (pid,) in connection.execute(LISTENERS)}


def kill_listeners(url: str) -> int:
    """Terminate the LISTEN connections of the servers; return their number."""
    query = LISTENERS.replace("pid", "pg_terminate_backend(pid)", 1)
    with psycopg.connect(url, autocommit=True) as connection:
        return len(connection.execute(query.encode()).fetchall())


def until_two_listen(url: str) -> set[int]:
    """Wait until there are two listeners, and return their pids."""
    until(lambda: len(listeners(url)) == 2, lambda: listeners(url), timeout_s=30)
    return listeners(url)


async def receive(ws: WebSocketClient, field: str) -> Any:
    """The root field of the next result."""
    message = await ws.receive()
    assert message["type"] == "next", message
    return message["payload"]["data"][field]


async def test_servers_hear_each_other(two: tuple[Server, Server]) -> None:
    """Subscribers on one server receive what is written on another."""
    writer, reader = two
    writer.create("t", {"name": "p", "jobCount": 5})

    async with (
        WebSocketClient(reader.url) as events,
        WebSocketClient(reader.url) as changes,
        WebSocketClient(reader.url) as all_,
    ):
        await events.subscribe("1", EVENTS, task="t")
        await changes.subscribe("1", CHANGES, names=["t"])
        await all_.subscribe("1", CHANGES, filter={"names": ["new*"]})
        tasks = TaskChanges(changes)
        assert (await tasks.next())["state"] == "PENDING"
        await until_events_come(writer, events)
        new_tasks = TaskChanges(all_)

        def make_new_task(number: int) -> tuple[str, None]:
            writer.create(f"new {number}", {"name": "p"})
            return f"new {number}", None

        await new_tasks.until_they_come(make_new_task)
        for index in range(5):
            await asyncio.to_thread(writer.submit, "t", "p", "DONE", index=index)
        for index in range(5):
            assert (await receive(events, "events"))["node"]["job"] == {"index": index}
        while (await tasks.next())["state"] != "SUCCEEDED":
            pass
        await asyncio.to_thread(writer.create, "new one", {"name": "p"})
        assert (await new_tasks.next())["name"] == "new one"
        delete = 'mutation { deleteTask(input: {name: "t"}) { deletedId } }'
        await asyncio.to_thread(writer.graphql, delete)
        assert await events.receive() == {"id": "1", "type": "complete"}
        assert await tasks.next() is None


async def test_what_is_missed_while_not_listening_is_caught_up(two: tuple[Server, Server]) -> None:
    """After a lost LISTEN connection, events, changes and deletions are caught up."""
    writer, reader = two
    url = writer.database_url
    for name in ("t", "gone"):
        writer.create(name, {"name": "p", "jobCount": 50})
    until_two_listen(url)

    async with (
        WebSocketClient(reader.url) as events,
        WebSocketClient(reader.url) as changes,
        WebSocketClient(reader.url) as gone,
    ):
        await events.subscribe("1", EVENTS, task="t")
        await changes.subscribe("1", CHANGES, filter={"states": ["RUNNING", "SUCCEEDED"]})
        await gone.subscribe("1", EVENTS, task="gone")
        await until_events_come(writer, events)
        await until_events_come(writer, gone, "gone")
        # The later task: within a round, tasks come in the order in which they were made.
        tasks = TaskChanges(changes)

        def comment(number: int) -> tuple[str, str]:
            writer.comment("gone", f"edit {number}")
            return "gone", f"edit {number}"

        await tasks.until_they_come(comment)
        # The other one is stopped, so that it can't listen again too soon.
        os.kill(reader.pid, signal.SIGSTOP)
        assert await asyncio.to_thread(kill_listeners, url) == 2
        for index in range(50):
            await asyncio.to_thread(writer.submit, "t", "p", "DONE", index=index)
        delete = 'mutation { deleteTask(input: {name: "gone"}) { deletedId } }'
        await asyncio.to_thread(writer.graphql, delete)
        os.kill(reader.pid, signal.SIGCONT)
        for index in range(50):
            assert (await receive(events, "events"))["node"]["job"] == {"index": index}
        assert (await tasks.next())["state"] == "SUCCEEDED"
        assert await gone.receive() == {"id": "1", "type": "complete"}
    assert "cannot listen for changes of other servers" in reader.log()
    assert "Traceback" not in reader.log()


def test_a_database_that_was_migrated_while_nobody_listened(
    start_server: StartServer, postgres_url: str
) -> None:
    """The server says so, and does not keep the next migration from being applied."""
    server = start_server(postgres_url)
    until(lambda: listeners(postgres_url), "somebody who listens")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'another'")
        kill_listeners(postgres_url)
        until(lambda: "the database was migrated meanwhile" in server.log(), server.log)
        connection.execute("SET lock_timeout = '20 s'")
        connection.execute("SELECT pg_advisory_lock(%s)", [SERVER_LOCK_ID])
    until(lambda: server.get("/readyz").status_code == 503, server.log)


async def test_others_hear_of_a_commit_before_whose_notification_the_connection_broke(
    start_server: StartServer, postgres_url: str
) -> None:
    """PostgreSQL ends it between the two: as soon as they can, the others find out."""
    with own_functions_first(postgres_url) as connection:
        writer, reader = start_server(postgres_url), start_server(postgres_url)
        writer.create("t", {"name": "p", "jobCount": 2})
        until_two_listen(postgres_url)
        async with WebSocketClient(reader.url) as events, WebSocketClient(reader.url) as changes:
            await events.subscribe("1", EVENTS, task="t")
            await until_events_come(writer, events)
            await changes.subscribe("1", COMMENTS)
            assert await receive(changes, "taskChanged") == {"comment": None}
            connection.execute(DEADLY_NOTIFY)
            answer = await asyncio.to_thread(writer.submit, "t", "p", "DONE", index=1)
            assert answer["duplicate"] is False
            await asyncio.to_thread(writer.comment, "t", "unheard")
            await until_async(lambda: "looking for it again" in writer.log(), writer.log)
            connection.execute("DROP FUNCTION public.pg_notify")
            while (await receive(events, "events"))["node"]["eventClass"] != "DONE":
                pass
            while await receive(changes, "taskChanged") != {"comment": "unheard"}:
                pass
    assert "Traceback" not in reader.log()


async def test_who_stops_tells_others_before(start_server: StartServer, postgres_url: str) -> None:
    """Of a commit of which they were not told yet, as soon as the database lets it."""
    with own_functions_first(postgres_url) as connection:
        writer, reader = start_server(postgres_url), start_server(postgres_url)
        writer.create("t", {"name": "p"})
        until_two_listen(postgres_url)
        async with WebSocketClient(reader.url) as changes:
            await changes.subscribe("1", COMMENTS)
            assert await receive(changes, "taskChanged") == {"comment": None}
            connection.execute(DEADLY_NOTIFY)
            await asyncio.to_thread(writer.comment, "t", "unheard")
            await until_async(lambda: "looking for it again" in writer.log(), writer.log)
            os.kill(writer.pid, signal.SIGTERM)
            await until_async(lambda: len(listeners(postgres_url)) == 1, "the end of a listener")
            connection.execute("DROP FUNCTION public.pg_notify")
            while await receive(changes, "taskChanged") != {"comment": "unheard"}:
                pass


async def test_others_hear_of_what_a_command_has_done(
    start_server: StartServer, postgres_url: str
) -> None:
    """Also where its connection breaks between the commit and the notification."""
    with own_functions_first(postgres_url) as connection:
        server = start_server(postgres_url)
        server.create("t", {"name": "p"})
        until(lambda: listeners(postgres_url), "somebody who listens")
        async with WebSocketClient(server.url) as client:
            await client.subscribe("1", CHANGES, names=["t"])
            await client.receive()
            connection.execute("UPDATE task SET received_at = received_at - interval '2 days'")
            connection.execute(DEADLY_NOTIFY)
            run = partial(run_cli, "prune", database_url=postgres_url, retention_unfinished_days=1)
            pruning = asyncio.create_task(asyncio.to_thread(run))
            is_deleted = "SELECT FROM task WHERE deleted_at IS NOT NULL"
            await until_async(lambda: connection.execute(is_deleted).fetchall(), "a commit")
            connection.execute("DROP FUNCTION public.pg_notify")
            assert (await pruning).returncode == 0
            assert await client.receive() == {"id": "1", "type": "complete"}


async def test_an_event_that_is_committed_late_is_not_skipped(two: tuple[Server, Server]) -> None:
    """With two servers writing to one task, cursors are in the order of commits.

    A reader that resumes from every cursor that it sees, at once, misses nothing.
    """
    one, other = two
    one.create("t", {"name": "p", "jobCount": 400})

    def submit(server: Server, indices: range) -> None:
        for begin in range(indices.start, indices.stop, 10):
            server.submit_many(
                [
                    {"task": "t", "process": "p", "eventClass": "DONE", "index": begin + place}
                    for place in range(10)
                ]
            )

    writing = asyncio.gather(
        asyncio.to_thread(submit, one, range(200)),
        asyncio.to_thread(submit, other, range(200, 400)),
    )
    seen: list[int] = []
    cursor = BEGINNING
    while len(seen) < 400:
        server = (one, other)[len(seen) % 2]
        async with WebSocketClient(server.url) as ws:
            await ws.subscribe("1", EVENTS, task="t", after=cursor)
            for _ in range(min(7, 400 - len(seen))):
                edge = await receive(ws, "events")
                cursor = edge["cursor"]
                seen.append(edge["node"]["job"]["index"])
    await writing
    assert sorted(seen) == list(range(400))
    for half in (range(200), range(200, 400)):
        assert [index for index in seen if index in half] == list(half)


def test_more_workers_than_sqlite_can_have_are_refused(sqlite_url: str) -> None:
    """More than one worker needs PostgreSQL, and the message says so."""
    done = run_cli("serve", "--port", "0", "--workers", "2", database_url=sqlite_url)
    assert done.returncode == 2
    assert "needs PostgreSQL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
async def test_workers_share_a_port_and_hear_each_other(
    start_server: StartServer, postgres_url: str
) -> None:
    """Workers share a port and hear each other; a killed one is replaced; all stop."""
    server = start_server(postgres_url, workers=2)
    server.create("t", {"name": "p", "jobCount": 40})
    listening = until_two_listen(postgres_url)

    def submit(index: int) -> None:
        # A connection each, so that they come to any worker.
        event = {"task": "t", "process": "p", "eventClass": "DONE", "index": index}
        body = {"query": SUBMIT_EVENT, "variables": {"input": event}}
        answer = httpx.post(f"{server.url}/graphql", json=body, verify=False)
        assert answer.json()["data"]["submitEvent"]["event"]

    sockets = [WebSocketClient(server.url) for _ in range(8)]
    for ws in sockets:
        await ws.__aenter__()
        await ws.subscribe("1", EVENTS, task="t")
    for ws in sockets:
        await until_events_come(server, ws)
    for index in range(20):
        await asyncio.to_thread(submit, index)
    for ws in sockets:
        done: list[int] = []
        while len(done) < 20:
            node = (await receive(ws, "events"))["node"]
            # Those whose turn came earlier have the events that told the later ones.
            if node["eventClass"] != "BEAT":
                done.append(node["job"]["index"])
        assert set(done) == set(range(20))
        await ws.__aexit__(None, None, None)
    victim = random.Random(1).choice(children(server.pid))
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(listeners(postgres_url) - listening) == 1, "a new listener")
    until_two_listen(postgres_url)
    assert victim not in children(server.pid)
    assert server.graphql('{ task(name: "t") { counts { done } } }')["task"]["counts"]["done"] == 20
    processes = children(server.pid)
    server.stop()
    assert not any(alive(process) for process in processes)


@pytest.mark.slow
def test_workers_end_with_their_parent(start_server: StartServer, postgres_url: str) -> None:
    """Workers exit if their parent is killed by SIGKILL."""
    server = start_server(postgres_url, workers=2)
    until_two_listen(postgres_url)
    processes = children(server.pid)
    server.kill()
    until(lambda: not any(map(alive, processes)), "the end of the workers")


def children(pid: int) -> list[int]:
    """The workers of a server."""
    found = []
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat") as stat, open(f"/proc/{process}/cmdline") as line:
                parent = int(re.sub(r"\(.*\)", "", stat.read()).split()[2])
                if parent == pid and "spawn_main" in line.read():
                    found.append(int(process))
        except OSError:
            continue
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return ") Z " not in stat.read()
    except OSError:
        return False
