"""Arrays whose size is not known beforehand: they get more jobs while they run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.harness import Server

GROW = """mutation($input: GrowProcessInput!) { growProcess(input: $input) {
  process { jobCount state progress { ratio } counts { total pending done } ... on JobArray {
    failureTolerance indices(states: [PENDING]) jobs(last: 1) { nodes { index state } } } }
  userErrors { code field message } } }"""


def grow(server: Server, job_count: int, process: str = "a", **more: Any) -> dict[str, Any]:
    """Ask for so many jobs."""
    given = {"task": "t", "process": process, "jobCount": job_count, **more}
    payload: dict[str, Any] = server.graphql(GROW, input=given)["growProcess"]
    return payload


@pytest.fixture
def finished(server: Server) -> Server:
    """A server with a task whose array of two jobs has succeeded."""
    server.create("t", {"name": "a", "jobCount": 2, "firstIndex": 1}, {"name": "merge"})
    for index in (1, 2):
        server.submit("t", "a", "DONE", index=index)
    server.submit("t", "merge", "DONE")
    return server


def test_progress_and_state_follow(finished: Server) -> None:
    """A task that has succeeded runs again; its new jobs are there, and report."""
    task = '{ task(name: "t") { state progress { ratio } counts { total } } }'
    assert finished.graphql(task)["task"]["state"] == "SUCCEEDED"
    grown = grow(finished, 5, failureTolerance=1)
    assert grown == {
        "process": {
            "jobCount": 5,
            "state": "RUNNING",
            "progress": {"ratio": 0.4},
            "counts": {"total": 5, "pending": 3, "done": 2},
            "failureTolerance": 1,
            "indices": "3-5",
            "jobs": {"nodes": [{"index": 5, "state": "PENDING"}]},
        },
        "userErrors": [],
    }
    shown = finished.graphql(task)["task"]
    assert (shown["state"], shown["counts"]) == ("RUNNING", {"total": 6})
    # The same number again changes nothing, so a client may repeat itself.
    assert grow(finished, 5) == grown
    finished.submit("t", "a", "FAILED", index=3)
    for index in (4, 5):
        finished.submit("t", "a", "DONE", index=index)
    assert finished.graphql(task)["task"]["state"] == "SUCCEEDED"
    finished.check_counters("t")


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"job_count": 1}, "JOB_COUNT_INVALID", "jobCount"),
        ({"job_count": 2_000_000}, "JOB_COUNT_INVALID", "jobCount"),
        ({"job_count": 3, "process": "merge"}, "JOB_COUNT_INVALID", "jobCount"),
        ({"job_count": 3, "process": "b"}, "PROCESS_NOT_FOUND", "process"),
        ({"job_count": 3, "process": "b\0"}, "PROCESS_NOT_FOUND", "process"),
        ({"job_count": 3, "task": "u"}, "TASK_NOT_FOUND", "task"),
        ({"job_count": 3, "failureTolerance": 4}, "FAILURE_TOLERANCE_INVALID", "failureTolerance"),
    ],
)
def test_what_is_wrong_is_refused(
    finished: Server, given: dict[str, Any], code: str, field: str
) -> None:
    """Arrays never shrink, and solitary processes have one job; nothing was changed."""
    refused = grow(finished, **given)
    assert refused["process"] is None
    assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [(code, field)]
    assert finished.graphql('{ process(task: "t", name: "a") { jobCount } }') == {
        "process": {"jobCount": 2}
    }
