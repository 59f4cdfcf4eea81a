"""What is kept no longer goes: whole tasks by their state and tags, and old BEATs of others."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import func, select, update

from lamia_gql.domain.settings import load
from lamia_gql.ingest.expiry import MAX_TASKS_PER_WRITE
from lamia_gql.ingest.pruner import PRUNE_LOCK_ID
from lamia_gql.storage.base import Base
from lamia_gql.storage.engine import begin_write, create_engine
from lamia_gql.storage.models import Event, Task
from tests.support.harness import Server, StartServer, run_cli
from tests.support.live_clients import BEGINNING, EVENTS, WebSocketClient
from tests.support.own_functions import own_functions_first, turn_back_clock
from tests.support.waiting import until, until_async

LIST = """query($name: String!, $after: String, $kinds: [EventClass!]) { task(name: $name) { state
  events(first: 100, after: $after, eventClass: $kinds) { totalCount
    edges { cursor node { uuid eventClass } } } } }"""
NAMES = "{ tasks(first: 100) { nodes { name } } }"


def age(server: Server, days: float, *names: str) -> None:
    """Make tasks, and all their events, so many days old, by the server's clock."""
    time = datetime.now(UTC) - timedelta(days=days)
    engine = create_engine(load(database_url=server.database_url))
    with begin_write(engine) as connection:
        ids = connection.scalars(select(Task.id).where(Task.name.in_(names))).all()
        connection.execute(update(Task).where(Task.id.in_(ids)).values(received_at=time))
        connection.execute(update(Event).where(Event.task_id.in_(ids)).values(received_at=time))
    engine.dispose()


def rows(server: Server) -> dict[str, int]:
    """The number of rows in each table."""
    engine = create_engine(load(database_url=server.database_url))
    with engine.connect() as connection:
        found = {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }
    engine.dispose()
    return found


def names(server: Server) -> set[str]:
    """The names of all tasks."""
    return {task["name"] for task in server.graphql(NAMES)["tasks"]["nodes"]}


