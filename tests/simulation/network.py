"""The seam between clients and servers: requests, WebSockets and streams, and how they are lost.

Clients speak ASGI to an application in this process: what a connection would do is done by hand,
so a request is lost, cut or stalled exactly where a history says. :class:`Bridge` gives the job
side, which speaks over sockets, an address.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from tests.simulation.faults import Fault
from tests.simulation.system import Server

Message = MutableMapping[str, Any]
PROTOCOL = "graphql-transport-ws"


class LostError(Exception):
    """The client has no answer, and can't know what became of its request."""


class Answer(NamedTuple):
    """What a server says to a request."""

    status: int
    headers: dict[str, str]
    body: Any
    """Decoded, where it is JSON."""


async def request(
    server: Server,
    method: str,
    target: str,
    body: Any = None,
    fault: Fault | None = None,
) -> Answer:
    """Send one request, with JSON. Raises :class:`LostError` where a fault costs the answer."""
    if fault is Fault.REQUEST_LOST:
        raise LostError
    data = b"" if body is None else json.dumps(body).encode()
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    if fault is Fault.BODY_CUT:
        incoming.put_nowait(_part(data[: len(data) // 2], more=True))
    else:
        incoming.put_nowait(_part(data, more=False))
    if fault is not None:
        incoming.put_nowait({"type": "http.disconnect"})
    answer: list[Message] = []

    async def send(message: Message) -> None:
        answer.append(message)

    await server.app(_scope(server, "http", method, target), incoming.get, send)
    if fault is not None:
        raise LostError
    content = b"".join(message.get("body", b"") for message in answer[1:])
    headers = {name.decode(): value.decode() for name, value in answer[0]["headers"]}
    is_json = "json" in headers.get("content-type", "")
    return Answer(answer[0]["status"], headers, json.loads(content) if is_json else content)


class Stream:
    """One subscription, by WebSocket or as server-sent events; its results wait in a queue."""

    def __init__(self, server: Server, query: str, variables: Mapping[str, Any], by: str) -> None:
        self.results: asyncio.Queue[Message | None] = asyncio.Queue()
        """The ``payload`` of each result; at the end None, where the server has completed it."""
        self.is_stalled = False
        self._going_on = asyncio.Event()
        self._going_on.set()
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._buffer = b""
        self._is_cut = False
        payload = {"query": query, "variables": dict(variables)}
        if by == "ws":
            self._incoming.put_nowait({"type": "websocket.connect"})
            self._say({"type": "connection_init"})
            self._say({"type": "subscribe", "id": "1", "payload": payload})
            scope = _scope(server, "websocket", "GET", "/graphql")
            scope["subprotocols"] = [PROTOCOL]
            sending = self._hear_websocket
        else:
            self._incoming.put_nowait(_part(json.dumps(payload).encode(), more=False))
            scope = _scope(server, "http", "POST", "/graphql", b"text/event-stream")
            sending = self._hear_stream
        self._serving = asyncio.create_task(server.app(scope, self._incoming.get, sending))

    def stall(self) -> None:
        """Read no more, as a client whose host is suspended."""
        self.is_stalled = True
        self._going_on.clear()

    def go_on(self) -> None:
        """Read again."""
        self.is_stalled = False
        self._going_on.set()

    async def cut(self) -> None:
        """Lose the connection, without a word."""
        self._is_cut = True
        self.go_on()
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})
        self._incoming.put_nowait({"type": "http.disconnect"})
        with suppress(asyncio.CancelledError, Exception):
            await asyncio.wait_for(self._serving, 10)

    def _say(self, message: Message) -> None:
        self._incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def _hear_websocket(self, message: Message) -> None:
        await self._going_on.wait()
        if self._is_cut:
            return
        if message["type"] == "websocket.close":
            self.results.put_nowait({"errors": [{"message": str(message)}]})
        elif message["type"] == "websocket.send":
            found = json.loads(message["text"])
            if found["type"] == "next":
                self.results.put_nowait(found["payload"])
            elif found["type"] == "error":
                self.results.put_nowait({"errors": found["payload"]})
            elif found["type"] == "complete":
                self.results.put_nowait(None)

    async def _hear_stream(self, message: Message) -> None:
        await self._going_on.wait()
        if self._is_cut:
            return
        self._buffer += message.get("body", b"")
        *blocks, self._buffer = self._buffer.split(b"\n\n")
        for block in blocks:
            lines = block.split(b"\n")
            data = b"".join(line[6:] for line in lines if line.startswith(b"data: "))
            if b"event: next" in lines:
                self.results.put_nowait(json.loads(data))
            elif b"event: complete" in lines:
                self.results.put_nowait(None)
        if message["type"] == "http.response.body" and self._buffer.startswith(b"{"):
            # The refusal of the whole request.
            self.results.put_nowait(json.loads(self._buffer))


class Bridge:
    """An HTTP server on a socket, for clients that need one, in front of an application.

    ``largest`` is the most bytes of a body that it lets pass; beyond, it answers 413 like a proxy.
    While ``is_down`` it closes what is connected. ``loses_answers`` makes it pass requests on and
    then close.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = ""
        self.largest = 1 << 30
        self.is_down = False
        self.loses_answers = False

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Bridge]:
        """Listen, until the block is left."""
        listening = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.url = "http://127.0.0.1:{1}".format(*listening.sockets[0].getsockname())
        try:
            yield self
        finally:
            listening.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not self.is_down:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *rest = head.split("\r\n")
                method, target, _version = line.split(" ")
                headers = dict(part.lower().split(": ", 1) for part in rest if part)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                status, answer = await self._answer(method, target, body)
                if self.is_down or self.loses_answers:
                    break
                writer.write(
                    f"HTTP/1.1 {status} .\r\ncontent-length: {len(answer)}\r\n\r\n".encode()
                    + answer
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        if len(body) > self.largest:
            return 413, b"<html>Request Entity Too Large</html>"
        answer = await request(self.server, method, target, json.loads(body))
        return answer.status, json.dumps(answer.body).encode()


def address(*parts: str, query: Sequence[tuple[str, Any]] = ()) -> str:
    """An address of REST."""
    path = "/".join(["/api/v0", *(quote(part, safe="") for part in parts)])
    return path + ("?" if query else "") + "&".join(f"{k}={quote(str(v))}" for k, v in query)


def _part(data: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


def _scope(
    server: Server, kind: str, method: str, target: str, accept: bytes = b"application/json"
) -> Message:
    found = urlsplit(target)
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http" if kind == "http" else "ws",
        "path": found.path,
        "raw_path": found.path.encode(),
        "query_string": found.query.encode(),
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            (b"accept", accept),
            (b"content-type", b"application/json"),
        ],
        "client": ("192.0.2.1", 50_000),
        "server": ("192.0.2.2", 80),
        "state": dict(server.state),
        "extensions": {},
    }
