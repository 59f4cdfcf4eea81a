"""Raw sockets, for clients that do not read or that disconnect abruptly."""

from __future__ import annotations

import json
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
CONTINUATION, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10


def client_frame(payload: bytes, opcode: int = TEXT, *, final: bool = True) -> bytes:
    """A client's WebSocket frame, masked with zeros."""
    size = len(payload)
    if size < 126:
        length = struct.pack("!B", 128 | size)
    elif size < 1 << 16:
        length = struct.pack("!BH", 254, size)
    else:
        length = struct.pack("!BQ", 255, size)
    return bytes([128 * final | opcode]) + length + bytes(4) + payload


def close_code(client: socket.socket) -> int:
    """The code of the server's close; its earlier messages, each below 126 bytes, are discarded."""
    seen = read_to_end(client)
    while seen:
        payload = seen[2 : 2 + seen[1]]
        if seen[0] & 15 == CLOSE:
            return int.from_bytes(payload[:2])
        seen = seen[2 + len(payload) :]
    raise AssertionError("no close")


def open_websocket(url: str, query: str | None = None, **variables: Any) -> socket.socket:
    """A WebSocket that has begun at most one operation and does not read."""
    client = _connect(url)
    client.sendall(UPGRADE)
    read_until(client, b"\r\n\r\n")
    client.sendall(client_frame(b'{"type": "connection_init"}'))
    if query is not None:
        payload = {"query": query, "variables": variables}
        message = {"id": "1", "type": "subscribe", "payload": payload}
        client.sendall(client_frame(json.dumps(message).encode()))
    return client


def stream_request(query: str, **variables: Any) -> bytes:
    """The bytes of a request for an SSE stream."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    return (
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
        b"Content-Type: application/json\r\n"
        + f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def open_stream(url: str, query: str, **variables: Any) -> socket.socket:
    """A connection with a request for an SSE stream, which does not read."""
    client = _connect(url)
    client.sendall(stream_request(query, **variables))
    return client


def _connect(url: str, source: str = "127.0.0.1") -> socket.socket:
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    client = socket.socket()
    # The system has little room for what it does not read, so that this soon shows.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.bind((source, 0))
    client.connect((address.hostname, address.port))
    return client


def reset_connection(client: socket.socket) -> None:
    """Close the connection by a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def read_until(
    client: socket.socket, word: bytes, meanwhile: Callable[[], object] | None = None
) -> None:
    """Read up to a word, which must come in time; ``meanwhile`` is called while nothing comes."""
    seen = b""
    while word not in seen:
        while meanwhile is not None and not select.select([client], [], [], 0.2)[0]:
            meanwhile()
        data = client.recv(1000)
        assert data, seen
        seen += data


def is_closed_by_server(client: socket.socket) -> bool:
    """Whether the server closes the connection within its timeout."""
    try:
        while client.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def connect_from(url: str, source: str = "127.0.0.1") -> socket.socket:
    """A connection that has sent nothing yet, from one of this machine's own addresses."""
    return _connect(url, source)


def send_as_possible(client: socket.socket, data: bytes) -> None:
    """Send until all is sent or the server refuses to take more."""
    with suppress(ConnectionError, TimeoutError):
        client.sendall(data)


def read_to_end(client: socket.socket) -> bytes:
    """All that the server sends until it closes the connection, which must be in time."""
    seen = b""
    with suppress(ConnectionError):
        while data := client.recv(1 << 16):
            seen += data
    return seen


def refusal(client: socket.socket) -> tuple[int, str | None]:
    """The status and code of the one answer, after which the connection must end.

    The status is 0 if there is no answer; the code is None if the answer has none.
    """
    head, _, body = read_to_end(client).partition(b"\r\n\r\n")
    if not head:
        return 0, None
    assert b"connection: close" in head.lower(), head
    code = json.loads(body)["errors"][0]["extensions"]["code"] if body.startswith(b"{") else None
    return int(head.split()[1]), code
