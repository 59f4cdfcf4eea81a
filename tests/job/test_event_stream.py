"""``lamia-job emit --batch``: many events by one call."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import Server
from tests.support.job_side import (
    LAMIA_JOB,
    ROOT,
    FaultyServer,
    job_environment,
    run_lamia_job,
    spooled_events,
    stored_events,
)
from tests.support.unread import unread_bytes
from tests.support.waiting import until


def lines_of(*events: dict[str, Any]) -> bytes:
    """Events as lines of JSON."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def test_events_of_many_jobs(sqlite_server: Server, tmp_path: Path) -> None:
    """Each line is an event; what it does not have is that of the job that calls."""
    sqlite_server.create("t", {"name": "p", "jobCount": 1000}, {"name": "merge"})
    environ = job_environment(
        sqlite_server.url,
        tmp_path,
        SLURM_ARRAY_JOB_ID=70,
        SLURM_ARRAY_TASK_ID=3,
        SLURMD_NODENAME="node7",
    )
    events: list[dict[str, Any]] = [
        {"index": index, "eventClass": "DONE", "exitCode": 0} for index in range(10, 1000)
    ]
    events += [
        {"eventClass": "PROGRESS", "progress": 50, "payload": {"file": "ü"}, "attempt": 1},
        {"index": 4, "eventClass": "FAILED", "signal": 9, "message": "x" * 2000, "batchId": 57},
        {"process": "merge", "eventClass": "HELD", "sentAt": "2026-11-27T10:00:00Z"},
    ]
    done = run_lamia_job(environ, "emit", "--batch", input=lines_of(*events) + b"\n \n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    found = sqlite_server.graphql(
        """{ process(task: "t", name: "p") { counts { done failed running } }
          own: job(task: "t", process: "p", index: 3) { progress { current } batchId hostname }
          other: job(task: "t", process: "p", index: 4) { signal message batchId hostname }
          merge: job(task: "t", process: "merge") { state batchId hostname lastEventAt } }"""
    )
    assert found == {
        "process": {"counts": {"done": 990, "failed": 1, "running": 1}},
        "own": {"progress": {"current": 50}, "batchId": "70_3", "hostname": "node7"},
        "other": {
            "signal": "SIGKILL",
            "message": "x" * 1024,
            "batchId": "57",
            "hostname": None,
        },
        "merge": {
            "state": "HELD",
            "batchId": None,
            "hostname": None,
            "lastEventAt": "2026-11-27T10:00:00+00:00",
        },
    }
    [own] = [event for event in stored_events(sqlite_server) if event["eventClass"] == "PROGRESS"]
    assert (own["attempt"], own["payload"]) == (1, {"file": "ü"})


