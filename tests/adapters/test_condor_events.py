"""What HTCondor writes about a job becomes events; its own library reads the logs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.condor_log import CondorLog
from tests.support.harness import environment_with, run_cli
from tests.support.job_side import ROOT, FaultyServer

START = datetime(2026, 11, 20, 12, 0, 0)  # logs have the local time


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places are remembered in the folder of the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def follow(*arguments: str | Path) -> list[dict[str, Any]]:
    """The events of ``lamia-gql follow condor … --once``."""
    with FaultyServer("good") as server:
        options = ["--once", "--url", server.url]
        done = run_cli("follow", "condor", *map(str, arguments), *options)
        assert (done.returncode, done.stdout) == (0, ""), done
        events = [event for _, sent in server.requests for event in sent]
    assert f"{len(events)} events stored." in done.stderr
    return events


def brief(events: list[dict[str, Any]], *names: str) -> list[tuple[object, ...]]:
    """The classes of events, and some of their other fields."""
    return [tuple(event.get(name) for name in ("eventClass", *names)) for event in events]


def test_a_job_that_succeeds(tmp_path: Path) -> None:
    """Submitted, started on a host, grown, done: with the exit code and what was used."""
    log = CondorLog(tmp_path / "job.log", START)
    log.submit(3)
    log.wait(5)
    log.execute(3)
    log.wait(10)
    log.grow(3, 4740)
    log.wait(30)
    log.terminate(3)
    events = follow(log.path, "--task", "night", "--process", "fill")
    host = "node7.example.org"
    assert brief(events, "index", "attempt", "batchId", "hostname") == [
        ("SUBMITTED", 3, 0, "57.3", None),
        ("STARTED", 3, 0, "57.3", host),
        ("BEAT", 3, 0, "57.3", host),
        ("DONE", 3, 0, "57.3", host),
    ]
    assert {(event["task"], event["process"]) for event in events} == {("night", "fill")}
    submitted_at, *_, ended_at = (datetime.fromisoformat(event["sentAt"]) for event in events)
    assert submitted_at == START.astimezone(UTC)
    assert ended_at - submitted_at == timedelta(seconds=45.999)
    assert events[2]["usage"] == {"maxRssBytes": 4740 * 1024}
    assert events[3]["exitCode"] == 0
    assert events[3]["usage"] == {
        "cpuSeconds": 65,
        "wallSeconds": 40,
        "maxRssBytes": 5 * 2**20,
        "cpus": 4,
        "requestedMemoryBytes": 64 * 2**20,
    }


def test_a_job_that_fails(tmp_path: Path) -> None:
    """By its exit code, or by a signal, which is named."""
    log = CondorLog(tmp_path / "job.log", START)
    log.submit(0, 1, 2)
    for proc in (0, 1, 2):
        log.execute(proc, node=proc)
    log.terminate(0, code=3)
    log.terminate(1, signal=9)
    log.terminate(2, signal=99)
    events = follow(log.path, "--task", "night", "--process", "fill", "--first-index", "1")
    assert brief(events[-3:], "index", "exitCode", "signal", "hostname") == [
        ("FAILED", 1, 3, None, "node0.example.org"),
        ("FAILED", 2, None, "SIGKILL", "node1.example.org"),
        ("FAILED", 3, None, "SIG99", "node2.example.org"),
    ]


def test_a_job_with_a_troubled_life(tmp_path: Path) -> None:
    """Each new start is an attempt; a job that waits already belongs to the next one."""
    log = CondorLog(tmp_path / "job.log", START)
    log.submit(0)
    log.execute(0, node=1)
    log.evict(0)
    log.hold(0, "Error: no such file: /data/a", code=13, subcode=2)
    log.release(0, "via condor_release (by user eve)")
    log.execute(0, node=2)
    log.suspend(0)
    log.resume(0)
    log.disconnect(0, "Socket between submit and execute hosts closed", node=2)
    log.reconnect(0, node=2)
    log.disconnect(0, "Socket between submit and execute hosts closed", node=2)
    log.fail_reconnect(0, "Job disconnected too long: JobLeaseDuration expired", node=2)
    log.execute(0, node=3)
    log.fail_shadow(0, "Error from slot1@node3: Failed to transfer files")
    log.execute(0, node=4)
    log.requeue(0, code=2)
    log.execute(0, node=5)
    log.evict(0)
    log.abort(0, "via condor_rm (by user eve)")
    events = follow(log.path, "--task", "night", "--process", "fill")
    closed = "Socket between submit and execute hosts closed"
    hosts = [f"node{number}.example.org" for number in range(6)]
    assert brief(events, "attempt", "hostname", "message") == [
        ("SUBMITTED", 0, None, None),
        ("STARTED", 0, hosts[1], None),
        ("SUBMITTED", 1, None, "Evicted."),
        ("HELD", 1, hosts[1], "Error: no such file: /data/a"),
        ("SUBMITTED", 1, None, "via condor_release (by user eve)"),
        ("STARTED", 1, hosts[2], None),
        ("HELD", 1, hosts[2], "Suspended."),
        ("STARTED", 1, hosts[2], None),
        ("BEAT", 1, hosts[2], closed),
        ("BEAT", 1, hosts[2], "Reconnected."),
        ("BEAT", 1, hosts[2], closed),
        ("SUBMITTED", 2, None, "Job disconnected too long: JobLeaseDuration expired"),
        ("STARTED", 2, hosts[3], None),
        ("SUBMITTED", 3, None, "Error from slot1@node3: Failed to transfer files"),
        ("STARTED", 3, hosts[4], None),
        ("FAILED", 3, hosts[4], None),
        (
            "SUBMITTED",
            4,
            None,
            "The job attribute OnExitRemove expression 'ExitCode =?= 0' evaluated to FALSE",
        ),
        ("STARTED", 4, hosts[5], None),
        ("SUBMITTED", 5, None, "Evicted."),
        ("TERMINATED", 5, hosts[5], "via condor_rm (by user eve)"),
    ]
    assert events[3]["payload"] == {"holdReasonCode": 13, "holdReasonSubCode": 2}
    assert events[15]["exitCode"] == 2
    # All of it was in one second, but an attempt's events are in order.
    moments = [(event["attempt"], event["sentAt"]) for event in events]
    assert moments == sorted(set(moments))
    assert len({event["id"] for event in events}) == len(events)


def test_a_start_without_an_end(tmp_path: Path) -> None:
    """When a shadow is killed, nobody writes that; the next execution is the next attempt."""
    log = CondorLog(tmp_path / "job.log", START)
    log.submit(0)
    log.execute(0, node=1)
    log.wait(20)
    log.execute(0, node=2)
    log.terminate(0)
    events = follow(log.path, "--task", "night", "--process", "fill")
    assert brief(events, "attempt", "hostname") == [
        ("SUBMITTED", 0, None),
        ("STARTED", 0, "node1.example.org"),
        ("STARTED", 1, "node2.example.org"),
        ("DONE", 1, "node2.example.org"),
    ]


def test_names_in_attributes(tmp_path: Path) -> None:
    """In the log of an access point, the attributes of jobs tell whose they are."""
    night: dict[str, object] = {"LamiaTask": '"night"', "LamiaProcess": '"fill"'}
    path = tmp_path / "EventLog"
    first = CondorLog(path, START, 57, night | {"LamiaIndex": 813})
    rerun = CondorLog(path, START, 59, night | {"LamiaIndex": '"814"'})
    foreign = CondorLog(path, START, 58, {})
    first.header(1)
    first.submit(0)
    foreign.submit(0)
    first.execute(0)
    rerun.submit(0)
    first.terminate(0, code=1)
    foreign.execute(0)
    events = follow(path)
    assert brief(events, "task", "process", "index", "batchId") == [
        ("SUBMITTED", "night", "fill", 813, "57.0"),
        ("STARTED", "night", "fill", 813, "57.0"),
        ("SUBMITTED", "night", "fill", 814, "59.0"),
        ("FAILED", "night", "fill", 813, "57.0"),
    ]


def test_one_cluster_of_a_log(tmp_path: Path) -> None:
    """A log that several clusters share can be followed for one of them."""
    path = tmp_path / "jobs.log"
    for cluster in (57, 58, 59):
        CondorLog(path, START, cluster).submit(0)
    clusters = ["--cluster", "57", "--cluster", "59"]
    events = follow(path, "--task", "night", "--process", "fill", *clusters)
    assert [event["batchId"] for event in events] == ["57.0", "59.0"]


def test_nodes_of_a_dag(tmp_path: Path) -> None:
    """Each node is a process; its POST script decides. A new try is another cluster."""
    path = tmp_path / "dag.nodes.log"
    failing, again, other = (CondorLog(path, START, cluster) for cluster in (60, 61, 62))
    failing.submit(0, node="A")
    other.submit(0, 1, node="B.2")
    failing.execute(0)
    failing.evict(0)
    failing.execute(0)
    failing.terminate(0, code=1)
    failing.post_script(0, "A", code=1)
    again.submit(0, node="A")
    again.execute(0)
    again.terminate(0, code=1)
    again.post_script(0, "A", code=0)
    other.execute(1)
    other.terminate(1)
    other.execute(0)
    other.terminate(0)
    events = follow(path, "--task", "dag")
    of_a = [event for event in events if event["process"] == "A"]
    assert brief(of_a, "batchId", "attempt", "message") == [
        ("SUBMITTED", "60.0", 0, None),
        ("STARTED", "60.0", 0, None),
        ("SUBMITTED", "60.0", 1, "Evicted."),
        ("STARTED", "60.0", 1, None),
        ("FAILED", "60.0", 1, None),
        ("FAILED", "60.0", 1, "The POST script of the DAG node failed."),
        ("SUBMITTED", "61.0", 0, None),
        ("STARTED", "61.0", 0, None),
        ("FAILED", "61.0", 0, None),
        ("DONE", "61.0", 0, None),
    ]
    of_b = [event for event in events if event["process"] == "B.2"]
    assert sorted(brief(of_b, "index")) == sorted(
        (kind, index) for kind in ("SUBMITTED", "STARTED", "DONE") for index in (0, 1)
    )


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The time zone of the access point."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_times_without_a_year(tmp_path: Path) -> None:
    """They are in the time zone of the reader, and never newer than the file."""
    log = CondorLog(
        tmp_path / "EventLog", datetime(2025, 12, 31, 23, 59, 30), time_format="%m/%d %H:%M:%S"
    )
    log.submit(0)
    log.wait(60)
    log.execute(0)
    written_at = datetime(2026, 1, 1, 0, 0, 30).astimezone().timestamp()
    os.utime(log.path, (written_at, written_at))
    events = follow(log.path, "--task", "night", "--process", "fill")
    assert [event["sentAt"] for event in events] == [
        "2025-12-31T22:59:30.000000+00:00",
        "2025-12-31T23:00:30.000000+00:00",
    ]


@pytest.mark.usefixtures("berlin")
def test_the_hour_that_exists_twice(tmp_path: Path) -> None:
    """When clocks are put back, the log's times go on."""
    log = CondorLog(tmp_path / "job.log", datetime(2025, 10, 26, 2, 50))
    log.submit(0)
    log.execute(0)
    log.wait(-40 * 60)
    log.terminate(0)
    log.wait(60 * 60)
    log.submit(1)
    events = follow(log.path, "--task", "night", "--process", "fill")
    assert [event["sentAt"] for event in events] == [
        "2025-10-26T00:50:00.000000+00:00",
        "2025-10-26T00:50:00.000001+00:00",
        "2025-10-26T01:10:00.999000+00:00",
        "2025-10-26T02:10:00.000000+00:00",
    ]


