"""Real jobs of Grid Engine: the server knows of them what ``qacct`` knows."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.batch.grid_engine import HOST, GridEngine, run_grid_engine
from tests.support.harness import Server, environment_with
from tests.support.job_side import ROOT, build_pyz
from tests.support.recipes import find_recipe
from tests.support.waiting import until

pytestmark = pytest.mark.batch

WAIT_S = 60.0
WRAPPED, HOOKED, TWICE = "wrapped.q", "hooked.q", "twice.q"
JOBS = """query($task: String!) { process(task: $task, name: "simulate") { ... on JobArray {
  jobs(first: 100) { nodes { index state attempt starts hostname exitCode signal message batchId
    usage { wallSeconds cpus maxRssBytes } } } } } }"""
SIMULATE = """\
#!/bin/bash
# The number says what happens to the job, until all is mended.
[ ! -e mended ] || exit 0
case $1 in
  3) exit 3 ;;
  4) echo "No such file: x$1" >&2; exit 7 ;;
  5) kill -9 $$ ;;
  6) kill -SEGV $$ ;;
  7 | 9) exec sleep 300 ;;
  8) trap '' USR2; while :; do sleep 0.2; done ;;
  10) [ "$RESTARTED" = 1 ] || exec sleep 300 ;;
  11) [ "$RESTARTED" = 1 ] || exit 99 ;;
  12) trap '' USR1; while [ ! -e go ]; do sleep 0.2; done ;;
esac
"""
DELETED, STUBBORN, LIMITED, RESTARTED, AGAIN, SUSPENDED, WAITING = range(7, 14)
TERMINATED = {DELETED: "SIGUSR2", STUBBORN: "SIGUSR2", LIMITED: "SIGUSR2"}
TOLD_TWICE = """\
#!/bin/sh
case $1 in
  2) echo "No such file: x$1" >&2; exit 7 ;;
  3) kill -SEGV $$ ;;
  4) kill -TERM $$ ;;
  5 | 7) exec sleep 300 ;;
  6) trap 'exit 0' USR2; while :; do sleep 0.2; done ;;
esac
"""
PLAIN = """\
#!/bin/sh
case $SGE_TASK_ID in
  2) exit 3 ;;
  3) kill -9 $$ ;;
  4) exec sleep 300 ;;
  5) [ "$RESTARTED" = 1 ] || { touch first; exit 99; } ;;
  6) [ -e mended ] || exit 100 ;;
esac
"""


@pytest.fixture(scope="module")
def grid_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GridEngine]:
    """A cell with three queues: without hooks, with prolog and epilog, with an epilog only."""
    folder = tmp_path_factory.mktemp("cell")
    with run_grid_engine(folder) as engine:
        command = f'exec {shlex.quote(sys.executable)} -m lamia_gql.client "$@"'
        write_script(folder / "lamia-job", f"#!/bin/sh\nPYTHONPATH={ROOT} {command}\n")
        hooks = {}
        for kind in ("prolog", "epilog"):
            text = find_recipe("grid-engine", f"lamia-{kind}")
            text = text.replace("/opt/lamia/bin", str(folder))
            hooks[kind] = str(write_script(folder / f"lamia-{kind}", text))
        engine.add_queue(WRAPPED)
        engine.add_queue(HOOKED, **hooks)
        engine.add_queue(TWICE, epilog=hooks["epilog"])
        yield engine


def write_script(path: Path, text: str) -> Path:
    """A script that can be run."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def read_jobs(server: Server) -> dict[int, dict[str, Any]]:
    """The jobs of the array, by their indices."""
    nodes = server.graphql(JOBS, task="night")["process"]["jobs"]["nodes"]
    return {node["index"]: node for node in nodes}


def wait_for(server: Server, states: dict[int, str]) -> None:
    """Wait until these jobs are in these states."""

    def is_so() -> bool:
        jobs = read_jobs(server)
        return all(jobs[index]["state"] == state for index, state in states.items())

    until(is_so, lambda: f"{states}: {read_jobs(server)}", WAIT_S)


def wait_for_accounts(engine: GridEngine, job: str, runs: int) -> dict[int, list[dict[str, str]]]:
    """The accounts of an array, once so many runs have ended."""

    def find() -> dict[int, list[dict[str, str]]]:
        found = engine.accounts(job)
        return found if sum(map(len, found.values())) == runs else {}

    return until(find, lambda: f"{runs} runs: {engine.accounts(job)}", WAIT_S)


