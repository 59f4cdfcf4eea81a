"""WebSockets whose clients send too much, or in too many pieces, while others use the server."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from tests.hostile.bystanders import bystanders, forget_peak, resident
from tests.support.harness import Server, StartServer
from tests.support.live_clients import WebSocketClient
from tests.support.raw_sockets import (
    CONTINUATION,
    PING,
    PONG,
    client_frame,
    close_code,
    open_websocket,
    read_to_end,
    send_as_possible,
)

pytestmark = [pytest.mark.slow, pytest.mark.timed]

MEGABYTE = 1 << 20
SUBSCRIPTION = 'subscription { events(task: "quiet") { cursor } }'


def prepared(server: Server) -> Server:
    """The server, with the task that bystanders use."""
    server.create("t", {"name": "p"})
    server.clear_log()
    return server


def test_a_message_of_a_million_fragments(start_server: StartServer, sqlite_url: str) -> None:
    """It is refused at its first thousand."""
    server = prepared(start_server(sqlite_url))
    first, empty = client_frame(b"", final=False), client_frame(b"", CONTINUATION, final=False)
    with bystanders(server, "t", "p"):
        with open_websocket(server.url) as client:
            client.sendall(first + empty * 1_100)
            assert close_code(client) == 1009
        with open_websocket(server.url) as client:
            send_as_possible(client, first + empty * 1_000_000)
            read_to_end(client)
        whole = json.dumps({"type": "ping"}).encode()
        pieces = [bytes([byte]) for byte in whole]
        with open_websocket(server.url) as client:
            client.sendall(client_frame(pieces[0], final=False))
            for piece in pieces[1:-1]:
                client.sendall(client_frame(piece, CONTINUATION, final=False))
            client.sendall(client_frame(pieces[-1], CONTINUATION))
            seen = b""
            while b'"pong"' not in seen:
                seen += client.recv(1000)
    assert server.complaints() == ""


def test_floods_of_small_frames_leave_time_for_others(
    start_server: StartServer, sqlite_url: str
) -> None:
    """Clients that send tiny frames and messages without end take turns, and fill no memory."""
    server = prepared(start_server(sqlite_url))
    floods = [
        client_frame(b"", PING),
        client_frame(b"", PONG),
        client_frame(b'{"type":"pong"}'),
        client_frame(b'{"type":"ping"}'),
    ]
    with bystanders(server, "t", "p"), ExitStack() as stack:
        clients = [stack.enter_context(open_websocket(server.url)) for _ in floods * 3]

        def flood(client: socket.socket, frame: bytes) -> None:
            client.settimeout(1)
            send_as_possible(client, frame * (2 * MEGABYTE // len(frame)))

        threads = [
            threading.Thread(target=flood, args=arguments)
            for arguments in zip(clients, floods * 3, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def test_half_sent_messages_come_to_an_end(start_server: StartServer, sqlite_url: str) -> None:
    """A message that is not complete in time, or too much in all, is refused."""
    server = prepared(start_server(sqlite_url, request_timeout=1, max_total_request_bytes=MEGABYTE))
    with bystanders(server, "t", "p"), ExitStack() as stack:
        halves = [
            client_frame(b'{"type":', final=False),
            client_frame(b'{"type": "ping"}')[:-1],
        ]
        for half in halves:
            client = stack.enter_context(open_websocket(server.url))
            client.sendall(half)
            assert close_code(client) == 1008
        large = client_frame(b" " * 900_000)[:-1]
        first, second = [stack.enter_context(open_websocket(server.url)) for _ in range(2)]
        first.sendall(large[:400_000])
        second.sendall(large)
        assert close_code(second) == 1013


async def test_what_operations_hold_is_bounded(start_server: StartServer, sqlite_url: str) -> None:
    """Undeclared variables are dropped, and a connection may run operations of so many bytes."""
    server = prepared(start_server(sqlite_url, max_connection_bytes=MEGABYTE))
    server.create("quiet", {"name": "p"})
    undeclared: dict[str, Any] = {"x": [[]] * 75_000}

    async def subscribe(ws: WebSocketClient, key: str, variables: Any) -> None:
        payload = {"query": SUBSCRIPTION, "variables": variables}
        await ws.send({"id": key, "type": "subscribe", "payload": payload})

    with bystanders(server, "t", "p"):
        forget_peak(server)
        before = resident(server).now
        async with WebSocketClient(server.url) as ws:
            for number in range(12):
                await subscribe(ws, str(number), undeclared)
            for number in range(3, 12):
                refused = await ws.receive()
                assert (refused["id"], refused["type"]) == (str(number), "error")
                assert refused["payload"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
            # The operations that run hold no more than what they use.
            assert resident(server).now - before < 20 * MEGABYTE
            for number in range(3):
                await ws.send({"id": str(number), "type": "complete"})
            await ws.subscribe(
                "query", "query($a: Boolean!) { server @include(if: $a) { version } }", a=True
            )
            answer = await ws.receive()
            assert answer["id"] == "query"
            assert answer["payload"]["data"]["server"]
