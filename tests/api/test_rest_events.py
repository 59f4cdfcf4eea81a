"""Processes and events by REST: every status and body."""

from __future__ import annotations

import uuid
from unittest.mock import ANY

import pytest

from tests.support.harness import Server, rest_errors

CREATED = {"created": True, "enough": False}


def submit(server: Server, path: str, *classes: str) -> None:
    """Append an event of each class, which must be accepted."""
    for event_class in classes:
        answer = server.rest("POST", path, {"eventClass": event_class})
        assert (answer.status_code, answer.json()) == (201, CREATED)


def test_an_event_is_kept_as_it_came(server: Server) -> None:
    """All fields of an event are shown, by REST and by GraphQL."""
    server.rest("POST", "/t", {"processes": {"a": 3}})
    event = {
        "eventClass": "PROGRESS",
        "id": "0198f6a2-0000-7000-8000-000000000001",
        "progress": 12.5,
        "payload": {"text": ["…", None]},
        "_meta": {"host": "node01", "time": "1764000000.5"},
        "exitCode": 134,
        "signal": "SIGABRT",
        "message": "std::bad_alloc",
        "batchId": "57.2",
        "usage": {"cpuSeconds": 4, "cpus": 2, "maxRssBytes": 5e9},
    }
    answer = server.rest("POST", "/t/a/event?arrayIndex=2", event)
    assert (answer.status_code, answer.json()) == (201, CREATED)
    (shown,) = server.rest("GET", "/t/a/event").json()
    received = shown.pop("recievedAt")
    assert shown == {
        "id": "0198f6a2-0000-7000-8000-000000000001",
        "eventClass": "PROGRESS",
        "sentAt": "2025-11-24T16:00:00.500000+00:00",
        "progress": 12.5,
        "payload": {"text": ["…", None]},
        "hostname": "node01",
        "clientIP": "127.0.0.1",
        "procNumInArray": 2,
        "exitCode": 134,
        "signal": "SIGABRT",
        "message": "std::bad_alloc",
        "batchId": "57.2",
        "usage": {"cpuSeconds": 4.0, "maxRssBytes": 5e9, "cpus": 2.0},
    }
    (same,) = server.graphql(
        """{ process(task: "t", name: "a") { events(first: 5) { nodes {
          uuid eventClass sentAt receivedAt progress payload hostname job { index }
          exitCode signal message batchId
          usage { cpuSeconds cpus maxRssBytes wallSeconds } } } } }"""
    )["process"]["events"]["nodes"]
    assert same == {
        "uuid": shown["id"],
        "eventClass": "PROGRESS",
        "sentAt": shown["sentAt"],
        "receivedAt": received,
        "progress": 12.5,
        "payload": shown["payload"],
        "hostname": "node01",
        "job": {"index": 2},
        "exitCode": 134,
        "signal": "SIGABRT",
        "message": "std::bad_alloc",
        "batchId": "57.2",
        "usage": {"cpuSeconds": 4.0, "cpus": 2.0, "maxRssBytes": 5e9, "wallSeconds": None},
    }
    # What is shown can be sent.
    copy = shown | {"id": "0198f6a2-0000-7000-8000-000000000002"}
    assert server.rest("POST", "/t/a/event?arrayIndex=2", copy).status_code == 201
    assert server.rest("GET", "/t/a/event").json()[1] == copy | {"recievedAt": ANY}


def test_events_by_rest_and_graphql_make_one_state(server: Server) -> None:
    """Events by REST and by GraphQL add up to one state, and both report `enough`."""
    server.create("t", {"name": "a", "jobCount": 4, "threshold": 2}, {"name": "b"})
    submit(server, "/t/a/event?arrayIndex=0", "STARTED", "DONE")
    assert server.submit("t", "a", "DONE", index=1)["enough"] is True
    answer = server.rest("POST", "/t/a/event?arrayIndex=2", {"eventClass": "BEAT"})
    assert (answer.status_code, answer.json()) == (201, {"created": True, "enough": True})

    process = server.rest("GET", "/t/a").json()
    assert process == {
        "name": "a",
        "task": "t",
        "type": "array",
        "nJobs": 4,
        "fTolerance": 0,
        "thresholdProgress": 2.0,
        "lastEventClass": "BEAT",
        "progress": 100.0,
        "state": "SUCCEEDED",
        "enough": True,
        "_links": {"events": "/api/v0/t/a/event"},
    }
    task = server.rest("GET", "/t").json()
    assert (task["state"], task["progress"]) == ("RUNNING", 80.0)
    assert task["processes"][0] == process
    submit(server, "/t/b/event", "DONE")
    assert server.rest("GET", "/t").json()["state"] == "SUCCEEDED"
    assert server.graphql('{ task(name: "t") { state } }')["task"]["state"] == "SUCCEEDED"
    server.check_counters()


