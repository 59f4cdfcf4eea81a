"""Events that were sent in time survive a job that is killed or stuck."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lamia_gql.client import Job
from tests.support.job_side import (
    LAMIA_JOB,
    ROOT,
    FaultyServer,
    job_environment,
    run_lamia_job,
    shell_command,
    spooled_events,
)
from tests.support.waiting import until


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_killed_while_a_server_hangs(tmp_path: Path, mode: str) -> None:
    """Events that wait for the server for more than a second are spooled, and sent later.

    The kill comes before the server is given up, after 5 seconds of silence or 15 in all.
    """
    with FaultyServer(mode) as server:
        process = subprocess.Popen(
            [*LAMIA_JOB, "run", "--beat", "0.2", "--", *shell_command("echo up; sleep 60")],
            env=job_environment(server.url, tmp_path),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        # Those that are on their way, and those that were told in the meantime.
        until(lambda: len(spooled_events(tmp_path)) >= 4, "beats on the disk", 10)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        kept = {event["id"] for event in spooled_events(tmp_path)}
        assert len(server.requests) == 1
        on_their_way = {event["id"] for event in server.requests[0][1]}
        assert on_their_way < kept
        server.requests.clear()
        server.mode = "good"
        done = run_lamia_job(job_environment(server.url, tmp_path), "flush")
        assert done.stdout == b"%d events sent, 0 refused, 0 files left.\n" % len(kept)
        sent = [event for _headers, batch in server.requests for event in batch]
    assert {event["id"] for event in sent} == kept
    assert {event["eventClass"] for event in sent} == {"STARTED", "BEAT"}


def test_spooled_while_the_dns_lookup_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are spooled, too, while the DNS lookup hangs, which has no timeout."""
    asked, answered = threading.Event(), threading.Event()

    def look_up(*_arguments: object, **_options: object) -> None:
        asked.set()
        answered.wait(60)
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    one = Job(environ=job_environment("http://nowhere.invalid", tmp_path), quiet=True)
    one.beat()
    assert asked.wait(20)
    one.progress(1)
    until(lambda: len(spooled_events(tmp_path)) == 2, "both on the disk")
    assert not answered.is_set()
    answered.set()
    one.close()
    assert len(spooled_events(tmp_path)) == 2


def test_slow_server_gets_each_event_once(tmp_path: Path) -> None:
    """Events that a slow server accepts are removed from the spool and not sent again."""
    with FaultyServer("slow") as server:
        one = Job(environ=job_environment(server.url, tmp_path))
        one.beat()
        one.progress(1)
        until(lambda: len(spooled_events(tmp_path)) == 2, "two copies")
        until(lambda: spooled_events(tmp_path) == [], "the answers")
        one.close()
        sent = [event["eventClass"] for _headers, batch in server.requests for event in batch]
    assert sent == ["BEAT", "PROGRESS"]
    assert one.warnings == []


def test_signal_handler_may_send_events(tmp_path: Path) -> None:
    """A signal handler may send events, whatever it has interrupted."""
    source = """
import random, signal
from lamia_gql.client import Job
job, told = Job(quiet=True), 0
def tell(*_):
    global told
    told += 1
    job.beat()
    job.close(0.001)
signal.signal(signal.SIGALRM, tell)
for number in range(100):
    signal.setitimer(signal.ITIMER_REAL, 0.0001 + random.random() / 300)
    job.progress(number)
    job.close(0.001)
signal.setitimer(signal.ITIMER_REAL, 0)
job.close()
print(100 + told)
"""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == b""
    assert len({event["id"] for event in spooled_events(tmp_path)}) == int(done.stdout)


@pytest.mark.slow
def test_forks_while_threads_send(tmp_path: Path) -> None:
    """Children forked while threads send are not blocked by their locks."""
    source = """
import os, threading
from lamia_gql.client import Job
job = Job()
ended = threading.Event()
def tell():
    while not ended.wait(0.0001):
        job.progress(1)
threads = [threading.Thread(target=tell) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(60):
    pid = os.fork()
    if pid == 0:
        job.done()
        job.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
ended.set()
for thread in threads:
    thread.join()
job.close()
"""
    with FaultyServer("good") as server:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", source],
            env=job_environment(server.url, tmp_path),
            cwd=ROOT,
            capture_output=True,
            timeout=100,
            check=True,
        )
        assert done.stderr == b""
        sent = [event for _headers, batch in server.requests for event in batch]
    assert sum(event["eventClass"] == "DONE" for event in sent) == 60
