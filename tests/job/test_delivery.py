"""How events are sent: in batches, over one connection, or later from the spool."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client import Job
from lamia_gql.client.flusher import Flusher
from lamia_gql.client.request_limits import MAX_EVENTS_PER_REQUEST
from lamia_gql.client.server_connection import (
    EventResult,
)
from lamia_gql.client.spool import Spool
from tests.support.harness import Server
from tests.support.job_side import (
    ROOT,
    FakeConnection,
    FaultyServer,
    job_environment,
    make_event,
    run_lamia_job,
    spooled_events,
    stored_event_classes,
    stored_events,
)
from tests.support.waiting import until


@pytest.fixture
def jobs() -> Iterator[list[Job]]:
    """Jobs that are closed with the test."""
    made: list[Job] = []
    yield made
    for one in made:
        one.close(0.1)


def test_story_of_a_job(sqlite_server: Server, tmp_path: Path) -> None:
    """As a context manager, a job sends STARTED, progress and DONE, and learns `enough`."""
    sqlite_server.create("t", {"name": "p", "jobCount": 2, "threshold": 50})
    environ = job_environment(sqlite_server.url, tmp_path, LAMIA_INDEX=1)
    with Job(environ=environ) as one:
        one.ready({"node": 7})
        one.progress(10)
        assert not one.enough
        one.beat()
        one.progress(60)
        until(lambda: one.enough, "enough")
    assert stored_event_classes(sqlite_server) == [
        "STARTED",
        "READY",
        "PROGRESS",
        "BEAT",
        "PROGRESS",
        "DONE",
    ]
    found = stored_events(sqlite_server)
    assert {event["job"]["index"] for event in found} == {1}
    assert {event["hostname"] for event in found} == {os.uname().nodename}
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (ValueError("ü"), "FAILED"),
        (KeyboardInterrupt(), "TERMINATED"),
        (SystemExit(3), "FAILED"),
        (SystemExit(0), "DONE"),
    ],
)
def test_exceptions_end_a_job(tmp_path: Path, error: BaseException, end: str) -> None:
    """An exception propagates, and decides which end is sent."""
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path)
        with pytest.raises(type(error)), Job(environ=environ):
            raise error
        sent = [event for _headers, batch in server.requests for event in batch]
    assert [event["eventClass"] for event in sent] == ["STARTED", end]
    if isinstance(error, ValueError):
        assert "raise error" in "".join(sent[1]["payload"]["traceback"])


def test_invalid_events_neither_raise_nor_block_others(
    sqlite_server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Invalid payloads and numbers neither raise nor block other events."""
    sqlite_server.create("t", {"name": "p"})

    class Nasty:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    loop: list[Any] = []
    loop.append(loop)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with Job(environ=job_environment(sqlite_server.url, tmp_path)) as one:
        for payload in (
            loop,
            deep,
            Nasty(),
            {1, 2},
            float("nan"),
            "\ud800",
            "\0",
            b"\xff",
            1 << 80,
        ):
            one.beat(payload)
        one.beat({"large": "x" * 1_000_000})
        one.progress(float("inf"))
        one.progress(-1)
        one.progress("many")  # type: ignore[arg-type]  # users do
        one.emit("NO_SUCH_CLASS")
        while deep:
            deep = deep.pop()
    found = stored_event_classes(sqlite_server)
    assert found == ["STARTED"] + ["BEAT"] * 10 + ["PROGRESS"] * 3 + ["DONE"]
    warnings = capfd.readouterr().err.splitlines()
    assert len(warnings) == len(set(warnings)) <= 5
    assert all(line.startswith("lamia-job: ") for line in warnings)


def test_sending_never_blocks_the_job(tmp_path: Path, jobs: list[Job]) -> None:
    """Sending an event never blocks the job, even if the server hangs."""
    with FaultyServer("hang") as server:
        one = Job(environ=job_environment(server.url, tmp_path))
        jobs.append(one)
        longest = 0.0
        for number in range(200):
            begin = time.thread_time()
            one.progress(number)
            longest = max(longest, time.thread_time() - begin)
        assert longest < 0.05
        begin = time.monotonic()
        one.close(1.0)
        assert time.monotonic() - begin < 10
    assert len({event["id"] for event in spooled_events(tmp_path)}) == 200


def test_one_connection_and_batches(tmp_path: Path) -> None:
    """Many events go in few requests over one connection, each with its own time."""
    with FaultyServer("good") as server:
        # Else a fast server takes each event before the next one is reported.
        server.may_answer.clear()
        with Job(environ=job_environment(server.url, tmp_path)) as one:
            for number in range(1000):
                one.progress(number)
            server.may_answer.set()
        sent = [event for _headers, batch in server.requests for event in batch]
        assert server.connections == 1
        assert len(server.requests) <= 2 + 1000 // MAX_EVENTS_PER_REQUEST + 1
    assert [event.get("progress") for event in sent[1:-1]] == list(range(1000))
    times = [event["sentAt"] for event in sent]
    assert sorted(set(times)) == times


def test_idle_connections_are_closed_by_servers(tmp_path: Path) -> None:
    """A connection that the server closes between two beats is replaced."""
    with FaultyServer("brief") as server:
        with Job(environ=job_environment(server.url, tmp_path)) as one:
            for number in range(3):
                until(lambda: len(server.requests) > number, "the last event")  # noqa: B023
                until(lambda: server.closed_connections > number, "a closed connection")  # noqa: B023
                one.beat()
        sent = [event["eventClass"] for _headers, batch in server.requests for event in batch]
    assert one.warnings == []
    assert sent == ["STARTED", "BEAT", "BEAT", "BEAT", "DONE"]


