"""Events that neither the server nor the spool takes: they wait in memory, but not too many."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client import Job, waiting_events
from tests.support.job_side import ROOT, FaultyServer, job_environment, spooled_events
from tests.support.waiting import until

WITHOUT_THREADS = """
import threading
def start(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
from lamia_gql.client.__main__ import main
main()
"""
"""A lamia-job on a machine that has no more threads."""


CLOSED_MEANWHILE = """
import threading
from lamia_gql.client import Job
job = Job()
put = job._sender.put
def put_late(event):
    job.close()
    put(event)
job._sender.put = put_late
def start(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
job.beat()
"""
"""A job that another thread closes while it reports an event, and Python exits at once."""


CLOSING_LOUDLY = """
import os, time
os.fsync = lambda descriptor: time.sleep(600)
from lamia_gql.client import sender
from lamia_gql.client.__main__ import main
sender.MIN_SPOOL_TIME_S = 0.1
close = sender.Sender.close
def close_loudly(self, timeout):
    print("closing")
    close(self, 0.1)
sender.Sender.close = close_loudly
main()
"""
"""A lamia-job that says when it closes its job, with a spool that does not answer."""


def run_with_full_disk(folder: Path, payload: Any, number: int) -> tuple[Job, list[Any]]:
    """Report progress while the server is away, until it is back; the job, and what it has got."""
    folder.joinpath("spool").touch()
    with FaultyServer("503") as server:
        with Job(environ=job_environment(server.url, folder), quiet=True) as job:
            until(lambda: job.warnings, "the first failure")
            for progress in range(number):
                job.progress(progress, payload)
            server.mode = "good"
            server.requests.clear()
        return job, [event for _headers, batch in server.requests for event in batch]


@pytest.mark.parametrize(
    ("payload", "number", "limit", "kept"),
    [("x" * 20_000, 100, "BYTES", 50), (None, 150, "EVENTS", 98)],
)
def test_oldest_progress_is_dropped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    payload: Any,
    number: int,
    limit: str,
    kept: int,
) -> None:
    """However large its events are, a job takes little memory; the end is always kept."""
    monkeypatch.setattr(waiting_events, "MAX_WAITING_BYTES", 1_020_000)
    monkeypatch.setattr(waiting_events, "CHECK_BYTES", 100_000)
    if limit == "EVENTS":
        monkeypatch.setattr(waiting_events, "MAX_WAITING_EVENTS", 100)
    job, sent = run_with_full_disk(tmp_path, payload, number)
    assert "Too many events wait: the oldest beats are dropped." in job.warnings
    assert (sent[0]["eventClass"], sent[-1]["eventClass"]) == ("STARTED", "DONE")
    progress = [event["progress"] for event in sent[1:-1]]
    assert progress == list(range(number))[-len(progress) :]
    assert kept - 5 <= len(progress) <= kept + 5


def test_stream_without_threads(tmp_path: Path) -> None:
    """More events than wait in memory are spooled, and nobody waits for a thread."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THREADS, "emit", "--batch"],
        input=b'{"eventClass": "BEAT"}\n' * 5000,
        env=job_environment("http://127.0.0.1:1", tmp_path),
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    assert done.returncode == 0
    assert len(spooled_events(tmp_path)) == 5000


def test_event_that_comes_while_the_job_is_closed(tmp_path: Path) -> None:
    """It is sent or spooled when Python exits."""
    subprocess.run(
        [sys.executable, "-c", CLOSED_MEANWHILE],
        env=job_environment("http://127.0.0.1:1", tmp_path),
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    assert [event["eventClass"] for event in spooled_events(tmp_path)] == ["BEAT"]


def test_a_job_that_goes_on_after_it_was_closed(tmp_path: Path) -> None:
    """What could be neither sent nor spooled then waits in memory until the server is back."""
    tmp_path.joinpath("spool").touch()
    with FaultyServer("503") as server:
        job = Job(environ=job_environment(server.url, tmp_path), quiet=True)
        job.emit("STARTED")
        job.close(0.1)
        assert any("nor the spool takes them" in warning for warning in job.warnings)
        server.mode = "good"
        server.requests.clear()
        job.beat()

        def classes() -> set[str]:
            return {event["eventClass"] for _headers, batch in server.requests for event in batch}

        until(lambda: classes() == {"STARTED", "BEAT"}, "both events")
        job.close()


def test_lost_events_are_waited_for_once(tmp_path: Path) -> None:
    """What a command has given up costs no more time when Python exits."""
    done = subprocess.run(
        [sys.executable, "-c", CLOSING_LOUDLY, "emit", "BEAT"],
        env=job_environment("http://127.0.0.1:1", tmp_path),
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"closing\n"
    assert b"1 events are lost: neither the server nor the spool takes them." in done.stderr
