"""Snakemake 9 with `--logger lamia`: rules become arrays, with retries, causes and growth."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import Server, environment_with
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SNAKEFILE = """
rule all:
    input: expand("out/{s}.txt", s=["a", "b", "c", "d"]), "sum.txt", "dyn.txt"

rule make:
    output: "out/{s}.txt"
    log: "logs/{s}.log"
    retries: 2
    resources: attempt=lambda wildcards, attempt: attempt
    shell: "if [ {wildcards.s} = b ] && [ {resources.attempt} -lt 3 ]; then exit 7; fi; "
           "echo {wildcards.s} > {output}"

rule sum:
    input: expand("out/{s}.txt", s=["a", "c"])
    output: "sum.txt"
    threads: 2
    shell: "[ -e mended ] || kill -9 $$; cat {input} > {output}"

# While Snakemake updates what depends on a checkpoint, it can forget a job that it is to restart.
checkpoint split:
    input: "out/b.txt"
    output: directory("parts")
    shell: "mkdir {output}; for i in 1 2 3; do echo $i > {output}/$i.in; done"

rule part:
    input: "parts/{i}.in"
    output: "done/{i}.out"
    shell: "[ {wildcards.i} != 2 ] || [ -e mended ] || exit 4; cp {input} {output}"

def parts(wildcards):
    folder = checkpoints.split.get().output[0]
    return expand("done/{i}.out", i=glob_wildcards(folder + "/{i}.in").i)

rule dyn:
    input: parts
    output: "dyn.txt"
    shell: "cat {input} > {output}"
"""
TREE = """query($name: String!) { task(name: $name) { state tags processes(first: 20) { nodes {
  name kind jobCount state ... on JobArray { jobs(first: 20) { nodes {
    index state starts exitCode signal message hostname usage { wallSeconds cpus }
    events(first: 20) { nodes { eventClass attempt exitCode payload } } } } } } } } }"""
Snakemake = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def snakemake(tools: Path, tmp_path: Path) -> Snakemake:
    """Starts Snakemake in a folder with the workflow, with our plugin on its path."""
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow" / "Snakefile").write_text(SNAKEFILE)
    plugin = ROOT / "integrations" / "snakemake"

    environ = environment_with({}) | {
        # Nothing else is in its environment: the plugin needs only this of our packages.
        "PYTHONPATH": f"{plugin}:{ROOT}",
        "PATH": f"{tools}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "LAMIA_SPOOL": str(tmp_path / "spool"),
    }

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(tools / "snakemake"), "--keep-going", "--logger=lamia", *arguments],
            cwd=tmp_path / "flow",
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    return start


def finish(running: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of Snakemake, and what it has printed."""
    printed, _ = running.communicate()
    return running.returncode, printed


def test_failures_retries_and_growth(
    snakemake: Snakemake, sqlite_server: Server, tmp_path: Path
) -> None:
    """Retries are attempts, causes are known, a checkpoint adds an array; a rerun goes on."""
    options = ("--cores=2", f"--logger-lamia-url={sqlite_server.url}", "--logger-lamia-task=w")
    code, printed = finish(snakemake(*options))
    assert code == 1, printed
    assert "lamia-job:" not in printed

    task = sqlite_server.graphql(TREE, name="w")["task"]
    assert task["tags"] == ["snakemake"]
    arrays = {process["name"]: process for process in task["processes"]["nodes"]}
    assert {name: array["jobCount"] for name, array in arrays.items()} == {
        "all": 1,
        "make": 4,
        "sum": 1,
        "split": 1,
        "part": 3,
        "dyn": 1,
    }
    states = {name: array["state"] for name, array in arrays.items()}
    assert states["make"] == states["split"] == "SUCCEEDED"
    assert states["sum"] == states["part"] == "FAILED"
    assert states["all"] == states["dyn"] == "FAILED"
    assert task["state"] == "FAILED"
    [given_up] = arrays["all"]["jobs"]["nodes"]
    assert (given_up["state"], given_up["message"]) == (
        "TERMINATED",
        "Snakemake ended before this job was started.",
    )

    retried = find_job(arrays["make"], "s", "b")
    assert (retried["state"], retried["starts"], retried["exitCode"]) == ("DONE", 3, 0)
    told = [(e["eventClass"], e["attempt"], e["exitCode"]) for e in retried["events"]["nodes"]]
    assert told == [
        ("STARTED", 0, None),
        ("FAILED", 0, 7),
        ("STARTED", 1, None),
        ("FAILED", 1, 7),
        ("STARTED", 2, None),
        ("DONE", 2, 0),
    ]
    [killed] = arrays["sum"]["jobs"]["nodes"]
    assert (killed["state"], killed["exitCode"], killed["signal"]) == ("FAILED", None, "SIGKILL")
    assert killed["message"] == "The command died with <Signals.SIGKILL: 9>."
    assert killed["usage"]["cpus"] == 2
    assert killed["usage"]["wallSeconds"] >= 0
    failed = find_job(arrays["part"], "i", "2")
    assert (failed["state"], failed["exitCode"], failed["signal"]) == ("FAILED", 4, None)

    (tmp_path / "flow" / "mended").touch()
    code, printed = finish(snakemake(*options))
    assert code == 0, printed
    task = sqlite_server.graphql(TREE, name="w")["task"]
    assert task["state"] == "SUCCEEDED"
    arrays = {process["name"]: process for process in task["processes"]["nodes"]}
    assert arrays["part"]["jobCount"] == 3
    again = find_job(arrays["part"], "i", "2")
    assert (again["index"], again["state"], again["starts"]) == (failed["index"], "DONE", 2)


