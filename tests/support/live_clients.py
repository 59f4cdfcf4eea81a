"""Clients for WebSocket and server-sent events, at the level of messages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx
import websockets
from websockets.typing import Subprotocol

from tests.support.harness import Server

RECEIVE_TIMEOUT_S = 20.0
"""Seconds to wait for a message that must come."""
BEGINNING = ""
"""The cursor behind which all events of a task lie."""
EVENTS = """subscription($task: String!, $process: String, $index: Int, $eventClass: [EventClass!],
  $after: String) { events(task: $task, process: $process, index: $index,
  eventClass: $eventClass, after: $after) { cursor node { uuid eventClass job { index } } } }"""
CHANGES = """subscription($names: [String!], $filter: TaskFilter) {
  taskChanged(names: $names, filter: $filter) { name state comment counts { done total }
    processes { nodes { name state progress { ratio } } } } }"""
COMMENTS = 'subscription { taskChanged(names: ["t"]) { comment } }'


class WebSocketClient:
    """A WebSocket that speaks graphql-transport-ws."""

    def __init__(self, url: str, *, greet: bool = True, **options: Any) -> None:
        options.setdefault("subprotocols", [Subprotocol("graphql-transport-ws")])
        options.setdefault("max_queue", 4096)
        self._connecting = websockets.connect(f"{url.replace('http', 'ws', 1)}/graphql", **options)
        self._greet = greet
        self.socket: websockets.ClientConnection

    async def __aenter__(self) -> Self:
        self.socket = await self._connecting.__aenter__()
        try:
            if self._greet:
                await self.send({"type": "connection_init"})
                assert await self.receive() == {"type": "connection_ack"}
        except BaseException:
            # Nobody calls __aexit__ then, and the socket would stay open.
            await self._connecting.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._connecting.__aexit__(kind, error, traceback)

    async def send(self, message: Any) -> None:
        """Send a message as JSON; text and bytes as they are."""
        raw = message if isinstance(message, str | bytes) else json.dumps(message)
        await self.socket.send(raw)

    async def receive(self) -> Any:
        """The next message."""
        return json.loads(await asyncio.wait_for(self.socket.recv(), RECEIVE_TIMEOUT_S))

    async def subscribe(self, key: str, query: str, **variables: Any) -> None:
        """Begin an operation."""
        payload = {"query": query, "variables": variables}
        await self.send({"id": key, "type": "subscribe", "payload": payload})

    async def closed(self) -> tuple[int | None, str | None]:
        """The code and reason of the server's close; earlier messages are discarded."""
        try:
            while True:
                await asyncio.wait_for(self.socket.recv(), RECEIVE_TIMEOUT_S)
        except websockets.ConnectionClosed:
            return self.socket.close_code, self.socket.close_reason

    async def results(self) -> AsyncIterator[Any]:
        """The data of all results of the only operation."""
        while True:
            message = await self.receive()
            if message["type"] == "complete":
                return
            assert message["type"] == "next", message
            assert "errors" not in message["payload"], message
            yield message["payload"]["data"]


async def until_events_come(
    server: Server, ws: WebSocketClient, task: str = "t", *, event_class: str = "BEAT"
) -> None:
    """Return once the only operation of ``ws``, a subscription to events, delivers what happens.

    Nothing tells that such a subscription has begun. So events are submitted until one arrives, and
    messages are received up to the last one of them: later ones are the caller's.
    """

    async def submit() -> str:
        answer = await asyncio.to_thread(server.submit, task, "p", event_class, index=0)
        uuid: str = answer["event"]["uuid"]
        return uuid

    async def receive() -> str:
        message = await ws.receive()
        assert message["type"] == "next", message
        node = message["payload"]["data"]["events"]["node"]
        assert node["eventClass"] == event_class, node
        uuid: str = node["uuid"]
        return uuid

    last = await submit()
    while True:
        try:
            received = await asyncio.wait_for(receive(), 0.2)
            break
        except TimeoutError:
            last = await submit()
    while received != last:
        received = await receive()


async def until_events_are_followed(
    server: Server, receive: Callable[[], Awaitable[Any]], task: str = "t"
) -> None:
    """Return once a subscription that began with the past has come to the present.

    The past is read in pages until one is not full. So it has been read when the second of two
    events arrives, of which each is submitted after the one before has arrived.
    """
    for _ in range(2):
        await asyncio.to_thread(server.submit, task, "p", "BEAT", index=0)
        await receive()


class TaskChanges:
    """The snapshots of a connection's only operation, a subscription to changes with the id 1.

    A snapshot equal to the last one of its task is left out: the server may send one again.
    """

    def __init__(self, ws: WebSocketClient) -> None:
        self._wire = ws
        self._last: dict[str, Any] = {}

    async def next(self) -> Any:
        """The next snapshot; None where the subscription completes."""
        while True:
            message = await self._wire.receive()
            if message == {"id": "1", "type": "complete"}:
                return None
            assert message["type"] == "next", message
            task = message["payload"]["data"]["taskChanged"]
            if task != self._last.get(task["name"]):
                self._last[task["name"]] = task
                return task

    async def until_they_come(self, change: Callable[[int], tuple[str, str | None]]) -> None:
        """Return once the subscription delivers what happens.

        Nothing tells that it has begun. So ``change`` is called with 1, 2 … until a snapshot
        arrives; it changes a task, and returns the name and comment that the task then has.
        Snapshots are received up to that of the last change: later ones are the caller's.
        """
        number = 1
        changed = await asyncio.to_thread(change, number)
        while True:
            try:
                task = await asyncio.wait_for(self.next(), 0.5)
                break
            except TimeoutError:
                number += 1
                changed = await asyncio.to_thread(change, number)
        while (task["name"], task["comment"]) != changed:
            task = await self.next()


class SSEMessage(NamedTuple):
    """A server-sent event."""

    event: str
    data: Any
    id: str | None


@asynccontextmanager
async def open_sse(
    url: str, query: str, *, last_event_id: str | None = None, **variables: Any
) -> AsyncIterator[AsyncIterator[SSEMessage]]:
    """The messages of an operation by SSE."""
    headers = {"accept": "text/event-stream"}
    if last_event_id is not None:
        headers["last-event-id"] = last_event_id
    body = {"query": query, "variables": variables}
    async with (
        httpx.AsyncClient(timeout=RECEIVE_TIMEOUT_S, verify=False) as client,
        client.stream("POST", f"{url}/graphql", json=body, headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield parse_sse(response)


async def parse_sse(response: httpx.Response) -> AsyncIterator[SSEMessage]:
    """The messages of a stream; comments are left out."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif not line and fields:
            data = fields.get("data")
            yield SSEMessage(fields["event"], json.loads(data) if data else None, fields.get("id"))
            fields = {}
