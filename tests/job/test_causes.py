"""Why jobs end, and what they use: what lamia-job tells about it beside the payload."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from lamia_gql.client import Job
from lamia_gql.client.delivery import deliver
from lamia_gql.client.event_details import DETAIL_FIELDS, USAGE_FIELDS, make_details
from lamia_gql.client.server_connection import EventResult
from tests.support.harness import Server
from tests.support.job_side import (
    LAMIA_JOB,
    ROOT,
    FakeConnection,
    FaultyServer,
    job_environment,
    make_event,
    python_command,
    run_lamia_job,
    shell_command,
    spooled_events,
)


def sent_events(server: FaultyServer) -> list[dict[str, Any]]:
    """All events that a server has got, in order."""
    return [event for _headers, batch in server.requests for event in batch]


def end_of(server: FaultyServer) -> dict[str, Any]:
    """The latest event, without what is in its payload and its usage."""
    found = sent_events(server)[-1]
    return {name: found.get(name) for name in ("eventClass", "exitCode", "signal", "message")}


@pytest.mark.parametrize(
    ("command", "end"),
    [
        (shell_command("true"), ("DONE", 0, None, None)),
        (shell_command("exit 3"), ("FAILED", 3, None, None)),
        (
            shell_command("echo one >&2; printf 'disk \\033[31mfull\\033[0m\\n \\n' >&2; exit 7"),
            ("FAILED", 7, None, "disk full"),
        ),
        (
            python_command("print('x'); raise ValueError('no such run')"),
            ("FAILED", 1, None, "ValueError: no such run"),
        ),
        (shell_command("printf '%02000d' 5 >&2; exit 1"), ("FAILED", 1, None, "0" * 1024)),
        (shell_command("kill -KILL $$"), ("FAILED", None, "SIGKILL", None)),
        (shell_command("kill -40 $$"), ("FAILED", None, "SIG40", None)),
        (shell_command("kill -TERM $$"), ("TERMINATED", None, "SIGTERM", "Stopped by SIGTERM.")),
        (["no-such-program"], ("FAILED", 127, None, "no-such-program: No such file or directory")),
        (["/"], ("FAILED", 126, None, "/: Permission denied")),
    ],
)
def test_end_of_a_program(tmp_path: Path, command: list[str], end: tuple[Any, ...]) -> None:
    """An end tells the exit code or the signal, and the last line of stderr or the error."""
    with FaultyServer("good") as server:
        run_lamia_job(job_environment(server.url, tmp_path), "run", "--", *command)
        assert tuple(end_of(server).values()) == end


def test_end_by_the_threshold(tmp_path: Path) -> None:
    """A program that was stopped because it is enough says so."""
    with FaultyServer("enough") as server:
        environ = job_environment(server.url, tmp_path)
        run_lamia_job(environ, "run", "--stop-when-enough", "--", "sleep", "60")
        assert end_of(server) == {
            "eventClass": "TERMINATED",
            "exitCode": None,
            "signal": "SIGTERM",
            "message": "Stopped because the process has reached its threshold.",
        }


def test_usage_of_a_program(tmp_path: Path) -> None:
    """Ends and beats tell what the program and its children used, and what it was given."""
    script = (
        "import subprocess, time\n"
        "data = b'x' * 30_000_000\n"
        "open('made', 'wb').write(data)\n"
        "subprocess.run(['dd', 'if=made', 'of=/dev/null', 'bs=1M'], stderr=subprocess.DEVNULL)\n"
        "begin = time.process_time()\n"
        "while time.process_time() < begin + 0.4: pass"
    )
    with FaultyServer("good") as server:
        environ = job_environment(
            server.url,
            tmp_path,
            PYTHONPATH=ROOT,
            SLURM_JOB_ID="77",
            SLURM_CPUS_ON_NODE="4",
            SLURM_MEM_PER_NODE="2000",
        )
        done = subprocess.run(
            [*LAMIA_JOB, "run", "--beat", "0.1", "--", *python_command(script)],
            env=environ,
            cwd=tmp_path,
            check=True,
        )
        assert done.returncode == 0
        found = sent_events(server)
    usage = found[-1]["usage"]
    assert set(usage) == set(USAGE_FIELDS)
    assert 0.4 <= usage["cpuSeconds"] < 60
    assert 0.4 <= usage["wallSeconds"] < 60
    assert 30e6 < usage["maxRssBytes"] < 1e9
    assert 30e6 <= usage["readBytes"] < 60e6
    assert 30e6 <= usage["writeBytes"] < 90e6
    assert (usage["cpus"], usage["requestedMemoryBytes"]) == (4, 2000 * 2**20)
    # A job that is killed has told what it used until then.
    beats = [event for event in found if event["eventClass"] == "BEAT"]
    assert set(beats[-1]["usage"]) == set(USAGE_FIELDS)
    assert found[-1]["payload"]["usage"].keys() >= {"userSeconds", "systemSeconds"}


def test_batch_system_of_events(tmp_path: Path) -> None:
    """Every event has the batch system's id of its job, and its name of the node."""
    slurm = {"SLURM_JOB_ID": "77", "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "5"}
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path, **slurm, SLURMD_NODENAME="node7")
        run_lamia_job(environ, "run", "--attempt", "2", "--", "true")
        found = sent_events(server)
    assert [event["eventClass"] for event in found] == ["STARTED", "DONE"]
    for event in found:
        assert (event["batchId"], event["hostname"], event["attempt"]) == ("70_5", "node7", 2)