def prune(server: Server, *options: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run ``lamia-gql prune`` with these settings, which must succeed."""
    done = run_cli("prune", *options, database_url=server.database_url, **settings)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done


def test_policies(server: Server) -> None:
    """By state, by tag, by the time since the last event: and nothing else goes."""
    policy = {
        "retention_succeeded_days": 10,
        "retention_failed_days": 20,
        "retention_unfinished_days": 90,
        "retention_tags": "keep=365, scratch=2",
    }
    expected = set()
    for name, end, days, tags, is_kept in (
        ("old", "DONE", 11, [], False),
        ("young", "DONE", 9, [], True),
        ("failed", "FAILED", 11, [], True),
        ("long-failed", "FAILED", 21, [], False),
        ("runs", "STARTED", 60, [], True),
        ("runs no more", "STARTED", 91, [], False),
        ("waits", None, 60, [], True),
        ("never began", None, 91, [], False),
        ("kept", "DONE", 300, ["keep"], True),
        ("kept for long", "DONE", 400, ["keep", "x"], False),
        ("scratch", "FAILED", 3, ["scratch"], False),
        ("both", "DONE", 300, ["scratch", "keep"], True),
        ("scratch that waits", None, 60, ["scratch"], True),
        ("kept that waits", None, 300, ["keep"], True),
    ):
        server.create(name, {"name": "p", "jobCount": 2}, {"name": "q"}, tags=tags)
        if end is not None:
            server.submit_many(
                [
                    {
                        "task": name,
                        "process": process,
                        "index": index,
                        "eventClass": end,
                        "sentAt": "2026-01-01T00:00:00Z",
                    }
                    for process, index in (("p", 0), ("p", 1), ("q", None))
                ]
            )
        age(server, days, name)
        if is_kept:
            expected.add(name)
    everything = names(server)
    before = rows(server)
    told = prune(server, "--dry-run", **policy).stdout
    assert rows(server) == before
    listed = re.findall(r"^(.+): [A-Z]+, last event 20", told, re.MULTILINE)
    assert set(listed) == everything - expected
    assert "Would remove 6 tasks with 12 processes, 15 jobs, 15 events and" in told
    assert re.search(r"about \d+\.\d MB of \d+\.\d MB\.\n$", told)

    told = prune(server, **policy).stdout
    assert told.startswith("Removed 6 tasks with 12 processes, 15 jobs, 15 events and")
    assert names(server) == expected
    left = rows(server)
    assert (left["task"], left["process"], left["event"]) == (8, 16, before["event"] - 15)
    server.check_counters()
    error = server.try_submit("old", "p", "DONE", index=0)["userErrors"][0]
    assert error["code"] == "TASK_NOT_FOUND"
    assert prune(server, **policy).stdout.startswith("Removed 0 tasks")


def test_a_past_that_is_replayed_stays(sqlite_server: Server) -> None:
    """What a job's clock says does not count: a replay of last year has just come."""
    sqlite_server.create("t", {"name": "p"}, submittedAt="2001-01-01T00:00:00Z")
    sqlite_server.submit("t", "p", "DONE", sentAt="2001-01-01T00:00:01Z")
    prune(sqlite_server, retention_succeeded_days=1, retention_unfinished_days=1)
    assert names(sqlite_server) == {"t"}


async def test_beats_are_thinned(server: Server) -> None:
    """Counts, pages, streams and retries bear the gaps."""
    server.create("t", {"name": "p", "jobCount": 2})
    minute = datetime.now(UTC) - timedelta(days=30)
    story = [("STARTED", 0), ("STARTED", 1)]
    story += [("BEAT", n % 2) for n in range(200)]
    story += [("PROGRESS", 0), ("DONE", 0)]
    events = [
        {
            "id": f"00000000-0000-4000-8000-{n:012d}",
            "task": "t",
            "process": "p",
            "index": index,
            "eventClass": kind,
            "sentAt": (minute + timedelta(minutes=n)).isoformat(),
        }
        for n, (kind, index) in enumerate(story)
    ]
    server.submit_many(events)
    everything = server.graphql(LIST, name="t")["task"]["events"]
    cursors = [edge["cursor"] for edge in everything["edges"]]
    assert everything["totalCount"] == 204
    shown = server.process("t", "p")
    age(server, 29, "t")

    told = prune(server, beat_retention_days=7).stdout
    assert "and 199 BEATs of other tasks" in told
    # The estimate begins from now.
    assert server.process("t", "p") | {"estimatedFinishAt": shown["estimatedFinishAt"]} == shown
    server.check_counters()

    left = ["STARTED", "STARTED", "BEAT", "PROGRESS", "DONE"]
    for after in None, cursors[50]:
        found = server.graphql(LIST, name="t", after=after)["task"]["events"]
        kinds = [edge["node"]["eventClass"] for edge in found["edges"]]
        assert kinds == (left[2:] if after else left)
        assert found["totalCount"] == 5
    found = server.graphql(LIST, name="t", kinds=["BEAT"])["task"]["events"]
    assert (found["totalCount"], len(found["edges"])) == (1, 1)

    async with WebSocketClient(server.url) as ws:
        await ws.subscribe("1", EVENTS, task="t", after=cursors[50])
        await asyncio.to_thread(server.submit, "t", "p", "BEAT", index=1)
        seen = [(await ws.receive())["payload"]["data"]["events"]["node"] for _ in range(4)]
    assert [event["eventClass"] for event in seen] == [*left[2:], "BEAT"]

    # One that comes again after a month is stored again, and changes nothing else.
    [again] = server.submit_many([events[10]])
    assert (again["duplicate"], again["userErrors"]) == (False, [])
    [known] = server.submit_many([events[0]])
    assert known["duplicate"] is True
    assert server.graphql(LIST, name="t")["task"]["events"]["totalCount"] == 7
    server.check_counters()


async def test_a_server_prunes_by_itself(start_server: StartServer, database_url: str) -> None:
    """Again and again; subscribers learn that the task is gone."""
    server = start_server(database_url, retention_succeeded_days=1, prune_interval=0.1)
    for name in "one", "two":
        server.create(name, {"name": "p"})
        async with WebSocketClient(server.url) as ws:
            await ws.subscribe("1", EVENTS, task=name, after=BEGINNING)
            await asyncio.to_thread(server.submit, name, "p", "DONE")
            assert (await ws.receive())["type"] == "next"
            await asyncio.to_thread(age, server, 2, name)
            assert (await ws.receive())["type"] in ("complete", "error")
    assert names(server) == set()
    await until_async(
        lambda: asyncio.to_thread(lambda: not any(rows(server).values())), "the rows are there"
    )
    assert "Traceback" not in server.log()


def test_a_server_doubts_a_clock_that_is_far_ahead(
    start_server: StartServer, database_url: str
) -> None:
    """It removes nothing yet if nothing was received for long.

    A command does, if the clock of the database says so, too.
    """
    server = start_server(database_url, retention_succeeded_days=1, prune_interval=0.1)
    server.create("t", {"name": "p"})
    server.submit("t", "p", "DONE")
    server.stop()
    age(server, 30, "t")
    server.start()
    until(lambda: "nothing is removed for 24 hours" in server.log(), server.log)
    assert names(server) == {"t"}
    policy = {"retention_succeeded_days": 1}
    if database_url.startswith("postgresql"):
        with own_functions_first(database_url) as connection:
            turn_back_clock(connection, "30 days")
            assert prune(server, **policy).stdout.startswith("Removed 0 tasks")
            connection.execute("DROP FUNCTION public.clock_timestamp")
    assert prune(server, **policy).stdout.startswith("Removed 1 tasks")


def test_one_of_several_servers_prunes(start_server: StartServer, postgres_url: str) -> None:
    """Nobody prunes while another one does; as soon as that ends, somebody goes on."""
    policy: dict[str, Any] = {"retention_succeeded_days": 1, "log_level": "debug"}
    first = start_server(postgres_url, prune_interval=0.1, **policy)
    second = start_server(postgres_url, prune_interval=0.1, **policy)
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [PRUNE_LOCK_ID])
        # More than one transaction removes.
        finished = [f"t{number}" for number in range(MAX_TASKS_PER_WRITE + 2)]
        for name in finished:
            first.create(name, {"name": "p"})
        first.submit_many(
            [{"task": name, "process": "p", "eventClass": "DONE"} for name in finished]
        )
        age(first, 2, *finished)
        for server in first, second:
            until(lambda s=server: "another server prunes now" in s.log(), server.log)  # type: ignore[misc]
        assert names(first) == set(finished)
        done = run_cli("prune", database_url=postgres_url, **policy)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("A server prunes this database now")
    until(lambda: not any(rows(first).values()), lambda: str(rows(first)))

    def logs() -> str:
        return first.log() + second.log()

    # They say so after the rows are gone.
    until(lambda: sum(map(int, re.findall(r"pruned (\d+) tasks", logs()))) == len(finished), logs)
    assert "Traceback" not in logs()


