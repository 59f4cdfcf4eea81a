"""``lamia-gql replay``: recorded executions become tasks with live jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.engines import quick_on
from tests.support.executions import nextflow_execution, workflow
from tests.support.harness import Server, StartServer, environment_with, run_cli

DATA = Path(os.environ.get("LAMIA_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
"""Real executions; tests use them where they are there."""
REAL = {
    "1000genome-chameleon-22ch-250k-001.json": {
        "individuals": 550,
        "mutation_overlap": 154,
        "frequency": 154,
        "individuals_merge": 22,
        "sifting": 22,
    },
    "seismology-chameleon-400p-001.json": {"sG1IterDecon": 400},
    "blast-chameleon-medium-002.json": {"blastall": 300},
}
TREE = """query($name: String!) { task(name: $name) { dependencies state progress { ratio }
  processes { nodes { name kind jobCount state progress { ratio } counts { done failed }
    events(last: 1) { totalCount }
    ... on JobArray { jobs(first: 2) { nodes { index state hostname
      events(first: 10) { totalCount nodes { eventClass } } } } } } } } }"""


REPLAYED = """query($name: String!) { task(name: $name) { startedAt finishedAt
  processes { nodes { name jobCount ... on JobArray { jobs(first: 2) { nodes { startedAt finishedAt
    exitCode usage { cpuSeconds wallSeconds maxRssBytes readBytes writeBytes cpus }
    events(first: 1) { nodes { eventClass sentAt } } } } } } } } }"""


@quick_on("sqlite")
def test_replay_at_full_speed(server: Server, tmp_path: Path) -> None:
    """All jobs run through their states at once, and the task tree shows the result."""
    done = run_cli(
        "replay", str(workflow(tmp_path)), "--speed", "0", "--name", "r", "--url", server.url
    )
    assert done.returncode == 0, done.stderr
    assert "Replayed 11 jobs as task r" in done.stderr
    task = server.graphql(TREE, name="r")["task"]
    assert (task["state"], task["progress"]["ratio"]) == ("SUCCEEDED", 1)
    assert task["dependencies"] == {"merge": ["split"]}
    split, merge = task["processes"]["nodes"]
    assert (split["kind"], split["jobCount"], split["counts"]["done"]) == ("ARRAY", 10, 10)
    assert (merge["kind"], merge["progress"]["ratio"]) == ("SOLITARY", 1)
    job = split["jobs"]["nodes"][1]
    assert (job["state"], job["hostname"]) == ("DONE", "node1")
    classes = [event["eventClass"] for event in job["events"]["nodes"]]
    assert (classes[:2], classes[-1]) == (["SUBMITTED", "STARTED"], "DONE")
    assert {"PROGRESS", "BEAT"} <= set(classes)
    recounted = run_cli("recount", "r", database_url=server.database_url)
    assert (recounted.returncode, recounted.stdout) == (0, "No difference.\n")


def test_replay_with_failures(sqlite_server: Server, tmp_path: Path) -> None:
    """Which jobs fail depends on the seed only."""
    failed = []
    for name in ("one", "two"):
        path = str(workflow(tmp_path))
        run_cli(
            "replay",
            path,
            "--speed=0",
            f"--name={name}",
            "--fail=0.5",
            f"--url={sqlite_server.url}",
        )
        array = sqlite_server.graphql(
            """query($name: String!) { process(task: $name, name: "split") { state
              ... on JobArray { indices(states: [FAILED]) } } }""",
            name=name,
        )["process"]
        assert array["state"] == "FAILED"
        failed.append(array["indices"])
    assert failed[0] == failed[1] != ""


def test_ratios_grow_while_it_replays(sqlite_server: Server, tmp_path: Path) -> None:
    """At a given speed jobs take time, and the array's progress grows."""
    command = [sys.executable, "-m", "lamia_gql", "replay", str(workflow(tmp_path))]
    with subprocess.Popen(
        [*command, "--speed", "30", "--name", "r", "--url", sqlite_server.url],
        env=environment_with({}),
        stderr=subprocess.DEVNULL,
    ) as replaying:
        ratios: list[float] = []
        while replaying.poll() is None:
            process = sqlite_server.process("r", "split")
            if process is not None and process["progress"]["ratio"] not in ratios:
                ratios.append(process["progress"]["ratio"])
            # As often as a person looks.
            time.sleep(0.1)
    assert ratios == sorted(ratios)
    assert len([ratio for ratio in ratios if 0 < ratio < 1]) >= 3
    assert sqlite_server.process("r", "split")["state"] == "SUCCEEDED"


