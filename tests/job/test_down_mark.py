"""A server that does not answer costs one job its time, and not each of those that follow."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lamia_gql.client import Job
from lamia_gql.client.down_mark import DOWN_S, DownMark
from lamia_gql.client.spool import Spool
from tests.support.job_side import FaultyServer, job_environment, run_lamia_job, spooled_events
from tests.support.waiting import until


def test_others_do_not_wait_for_a_server_that_hangs(tmp_path: Path) -> None:
    """Only the first one tries it; `flush` always does, and then the next ones do, too."""
    with FaultyServer("hang") as server:
        environ = job_environment(server.url, tmp_path)
        run_lamia_job(environ, "emit", "STARTED")
        assert len(server.requests) == 1
        for event_class in ("BEAT", "PROGRESS", "DONE"):
            done = run_lamia_job(environ, "emit", event_class)
            assert b"has not answered other jobs. Events are kept and sent later." in done.stderr
        assert run_lamia_job(environ, "run", "--", "true").stderr == b""
        assert len(server.requests) == 1
        assert len(spooled_events(tmp_path)) == 6

        server.mode = "good"
        assert run_lamia_job(environ, "flush").returncode == 0
        assert run_lamia_job(environ, "emit", "DONE").stderr == b""
        sent = [event["eventClass"] for _headers, batch in server.requests[1:] for event in batch]
    assert sent == ["STARTED", "BEAT", "PROGRESS", "DONE", "STARTED", "DONE", "DONE"]
    assert spooled_events(tmp_path) == []


def test_a_running_job_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that has started meanwhile sends its events as soon as the mark has expired."""
    monkeypatch.setattr("lamia_gql.client.down_mark.DOWN_S", 1.0)
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path)
        spool = Spool(environ["LAMIA_SPOOL"], f"{server.url}/graphql")
        Path(spool.folder).mkdir(parents=True)
        spool.down.set()
        with Job(environ=environ, quiet=True) as one:
            one.progress(1)
            until(lambda: len(spooled_events(tmp_path)) == 2, "the spool")
            until(lambda: spooled_events(tmp_path) == [], "the events")
        assert not Path(spool.folder, ".down").exists()


def test_marks_that_do_not_count(tmp_path: Path) -> None:
    """A mark is ignored when it has expired, is of another clock, or is none at all."""
    mark = DownMark(str(tmp_path / ".down"))
    assert mark.remaining_s() == 0
    mark.clear()
    mark.set()
    assert DOWN_S - 10 < mark.remaining_s() <= DOWN_S
    now = time.time()
    for content in (f"{now - 1}", f"{now + 3600}", "", "soon", "nan", "é"):
        (tmp_path / ".down").write_text(content)
        assert mark.remaining_s() == 0, content
    DownMark(str(tmp_path / "missing" / ".down")).set()
    mark.clear()
    assert list(tmp_path.iterdir()) == []