def test_token_is_read_anew(tmp_path: Path) -> None:
    """The token file is read anew for each request; without it nothing is sent."""
    token = tmp_path / "token"
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path, LAMIA_TOKEN_FILE=token)
        with Job(environ=environ, quiet=True):
            until(lambda: spooled_events(tmp_path), "the spool")
            assert server.requests == []
            token.write_text("first\n")
            until(lambda: server.requests, "the first")
            token.write_text("second\n")
        found = [headers["authorization"] for headers, _batch in server.requests]
    assert (found[0], found[-1]) == ("Bearer first", "Bearer second")
    with FaultyServer("good") as server:
        run_lamia_job(job_environment(server.url, tmp_path, LAMIA_TOKEN="third"), "emit", "BEAT")
        assert server.requests[0][0]["authorization"] == "Bearer third"


@pytest.mark.parametrize(
    "mode", ["500", "503", "429", "401", "403", "404", "302", "garbage", "cut"]
)
def test_spooled_until_the_server_recovers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], mode: str
) -> None:
    """Events that a server does not take now are spooled, and sent with the next event."""
    with FaultyServer(mode) as server:
        environ = job_environment(server.url, tmp_path)
        for number in range(3):
            one = Job(environ=environ)
            one.progress(number)
            one.close()
            assert capfd.readouterr().err.count("lamia-job: ") == 1
        assert run_lamia_job(environ, "flush").returncode == 1
        assert len(spooled_events(tmp_path)) == 3
        server.mode = "good"
        server.requests.clear()
        done = run_lamia_job(environ, "emit", "DONE")
        assert (done.returncode, done.stderr) == (0, b"")
        sent = [event for _headers, batch in server.requests for event in batch]
    assert sorted(event.get("progress", -1) for event in sent) == [-1, 0, 1, 2]
    assert spooled_events(tmp_path) == []


def test_spool_is_looked_into_before_a_short_job_ends(tmp_path: Path) -> None:
    """Events spooled by others are sent before a short job ends."""
    with FaultyServer("500") as server:
        environ = job_environment(server.url, tmp_path)
        with Job(environ=environ, quiet=True) as one:
            one.progress(1)
        assert len(spooled_events(tmp_path)) == 3
        server.mode = "slow"
        server.requests.clear()
        other = Job(environ=environ, quiet=True)
        other.beat()
        until(lambda: len(server.requests) == 2, "what lies in the spool")
        other.close()
        assert spooled_events(tmp_path) == []


def test_running_job_recovers(tmp_path: Path) -> None:
    """A running job sends spooled events as soon as the server is back."""
    with FaultyServer("500") as server:
        with Job(environ=job_environment(server.url, tmp_path), quiet=True) as one:
            until(lambda: len(spooled_events(tmp_path)) == 1, "the spool")
            one.progress(1)
            until(lambda: len(spooled_events(tmp_path)) == 2, "the spool")
            server.mode = "good"
            until(lambda: spooled_events(tmp_path) == [], "recovery")
        sent = [event["id"] for _headers, batch in server.requests for event in batch]
    assert len(set(sent)) == 3


def test_tasks_do_not_share_requests(tmp_path: Path) -> None:
    """A request holds events of one task only, since a token may be limited to one."""
    spool = Spool(str(tmp_path), "http://host/graphql")
    for number in range(6):
        spool.add([make_event(task=f"t{number % 2}")])
    seen: list[set[str]] = []

    class Watching(FakeConnection):
        def submit(
            self, events: Sequence[dict[str, Any]], *, with_clock: bool = False
        ) -> list[EventResult]:
            seen.append({str(event["task"]) for event in events})
            return super().submit(events)

    flusher = Flusher(Watching(lambda _event: EventResult(None, "", False)), spool)
    assert sum(len(delivery.stored) for delivery in flusher.flush()) == 6
    assert sorted(map(sorted, seen)) == [["t0"], ["t1"]]


def test_forked_children_send_events(sqlite_server: Server, tmp_path: Path) -> None:
    """A forked child has its own sender."""
    sqlite_server.create("t", {"name": "p"})
    source = """
import os
from lamia_gql.client import Job
with Job() as job:
    job.progress(1)
    if os.fork() == 0:
        job.progress(2)
        job.close()
        os._exit(0)
    os.wait()
"""
    environ = job_environment(sqlite_server.url, tmp_path)
    command = [sys.executable, "-W", "ignore", "-c", source]
    subprocess.run(command, env=environ, cwd=ROOT, check=True, timeout=60)
    found = stored_events(sqlite_server)
    assert sorted(e["eventClass"] for e in found) == ["DONE", "PROGRESS", "PROGRESS", "STARTED"]


def test_warnings_come_once(tmp_path: Path) -> None:
    """A failing server is reported once."""
    source = """
from lamia_gql.client import Job
job = Job()
for number in range(30):
    job.progress(number)
    job.close()
"""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, check=True)
    assert done.stderr.count(b"\n") == 1
    assert len(spooled_events(tmp_path)) == 30


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("emit",),
        ("emit", "FINISHED"),
        ("emit", "BEAT", "--payload", "{"),
        ("emit", "PROGRESS", "--progress", "much"),
        ("run",),
        ("run", "--"),
        ("run", "--progress-regex", "(", "--", "true"),
        ("run", "--beat", "0", "--", "true"),
    ],
)
def test_usage_errors(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """An invalid command line is refused with status 2 before anything runs."""
    done = run_lamia_job(job_environment("http://127.0.0.1:1", tmp_path), *arguments)
    assert done.returncode == 2
    assert b"usage: lamia-job" in done.stderr