class UntoldError(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (ValueError("ü\n2"), ("FAILED", None, None, "ValueError: ü\n2")),
        (OSError(28, "full"), ("FAILED", None, None, "OSError: [Errno 28] full")),
        (
            json.JSONDecodeError("Bad", "x", 0),
            ("FAILED", None, None, "json.decoder.JSONDecodeError: Bad: line 1 column 1 (char 0)"),
        ),
        (UntoldError(), ("FAILED", None, None, f"{__name__}.UntoldError")),
        (SystemExit(3), ("FAILED", 3, None, None)),
        (SystemExit("no input"), ("FAILED", 1, None, "no input")),
        (SystemExit(UntoldError()), ("FAILED", 1, None, None)),
        (KeyboardInterrupt(), ("TERMINATED", None, "SIGINT", "KeyboardInterrupt")),
        (
            asyncio.CancelledError("late"),
            ("TERMINATED", None, None, "asyncio.exceptions.CancelledError: late"),
        ),
        (
            CancelledError(),
            ("TERMINATED", None, None, "concurrent.futures._base.CancelledError"),
        ),
    ],
)
def test_end_by_an_exception(tmp_path: Path, error: BaseException, end: tuple[Any, ...]) -> None:
    """The message is the last line of the traceback; what was cancelled is TERMINATED."""
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path)
        with pytest.raises(type(error)), Job(environ=environ):
            raise error
        assert tuple(end_of(server).values()) == end


def test_emit_tells_causes(tmp_path: Path) -> None:
    """``emit`` has an option for each of them; HELD is a class of its own."""
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path, LAMIA_ATTEMPT=1)
        options = ("--exit-code", "-9", "--signal", "9", "--message", "too\a much")
        run_lamia_job(environ, "emit", "FAILED", *options, "--batch-id", "57.3")
        run_lamia_job(environ, "emit", "HELD", "--message", "Input is missing", "--attempt", "3")
        failed, held = sent_events(server)
    assert [failed[name] for name in ("exitCode", "signal", "message", "batchId", "attempt")] == [
        *(-9, "SIGKILL", "too  much", "57.3", 1)
    ]
    assert (held["eventClass"], held["message"], held["attempt"]) == ("HELD", "Input is missing", 3)
    for wrong in (("--signal", "nine!"), ("--exit-code", "x"), ("--attempt", "-1")):
        assert run_lamia_job(environ, "emit", "FAILED", *wrong).returncode == 2


def test_details_are_what_a_server_accepts() -> None:
    """Texts are cut within a character, and what no server accepts is left out."""
    told = make_details(
        exit_code=1 << 40,
        signal_name="x" * 40,
        message="ü" * 600,
        batch_id="7" * 300,
        usage={"cpus": -1, "cpuSeconds": float("nan"), "wallSeconds": 1.5, "other": 3},
    )
    assert told == {"message": "ü" * 512, "usage": {"wallSeconds": 1.5}}
    assert make_details(message="é\ud800" + "ü" * 600)["message"].encode()[:3] == b"\xc3\xa9?"
    assert make_details(signal_name="kill") == make_details(signal_name=9) == {"signal": "SIGKILL"}
    assert make_details(signal_name="77", message=" \0", usage={}) == {}


def test_older_server_gets_events_without_their_causes(tmp_path: Path) -> None:
    """A server that does not know the new fields gets all others; it is asked only once."""
    with FaultyServer("old") as server:
        environ = job_environment(server.url, tmp_path, PBS_JOBID="5")
        with Job(environ=environ) as one:
            for number in range(3):
                one.progress(number, {"number": number})
            one.held("Waits for input")
            one.beat(usage={"cpuSeconds": 1})
            one.failed({"reason": "none"}, exit_code=3, message="full")
        found = sent_events(server)
    assert [event["eventClass"] for event in found] == [
        *("STARTED", "PROGRESS", "PROGRESS", "PROGRESS", "BEAT", "FAILED")
    ]
    assert [event.get("progress") for event in found[1:4]] == [0, 1, 2]
    assert found[-1]["payload"] == {"reason": "none"}
    assert all(event["sentAt"] and event["hostname"] for event in found)
    # Only HELD can't be told to it.
    refused = [json.loads(path.read_text()) for path in tmp_path.glob("spool/*/refused/*.json")]
    assert [record["event"]["eventClass"] for record in refused] == ["HELD"]
    with_details = [
        batch
        for batch in server.refused
        if any(not event.keys().isdisjoint(DETAIL_FIELDS) for event in batch)
    ]
    assert len(with_details) <= 3
    assert spooled_events(tmp_path) == []