def fill(server: Server, name: str) -> None:
    """A finished task of a month ago, with a few megabytes of payloads."""
    server.create(name, {"name": "p", "jobCount": 100})
    events = [
        {
            "task": name,
            "process": "p",
            "index": n % 100,
            "eventClass": "DONE",
            "payload": {"text": f"{n}" * 800},
        }
        for n in range(1500)
    ]
    server.submit_many(events)
    age(server, 30, name)


def test_sqlite_gives_the_disk_back(start_server: StartServer, sqlite_url: str) -> None:
    """While the server runs; the file is as small as before, and what is kept is all right."""
    server = start_server(sqlite_url)
    server.create("kept", {"name": "p"})
    server.submit("kept", "p", "STARTED")
    fill(server, "t")
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    assert path.stat().st_size + Path(f"{path}-wal").stat().st_size > 3_000_000
    told = prune(server, retention_succeeded_days=7).stdout
    [freed, left] = map(float, re.findall(r"([\d.]+) MB", told))
    assert freed > 3
    assert left < 0.5
    server.submit("kept", "p", "DONE")
    server.check_counters()
    server.stop()
    assert path.stat().st_size < 500_000
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_an_older_file_is_written_anew(start_server: StartServer, bare_sqlite_url: str) -> None:
    """A file of an earlier version can't shrink until it was, which needs the server to stop."""
    path = Path(bare_sqlite_url.removeprefix("sqlite:///"))
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE an_early_one (a)")
        connection.execute("DROP TABLE an_early_one")
    server = start_server(bare_sqlite_url)
    fill(server, "t")
    told = prune(server, retention_succeeded_days=7).stdout
    assert "stop the server and run: lamia-gql prune --vacuum\n" in told
    assert path.stat().st_size + Path(f"{path}-wal").stat().st_size > 3_000_000
    refused = run_cli("prune", "--vacuum", database_url=bare_sqlite_url)
    assert refused.returncode == 1
    assert "stop it first" in refused.stderr
    server.stop()
    told = prune(server, "--vacuum").stdout
    assert re.fullmatch(r"The file was written anew, and has 0\.\d MB\.\n", told)
    assert path.stat().st_size < 500_000
    server.start()
    fill(server, "again")
    told = prune(server, retention_succeeded_days=7).stdout
    assert "vacuum" not in told
    server.check_counters()


def test_pruning_without_a_policy(sqlite_server: Server, bare_postgres_url: str) -> None:
    """Says which settings there are."""
    done = run_cli("prune", database_url=sqlite_server.database_url)
    assert done.returncode == 2
    assert done.stderr.startswith("Everything is kept for ever: set retention_succeeded_days")
    done = run_cli("prune", "--vacuum", database_url=bare_postgres_url)
    assert done.returncode == 2
    assert done.stderr.startswith("PostgreSQL reuses free space by itself")
    done = run_cli("prune", database_url=bare_postgres_url, retention_tags="a=1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "run `lamia-gql migrate`" in done.stderr
