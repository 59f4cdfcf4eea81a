"""Loops that report how far they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client import Job, progress_counter
from tests.support.harness import Server
from tests.support.job_side import FaultyServer, job_environment, stored_events
from tests.support.waiting import until


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """A server that takes all events."""
    with FaultyServer("good") as one:
        yield one


def told(server: FaultyServer) -> list[tuple[str, float | None]]:
    """The classes and the progress of all events that a server has got."""
    return [
        (event["eventClass"], event.get("progress"))
        for _headers, batch in server.requests
        for event in batch
    ]


def each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report each step, and not only those after some seconds."""
    monkeypatch.setattr(progress_counter.ProgressCounter.__init__, "__kwdefaults__", EACH_STEP)


EACH_STEP = {"is_count": False, "interval": 0.0}


def test_percentage_of_a_list(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The progress is how much of a list has been worked on, each value once."""
    each_step(monkeypatch)
    with Job(environ=job_environment(server.url, tmp_path)) as job:
        assert list(job.track("abc")) == ["a", "b", "c"]
    assert told(server) == [
        ("STARTED", None),
        *(("PROGRESS", progress) for progress in (33.333, 66.667, 100.0)),
        ("DONE", None),
    ]


def test_quick_loops_send_little(server: FaultyServer, tmp_path: Path) -> None:
    """A loop of many short steps sends its end, and little before that."""
    with Job(environ=job_environment(server.url, tmp_path)) as job:
        for _ in job.track(range(100_000)):
            pass
    progress = [number for name, number in told(server) if name == "PROGRESS"]
    assert progress[-1] == 100
    assert len(progress) < 20


def test_loops_that_end_early(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last progress is that of the items that are done; what is raised stays as it is."""
    with Job(environ=job_environment(server.url, tmp_path)) as job:
        for item in job.track(range(8)):
            if item == 2:
                break
        with pytest.raises(ZeroDivisionError):
            [1 / item for item in job.track([1, 1, 1, 0])]
        generated = (number for number in range(3))
        assert list(job.track(generated)) == [0, 1, 2]
        each_step(monkeypatch)
        assert list(job.track(iter([1]), total=4)) == [1]
        assert list(job.track([])) == []
    assert told(server)[1:-1] == [("PROGRESS", 25), ("PROGRESS", 75), ("PROGRESS", 25)]


def test_without_a_total_it_beats(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who does not know how far he is, is alive."""
    each_step(monkeypatch)
    with Job(environ=job_environment(server.url, tmp_path)) as job:
        assert list(job.track(iter("ab"))) == ["a", "b"]
    assert [name for name, _ in told(server)] == ["STARTED", "BEAT", "BEAT", "DONE"]


def test_loop_ends_when_it_is_enough(
    sqlite_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of items counts towards the threshold; when that is reached, the loop may end."""
    each_step(monkeypatch)
    sqlite_server.create("t", {"name": "p", "threshold": 3})

    def events(job: Job) -> Iterator[int]:
        number = 0
        while True:
            until(lambda: job.enough or number < 3, "enough")
            yield (number := number + 1)

    seen: list[Any] = []
    with Job(environ=job_environment(sqlite_server.url, tmp_path)) as job:
        seen += job.track(events(job), is_count=True, stop_when_enough=True)
    assert seen == [1, 2, 3, 4]
    assert stored_events(sqlite_server)[-2]["progress"] == 4
    assert sqlite_server.process("t", "p")["state"] == "SUCCEEDED"
