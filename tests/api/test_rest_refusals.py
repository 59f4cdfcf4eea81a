"""What the REST interface refuses: always in the same format, and nothing is changed."""

from __future__ import annotations

import json
import logging
import re
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from lamia_gql.api.answer_budget import AnswerBudget, AnswerMemory
from lamia_gql.api.rate_limits import RateLimits
from lamia_gql.api.turns import Turns
from lamia_gql.domain.access import ANYONE
from lamia_gql.domain.settings import load
from lamia_gql.rest.endpoint import Endpoint, RestResponse
from lamia_gql.rest.request import RestRequest
from tests.support.harness import Server, rest_errors

CLASSES = ("SUBMITTED", "STARTED", "READY", "BEAT", "PROGRESS", "DONE", "FAILED", "TERMINATED")


@pytest.fixture
def refusing(sqlite_server: Server) -> Any:
    """A server with a task, which must still have no events at the end."""
    sqlite_server.create("t", {"name": "a", "jobCount": 3}, {"name": "s"})
    yield sqlite_server
    for name in ("a", "s"):
        assert sqlite_server.rest("GET", f"/t/{name}/event").json() == []


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "NO_PROCESSES", "processes"),
        ({"processes": None}, "NO_PROCESSES", "processes"),
        ({"processes": {}}, "NO_PROCESSES", "processes"),
        ({"processes": []}, "NO_PROCESSES", "processes"),
        ({"processes": 3}, "ARGUMENT_INVALID", "processes"),
        ({"processes": "abc"}, "ARGUMENT_INVALID", "processes"),
        ({"processes": {"a": "3"}}, "ARGUMENT_INVALID", "processes.0"),
        ({"processes": {"a": True}}, "ARGUMENT_INVALID", "processes.0"),
        ({"processes": {"a": 1.5}}, "ARGUMENT_INVALID", "processes.0"),
        ({"processes": {"a": [3]}}, "ARGUMENT_INVALID", "processes.0"),
        ({"processes": {"a": [3, "1"]}}, "ARGUMENT_INVALID", "processes.0"),
        ({"processes": {"a": 0}}, "JOB_COUNT_INVALID", "processes.0.nJobs"),
        ({"processes": {"a": 10**7}}, "JOB_COUNT_INVALID", "processes.0.nJobs"),
        ({"processes": {"a": [3, 4]}}, "FAILURE_TOLERANCE_INVALID", "processes.0.fTolerance"),
        ({"processes": {"b": 1, "a/b": 1}}, "NAME_INVALID", "processes.1.name"),
        ({"processes": {"@all": 1}}, "NAME_INVALID", "processes.0.name"),
        ({"processes": ["a"]}, "ARGUMENT_INVALID", "processes.0"),
        ({"processes": [{}]}, "ARGUMENT_INVALID", "processes.0.name"),
        ({"processes": [{"name": "a", "type": "x"}]}, "ARGUMENT_INVALID", "processes.0.type"),
        ({"processes": [{"name": "a", "type": []}]}, "ARGUMENT_INVALID", "processes.0.type"),
        ({"processes": [{"name": "a", "type": "array"}]}, "ARGUMENT_INVALID", "processes.0.nJobs"),
        (
            {"processes": [{"name": "a", "type": "solitary", "nJobs": 2}]},
            "ARGUMENT_INVALID",
            "processes.0",
        ),
        ({"processes": [{"name": "a"}, {"name": "a"}]}, "NAME_TAKEN", "processes.1.name"),
        (
            {"processes": [{"name": "a", "thresholdProgress": -1}]},
            "THRESHOLD_INVALID",
            "processes.0.thresholdProgress",
        ),
        ({"processes": {"a": 1}, "tags": "one"}, "ARGUMENT_INVALID", "tags"),
        ({"processes": {"a": 1}, "tags": ["one", 2]}, "ARGUMENT_INVALID", "tags.1"),
        ({"processes": {"a": 1}, "username": 7}, "ARGUMENT_INVALID", "username"),
        ({"processes": {"a": 1}, "emailNotify": "x" * 5000}, "TEXT_INVALID", "emailNotify"),
        ({"processes": {"a": 1}, "_meta": "now"}, "ARGUMENT_INVALID", "_meta"),
        ({"processes": {"a": 1}, "_meta": {"host": 1}}, "ARGUMENT_INVALID", "_meta.host"),
        ({"processes": {"a": 1}, "_meta": {"time": "soon"}}, "ARGUMENT_INVALID", "_meta.time"),
        ({"processes": {"a": 1}, "_meta": {"time": True}}, "ARGUMENT_INVALID", "_meta.time"),
        ({"processes": {"a": 1}, "_meta": {"time": "nan"}}, "TIME_INVALID", "_meta.time"),
        ({"processes": {"a": 1}, "_meta": {"time": 1e300}}, "TIME_INVALID", "_meta.time"),
        ({"processes": {"a": 1}, "_meta": {"time": -1}}, "TIME_INVALID", "_meta.time"),
        ([], "ARGUMENT_INVALID", None),
        (7, "ARGUMENT_INVALID", None),
    ],
)
def test_bad_tasks(sqlite_server: Server, body: Any, code: str, field: str | None) -> None:
    """An invalid task is refused with 400 and the field, and not created."""
    answer = sqlite_server.rest("POST", "/bad", body)
    assert answer.status_code == 400
    assert answer.json()["created"] is False
    assert rest_errors(answer) == [(code, field)]
    assert sqlite_server.rest("GET", "/bad").status_code == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "PAGE_SIZE_INVALID"),
        ("limit=101", "PAGE_SIZE_INVALID"),
        ("limit=-1", "PAGE_SIZE_INVALID"),
        ("limit=many", "PAGE_SIZE_INVALID"),
        ("limit=%C2%B2", "PAGE_SIZE_INVALID"),
        ("after=t3", "CURSOR_INVALID"),
        ("after=", "CURSOR_INVALID"),
        ("&".join(["tag=x"] * 101), "ARGUMENT_INVALID"),
    ],
)
def test_bad_pages(sqlite_server: Server, query: str, code: str) -> None:
    """An invalid page is refused with 400."""
    answer = sqlite_server.rest("GET", f"?{query}")
    assert (answer.status_code, rest_errors(answer)) == (400, [(code, None)])


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        ("/x/a/event", {"eventClass": "BEAT"}, 404, "TASK_NOT_FOUND", "task"),
        ("/t/x/event", {"eventClass": "BEAT"}, 404, "PROCESS_NOT_FOUND", "process"),
        ("/t/a/event", {"eventClass": "BEAT"}, 400, "INDEX_REQUIRED", "arrayIndex"),
        ("/t/a/event?arrayIndex=", {"eventClass": "BEAT"}, 400, "ARGUMENT_INVALID", "arrayIndex"),
        ("/t/a/event?arrayIndex=x", {"eventClass": "BEAT"}, 400, "ARGUMENT_INVALID", "arrayIndex"),
        ("/t/a/event?arrayIndex=-1", {"eventClass": "BEAT"}, 400, "ARGUMENT_INVALID", "arrayIndex"),
        (
            "/t/a/event?arrayIndex=3",
            {"eventClass": "BEAT"},
            400,
            "INDEX_OUT_OF_RANGE",
            "arrayIndex",
        ),
        (
            "/t/a/event",
            {"eventClass": "BEAT", "arrayIndex": 2**64 - 1},
            400,
            "INDEX_OUT_OF_RANGE",
            "arrayIndex",
        ),
        (
            "/t/a/event",
            {"eventClass": "BEAT", "arrayIndex": 1.0},
            400,
            "ARGUMENT_INVALID",
            "arrayIndex",
        ),
        ("/t/s/event?arrayIndex=0", {"eventClass": "BEAT"}, 400, "INDEX_FORBIDDEN", "arrayIndex"),
        (
            "/t/s/event",
            {"eventClass": "BEAT", "arrayIndex": 0},
            400,
            "INDEX_FORBIDDEN",
            "arrayIndex",
        ),
        ("/t/s/event", {}, 400, "ARGUMENT_INVALID", "eventClass"),
        ("/t/s/event", {"eventClass": "beat"}, 400, "ARGUMENT_INVALID", "eventClass"),
        ("/t/s/event", {"eventClass": ["BEAT"]}, 400, "ARGUMENT_INVALID", "eventClass"),
        ("/t/s/event", {"eventClass": "BEAT", "progress": -1}, 400, "PROGRESS_INVALID", "progress"),
        (
            "/t/s/event",
            {"eventClass": "BEAT", "progress": "much"},
            400,
            "ARGUMENT_INVALID",
            "progress",
        ),
        (
            "/t/s/event",
            {"eventClass": "BEAT", "progress": True},
            400,
            "ARGUMENT_INVALID",
            "progress",
        ),
        ("/t/s/event", {"eventClass": "BEAT", "id": "7"}, 400, "ARGUMENT_INVALID", "id"),
        ("/t/s/event", {"eventClass": "BEAT", "id": 7}, 400, "ARGUMENT_INVALID", "id"),
        ("/t/s/event", {"eventClass": "BEAT", "sentAt": "x"}, 400, "ARGUMENT_INVALID", "sentAt"),
        ("/t/s/event", {"eventClass": "BEAT", "sentAt": 9e9}, 400, "TIME_INVALID", "sentAt"),
        (
            "/t/s/event",
            {"eventClass": "BEAT", "_meta": {"time": []}},
            400,
            "ARGUMENT_INVALID",
            "_meta.time",
        ),
        (
            "/t/s/event",
            {"eventClass": "BEAT", "payload": "x" * 70_000},
            413,
            "PAYLOAD_TOO_LARGE",
            "payload",
        ),
        ("/t/s/event", "BEAT", 400, "ARGUMENT_INVALID", None),
        ("/t/s/event", 1, 400, "ARGUMENT_INVALID", None),
    ],
)
def test_bad_events(
    refusing: Server, path: str, body: Any, status: int, code: str, field: str | None
) -> None:
    """An invalid event is refused with a reason, and nothing is stored."""
    answer = refusing.rest("POST", path, body)
    assert (answer.status_code, answer.json()["created"]) == (status, False)
    assert rest_errors(answer) == [(code, field)]