def test_a_solitary_process(server: Server) -> None:
    """A solitary process needs no index, and has no progress at first; FINISHED means DONE."""
    server.create("t", {"name": "alone"})
    submit(server, "/t/alone/event", "STARTED")
    assert server.rest("GET", "/t/alone").json()["progress"] is None
    server.rest("POST", "/t/alone/event", {"eventClass": "PROGRESS", "progress": 40})
    assert server.rest("GET", "/t/alone").json()["progress"] == 40.0
    submit(server, "/t/alone/event", "FINISHED")
    process = server.rest("GET", "/t/alone").json()
    assert (process["lastEventClass"], process["state"]) == ("DONE", "SUCCEEDED")
    events = server.rest("GET", "/t/alone/event").json()
    assert [(e["eventClass"], e["procNumInArray"]) for e in events] == [
        ("STARTED", None),
        ("PROGRESS", None),
        ("DONE", None),
    ]


def test_patch_appends_too(server: Server) -> None:
    """PATCH of a process is the same as POST of its events, for one event and for many."""
    server.create("t", {"name": "a", "jobCount": 3})
    one = server.rest("PATCH", "/t/a?arrayIndex=1", {"eventClass": "STARTED"})
    assert (one.status_code, one.json()) == (201, CREATED)
    many = [{"eventClass": "DONE", "arrayIndex": 1}, {"eventClass": "STARTED", "arrayIndex": "2"}]
    answer = server.rest("PATCH", "/t/a", many)
    assert (answer.status_code, answer.json()) == (201, [CREATED, CREATED])
    events = server.rest("GET", "/t/a/event").json()
    assert [(e["eventClass"], e["procNumInArray"]) for e in events] == [
        ("STARTED", 1),
        ("DONE", 1),
        ("STARTED", 2),
    ]


def test_many_events_in_one_request(server: Server) -> None:
    """Each event has its own result, in order; a bad one does not affect the others."""
    server.create("t", {"name": "a", "jobCount": 2, "threshold": 1})
    events = [
        {"eventClass": "STARTED"},
        {"eventClass": "EXPLODED"},
        {"eventClass": "DONE", "arrayIndex": 1},
        {"eventClass": "BEAT", "arrayIndex": 2},
        7,
    ]
    answer = server.rest("POST", "/t/a/event?arrayIndex=0", events)
    assert answer.status_code == 201
    results = answer.json()
    assert [result["created"] for result in results] == [True, False, True, False, False]
    assert [result.get("enough") for result in results] == [True, None, True, None, None]
    codes = [e["details"]["code"] for result in results for e in result.get("errors", ())]
    assert codes == ["ARGUMENT_INVALID", "INDEX_OUT_OF_RANGE", "ARGUMENT_INVALID"]
    assert len(server.rest("GET", "/t/a/event").json()) == 2

    nothing = server.rest("POST", "/t/a/event", [])
    assert (nothing.status_code, nothing.json()) == (201, [])
    refused = server.rest("POST", "/t/a/event", [{"eventClass": "BEAT"}, {}])
    assert refused.status_code == 400
    assert [result["created"] for result in refused.json()] == [False, False]
    lost = server.rest("POST", "/t/b/event", [{"eventClass": "BEAT"}])
    assert (lost.status_code, rest_errors(lost)) == (404, [("PROCESS_NOT_FOUND", "process")])
    many = server.rest("POST", "/t/a/event", [{"eventClass": "BEAT"}] * 1001)
    assert (many.status_code, rest_errors(many)) == (400, [("TOO_MANY", "events")])


def test_order_within_a_request_counts(server: Server) -> None:
    """Events without times in one request count in their order."""
    server.create("t", {"name": "p"})
    story = ["STARTED", "FAILED", "STARTED", "DONE", "STARTED"]
    answer = server.rest("PATCH", "/t/p", [{"eventClass": word} for word in story])
    assert answer.json() == [CREATED] * 5
    process = server.rest("GET", "/t/p").json()
    assert (process["state"], process["lastEventClass"]) == ("RUNNING", "STARTED")