def test_events_go_while_lines_come(tmp_path: Path) -> None:
    """An event is sent at once; many that wait go in few requests, in their order."""
    with FaultyServer("good") as server:
        with subprocess.Popen(
            [*LAMIA_JOB, "emit", "--batch"],
            env=job_environment(server.url, tmp_path),
            cwd=ROOT,
            stdin=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            process.stdin.write(lines_of({"eventClass": "STARTED"}))
            process.stdin.flush()
            until(lambda: server.requests, "the first event")
            server.may_answer.clear()
            process.stdin.write(
                lines_of(*({"eventClass": "PROGRESS", "progress": n} for n in range(1000)))
            )
            process.stdin.flush()
            until(lambda: unread_bytes(process.stdin) == 0, "a reader")
            server.may_answer.set()
        sent = [event for _headers, batch in server.requests for event in batch]
        progress = [event["progress"] for event in sent if "progress" in event]
        assert progress == list(range(1000))
        # At most 8 KiB of lines were still to be read.
        assert len(server.requests) < 300
    times = [event["sentAt"] for event in sent]
    assert sorted(set(times)) == times


def test_server_that_is_away(tmp_path: Path) -> None:
    """More events than wait in memory are all spooled, with the times at which they came."""
    environ = job_environment("http://127.0.0.1:1", tmp_path)
    lines = ({"eventClass": "PROGRESS", "progress": n, "sentAt": None} for n in range(12_000))
    done = run_lamia_job(environ, "emit", "--batch", input=lines_of(*lines))
    assert done.returncode == 0
    assert done.stderr.count(b"\n") == 1
    found = sorted(spooled_events(tmp_path), key=lambda event: str(event["sentAt"]))
    assert [event["progress"] for event in found] == list(range(12_000))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"DONE", b"Expecting value"),
        (b"[1]", b"it is not a JSON object"),
        (b"\xff", b"can't decode"),
        (b'{"eventClass": "DONE", "state": 1}', b"'state' is not a field of an event"),
        (b'{"eventClass": "FINISHED"}', b"eventClass is none of BEAT, "),
        (b'{"eventClass": ["DONE"]}', b"unhashable"),
        (b'{"eventClass": "BEAT", "progress": NaN}', b"NaN is not JSON"),
        (b'{"eventClass": "BEAT", "progress": 1e999}', b"progress is not a finite number"),
        (b'{"eventClass": "BEAT", "task": 5}', b"task is not a text, or missing"),
        (b"[" * 100_000, b"recursion"),
    ],
)
def test_invalid_lines(tmp_path: Path, line: bytes, reason: bytes) -> None:
    """They are named, and the others are sent."""
    good = lines_of({"eventClass": "STARTED"}, {"eventClass": "DONE", "usage": [], "signal": {}})
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path)
        done = run_lamia_job(environ, "emit", "--batch", input=b"\n" + line + b"\n" + good)
        sent = [event["eventClass"] for _headers, batch in server.requests for event in batch]
    assert (done.returncode, sent) == (2, ["STARTED", "DONE"])
    assert done.stderr.startswith(b"lamia-job: Line 2 is not sent: ")
    assert reason in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_what_a_batch_needs(tmp_path: Path) -> None:
    """An address, and in each line the names that are not set; nothing beside it."""
    good = lines_of({"eventClass": "BEAT"})
    environ = job_environment("", tmp_path)
    done = run_lamia_job(environ, "emit", "--batch", input=good)
    assert done.returncode == 0
    assert done.stderr == b"lamia-job: LAMIA_URL is not set. Nothing will be sent.\n"
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path, PMI_RANK="1")
        del environ["LAMIA_PROCESS"]
        done = run_lamia_job(environ, "emit", "--batch", input=good * 12)
        assert (done.returncode, done.stderr.count(b"\n")) == (2, 11)
        assert b"process is not a text, or missing" in done.stderr
        assert done.stderr.endswith(b"lamia-job: 12 lines are not sent.\n")
        assert server.requests == []
        # Of a parallel job only the first rank reports, but all events of other jobs count.
        environ["LAMIA_PROCESS"] = "p"
        other = lines_of({"eventClass": "BEAT", "index": 5})
        assert run_lamia_job(environ, "emit", "--batch", input=good + other).returncode == 0
        assert [event["index"] for _headers, [event] in server.requests] == [5]
    # There are no events in a stdin that is closed, or can't be read.
    for redirection, told in (
        ("<&-", b""),
        ("0>/dev/null", b"lamia-job: No more lines can be read"),
    ):
        command = ["sh", "-c", f'"$@" {redirection}', "sh", *LAMIA_JOB, "emit", "--batch"]
        done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == 0
        assert done.stderr.startswith(told)
        assert done.stderr.count(b"\n") == bool(told)
    for wrong in (("--batch", "DONE"), ("--batch", "--progress", "1"), ()):
        assert run_lamia_job(environ, "emit", *wrong, input=good).returncode == 2
    assert not os.path.exists(tmp_path / "spool")


@pytest.mark.parametrize("command", [("emit", "BEAT"), ("emit", "--batch"), ("flush",)])
def test_interrupted(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Ctrl-C ends a command without a traceback, and what it has read is kept."""
    with FaultyServer("hang") as server:
        environ = job_environment(server.url, tmp_path)
        if command == ("flush",):
            away = job_environment("http://127.0.0.1:1", tmp_path)
            run_lamia_job(away, "emit", "BEAT")
            command = ("flush", "--moved-from", "http://127.0.0.1:1")
        with subprocess.Popen(
            [*LAMIA_JOB, *command],
            env=environ,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # What a script starts in the background ignores it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as process:
            assert process.stdin is not None
            process.stdin.write(lines_of({"eventClass": "BEAT"}))
            process.stdin.flush()
            until(lambda: server.requests, "a request")
            process.send_signal(signal.SIGINT)
            # The connection is closed at once.
            server.stopping.set()
            _out, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert b"Traceback" not in errors
    assert [event["eventClass"] for event in spooled_events(tmp_path)] == ["BEAT"]
