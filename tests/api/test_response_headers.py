"""What responses say about themselves: to caches, to browsers, and by their encoding."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest

from lamia_gql.server.compression import MIN_BYTES_IN_THREAD
from tests.support.harness import Server
from tests.support.http_wire import EVENT_STREAM, GRAPHQL
from tests.support.waiting import until

TASKS = """{ tasks(first: 100) { nodes { name processes { nodes { id name state
  counts { total pending submitted running done failed terminated } } } } } }"""
"""The answer is long enough to be compressed in a thread."""


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/graphql?query={server{version}}", 200),
        ("/graphql?query={nothing}", 200),
        ("/graphql", 400),
        ("/api/v0", 200),
        ("/api/v0/nothing", 404),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/nothing", 404),
    ],
)
def test_answers_are_neither_sniffed_nor_kept(
    sqlite_server: Server, path: str, status: int
) -> None:
    """No browser takes data for anything but JSON, and nobody keeps it."""
    # A busy machine is not always ready.
    until(lambda: sqlite_server.get(path).status_code == status, "the status")
    answer = sqlite_server.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_graphql_varies_with_what_is_accepted(sqlite_server: Server) -> None:
    """The type of an answer depends on Accept, and a cache is told so."""
    for accept in (GRAPHQL, "text/html", EVENT_STREAM):
        answer = sqlite_server.request("{ server { version } }", headers={"accept": accept})
        assert answer.headers["vary"] == "Accept"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_no_address_leads_to_another(sqlite_server: Server) -> None:
    """An address with a slash too many is not found; it was redirected to what Host said."""
    for path in ("/graphql/", "/graphiql/", "/healthz/"):
        answer = sqlite_server.get(path, headers={"host": "localhost"})
        assert (answer.status_code, answer.headers.get("location")) == (404, None)


@pytest.fixture
def tasks(sqlite_server: Server) -> None:
    """A hundred tasks with ten processes each."""
    for begin in range(0, 100, 50):
        specs = [
            {"name": f"task{number}", "processes": {f"process{n}": 3 for n in range(10)}}
            for number in range(begin, begin + 50)
        ]
        assert sqlite_server.rest("POST", "", specs).status_code == 201


ACCEPTED = {
    "gzip": True,
    "gzip, deflate, br, zstd": True,
    "br, GZIP;q=0.5": True,
    "*": True,
    "br, zstd": False,
    "gzip;q=0": False,
    "*, gzip;q=0": False,
    "identity": False,
    "": False,
}
"""Values of Accept-Encoding, and whether they accept gzip."""


@pytest.mark.usefixtures("tasks")
@pytest.mark.parametrize(
    "request_",
    [("POST", "/graphql", {"query": TASKS}), ("GET", "/api/v0?limit=100", None)],
    ids=["graphql", "rest"],
)
def test_large_answers_are_compressed(
    sqlite_server: Server, request_: tuple[str, str, Any]
) -> None:
    """Of GraphQL and of REST, if the client accepts gzip; the content is the same."""
    plain, _ = receive(sqlite_server, *request_, "identity")
    assert len(plain) > MIN_BYTES_IN_THREAD
    for accepted, is_compressed in ACCEPTED.items():
        found, answer = receive(sqlite_server, *request_, accepted)
        assert ("content-encoding" in answer.headers) is is_compressed, accepted
        assert int(answer.headers["content-length"]) == len(found)
        if is_compressed:
            assert answer.headers["content-encoding"] == "gzip"
            assert "Accept-Encoding" in answer.headers["vary"]
            assert len(found) < len(plain) / 4
            found = gzip.decompress(found)
        assert json.loads(found) == json.loads(plain), accepted


@pytest.mark.usefixtures("tasks")
def test_small_answers_and_streams_are_not_compressed(sqlite_server: Server) -> None:
    """What fits into a packet is sent as it is; messages of a stream are sent at once."""
    headers = {"accept-encoding": "gzip"}
    small = sqlite_server.request("{ server { version } }", headers=headers)
    assert "content-encoding" not in small.headers
    stream = sqlite_server.request(TASKS, headers=headers | {"accept": EVENT_STREAM})
    assert len(stream.content) > 10_000
    assert "content-encoding" not in stream.headers


def receive(
    server: Server, method: str, path: str, body: Any, accepted: str
) -> tuple[bytes, httpx.Response]:
    """The bytes of an answer as they were sent, and its headers."""
    headers = {"accept-encoding": accepted}
    with httpx.Client(verify=False) as client:
        with client.stream(method, server.url + path, json=body, headers=headers) as answer:
            assert answer.status_code == 200
            return b"".join(answer.iter_raw()), answer