@pytest.mark.parametrize("name", DETAIL_FIELDS)
def test_refused_detail_is_left_out(name: str) -> None:
    """An event arrives although the server refuses one of its details."""
    event = make_event(eventClass="FAILED", **{"exitCode": 3, name: 7})
    wrong = EventResult("NEW_CODE", "No.", False, name)
    connection = FakeConnection(
        lambda fields: wrong if name in fields else EventResult(None, "", False)
    )
    result = deliver(connection, [event])
    assert [stored.id for stored in result.stored] == connection.stored == [event.id]
    assert result.refused == []


def test_a_rerun_overrules_what_the_server_knows(sqlite_server: Server, tmp_path: Path) -> None:
    """The server tells why a job has failed; a later submission counts, whatever came before."""
    sqlite_server.create("t", {"name": "p", "jobCount": 8})
    environ = job_environment(sqlite_server.url, tmp_path, SLURM_ARRAY_TASK_ID=7)
    query = """{ job(task: "t", process: "p", index: 7) {
      state exitCode signal message batchId usage { wallSeconds cpus } } }"""

    def run(array: int, restarts: int, *command: str) -> dict[str, Any]:
        slurm = {"SLURM_ARRAY_JOB_ID": str(array), "SLURM_RESTART_COUNT": str(restarts)}
        slurm["SLURM_CPUS_ON_NODE"] = "2"
        done = run_lamia_job(environ | slurm, "run", "--", *command)
        assert done.stderr.startswith(b"disk full") or not done.stderr
        found: dict[str, Any] = sqlite_server.graphql(query)["job"]
        assert found.pop("usage")["cpus"] == 2
        return found

    assert run(70, 1, *shell_command("echo disk full >&2; exit 3")) == {
        "state": "FAILED",
        "exitCode": 3,
        "signal": None,
        "message": "disk full",
        "batchId": "70_7",
    }
    again = run(71, 0, *shell_command("kill -KILL $$"))
    assert (again["state"], again["signal"], again["batchId"]) == ("FAILED", "SIGKILL", "71_7")
    assert run(72, 0, "true") == {
        "state": "DONE",
        "exitCode": 0,
        "signal": None,
        "message": None,
        "batchId": "72_7",
    }
    run_lamia_job(environ | {"SLURM_ARRAY_JOB_ID": "73"}, "emit", "HELD", "--message", "Quota")
    held = sqlite_server.graphql(query)["job"]
    assert (held["state"], held["message"]) == ("HELD", "Quota")


PATIENT = """
from lamia_gql.client import wrapper
from lamia_gql.client.__main__ import main
wrapper.LATE_SIGNAL_S = 10.0
main()
"""
"""A lamia-job that waits for a late signal long enough for a busy machine."""


def test_signal_that_comes_late(tmp_path: Path) -> None:
    """A batch system may signal the program first, and lamia-job a moment after its end."""
    # The helper sees the program as long as nobody has waited for it.
    script = (
        "wrapper=$PPID; program=$$\n"
        "(while kill -0 $program; do :; done; sleep 0.03; kill -TERM $wrapper) >&- 2>&- &\n"
        "exit 143"
    )
    with FaultyServer("good") as server:
        environ = job_environment(server.url, tmp_path)
        command = [sys.executable, "-c", PATIENT, "run", "--", *shell_command(script)]
        done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (143, b"")
        assert tuple(end_of(server).values()) == ("TERMINATED", 143, None, "Stopped by SIGTERM.")


def test_other_ranks_are_silent(tmp_path: Path) -> None:
    """The program of each rank runs as it would, and only the first one reports."""
    source = "import os, sys; sys.exit(3 * int(os.environ['PMI_RANK']))"
    with FaultyServer("good") as server:
        for rank in (1, 0):
            environ = job_environment(server.url, tmp_path, PMI_RANK=rank)
            done = run_lamia_job(environ, "run", "--", *python_command(source))
            assert (done.returncode, done.stderr) == (3 * rank, b"")
            run_lamia_job(environ, "emit", "BEAT")
            python = [sys.executable, "-c", "from lamia_gql.client import Job\nwith Job(): pass"]
            subprocess.run(python, env=environ, cwd=ROOT, check=True)
            assert len(sent_events(server)) == (0 if rank else 5)
    assert not os.path.exists(tmp_path / "spool")
