"""Events that the server refuses, or that come before their task."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client.delivery import deliver
from lamia_gql.client.flusher import Flusher
from lamia_gql.client.server_connection import (
    EventResult,
    RequestRejectedError,
    ServerUnavailableError,
)
from lamia_gql.client.spool import Spool
from tests.support.harness import Server
from tests.support.job_side import (
    ROOT,
    FakeConnection,
    job_environment,
    make_event,
    run_lamia_job,
    spooled_events,
    stored_events,
)


def test_job_before_its_task(sqlite_server: Server, tmp_path: Path) -> None:
    """Events of a task that does not exist yet are spooled, with one warning."""
    environ = job_environment(sqlite_server.url, tmp_path)
    done = run_lamia_job(environ, "run", "--", "true")
    assert (done.returncode, done.stderr.count(b"lamia-job: ")) == (0, 1)
    assert b"no task" in done.stderr
    assert run_lamia_job(environ, "flush").returncode == 1
    sqlite_server.create("t", {"name": "p"})
    assert run_lamia_job(environ, "flush").stdout == b"2 events sent, 0 refused, 0 files left.\n"
    assert sqlite_server.process("t", "p")["state"] == "SUCCEEDED"


def test_waiting_for_a_task_ends_after_a_day() -> None:
    """Events of a task that is never created are refused after a day."""
    connection = FakeConnection(lambda _event: EventResult("TASK_NOT_FOUND", "No.", False))
    young, old = make_event(age=3600), make_event(age=25 * 3600)
    delivery = deliver(connection, [young, old])
    assert delivery.kept == [young]
    assert [refusal.event for refusal in delivery.refused] == [old]


def test_refused_for_good(sqlite_server: Server, tmp_path: Path) -> None:
    """Events that are refused for good are put aside with the reason, and block no others."""
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
    assert spooled_events(tmp_path) == []
    aside = list((tmp_path / "spool").glob("*/refused/*.json"))
    assert len(aside) == 20
    record = json.loads(aside[0].read_text())
    assert record["reason"].startswith("INDEX_OUT_OF_RANGE: ")
    assert record["event"]["index"] == 7
    assert run_lamia_job(environ, "flush").returncode == 0


def test_one_bad_part_does_not_cost_an_end(sqlite_server: Server, tmp_path: Path) -> None:
    """An end whose payload is too large arrives with a part of it."""
    sqlite_server.create("t", {"name": "p"})
    environ = job_environment(sqlite_server.url, tmp_path)
    done = run_lamia_job(environ, "emit", "DONE", "--payload", json.dumps("x" * 70_000))
    assert b"PAYLOAD_TOO_LARGE" in done.stderr or b"at most" in done.stderr
    payload = {"truncated": True, "bytes": 70_002, "head": '"' + "x" * (16 * 1024 - 1)}
    assert [(e["eventClass"], e["payload"]) for e in stored_events(sqlite_server)] == [
        ("DONE", payload)
    ]


def test_one_event_that_spoils_its_request() -> None:
    """An event for which the server refuses its request is isolated; the others are stored."""
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


def test_event_that_always_causes_a_500(tmp_path: Path) -> None:
    """An event that always causes a 500 stays spooled, but does not block the others."""
    spool = Spool(str(tmp_path), "http://host/graphql")
    batch = [make_event() for _ in range(40)]
    for event in batch:
        spool.add([event])

    def rule(event: dict[str, Any]) -> EventResult:
        if event["id"] == batch[5].id:
            raise ServerUnavailableError("Status 500.", may_be_event=True)
        return EventResult(None, "", False)

    connection = FakeConnection(rule)
    flusher = Flusher(connection, spool)
    for _ in range(60):
        for _delivery in flusher.flush():
            pass
    left = [event.id for name in spool.file_names() for event in spool.read(name)]
    assert left == [batch[5].id]


@pytest.mark.parametrize("code", ["BUSY", "STORAGE_FAILED", "OUTCOME_UNKNOWN"])
def test_event_that_the_server_may_not_have_stored_is_kept(code: str) -> None:
    """Whether it is known or not that it was not stored, it is sent again with the same id."""
    event = make_event()
    delivery = deliver(FakeConnection(lambda _: EventResult(code, "Try again.", False)), [event])
    assert [kept.id for kept in delivery.kept] == [event.id]
    assert not delivery.refused
    assert not delivery.stored
