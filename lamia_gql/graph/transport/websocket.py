"""GraphQL over WebSocket, by the ``graphql-transport-ws`` protocol.

See https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. A connection is closed, with
the protocol's codes, where its client breaks the rules; what is wrong with an operation is told in
an ``error`` message and ends that operation only.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send
from strawberry.types.graphql import OperationType

from lamia_gql.api.services import Services
from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.graph.context import Context
from lamia_gql.graph.transport.operation import MalformedOperation, Operation
from lamia_gql.graph.transport.sse import cutter
from lamia_gql.graph.transport.streams import Streams

PROTOCOL = "graphql-transport-ws"
INIT_TIMEOUT = 10.0
"""Seconds that a client has to say ``connection_init``."""
DRAIN = 1.5
"""Seconds that queries and mutations have to end when the server stops, and good-byes to go."""
EVERYTHING = set(OperationType)


class Close(Exception):  # noqa: N818  (a decision, not an error of the program)
    """The connection is to be closed, with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class WebSocketEndpoint:
    """The address ``/graphql``, by WebSocket."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end."""
        services: Services = scope["state"]["services"]
        address = scope["client"][0] if scope.get("client") else None
        cut = cutter(scope)
        await receive()
        offered = PROTOCOL in scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL if offered else None})
        connection = Connection(self._streams, services, address, receive, send)
        try:
            try:
                if not offered:
                    raise Close(4406, f"Subprotocol not acceptable: it is {PROTOCOL}")
                with services.live_connections.connected(address, cut):
                    await connection.run()
            except RequestError as error:
                await connection.close(Close(1013, f"{error.code}: {error.message}"))
            except Close as close:
                await connection.close(close)
        except TimeoutError:
            # It has not read for so long that it would not read of its end, either.
            cut()
        except OSError:
            pass  # the client has gone


class Connection:
    """One client, and the operations that it runs."""

    def __init__(
        self,
        streams: Streams,
        services: Services,
        address: str | None,
        receive: Receive,
        send: Send,
    ) -> None:
        self._streams = streams
        self._services = services
        self._address = address
        self._receive = receive
        self._transmit = send
        self._sending = asyncio.Lock()
        self._acknowledged = False
        self._greeted = False
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve until the client leaves.

        Raises :class:`Close` where it is to be closed, ``TimeoutError`` where the client does not
        read, and ``OSError`` where it has gone.
        """
        loop = asyncio.get_running_loop()
        timer = loop.call_later(INIT_TIMEOUT, self._expire)
        reading = asyncio.create_task(self._read())
        stopping = asyncio.create_task(self._services.live_connections.stopping.wait())
        try:
            ends: list[asyncio.Future[Any]] = [reading, stopping, self._broken]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            elif stopping.done():
                if self._tasks:
                    await asyncio.wait(self._tasks, timeout=DRAIN)
                raise Close(1001, "The server is stopping")
            else:
                self._broken.result()
        finally:
            timer.cancel()
            running = {reading, stopping, *self._tasks}
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            if self._broken.done() and not self._broken.cancelled():
                self._broken.exception()

    async def close(self, close: Close) -> None:
        """Say good-bye. Raises ``TimeoutError`` where the client does not listen."""
        # The protocol of WebSocket has room for so many bytes.
        reason = close.reason.encode()[:123].decode(errors="ignore")
        async with asyncio.timeout(DRAIN):
            await self._transmit({"type": "websocket.close", "code": close.code, "reason": reason})

    def _expire(self) -> None:
        if not self._greeted:
            self._break(Close(4408, "Initialisation timeout"))

    def _break(self, reason: Exception) -> None:
        if not self._broken.done():
            self._broken.set_exception(reason)

    async def _read(self) -> None:
        while True:
            received = await self._receive()
            if received["type"] == "websocket.disconnect":
                return
            await self._handle(_decode(received.get("text")))

    async def _handle(self, message: dict[str, Any]) -> None:
        payload = message.get("payload")
        match message.get("type"):
            case "connection_init":
                _require_object(payload)
                if self._greeted:
                    raise Close(4429, "Too many initialisation requests")
                self._greeted = True
                await self._send({"type": "connection_ack"})
                self._acknowledged = True
            case "ping":
                _require_object(payload)
                await self._send({"type": "pong"})
            case "pong":
                _require_object(payload)
            case "subscribe":
                await self._subscribe(_id(message), payload)
            case "complete":
                task = self._operations.pop(_id(message), None)
                if task is not None:
                    task.cancel()
            case unknown:
                raise Close(4400, f"There is no message of type {str(unknown)[:40]!r}")

    async def _subscribe(self, key: str, payload: Any) -> None:
        if not self._acknowledged:
            raise Close(4401, "Unauthorized: begin with connection_init")
        try:
            operation = Operation.of(payload)
        except MalformedOperation as error:
            raise Close(4400, f"The payload is not an operation. {error}") from error
        if key in self._operations:
            raise Close(4409, f"Subscriber for {key} already exists")
        limit = self._services.settings.max_subscriptions_per_connection
        if len(self._operations) >= limit:
            refusal = {
                "message": f"This connection runs {limit} operations: the most that one may.",
                "extensions": {"code": ErrorCode.TOO_MANY_SUBSCRIPTIONS},
            }
            await self._send({"id": key, "type": "error", "payload": [refusal]})
            return
        task = asyncio.create_task(self._run(key, operation))
        self._operations[key] = task
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, Exception)
            self._break(error)

    async def _run(self, key: str, operation: Operation) -> None:
        context = Context(self._services, self._address)
        stopping = self._services.live_connections.stopping
        stream = self._streams.results(operation, context, EVERYTHING)
        async with aclosing(stream):
            async for result in stream:
                if not result.failed:
                    await self._send({"id": key, "type": "next", "payload": result.json})
                elif not stopping.is_set():
                    await self._end({"id": key, "type": "error", "payload": result.body["errors"]})
                    return
                if stopping.is_set():
                    # Without an end to it, a client knows to go on elsewhere.
                    return
        await self._end({"id": key, "type": "complete"})

    async def _end(self, message: dict[str, Any]) -> None:
        # The id is free for the client once it sees this, so it must be for us before.
        self._operations.pop(message["id"], None)
        await self._send(message)

    async def _send(self, message: dict[str, Any]) -> None:
        text = orjson.dumps(message).decode()
        async with self._sending, asyncio.timeout(self._services.settings.send_timeout):
            await self._transmit({"type": "websocket.send", "text": text})


def _decode(text: str | None) -> dict[str, Any]:
    if text is None:
        raise Close(4400, "Messages are JSON text, in UTF-8")
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Close(4400, f"The message is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise Close(4400, "A message is a JSON object")
    return message


def _id(message: dict[str, Any]) -> str:
    key = message.get("id")
    if not isinstance(key, str) or not key:
        raise Close(4400, "The message needs an id")
    return key


def _require_object(payload: Any) -> None:
    if payload is not None and not isinstance(payload, dict):
        raise Close(4400, "The payload must be an object")
