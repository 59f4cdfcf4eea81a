"""HTTP clients that take as little time as they can: two cores are shared with the server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import orjson

READ_BYTES = 1 << 18


def request(
    url: str, path: str, body: bytes, media_type: str = "application/json", headers: str = ""
) -> bytes:
    """A POST, as it is sent."""
    head = f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: {media_type}\r\n"
    return f"{head}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def operation(query: str, **variables: Any) -> bytes:
    """The body of a GraphQL request."""
    return orjson.dumps({"query": query, "variables": variables})


def check(status: int, body: bytes) -> None:
    """Raise ``AssertionError`` for an answer that is an error, or contains a user error."""
    assert status in (200, 201), (status, body[:500])
    assert b'"errors"' not in body[:20], body[:500]
    assert b'"code"' not in body, body[:500]


class _Answers:
    """The callbacks of the parser; ``complete`` is called with the body of each answer."""

    def __init__(self, complete: Callable[[bytes], None]) -> None:
        self._complete = complete
        self._parts: list[bytes] = []

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        body = b"".join(self._parts)
        self._parts.clear()
        self._complete(body)


class Client:
    """One kept connection that waits for each answer.

    Args:
        url: the address of the server, without a path.
        path: where its GraphQL is.
    """

    def __init__(self, url: str, path: str = "/graphql") -> None:
        self._url, self._path = url, path
        self._bodies: list[bytes] = []
        self._parser = httptools.HttpResponseParser(_Answers(self._bodies.append))
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, query: str, **variables: Any) -> bytes:
        """The answer to an operation, which must succeed."""
        return self.send(request(self._url, self._path, operation(query, **variables)))

    def send(self, raw: bytes) -> bytes:
        """The body of the answer to a request, which must succeed."""
        self._socket.sendall(raw)
        while not self._bodies:
            data = self._socket.recv(READ_BYTES)
            assert data, "the server has closed the connection"
            self._parser.feed_data(data)
        body = self._bodies.pop()
        check(self._parser.get_status_code(), body)
        return body

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class Connection(asyncio.Protocol):
    """One kept connection in an event loop. It sends one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(_Answers(self._complete))
        self._answered: Callable[[bytes], None]
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the error of an answer that failed, and of a connection that the server closes."""

    @classmethod
    async def open(cls, url: str) -> Connection:
        """A connection to this server."""
        loop = asyncio.get_running_loop()
        host, _, port = urlsplit(url).netloc.partition(":")
        return (await loop.create_connection(cls, host, int(port)))[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse a part of an answer."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail, unless the connection was closed here."""
        if not self.failed.done():
            self.failed.set_exception(exc or ConnectionResetError("the server has closed it"))

    def send(self, raw: bytes, answered: Callable[[bytes], None]) -> None:
        """Send a request; ``answered`` gets the body of its answer if it succeeds.

        Raises ``ConnectionResetError`` if the server has closed the connection.
        """
        if self._transport.is_closing():
            raise ConnectionResetError("the server has closed it")
        self._answered = answered
        self._transport.write(raw)

    async def ask(self, raw: bytes) -> bytes:
        """The body of the answer to a request, which must succeed."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.send(raw, answer.set_result)
        await asyncio.wait((answer, self.failed), return_when=asyncio.FIRST_COMPLETED)
        if self.failed.done():
            self.failed.result()
        return answer.result()

    def close(self) -> None:
        """End the connection."""
        self.failed.cancel()
        self._transport.abort()

    def _complete(self, body: bytes) -> None:
        try:
            check(self._parser.get_status_code(), body)
        except AssertionError as error:
            if not self.failed.done():
                self.failed.set_exception(error)
            return
        self._answered(body)
