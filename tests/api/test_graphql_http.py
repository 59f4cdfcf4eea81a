"""GraphQL over HTTP: the answers to requests, by its specification and by its own audits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from tests.support import npm
from tests.support.harness import Server, StartServer
from tests.support.http_wire import GRAPHQL, JSON, SERVER_QUERY, error_code, send_graphql

DELETE = 'mutation { deleteTask(input: { name: "x" }) { deletedId } }'


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with default settings, shared by all tests here."""
    folder = tmp_path_factory.mktemp("shared_server")
    with Server(f"sqlite:///{folder}/lamia.sqlite", folder, forked=True) as server:
        yield server


@pytest.fixture(scope="session")
def node_packages() -> None:
    """The packages of ``tests/node``, installed."""
    npm.install()


@pytest.mark.usefixtures("node_packages")
def test_audits(shared_server: Server) -> None:
    """All audits of graphql-http pass with default settings, those for SHOULD included."""
    results = json.loads(npm.run("audit.mjs", f"{shared_server.url}/graphql"))
    assert len(results) == 61
    assert [result for result in results if result["status"] != "ok"] == []


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
def test_media_type(shared_server: Server, accept: str | None, expected: str) -> None:
    """The answer has the media type that the client prefers."""
    headers = {} if accept is None else {"accept": accept}
    answer = send_graphql(shared_server, json={"query": SERVER_QUERY}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == expected


@pytest.mark.parametrize("accept", ["text/html", f"{JSON};q=0", f"{GRAPHQL};charset=latin-1"])
def test_not_acceptable(shared_server: Server, accept: str) -> None:
    """An unsupported media type in Accept is answered 406."""
    answer = send_graphql(shared_server, json={"query": SERVER_QUERY}, headers={"accept": accept})
    assert (answer.status_code, error_code(answer)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_methods(shared_server: Server, method: str) -> None:
    """Only GET and POST are served; others are answered 405 with Allow."""
    answer = send_graphql(shared_server, method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


def test_mutations_by_post_only(shared_server: Server) -> None:
    """A mutation by GET is refused, also where the document holds several operations."""
    for document, name in [
        (DELETE, None),
        (f"query A {SERVER_QUERY} {DELETE.replace('mutation', 'mutation B')}", "B"),
    ]:
        answer = send_graphql(
            shared_server, "GET", params={"query": document, "operationName": name or ""}
        )
        if name is None:
            # An empty name is a name, of no operation.
            assert (answer.status_code, error_code(answer)) == (400, "OPERATION_NOT_FOUND")
            answer = send_graphql(shared_server, "GET", params={"query": document})
        assert (answer.status_code, error_code(answer)) == (405, "METHOD_NOT_ALLOWED")
        assert answer.headers["allow"] == "POST"


def test_queries_by_get(shared_server: Server) -> None:
    """A query may come by GET, with its variables as JSON."""
    query = "query Q($name: String!) { task(name: $name) { id } }"
    answer = send_graphql(
        shared_server,
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
def test_unsupported_media_type(shared_server: Server, headers: dict[str, str]) -> None:
    """A body that is not declared as JSON in UTF-8 is answered 415, HTML forms included."""
    answer = send_graphql(
        shared_server, content=json.dumps({"query": SERVER_QUERY}), headers=headers
    )
    assert (answer.status_code, error_code(answer)) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_too_large(start_server: StartServer, sqlite_url: str) -> None:
    """A body above the limit is answered 413, with or without Content-Length."""
    server = start_server(sqlite_url, max_request_bytes=2_000)
    body = json.dumps({"query": SERVER_QUERY, "variables": {"x": "y" * 2_000}})
    assert send_graphql(server, json={"query": SERVER_QUERY}).status_code == 200
    headers = {"content-type": JSON}
    answer = send_graphql(server, content=body, headers=headers)
    assert (answer.status_code, error_code(answer)) == (413, "REQUEST_TOO_LARGE")
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
def test_bad_bodies(shared_server: Server, body: bytes) -> None:
    """A body that is not a GraphQL request is answered 400."""
    answer = send_graphql(shared_server, content=body, headers={"content-type": JSON})
    assert (answer.status_code, error_code(answer)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_persisted_query(shared_server: Server, method: str) -> None:
    """A hash without a document is answered as clients expect that then send the document."""
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    hashed: dict[str, Any] = {"json": {"extensions": extensions}}
    if method == "GET":
        hashed = {"params": {"extensions": json.dumps(extensions)}}
    answer = send_graphql(shared_server, method, **hashed)
    [error] = answer.json()["errors"]
    assert error["message"] == "PersistedQueryNotSupported"
    assert (answer.status_code, error_code(answer)) == (400, "PERSISTED_QUERY_NOT_SUPPORTED")
    whole = {"query": SERVER_QUERY, "extensions": extensions}
    assert "data" in send_graphql(shared_server, json=whole).json()


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
def test_refused_documents(shared_server: Server, query: str, expected: str) -> None:
    """A request error has a code and no data, in both media types."""
    for accept, status in ((GRAPHQL, 400), (JSON, 200)):
        answer = send_graphql(shared_server, json={"query": query}, headers={"accept": accept})
        assert error_code(answer) == expected
        assert answer.status_code in (400, status)


@pytest.mark.slow
def test_idle_connections_are_kept_for_as_long_as_clients_keep_theirs(
    sqlite_server: Server,
) -> None:
    """A connection that was idle for 16 seconds still serves requests."""
    connection = HTTPConnection(sqlite_server.url.removeprefix("http://"), timeout=30)
    connection.connect()
    connection.auto_open = 0
    for pause in (0, 16):
        time.sleep(pause)
        connection.request("GET", "/healthz")
        with connection.getresponse() as answer:
            assert answer.status == 200
            answer.read()
    connection.close()


def test_introspection_of_wrapped_types(shared_server: Server) -> None:
    """`isOneOf` may be asked of lists and non-null types, too."""
    found = shared_server.graphql("{ __schema { types { fields { type { kind isOneOf } } } } }")
    answers = {
        (field["type"]["kind"], field["type"]["isOneOf"])
        for one in found["__schema"]["types"]
        for field in one["fields"] or ()
    }
    assert ("NON_NULL", None) in answers
    assert all(answer is None for _, answer in answers)
