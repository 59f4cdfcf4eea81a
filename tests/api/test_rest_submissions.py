"""Events of many jobs by REST, in one request: lists and lines."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest

from tests.support.harness import Server, StartServer, rest_errors

CREATED = {"created": True, "enough": False}
LINES = "application/x-ndjson"


def send_lines(server: Server, *lines: Any, **headers: str) -> httpx.Response:
    """Send lines: text as it is, everything else as JSON."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return server.post(
        "/api/v0/events",
        content="\n".join(texts).encode(),
        headers={"content-type": LINES, **headers},
    )


def read_lines(answer: httpx.Response) -> list[Any]:
    """The entries of an answer of lines."""
    assert answer.headers["content-type"] == LINES
    assert answer.text.endswith("\n")
    return [json.loads(line) for line in answer.text.splitlines()]


def event(process: str = "s", index: int | None = None, **fields: Any) -> dict[str, Any]:
    """An event of task ``t``."""
    named = {"task": "t", "process": process, "eventClass": "BEAT", **fields}
    return named if index is None else named | {"index": index}


def create(server: Server) -> None:
    """Two tasks."""
    server.create(
        "t",
        {"name": "a", "jobCount": 3},
        {"name": "s"},
        {"name": "w", "jobCount": 2, "threshold": 1},
    )
    server.create("u", {"name": "s"})


def test_lines_and_lists_are_stored_alike(server: Server) -> None:
    """Each event has its answer, in order: new ones, duplicates, refused ones, enough."""
    create(server)
    known = str(uuid.uuid4())
    events = [
        event("a", 1, uuid=known, attempt=1, progress=50, payload={"x": 1}, hostname="n1"),
        event("a", 1, uuid=known),
        event("a", 0, uuid=known),
        event("a", 7),
        event("w", 0, eventClass="DONE", sentAt="2026-01-02T03:04:05Z"),
        {"task": "u", "process": "s", "eventClass": "STARTED"},
        {"task": "none", "process": "s", "eventClass": "STARTED"},
    ]
    expected = [
        CREATED,
        CREATED | {"duplicate": True},
        "EVENT_ID_TAKEN",
        "INDEX_OUT_OF_RANGE",
        {"created": True, "enough": True},
        CREATED,
        "TASK_NOT_FOUND",
    ]
    answer = send_lines(server, *events, "")
    assert answer.status_code == 201
    check(read_lines(answer), expected)
    stored = server.rest("GET", "/t/a/event").json()
    assert [(e["id"], e["progress"], e["payload"], e["hostname"]) for e in stored] == [
        (known, 50.0, {"x": 1}, "n1")
    ]
    assert server.rest("GET", "/t/w/event").json()[0]["sentAt"] == "2026-01-02T03:04:05+00:00"
    again = server.rest("POST", "/events", events)
    expected[0] = CREATED | {"duplicate": True}
    assert (again.status_code, again.headers["content-type"]) == (201, "application/json")
    check(again.json(), expected)
    server.check_counters()


def test_a_large_request_is_stored_whatever_is_stored_of_it(server: Server) -> None:
    """Old events anywhere in it change nothing, and the new ones are stored."""
    server.create("t", {"name": "a", "jobCount": 400})
    events = [event("a", n % 400, uuid=str(uuid.uuid4()), batchId="1") for n in range(1_000)]
    old = [events[n] for n in (3, 400, 401, 740, 999)]
    assert send_lines(server, *old).status_code == 201
    events[600] = events[600] | {"uuid": old[0]["uuid"]}
    answer = send_lines(server, *events)
    expected: list[Any] = [CREATED] * 1_000
    for each in old:
        expected[events.index(each)] = CREATED | {"duplicate": True}
    expected[600] = "EVENT_ID_TAKEN"
    check(read_lines(answer), expected)
    server.check_counters()
    assert server.graphql('{ task(name: "t") { events(last: 1) { totalCount } } }') == {
        "task": {"events": {"totalCount": 999}}
    }


