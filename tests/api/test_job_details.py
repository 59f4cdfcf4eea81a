"""What jobs tell beside their state: why they ended, their batch ids, what they used; held jobs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.harness import Server

JOB = """{ job(task: "t", process: "a", index: 0) {
  state attempt starts exitCode signal message batchId progress { current }
  usage { cpuSeconds wallSeconds maxRssBytes readBytes writeBytes cpus requestedMemoryBytes } } }"""
COUNTS = (
    '{ process(task: "t", name: "a") { state outlook counts { held submitted running failed } } }'
)
SUBMIT = """mutation($events: [SubmitEventInput!]!) { submitEvents(input: {events: $events}) {
  results { duplicate event { attempt } userErrors { code field message } } } }"""


@pytest.fixture
def array(server: Server) -> Server:
    """A server with a task of one array."""
    server.rest("POST", "/t", {"processes": {"a": [9, 1]}})
    return server


def tell(server: Server, minute: int, event_class: str, **fields: Any) -> Any:
    """Submit an event of the first job; its result."""
    event = {
        "task": "t",
        "process": "a",
        "index": 0,
        "eventClass": event_class,
        "sentAt": f"2026-11-24T03:{minute:02}:00Z",
        **fields,
    }
    return server.graphql(SUBMIT, events=[event])["submitEvents"]["results"][0]


def job(server: Server) -> dict[str, Any]:
    """What is shown of the first job."""
    shown: dict[str, Any] = server.graphql(JOB)["job"]
    return shown


def test_the_latest_of_each_holds(array: Server) -> None:
    """Several events tell something; each part is the latest one, in whatever order they come."""
    tell(array, 1, "SUBMITTED", batchId="57.0", usage={"cpus": 4, "requestedMemoryBytes": 2e9})
    tell(array, 9, "FAILED", exitCode=134, message="std::bad_alloc", usage={"maxRssBytes": 3e9})
    tell(array, 2, "STARTED", usage={"cpuSeconds": 0})
    tell(array, 8, "BEAT", message="old", usage={"cpuSeconds": 60, "maxRssBytes": 1e9})
    tell(array, 10, "BEAT", signal="SIGABRT")
    found = job(array)
    assert found["usage"] == {
        "cpuSeconds": 60,
        "wallSeconds": None,
        "maxRssBytes": 3e9,
        "readBytes": None,
        "writeBytes": None,
        "cpus": 4,
        "requestedMemoryBytes": 2e9,
    }
    assert (found["state"], found["exitCode"], found["signal"], found["message"]) == (
        "FAILED",
        134,
        "SIGABRT",
        "std::bad_alloc",
    )
    tell(array, 11, "STARTED")
    again = job(array)
    assert (again["state"], again["exitCode"], again["signal"], again["message"]) == (
        "RUNNING",
        None,
        None,
        None,
    )
    assert (again["batchId"], again["usage"]["cpus"], again["usage"]["cpuSeconds"]) == (
        "57.0",
        4,
        None,
    )


def test_held_until_it_is_released(array: Server) -> None:
    """A held job is counted, found and shown with its reason, and waits for somebody."""
    tell(array, 1, "SUBMITTED")
    tell(array, 2, "HELD", message="The job exceeded its memory")
    tell(array, 3, "BEAT")
    held = job(array)
    assert (held["state"], held["message"]) == ("HELD", "The job exceeded its memory")
    process = array.graphql(COUNTS)["process"]
    assert process["counts"] == {"held": 1, "submitted": 0, "running": 0, "failed": 0}
    assert (process["state"], process["outlook"]) == ("SUBMITTED", "AT_RISK")
    found = array.graphql(
        """{ process(task: "t", name: "a") { ... on JobArray { indices(states: [HELD])
          jobs(first: 2, filter: {states: [HELD]}) { totalCount nodes { index } } } } }"""
    )["process"]
    assert found == {"indices": "0", "jobs": {"totalCount": 1, "nodes": [{"index": 0}]}}
    tell(array, 4, "SUBMITTED")
    released = job(array)
    assert (released["state"], released["message"]) == ("SUBMITTED", None)
    assert array.graphql(COUNTS)["process"]["outlook"] == "ON_TRACK"


def test_a_job_that_is_submitted_again_overrules(array: Server) -> None:
    """Whatever restarts the batch system counted: the later submission has later attempts."""
    first, second = {"batchId": "1200_0"}, {"batchId": "1300_0"}
    tell(array, 1, "STARTED", **first)
    tell(array, 2, "STARTED", attempt=1, **first)
    tell(array, 3, "FAILED", attempt=1, exitCode=1, **first)
    assert (job(array)["state"], job(array)["attempt"]) == ("FAILED", 1)
    again = tell(array, 10, "STARTED", **second)
    assert again["event"]["attempt"] == 2
    # The first node's clock was ahead.
    tell(array, 30, "TERMINATED", attempt=1, **first)
    # The script's own events have no batch id.
    tell(array, 11, "PROGRESS", progress=40)
    now = job(array)
    assert (now["state"], now["attempt"], now["batchId"]) == ("RUNNING", 2, "1300_0")
    assert now["progress"] == {"current": 40}
    tell(array, 12, "STARTED", attempt=1, **second)
    tell(array, 13, "DONE", attempt=1, exitCode=0, **second)
    ended = job(array)
    assert (ended["state"], ended["attempt"], ended["starts"]) == ("DONE", 3, 4)
    assert ended["exitCode"] == 0
    array.check_counters("t")


def test_an_earlier_submission_that_arrives_late(array: Server) -> None:
    """Events of a submission that was spooled do not overrule the one that followed."""
    tell(array, 20, "STARTED", batchId="2")
    tell(array, 21, "DONE", batchId="2")
    tell(array, 1, "STARTED", batchId="1")
    tell(array, 2, "FAILED", batchId="1", exitCode=1)
    assert (job(array)["state"], job(array)["exitCode"]) == ("DONE", None)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"message": "ä" * 513}, "TEXT_INVALID", "message"),
        ({"message": "a\0b"}, "TEXT_INVALID", "message"),
        ({"signal": "S" * 33}, "TEXT_INVALID", "signal"),
        ({"batchId": "1" * 256}, "TEXT_INVALID", "batchId"),
        ({"usage": {"cpuSeconds": -1}}, "USAGE_INVALID", "usage.cpuSeconds"),
        ({"usage": {"maxRssBytes": 1e19}}, "USAGE_INVALID", "usage.maxRssBytes"),
    ],
)
def test_what_is_wrong_is_refused(
    array: Server, fields: dict[str, Any], code: str, field: str
) -> None:
    """Each error names the field, by GraphQL and by REST, and nothing is stored."""
    (error,) = tell(array, 1, "FAILED", **fields)["userErrors"]
    assert (error["code"], error["field"].endswith(field)) == (code, True)
    answer = array.rest("POST", "/t/a/event?arrayIndex=0", {"eventClass": "FAILED", **fields})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["details"]["code"] == code
    assert job(array)["state"] == "PENDING"


def test_wrong_types_are_refused_by_rest(array: Server) -> None:
    """The types are those of GraphQL."""
    for fields in (
        {"exitCode": "1"},
        {"exitCode": 2**31},
        {"usage": [1]},
        {"usage": {"cpus": "a"}},
    ):
        body = {"eventClass": "FAILED", **fields}
        assert array.rest("POST", "/t/a/event?arrayIndex=0", body).status_code == 400
