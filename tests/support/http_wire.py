"""Raw requests to /graphql, and checks that hold for every answer."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.support.harness import Server

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"
SERVER_QUERY = "{ server { version } }"


def send_graphql(server: Server, method: str = "POST", **options: Any) -> httpx.Response:
    """The answer to a request with exactly these headers; its status must be below 500."""
    headers = {"host": "localhost", **options.pop("headers", {})}
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
    kind = answer.headers["content-type"].partition(";")[0]
    if kind == EVENT_STREAM:
        assert EVENT_STREAM in headers["accept"]
        for result in parse_stream(answer.text):
            check_result(result)
    else:
        assert kind in (JSON, GRAPHQL)
        if method != "HEAD":
            check_result(answer.json())
    return answer


def parse_stream(text: str) -> list[Any]:
    """The results in a complete stream of server-sent events, at least one."""
    *results, complete = text.removeprefix(":\n\n").removesuffix("\n\n").split("\n\n")
    assert complete == "event: complete\ndata:"
    assert results
    assert all(result.startswith("event: next\ndata: ") for result in results)
    return [json.loads(result.removeprefix("event: next\ndata: ")) for result in results]


def check_result(body: Any) -> None:
    """Check that a result has data or errors, and that errors have codes and no internals."""
    assert isinstance(body, dict)
    assert body.keys() <= {"data", "errors", "extensions"}
    assert "data" in body or body["errors"]
    for error in body.get("errors", ()):
        assert error["extensions"]["code"] not in ("", "INTERNAL"), error
        assert "Traceback" not in error["message"]
        assert ".py" not in error["message"]


def error_code(answer: httpx.Response) -> str:
    """The code of the only error in an answer without data."""
    body = answer.json()
    assert "data" not in body
    (error,) = body["errors"]
    found: str = error["extensions"]["code"]
    return found
