"""Subscriptions over a WebSocket, on a socket that is read when its owner wants to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import orjson
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

READ_BYTES = 1 << 16
CONNECT_TIMEOUT_S = 30.0


class Subscription:
    """One connection with subscriptions that have begun.

    Args:
        url: the address of the server.
        operations: the bodies of their GraphQL requests.
    """

    def __init__(self, url: str, *operations: bytes) -> None:
        address = urlsplit(url)
        self._protocol = ClientProtocol(
            parse_uri(f"ws://{address.netloc}/graphql"),
            subprotocols=[Subprotocol("graphql-transport-ws")],
        )
        self.socket = socket.create_connection(
            (address.hostname, address.port), timeout=CONNECT_TIMEOUT_S
        )
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        self._receive()
        assert self._protocol.handshake_exc is None, self._protocol.handshake_exc
        list(self._protocol.events_received())  # the answer to the handshake
        self._send({"type": "connection_init"})
        self._receive()
        assert [message["type"] for message in self._messages()] == ["connection_ack"]
        for number, operation in enumerate(operations, 1):
            payload = orjson.Fragment(operation)
            self._send({"id": str(number), "type": "subscribe", "payload": payload})
        self.socket.setblocking(False)

    def read(self) -> list[Any]:
        """The payloads of the results that have arrived."""
        with suppress(BlockingIOError):
            self._receive()
        found = []
        for message in self._messages():
            assert message["type"] == "next", message
            found.append(message["payload"])
        self._flush()
        return found

    def drop(self) -> None:
        """Throw away what has arrived, without a look at it."""
        with suppress(BlockingIOError):
            while len(self.socket.recv(READ_BYTES)) == READ_BYTES:
                pass

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def _messages(self) -> Iterator[Any]:
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode is Opcode.TEXT:
                yield orjson.loads(frame.data)

    def _receive(self) -> None:
        data = self.socket.recv(READ_BYTES)
        assert data, "the server has closed the connection"
        self._protocol.receive_data(data)

    def _send(self, message: Any) -> None:
        self._protocol.send_text(orjson.dumps(message))
        self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            self.socket.sendall(data)
