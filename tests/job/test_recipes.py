"""The documented recipes work as printed, in the environments of batch systems."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.batch_systems import install_batch_systems
from tests.support.harness import Server
from tests.support.job_side import (
    ROOT,
    build_pyz,
    job_environment,
    stored_event_classes,
    stored_events,
)
from tests.support.recipes import find_recipe

JOBS = (ROOT / "docs" / "jobs.md").read_text()


recipe = partial(find_recipe, "recipes")


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The single file, as it is built for nodes."""
    return build_pyz(tmp_path_factory.mktemp("pyz"))


@pytest.fixture
def node(tmp_path: Path, pyz: Path) -> Path:
    """A folder with the files that the recipes expect."""
    shutil.copy(pyz, tmp_path)
    for name, script in (
        ("simulate.sh", "for i in 1 2; do echo event $i; done; echo index $1"),
        ("search.sh", "[ $1 = 3 ] || exec sleep 60"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def bash(node: Path, script: str, url: str, **environ: Any) -> subprocess.CompletedProcess[str]:
    """Run a recipe on a node, as it is printed."""
    given = job_environment(url, node, **{"LAMIA_TASK": None, "LAMIA_PROCESS": None} | environ)
    done = subprocess.run(
        ["bash", "-c", script], cwd=node, env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def recipe_server(sqlite_server: Server, node: Path) -> Server:
    """A server with the recipes' task, created by the first recipe."""
    done = bash(node, recipe("create-task"), sqlite_server.url)
    assert '"userErrors":[]' in done.stdout
    return sqlite_server


def test_slurm(recipe_server: Server, node: Path) -> None:
    """The script finds its index and its progress."""
    environ = {"SLURM_ARRAY_TASK_ID": 4, "SLURM_RESTART_COUNT": 2}
    done = bash(node, recipe("simulate.sbatch"), recipe_server.url, **environ)
    assert done.stdout == "event 1\nevent 2\nindex 4\n"
    found = stored_events(recipe_server, "night")
    assert [e["eventClass"] for e in found] == ["STARTED", "PROGRESS", "DONE"]
    assert {(e["job"]["index"], e["attempt"]) for e in found} == {(4, 2)}


@pytest.mark.slow
def test_resubmission(recipe_server: Server, node: Path) -> None:
    """Slurm gets the indices of the jobs that have failed or were stopped, and no others."""
    for index, event_class in ((3, "FAILED"), (4, "DONE"), (5, "TERMINATED")):
        recipe_server.submit("night", "simulate", event_class, index=index)
    (node / "simulate.sbatch").write_text(recipe("simulate.sbatch"))
    install_batch_systems(node / "bin", range(10))
    path = f"{node / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    bash(node, recipe("resubmit"), recipe_server.url, PATH=path)
    counts = recipe_server.process("night", "simulate")["counts"]
    assert (counts["done"], counts["failed"], counts["pending"]) == (3, 0, 7)
    assert sorted(node.glob("slurm-*.out")) == [node / f"slurm-{index}.out" for index in (3, 5)]


def test_lsf(recipe_server: Server, node: Path) -> None:
    """The index is moved to count from 0."""
    done = bash(node, recipe("simulate.bsub"), recipe_server.url, LSB_JOBINDEX=10)
    assert done.stdout.endswith("index 9\n")
    assert {e["job"]["index"] for e in stored_events(recipe_server, "night")} == {9}


def test_htcondor(recipe_server: Server, node: Path) -> None:
    """The submit file starts a job that finds its index in the job ad."""
    commands: dict[str, str] = {}
    for line in recipe("simulate.sub").splitlines():
        name, equals, value = line.partition("=")
        if equals:
            commands[name.strip()] = value.strip().strip('"').replace("$(ProcId)", "6")
    (node / "job.ad").write_text("ClusterId = 8\nProcId = 6\nNumJobStarts = 0\n")
    environ = dict(pair.split("=", 1) for pair in commands["environment"].split())
    environ |= {"LAMIA_URL": recipe_server.url, "_CONDOR_JOB_AD": str(node / "job.ad")}
    environ["LAMIA_SPOOL"] = str(node / "spool")
    assert Path(commands["executable"]).name == "python3"
    done = bash(
        node, f"exec {sys.executable} {commands['arguments']}", recipe_server.url, **environ
    )
    assert done.stdout.endswith("index 6\n")
    assert {e["job"]["index"] for e in stored_events(recipe_server, "night")} == {6}
    sent = {name.strip() for name in commands["transfer_input_files"].split(",")}
    assert sent == {"lamia-job.pyz", "simulate.sh"}


def test_script_that_sends_its_own_events(recipe_server: Server, node: Path) -> None:
    """A script reports its steps as progress, and its end, success or failure."""
    bash(node, recipe("steps.sh"), recipe_server.url)
    assert stored_event_classes(recipe_server, "night") == ["STARTED", *["PROGRESS"] * 4, "DONE"]
    assert recipe_server.process("night", "merge")["state"] == "SUCCEEDED"
    failing = recipe("steps.sh").replace("sleep 0.1", "exit 3")
    with pytest.raises(AssertionError):
        bash(node, failing, recipe_server.url)
    last = stored_events(recipe_server, "night")[-1]
    assert (last["eventClass"], last["payload"]) == ("FAILED", {"exitCode": 3})
    with pytest.raises(AssertionError):
        bash(node, recipe("steps.sh").replace("sleep 0.1", "kill $$"), recipe_server.url)
    assert stored_event_classes(recipe_server, "night")[-2:] == ["STARTED", "TERMINATED"]


def test_bash_and_curl(recipe_server: Server, node: Path) -> None:
    """Events can be sent without Python."""
    bash(node, recipe("bare.sh"), recipe_server.url)
    assert stored_event_classes(recipe_server, "night") == ["STARTED", *["PROGRESS"] * 3, "DONE"]
    found = stored_events(recipe_server, "night")
    assert [event["progress"] for event in found] == [None, 25, 50, 75, None]
    assert {event["job"]["index"] for event in found} == {7}
    for index, end in ((8, "exit 3"), (9, "kill $$")):
        script = recipe("bare.sh").replace("sleep 0.1", end)
        with pytest.raises(AssertionError):
            bash(node, script, recipe_server.url, SLURM_ARRAY_TASK_ID=index)
    jobs = recipe_server.graphql(
        """{ process(task: "night", name: "simulate") { ... on JobArray {
             failed: job(index: 8) { state exitCode hostname } killed: job(index: 9) { state }
           } } }"""
    )["process"]
    failed = {"state": "FAILED", "exitCode": 3, "hostname": os.uname().nodename}
    assert jobs == {"failed": failed, "killed": {"state": "TERMINATED"}}
    bash(node, recipe("bare.sh"), "http://127.0.0.1:9")


def test_search(recipe_server: Server, node: Path) -> None:
    """A search is stopped once another one has succeeded."""
    recipe_server.create("search", {"name": "needle", "jobCount": 50, "threshold": 1})
    bash(node, recipe("search.sbatch"), recipe_server.url, SLURM_ARRAY_TASK_ID=3)
    with pytest.raises(AssertionError):
        bash(node, recipe("search.sbatch"), recipe_server.url, SLURM_ARRAY_TASK_ID=5)
    counts = recipe_server.process("search", "needle")["counts"]
    assert (counts["done"], counts["terminated"], counts["failed"]) == (1, 1, 0)


def test_documented_options_are_there() -> None:
    """Every option that the docs name is one of the command line, and the other way round."""
    helps = ""
    for command in ("emit", "run", "flush"):
        run = [sys.executable, "-m", "lamia_gql.client", command, "--help"]
        helps += subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    there = set(re.findall(r"--[a-z][a-z-]+", helps)) - {"--help"}
    told = set(re.findall(r"--[a-z][a-z-]+", JOBS)) - {"--events"}
    assert told == there
    for line in re.findall(r"^lamia-job (.*)$", JOBS, re.MULTILINE):
        assert shlex.split(line)[0] in ("emit", "run", "flush")