def check_end(job: dict[str, Any], runs: list[dict[str, str]]) -> None:
    """What the server says of a job's end, host and id is what ``qacct`` says of its last run."""
    last = runs[-1]
    status = int(last["exit_status"].split()[0])
    if status > 128:
        assert (job["exitCode"], job["signal"]) == (None, signal.Signals(status - 128).name)
    else:
        assert (job["exitCode"], job["signal"]) == (status, None)
    assert (job["state"] == "DONE") is (status == 0)
    assert job["hostname"] == last["hostname"] == HOST
    assert job["batchId"] == f"{last['jobnumber']}.{last['taskid']}"
    assert job["starts"] == len(runs)
    assert job["attempt"] == min(len(runs) - 1, 1)
    assert job["usage"]["cpus"] == int(last["slots"])


@pytest.fixture
def work(tmp_path: Path, sqlite_server: Server) -> Path:
    """A folder with the scripts of the recipes, and the task."""
    sqlite_server.create("night", {"name": "simulate", "jobCount": 13, "firstIndex": 1})
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_a_wrapped_array_with_a_troubled_life(
    grid_engine: GridEngine, sqlite_server: Server, work: Path
) -> None:
    """Exit codes, signals, deletion, limits, restarts: lamia-job tells all ends by itself.

    Then what has failed runs again, by the recipe.
    """
    engine, server = grid_engine, sqlite_server
    script = write_recipe(work, SIMULATE)
    options = ("-q", WRAPPED)
    variables = {"LAMIA_URL": server.url, "LAMIA_SPOOL": str(work / "spool")}
    first = engine.submit(script, *options, "-t", "1-8", **variables)
    # Long enough to start Python on a busy machine.
    limited = ("-t", str(LIMITED), "-l", "h_rt=8")
    alone = engine.submit(script, *options, *limited, **variables)
    last = engine.submit(script, *options, "-t", "10-12", **variables)
    waiting = engine.submit(script, *options, "-t", str(WAITING), "-h", **variables)

    wait_for(server, dict.fromkeys((DELETED, STUBBORN, RESTARTED, SUSPENDED), "RUNNING"))
    engine.run("qdel", f"{first}.{DELETED}", f"{first}.{STUBBORN}")
    engine.run("qdel", waiting)
    engine.run("qmod", "-rj", f"{last}.{RESTARTED}")
    engine.run("qmod", "-sj", f"{last}.{SUSPENDED}")
    wait_for(server, {STUBBORN: "TERMINATED", RESTARTED: "DONE"})
    until(lambda: engine.is_stopped(f"{last}.{SUSPENDED}"), "the job is suspended")
    engine.run("qmod", "-usj", f"{last}.{SUSPENDED}")
    (work / "go").touch()
    ended = dict.fromkeys((1, 2, RESTARTED, AGAIN, SUSPENDED), "DONE")
    ended |= dict.fromkeys((3, 4, 5, 6), "FAILED") | dict.fromkeys(TERMINATED, "TERMINATED")
    # Nobody knows of it.
    ended[WAITING] = "PENDING"
    wait_for(server, ended)

    accounts: dict[int, list[dict[str, str]]] = {}
    for job, runs in ((first, 8), (alone, 1), (last, 5)):
        accounts |= wait_for_accounts(engine, job, runs)
    jobs = read_jobs(server)
    for index in ended.keys() - {WAITING, STUBBORN}:
        check_end(jobs[index], accounts[index])
    # It was killed later than it was reported.
    assert int(accounts[STUBBORN][0]["exit_status"].split()[0]) == 128 + signal.SIGKILL
    assert jobs[STUBBORN]["message"] == "Asked to end by SIGUSR2, and still running."
    assert jobs[4]["message"] == "No such file: x4"
    assert {i: jobs[i]["signal"] for i in (DELETED, LIMITED)} == {
        index: TERMINATED[index] for index in (DELETED, LIMITED)
    }
    assert accounts.keys() == jobs.keys() - {WAITING}

    (work / "mended").touch()
    run_again(engine, server, work, find_recipe("grid-engine", "again"), variables)
    failed = {3, 4, 5, 6, *TERMINATED}
    wait_for(server, dict.fromkeys(failed, "DONE"))
    states = "--state failed,terminated,lost"
    pending = find_recipe("grid-engine", "again").replace(states, "--state pending")
    run_again(engine, server, work, pending, variables)
    wait_for(server, dict.fromkeys(range(1, 14), "DONE"))
    jobs = read_jobs(server)
    # Each range was a submission of its own, and numbers of jobs grow.
    latest = {i for i, job in jobs.items() if int(job["batchId"].split(".")[0]) > int(waiting)}
    assert latest == {*failed, WAITING}
    server.check_counters()


def write_recipe(work: Path, program: str) -> Path:
    """The recipe's script, for a program."""
    pyz = build_pyz(work.parent)
    write_script(work / "simulate.sh", program)
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(pyz))}"
    recipe = find_recipe("grid-engine", "simulate.sge")
    return write_script(work / "simulate.sge", recipe.replace("python3 lamia-job.pyz", command))


