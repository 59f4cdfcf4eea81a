"""What becomes of events: sent in the background, kept, mended or put aside; never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client import Job
from lamia_gql.client.delivery import deliver
from lamia_gql.client.event import Event
from lamia_gql.client.flusher import Flusher
from lamia_gql.client.server_connection import (
    EventResult,
    RequestRejectedError,
    ServerConnection,
    ServerUnavailableError,
)
from lamia_gql.client.spool import Spool
from tests.support.harness import Server
from tests.support.job_side import (
    ROOT,
    BadServer,
    classes,
    events,
    job,
    job_environment,
    spooled,
)
from tests.support.waiting import until


def make_event(age: float = 0.0, **fields: Any) -> Event:
    """An event that happened so many seconds ago."""
    sent_at = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    base = {"id": str(uuid.uuid4()), "task": "t", "process": "p", "eventClass": "BEAT"}
    return Event(base | {"sentAt": sent_at} | fields, index_found=False)


class FakeConnection(ServerConnection):
    """Answers by a rule, and remembers how many events each request had."""

    def __init__(self, rule: Any) -> None:
        self.rule = rule
        self.sizes: list[int] = []
        self.stored: list[str] = []

    def submit(self, events: Sequence[dict[str, Any]]) -> list[EventResult]:
        """Apply the rule to each event; it may raise."""
        self.sizes.append(len(events))
        answers = [self.rule(event) for event in events]
        self.stored += [str(e["id"]) for e, a in zip(events, answers, strict=True) if not a.code]
        return answers


@pytest.fixture
def jobs() -> Iterator[list[Job]]:
    """Jobs that are closed with the test."""
    made: list[Job] = []
    yield made
    for one in made:
        one.close(0.1)


def test_story_of_a_job(sqlite_server: Server, tmp_path: Path) -> None:
    """As a context manager a job starts, tells how far it is, hears of enough, and is done."""
    sqlite_server.create("t", {"name": "p", "jobCount": 2, "threshold": 50})
    environ = job_environment(sqlite_server.url, tmp_path, LAMIA_INDEX=1)
    with Job(environ=environ) as one:
        one.ready({"node": 7})
        one.progress(10)
        assert not one.enough
        one.beat()
        one.progress(60)
        until(lambda: one.enough, "enough")
    assert classes(sqlite_server) == ["STARTED", "READY", "PROGRESS", "BEAT", "PROGRESS", "DONE"]
    found = events(sqlite_server)
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
    """An exception passes through, and says how the job has ended."""
    with BadServer("good") as server:
        environ = job_environment(server.url, tmp_path)
        with pytest.raises(type(error)), Job(environ=environ):
            raise error
        sent = [event for _headers, batch in server.requests for event in batch]
    assert [event["eventClass"] for event in sent] == ["STARTED", end]
    if isinstance(error, ValueError):
        assert "raise error" in "".join(sent[1]["payload"]["traceback"])


def test_nothing_that_is_told_hurts(
    sqlite_server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Payloads and numbers of any kind neither raise nor keep the others from arriving."""
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
    found = classes(sqlite_server)
    assert found == ["STARTED"] + ["BEAT"] * 10 + ["PROGRESS"] * 2 + ["DONE"]
    warnings = capfd.readouterr().err.splitlines()
    assert len(warnings) == len(set(warnings)) <= 5
    assert all(line.startswith("lamia-job: ") for line in warnings)


def test_telling_takes_no_time(tmp_path: Path, jobs: list[Job]) -> None:
    """However the server hangs, a job that tells something goes on at once."""
    with BadServer("hang") as server:
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
    assert len({event["id"] for event in spooled(tmp_path)}) == 200


def test_one_connection_and_batches(tmp_path: Path) -> None:
    """Many events go in few requests, over one connection; the times they bear are their own."""
    with BadServer("good") as server:
        with Job(environ=job_environment(server.url, tmp_path)) as one:
            for number in range(2000):
                one.progress(number)
        sent = [event for _headers, batch in server.requests for event in batch]
        assert len(server.requests) < 100
    assert [event.get("progress") for event in sent[1:-1]] == list(range(2000))
    times = [event["sentAt"] for event in sent]
    assert sorted(set(times)) == times


def test_idle_connections_are_closed_by_servers(tmp_path: Path) -> None:
    """A server that hangs up between two beats is no trouble."""
    with BadServer("brief") as server:
        with Job(environ=job_environment(server.url, tmp_path)) as one:
            for number in range(3):
                until(lambda: len(server.requests) > number, "the last event")  # noqa: B023
                until(lambda: server.closed_connections > number, "a closed connection")  # noqa: B023
                one.beat()
        sent = [event["eventClass"] for _headers, batch in server.requests for event in batch]
    assert one.warnings == []
    assert sent == ["STARTED", "BEAT", "BEAT", "BEAT", "DONE"]


