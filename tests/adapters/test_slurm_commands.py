"""``lamia-gql hook slurm`` and ``lamia-gql follow slurm``, with a squeue of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.adapters.slurm_commands import SlurmCommands
from tests.support.harness import Server, environment_with, run_cli
from tests.support.job_side import ROOT, spooled_events, stored_event_classes
from tests.support.waiting import until

HOOK = [sys.executable, "-m", "lamia_gql", "hook", "slurm"]
WITHOUT_PROCESSES = """
import os
from lamia_gql.commands.cli import main
def fork():
    raise BlockingIOError(11, "Resource temporarily unavailable")
os.fork = fork
main(["hook", "slurm"])
"""
"""The hook on a machine that has no more processes."""
JOB = {"ArrayJobID": "7", "ArrayTaskID": "3", "JobID": "9", "BatchHost": "node1"}
ENDED = JOB | {"State": "FAILED", "EndTime": "1020", "exit_code": "768"}
EPILOG = {"SLURM_SCRIPT_CONTEXT": "epilog_slurmctld", "SLURM_JOB_ID": "9"}


def hook_environment(folder: Path, given: Mapping[str, str], url: str | None) -> dict[str, str]:
    """What the controller tells a hook, and what its script exports."""
    kept = {k: v for k, v in environment_with({}).items() if not k.startswith("SLURM_")}
    kept |= {"PATH": f"{folder}:{os.environ['PATH']}", "LAMIA_SPOOL": str(folder / "spool")}
    return kept | ({} if url is None else {"LAMIA_URL": url}) | dict(given)


def run_hook(
    folder: Path, given: Mapping[str, str], url: str | None, command: Sequence[str] = HOOK
) -> str:
    """Run the hook, which always succeeds; what it says to its caller."""
    done = subprocess.run(
        command,
        env=hook_environment(folder, given, url),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr


def test_hook_tells_the_end(tmp_path: Path, sqlite_server: Server) -> None:
    """It waits in background until the job is no longer COMPLETING."""
    sqlite_server.create("night", {"name": "fill", "jobCount": 5})
    slurm = SlurmCommands(tmp_path)
    slurm.queue(ENDED | {"State": "COMPLETING"})
    assert run_hook(tmp_path, EPILOG, sqlite_server.url) == ""
    until(lambda: len(slurm.calls("squeue")) > 1, "it does not ask again")
    slurm.queue(ENDED)
    until(lambda: stored_event_classes(sqlite_server, "night") == ["FAILED"], "it tells nothing")


def test_hook_of_a_busy_controller(tmp_path: Path, sqlite_server: Server) -> None:
    """While the controller does not answer, it is asked again: an end would be lost for good."""
    sqlite_server.create("night", {"name": "fill", "jobCount": 5})
    slurm = SlurmCommands(tmp_path)
    slurm.answer("squeue", error="slurm_load_jobs error: Unable to contact slurm controller")
    assert run_hook(tmp_path, EPILOG, sqlite_server.url) == ""
    until(lambda: slurm.calls("squeue"), "it does not ask")
    slurm.queue(ENDED)
    until(lambda: stored_event_classes(sqlite_server, "night") == ["FAILED"], "it tells nothing")


def test_hook_that_can_not_go_into_background(tmp_path: Path) -> None:
    """It says so, and does not fail either."""
    command = [sys.executable, "-c", WITHOUT_PROCESSES]
    said = run_hook(tmp_path, EPILOG, "http://127.0.0.1:9", command)
    assert said.startswith("lamia-gql hook slurm: It can't go into the background: ")


def test_hook_spools(tmp_path: Path) -> None:
    """What the server does not take is kept."""
    SlurmCommands(tmp_path).queue(JOB)
    prolog = EPILOG | {"SLURM_SCRIPT_CONTEXT": "prolog_slurmctld"}
    assert run_hook(tmp_path, prolog, "http://127.0.0.1:9") == ""
    until(lambda: spooled_events(tmp_path), "nothing is spooled")
    (event,) = spooled_events(tmp_path)
    assert (event["eventClass"], event["batchId"]) == ("STARTED", "7_3")


def test_hook_returns_at_once(tmp_path: Path) -> None:
    """The controller does not wait for a squeue that hangs, and its signals do not reach it."""
    hanging = tmp_path / "squeue"
    wait = f"until [ -e {tmp_path}/go ]; do sleep 0.1; done"
    hanging.write_text(f"#!/bin/sh\n{wait}\ntouch {tmp_path}/answered\n")
    hanging.chmod(0o755)
    environ = hook_environment(tmp_path, EPILOG, "http://127.0.0.1:9")
    caller = subprocess.Popen(HOOK, env=environ, cwd=ROOT, start_new_session=True)
    assert caller.wait(20) == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(caller.pid, signal.SIGKILL)  # nobody is left in its group
    (tmp_path / "go").touch()
    until((tmp_path / "answered").exists, "the hook was killed")


@pytest.mark.parametrize(
    ("given", "url", "said"),
    [
        ({}, "http://127.0.0.1:9", "Slurm's controller has to run this."),
        ({"SLURM_SCRIPT_CONTEXT": "prolog_slurmctld"}, None, "Slurm's controller has to run this."),
        (EPILOG, None, "LAMIA_URL is not set. Nothing is reported."),
        (EPILOG, "x", "'x' is not the address of a server"),
    ],
)
def test_hook_never_fails(
    tmp_path: Path, given: dict[str, str], url: str | None, said: str
) -> None:
    """Slurm requeues a job whose prolog fails: wrong settings are told, with exit code 0."""
    assert run_hook(tmp_path, given, url).startswith(f"lamia-gql hook slurm: {said}")


def test_follow_once(
    tmp_path: Path, sqlite_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look, for cron; the next one tells only what is new."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    sqlite_server.create("night", {"name": "fill", "jobCount": 5})
    slurm = SlurmCommands(tmp_path)
    slurm.queue(JOB, ENDED | {"JobID": "10", "ArrayTaskID": "4", "Comment": "other"})
    arguments = ("follow", "slurm", "--once", "7", "--task", "night", "--process", "fill")
    done = run_cli(*arguments, url=sqlite_server.url)
    assert (done.returncode, done.stderr) == (0, "3 events stored.\n")
    assert sqlite_server.process("night", "fill")["counts"]["failed"] == 1
    slurm.queue(ENDED)
    assert (
        run_cli("follow", "slurm", "--once", "--all-users", url=sqlite_server.url).returncode == 0
    )
    assert sqlite_server.process("night", "fill")["counts"]["failed"] == 2
    slurm.answer("squeue", error="slurm_load_jobs error: Unable to contact slurm controller")
    done = run_cli(*arguments, url=sqlite_server.url)
    assert (done.returncode, "Unable to contact slurm controller" in done.stderr) == (1, True)


def test_follow_needs_to_know_the_jobs() -> None:
    """A task and a process are for jobs that are named; a label would be needed otherwise."""
    for wrong in (("--task", "t"), ("--task", "t", "--process", "p"), ("7", "--process", "p")):
        done = run_cli("follow", "slurm", *wrong)
        assert (done.returncode, "numbers of JOBs" in done.stderr) == (2, True)
