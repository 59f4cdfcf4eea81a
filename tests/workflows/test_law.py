"""law with `LamiaJobDashboard`: a remote workflow becomes an array, and its jobs report."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.harness import Server, environment_with

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
CONFIGURATION = """
[modules]
tests.workflows.law_workflow

[job]
job_file_dir: $STORY_FOLDER/files
"""
TREE = """query($name: String!) { task(name: $name) { tags processes { nodes { name jobCount state
  ... on JobArray { jobs(first: 10) { nodes { index state starts exitCode message batchId
    events(first: 20) { nodes { eventClass exitCode payload } } } } } } } } }"""


def test_jobs_of_a_remote_workflow(tools: Path, sqlite_server: Server, tmp_path: Path) -> None:
    """Retries are attempts of the same job; codes and messages are law's; it ends as law does."""
    (tmp_path / "law.cfg").write_text(CONFIGURATION)
    environ = environment_with({}) | {
        "PATH": f"{tools}:/usr/bin:/bin",
        "PYTHONPATH": f"{ROOT / 'integrations' / 'law'}:{ROOT}",
        "LAW_HOME": str(tmp_path / "law"),
        "LAW_CONFIG_FILE": str(tmp_path / "law.cfg"),
        "STORY_FOLDER": str(tmp_path),
        "LAMIA_URL": sqlite_server.url,
        "LAMIA_SPOOL": str(tmp_path / "spool"),
    }
    module = "tests.workflows.law_workflow"
    options = ("--retries=3", "--poll-interval=0.5s", "--local-scheduler=True", "--tolerance=1")
    done = subprocess.run(
        [str(tools / "law"), "run", f"{module}.Simulate", "--workflow=slurm", *options],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stdout + done.stderr
    assert "lamia-job:" not in told
    assert f"tracking url: {sqlite_server.url}/#/tasks/night" in told

    task = sqlite_server.graphql(TREE, name="night")["task"]
    assert task is not None, told
    assert task["tags"] == ["law"]
    [array] = task["processes"]["nodes"]
    assert (array["name"], array["jobCount"], array["state"]) == ("Simulate", 4, "FAILED")
    jobs = array["jobs"]["nodes"]
    assert [job["state"] for job in jobs] == ["DONE", "DONE", "FAILED", "DONE"]
    assert [len(submissions(job)) for job in jobs] == [1, 3, 4, 1]
    assert [job["exitCode"] for job in jobs] == [0, 0, 60, 0]
    assert jobs[2]["message"].startswith("task execution failed")
    assert all(job["batchId"].isdigit() for job in jobs)
    ends = [event for event in jobs[1]["events"]["nodes"] if event["exitCode"] is not None]
    assert [(e["eventClass"], e["exitCode"]) for e in ends] == [
        ("FAILED", 60),
        ("FAILED", 60),
        ("DONE", 0),
    ]
    assert ends[0]["payload"]["branches"] == [1]


RESTARTED = """
import json
from types import SimpleNamespace
from law.workflow.remote import JobData
from lamia_law import LamiaJobDashboard

workflow = SimpleNamespace(task_family="Simulate", branch_map=range(5), tasks_per_job=2)
first = LamiaJobDashboard(workflow)
submitted = {"job_id": 5, "branches": [2, 3], "status": None}
for event in ("action.submit", "status.pending", "status.running", "status.running"):
    first.publish(submitted, event, 2)
first.publish(submitted | {"code": 3, "error": "no disk"}, "status.retry", 2)
kept = json.loads(json.dumps(first.get_persistent_config()))
second = LamiaJobDashboard(workflow, task="another name")
second.apply_config(kept)
second.publish(submitted | {"job_id": 6}, "action.submit", 2)
second.publish(submitted | {"job_id": JobData.dummy_job_id, "code": 0}, "status.finished", 2)
print(second.task)
"""


def test_a_restarted_workflow(tools: Path, sqlite_server: Server, tmp_path: Path) -> None:
    """What law keeps lets a later run go on with the same task, job and attempts."""
    environ = environment_with({}) | {
        "PYTHONPATH": f"{ROOT / 'integrations' / 'law'}:{ROOT}",
        "LAW_HOME": str(tmp_path / "law"),
        "LAMIA_URL": sqlite_server.url,
        "LAMIA_SPOOL": str(tmp_path / "spool"),
    }
    command = [str(tools / "python"), "-c", RESTARTED]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    task = sqlite_server.graphql(TREE, name=done.stdout.strip())["task"]
    [array] = task["processes"]["nodes"]
    assert (array["name"], array["jobCount"]) == ("Simulate", 3)
    job = array["jobs"]["nodes"][1]
    assert (job["state"], job["starts"], job["batchId"]) == ("DONE", 1, "6")
    told = [(event["eventClass"], event["exitCode"]) for event in job["events"]["nodes"]]
    assert told == [
        ("SUBMITTED", None),
        ("STARTED", None),
        ("FAILED", 3),
        ("SUBMITTED", None),
        ("DONE", 0),
    ]


def submissions(job: dict[str, object]) -> list[object]:
    """The events of a job that say that it was submitted."""
    events = job["events"]
    assert isinstance(events, dict)
    return [event for event in events["nodes"] if event["eventClass"] == "SUBMITTED"]
