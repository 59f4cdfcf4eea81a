"""GraphQL over WebSocket, by the ``graphql-transport-ws`` protocol.

See https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. A client that violates the
protocol is disconnected with one of the protocol's close codes. An error of an operation is sent as
an ``error`` message and ends that operation only.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, aclosing, suppress
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send
from strawberry.types.graphql import OperationType

from lamia_gql.access.authentication import Credential, parse_authorization
from lamia_gql.api.request_headers import request_headers
from lamia_gql.api.services import Services
from lamia_gql.domain.access import NOBODY, Principal
from lamia_gql.domain.errors import AccessDenied, ErrorCode, RequestError
from lamia_gql.graph.context import Context
from lamia_gql.graph.transport.frames import (
    FRAMES_EXTENSION,
    Frames,
    Output,
    next_message,
)
from lamia_gql.graph.transport.operation import (
    MalformedOperation,
    Operation,
    UnknownDocument,
)
from lamia_gql.graph.transport.result import error_body
from lamia_gql.graph.transport.sse import abort_function
from lamia_gql.graph.transport.streams import OperationStreams
from lamia_gql.storage.read_sources import Freshness

PROTOCOL = "graphql-transport-ws"
INIT_TIMEOUT_S = 10.0
"""How long a client may take to send ``connection_init``."""
SHUTDOWN_GRACE_S = 1.5
"""How long queries and mutations may go on when the server stops; also for the close message."""
GOING_AWAY = 1001
"""The close code by which the server says that it stops; clients resume elsewhere."""
ALL_OPERATIONS = set(OperationType)


class WebSocketClose(Exception):  # noqa: N818  (a decision, not an error of the program)
    """The connection is to be closed, with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ClientDisconnected(Exception):  # noqa: N818  (an end, not an error)
    """The client has closed the connection."""