def test_token_is_read_anew(tmp_path: Path) -> None:
    """A token file may change while the job runs; without it nothing is sent."""
    token = tmp_path / "token"
    with BadServer("good") as server:
        environ = job_environment(server.url, tmp_path, LAMIA_TOKEN_FILE=token)
        with Job(environ=environ, quiet=True):
            until(lambda: spooled(tmp_path), "the spool")
            assert server.requests == []
            token.write_text("first\n")
            until(lambda: server.requests, "the first")
            token.write_text("second\n")
        found = [headers["authorization"] for headers, _batch in server.requests]
    assert (found[0], found[-1]) == ("Bearer first", "Bearer second")
    with BadServer("good") as server:
        job(job_environment(server.url, tmp_path, LAMIA_TOKEN="third"), "emit", "BEAT")
        assert server.requests[0][0]["authorization"] == "Bearer third"


@pytest.mark.parametrize(
    "mode", ["500", "503", "429", "401", "403", "404", "302", "garbage", "cut"]
)
def test_kept_until_the_server_is_well(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], mode: str
) -> None:
    """What a server does not take for now lies on the disk, and goes with the next event."""
    with BadServer(mode) as server:
        environ = job_environment(server.url, tmp_path)
        for number in range(3):
            one = Job(environ=environ)
            one.progress(number)
            one.close()
            assert capfd.readouterr().err.count("lamia-job: ") == 1
        assert job(environ, "flush").returncode == 1
        assert len(spooled(tmp_path)) == 3
        server.mode = "good"
        server.requests.clear()
        done = job(environ, "emit", "DONE")
        assert (done.returncode, done.stderr) == (0, b"")
        sent = [event for _headers, batch in server.requests for event in batch]
    assert sorted(event.get("progress", -1) for event in sent) == [-1, 0, 1, 2]
    assert spooled(tmp_path) == []


def test_spool_is_looked_into_before_a_short_job_ends(tmp_path: Path) -> None:
    """Also where the job's own events have long been sent when it ends."""
    with BadServer("500") as server:
        environ = job_environment(server.url, tmp_path)
        with Job(environ=environ, quiet=True) as one:
            one.progress(1)
        assert len(spooled(tmp_path)) == 3
        server.mode = "slow"
        server.requests.clear()
        other = Job(environ=environ, quiet=True)
        other.beat()
        until(lambda: len(server.requests) == 2, "what lies in the spool")
        other.close()
        assert spooled(tmp_path) == []


def test_running_job_recovers(tmp_path: Path) -> None:
    """A job that runs on sends from the spool as soon as the server is back."""
    with BadServer("500") as server:
        with Job(environ=job_environment(server.url, tmp_path), quiet=True) as one:
            until(lambda: len(spooled(tmp_path)) == 1, "the spool")
            one.progress(1)
            until(lambda: len(spooled(tmp_path)) == 2, "the spool")
            server.mode = "good"
            until(lambda: spooled(tmp_path) == [], "recovery")
        sent = [event["id"] for _headers, batch in server.requests for event in batch]
    assert len(set(sent)) == 3


def test_job_before_its_task(sqlite_server: Server, tmp_path: Path) -> None:
    """Events of a task that is not there yet wait for it, and are told of once."""
    environ = job_environment(sqlite_server.url, tmp_path)
    done = job(environ, "run", "--", "true")
    assert (done.returncode, done.stderr.count(b"lamia-job: ")) == (0, 1)
    assert b"no task" in done.stderr
    assert job(environ, "flush").returncode == 1
    sqlite_server.create("t", {"name": "p"})
    assert job(environ, "flush").stdout == b"2 events sent, 0 refused, 0 files left.\n"
    assert sqlite_server.process("t", "p")["state"] == "SUCCEEDED"


def test_waiting_for_a_task_ends_after_a_day() -> None:
    """Events of a task that never comes do not stay for ever."""
    connection = FakeConnection(lambda _event: EventResult("TASK_NOT_FOUND", "No.", False))
    young, old = make_event(age=3600), make_event(age=25 * 3600)
    delivery = deliver(connection, [young, old])
    assert delivery.kept == [young]
    assert [refusal.event for refusal in delivery.refused] == [old]


