"""Cursors and ids that this server, or this list, never issued: a code, and never an accident."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamia_gql.domain.pagination import encode_opaque
from tests.support.harness import Server, rest_errors

EVENTS = "events(first: 10, after: $after, before: $before) { nodes { uuid } edges { cursor } }"
LISTS = {
    "task": 'task(name: "t") { ' + EVENTS + " }",
    "process": 'process(task: "t", name: "a") { ' + EVENTS + " }",
    "job": 'job(task: "t", process: "a", index: 0) { ' + EVENTS + " }",
}
DELETE = 'mutation { deleteTask(input: {name: "t"}) { deletedId } }'


def read(server: Server, within: str, **cursors: str) -> Any:
    """The answer to one of the lists of events."""
    query = f"query($after: String, $before: String) {{ {within} }}"
    return server.request(query, cursors).json()


def create(server: Server, events: int) -> None:
    """A task with an array, of which job 0 has so many events."""
    server.create("t", {"name": "a", "jobCount": 3})
    for _ in range(events):
        server.submit("t", "a", "BEAT", index=0)


@pytest.mark.parametrize("within", LISTS.values(), ids=LISTS)
def test_cursor_of_an_earlier_task_of_the_same_name(server: Server, within: str) -> None:
    """It marks a place among other events: to take it for a place among these would lose some."""
    create(server, 3)
    (found,) = read(server, within)["data"].values()
    old = [edge["cursor"] for edge in found["events"]["edges"]]
    (rest,) = read(server, within, after=old[0])["data"].values()
    assert [edge["cursor"] for edge in rest["events"]["edges"]] == old[1:]
    server.graphql(DELETE)
    create(server, 5)
    for cursors in ({"after": old[1]}, {"before": old[1]}):
        answer = read(server, within, **cursors)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["CURSOR_INVALID"]
    (found,) = read(server, within)["data"].values()
    assert not set(old) & {edge["cursor"] for edge in found["events"]["edges"]}


def test_address_of_the_next_page_of_an_earlier_task(server: Server) -> None:
    """By REST it is the same: the address of the next page leads on in its own task only."""
    create(server, 3)
    answer = server.rest("GET", "/t/a/event?limit=2")
    following = answer.headers["link"].partition("<")[2].partition(">")[0]
    page = server.get(following)
    assert (page.status_code, len(page.json())) == (200, 1)
    server.graphql(DELETE)
    create(server, 5)
    page = server.get(following)
    assert (page.status_code, rest_errors(page)) == (400, [("CURSOR_INVALID", None)])
    # A cursor is as good in another list of events of the same task.
    (cursor,) = [edge["cursor"] for edge in events_of_task(server)[3:4]]
    page = server.rest("GET", f"/t/a/event?{urlencode({'after': cursor})}")
    assert (page.status_code, len(page.json())) == (200, 1)


def events_of_task(server: Server) -> Any:
    """The edges of the events of the task."""
    return read(server, LISTS["task"])["data"]["task"]["events"]["edges"]


def test_cursor_that_does_not_say_its_task(server: Server) -> None:
    """As earlier versions issued them: nobody knows which task they are of."""
    create(server, 3)
    for within in LISTS.values():
        answer = read(server, within, after=encode_opaque("e", 1))
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["CURSOR_INVALID"]
    page = server.rest("GET", f"/t/a/event?{urlencode({'after': encode_opaque('e', 1)})}")
    assert rest_errors(page) == [("CURSOR_INVALID", None)]


INTEGERS = st.one_of(
    st.integers(-2, 5),
    st.sampled_from([2**bits + step for bits in (31, 32, 53, 63, 64) for step in (-1, 0)]),
    st.sampled_from([-(2**bits) + step for bits in (31, 63) for step in (-1, 0)]),
)
TIMES = st.sampled_from(
    ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00", "2026-11-24T00:00:00"]
) | st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat())
PARTS = (
    INTEGERS
    | TIMES
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
ORDERS = [
    (field, direction)
    for field in ("NAME", "RECEIVED_AT", "SUBMITTED_AT", "LAST_EVENT_AT", "FINISHED_AT")
    for direction in ("ASC", "DESC")
]
KINDS = ["e", "p", "j", "Task", "Process", "Job", "Event", *(f"t{f}{d}" for f, d in ORDERS)]


def encode(parts: list[Any]) -> str:
    """A forged cursor or id; JSON has integers of any size, and ours are written by hand."""
    text = json.dumps(parts, ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


FORGED = st.builds(
    lambda kind, parts: encode([kind, *parts]), st.sampled_from(KINDS), st.lists(PARTS, max_size=3)
) | st.text(max_size=30)
# Each list below a field that may be null: an error in one does not hide those in the others.
ANY_LIST = """query($c: String!, $id: ID!, $field: TaskOrderField!, $direction: Direction!) {
  tasks(first: 1, SIDE: $c, orderBy: {field: $field, direction: $direction}) { nodes { id } }
  a: task(name: "t") { processes(first: 1, after: $c) { nodes { id } } }
  b: task(name: "t") { processes(first: 1, before: $c) { nodes { id } } }
  c: task(name: "t") { events(first: 1, after: $c) { nodes { id } } }
  d: task(name: "t") { events(first: 1, before: $c) { nodes { id } } }
  e: process(task: "t", name: "a") { events(first: 1, after: $c) { nodes { id } } }
  f: job(task: "t", process: "a", index: 0) { events(first: 1, after: $c) { nodes { id } } }
  g: process(task: "t", name: "a") { ...jobs }
  h: process(task: "t", name: "a") { ...some }
  i: process(task: "t", name: "a") { ...lost }
  node(id: $id) { id }
}
fragment jobs on JobArray { jobs(first: 1, after: $c) { nodes { id } } }
fragment some on JobArray {
  jobs(first: 1, after: $c, filter: {states: [PENDING, RUNNING]}) { nodes { id } } }