class WebSocketEndpoint:
    """``/graphql`` by WebSocket."""

    def __init__(self, streams: OperationStreams) -> None:
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until it is closed."""
        services: Services = scope["state"]["services"]
        address = scope["client"][0] if scope.get("client") else None
        abort = abort_function(scope)
        await receive()
        offered = PROTOCOL in scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL if offered else None})
        connection = WebSocketConnection(self._streams, services, address, scope, receive, send)
        try:
            try:
                if not offered:
                    raise WebSocketClose(4406, f"Subprotocol not acceptable: use {PROTOCOL}")
                with services.live_connections.admit(address, abort):
                    await connection.run()
            except RequestError as error:
                is_stopping = error.code is ErrorCode.STOPPING
                code = GOING_AWAY if is_stopping else 1013
                await connection.close(WebSocketClose(code, f"{error.code}: {error.message}"))
            except WebSocketClose as close:
                await connection.close(close)
        except TimeoutError:
            # A client that does not read would not read a close message, either.
            abort()
        except OSError:
            pass  # the client has disconnected


class WebSocketConnection:
    """One client, and the operations that it runs."""

    def __init__(
        self,
        streams: OperationStreams,
        services: Services,
        address: str | None,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._streams = streams
        self._services = services
        self._address = address
        self._headers = request_headers(scope)
        self._principal = NOBODY
        self._lease = ExitStack()
        self._receive = receive
        self._transmit = send
        self._frames: Frames | None = scope.get("extensions", {}).get(FRAMES_EXTENSION)
        self._sending = asyncio.Lock()
        self._initialised = False
        self._acknowledged = False
        self._operations: dict[str, tuple[asyncio.Task[None], Output]] = {}
        """The operations whose ids are in use."""
        self._tasks: set[asyncio.Task[None]] = set()
        """All asyncio tasks of operations, also of those that the client has completed."""
        self._held_bytes = 0
        """The size of the messages that have begun these operations."""
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the exception that ends the connection."""

    async def run(self) -> None:
        """Serve until the client disconnects.

        Raises :class:`WebSocketClose` if the connection is to be closed, ``TimeoutError`` if the
        client does not read, and ``OSError`` if it has disconnected meanwhile.
        """
        loop = asyncio.get_running_loop()
        timer = loop.call_later(INIT_TIMEOUT_S, self._require_init)
        reading = asyncio.create_task(self._read())
        stopping = asyncio.create_task(self._services.live_connections.stopping.wait())
        try:
            endings: list[asyncio.Future[Any]] = [reading, stopping, self._failure]
            await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            elif stopping.done():
                if self._tasks:
                    await asyncio.wait(self._tasks, timeout=SHUTDOWN_GRACE_S)
                raise WebSocketClose(GOING_AWAY, "The server is stopping")
            else:
                self._failure.result()
        finally:
            timer.cancel()
            self._lease.close()
            running = {reading, stopping, *self._tasks}
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            if self._failure.done() and not self._failure.cancelled():
                self._failure.exception()

    async def close(self, close: WebSocketClose) -> None:
        """Send a close message. Raises ``TimeoutError`` if the client does not read it."""
        # WebSocket's limit for a reason, in bytes.
        reason = close.reason.encode()[:123].decode(errors="ignore")
        async with asyncio.timeout(SHUTDOWN_GRACE_S):
            await self._transmit({"type": "websocket.close", "code": close.code, "reason": reason})

    def _require_init(self) -> None:
        if not self._initialised:
            self._fail(WebSocketClose(4408, "Initialisation timeout"))

    def _fail(self, reason: Exception) -> None:
        if not self._failure.done():
            self._failure.set_exception(reason)
            for _, output in self._operations.values():
                output.close()

    async def _read(self) -> None:
        # No variable holds a message while the next one is waited for.
        with suppress(ClientDisconnected):
            while True:
                await self._handle(*await self._next_message())

    async def _next_message(self) -> tuple[dict[str, Any], int]:
        """The next message, and its size in bytes. Raises :class:`ClientDisconnected`."""
        received = await self._receive()
        if received["type"] == "websocket.disconnect":
            raise ClientDisconnected
        text: str | None = received.get("text")
        if text is None:
            raise WebSocketClose(4400, "Messages must be JSON text in UTF-8")
        return _decode(text), len(text) if text.isascii() else len(text.encode())

    async def _handle(self, message: dict[str, Any], size: int) -> None:
        payload = message.get("payload")
        match message.get("type"):
            case "connection_init":
                _require_object(payload)
                if self._initialised:
                    raise WebSocketClose(4429, "Too many initialisation requests")
                self._initialised = True
                self._principal = self._authenticate(payload or {})
                await self._send({"type": "connection_ack"})
                self._acknowledged = True
            case "ping":
                _require_object(payload)
                await self._send({"type": "pong"})
            case "pong":
                _require_object(payload)
            case "subscribe":
                await self._subscribe(_operation_id(message), payload, size)
            case "complete":
                if running := self._operations.pop(_operation_id(message), None):
                    task, output = running
                    output.close()
                    task.cancel()
            case unknown:
                raise WebSocketClose(4400, f"Unknown message type {str(unknown)[:40]!r}")

    def _authenticate(self, payload: dict[str, Any]) -> Principal:
        """Who connects: by the payload of ``connection_init``, or by the headers of the handshake.

        The payload has the header ``Authorization`` as an entry. Raises :class:`WebSocketClose`.
        """
        authentication = self._services.authentication
        given = [value for name, value in payload.items() if name.lower() == "authorization"]
        try:
            if given and isinstance(given[0], str):
                credential = Credential(parse_authorization(given[0]))
            else:
                credential = authentication.credential(self._headers)
            principal = authentication.principal(credential)
        except AccessDenied as error:
            raise WebSocketClose(4403, f"Forbidden: {error.message}") from error
        if principal == NOBODY:
            raise WebSocketClose(4403, "Forbidden: send a credential with connection_init")

        def end() -> None:
            self._fail(WebSocketClose(4403, "Forbidden: the credential has ended"))

        self._lease.enter_context(authentication.lease(credential, principal, end))
        return principal

    async def _subscribe(self, key: str, payload: Any, size: int) -> None:
        if not self._acknowledged:
            raise WebSocketClose(4401, "Unauthorized: send connection_init first")
        try:
            operation = self._streams.read(payload)
        except UnknownDocument as error:
            body = error_body(str(error), error.code)
            await self._send({"id": key, "type": "error", "payload": body["errors"]})
            return
        except MalformedOperation as error:
            raise WebSocketClose(4400, f"The payload is not a valid operation. {error}") from error
        if key in self._operations:
            raise WebSocketClose(4409, f"Subscriber for {key} already exists")
        settings = self._services.settings
        limit, max_bytes = settings.max_subscriptions_per_connection, settings.max_connection_bytes
        if len(self._operations) >= limit:
            await self._refuse(key, f"already runs {limit} operations, which is the maximum")
        elif self._held_bytes + size > max_bytes:
            await self._refuse(key, f"may run operations of at most {max_bytes} bytes in all")
        else:
            # What the operation does not use would be kept for as long as it runs.
            operation = self._streams.without_undeclared_variables(operation)
            output = Output(self._frames, key)
            task = asyncio.create_task(self._run(key, operation, output))
            self._operations[key] = task, output
            self._tasks.add(task)
            self._held_bytes += size
            task.add_done_callback(lambda task: self._on_operation_end(task, size))

    async def _refuse(self, key: str, reason: str) -> None:
        body = error_body(f"This connection {reason}.", ErrorCode.TOO_MANY_SUBSCRIPTIONS)
        await self._send({"id": key, "type": "error", "payload": body["errors"]})

    def _on_operation_end(self, task: asyncio.Task[None], size: int) -> None:
        self._tasks.discard(task)
        self._held_bytes -= size
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, Exception)
            self._fail(error)

    async def _run(self, key: str, operation: Operation, output: Output) -> None:
        with self._services.requests.websocket_operation(operation.shown_name) as ended:
            ended.outcome = await self._send_results(key, operation, output)

    async def _send_results(self, key: str, operation: Operation, output: Output) -> str:
        """Send the results of an operation; how it has ended."""
        # No answer tells a position, and clients ask for what they have just been told of.
        wanted = Freshness.COMMITTED
        context = Context(self._services, self._principal, self._address, wanted)
        stopping = self._services.live_connections.stopping
        stream = self._streams.results(operation, context, ALL_OPERATIONS, output.write)
        async with aclosing(stream):
            async for result in stream:
                if not result.failed:
                    await self._send(next_message(key, result))
                elif not stopping.is_set():
                    await self._end({"id": key, "type": "error", "payload": result.body["errors"]})
                    return "failed"
                if stopping.is_set():
                    # Without a complete message, the client knows that it has to reconnect.
                    return "cancelled"
        await self._end({"id": key, "type": "complete"})
        return "completed"

    async def _end(self, message: dict[str, Any]) -> None:
        # The client may use the id again as soon as it reads this message.
        self._operations.pop(message["id"], None)
        await self._send(message)

    async def _send(self, message: dict[str, Any]) -> None:
        text = orjson.dumps(message).decode()
        async with self._sending, asyncio.timeout(self._services.settings.send_timeout):
            await self._transmit({"type": "websocket.send", "text": text})


def _decode(text: str) -> dict[str, Any]:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise WebSocketClose(4400, f"The message is not valid JSON: {error}") from error
    if not isinstance(message, dict):
        raise WebSocketClose(4400, "A message must be a JSON object")
    return message


def _operation_id(message: dict[str, Any]) -> str:
    key = message.get("id")
    if not isinstance(key, str) or not key:
        raise WebSocketClose(4400, "The message must have an id")
    return key


def _require_object(payload: Any) -> None:
    if payload is not None and not isinstance(payload, dict):
        raise WebSocketClose(4400, "The payload must be an object")
