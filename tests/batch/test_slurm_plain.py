"""A Slurm that keeps no accounts, and whose hook runs at ends as EpilogSlurmctld."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.batch.slurm_cluster import NODES, SlurmCluster
from tests.batch.slurm_setup import follow, read_jobs, recipe, run_slurm, write_script
from tests.support.harness import Server, run_cli
from tests.support.job_side import run_lamia_job, stored_events
from tests.support.waiting import until

pytestmark = [pytest.mark.batch, pytest.mark.timeout(300)]

WAIT_S = 60.0
"""How long a job may take on a machine that does much else."""
SCRIPT = """\
#!/bin/bash
case $SLURM_ARRAY_TASK_ID in
  0) exit 0 ;;
  1) exit 3 ;;
  2) exec sleep 300 ;;
  3) [ "${SLURM_RESTART_COUNT:-0}" = 0 ] && exec sleep 300; exit 0 ;;
esac
exit 0
"""


@pytest.fixture(scope="module")
def slurm(_sqlite_server: Server) -> Iterator[SlurmCluster]:
    """The cluster."""
    if not _sqlite_server.is_running:
        _sqlite_server.start()
    with run_slurm(_sqlite_server, accounting=False, end_hook="EpilogSlurmctld") as cluster:
        write_script(cluster.folder, "fill.sbatch", SCRIPT)
        write_script(cluster.folder, "sleep.sbatch", "#!/bin/bash\nexec sleep 300\n")
        yield cluster


def await_states(
    server: Server, task: str, wanted: dict[int, str], process: str = "fill"
) -> dict[int, dict[str, Any]]:
    """Wait for the states of jobs; return all jobs."""

    def found() -> dict[int, str]:
        return {index: job["state"] for index, job in read_jobs(server, task, process).items()}

    until(lambda: wanted.items() <= found().items(), lambda: f"{wanted}: {found()}", WAIT_S)
    return read_jobs(server, task, process)


def test_epilog_tells_ends(slurm: SlurmCluster, sqlite_server: Server) -> None:
    """Of a job that was cancelled, the controller tells the hook that it exited with 0."""
    sqlite_server.create("night", {"name": "fill", "jobCount": 4})
    options = ("--array=0-3", "--comment=by ada lamia:night/fill 2026", "--requeue")
    array = slurm.submit(slurm.folder / "fill.sbatch", *options)
    await_states(sqlite_server, "night", {2: "RUNNING", 3: "RUNNING"})
    slurm.run("scancel", f"{array}_2", check=True)
    slurm.run("scontrol", "requeue", f"{array}_3", check=True)
    await_states(sqlite_server, "night", {3: "SUBMITTED"})
    ends = {0: "DONE", 1: "FAILED", 2: "TERMINATED", 3: "DONE"}
    jobs = await_states(sqlite_server, "night", ends)
    assert (jobs[1]["exitCode"], jobs[2]["message"], jobs[3]["starts"]) == (3, "CANCELLED", 2)
    assert {job["batchId"] for job in jobs.values()} == {f"{array}_{i}" for i in range(4)}


def test_hook_while_the_server_is_away(slurm: SlurmCluster, sqlite_server: Server) -> None:
    """The hook spools what the server does not take, and the jobs run as ever."""
    sqlite_server.create("away", {"name": "fill", "jobCount": 2})
    sqlite_server.stop()
    array = slurm.submit(slurm.folder / "fill.sbatch", "--array=0-1", "--job-name=lamia:away/fill")
    ends = {f"{array}_0": "COMPLETED", f"{array}_1": "FAILED"}
    until(lambda: slurm.states(array) == ends, lambda: slurm.states(array), WAIT_S)
    spool = slurm.folder / "spool"
    until(lambda: len(list(spool.glob("*/[0-3]-*"))) == 4, lambda: list(spool.glob("*/*")))
    sqlite_server.start()
    environ = {**os.environ, "LAMIA_URL": sqlite_server.url, "LAMIA_SPOOL": str(spool)}
    assert b"4 events sent" in run_lamia_job(environ, "flush").stdout
    await_states(sqlite_server, "away", {0: "DONE", 1: "FAILED"})


def test_follower_without_accounts(slurm: SlurmCluster, sqlite_server: Server) -> None:
    """Jobs are held, released, suspended and cancelled; a new follower tells nothing twice."""
    sqlite_server.create("plain", {"name": "fill", "jobCount": 3})
    script = slurm.folder / "sleep.sbatch"
    waiting = slurm.submit(script, "--array=0-1", "--hold")
    arguments = ("--task", "plain", "--process", "fill", waiting)
    with follow(slurm, sqlite_server, *arguments):
        jobs = await_states(sqlite_server, "plain", {0: "HELD", 1: "HELD"})
        assert jobs[0]["message"] == "JobHeldUser"
        slurm.run("scontrol", "release", waiting, check=True)
        await_states(sqlite_server, "plain", {0: "RUNNING", 1: "RUNNING"})
        slurm.run("scontrol", "suspend", f"{waiting}_0", check=True)
        jobs = await_states(sqlite_server, "plain", {0: "HELD"})
        assert jobs[0]["message"] == "SUSPENDED"
        slurm.run("scontrol", "resume", f"{waiting}_0", check=True)
        await_states(sqlite_server, "plain", {0: "RUNNING"})
    before = stored_events(sqlite_server, "plain")
    slurm.run("scancel", waiting, check=True)
    with follow(slurm, sqlite_server, *arguments):
        await_states(sqlite_server, "plain", {0: "TERMINATED", 1: "TERMINATED"})
    after = stored_events(sqlite_server, "plain")
    assert [event["eventClass"] for event in after[len(before) :]] == ["TERMINATED"] * 2


def test_heterogeneous_job_is_one(slurm: SlurmCluster, sqlite_server: Server) -> None:
    """The hook and the follower tell the same of it: one start and one end."""
    sqlite_server.create("parts", {"name": "fill", "jobCount": 4})
    label = "--comment=lamia:parts/fill[3]"
    script = write_script(slurm.folder, "parts.sbatch", "#!/bin/bash\nexit 3\n")
    # What stands behind the colon is the second part.
    one = (label, "--ntasks=1", "--hold")
    job = slurm.submit(script, *one, ":", *one)
    with follow(slurm, sqlite_server, job):
        # Only the follower tells it.
        await_states(sqlite_server, "parts", {3: "HELD"})
        slurm.run("scontrol", "release", job, check=True)
        await_states(sqlite_server, "parts", {3: "FAILED"})
        parts = ("squeue", "-h", "-t", "all", "-o", "%T", "-j", job)
        until(lambda: slurm.run(*parts).split() == ["FAILED"] * 2, "both parts")
    (found,) = [j for j in read_jobs(sqlite_server, "parts").values() if j["index"] == 3]
    assert (found["exitCode"], found["batchId"], found["starts"]) == (3, job, 1)
    ends = [e["eventClass"] for e in stored_events(sqlite_server, "parts")]
    assert (ends.count("STARTED"), ends.count("FAILED")) == (1, 1)


def test_task_prolog_tells_jobs_where_to_report(slurm: SlurmCluster, sqlite_server: Server) -> None:
    """A script needs neither the address nor names, if the job has a label for its name."""
    sqlite_server.create("prolog", {"name": "fit", "jobCount": 3})
    text = recipe("fill.sbatch").replace("./fill.sh", "test 1 =")
    text = text.replace("lamia-job", str(slurm.folder / "lamia-job"))
    script = write_script(slurm.folder, "own.sbatch", text)
    slurm.submit(script, "--array=0-2", "--job-name=lamia:prolog/fit")
    jobs = await_states(sqlite_server, "prolog", {0: "FAILED", 1: "DONE", 2: "FAILED"}, "fit")
    assert (jobs[0]["exitCode"], jobs[0]["hostname"] in NODES) == (1, True)
    found = stored_events(sqlite_server, "prolog")
    assert any((event["payload"] or {}).get("program") == "test" for event in found)


def test_indices_of_any_length_are_pasted(slurm: SlurmCluster, sqlite_server: Server) -> None:
    """Slurm refuses a long list; ``resubmit`` prints it in parts, all of which Slurm takes."""
    failed = range(100_000, 101_999, 2)
    sqlite_server.create("large", {"name": "fill", "jobCount": 102_000})
    events = [
        {"task": "large", "process": "fill", "index": index, "eventClass": "FAILED"}
        for index in failed
    ]
    sqlite_server.submit_many(events)
    printed = run_cli("resubmit", "large", "fill", "--as", "slurm", url=sqlite_server.url)
    options = printed.stdout.split()
    assert len(options) == 2
    all_of_them = "--array=" + ",".join(map(str, failed))
    script = slurm.folder / "sleep.sbatch"
    assert "too long" in slurm.run("sbatch", "--hold", all_of_them, str(script))
    taken: list[int] = []
    for option in options:
        array = slurm.submit(script, option, "--hold")
        found = re.search(
            r"ArrayTaskId=(\d+)-(\d+):2 ", slurm.run("scontrol", "show", "job", array)
        )
        assert found is not None
        taken += range(int(found[1]), int(found[2]) + 1, 2)
        slurm.run("scancel", array)
    assert taken == list(failed)
