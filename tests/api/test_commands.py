"""The command line, run as its users run it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.harness import Server, StartServer, environment_with, run_cli
from tests.support.live_clients import WebSocketClient
from tests.support.waiting import until

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
TREE = """query($name: String!) { task(name: $name) { state progress { ratio }
  processes { nodes { name kind jobCount state progress { ratio } counts { done failed }
    events(last: 1) { totalCount }
    ... on JobArray { jobs(first: 2) { nodes { index state hostname
      events(first: 10) { totalCount nodes { eventClass } } } } } } } } }"""


REPLAYED = """query($name: String!) { task(name: $name) { startedAt finishedAt
  processes { nodes { name jobCount ... on JobArray { jobs(first: 2) { nodes { startedAt finishedAt
    exitCode usage { cpuSeconds wallSeconds maxRssBytes readBytes writeBytes cpus }
    events(first: 1) { nodes { eventClass sentAt } } } } } } } } }"""


def workflow(folder: Path) -> Path:
    """A small WfFormat execution: ten parallel splits, then a merge."""
    splits = [f"split_{n}" for n in range(10)]
    execution = [
        {
            "id": name,
            "runtimeInSeconds": 60.0 + 6 * place,
            "command": {"program": "split"},
            "machines": [f"node{place % 3}"],
        }
        for place, name in enumerate(splits)
    ]
    execution.append({"id": "merge", "runtimeInSeconds": 30.0, "command": {"program": "merge"}})
    document = {
        "name": "small",
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {
                "tasks": [
                    *({"name": s, "id": s, "parents": [], "children": ["merge"]} for s in splits),
                    {"name": "merge", "id": "merge", "parents": splits, "children": []},
                ]
            },
            "execution": {
                "makespanInSeconds": 150,
                "executedAt": "20260101T000000Z",
                "tasks": execution,
                "machines": [{"nodeName": f"node{n}"} for n in range(3)],
            },
        },
    }
    path = folder / "small.json"
    path.write_text(json.dumps(document))
    return path


def test_replay_at_full_speed(server: Server, tmp_path: Path) -> None:
    """All jobs run through their states at once, and the task tree shows the result."""
    done = run_cli(
        "replay", str(workflow(tmp_path)), "--speed", "0", "--name", "r", "--url", server.url
    )
    assert done.returncode == 0, done.stderr
    assert "Replayed 11 jobs as task r" in done.stderr
    task = server.graphql(TREE, name="r")["task"]
    assert (task["state"], task["progress"]["ratio"]) == ("SUCCEEDED", 1)
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


def nextflow_execution() -> dict[str, Any]:
    """Two alignments, the second of which waited 40 seconds, then a report."""
    names = {"NF.ALIGN_1": "NF.ALIGN (a)", "NF.ALIGN_2": "NF.ALIGN (b)", "NF.REPORT_3": "NF.REPORT"}
    script = "set -e\nalign --threads 2 \\\n  sample.fastq > " + 300 * "x"
    parents = {"NF.REPORT_3": ["NF.ALIGN_1", "NF.ALIGN_2"]}
    starts = {"NF.ALIGN_1": "00:00:00", "NF.ALIGN_2": "00:00:40", "NF.REPORT_3": "00:01:40"}
    return {
        "name": "nf",
        "schemaVersion": "1.6",
        "workflow": {
            "specification": {
                "tasks": [
                    {"id": key, "name": name, "parents": parents.get(key, []), "children": []}
                    for key, name in names.items()
                ]
            },
            "execution": {
                "makespanInSeconds": 130,
                "tasks": [
                    {
                        "id": key,
                        "executedAt": f"2026-01-01T{starts[key]}+00:00",
                        "runtimeInSeconds": 30.0 if key == "NF.REPORT_3" else 60.0,
                        "command": {"program": script + key, "arguments": []},
                        "coreCount": 2,
                        "avgCPU": 150.0,
                        "memoryInBytes": 2_000_000_000,
                        "readBytes": 5_000_000,
                        "writtenBytes": 7_000_000,
                    }
                    for key in names
                ],
            },
        },
    }


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


def test_demo_shows_every_row_of_the_table(sqlite_server: Server) -> None:
    """The demonstration has processes of every kind, basis and outlook."""
    done = run_cli("demo", "--minutes", "0.05", "--url", sqlite_server.url)
    assert done.returncode == 0, done.stderr
    tasks = sqlite_server.graphql(
        """{ tasks(first: 10) { nodes { outlook processes { nodes { kind threshold outlook state
          progress { basis } } } } } }"""
    )["tasks"]["nodes"]
    rows = {
        (
            process["kind"],
            process["threshold"] is not None,
            process["progress"] and process["progress"]["basis"],
        )
        for task in tasks
        for process in task["processes"]["nodes"]
    }
    assert rows == {
        ("ARRAY", False, "DONE_JOBS"),
        ("ARRAY", False, "PERCENT"),
        ("ARRAY", True, "DONE_OF_THRESHOLD"),
        ("ARRAY", True, "VALUE_OF_THRESHOLD"),
        ("SOLITARY", False, None),
        ("SOLITARY", False, "PERCENT"),
        ("SOLITARY", True, None),
        ("SOLITARY", True, "VALUE_OF_THRESHOLD"),
    }
    assert {task["outlook"] for task in tasks} >= {"ON_TRACK", "CANNOT_SUCCEED"}


def test_the_start_says_who_can_reach_it(start_server: StartServer, sqlite_url: str) -> None:
    """And where the pages are, and how to get something to look at."""
    server = start_server(sqlite_url)
    told = server.log()
    for line in (
        f"dashboard:      {server.url}/\n",
        f"GraphiQL:       {server.url}/graphiql\n",
        f"demo data:      lamia-gql demo --url {server.url}\n",
        "Only this machine can reach it. For jobs on others: --host 0.0.0.0, see docs/operation.md",
    ):
        assert line in told
    server.stop()
    server.clear_log()
    server.settings |= {"host": "0.0.0.0", "insecure": "true"}
    server.start()
    [address] = re.findall(r"from elsewhere: (http://\S+), as LAMIA_URL of jobs\n", server.log())
    assert f"//{socket.gethostname()}:" in address
    assert "Only this machine" not in server.log()


def test_health_and_readiness(start_server: StartServer, postgres_url: str) -> None:
    """/healthz reports that the server runs, /readyz whether its database is there and migrated."""
    server = start_server(postgres_url)
    assert server.get("/healthz").json()["status"] == "ok"
    until(lambda: server.get("/readyz").json() == {"status": "ready"}, "ready")
    with psycopg.connect(postgres_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of-another-version'")
    until(lambda: server.get("/readyz").status_code == 503, lambda: "it is ready")
    assert "lamia-gql migrate" in server.get("/readyz").json()["reason"]
    assert server.get("/healthz").status_code == 200


def test_database_is_for_its_owner_only(start_server: StartServer, tmp_path: Path) -> None:
    """Nobody else on the machine can read what a server stores; an existing file keeps its mode."""
    server = start_server(f"sqlite:///{tmp_path}/made.sqlite")
    server.create("t", {"name": "p"})
    names = [f"made.sqlite{suffix}" for suffix in ("", "-lock", "-shm", "-wal", ".key")]
    assert sorted(path.name for path in tmp_path.glob("made*")) == names
    assert {name: (tmp_path / name).stat().st_mode & 0o777 for name in names} == dict.fromkeys(
        names, 0o600
    )
    shared = tmp_path / "shared.sqlite"
    shared.touch()
    shared.chmod(0o664)
    done = run_cli("migrate", database_url=f"sqlite:///{shared}")
    assert done.returncode == 0, done.stderr
    assert shared.stat().st_mode & 0o777 == 0o664


async def test_websockets_are_not_logged(start_server: StartServer, sqlite_url: str) -> None:
    """By default the log has no line for each WebSocket; for debugging it has."""
    for level, is_logged in (("info", False), ("debug", True)):
        server = start_server(sqlite_url, log_level=level)
        async with WebSocketClient(server.url):
            pass
        server.stop()
        assert "startup complete" in server.log()
        assert ("connection open" in server.log()) is is_logged
        server.clear_log()


def test_sigterm_ends_a_server_cleanly(sqlite_server: Server) -> None:
    """SIGTERM ends a server cleanly, and after a restart all data is there."""
    sqlite_server.create("t", {"name": "p"})
    sqlite_server.submit("t", "p", "DONE")
    sqlite_server.stop()
    sqlite_server.start()
    assert sqlite_server.process("t", "p")["state"] == "SUCCEEDED"


def test_the_published_schema_is_that_of_the_code() -> None:
    """The SDL in the repository is that of the code."""
    published = Path(__file__).parents[2] / "schema" / "schema.graphql"
    assert run_cli("schema").stdout == published.read_text()