fragment lost on JobArray { jobs(first: 1, after: $c, filter: {liveness: LOST}) { nodes { id } } }
"""


@pytest.fixture
def server_with_jobs(server: Server) -> Server:
    """A server with a task that has events."""
    create(server, 3)
    return server


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(FORGED, st.sampled_from(ORDERS), st.sampled_from(["after", "before"]))
@example(encode(["p", 2**31]), ORDERS[0], "after")
@example(encode(["p", 2**63 - 1]), ORDERS[0], "after")
@example(encode(["j", 2**31]), ORDERS[0], "after")
@example(encode(["e", 1, 2**63 - 1]), ORDERS[0], "after")
@example(encode(["Task", 2**63 - 1]), ORDERS[0], "after")
@example(encode(["Process", 1, 2**63 - 1]), ORDERS[0], "after")
@example(encode(["Job", 1, 2**40, 2**40]), ORDERS[0], "after")
@example(encode(["Task", True]), ORDERS[0], "after")
@example(encode(["tNAMEASC", "t", -1]), ("NAME", "ASC"), "before")
def test_whatever_is_handed_in(
    server_with_jobs: Server, forged: str, order: tuple[str, str], side: str
) -> None:
    """Forged cursors and ids of all kinds, in all lists at once: refused, or with an answer."""
    server = server_with_jobs
    field, direction = order
    answer = server.request(
        ANY_LIST.replace("SIDE", side),
        {"c": forged, "id": forged, "field": field, "direction": direction},
    ).json()
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    assert codes <= {"CURSOR_INVALID", "ID_INVALID"}, answer
    for path in ("/t/a/event", ""):
        page = server.rest("GET", f"{path}?{urlencode({'after': forged})}")
        assert page.status_code in (200, 400), page.text
        if page.status_code == 400:
            assert rest_errors(page) == [("CURSOR_INVALID", None)]


@pytest.mark.parametrize("cursor", [("p", 2**31), ("p", 2**40), ("p", 2**63 - 1), ("p", -1)])
def test_process_cursor_beyond_its_column(
    server_with_jobs: Server, cursor: tuple[str, int]
) -> None:
    """A process number has 32 bits; no list issued a cursor with more."""
    query = """query($c: String!) { task(name: "t") {
      processes(first: 1, after: $c) { nodes { id } } } }"""
    error = server_with_jobs.graphql_error(query, c=encode_opaque(*cursor))
    assert error["extensions"]["code"] == "CURSOR_INVALID"
