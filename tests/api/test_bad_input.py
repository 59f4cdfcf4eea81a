"""Tables of bad input: each is refused with its code, and nothing is changed."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select

from lamia_gql.domain.pagination import encode_opaque
from lamia_gql.domain.settings import load
from lamia_gql.storage.base import Base
from lamia_gql.storage.engine import create_engine
from tests.support.bad_values import (
    ARRAY,
    EVENT,
    EVENTS,
    LITERAL,
    QUERIES,
    REFUSED_BY_TYPE,
    TASK,
    TASKS,
)
from tests.support.harness import Server, StartServer


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
