"""Clocks of nodes that are wrong: the server corrects the times of their events."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import Server
from tests.support.job_side import (
    ROOT,
    job_environment,
    run_skewed_lamia_job,
    shell_command,
    stored_events,
)

HOUR = 3600.0
JOB = '{ process(task: "t", name: "p") { ... on SolitaryProcess { job { state starts } } } }'


def run(server: Server, folder: Path, skew_s: float, script: str) -> None:
    """Run a program on a node whose clock is so far ahead."""
    environ = job_environment(server.url, folder)
    command = ["run", "--", *shell_command(script)]
    try:
        run_skewed_lamia_job(environ, skew_s, *command)
    except Exception:
        if script == "true":
            raise


def job(server: Server) -> dict[str, Any]:
    """What is shown of the job."""
    found: dict[str, Any] = server.graphql(JOB)["process"]["job"]
    return found


@pytest.mark.parametrize("skews", [(0.0, -HOUR), (240.0, 0.0), (HOUR, -HOUR), (0.0, -1.7e9)])
def test_a_rerun_overrules(
    sqlite_server: Server, tmp_path: Path, skews: tuple[float, float]
) -> None:
    """A rerun on a host whose clock is behind, or after one whose clock is ahead."""
    sqlite_server.create("t", {"name": "p"})
    run(sqlite_server, tmp_path, skews[0], "exit 3")
    assert job(sqlite_server) == {"state": "FAILED", "starts": 1}
    run(sqlite_server, tmp_path, skews[1], "true")
    assert job(sqlite_server) == {"state": "DONE", "starts": 2}
    now = datetime.now(UTC)
    for event in stored_events(sqlite_server):
        assert abs((now - datetime.fromisoformat(event["sentAt"])).total_seconds()) < 60


def test_what_was_corrected_is_recorded(sqlite_server: Server, tmp_path: Path) -> None:
    """Each event tells what was added to its time; a right clock is left alone."""
    sqlite_server.create("t", {"name": "p"})
    offsets = """{ task(name: "t") { events(first: 9) { nodes { eventClass clockOffset } } } }"""
    run(sqlite_server, tmp_path, 0.0, "true")
    nodes = sqlite_server.graphql(offsets)["task"]["events"]["nodes"]
    assert [node["clockOffset"] for node in nodes] == [None, None]
    run(sqlite_server, tmp_path, HOUR, "true")
    nodes = sqlite_server.graphql(offsets)["task"]["events"]["nodes"][2:]
    assert [node["eventClass"] for node in nodes] == ["STARTED", "DONE"]
    assert all(node["clockOffset"] == pytest.approx(-HOUR, abs=30) for node in nodes)
    sqlite_server.check_counters("t")


def test_stream_of_events(sqlite_server: Server, tmp_path: Path) -> None:
    """The times of ``emit --batch`` are corrected as well, but for those that were given to it."""
    sqlite_server.create("t", {"name": "p"})
    environ = job_environment(sqlite_server.url, tmp_path)
    for line in (b'{"eventClass": "BEAT"}', b'{"eventClass": "BEAT", "sentAt": "2026-01-02"}'):
        run_skewed_lamia_job(environ, HOUR, "emit", "--batch", stdin=line)
    now, given = (datetime.fromisoformat(e["sentAt"]) for e in stored_events(sqlite_server))
    assert abs((datetime.now(UTC) - now).total_seconds()) < 60
    assert given == datetime(2026, 1, 2, tzinfo=UTC)


def test_clock_of_a_workflow_is_set_back(sqlite_server: Server, tmp_path: Path) -> None:
    """Its jobs end nevertheless: the times of its events only grow."""
    environ = job_environment(sqlite_server.url, tmp_path)
    subprocess.run([sys.executable, "-c", SET_BACK], env=environ, cwd=ROOT, check=True)
    counts = sqlite_server.process("w", "align")["counts"]
    assert (counts["done"], counts["running"]) == (1, 0)


SET_BACK = """
import datetime
class SetBack(datetime.datetime):
    hours = 0
    @classmethod
    def now(cls, tz=None):
        cls.hours += 1
        return super().now(tz) - datetime.timedelta(hours=cls.hours)
datetime.datetime = SetBack
from lamia_gql.client.workflow import Workflow
workflow = Workflow("w")
for event_class in ("STARTED", "DONE"):
    workflow.emit("align", 0, event_class)
workflow.close()
"""
"""A workflow tool, and a clock that goes back before each event."""


@pytest.mark.parametrize("header", ["", "x", "nan", "-1", "1e99", "inf"])
def test_a_wrong_header_is_ignored(sqlite_server: Server, header: str) -> None:
    """What is no time corrects nothing; by REST, a right one does."""
    sqlite_server.rest("POST", "/t", {"processes": {"p": None}})
    event = {"eventClass": "BEAT", "sentAt": "2020-01-01T00:00:00Z"}
    path = "/t/p/event"
    sqlite_server.rest("POST", path, event, headers={"Lamia-Clock": header})
    assert sqlite_server.rest("GET", path).json()[0]["sentAt"] == "2020-01-01T00:00:00+00:00"
    sqlite_server.rest("POST", path, event, headers={"Lamia-Clock": "1577836800"})
    shown = sqlite_server.rest("GET", path).json()[1]["sentAt"]
    assert shown.startswith(datetime.now(UTC).isoformat()[:13])
