"""GraphQL over HTTP: what goes over the wire, by its specification and by its own audits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_from_bytes

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import npm
from tests.harness import Server

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
SERVER = "{ server { version } }"
DELETE = 'mutation { deleteTask(input: { name: "x" }) { deletedId } }'
FUZZ = settings(
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
    max_examples=150,
)
LONG_FUZZ = settings(FUZZ, max_examples=3_000)


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as it is shipped, for all tests here: nothing that one sends may harm the next."""
    folder = tmp_path_factory.mktemp("wire")
    with Server(f"sqlite:///{folder}/lamia.sqlite", folder) as server:
        yield server


@pytest.fixture(scope="session")
def node_packages() -> None:
    """The packages of ``tests/node``, installed."""
    npm.install()


@pytest.mark.usefixtures("node_packages")
def test_audits(wire: Server) -> None:
    """All audits of graphql-http pass on a server as it is shipped, those of SHOULD too."""
    results = json.loads(npm.run("audit.mjs", f"{wire.url}/graphql"))
    assert len(results) == 61
    assert [result for result in results if result["status"] != "ok"] == []


def send(server: Server, method: str = "POST", **options: Any) -> httpx.Response:
    """The answer to a request with exactly these headers; never a failure of the server."""
    headers = {"host": "x", **options.pop("headers", {})}
    request = httpx.Request(method, f"{server.url}/graphql", **options)
    own = {
        name: request.headers[name]
        for name in ("content-length", "content-type")
        if name in request.headers
    }
    request.headers = httpx.Headers(own | headers)
    # Without certificates, which take longer to load than all the rest.
    with httpx.Client(verify=False, timeout=30) as client:
        answer = client.send(request)
    assert answer.status_code < 500, answer.text
    assert answer.headers["content-type"].partition(";")[0] in (JSON, GRAPHQL)
    if method != "HEAD":
        check(answer.json())
    return answer


def check(body: Any) -> None:
    """An answer has data or errors, and every error a code and nothing of the server's inside."""
    assert isinstance(body, dict)
    assert body.keys() <= {"data", "errors", "extensions"}
    assert "data" in body or body["errors"]
    for error in body.get("errors", ()):
        assert error["extensions"]["code"] not in ("", "INTERNAL"), error
        assert "Traceback" not in error["message"]
        assert ".py" not in error["message"]


