"""A real Slurm: its hooks, its follower and ``lamia-job`` tell what its own accounts say."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.batch.slurm_cluster import NODES, SlurmCluster
from tests.batch.slurm_setup import follow, read_jobs, recipe, run_slurm, write_script
from tests.support.harness import Server
from tests.support.waiting import until

pytestmark = [pytest.mark.batch, pytest.mark.timeout(300)]

PERIOD_S = 75.0
"""How long things may take: the controller looks for time limits and lost nodes every 30 s."""
SCRIPT = """\
#!/bin/bash
# What becomes of a job: it depends on its index, unless it is submitted again with CURE.
if [ -n "$CURE" ]; then exit 0; fi
case $SLURM_ARRAY_TASK_ID in
  3|4) exit 3 ;;
  5) exit 7 ;;
  6) kill -SEGV $$ ;;
  7) exec python3 -c "waste = b'x' * (200 << 20); import time; time.sleep(60)" ;;
  8|9|10|13) exec sleep 300 ;;
  11|14) [ "${SLURM_RESTART_COUNT:-0}" = 0 ] && exec sleep 300; exit 0 ;;
  12) [ "${SLURM_RESTART_COUNT:-0}" = 0 ] && exec sleep 300; exit 4 ;;
esac
exit 0
"""
MEMORY, TIME_LIMIT, LOST, LOST_AND_REQUEUED = 7, 8, 13, 14
CANCELLED = (9, 10)
REQUEUED = (11, 12)
NEVER_STARTED = (18, 19)
UNRECORDED = 18
FAILING = {*range(3, 11), 12, LOST, *NEVER_STARTED}
CAUSES = {
    TIME_LIMIT: "TIMEOUT",
    LOST: "NODE_FAIL",
    **dict.fromkeys((*CANCELLED, *NEVER_STARTED), "CANCELLED"),
}
STATES = {
    "COMPLETED": "DONE",
    "FAILED": "FAILED",
    "NODE_FAIL": "FAILED",
    "CANCELLED": "TERMINATED",
    "TIMEOUT": "TERMINATED",
}


class Account(NamedTuple):
    """The last run of a job, as ``sacct`` tells it."""

    batch_id: str
    state: str
    exit_code: int
    signal: int
    host: str | None
    runs: int


class Told(NamedTuple):
    """Four arrays that were submitted as one: their numbers."""

    main: str
    on_lost_node: str
    requeued: str
    pending: str

    def batch_id(self, index: int) -> str:
        """The batch id of an index."""
        array = {LOST: self.on_lost_node, LOST_AND_REQUEUED: self.requeued}
        array |= dict.fromkeys(NEVER_STARTED, self.pending)
        return f"{array.get(index, self.main)}_{index}"


def read_accounts(cluster: SlurmCluster, told: Told) -> dict[int, Account]:
    """What ``sacct`` says of each index."""
    found: dict[int, Account] = {}
    form = "--format=JobID,State,ExitCode,NodeList"
    command = ("sacct", "-n", "-X", "-D", "-P", form, f"--jobs={','.join(told)}")
    for line in cluster.run(*command).splitlines():
        batch_id, state, ends, host = line.split("|")
        array, _, task = batch_id.partition("_")
        code, _, number = ends.partition(":")
        first, _, last = task.strip("[]").partition("-")
        for index in range(int(first), int(last or first) + 1):
            runs = found[index].runs if index in found else 0
            node = host if host in NODES else None
            kind = state.split()[0]
            own_id = f"{array}_{index}"
            found[index] = Account(own_id, kind, int(code), int(number), node, runs + 1)
    return found


def submit_array(cluster: SlurmCluster, script: Path, *options: str) -> Told:
    """Submit twenty jobs: some on a node that will be lost, some that will not start."""
    parts = (
        ("--array=0-12,15-17", "--nodelist=node1"),
        (f"--array={LOST}", "--nodelist=node2", "--no-requeue"),
        (f"--array={LOST_AND_REQUEUED}", "--nodelist=node2", "--requeue"),
        ("--array=18-19", "--begin=now+1hour"),
    )
    return Told(*(cluster.submit(script, *part, *options) for part in parts))


def let_things_happen(cluster: SlurmCluster, arrays: list[Told]) -> None:
    """Cancel, requeue, shorten and lose jobs, until all have ended."""

    def states() -> dict[str, str]:
        return {
            name: s for told in arrays for job in told for name, s in cluster.states(job).items()
        }

    running = (*CANCELLED, *REQUEUED, TIME_LIMIT, LOST, LOST_AND_REQUEUED)
    waited = [told.batch_id(index) for told in arrays for index in running]
    until(lambda: {states().get(job) for job in waited} == {"RUNNING"}, states, PERIOD_S)
    for told in arrays:
        limited = told.batch_id(TIME_LIMIT)
        cluster.run("scontrol", "update", f"JobId={limited}", "EndTime=now+2", check=True)
        for index in REQUEUED:
            cluster.run("scontrol", "requeue", told.batch_id(index), check=True)
        cluster.run("scancel", *map(told.batch_id, CANCELLED), check=True)
    hooked, followed, wrapped = arrays
    # Of this one, not even Slurm's accounts know, unless they are quicker than Slurm itself.
    cluster.run("scancel", followed.batch_id(UNRECORDED), check=True)
    cluster.run("scancel", hooked.pending, followed.pending, wrapped.pending, check=True)
    cluster.kill_node("node2")
    lost = [told.batch_id(index) for told in arrays for index in (LOST, LOST_AND_REQUEUED)]
    until(lambda: {states()[job] for job in lost} == {"NODE_FAIL", "PENDING"}, states, PERIOD_S)
    cluster.start_node("node2")
    ends = set(STATES)
    until(lambda: set(states().values()) <= ends, states, PERIOD_S)


def check_against_accounts(
    server: Server, task: str, told: Told, accounts: dict[int, Account], *indices: int
) -> None:
    """States, hosts, causes, attempts and ids of these indices are those of the accounts."""
    jobs = read_jobs(server, task)
    for index in indices:
        job, account = jobs[index], accounts[index]
        seen = (job["state"], job["hostname"], job["batchId"], job["starts"])
        runs = account.runs if account.host else 0
        said = (STATES[account.state], account.host, told.batch_id(index), runs)
        assert seen == said, (task, index, job, account)
        assert account.batch_id == job["batchId"]
        if account.state in ("COMPLETED", "FAILED"):
            name = signal.Signals(account.signal).name if account.signal else None
            code = None if account.signal else account.exit_code
            assert (job["exitCode"], job["signal"]) == (code, name), (task, index, job, account)


def has_ended(server: Server, task: str) -> bool:
    """Whether all jobs of a task have ended."""
    return {job["state"] for job in read_jobs(server, task).values()} <= set(STATES.values())


def describe(server: Server, task: str) -> str:
    """The states of all jobs of a task."""
    return f"{task}: { {index: job['state'] for index, job in read_jobs(server, task).items()} }"


@pytest.fixture(scope="module")
def story(
    _sqlite_server: Server,
) -> Iterator[tuple[Server, SlurmCluster, dict[str, Told], dict[str, dict[int, Account]]]]:
    """Three times twenty jobs that meet the same fates, told in three ways."""
    server = _sqlite_server
    if not server.is_running:
        server.start()
    for task in ("hooked", "followed", "wrapped"):
        server.create(task, {"name": "fill", "jobCount": 20})
    with run_slurm(server, accounting=True, end_hook="JobCompLoc") as cluster:
        script = write_script(cluster.folder, "fill.sbatch", SCRIPT)
        inside = f"{sys.executable} -m lamia_gql.client run --process fill -- {script}"
        wrapped = write_script(cluster.folder, "wrapped.sbatch", f"#!/bin/bash\nexec {inside}\n")
        told = {
            "hooked": submit_array(cluster, script, "--comment=lamia:hooked/fill"),
            "followed": submit_array(cluster, script),
        }
        environ = {"LAMIA_URL": server.url, "LAMIA_TASK": "wrapped"}
        environ["LAMIA_SPOOL"] = str(cluster.folder / "job-spool")
        export = ",".join(["ALL", *(f"{name}={value}" for name, value in environ.items())])
        told["wrapped"] = submit_array(cluster, wrapped, f"--export={export}")
        names = ("--task", "followed", "--process", "fill")
        with follow(cluster, server, *names, *told["followed"]):
            let_things_happen(cluster, list(told.values()))
            for task in ("hooked", "followed"):
                until(partial(has_ended, server, task), partial(describe, server, task), PERIOD_S)
        until(
            lambda: all(
                account.state in STATES
                for arrays in told.values()
                for account in read_accounts(cluster, arrays).values()
            ),
            "the accounts do not know all ends",
            PERIOD_S,
        )
        accounts = {task: read_accounts(cluster, arrays) for task, arrays in told.items()}
        yield server, cluster, told, accounts


Story = tuple[Server, SlurmCluster, dict[str, Told], dict[str, dict[int, Account]]]


@pytest.mark.parametrize("task", ["hooked", "followed"])
def test_all_ends_are_those_of_the_accounts(story: Story, task: str) -> None:
    """Twenty fates, told by the hook or the follower: as ``sacct`` says, with their causes."""
    server, _cluster, told, accounts = story
    check_against_accounts(server, task, told[task], accounts[task], *accounts[task])
    jobs = read_jobs(server, task)
    unrecorded = set(range(20)) - set(accounts[task])
    assert unrecorded <= ({UNRECORDED} if task == "followed" else set())
    assert {index for index, job in jobs.items() if job["state"] != "DONE"} == FAILING
    assert {index: jobs[index]["message"] for index in CAUSES} == CAUSES
    assert jobs[MEMORY]["signal"] == "SIGKILL"  # OUT_OF_MEMORY is told only with cgroups
    assert {jobs[index]["starts"] for index in (*REQUEUED, LOST_AND_REQUEUED)} == {2}


def test_jobs_tell_their_ends_themselves(story: Story) -> None:
    """``lamia-job run`` inside says the same of all ends that it lives to see."""
    server, _cluster, told, accounts = story
    unseen = {MEMORY, LOST, TIME_LIMIT, *NEVER_STARTED, *CANCELLED}
    seen = set(range(20)) - unseen
    check_against_accounts(server, "wrapped", told["wrapped"], accounts["wrapped"], *seen)
    jobs = read_jobs(server, "wrapped")
    assert {jobs[index]["state"] for index in (*CANCELLED, TIME_LIMIT)} == {"TERMINATED"}


@pytest.mark.parametrize("task", ["hooked", "followed"])
def test_what_failed_runs_again_and_wins(story: Story, task: str) -> None:
    """``resubmit`` is pasted into ``sbatch``: exactly those run again, and the rerun counts."""
    server, cluster, _told, accounts = story
    script = recipe("again").replace("night", task)
    with follow(cluster, server):
        path = f"{cluster.folder}:{os.environ['PATH']}"
        environ = {"PATH": path, "LAMIA_URL": server.url, "CURE": "1"}
        printed = cluster.run("bash", "-c", script, check=True, environ=environ)
        again = printed.removeprefix("Submitted batch job ")
        ends = {f"{again}_{index}": "COMPLETED" for index in FAILING}
        until(lambda: cluster.states(again) == ends, lambda: cluster.states(again), PERIOD_S)
        until(
            lambda: {job["state"] for job in read_jobs(server, task).values()} == {"DONE"},
            partial(describe, server, task),
            PERIOD_S,
        )
    jobs = read_jobs(server, task)
    assert {
        index for index, job in jobs.items() if job["batchId"].startswith(f"{again}_")
    } == FAILING
    # Both the hook and the follower have told it: each start counts once.
    for index in FAILING - set(NEVER_STARTED):
        assert jobs[index]["starts"] == 1 + accounts[task][index].runs, jobs[index]
    nothing = cluster.run("bash", "-c", script, environ=environ)
    assert nothing == f"Nothing to submit: no job of “fill” of “{task}” is FAILED or TERMINATED."