def test_an_unknown_class_is_answered_with_those_there_are(refusing: Server) -> None:
    """The reason lists the valid classes, or the valid range of indices."""
    answer = refusing.rest("POST", "/t/s/event", {"eventClass": "KAPUTT"})
    assert answer.status_code == 400
    assert ", ".join(CLASSES) in answer.json()["errors"][0]["reason"]
    answer = refusing.rest("POST", "/t/a/event?arrayIndex=3", {"eventClass": "BEAT"})
    assert "0 to 2" in answer.json()["errors"][0]["reason"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", "GET, POST, PUT, DELETE"),
        ("/t", "GET, POST, PUT, DELETE"),
        ("/t/a", "GET, PATCH"),
        ("/t/@all", "GET"),
        ("/t/a/event", "GET, POST"),
    ],
)
def test_methods(sqlite_server: Server, path: str, allowed: str) -> None:
    """Any other method is answered 405 with Allow."""
    for method in {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - set(allowed.split(", ")):
        answer = sqlite_server.rest(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
        assert rest_errors(answer) == [("METHOD_NOT_ALLOWED", None)]
    assert sqlite_server.rest("HEAD", "").status_code == 200


@pytest.mark.parametrize("path", ["/t/a/event/3", "/t/a/b", "//t//a/b"])
def test_unknown_paths(sqlite_server: Server, path: str) -> None:
    """An unknown path is answered 404 in the same format."""
    answer = sqlite_server.rest("GET", path)
    assert (answer.status_code, rest_errors(answer)) == (404, [("NOT_FOUND", None)])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"eventClass=BEAT",
        b"\xff\xfe",
        b'{"eventClass": "\xff"}',
        b'{"eventClass": "\\ud800"}',
        b'{"eventClass": "BEAT", "progress": NaN}',
        b'{"eventClass": "BEAT", "progress": 1e999}',
        b"[" * 100_000,
        b'{"eventClass": "BEAT", "payload": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'"' + b"x" * 20 + b'"',
        b"null",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/t/s/event"), ("PATCH", "/t/s"), ("POST", "/n"), ("POST", ""), ("PUT", "/t")],
)
def test_random_bodies_are_refused(refusing: Server, method: str, path: str, body: bytes) -> None:
    """Random bodies are answered 400 with a reason."""
    if method == "PUT" and b"payload" in body:
        return  # an object without a field that can be edited: that is an edit of nothing
    answer = refusing.rest(method, path, content=body)
    assert answer.status_code == 400, answer.text
    assert len(rest_errors(answer)) == 1


def test_bodies_that_are_too_large(sqlite_server: Server) -> None:
    """A body above the limit is answered 413, by every method."""
    body = json.dumps({"eventClass": "x" * 17_000_000}).encode()
    for method, path in (("POST", "/t/s/event"), ("DELETE", ""), ("PUT", "/t")):
        answer = sqlite_server.rest(method, path, content=body)
        assert (answer.status_code, rest_errors(answer)) == (413, [("REQUEST_TOO_LARGE", None)])


async def test_unexpected_errors_are_masked(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error is logged with an incident id, and the client gets only that id."""

    async def broken(_call: RestRequest) -> RestResponse:
        raise ZeroDivisionError("a secret")

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        budget = AnswerBudget(1_000, 1_000, AnswerMemory(1_000), Turns())
        anybody = SimpleNamespace(credential=lambda _: None, principal=lambda _: ANYONE)
        services = SimpleNamespace(
            answer_budget=lambda: budget,
            authentication=anybody,
            rates=RateLimits(load()),
            database=SimpleNamespace(sources=SimpleNamespace(replicas=[])),
        )
        request = RestRequest(scope | {"state": {"services": services}}, receive, "t", "")
        await Endpoint("/", POST=broken).serve(request, send)

    transport = httpx.ASGITransport(with_state)
    with caplog.at_level(logging.ERROR):
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.post("/api/v0/t")
    assert (answer.status_code, answer.json()["created"]) == (500, False)
    assert rest_errors(answer) == [("INTERNAL", None)]
    assert "secret" not in answer.text
    incident = answer.json()["errors"][0]["details"]["incident"]
    assert re.search(rf"incident {incident} at POST /api/v0/t\b.*a secret", caplog.text, re.DOTALL)
