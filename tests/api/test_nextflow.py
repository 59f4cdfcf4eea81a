"""Nextflow's documented messages, posted to `/hooks/nextflow/{task}` as `-with-weblog` does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from lamia_gql.domain.access import Role
from tests.support.credentials import Credentials
from tests.support.harness import Server, StartServer, rest_errors

ROOT = Path(__file__).parents[2]
SESSION = "170aa09c-105f-49d0-99b4-8eb6a146e4a7"
BEGIN_MS = 1538912529498
"""The time of the submission in the documented message."""
UNKNOWN = 2**31 - 1
TREE = """query($name: String!) { task(name: $name) { state tags processes { nodes {
  name kind jobCount state events(first: 1) { totalCount }
  ... on SolitaryProcess { job { state exitCode message } }
  ... on JobArray { jobs(first: 10) { nodes { index state starts exitCode message batchId hostname
    startedAt finishedAt usage { cpuSeconds wallSeconds maxRssBytes readBytes writeBytes cpus
      requestedMemoryBytes } events(first: 1) { nodes { payload } } } } } } } } }"""


def message(event: str, run: str = "friendly_pesquet", **more: Any) -> dict[str, Any]:
    """A message, as Nextflow describes it."""
    sent_s = BEGIN_MS / 1000 + (0 if run == "friendly_pesquet" else 3600)
    time = datetime.fromtimestamp(sent_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"runName": run, "runId": SESSION, "event": event, "utcTime": time, **more}


def workflow(event: str, run: str = "friendly_pesquet", **more: Any) -> dict[str, Any]:
    """A message about the run."""
    known = {"start": "2018-10-07T11:42:08Z", "commandLine": "nextflow run hlatyping", **more}
    return message(event, run, metadata={"parameters": {}, "workflow": known})


def tries(
    number: int, name: str, *, run: str = "friendly_pesquet", end: str = "COMPLETED", **trace: Any
) -> Iterator[dict[str, Any]]:
    """The messages about a try of a task, from its submission to its end."""
    submit = BEGIN_MS + 1000 * number + (0 if run == "friendly_pesquet" else 3_600_000)
    known = {
        "task_id": number,
        "status": "SUBMITTED",
        "hash": f"a1/{number:06}",
        "name": name,
        "exit": UNKNOWN,
        "submit": submit,
        "process": name.partition(" ")[0],
        "tag": None,
        "module": [],
        "container": "nfcore/hlatyping:1.1.1",
        "attempt": 1,
        "script": "configbuilder --max-cpus 2",
        "cpus": 1,
        "memory": 7516192768,
        "native_id": 27000 + number,
    } | trace
    exit_code = known.pop("exit") if "exit" in trace else 0
    yield message("process_submitted", run, trace=known | {"exit": UNKNOWN})
    known |= {"status": "RUNNING", "start": submit + 131}
    yield message("process_started", run, trace=known | {"exit": UNKNOWN})
    known |= {
        "status": end,
        "exit": exit_code,
        "complete": submit + 201101,
        "realtime": 200000,
        "%cpu": 50.0,
        "peak_rss": 574972928,
        "rchar": 7597,
        "wchar": 162,
    }
    yield message("process_completed", run, trace=known)


def story() -> Iterator[dict[str, Any]]:
    """A run in which a task is tried again, one fails for good, and one is aborted."""
    yield workflow("started")
    yield from tries(1, "ALIGN (a)")
    # Not in the order of their numbers: the tasks run side by side.
    second = tries(2, "ALIGN (b)", end="FAILED", exit=137, error_action="RETRY")
    third = tries(3, "ALIGN (c)")
    for pair in zip(second, third, strict=True):
        yield from pair
    yield from tries(4, "ALIGN (b)", attempt=2)
    failing = list(tries(5, "REPORT", tag="t\0", end="FAILED", exit=1, error_action="TERMINATE"))
    yield from failing
    yield from tries(6, "ALIGN (d)", end="ABORTED", exit=UNKNOWN)
    yield message("error", trace=failing[-1]["trace"])
    yield message("error", trace=None)
    yield workflow("completed", success=False, exitStatus=1, errorMessage="REPORT\0failed ")


def post(server: Server, given: Any, task: str = "n", **options: Any) -> httpx.Response:
    """Post a message, as Nextflow does."""
    headers = {"content-type": "application/json"} | options.pop("headers", {})
    return server.post(
        f"/hooks/nextflow/{task}", content=json.dumps(given), headers=headers, **options
    )


def test_a_run(server: Server) -> None:
    """Processes become arrays that grow, trace fields become causes and usage; twice is once."""
    for _ in range(2):
        for given in story():
            answer = post(server, given)
            assert answer.status_code == 200, (given, answer.text)
        task = server.graphql(TREE, name="n")["task"]
        assert (task["state"], task["tags"]) == ("FAILED", ["nextflow"])
        run, align, report = task["processes"]["nodes"]
        assert (run["name"], run["job"]) == (
            "nextflow",
            {"state": "FAILED", "exitCode": 1, "message": "REPORT failed"},
        )
        assert (align["name"], align["jobCount"], align["events"]["totalCount"]) == ("ALIGN", 4, 15)
        assert (report["name"], report["jobCount"], report["state"]) == ("REPORT", 1, "FAILED")
        a, b, c, d = align["jobs"]["nodes"]
        assert [job["state"] for job in (a, b, c, d)] == ["DONE", "DONE", "DONE", "TERMINATED"]
        assert [job["starts"] for job in (a, b, c, d)] == [1, 2, 1, 1]
        assert (b["exitCode"], b["batchId"], d["exitCode"]) == (0, "27004", None)
        assert d["message"] == "Nextflow has aborted the task."
        assert c["events"]["nodes"][0]["payload"]["name"] == "ALIGN (c)"
        assert a["startedAt"] == "2018-10-07T11:42:10.629000+00:00"
        assert a["usage"] == {
            "cpuSeconds": 100,
            "wallSeconds": 200,
            "maxRssBytes": 574972928,
            "readBytes": 7597,
            "writeBytes": 162,
            "cpus": 1,
            "requestedMemoryBytes": 7516192768,
        }
    server.check_counters("n")


def test_any_server(start_server: StartServer, postgres_url: str) -> None:
    """Nothing is remembered but what is stored: each message may reach another server."""
    servers = [start_server(postgres_url), start_server(postgres_url)]
    for place, given in enumerate(story()):
        assert post(servers[place % 2], given).status_code == 200
    _, align, report = servers[0].graphql(TREE, name="n")["task"]["processes"]["nodes"]
    assert (align["jobCount"], align["events"]["totalCount"], report["jobCount"]) == (4, 15, 1)
    assert [job["starts"] for job in align["jobs"]["nodes"]] == [1, 2, 1, 1]


def test_a_resumed_run(server: Server) -> None:
    """With `-resume`, what failed is the next attempt of the same job."""
    resumed = [
        workflow("started", "happy_noether"),
        *tries(1, "REPORT", run="happy_noether", native_id=None),
        workflow("completed", "happy_noether", success=True, exitStatus=0),
    ]
    for given in (*story(), *resumed, *resumed):
        assert post(server, given).status_code == 200
    task = server.graphql(TREE, name="n")["task"]
    run, _, report = task["processes"]["nodes"]
    assert run["job"]["state"] == "DONE"
    assert (report["jobCount"], report["state"]) == (1, "SUCCEEDED")
    [job] = report["jobs"]["nodes"]
    assert (job["starts"], job["exitCode"], job["batchId"]) == (2, 0, "happy_noether.1")


def test_tasks_of_one_name(server: Server) -> None:
    """Two tasks may have the same name: each failure is tried again once, and none is lost."""
    failed = [list(tries(n, "ALIGN (x)", end="FAILED", exit=1)) for n in (1, 2)]
    again = [list(tries(n, "ALIGN (x)", attempt=2)) for n in (3, 4)]
    for given in (*failed[0][:2], *failed[1], failed[0][2], *again[0], *again[1]):
        assert post(server, given).status_code == 200
    align = server.graphql(TREE, name="n")["task"]["processes"]["nodes"][1]
    assert (align["jobCount"], align["state"]) == (2, "SUCCEEDED")
    assert [job["starts"] for job in align["jobs"]["nodes"]] == [2, 2]


def test_lost_messages(server: Server) -> None:
    """The last message about a task tells all that the lost ones would have."""
    *_, last = tries(1, "ALIGN")
    assert post(server, last).status_code == 200
    align = server.graphql(TREE, name="n")["task"]["processes"]["nodes"][1]
    assert (align["state"], align["events"]["totalCount"]) == ("SUCCEEDED", 3)
    # The run is not known to have ended, so the task has not, either.
    assert server.graphql(TREE, name="n")["task"]["state"] != "SUCCEEDED"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "A message of Nextflow is an object."),
        ({"runName": "r", "runId": "i", "event": "started"}, "The message has no valid utcTime."),
        ({**message("started"), "runId": None}, "The message has no runId."),
        (message("paused"), "'paused' is not an event of Nextflow."),
        (message("process_started", trace=[]), "The trace of the message is not an object."),
        (message("process_started", trace={}), "The trace of the message has no task_id."),
        (message("process_started", trace={"task_id": 1}), "The message has no process."),
    ],
)
def test_other_messages(sqlite_server: Server, given: Any, reason: str) -> None:
    """What is no message of Nextflow is refused, and creates nothing."""
    answer = post(sqlite_server, given)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["reason"] == reason
    assert sqlite_server.graphql(TREE, name="n")["task"] is None


def test_other_requests(sqlite_server: Server) -> None:
    """Only POST is taken, and only with the name of a task."""
    assert sqlite_server.get("/hooks/nextflow/n").status_code == 405
    assert post(sqlite_server, message("started"), task="").status_code == 404
    assert post(sqlite_server, message("started"), task="n/o").status_code == 404
    assert rest_errors(post(sqlite_server, message("started"), task="@n")) == [
        ("NAME_INVALID", "name")
    ]


def test_basic_password(sqlite_url: str, start_server: StartServer) -> None:
    """The password of `weblog.basicToken` is a token, which must be allowed to change the task."""
    with closing(Credentials(sqlite_url)) as credentials:
        anna = credentials.token("anna", Role.SUBMIT)
        other = credentials.token("bert", Role.SUBMIT)
        reader = credentials.token("carl", Role.READ)
    server = start_server(sqlite_url)
    assert rest_errors(post(server, workflow("started"))) == [("UNAUTHENTICATED", None)]
    assert post(server, workflow("started"), auth=("user", "wrong")).status_code == 401
    assert post(server, workflow("started"), auth=("user", reader)).status_code == 403
    for given in (workflow("started"), *tries(1, "ALIGN")):
        assert post(server, given, auth=("user", anna)).status_code == 200
    for given in tries(2, "ALIGN"):
        assert post(server, given, auth=("user", other)).status_code == 403
    server.identify(anna)
    align = server.graphql(TREE, name="n")["task"]["processes"]["nodes"][1]
    assert (align["jobCount"], align["state"]) == (1, "SUCCEEDED")


def test_the_example(sqlite_server: Server) -> None:
    """The example of the documentation is a job that has succeeded, with what it used."""
    text = (ROOT / "docs" / "nextflow.md").read_text()
    [body] = re.findall(r"^curl .* -d '(\{.*?\})'$", text, re.MULTILINE | re.DOTALL)
    assert post(sqlite_server, json.loads(body)).status_code == 200
    [job] = sqlite_server.graphql(TREE, name="n")["task"]["processes"]["nodes"][1]["jobs"]["nodes"]
    assert (job["state"], job["batchId"]) == ("DONE", "27185")
    assert job["usage"]["maxRssBytes"] == 574972928