def test_refused_for_good(sqlite_server: Server, tmp_path: Path) -> None:
    """What the server will never take is put aside with its reason, and holds nobody up."""
    sqlite_server.create("t", {"name": "p", "jobCount": 3})
    source = """
from lamia_gql.client import Job
job = Job(index=7)
for number in range(20):
    job.progress(number)
    job.close()
"""
    environ = job_environment(sqlite_server.url, tmp_path)
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, check=True)
    assert done.stderr.count(b"lamia-job: ") == 1
    assert b"INDEX_OUT_OF_RANGE" in done.stderr
    assert spooled(tmp_path) == []
    aside = list((tmp_path / "spool").glob("*/refused/*.json"))
    assert len(aside) == 20
    record = json.loads(aside[0].read_text())
    assert record["reason"].startswith("INDEX_OUT_OF_RANGE: ")
    assert record["event"]["index"] == 7
    assert job(environ, "flush").returncode == 0


def test_one_bad_part_does_not_cost_an_end(sqlite_server: Server, tmp_path: Path) -> None:
    """An end whose payload is too large arrives without it."""
    sqlite_server.create("t", {"name": "p"})
    environ = job_environment(sqlite_server.url, tmp_path)
    done = job(environ, "emit", "DONE", "--payload", json.dumps("x" * 70_000))
    assert b"PAYLOAD_TOO_LARGE" in done.stderr or b"at most" in done.stderr
    assert [(e["eventClass"], e["payload"]) for e in events(sqlite_server)] == [("DONE", None)]


def test_request_that_one_event_spoils() -> None:
    """Where the server refuses the whole, the culprit is found, and the others are stored."""
    batch = [make_event() for _ in range(100)]
    bad = {batch[13].id, batch[77].id}

    def rule(event: dict[str, Any]) -> EventResult:
        if event["id"] in bad:
            raise RequestRejectedError("Not UTF-8.")
        return EventResult(None, "", False)

    connection = FakeConnection(rule)
    delivery = deliver(connection, batch)
    assert {refusal.event.id for refusal in delivery.refused} == bad
    assert len(delivery.stored) == 98
    assert len(connection.sizes) < 40


@pytest.mark.parametrize("code", ["BUSY", "STORAGE_FAILED", "OUTCOME_UNKNOWN"])
def test_event_that_the_server_may_not_have_stored_is_kept(code: str) -> None:
    """Whether it is known or not that it was not stored, it is sent again with the same id."""
    event = make_event()
    delivery = deliver(FakeConnection(lambda _: EventResult(code, "Try again.", False)), [event])
    assert [kept.id for kept in delivery.kept] == [event.id]
    assert not delivery.refused
    assert not delivery.stored


def test_event_that_makes_the_server_stumble(tmp_path: Path) -> None:
    """An event that always brings a 500 stays, but does not keep the others in the spool."""
    spool = Spool(str(tmp_path), "http://host/graphql")
    batch = [make_event() for _ in range(40)]
    for event in batch:
        spool.add([event])

    def rule(event: dict[str, Any]) -> EventResult:
        if event["id"] == batch[5].id:
            raise ServerUnavailableError("Status 500.")
        return EventResult(None, "", False)

    connection = FakeConnection(rule)
    flusher = Flusher(connection, spool)
    for _ in range(60):
        for _delivery in flusher.flush():
            pass
    left = [event.id for name in spool.file_names() for event in spool.read(name)]
    assert left == [batch[5].id]


def test_tasks_do_not_share_requests(tmp_path: Path) -> None:
    """A token may open one task only, so that another task's events must not spoil its request."""
    spool = Spool(str(tmp_path), "http://host/graphql")
    for number in range(6):
        spool.add([make_event(task=f"t{number % 2}")])
    seen: list[set[str]] = []

    class Watching(FakeConnection):
        def submit(self, events: Sequence[dict[str, Any]]) -> list[EventResult]:
            seen.append({str(event["task"]) for event in events})
            return super().submit(events)

    flusher = Flusher(Watching(lambda _event: EventResult(None, "", False)), spool)
    assert sum(len(delivery.stored) for delivery in flusher.flush()) == 6
    assert sorted(map(sorted, seen)) == [["t0"], ["t1"]]


def test_forked_children_tell_too(sqlite_server: Server, tmp_path: Path) -> None:
    """A child that was forked while the parent sends has a sender of its own."""
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
    found = events(sqlite_server)
    assert sorted(e["eventClass"] for e in found) == ["DONE", "PROGRESS", "PROGRESS", "STARTED"]


def test_warnings_come_once(tmp_path: Path) -> None:
    """However often the server fails, it is said once."""
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
    assert len(spooled(tmp_path)) == 30


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
    """A command line that makes no sense is refused with status 2 before anything runs."""
    done = job(job_environment("http://127.0.0.1:1", tmp_path), *arguments)
    assert done.returncode == 2
    assert b"usage: lamia-job" in done.stderr