def find_job(array: Any, wildcard: str, value: str) -> Any:
    """The job of an array whose wildcard has this value."""
    [found] = [
        job
        for job in array["jobs"]["nodes"]
        if job["events"]["nodes"][0]["payload"]["wildcards"].get(wildcard) == value
    ]
    assert found["events"]["nodes"][0]["payload"]["label"] == f"{wildcard}={value}"
    return found


def test_a_batch_system(snakemake: Snakemake, sqlite_server: Server) -> None:
    """Jobs of an executor are SUBMITTED until they end, with the executor's message."""
    code, printed = finish(
        snakemake(
            "--jobs=2",
            "--executor=cluster-generic",
            "--seconds-between-status-checks=1",
            "--latency-wait=1",
            # It runs the job, and tells an id as a batch system would.
            "--cluster-generic-submit-cmd=sh -c 'sh $0 >/dev/null 2>&1; echo 17'",
            f"--logger-lamia-url={sqlite_server.url}",
            "--logger-lamia-task=w",
            "split",
            "sum.txt",
        )
    )
    assert code == 1, printed
    task = sqlite_server.graphql(TREE, name="w")["task"]
    arrays = {process["name"]: process for process in task["processes"]["nodes"]}
    [split], [total] = arrays["split"]["jobs"]["nodes"], arrays["sum"]["jobs"]["nodes"]
    assert [e["eventClass"] for e in split["events"]["nodes"]] == ["SUBMITTED", "DONE"]
    assert (split["state"], split["hostname"], split["starts"]) == ("DONE", None, 0)
    submitted, failed = total["events"]["nodes"]
    assert (submitted["eventClass"], failed["eventClass"]) == ("SUBMITTED", "FAILED")
    assert failed["payload"]["externalJobId"] == "17"
    assert total["message"] == "Error in rule sum."


def test_an_interrupt(snakemake: Snakemake, sqlite_server: Server, tmp_path: Path) -> None:
    """Who interrupts Snakemake ends what runs, and what was not started."""
    with (tmp_path / "flow" / "Snakefile").open("a") as file:
        file.write('rule slow:\n  output: "slow.txt"\n  shell: "sleep 600; touch {output}"\n')
        file.write('rule last:\n  input: "slow.txt"\n  output: "last.txt"\n  shell: "exit 0"\n')
    options = ("--cores=2", f"--logger-lamia-url={sqlite_server.url}", "--logger-lamia-task=w")
    running = snakemake(*options, "last.txt")
    until(lambda: is_running(sqlite_server), lambda: "the job does not start")
    # As a terminal does it.
    os.killpg(running.pid, signal.SIGINT)
    code, printed = finish(running)
    assert code != 0, printed
    task = sqlite_server.graphql(TREE, name="w")["task"]
    jobs = [job for process in task["processes"]["nodes"] for job in process["jobs"]["nodes"]]
    assert {job["state"] for job in jobs} <= {"TERMINATED", "FAILED"}
    assert task["state"] == "FAILED"


def is_running(server: Server) -> bool:
    """Whether a job of the task runs."""
    task = server.graphql(TREE, name="w")["task"]
    return task is not None and task["state"] == "RUNNING"


def test_without_a_server(snakemake: Snakemake) -> None:
    """A server that is not there is one line of warning, and costs the workflow nothing else."""
    options = ("--cores=1", "--logger-lamia-url=http://127.0.0.1:9", "--logger-lamia-task=w")
    code, printed = finish(snakemake(*options, "split"))
    assert code == 0, printed
    assert printed.count("can't be reached") == 1
    assert "8 events are lost: the server has not got their jobs." in printed


def test_settings(snakemake: Snakemake, sqlite_server: Server) -> None:
    """Without an address it says what is missing; a dry run reports nothing."""
    code, printed = finish(snakemake("--cores=1", "split"))
    assert code == 1
    assert "--logger lamia: LAMIA_URL is not set." in printed
    options = ("--cores=1", f"--logger-lamia-url={sqlite_server.url}", "--logger-lamia-task=w")
    code, printed = finish(snakemake(*options, "--dry-run"))
    assert code == 0, printed
    assert sqlite_server.graphql(TREE, name="w")["task"] is None
