"""Reports of a workflow tool: the task and its arrays are made and grow as they are needed."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from lamia_gql.client import growing_task, workflow
from lamia_gql.client.http_exchange import SOCKET_TIMEOUT_S
from lamia_gql.client.workflow import Workflow
from tests.support.harness import Server, StartServer
from tests.support.job_side import ROOT, stored_events

SIZES = """query($name: String!) { task(name: $name) { tags processes { nodes {
  name jobCount kind } } } }"""


def sizes(server: Server, task: str = "w") -> dict[str, int]:
    """The number of jobs of each array of a task."""
    found = server.graphql(SIZES, name=task)["task"]["processes"]["nodes"]
    return {process["name"]: process["jobCount"] for process in found}


def make_workflow(server: Server, folder: Path, task: str = "w") -> Workflow:
    """The workflow of a task."""
    return Workflow(
        task,
        url=server.url,
        environ={"LAMIA_SPOOL": str(folder / "spool")},
        fields={"tags": ["tool"]},
    )


def test_a_task_that_grows(server: Server, tmp_path: Path) -> None:
    """Arrays are created, added and enlarged; a second workflow goes on with what is there."""
    first = make_workflow(server, tmp_path)
    first.require({"align": 2})
    assert first.is_new
    first.emit("align", 1, "STARTED", hostname="node1")
    first.emit("align", 1, "FAILED", exitCode=3, message="x" * 2000)
    first.close()
    assert sizes(server) == {"align": 2}
    second = make_workflow(server, tmp_path)
    second.require({"align": 1, "merge": 1})
    assert not second.is_new
    second.emit("align", 3, "DONE")
    second.close()
    assert sizes(server) == {"align": 4, "merge": 1}
    assert first.warnings == second.warnings == []
    events = stored_events(server, "w")
    assert [(e["job"]["index"], e["eventClass"]) for e in events] == [
        (1, "STARTED"),
        (1, "FAILED"),
        (3, "DONE"),
    ]


def test_a_server_that_comes_later(
    start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    """Events wait until the server has their jobs; nobody waits for that."""
    server = start_server(sqlite_url)
    server.stop()
    reports = make_workflow(server, tmp_path)
    reports.require({"align": 1})
    reports.emit("align", 0, "STARTED")
    assert ["It is tried again." in warning for warning in reports.warnings] == [True]
    server.start()
    reports.emit("align", 0, "DONE")
    reports.close()
    assert [event["eventClass"] for event in stored_events(server, "w")] == ["STARTED", "DONE"]


def test_what_the_server_refuses(sqlite_server: Server, tmp_path: Path) -> None:
    """A task that the server does not take is one warning, and nothing is sent."""
    reports = make_workflow(sqlite_server, tmp_path, "@all")
    for _ in range(3):
        reports.emit("align", 0, "STARTED")
    reports.close()
    [warning] = reports.warnings
    assert warning.endswith("Nothing is reported.")


def test_solitary_processes_stay(sqlite_server: Server, tmp_path: Path) -> None:
    """A task whose process of this name is no array can't be reported to."""
    sqlite_server.create("w", {"name": "align"})
    reports = make_workflow(sqlite_server, tmp_path)
    reports.emit("align", 1, "STARTED")
    reports.close()
    [warning] = reports.warnings
    assert warning.endswith("Nothing is reported.")


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server, only so many events wait."""
    monkeypatch.setattr(workflow, "MAX_EARLY_EVENTS", 3)
    reports = Workflow("w", url="http://127.0.0.1:9", environ={"LAMIA_SPOOL": str(tmp_path)})
    for index in range(5):
        reports.emit("align", index, "STARTED")
    reports.close()
    assert "Too many events wait: the oldest ones are dropped." in reports.warnings
    assert "3 events are lost: the server has not got their jobs." in reports.warnings


@pytest.mark.slow
def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    """It costs the workflow one time limit in a while, not one for each job."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        reports = Workflow(
            "w", url=f"http://127.0.0.1:{port}", environ={"LAMIA_SPOOL": str(tmp_path)}
        )
        begin = time.monotonic()
        for index in range(500):
            reports.emit("align", index, "STARTED")
        assert time.monotonic() - begin < 2 * SOCKET_TIMEOUT_S
        reports.close()
    assert "500 events are lost: the server has not got their jobs." in reports.warnings


@pytest.mark.parametrize("name", ["create_task", "add_processes", "grow_process", "process_sizes"])
def test_documents_are_the_published_ones(name: str) -> None:
    """The operations in the client are the published ones, which a server may insist on."""
    published = ROOT / "schema" / "operations" / f"{name}.graphql"
    assert getattr(growing_task, name.upper()) == published.read_text()