def run_again(
    engine: GridEngine, server: Server, work: Path, recipe: str, variables: dict[str, str]
) -> None:
    """Do what the recipe says, in the folder of the jobs."""
    bin_folder = work.parent / "bin"
    bin_folder.mkdir(exist_ok=True)
    command = f'exec {shlex.quote(sys.executable)} -m lamia_gql "$@"'
    write_script(bin_folder / "lamia-gql", f"#!/bin/sh\nPYTHONPATH={ROOT} {command}\n")
    given = ",".join(f"{name}={value}" for name, value in variables.items())
    recipe = recipe.replace("qsub ", f"qsub -q {WRAPPED} -v {shlex.quote(given)} ")
    environ = environment_with({"url": server.url}) | engine.environment
    environ["PATH"] = f"{bin_folder}:{environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", recipe], cwd=work, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search("has been submitted", done.stdout)


def test_wrapped_jobs_with_an_epilog(
    grid_engine: GridEngine, sqlite_server: Server, work: Path
) -> None:
    """The epilog agrees with what lamia-job has told before, and tells what it could not."""
    engine, server = grid_engine, sqlite_server
    script = write_recipe(work, TOLD_TWICE)
    variables = {"LAMIA_URL": server.url, "LAMIA_SPOOL": str(work / "spool")}
    variables |= {"LAMIA_TASK": "night", "LAMIA_PROCESS": "simulate"}
    job = engine.submit(script, "-q", TWICE, "-t", "1-6", **variables)
    # Without notice, so that lamia-job is killed as well.
    unnoticed = write_script(work / "unnoticed", script.read_text().replace("#$ -notify\n", ""))
    other = engine.submit(unnoticed, "-q", TWICE, "-t", "7", **variables)
    wait_for(server, dict.fromkeys((5, 6, 7), "RUNNING"))
    engine.run("qdel", f"{job}.5", f"{job}.6", f"{other}.7")
    accounts = wait_for_accounts(engine, job, 6) | wait_for_accounts(engine, other, 1)
    killed = dict.fromkeys((5, 6, 7), "TERMINATED")
    wait_for(server, {1: "DONE", 2: "FAILED", 3: "FAILED", 4: "TERMINATED", **killed})
    jobs = read_jobs(server)
    ends = {i: (jobs[i]["exitCode"], jobs[i]["signal"]) for i in accounts}
    assert ends == {
        1: (0, None),
        2: (7, None),
        3: (None, "SIGSEGV"),
        4: (None, "SIGTERM"),
        5: (None, "SIGUSR2"),
        6: (0, None),
        7: (None, "SIGKILL"),
    }
    assert jobs[2]["message"] == "No such file: x2"
    for index in killed:
        assert jobs[index]["message"].startswith("Killed by Grid Engine")
    assert {job["starts"] for index, job in jobs.items() if index in accounts} == {1}


def test_prolog_and_epilog(grid_engine: GridEngine, sqlite_server: Server, work: Path) -> None:
    """Jobs that know nothing of lamia-job: the queue tells all starts and ends of theirs."""
    engine, server = grid_engine, sqlite_server
    script = write_script(work / "plain.sh", PLAIN)
    variables = {"LAMIA_URL": server.url, "LAMIA_SPOOL": str(work / "spool")}
    variables |= {"LAMIA_TASK": "night", "LAMIA_PROCESS": "simulate"}
    options = ("-q", HOOKED, "-r", "y")
    main = engine.submit(script, *options, "-t", "1-6", **variables)
    # Without notice, unlike those that are wrapped.
    (work / "sleep.sh").write_text("exec sleep 300\n")
    other = engine.submit(work / "sleep.sh", *options, "-t", "7", "-l", "h_rt=2", **variables)
    wait_for(server, {4: "RUNNING", 6: "HELD"})
    held = read_jobs(server)[6]
    assert held["message"] == "In the state Eqw after exit code 100."
    engine.run("qdel", f"{main}.4")
    (work / "mended").touch()
    engine.clear_error(f"{main}.6")
    done, killed = dict.fromkeys((1, 5, 6), "DONE"), dict.fromkeys((4, 7), "TERMINATED")
    wait_for(server, {**done, 2: "FAILED", 3: "FAILED", **killed})
    accounts = wait_for_accounts(engine, main, 8) | wait_for_accounts(engine, other, 1)
    jobs = read_jobs(server)
    for index, runs in accounts.items():
        if index == 6:
            # Grid Engine does not call this a restart.
            assert (jobs[index]["starts"], jobs[index]["attempt"]) == (2, 0)
        else:
            check_end(jobs[index], runs)
    for index in killed:
        assert jobs[index]["message"].startswith("Killed by Grid Engine")
    assert 1 <= jobs[7]["usage"]["wallSeconds"] < 60
    assert jobs[7]["usage"]["maxRssBytes"] > 2**20
    server.check_counters()
