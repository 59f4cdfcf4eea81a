"""Real jobs of HTCondor are followed: the server knows of them what ``condor_history`` knows."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.condor_pool import CondorPool
from tests.support.follower import FollowerProcess, follower
from tests.support.harness import Server, run_cli
from tests.support.job_side import build_pyz, stored_events
from tests.support.recipes import find_recipe
from tests.support.waiting import until

pytestmark = pytest.mark.batch

WAIT_S = 90.0
JOB = """\
#!/bin/sh
# The number says what happens to the job.
case $1 in
  4) exit 3 ;;
  5) exit 7 ;;
  6) kill -9 $$ ;;
  7) kill -SEGV $$ ;;
  8 | 9 | 1?) while [ ! -e /pool/work/go ]; do sleep 0.2; done ;;
esac
"""
ARRAY = """\
executable = job.sh
arguments = $(ProcId)
log = array.log
request_cpus = 1
request_memory = 32M
request_disk = 1M
My.LamiaTask = "schedd"
My.LamiaProcess = "fill"
queue 20
"""
ATTRIBUTES = ["ProcId", "JobStatus", "ExitCode", "ExitSignal", "ExitBySignal", "NumJobStarts"]
ATTRIBUTES += ["LastRemoteHost", "RemoveReason"]
COMPLETED, REMOVED = 4, 3
JOBS = """query($task: String!, $name: String!) { process(task: $task, name: $name) {
  ... on JobArray { jobs(first: 100) { nodes {
    index state attempt hostname exitCode signal message batchId
    usage { wallSeconds requestedMemoryBytes } } } } } }"""


def read_jobs(server: Server, task: str, name: str = "fill") -> dict[int, dict[str, Any]]:
    """The jobs of an array, by their indices."""
    nodes = server.graphql(JOBS, task=task, name=name)["process"]["jobs"]["nodes"]
    return {node["index"]: node for node in nodes}


def read_history(pool: CondorPool, cluster: int) -> dict[int, dict[str, Any]]:
    """What HTCondor knows of the jobs of an array; nothing while some are in the queue."""
    text = pool.run("condor_history", "-json", "-attributes", ",".join(ATTRIBUTES), str(cluster))
    history = {ad["ProcId"]: ad for ad in json.loads(text or "[]")}
    return history if len(history) == 20 else {}


def expected(ad: dict[str, Any]) -> tuple[object, ...]:
    """What the server should say of a job that HTCondor describes so."""
    if ad["JobStatus"] == REMOVED:
        return "TERMINATED", None, None, ad["RemoveReason"]
    assert ad["JobStatus"] == COMPLETED
    if ad["ExitBySignal"]:
        return "FAILED", None, {9: "SIGKILL", 11: "SIGSEGV"}[ad["ExitSignal"]], None
    return ("FAILED" if ad["ExitCode"] else "DONE"), ad["ExitCode"], None, None


def write_script(pool: CondorPool, name: str, script: str) -> None:
    """Write a program for jobs."""
    path = pool.work / name
    path.write_text(script)
    path.chmod(0o755)


def test_an_array_with_a_troubled_life(
    condor_pool: CondorPool, sqlite_server: Server, tmp_path: Path
) -> None:
    """Exit codes, signals, hold and release, removal, eviction, daemons that die: as it happened.

    One follower reads the user's log, and is killed in between; another one reads the log of the
    access point, which is rotated.
    """
    pool, server = condor_pool, sqlite_server
    for task in ("night", "schedd"):
        server.create(task, {"name": "fill", "jobCount": 20})
    write_script(pool, "job.sh", JOB)
    cluster = pool.submit(ARRAY)
    log = pool.work / "array.log"
    user = ("condor", log, "--task", "night", "--process", "fill")

    def wait_for(states: dict[int, str]) -> None:
        def is_so() -> bool:
            jobs = read_jobs(server, "night")
            return all(jobs[index]["state"] == state for index, state in states.items())

        until(is_so, lambda: f"{states}: {read_jobs(server, 'night')}", WAIT_S)

    with follower(tmp_path / "schedd", server.url, "condor", pool.event_log) as schedd:
        with follower(tmp_path / "user", server.url, *user):
            wait_for({4: "FAILED", 7: "FAILED", **dict.fromkeys(range(8, 16), "RUNNING")})
            wait_for(dict.fromkeys(range(16, 20), "SUBMITTED"))
            for command, index in (("hold", 8), ("rm", 9), ("vacate_job", 12), ("suspend", 13)):
                pool.run(f"condor_{command}", f"{cluster}.{index}")
            wait_for({8: "HELD", 9: "TERMINATED", 13: "HELD"})
        held = read_jobs(server, "night")[8]
        assert held["message"] == "via condor_hold (by user worker)"
        # Nobody reads the log meanwhile.
        pool.run("condor_release", f"{cluster}.8")
        pool.run("condor_continue", f"{cluster}.13")
        pool.kill_starter(f"{cluster}.10")
        pool.run("condor_rm", f"{cluster}.19")
        with follower(tmp_path / "user", server.url, *user) as process:
            wait_for({8: "RUNNING", 13: "RUNNING", 19: "TERMINATED"})
            until(lambda: read_jobs(server, "night")[10]["attempt"], process.output, WAIT_S)
            (pool.work / "go").touch()
            wait_for(dict.fromkeys([*range(4), 8, *range(10, 19)], "DONE"))
            assert process.stop() == 0
        history = until(lambda: read_history(pool, cluster), "all jobs have left", WAIT_S)
        jobs = read_jobs(server, "night")
        until(lambda: read_jobs(server, "schedd") == jobs, schedd.output, WAIT_S)
        assert schedd.stop() == 0
    for index, ad in history.items():
        job = jobs[index]
        found = (job["state"], job["exitCode"], job["signal"], job["message"])
        assert (index, *found) == (index, *expected(ad))
        assert job["batchId"] == f"{cluster}.{index}"
        starts = ad["NumJobStarts"]
        # One that was removed while it ran would have been started again as the next attempt.
        assert job["attempt"] == (starts if job["state"] == "TERMINATED" else starts - 1)
        if starts:
            assert job["hostname"] == ad["LastRemoteHost"].partition("@")[2]
    assert {index for index, ad in history.items() if ad["NumJobStarts"] > 1} >= {8, 10, 12}
    server.check_counters()
    # Both logs have the same events.
    count = len(stored_events(server, "night"))
    names = ("--task", "night", "--process", "fill", "--cluster", str(cluster), "--once")
    third = FollowerProcess(tmp_path / "third", server.url, "condor", pool.event_log, *names)
    assert third.wait() == 0
    assert f"{count} events stored." in third.output()
    assert len(stored_events(server, "night")) == count


def test_a_rerun_of_some_indices(
    condor_pool: CondorPool, sqlite_server: Server, tmp_path: Path
) -> None:
    """The recipe: an array, and then those of its jobs again that have failed."""
    pool, server = condor_pool, sqlite_server
    server.create("night", {"name": "simulate", "jobCount": 10})
    write_script(pool, "simulate.sh", "#!/bin/sh\n[ -e mended ] || [ $1 != 3 -a $1 != 5 ]\n")
    log = pool.work / "simulate.log"
    arguments = ("condor", log, "--task", "night", "--process", "simulate")
    description = find_recipe("htcondor", "simulate.sub").replace(
        "simulate.sh\n", "simulate.sh\ninitialdir = /pool/work\n"
    )
    with follower(tmp_path, server.url, *arguments) as process:

        def wait_for(done: int, failed: int) -> None:
            def is_so() -> bool:
                counts = server.process("night", "simulate")["counts"]
                return bool((counts["done"], counts["failed"]) == (done, failed))

            until(is_so, process.output, WAIT_S)

        pool.submit(description)
        wait_for(8, 2)
        failed = run_cli("resubmit", "night", "simulate", "--as", "condor", url=server.url)
        (pool.work / "mended").touch()
        queued = failed.stdout.strip()
        pool.submit(re.sub("^queue.*", queued, description, flags=re.MULTILINE))
        wait_for(10, 0)
    events = stored_events(server, "night")
    assert {event["job"]["index"] for event in events if event["attempt"]} == {3, 5}


def test_a_dag(condor_pool: CondorPool, sqlite_server: Server, tmp_path: Path) -> None:
    """The recipe: its nodes are processes. A POST script decides, and a node is tried again."""
    pool, server = condor_pool, sqlite_server
    server.create("night", {"name": "simulate", "jobCount": 3}, {"name": "merge"})
    write_script(pool, "job.sh", "#!/bin/sh\n[ -e /pool/work/second ] || [ $1 = simulate ]\n")
    write_script(pool, "check.sh", "#!/bin/sh\ntouch second\nexit $1\n")
    for name, jobs in (("simulate", 3), ("merge", 1)):
        (pool.work / f"{name}.sub").write_text(
            f"executable = /pool/work/job.sh\narguments = {name}\nlog = {name}.log\nqueue {jobs}\n"
        )
    (pool.work / "night.dag").write_text(find_recipe("htcondor", "night.dag"))
    pool.run("condor_submit_dag", "night.dag")
    log = pool.work / "night.dag.nodes.log"
    with follower(tmp_path, server.url, "condor", log, "--task", "night") as process:

        def has_succeeded() -> bool:
            states = [server.process("night", name)["state"] for name in ("simulate", "merge")]
            return states == ["SUCCEEDED", "SUCCEEDED"]

        until(has_succeeded, process.output, WAIT_S)
    of_merge = [e["eventClass"] for e in stored_events(server, "night") if not e["job"]["index"]]
    assert "FAILED" in of_merge


def test_jobs_that_also_report_themselves(
    condor_pool: CondorPool, sqlite_server: Server, tmp_path: Path
) -> None:
    """The recipe with ``lamia-job`` and a follower agree; what the job can't tell, the log does."""
    pool, server = condor_pool, sqlite_server
    server.create("night", {"name": "simulate", "jobCount": 10, "beatInterval": 60})
    shutil.copy(build_pyz(tmp_path), pool.work)
    script = (
        "case $1 in 7) exit 3;; 8) kill -9 $PPID;; 9) [ -e /pool/work/again ] || sleep 99;; esac"
    )
    write_script(pool, "simulate.sh", f"#!/bin/sh\n{script}\n")
    description = find_recipe("recipes", "simulate.sub")
    description = description.replace("http://monitor:8088", server.url)
    description = description.replace("/shared/lamia-spool", "/pool/work/spool")
    cluster = pool.submit(description.replace("queue", "request_memory = 64M\nqueue"))
    log = pool.work / f"simulate.{cluster}.log"

    def wait_for(states: dict[int, str]) -> None:
        def is_so() -> bool:
            jobs = read_jobs(server, "night", "simulate")
            return all(jobs[index]["state"] == state for index, state in states.items())

        until(is_so, lambda: f"{states}: {read_jobs(server, 'night', 'simulate')}", WAIT_S)

    arguments = ("condor", log, "--task", "night", "--process", "simulate")
    with follower(tmp_path / "home", server.url, *arguments) as process:
        others = {**dict.fromkeys(range(7), "DONE"), 7: "FAILED", 8: "FAILED"}
        wait_for({**others, 9: "RUNNING"})
        (pool.work / "again").touch()
        pool.run("condor_vacate_job", f"{cluster}.9")
        wait_for({**others, 9: "DONE"})
        until(lambda: "(1) Normal" in log.read_text().rpartition("\n005 ")[2], "it has ended")
        assert process.stop() == 0
    jobs = read_jobs(server, "night", "simulate")
    causes = {index: (jobs[index]["exitCode"], jobs[index]["signal"]) for index in (0, 7, 8, 9)}
    assert causes == {0: (0, None), 7: (3, None), 8: (None, "SIGKILL"), 9: (0, None)}
    assert {index: job["attempt"] for index, job in jobs.items() if job["attempt"]} == {9: 1}
    assert {job["batchId"] for job in jobs.values()} == {f"{cluster}.{n}" for n in range(10)}
    server.check_counters()