def check(entries: list[Any], expected: list[Any]) -> None:
    """Compare with expected entries, or with the codes of their errors."""
    found = [each if each["created"] else each["errors"][0]["details"]["code"] for each in entries]
    assert found == expected


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        (5, "ARGUMENT_INVALID", None),
        (event(task=5), "ARGUMENT_INVALID", "task"),
        ({"task": "t", "eventClass": "BEAT"}, "ARGUMENT_INVALID", "process"),
        (event(eventClass="beat"), "ARGUMENT_INVALID", "eventClass"),
        (event("a") | {"index": 1.5}, "ARGUMENT_INVALID", "index"),
        (event("a"), "INDEX_REQUIRED", "index"),
        (event(uuid="x"), "ARGUMENT_INVALID", "uuid"),
        (event(uuid=str(uuid.uuid4()), id=str(uuid.uuid4())), "ARGUMENT_INVALID", "id"),
        (event(attempt="1"), "ARGUMENT_INVALID", "attempt"),
        (event(attempt=-1), "ATTEMPT_INVALID", "attempt"),
        (event(progress=-1), "PROGRESS_INVALID", "progress"),
        (event(sentAt="soon"), "ARGUMENT_INVALID", "sentAt"),
        (event(sentAt="1960-01-01T00:00:00Z"), "TIME_INVALID", "sentAt"),
        (event(hostname="h" * 9_000), "TEXT_INVALID", "hostname"),
    ],
)
def test_an_invalid_event_is_refused_alone(
    sqlite_server: Server, wrong: Any, code: str, field: str | None
) -> None:
    """Its entry names the error and the field, as the request has it; the others are stored."""
    create(sqlite_server)
    answer = send_lines(sqlite_server, event(), wrong, event("a", 2))
    first, refused, last = read_lines(answer)
    assert (answer.status_code, first, last) == (201, CREATED, CREATED)
    assert refused["created"] is False
    details = refused["errors"][0]["details"]
    assert (details["code"], details.get("field")) == (code, field)
    alone = sqlite_server.rest("POST", "/events", [wrong])
    assert (alone.status_code, alone.json()) == (400, [refused])


def test_values_in_another_form_are_accepted(sqlite_server: Server) -> None:
    """Unknown keys are ignored; a time may be a number, a UUID in capital letters."""
    create(sqlite_server)
    given = event(sentAt=1764000000.5, uuid="0198F6A2-0000-7000-8000-000000000001", more=1)
    assert sqlite_server.rest("POST", "/events", [given]).json() == [CREATED]
    (stored,) = sqlite_server.rest("GET", "/t/s/event").json()
    assert stored["id"] == "0198f6a2-0000-7000-8000-000000000001"
    assert stored["sentAt"] == "2025-11-24T16:00:00.500000+00:00"


def test_a_request_that_is_wrong_as_a_whole_stores_nothing(
    start_server: StartServer, sqlite_url: str
) -> None:
    """A line that is no JSON, two values in a line, too many events; nothing at all is no error."""
    server = start_server(sqlite_url, max_events_per_request=3)
    create(server)
    for line in ("{", "{},{}", "nul", "\xff"):
        answer = send_lines(server, event(), "", line)
        assert answer.status_code == 400
        assert rest_errors(answer) == [("BAD_REQUEST", None)]
        assert "Line 3 is not valid JSON" in answer.text
    many = [event()] * 4
    for answer in (send_lines(server, *many), server.rest("POST", "/events", many)):
        assert answer.status_code == 400
        assert rest_errors(answer) == [("TOO_MANY", "events")]
    assert server.rest("GET", "/t/s/event").json() == []
    empty = send_lines(server)
    assert (empty.status_code, empty.text) == (201, "")
    assert server.rest("POST", "/events", []).json() == []


def test_a_task_may_have_the_name_of_the_address(sqlite_server: Server) -> None:
    """A task “events” is created, read, changed and deleted as before."""
    server = sqlite_server
    assert server.rest("POST", "/events", {"processes": {"p": None}}).status_code == 201
    assert server.rest("POST", "/events", {"processes": {"p": None}}).status_code == 409
    assert server.rest("GET", "/events").json()["name"] == "events"
    assert server.rest("PUT", "/events", {"comment": "c"}).json() == {"updated": 1}
    assert server.rest("POST", "/events/p/event", {"eventClass": "BEAT"}).json() == CREATED
    assert server.rest("DELETE", "/events").json() == {"deleted": 1}


def test_web_pages_may_send_lines(sqlite_server: Server) -> None:
    """They must declare them, as they must declare JSON."""
    create(sqlite_server)
    origin = {"origin": sqlite_server.url}
    assert send_lines(sqlite_server, event(), **origin).status_code == 201
    refused = send_lines(sqlite_server, event(), **origin, **{"content-type": "text/plain"})
    assert refused.status_code == 415