def test_without_the_library(tmp_path: Path) -> None:
    """Who has not installed the extra is told to."""
    (tmp_path / "htcondor2.py").write_text("raise ImportError\n")
    environ = {**environment_with({}), "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, "-m", "lamia_gql", "follow", "condor", "job.log"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    told = "HTCondor's logs need its library: pip install 'lamia-gql[condor]'.\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_exact_times_are_kept(tmp_path: Path) -> None:
    """Where the log has fractions and is in UTC, so are the events, wherever they are read."""
    log = CondorLog(tmp_path / "job.log", START, time_format="%Y-%m-%dT%H:%M:%S.250Z")
    log.submit(0)
    log.terminate(0)
    events = follow(log.path, "--task", "night", "--process", "fill")
    assert [event["sentAt"] for event in events] == [
        "2026-11-20T12:00:00.250000+00:00",
        "2026-11-20T12:00:00.250001+00:00",
    ]


def test_two_logs_of_one_job(tmp_path: Path) -> None:
    """That of the user and that of the access point have the same events, however exact."""
    found = []
    for name, time_format in (("job.log", "%m/%d %H:%M:%S"), ("EventLog", "%Y-%m-%d %H:%M:%S.734")):
        log = CondorLog(tmp_path / name, START, time_format=time_format)
        log.submit(0)
        for _ in range(2):
            log.hold(0, "No.")
            log.release(0, "Yes.")
        log.execute(0)
        log.wait(1)
        log.terminate(0)
        events = follow(log.path, "--task", "night", "--process", "fill")
        found.append([event["id"] for event in events])
    assert found[0] == found[1]
    assert len(set(found[0])) == 7