def code(answer: httpx.Response) -> str:
    """The code of the one error of an answer without data."""
    body = answer.json()
    assert "data" not in body
    (error,) = body["errors"]
    found: str = error["extensions"]["code"]
    return found


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        (f'{GRAPHQL}; charset="UTF-8", */*;q=0.1', GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON};q=0.9", JSON),
        (f"{JSON};q=0.5, {GRAPHQL};q=0.9", GRAPHQL),
        (f"text/html, {GRAPHQL};q=bad, {JSON};q=0.1", JSON),
    ],
)
def test_media_type(wire: Server, accept: str | None, expected: str) -> None:
    """The answer is of the media type that the client likes best."""
    headers = {} if accept is None else {"accept": accept}
    answer = send(wire, json={"query": SERVER}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == expected


@pytest.mark.parametrize("accept", ["text/html", f"{JSON};q=0", f"{GRAPHQL};charset=latin-1"])
def test_not_acceptable(wire: Server, accept: str) -> None:
    """A media type that is not ours is answered 406."""
    answer = send(wire, json={"query": SERVER}, headers={"accept": accept})
    assert (answer.status_code, code(answer)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_methods(wire: Server, method: str) -> None:
    """Only GET and POST are served, and the answer to others says so."""
    answer = send(wire, method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


def test_mutations_by_post_only(wire: Server) -> None:
    """A GET never changes anything, also not where the document hides the mutation."""
    for document, name in [
        (DELETE, None),
        (f"query A {SERVER} {DELETE.replace('mutation', 'mutation B')}", "B"),
    ]:
        answer = send(wire, "GET", params={"query": document, "operationName": name or ""})
        if name is None:
            # An empty name is a name, of no operation.
            assert (answer.status_code, code(answer)) == (400, "OPERATION_NOT_FOUND")
            answer = send(wire, "GET", params={"query": document})
        assert (answer.status_code, code(answer)) == (405, "METHOD_NOT_ALLOWED")
        assert answer.headers["allow"] == "POST"


def test_queries_by_get(wire: Server) -> None:
    """A query may come by GET, with its variables as JSON."""
    query = "query Q($name: String!) { task(name: $name) { id } }"
    answer = send(
        wire,
        "GET",
        params={"query": query, "operationName": "Q", "variables": '{"name": "x"}'},
    )
    assert answer.json()["data"] == {"task": None}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/graphql"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": f"{JSON}; charset=latin-1"},
        {"content-type": JSON, "content-encoding": "gzip"},
    ],
)
def test_unsupported_media_type(wire: Server, headers: dict[str, str]) -> None:
    """A body that is not plain JSON in UTF-8 is answered 415: forms of other sites, too."""
    answer = send(wire, content=json.dumps({"query": SERVER}), headers=headers)
    assert (answer.status_code, code(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_too_large(serve: Any, sqlite_url: str) -> None:
    """A body beyond the setting is answered 413, however it is sent."""
    server = serve(sqlite_url, max_request_bytes=2_000)
    body = json.dumps({"query": SERVER, "variables": {"x": "y" * 2_000}})
    assert send(server, json={"query": SERVER}).status_code == 200
    headers = {"content-type": JSON}
    answer = send(server, content=body, headers=headers)
    assert (answer.status_code, code(answer)) == (413, "REQUEST_TOO_LARGE")
    chunked = httpx.post(
        f"{server.url}/graphql", content=iter([body.encode()]), headers=headers, timeout=10
    )
    assert chunked.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"1",
        b'"{ server { version } }"',
        b"[]",
        b"{}",
        b'{"query": null}',
        b'{"query": 1}',
        b'{"query": "{ server { version } }", "variables": []}',
        b'{"query": "{ server { version } }", "operationName": {}}',
        b'{"query": "{ server { version } }", "extensions": 1}',
        b'{"query": "\xff"}',
        b'{"query": "\\ud800"}',
        b"\xff\xfe{\x00}\x00",
        b"[" * 100_000,
        b'{"query":' * 100_000,
        b'{"variables":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    ],
)
def test_bad_bodies(wire: Server, body: bytes) -> None:
    """A body that is no request is answered 400, whatever it is."""
    answer = send(wire, content=body, headers={"content-type": JSON})
    assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($a: Int) { server { version } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($a: Int!) { tasks(first: $a) { totalCount } }", "BAD_USER_INPUT"),
        ("type A { b: Int }", "OPERATION_NOT_FOUND"),
        ("fragment A on Query { server { version } }", "OPERATION_NOT_FOUND"),
    ],
)
def test_refused_documents(wire: Server, query: str, expected: str) -> None:
    """What is refused before it runs has a code and no data, in both media types."""
    for accept, status in ((GRAPHQL, 400), (JSON, 200)):
        answer = send(wire, json={"query": query}, headers={"accept": accept})
        assert code(answer) == expected
        assert answer.status_code in (400, status)


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
    """Send a body: the answer must be in order, and nothing unexpected be logged."""
    send(server, content=body, headers={"content-type": JSON})


@given(body=BODIES | VARIABLES.map(lambda value: json.dumps(value).encode()))
@FUZZ
def test_any_body(wire: Server, body: bytes) -> None:
    """No body whatsoever makes the server fail, or tell what is inside it."""
    fuzz(wire, body)


@pytest.mark.slow
@pytest.mark.timeout(600)
@given(body=BODIES | VARIABLES.map(lambda value: json.dumps(value).encode()))
@LONG_FUZZ
def test_any_body_at_length(wire: Server, body: bytes) -> None:
    """The same, with far more of them."""
    fuzz(wire, body)


@given(
    query=st.binary(max_size=60)
    | st.sampled_from([b"query", b"variables", b"operationName", b"extensions"]).flatmap(
        lambda name: st.binary(max_size=30).map(
            lambda value: name + b"=" + quote_from_bytes(value).encode()
        )
    )
)
@FUZZ
def test_any_query_string(wire: Server, query: bytes) -> None:
    """Nor do query strings, escaped or raw."""
    send(wire, "GET", params=f"query={quote(SERVER)}&{quote_from_bytes(query, safe='&=%+')}")


@given(
    headers=st.dictionaries(
        st.sampled_from(["accept", "content-type", "content-encoding"]),
        st.sampled_from([JSON, GRAPHQL, "*/*", "text/event-stream", "", ";", "gzip"])
        | st.text('abcxyz/*;,=q.0123456789 "+-', max_size=40).map(str.strip),
    ),
    method=st.sampled_from(["GET", "POST", "PUT"]),
)
@FUZZ
def test_any_header(wire: Server, headers: dict[str, str], method: str) -> None:
    """Nor do headers."""
    send(wire, method, json={"query": SERVER}, headers=headers)