@quick_on("sqlite")
@pytest.mark.skipif(not DATA.is_dir(), reason="the real executions are not here")
@pytest.mark.parametrize("file", REAL)
def test_replay_of_real_executions(server: Server, file: str) -> None:
    """Recorded workflows become tasks with the expected arrays, and succeed."""
    done = run_cli("replay", str(DATA / file), "--speed=0", "--name=r", f"--url={server.url}")
    assert done.returncode == 0, done.stderr
    task = server.graphql(TREE, name="r")["task"]
    processes = task["processes"]["nodes"]
    arrays = {p["name"]: p["jobCount"] for p in processes if p["kind"] == "ARRAY"}
    assert arrays == REAL[file]
    assert {p["state"] for p in processes} == {"SUCCEEDED"}
    assert {p["progress"]["ratio"] for p in processes} == {1}
    assert all(p["counts"]["done"] == p["jobCount"] for p in processes)
    assert all(p["events"]["totalCount"] == 8 * p["jobCount"] for p in processes)
    # It takes as long as the execution did, of which a part was waiting.
    task = server.graphql(REPLAYED, name="r")["task"]
    recorded = json.loads((DATA / file).read_text())["workflow"]["execution"]["makespanInSeconds"]
    assert seconds_between(task["startedAt"], task["finishedAt"]) == pytest.approx(recorded, abs=1)


@quick_on("sqlite")
def test_replay_of_scripts(server: Server, tmp_path: Path) -> None:
    """Nextflow records whole scripts as programs: the steps are those of the specification.

    What the jobs used is replayed, and how long they waited.
    """
    path = tmp_path / "nextflow.json"
    path.write_text(json.dumps(nextflow_execution()))
    done = run_cli("replay", str(path), "--speed=0", "--name=r", f"--url={server.url}")
    assert done.returncode == 0, done.stderr
    task = server.graphql(REPLAYED, name="r")["task"]
    names = {process["name"]: process["jobCount"] for process in task["processes"]["nodes"]}
    assert names == {"NF.ALIGN": 2, "NF.REPORT": 1}
    assert seconds_between(task["startedAt"], task["finishedAt"]) == pytest.approx(130)
    first, second = task["processes"]["nodes"][0]["jobs"]["nodes"]
    assert first["exitCode"] == 0
    assert first["usage"] == {
        "cpuSeconds": 90,
        "wallSeconds": 60,
        "maxRssBytes": 2e9,
        "readBytes": 5e6,
        "writeBytes": 7e6,
        "cpus": 2,
    }
    [submitted] = second["events"]["nodes"]
    assert submitted["eventClass"] == "SUBMITTED"
    assert seconds_between(submitted["sentAt"], second["startedAt"]) == pytest.approx(40)


def seconds_between(begin: str, end: str) -> float:
    """The seconds between two times of an answer."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def test_complaints_about_a_task_are_few(
    start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    """What is wrong with every process of a task is told three times, not a hundred times."""
    server = start_server(sqlite_url, max_name_length=100)
    path = tmp_path / "many.json"
    tasks = [f"{number}" + 150 * "x" for number in range(20)]
    document = {
        "name": "many",
        "workflow": {
            "specification": {"tasks": [{"name": task, "id": task} for task in tasks]},
            "execution": {"tasks": [{"id": task, "runtimeInSeconds": 1} for task in tasks]},
        },
    }
    path.write_text(json.dumps(document))
    done = run_cli("replay", str(path), "--speed=0", f"--url={server.url}")
    assert done.returncode == 1
    assert done.stderr.count("has 151 characters") == 3
    assert "And 17 more like these." in done.stderr
