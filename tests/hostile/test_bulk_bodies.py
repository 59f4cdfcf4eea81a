"""Bodies that are cheap to send and dear to read: many tiny values, and lists that are too long."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from tests.hostile.bystanders import bystanders
from tests.support.harness import Server, StartServer

pytestmark = [pytest.mark.slow, pytest.mark.timed]

SIZE = 16_000_000
"""Bytes of a body just below the limit."""


@pytest.fixture
def server(start_server: StartServer, sqlite_url: str) -> Server:
    """A server with a task."""
    server = start_server(sqlite_url)
    server.create("innocent", {"name": "p"})
    return server


def post(server: Server, path: str, body: bytes, method: str = "POST") -> httpx.Response:
    """The answer to a body of JSON."""
    return httpx.request(
        method,
        server.url + path,
        content=body,
        headers={"content-type": "application/json"},
        timeout=60,
        verify=False,
    )


def errors(answer: httpx.Response) -> list[tuple[int, str]]:
    """The status of an answer, and the code of each error in it."""
    return [
        (answer.status_code, (error.get("details") or error.get("extensions"))["code"])
        for error in answer.json()["errors"]
    ]


def many(text: bytes, size: int = SIZE) -> bytes:
    """A list of a value that often that it has this size."""
    return b"[" + b",".join([text] * (size // (len(text) + 1))) + b"]"


def test_bodies_of_tiny_values(server: Server) -> None:
    """16 MB of tiny values are refused before they are parsed, at every address."""
    attacks = [
        *((method, "/api/v0", many(b"{}")) for method in ("POST", "PUT", "DELETE")),
        ("POST", "/api/v0/x", b'{"processes": ' + many(b'{"a":1}') + b"}"),
        ("POST", "/api/v0/innocent/p/event", many(b"1")),
        ("PATCH", "/api/v0/innocent/p", b'{"payload": ' + many(b"[]") + b"}"),
        ("POST", "/graphql", b'{"query": "{ server { version } }", "x": ' + many(b'""') + b"}"),
        ("POST", "/graphql", many(b'{"a":' * 100 + b"1" + b"}" * 100)),
        ("POST", "/api/v0/x", b"[" * SIZE),
    ]
    with bystanders(server, "innocent", "p"), ThreadPoolExecutor(3) as attackers:
        answers = attackers.map(lambda a: post(server, a[1], a[2], a[0]), attacks)
        assert [errors(answer) for answer in answers] == [[(400, "TOO_MANY")]] * len(attacks)


def test_as_many_values_as_are_allowed(server: Server) -> None:
    """A body is parsed if it has as many values as are allowed; it delays nobody."""
    deep = many(b'{"a":' * 100 + b"1" + b"}" * 100, 1_450_000)
    attacks = [
        ("/api/v0", many(b"{}", 300_000), "TOO_MANY"),
        ("/api/v0", many(b'{"name":"x"}', 800_000), "TOO_MANY"),
        ("/api/v0/innocent/p/event", many(b"[]", 300_000), "TOO_MANY"),
        ("/api/v0/x", b'{"processes":{"a":1},"tags":' + many(b'"a"', 900_000) + b"}", "TOO_MANY"),
        ("/api/v0/x", b'{"processes":' + many(b"{}", 300_000) + b"}", "TOO_MANY"),
        ("/api/v0/x", b'{"processes":{"a":1},"config":' + deep + b"}", "JSON_INVALID"),
        ("/api/v0/x", b"[" * 249_000, "BAD_REQUEST"),
        ("/graphql", b'{"query": "{ server { version } }", "variables": ' + deep, "BAD_REQUEST"),
    ]
    with bystanders(server, "innocent", "p"), ThreadPoolExecutor(3) as attackers:
        answers = attackers.map(lambda a: post(server, a[0], a[1]), attacks)
        codes = [code for answer in answers for status, code in errors(answer) if status == 400]
    assert codes == [code for _, _, code in attacks]


def test_names_that_repeat(server: Server) -> None:
    """Whether names differ is seen in one pass, and outside of the transaction."""
    alike = [{"name": "p"}] * 1_000
    attacks: list[tuple[Any, int]] = [
        ([{"name": "x"}] * 60_000, 1),
        ([{"name": f"x{n}", "processes": alike} for n in range(80)], 100),
        ([{"name": "x", "processes": {f"p{n}": 1 for n in range(1_000)}}] * 100, 99),
    ]
    with bystanders(server, "innocent", "p"), ThreadPoolExecutor(3) as attackers:
        bodies = [orjson.dumps(tasks) for tasks, _ in attacks]
        answers = list(attackers.map(lambda body: post(server, "/api/v0", body), bodies))
        # Only the first errors are told.
        assert [len(errors(answer)) for answer in answers] == [number for _, number in attacks]
        assert [answer.status_code for answer in answers] == [400, 400, 409]
        assert server.get("/api/v0/x").status_code == 404


def test_many_processes(server: Server) -> None:
    """Twenty tasks of a thousand processes each are created; others are served meanwhile."""
    processes = {f"p{n}": 1 for n in range(1_000)}
    body = orjson.dumps([{"name": f"x{n}", "processes": processes} for n in range(20)])
    with bystanders(server, "innocent", "p"):
        answer = post(server, "/api/v0", body)
        assert (answer.status_code, answer.json()) == (201, {"created": True})


def test_a_client_that_leaves(server: Server) -> None:
    """What a client has asked for before it left keeps nobody busy, and the server stops."""
    address = urlsplit(server.url)
    assert address.hostname is not None
    assert address.port is not None
    body = orjson.dumps([{"name": "x", "processes": {"p": 1}}] * 10_000)
    head = f"POST /api/v0 HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
    with bystanders(server, "innocent", "p"):
        for _ in range(20):
            with socket.create_connection((address.hostname, address.port), 20) as client:
                client.sendall(head.encode() + body)
