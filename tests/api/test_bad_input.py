"""Tables of bad input: each is refused with its code, and nothing is changed."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from lamia_gql.domain.pagination import encode_opaque
from lamia_gql.domain.settings import load
from lamia_gql.storage.base import Base
from lamia_gql.storage.engine import create_engine
from tests.support.harness import Server, StartServer

ARRAY = {"name": "array", "jobCount": 10, "firstIndex": 1}
EVENT = {"task": "night", "process": "array", "index": 1, "eventClass": "BEAT"}
TASK = {"name": "other", "processes": [{"name": "alone"}]}
LONG = "x" * 201


def ahead(**span: float) -> str:
    """An ISO time that far in the future."""
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


def array(**changes: Any) -> dict[str, Any]:
    """A task whose array has these fields changed."""
    return TASK | {"processes": [{"name": "a", "jobCount": 10} | changes]}


EVENTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown task": ({"task": "nobody"}, "TASK_NOT_FOUND", "task"),
    "task with a zero byte": ({"task": "a\0b"}, "TASK_NOT_FOUND", "task"),
    "unknown process": ({"process": "nobody"}, "PROCESS_NOT_FOUND", "process"),
    "index too small": ({"index": 0}, "INDEX_OUT_OF_RANGE", "index"),
    "index too large": ({"index": 11}, "INDEX_OUT_OF_RANGE", "index"),
    "index negative": ({"index": -1}, "INDEX_OUT_OF_RANGE", "index"),
    "index missing": ({"index": None}, "INDEX_REQUIRED", "index"),
    "index superfluous": ({"process": "alone"}, "INDEX_FORBIDDEN", "index"),
    "progress negative": ({"progress": -0.1}, "PROGRESS_INVALID", "progress"),
    "progress too large": ({"progress": 1e19}, "PROGRESS_INVALID", "progress"),
    "attempt negative": ({"attempt": -1}, "ATTEMPT_INVALID", "attempt"),
    "payload too large": ({"payload": "x" * 65_536}, "PAYLOAD_TOO_LARGE", "payload"),
    "host too long": ({"hostname": "h" * 5000}, "TEXT_INVALID", "hostname"),
    "host with a zero byte": ({"hostname": "a\0"}, "TEXT_INVALID", "hostname"),
    "sent years ahead": ({"sentAt": ahead(days=800)}, "TIME_INVALID", "sentAt"),
    "two UUIDs": ({"uuid": str(uuid.uuid4()), "id": str(uuid.uuid4())}, "ARGUMENT_INVALID", "id"),
    "sent before time": ({"sentAt": "1969-01-01T00:00:00Z"}, "TIME_INVALID", "sentAt"),
    "sent before the calendar": (
        {"sentAt": "0001-01-01T00:00:00+10:00"},
        "TIME_INVALID",
        "sentAt",
    ),
}
TASKS: dict[str, tuple[dict[str, Any], str, str]] = {
    "empty name": (TASK | {"name": ""}, "NAME_INVALID", "name"),
    "long name": (TASK | {"name": LONG}, "NAME_INVALID", "name"),
    "name with a slash": (TASK | {"name": "a/b"}, "NAME_INVALID", "name"),
    "name of dots": (TASK | {"name": ".."}, "NAME_INVALID", "name"),
    "name with a line break": (TASK | {"name": "a\nb"}, "NAME_INVALID", "name"),
    "taken name": (TASK | {"name": "night"}, "NAME_TAKEN", "name"),
    "no processes": (TASK | {"processes": []}, "NO_PROCESSES", "processes"),
    "empty process name": (array(name=""), "NAME_INVALID", "processes.0.name"),
    "long process name": (array(name=LONG), "NAME_INVALID", "processes.0.name"),
    "two of one name": (
        TASK | {"processes": [{"name": "a"}, {"name": "a", "jobCount": 2}]},
        "NAME_TAKEN",
        "processes.1.name",
    ),
    "too many processes": (
        TASK | {"processes": [{"name": f"p{n}"} for n in range(1001)]},
        "TOO_MANY",
        "processes",
    ),
    "no jobs": (array(jobCount=0), "JOB_COUNT_INVALID", "processes.0.jobCount"),
    "too many jobs": (array(jobCount=1_000_001), "JOB_COUNT_INVALID", "processes.0.jobCount"),
    "tolerance beyond jobs": (
        array(failureTolerance=11),
        "FAILURE_TOLERANCE_INVALID",
        "processes.0.failureTolerance",
    ),
    "tolerance of a solitary": (
        TASK | {"processes": [{"name": "a", "failureTolerance": 1}]},
        "FAILURE_TOLERANCE_INVALID",
        "processes.0.failureTolerance",
    ),
    "first index negative": (
        array(firstIndex=-1),
        "FIRST_INDEX_INVALID",
        "processes.0.firstIndex",
    ),
    "first index too large": (
        array(firstIndex=2**31 - 5),
        "FIRST_INDEX_INVALID",
        "processes.0.firstIndex",
    ),
    "threshold zero": (array(threshold=0), "THRESHOLD_INVALID", "processes.0.threshold"),
    # Progress is counted in billionths, and its ratio to such a number is beyond all numbers.
    "threshold tiny": (array(threshold=5e-324), "THRESHOLD_INVALID", "processes.0.threshold"),
    "beat interval negative": (
        array(beatInterval=-60),
        "BEAT_INTERVAL_INVALID",
        "processes.0.beatInterval",
    ),
    "empty tag": (TASK | {"tags": ["good", ""]}, "NAME_INVALID", "tags.1"),
    "too many tags": (TASK | {"tags": [f"t{n}" for n in range(101)]}, "TOO_MANY", "tags"),
    # It is in an index, which PostgreSQL bounds far below a comment.
    "user too long": (TASK | {"username": LONG}, "TEXT_INVALID", "username"),
    "comment too long": (TASK | {"comment": "c" * 5000}, "TEXT_INVALID", "comment"),
    "config too large": (TASK | {"config": "c" * 2**20}, "JSON_INVALID", "config"),
    "submitted years ahead": (
        TASK | {"submittedAt": ahead(days=800)},
        "TIME_INVALID",
        "submittedAt",
    ),
}
QUERIES: dict[str, tuple[str, str]] = {
    "no page size for tasks": ("{ tasks { nodes { name } } }", "PAGE_SIZE_REQUIRED"),
    "page too large": ("{ tasks(first: 101) { nodes { name } } }", "PAGE_SIZE_INVALID"),
    "negative page": ("{ tasks(first: -1) { nodes { name } } }", "PAGE_SIZE_INVALID"),
    "two page sizes": ("{ tasks(first: 1, last: 1) { nodes { name } } }", "PAGE_SIZE_INVALID"),
    "malformed cursor": ('{ tasks(first: 1, after: "x") { nodes { name } } }', "CURSOR_INVALID"),
    "cursor of another list": (
        '{ task(name: "night") { events(first: 1, after: "WyJqIiwxXQ") { nodes { id } } } }',
        "CURSOR_INVALID",
    ),
    "no page size for events": (
        '{ task(name: "night") { events { nodes { id } } } }',
        "PAGE_SIZE_REQUIRED",
    ),
    "no page size for jobs": (
        '{ process(task: "night", name: "array") { ... on JobArray { jobs { nodes { id } } } } }',
        "PAGE_SIZE_REQUIRED",
    ),
    "malformed id": ('{ node(id: "nonsense") { id } }', "ID_INVALID"),
    "id of another kind": ('{ node(id: "WyJVc2VyIiwxXQ") { id } }', "ID_INVALID"),
    "id with too large a key": (
        '{ node(id: "WyJUYXNrIiwxMDAwMDAwMDAwMDAwMDAwMDAwMDAwXQ") { id } }',
        "ID_INVALID",
    ),
    "job of an array without index": (
        '{ job(task: "night", process: "array") { id } }',
        "INDEX_REQUIRED",
    ),
    "job of a solitary with index": (
        '{ job(task: "night", process: "alone", index: 0) { id } }',
        "INDEX_FORBIDDEN",
    ),
    "too many points": (
        '{ task(name: "night") { timeline(points: 1000) { at } } }',
        "PAGE_SIZE_INVALID",
    ),
    "too many choices": (
        "{ tasks(first: 1, filter: {names: [%s]}) { nodes { name } } }" % ('"a" ' * 101),
        "ARGUMENT_INVALID",
    ),
    "too long a pattern": (
        '{ tasks(first: 1, filter: {names: ["PATTERN"]}) { nodes { name } } }'.replace(
            "PATTERN", "*" * 5000
        ),
        "ARGUMENT_INVALID",
    ),
    "too long a text": (
        '{ tasks(first: 1, filter: {text: "TEXT"}) { nodes { name } } }'.replace(
            "TEXT", "x" * 5000
        ),
        "ARGUMENT_INVALID",
    ),
}
REFUSED_BY_TYPE: dict[str, str] = {
    "unknown class": "eventClass: SLEPT",
    "no class": "",
    "progress as text": 'eventClass: BEAT, progress: "NaN"',
    "half a character": 'eventClass: BEAT, payload: "\\ud800"',
    "index as text": 'eventClass: BEAT, index: "1"',
    "index beyond 32 bits": "eventClass: BEAT, index: 4294967296",
    "UUID that is none": 'eventClass: BEAT, uuid: "1"',
    "id that is no UUID": 'eventClass: BEAT, id: "1"',
    "time that is none": 'eventClass: BEAT, sentAt: "yesterday"',
    "unknown field": "eventClass: BEAT, colour: 1",
}
LITERAL = """mutation { submitEvent(input: {task: "night", process: "alone", FIELDS}) {
  duplicate userErrors { code } } }"""


class FilledServer:
    """A server with a task, and its database to look into."""

    def __init__(self, server: Server, engine: Engine) -> None:
        self.server = server
        self._engine = engine

    def all_rows(self) -> dict[str, Any]:
        """All rows of all tables."""
        with self._engine.connect() as connection:
            return {
                name: sorted(connection.execute(select(table)).all(), key=repr)
                for name, table in Base.metadata.tables.items()
            }


@pytest.fixture
def filled(server: Server) -> Iterator[FilledServer]:
    """A server with a task, on either engine."""
    server.create("night", ARRAY, {"name": "alone"}, tags=["good"], comment="as it was")
    server.submit("night", "array", "STARTED", index=3)
    engine = create_engine(load(database_url=server.database_url))
    yield FilledServer(server, engine)
    engine.dispose()


def test_bad_events(filled: FilledServer) -> None:
    """A bad event is answered by code and field."""
    before = filled.all_rows()
    for what, (changes, code, field) in EVENTS.items():
        payload = filled.server.try_submit(**_as_arguments(EVENT | changes))
        errors = payload["userErrors"]
        assert [(e["code"], e["field"]) for e in errors] == [(code, field)], what
        assert len(errors[0]["message"]) > 10, what
        assert payload["event"] is None, what
    assert filled.all_rows() == before


def _as_arguments(event: dict[str, Any]) -> dict[str, Any]:
    return {"event_class" if name == "eventClass" else name: v for name, v in event.items()}


def test_bad_tasks(filled: FilledServer) -> None:
    """A bad task is answered by code and field, and nothing of it is made."""
    before = filled.all_rows()
    for what, (task, code, field) in TASKS.items():
        payload = filled.server.try_create(
            task["name"], *task["processes"], **_fields_beside_processes(task)
        )
        assert [(e["code"], e["field"]) for e in payload["userErrors"]] == [(code, field)], what
        assert payload["task"] is None, what
    assert filled.all_rows() == before


def _fields_beside_processes(task: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in task.items() if name not in ("name", "processes")}


def test_all_errors_are_reported_at_once(filled: FilledServer) -> None:
    """All errors of an input are reported at once."""
    payload = filled.server.try_create("", {"name": "", "jobCount": 0, "threshold": -1})
    assert [e["code"] for e in payload["userErrors"]] == [
        "NAME_INVALID",
        "NAME_INVALID",
        "JOB_COUNT_INVALID",
        "THRESHOLD_INVALID",
    ]


def test_bad_queries(filled: FilledServer) -> None:
    """A bad argument of a query is an error with a code."""
    for what, (query, code) in QUERIES.items():
        error = filled.server.graphql_error(query)
        assert error["extensions"]["code"] == code, what


def test_malformed_cursors_and_ids_are_refused(filled: FilledServer) -> None:
    """Whatever is passed as a cursor or an id, the answer is an error code, not a crash."""
    for inner in (b"", b"[]", b"[1]", b'["t"]', b'["t",null,1]', b"[" * 5000, b"\xff\xfe", b'"t"'):
        text = base64.urlsafe_b64encode(inner).decode().rstrip("=")
        query = "query($c: String!) { tasks(first: 1, after: $c) { nodes { id } } }"
        assert filled.server.graphql_error(query, c=text)["extensions"]["code"] == "CURSOR_INVALID"
        query = "query($c: ID!) { node(id: $c) { id } }"
        assert filled.server.graphql_error(query, c=text)["extensions"]["code"] == "ID_INVALID"


def test_cursors_with_extreme_values(filled: FilledServer) -> None:
    """A forged position that no row can have is refused; one that a row can have is accepted."""
    query = "query($c: String!) { tasks(first: 1, after: $c) { nodes { id } } }"
    for time in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        place = encode_opaque("tRECEIVED_ATDESC", time, 1)
        assert filled.server.graphql_error(query, c=place)["extensions"]["code"] == "CURSOR_INVALID"
    query = """query($c: String!) { process(task: "night", name: "array") { ... on JobArray {
      jobs(first: 1, after: $c, filter: {states: [PENDING, RUNNING]}) { nodes { id } } } } }"""
    for index in (-1, 2**31, 2**63 - 1):
        error = filled.server.graphql_error(query, c=encode_opaque("j", index))
        assert error["extensions"]["code"] == "CURSOR_INVALID"
    found = filled.server.graphql(query, c=encode_opaque("j", 2**31 - 1))
    assert found["process"]["jobs"]["nodes"] == []


def test_values_that_do_not_fit_the_schema(filled: FilledServer) -> None:
    """Values that do not fit the schema are refused before anything runs."""
    before = filled.all_rows()
    for what, fields in REFUSED_BY_TYPE.items():
        body = filled.server.request(LITERAL.replace("FIELDS", fields)).json()
        assert body["errors"], what
        assert body.get("data") is None, what
    infinite = filled.server.graphql(LITERAL.replace("FIELDS", "eventClass: BEAT, progress: 1e999"))
    assert infinite["submitEvent"]["userErrors"] == [{"code": "PROGRESS_INVALID"}]
    infinite = filled.server.graphql(
        LITERAL.replace("FIELDS", "eventClass: BEAT, payload: {a: [null, -1e999]}")
    )
    assert infinite["submitEvent"]["userErrors"] == [{"code": "JSON_INVALID"}]
    for value in ("NaN", "Infinity", "-Infinity", '"\\ud800"'):
        response = filled.server.post(
            "/graphql",
            content='{"query": "{ server { version } }", "variables": {"p": VALUE}}'.replace(
                "VALUE", value
            ),
            headers={"content-type": "application/json"},
        )
        assert response.status_code == 400, value
    assert filled.all_rows() == before


def test_bad_edits_and_deletions(filled: FilledServer) -> None:
    """Edits, additions and deletions of what is not there, or not allowed, change nothing."""
    before = filled.all_rows()
    table: list[tuple[str, dict[str, Any], list[str]]] = [
        ("updateTask", {"name": "nobody", "comment": "new"}, ["TASK_NOT_FOUND"]),
        ("updateTask", {"name": "night", "tags": [""]}, ["NAME_INVALID"]),
        ("updateTask", {"name": "night", "comment": "c" * 5000}, ["TEXT_INVALID"]),
        ("addProcesses", {"task": "nobody", "processes": [{"name": "x"}]}, ["TASK_NOT_FOUND"]),
        ("addProcesses", {"task": "night", "processes": []}, ["NO_PROCESSES"]),
        ("addProcesses", {"task": "night", "processes": [{"name": "alone"}]}, ["NAME_TAKEN"]),
        ("deleteTask", {"name": "nobody"}, ["TASK_NOT_FOUND"]),
        ("deleteTasks", {"names": ["n"] * 101}, ["TOO_MANY"]),
        (
            "createTasks",
            {"tasks": [TASK, TASK | {"name": "night"}]},
            ["NAME_TAKEN"],
        ),
    ]
    for name, given, codes in table:
        kind = f"{name[0].upper()}{name[1:]}Input!"
        answer = filled.server.graphql(
            f"mutation($input: {kind}) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}",
            input=given,
        )
        assert [error["code"] for error in answer[name]["userErrors"]] == codes, name
    assert filled.all_rows() == before


def test_an_event_id_belongs_to_one_job(filled: FilledServer) -> None:
    """The same event id from another job of the task is not taken for a duplicate."""
    mine = str(uuid.uuid4())
    filled.server.submit("night", "array", "BEAT", index=1, id=mine)
    again = filled.server.try_submit("night", "array", "BEAT", index=2, id=mine)
    assert [error["code"] for error in again["userErrors"]] == ["EVENT_ID_TAKEN"]


def test_too_many_events_in_one_request(filled: FilledServer) -> None:
    """A request with too many events is refused as a whole, with the limit."""
    before = filled.all_rows()
    answer = filled.server.graphql(
        """mutation($input: SubmitEventsInput!) { submitEvents(input: $input) {
          results { duplicate } userErrors { code field message } } }""",
        input={"events": [EVENT] * 1001},
    )["submitEvents"]
    assert [error["code"] for error in answer["userErrors"]] == ["TOO_MANY"]
    assert "1000" in answer["userErrors"][0]["message"]
    assert answer["results"] == []
    assert filled.all_rows() == before


def test_bounds_are_settings(start_server: StartServer, database_url: str) -> None:
    """The bounds of sizes and counts are settings."""
    server = start_server(database_url, max_payload_bytes=10, page_limit=2, max_job_count=5)
    server.create("t", {"name": "a", "jobCount": 5})
    refused = server.try_create("u", {"name": "a", "jobCount": 6})
    assert refused["userErrors"][0]["code"] == "JOB_COUNT_INVALID"
    server.submit("t", "a", "BEAT", index=0, payload="12345678")
    refused = server.try_submit("t", "a", "BEAT", index=0, payload="123456789")
    assert refused["userErrors"][0]["code"] == "PAYLOAD_TOO_LARGE"
    error = server.graphql_error("{ tasks(first: 3) { nodes { name } } }")
    assert "2" in error["message"]
