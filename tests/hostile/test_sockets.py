"""Clients that connect too often, send too slowly or too much, while others use the server."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.hostile.bystanders import bystanders
from tests.support.harness import Server, StartServer, environment_with
from tests.support.metrics import scrape
from tests.support.raw_sockets import (
    UPGRADE,
    connect_from,
    read_to_end,
    read_until,
    refusal,
    reset_connection,
    send_as_possible,
    stream_request,
)
from tests.support.waiting import until

POST = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
QUERY = b'{"query": "{ server { version } }"}'
REQUEST = POST + b"Content-Length: %d\r\n\r\n" % len(QUERY) + QUERY
MEGABYTE = 1 << 20


def prepared(server: Server) -> Server:
    """The server, with the task that bystanders use."""
    server.create("t", {"name": "p"})
    server.clear_log()
    return server


@pytest.mark.slow
@pytest.mark.timed
def test_half_sent_requests_come_to_an_end(start_server: StartServer, sqlite_url: str) -> None:
    """What is not sent in time is refused; whoever is slow but steady is answered."""
    server = prepared(start_server(sqlite_url, request_timeout=1))
    halves = {
        b"": (0, None),
        b"\r\n": (0, None),
        b"GET /heal": (408, "REQUEST_TIMEOUT"),
        GET + b"X-Half: ": (408, "REQUEST_TIMEOUT"),
        POST + b"Content-Length: 100\r\n\r\n{": (408, "REQUEST_TIMEOUT"),
        CHUNKED + b"4\r\n{": (408, "REQUEST_TIMEOUT"),
        CHUNKED + b"1\r\n{\r\n0\r\nX-Trailer: ": (408, "REQUEST_TIMEOUT"),
    }
    drips = [b"\r\n", b"GET / HTTP/1.1\r\nX: ", POST + b"Content-Length: 9999\r\n\r\n", CHUNKED]
    with ExitStack() as stack, bystanders(server, "t", "p"):
        silent = {half: stack.enter_context(connect_from(server.url)) for half in halves}
        dripping = [stack.enter_context(connect_from(server.url)) for _ in drips]
        for half, client in silent.items():
            client.sendall(half)
        for drip, client in zip(drips, dripping, strict=True):
            client.sendall(drip)
        steady = stack.enter_context(connect_from(server.url))
        body = QUERY + b" " * 60_000
        steady.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body))
        begin = time.monotonic()
        while time.monotonic() < begin + 2:
            for drip, client in zip(drips, dripping, strict=True):
                send_as_possible(client, {b"\r\n": b"\r\n", CHUNKED: b"1\r\n \r\n"}.get(drip, b"x"))
            sent = int(len(body) * (time.monotonic() - begin) / 2)
            steady.sendall(body[:sent])
            body = body[sent:] if sent else body
            time.sleep(0.1)
        steady.sendall(body)
        read_until(steady, b'"version"')
        assert {half: refusal(client) for half, client in silent.items()} == halves
        assert [refusal(client)[0] for client in dripping] == [0, 408, 408, 408]
    assert server.complaints() == ""


@pytest.mark.slow
@pytest.mark.timed
def test_headers_are_bounded(start_server: StartServer, sqlite_url: str) -> None:
    """Headers, a URL or trailers beyond 64 KiB, and too many headers, are refused by their code."""
    server = prepared(start_server(sqlite_url))
    long = b"x" * 100_000
    refused = {
        GET + b"X-Long: " + long: (431, "HEADERS_TOO_LARGE"),
        GET + b"X-Short: x\r\n" * 10_000: (431, "HEADERS_TOO_LARGE"),
        GET + b"X: \r\n" * 201 + b"\r\n": (431, "HEADERS_TOO_LARGE"),
        b"GET /graphql?query=" + long: (414, "URI_TOO_LONG"),
        CHUNKED + b"1\r\n{\r\n0\r\nX: " + long: (431, "HEADERS_TOO_LARGE"),
        CHUNKED + b"1;" + long: (431, "HEADERS_TOO_LARGE"),
        UPGRADE[:-2] + b"X: " + b"x" * 9_000 + b"\r\n\r\n": (431, None),
        b"NONSENSE\r\n\r\n": (400, "BAD_REQUEST"),
    }
    with bystanders(server, "t", "p"):
        for sent, expected in refused.items():
            with connect_from(server.url) as client:
                client.sendall(sent)
                assert refusal(client) == expected
        for piece in (b"X: " + b"x" * 1000 + b"\r\n", b"x" * 1000):
            # 200 MB are on their way: the connection is cut before they are sent.
            with connect_from(server.url) as client:
                client.sendall(GET + b"X: ")
                for _ in range(200):
                    send_as_possible(client, piece * 1000)
                assert refusal(client) in ((431, "HEADERS_TOO_LARGE"), (0, None))
        with connect_from(server.url) as client:
            client.sendall(GET + b"X: " + b"x" * 64_000 + b"\r\nConnection: close\r\n\r\n")
            assert read_to_end(client).startswith(b"HTTP/1.1 200")
    assert server.complaints() == ""


@pytest.mark.slow
@pytest.mark.timed
def test_a_pipeline_is_answered_in_order_but_does_not_fill_the_memory(
    start_server: StartServer, sqlite_url: str
) -> None:
    """Whoever sends without reading is read no further; whoever reads gets every answer."""
    server = prepared(start_server(sqlite_url))
    with bystanders(server, "t", "p"), ExitStack() as stack:
        flood = b"GET / HTTP/1.1\r\n\r\n" * (10 * MEGABYTE // 18)
        stuck = [stack.enter_context(connect_from(server.url)) for _ in range(4)]
        for client in stuck:
            send_until_blocked(client, flood)
        with connect_from(server.url) as client:
            last = GET + b"Connection: close\r\n\r\n"
            sending = threading.Thread(
                target=client.sendall, args=((REQUEST + GET + b"\r\n") * 200 + last,)
            )
            sending.start()
            seen = read_to_end(client)
            sending.join()
        answers = [b"data" in answer for answer in seen.split(b"HTTP/1.1 200")[1:]]
        assert answers == [True, False] * 200 + [False]
        for client in stuck:
            reset_connection(client)


def send_until_blocked(client: socket.socket, data: bytes) -> None:
    """Send the same again and again, until the server takes nothing for a quarter of a second."""
    client.settimeout(0.25)
    with suppress(TimeoutError):
        while True:
            client.sendall(data)


@pytest.mark.slow
@pytest.mark.timed
def test_connections_are_bounded(start_server: StartServer, sqlite_url: str) -> None:
    """Those that wait give way, the longest waiting first; others are refused by their code."""
    server = prepared(start_server(sqlite_url, max_connections=60))
    with bystanders(server, "t", "p"), ExitStack() as stack:
        silent = [stack.enter_context(connect_from(server.url)) for _ in range(100)]
        # One address may have 30, of which the bystanders have one or two.
        assert [read_to_end(client) for client in silent[:70]] == [b""] * 70
        busy = silent[70:]
        query = 'subscription { events(task: "t") { cursor } }'
        streams = [stack.enter_context(connect_from(server.url, "127.0.0.2")) for _ in range(30)]
        for client in streams:
            client.sendall(stream_request(query))
        for client in streams:
            read_until(client, b":\n\n")
        with connect_from(server.url, "127.0.0.2") as late:
            assert refusal(late) == (503, "TOO_MANY_CONNECTIONS")
        for number in range(3, 10):
            # From everywhere: the address with the most gives up those that wait.
            client = stack.enter_context(connect_from(server.url, f"127.0.0.{number}"))
            client.sendall(GET + b"Connection: close\r\n\r\n")
            assert read_to_end(client).startswith(b"HTTP/1.1 200")
        assert len(busy) == 30
        until(lambda: "too much at once" in server.log(), "a line in the log")
        now = scrape(server)
        assert now.sum("lamia_connections_refused_total", reason="address") == 1
        assert now.sum("lamia_connections_refused_total") == 1
        assert now.sum("lamia_connections_replaced_total") >= 70
        assert now.sum("lamia_connections_max") == 60
        for client in streams:
            reset_connection(client)
    # Said at intervals, not once for each.
    lines = server.log().splitlines()
    assert all("too much at once" in line for line in lines), lines
    assert len(lines) <= 3, lines


@pytest.mark.slow
@pytest.mark.timed
def test_bodies_on_their_way_are_bounded(start_server: StartServer, sqlite_url: str) -> None:
    """Beyond, the largest is refused as BUSY; smaller ones, also of others, are taken."""
    server = prepared(start_server(sqlite_url, max_total_request_bytes=MEGABYTE))
    with bystanders(server, "t", "p"), ExitStack() as stack:
        sizes = [400_000, 300_000, 200_000, 250_000]
        clients = [stack.enter_context(connect_from(server.url)) for _ in sizes]
        for client, size in zip(clients, sizes, strict=True):
            client.sendall(POST + b"Content-Length: 10000000\r\n\r\n" + b" " * size)
        head, _, body = read_to_end(clients[0]).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert b"retry-after: " in head
        assert json.loads(body)["errors"][0]["extensions"]["code"] == "BUSY"
        clients[2].sendall(b" " * 500_000)
        assert refusal(clients[2]) == (503, "BUSY")
        assert scrape(server).sum("lamia_connections_refused_total", reason="bytes") == 2


def open_connections(server: Server) -> float:
    """How many connections the server has."""
    return scrape(server).sum("lamia_connections")


@pytest.mark.slow
@pytest.mark.timed
def test_answers_that_nobody_reads_are_bounded(start_server: StartServer, sqlite_url: str) -> None:
    """Clients that request large answers and do not read them fill no memory, and are cut."""
    # All of them get memory to build their answers.
    limits = {
        "max_response_bytes": 400 * MEGABYTE,
        "max_total_request_bytes": 25 * MEGABYTE,
        "send_timeout": 2,
    }
    server = prepared(start_server(sqlite_url, **limits))
    server.create("large", {"name": "p"}, config={"x": "x" * (MEGABYTE // 2)})
    fields = " ".join(f'a{number}: task(name: "large") {{ config }}' for number in range(10))
    body = json.dumps({"query": f"{{ {fields} }}"}).encode()
    request = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with bystanders(server, "t", "p"), ExitStack() as stack:
        others = open_connections(server)
        clients = [stack.enter_context(connect_from(server.url)) for _ in range(20)]
        for client in clients:
            client.sendall(request)
            read_until(client, b"HTTP/1.1 200")
        until(lambda: open_connections(server) - others < 10, server.log)
        # Four answers wait to be read. The others are cut: nothing but what the system held comes.
        cut = [len(read_to_end(client)) < 5_000_000 for client in clients]
        assert cut.count(True) > 10
    assert "Traceback" not in server.log()


BLOCKED = """
import asyncio, threading, time
import lamia_gql.server.app as app
import lamia_gql.server.graceful_server as graceful_server
import lamia_gql.server.run as run
from lamia_gql.domain.settings import load

async def healthz(request):
    print("begun", flush=True)
    if "thread" in str(request.url):
        await asyncio.to_thread(time.sleep, 100)
    while True:
        sum(range(1000))

app.healthz = healthz
graceful_server.LIVE_CONNECTION_GRACE_S = run.REQUEST_GRACE_S = 0.2
graceful_server.STOP_GRACE_S = 1.5
run.run(load())
"""
"""A server whose health check never ends: in a thread, or in the event loop."""


@pytest.mark.parametrize("path", ["/healthz?thread", "/healthz"])
def test_stopping_ends_whatever_runs(sqlite_url: str, tmp_path: Path, path: str) -> None:
    """A thread, or an event loop, that is busy for ever does not keep the process."""
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", BLOCKED],
            env=environment_with({"database_url": sqlite_url, "port": 0}),
            stdout=log,
            stderr=log,
        )
    try:
        found = until(
            lambda: (tmp_path / "log").read_text().partition(" on ")[2].partition("/graphql")[0],
            "the start of the server",
        )
        with connect_from(found) as client:
            client.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
            until(lambda: "begun" in (tmp_path / "log").read_text(), "the request")
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
