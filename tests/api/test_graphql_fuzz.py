"""Fuzzing of /graphql: every answer is well-formed and reveals no internals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.harness import Server
from tests.support.http_wire import GRAPHQL, JSON, SERVER_QUERY, send_graphql

FUZZ = settings(
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
    max_examples=150,
)
LONG_FUZZ = settings(FUZZ, max_examples=3_000)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with default settings, shared by all tests here."""
    folder = tmp_path_factory.mktemp("shared_server")
    with Server(f"sqlite:///{folder}/lamia.sqlite", folder, forked=True) as server:
        yield server


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["task", "process", "first", "last", "after", "filter", "id", "name", "index", "states"]
)
LITERALS = st.recursive(
    st.sampled_from(["null", "true", "DONE", "$v", '""', '"\\u0000"', '"""x"""', "1e400", "-0"])
    | st.integers(-(10**40), 10**40).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.text(max_size=20).map(lambda text: json.dumps(text, ensure_ascii=False))
    | st.sampled_from(["7", "8" * 30, "9" * 5_000]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda all_: f"[{' '.join(all_)}]")
        | st.dictionaries(NAMES, inner, max_size=3).map(
            lambda all_: "{" + " ".join(f"{k}: {v}" for k, v in all_.items()) + "}"
        )
    ),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    [
        "tasks(first: {}) {{ totalCount }}",
        "tasks(first: 1, after: {}) {{ totalCount }}",
        "tasks(last: 1, before: {}) {{ nodes {{ id }} }}",
        "tasks(first: 1, filter: {}) {{ nodes {{ id }} totalCount }}",
        "tasks(first: 1, filter: {{ names: {0}, tagsAll: {0} }}) {{ nodes {{ id }} }}",
        "tasks(first: 1, filter: {{ submitted: {{ after: {} }} }}) {{ totalCount }}",
        "tasks(first: 1, filter: {{ text: {} }}) {{ nodes {{ id }} totalCount }}",
        "tasks(first: 1, orderBy: {}) {{ totalCount }}",
        "task(name: {}) {{ id }}",
        'task(name: "t") {{ timeline(points: {}) {{ at }} }}',
        'task(name: "t") {{ events(first: {0}, after: {0}, eventClass: {0}) {{ totalCount }} }}',
        "node(id: {}) {{ id }}",
        'job(task: "t", process: "p", index: {}) {{ id }}',
        "server @include(if: {}) {{ version }}",
        "{}",
    ]
)
DOCUMENTS = st.builds(lambda form, value: "{ " + form.format(value) + " }", FIELDS, LITERALS)
MUTATIONS = st.builds(
    lambda form, value: "mutation { " + form.format(value) + " { userErrors { code } } }",
    st.sampled_from(
        [
            "createTask(input: {})",
            'createTask(input: {{ name: "f", processes: [{{ name: "p", jobCount: {0} }}] }})',
            'createTask(input: {{ name: "f", processes: [{{ name: "p", threshold: {0} }}] }})',
            "createTask(input: {{ name: {0}, processes: {{ name: {0} }}, config: {0} }})",
            'updateTask(input: {{ name: "f", tags: {0}, config: {0}, comment: {0} }})',
            'submitEvent(input: {{ task: "f", process: "p", eventClass: DONE, payload: {0} }})',
            'submitEvent(input: {{ task: {0}, process: "p", eventClass: {0} }})',
            'submitEvent(input: {{ task: "f", process: "p", eventClass: PROGRESS, progress: {} }})',
            'submitEvent(input: {{ task: "f", process: "p", eventClass: DONE, sentAt: {} }})',
            'submitEvent(input: {{ task: "f", process: "p", eventClass: DONE, attempt: {} }})',
            "submitEvents(input: {{ events: {} }})",
            "deleteTasks(input: {{ names: {} }})",
        ]
    ),
    LITERALS,
)
BODIES = (
    st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.text().map(lambda text: text.encode("utf-16", "surrogatepass"))
    | st.builds(
        lambda what, times: what * times,
        st.sampled_from([b"[", b"{", b'{"a":', b"\xed"]),
        st.integers(0, 2_000),
    )
    | JSONS.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {},
        optional={
            "query": DOCUMENTS | MUTATIONS | st.text() | JSONS,
            "variables": st.fixed_dictionaries({"v": JSONS}) | JSONS,
            "operationName": JSONS,
            "extensions": JSONS,
        },
    ).map(lambda value: json.dumps(value).encode())
)
VARIABLES = st.builds(
    lambda pair, value: {"query": pair, "variables": {"v": value}},
    st.sampled_from(
        [
            "query($v: Int) { tasks(first: $v) { totalCount } }",
            "query($v: TaskFilter) { tasks(first: 1, filter: $v) { totalCount nodes { id } } }",
            "query($v: ID!) { node(id: $v) { id } }",
            "query($v: String) { tasks(first: 1, after: $v) { totalCount } }",
            "mutation($v: CreateTaskInput!) { createTask(input: $v) { userErrors { code } } }",
            "mutation($v: [SubmitEventInput!]!) {"
            " submitEvents(input: { events: $v }) { userErrors { code } } }",
            'mutation($v: JSON) { submitEvent(input: { task: "f", process: "p",'
            " eventClass: DONE, payload: $v }) { userErrors { code } } }",
        ]
    ),
    JSONS,
)


def fuzz(server: Server, body: bytes) -> None:
    """Send a body: the answer must be well-formed, and nothing unexpected be logged."""
    send_graphql(server, content=body, headers={"content-type": JSON})


@given(body=BODIES | VARIABLES.map(lambda value: json.dumps(value).encode()))
@FUZZ
def test_any_body(shared_server: Server, body: bytes) -> None:
    """No request body makes the server fail or reveal internals."""
    fuzz(shared_server, body)


@pytest.mark.slow
@pytest.mark.timeout(600)
@given(body=BODIES | VARIABLES.map(lambda value: json.dumps(value).encode()))
@LONG_FUZZ
def test_any_body_at_length(shared_server: Server, body: bytes) -> None:
    """The same with many more examples."""
    fuzz(shared_server, body)


@given(
    query=st.binary(max_size=60)
    | st.sampled_from([b"query", b"variables", b"operationName", b"extensions"]).flatmap(
        lambda name: st.binary(max_size=30).map(
            lambda value: name + b"=" + quote_from_bytes(value).encode()
        )
    )
)
@FUZZ
def test_any_query_string(shared_server: Server, query: bytes) -> None:
    """No query string does either, escaped or raw."""
    send_graphql(
        shared_server,
        "GET",
        params=f"query={quote(SERVER_QUERY)}&{quote_from_bytes(query, safe='&=%+')}",
    )


@given(
    headers=st.dictionaries(
        st.sampled_from(["accept", "content-type", "content-encoding"]),
        st.sampled_from([JSON, GRAPHQL, "*/*", "text/event-stream", "", ";", "gzip"])
        | st.text('abcxyz/*;,=q.0123456789 "+-', max_size=40).map(str.strip),
    ),
    method=st.sampled_from(["GET", "POST", "PUT"]),
)
@FUZZ
def test_any_header(shared_server: Server, headers: dict[str, str], method: str) -> None:
    """No headers do either."""
    send_graphql(shared_server, method, json={"query": SERVER_QUERY}, headers=headers)