def test_the_same_event_again(server: Server) -> None:
    """A repeated event id is a duplicate; the id of another job's event is a conflict."""
    server.create("t", {"name": "a", "jobCount": 2})
    event = {"eventClass": "STARTED", "id": str(uuid.uuid4())}
    assert server.rest("POST", "/t/a/event?arrayIndex=0", event).json() == CREATED
    again = server.rest("POST", "/t/a/event?arrayIndex=0", event)
    assert (again.status_code, again.json()) == (201, CREATED | {"duplicate": True})
    other = server.rest("POST", "/t/a/event?arrayIndex=1", event)
    assert (other.status_code, rest_errors(other)) == (409, [("EVENT_ID_TAKEN", "id")])
    assert len(server.rest("GET", "/t/a/event").json()) == 1


def test_filtered_processes(server: Server) -> None:
    """@all lists the processes of this task alone, or those with an event of a class."""
    server.rest("POST", "/t", {"processes": {"a": 2, "b": None, "c": None}})
    server.rest("POST", "/u", {"processes": {"d": None}})
    submit(server, "/t/a/event?arrayIndex=0", "STARTED", "BEAT")
    submit(server, "/t/b/event", "DONE")
    submit(server, "/u/d/event", "STARTED")

    def found(query: str) -> list[str]:
        answer = server.rest("GET", f"/t/@all{query}")
        assert answer.status_code == 200
        return [process["name"] for process in answer.json()]

    assert found("") == ["a", "b", "c"]
    assert found("?hasEventsOfClass=STARTED") == ["a"]
    assert found("?hasEventsOfClass=FINISHED") == ["b"]
    assert found("?hasEventsOfClass=BEAT&hasEventsOfClass=DONE") == ["a", "b"]
    assert found("?hasEventsOfClass=FAILED") == []
    assert server.rest("GET", "/t/@all").json()[0] == server.rest("GET", "/t/a").json()

    bad = server.rest("GET", "/t/@all?hasEventsOfClass=X")
    assert (bad.status_code, rest_errors(bad)) == (400, [("ARGUMENT_INVALID", "hasEventsOfClass")])
    missing = server.rest("GET", "/x/@all")
    assert (missing.status_code, rest_errors(missing)) == (404, [("TASK_NOT_FOUND", "task")])


def test_pages_of_events(server: Server) -> None:
    """Oldest first; a Link header leads to the next page."""
    server.create("t", {"name": "a", "jobCount": 2}, {"name": "s"})
    for index in (0, 1):
        submit(server, f"/t/a/event?arrayIndex={index}", "SUBMITTED", "STARTED")
    first = server.rest("GET", "/t/a/event?limit=3")
    assert [e["procNumInArray"] for e in first.json()] == [0, 0, 1]
    submit(server, "/t/a/event?arrayIndex=0", "DONE")
    second = server.get(first.links["next"]["url"])
    assert [e["eventClass"] for e in second.json()] == ["STARTED", "DONE"]
    assert second.links == {}

    one = server.rest("GET", "/t/a/event?arrayIndex=0&limit=2")
    rest = server.get(one.links["next"]["url"])
    events = [*one.json(), *rest.json()]
    assert [e["eventClass"] for e in events] == ["SUBMITTED", "STARTED", "DONE"]

    for path, status, code in (
        ("/t/a/event?arrayIndex=2", 400, "INDEX_OUT_OF_RANGE"),
        ("/t/s/event?arrayIndex=0", 400, "INDEX_FORBIDDEN"),
        ("/t/a/event?arrayIndex=x", 400, "ARGUMENT_INVALID"),
        ("/t/a/event?limit=1000", 400, "PAGE_SIZE_INVALID"),
        ("/t/a/event?after=1", 400, "CURSOR_INVALID"),
        ("/t/x/event", 404, "PROCESS_NOT_FOUND"),
        ("/t/x", 404, "PROCESS_NOT_FOUND"),
        ("/x/a/event", 404, "TASK_NOT_FOUND"),
        ("/x/a", 404, "TASK_NOT_FOUND"),
    ):
        answer = server.rest("GET", path)
        assert (answer.status_code, rest_errors(answer)[0][0]) == (status, code), path


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_any_content_type_is_read_as_json(sqlite_server: Server, content_type: str) -> None:
    """The Content-Type of a request is ignored: bodies are JSON."""
    sqlite_server.create("t", {"name": "s"})
    answer = sqlite_server.rest(
        "POST", "/t/s/event", {"eventClass": "BEAT"}, headers={"content-type": content_type}
    )
    assert (answer.status_code, answer.json()) == (201, CREATED)
    assert answer.headers["content-type"] == "application/json"
