"""Operations that are stopped, or in which a field fails, leave nothing that Python warns of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.harness import Server, StartServer

TASKS = """{ tasks(first: 30) { nodes { id name lastEventAt
  # first
  processes(first: 10) { nodes { name events(first: 10) { nodes { id job { id process { name } } } }
    timeline { at } } }
  recent: events(first: 10) { nodes { id job { id process { name task { name } } } } }
  # last
  } } }"""
FAILING = """comment
  stale: processes(first: 10) { nodes { events(first: 1, after: "stale") { nodes { id } } } }"""


def start(
    start_server: StartServer, url: str, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> Server:
    """A server with tasks that resolves field by field, and shows all warnings."""
    monkeypatch.setenv("PYTHONWARNINGS", "always::RuntimeWarning")
    server = start_server(url, compiled_queries=False, **settings)
    tasks = [f"t{number}" for number in range(30)]
    processes = [{"name": f"p{number}", "jobCount": 30} for number in range(5)]
    created = {"tasks": [{"name": task, "processes": processes} for task in tasks]}
    server.graphql(
        "mutation($input: CreateTasksInput!) { createTasks(input: $input) { tasks { id } } }",
        input=created,
    )
    server.submit_many(
        [
            {"task": task, "process": "p0", "index": index, "eventClass": "STARTED"}
            for task in tasks
            for index in range(20)
        ]
    )
    return server


def check(server: Server) -> None:
    """Stop the server; it must have said nothing."""
    server.stop()
    for fault in ("never awaited", "never retrieved", "Traceback"):
        assert fault not in server.log()


def test_operations_over_the_time_limit(
    start_server: StartServer, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a query does when its time is over, all its fields are given up."""
    server = start(start_server, sqlite_url, monkeypatch, max_operation_time=0.05)
    for _ in range(2):
        assert server.graphql_error(TASKS)["extensions"]["code"] == "TIMED_OUT"
    check(server)


def test_fields_beside_one_that_fails(
    start_server: StartServer, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field that may not be null fails: what stands beside it is given up."""
    server = start(start_server, sqlite_url, monkeypatch)
    for place in ("# first", "# last"):
        error = server.graphql_error(TASKS.replace(place, FAILING))
        assert error["extensions"]["code"] == "CURSOR_INVALID"
    check(server)
