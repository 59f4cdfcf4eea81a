"""Requests to /graphql as they go over the wire, and what holds for every answer."""

from __future__ import annotations

from typing import Any

import httpx

from tests.harness import Server

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
SERVER = "{ server { version } }"


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
