"""Calls of ``concurrent.futures`` that are reported as the jobs of an array."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client.job_executor import JobExecutor
from lamia_gql.client.sender import Sender
from tests.support.harness import Server
from tests.support.job_side import FaultyServer, job_environment, stored_events


def processes(number: int) -> Executor:
    """A pool of new processes, as threads and forks do not go together."""
    return ProcessPoolExecutor(number, multiprocessing.get_context("spawn"))


def divide(number: int, by: int = 0) -> float:
    """Fails without a divisor."""
    return number / by


def die(_number: int) -> None:
    """End the worker as if it had taken too much memory."""
    os.kill(os.getpid(), 9)


def make_unpicklable() -> Any:
    """A result that does not get to another process."""
    return threading.Lock()


@pytest.fixture
def environ(
    sqlite_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The environment of this process is that of jobs of an array."""
    sqlite_server.create("t", {"name": "p", "jobCount": 4, "firstIndex": 1})
    environ = job_environment(sqlite_server.url, tmp_path, PBS_JOBID="5")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return environ


def jobs(server: Server) -> list[tuple[int, str, str | None]]:
    """Index, state and message of all jobs."""
    found = server.graphql(
        """{ process(task: "t", name: "p") { ... on JobArray {
          jobs(first: 10) { nodes { index state message } } } } }"""
    )["process"]["jobs"]["nodes"]
    return [(job["index"], job["state"], job["message"]) for job in found]


@pytest.mark.parametrize("make", [ThreadPoolExecutor, processes])
@pytest.mark.usefixtures("environ")
def test_each_call_is_a_job(sqlite_server: Server, make: Callable[[int], Executor]) -> None:
    """Results and exceptions are those of the calls; each is told to the server."""
    with JobExecutor(make(2), first_index=1) as pool:
        assert list(pool.map(divide, [3, 4], [2, 2])) == [1.5, 2]
        future = pool.submit(divide, 5)
        with pytest.raises(ZeroDivisionError) as caught:
            future.result()
        assert pool.submit(divide, by=2, number=5).result() == 2.5
    message = f"ZeroDivisionError: {caught.value}"
    assert jobs(sqlite_server) == [
        (1, "DONE", None),
        (2, "DONE", None),
        (3, "FAILED", message),
        (4, "DONE", None),
    ]
    found = [event["eventClass"] for event in stored_events(sqlite_server)]
    assert sorted(found) == sorted(["SUBMITTED", "STARTED"] * 4 + ["DONE"] * 3 + ["FAILED"])


@pytest.mark.usefixtures("environ")
def test_calls_that_can_not_report(sqlite_server: Server) -> None:
    """A worker that dies, a call that is cancelled, a result that is lost: each has an end."""
    with JobExecutor(processes(1), first_index=1) as pool:
        with pytest.raises(TypeError, match="pickle"):
            pool.submit(make_unpicklable).result()
        with pytest.raises(BrokenProcessPool):
            pool.submit(die, 2).result()
        with pytest.raises(BrokenProcessPool):
            pool.submit(divide, 2)
    held = threading.Event()
    with JobExecutor(ThreadPoolExecutor(1), first_index=4) as pool:
        pool._executor.submit(held.wait)
        future = pool.submit(divide, 1, 1)
        assert future.cancel()
        held.set()
    found = jobs(sqlite_server)
    assert [state for _index, state, _message in found] == [*["FAILED"] * 3, "TERMINATED"]
    messages = [str(message) for _index, _state, message in found]
    assert "pickle" in messages[0]
    assert messages[1].startswith("concurrent.futures.process.BrokenProcessPool: ")
    assert messages[2].startswith("concurrent.futures.process.BrokenProcessPool: ")
    assert messages[3] == "Cancelled before it has begun."


def test_without_an_address_it_is_the_executor(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is reported, with one warning, and the calls are made."""
    monkeypatch.delenv("LAMIA_URL", raising=False)
    with JobExecutor(ThreadPoolExecutor(1), "t", "p") as pool:
        assert list(pool.map(str, range(3))) == ["0", "1", "2"]
    assert capfd.readouterr().err == "lamia-job: LAMIA_URL is not set. Nothing will be sent.\n"


def test_arguments_go_to_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, names and spool are those that were given."""
    for name in ("LAMIA_URL", "LAMIA_TASK", "LAMIA_PROCESS"):
        monkeypatch.delenv(name, raising=False)
    with FaultyServer("good") as server:
        spool = str(tmp_path / "spool")
        with JobExecutor(processes(1), "task", "array", url=server.url, spool=spool) as pool:
            assert pool.submit(abs, -1).result() == 1
        sent = [event for _headers, batch in server.requests for event in batch]
    assert {(event["task"], event["process"], event["index"]) for event in sent} == {
        ("task", "array", 0)
    }
    assert len(sent) == 3


def test_calls_leave_nothing_behind(sqlite_server: Server, environ: dict[str, str]) -> None:
    """A worker keeps no job once its call has ended, however many calls it makes."""
    sqlite_server.create("many", {"name": "p", "jobCount": 40})
    before = count_senders()
    with JobExecutor(ThreadPoolExecutor(1), task="many") as pool:
        assert list(pool.map(str, range(40))) == [str(number) for number in range(40)]
        assert count_senders() - before <= 2
    assert sqlite_server.process("many", "p")["counts"]["done"] == 40


def count_senders() -> int:
    """How many there are in this process."""
    gc.collect()
    return sum(isinstance(found, Sender) for found in gc.get_objects())
