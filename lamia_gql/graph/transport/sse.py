"""GraphQL over server-sent events, one operation per request.

This is the "distinct connections mode" of the graphql-sse protocol
(https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md). In streams that can be resumed,
each message carries its cursor as ``id``; a client sends the last one back as ``Last-Event-ID``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from strawberry.types.graphql import OperationType

from lamia_gql.access.authentication import Credential, credential_ended_error
from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.graph.context import Context
from lamia_gql.graph.transport.operation import Operation
from lamia_gql.graph.transport.result import Result, error_body
from lamia_gql.graph.transport.streams import OperationStreams
from lamia_gql.live.live_connections import server_stopping_error

EVENT_STREAM = "text/event-stream"
COMPLETE = b"event: complete\ndata:\n\n"
COMMENT = b":\n\n"
KEEP_ALIVE_INTERVAL_S = 12.0
"""How often a comment shows that the connection is alive."""
ABORT_EXTENSION = "lamia.cut"
"""The ASGI extension, set by our server protocols, that aborts the connection of a request."""


class EventStream(Response):
    """A response that sends the results of an operation as they come."""

    media_type = EVENT_STREAM

    def __init__(
        self,
        streams: OperationStreams,
        operation: Operation,
        context: Context,
        credential: Credential,
        allowed: set[OperationType],
    ) -> None:
        # Keeps proxies from buffering.
        super().__init__(headers={"cache-control": "no-cache", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._streams = streams
        self._operation = operation
        self._context = context
        self._credential = credential
        self._allowed = allowed
        self._revoked = asyncio.Event()
        """Set when the credential is not valid any more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the operation ends, the client disconnects, or sending times out."""
        context = self._context
        services = context.services
        abort = abort_function(scope)
        lease = services.authentication.lease(
            self._credential, context.principal, self._revoked.set
        )
        try:
            with services.live_connections.admit(context.client_address, abort), lease:
                await self._serve(receive, send, abort)
        except RequestError as error:
            body = error_body(error.message, error.code)
            response: Response
            if error.code is ErrorCode.STOPPING:
                # As in a stream that was open: the client resumes elsewhere.
                end = _next_message(Result(body)) + COMPLETE
                response = Response(end, headers=self.headers, media_type=EVENT_STREAM)
            else:
                response = JSONResponse(body, 429)
            await response(scope, receive, send)

    async def _serve(self, receive: Receive, send: Send, abort: Callable[[], object]) -> None:
        writer = _Writer(send, self._context.settings.send_timeout)
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send_all(writer))
        others = [
            asyncio.create_task(_wait_for_disconnect(receive)),
            asyncio.create_task(writer.keep_alive()),
            asyncio.create_task(self._revoked.wait()),
        ]
        try:
            await asyncio.wait([sending, *others], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *others):
                task.cancel()
            await asyncio.gather(sending, *others, return_exceptions=True)
        if writer.timed_out:
            # A client that does not read would not read the end of the response, either.
            abort()
            await _wait_for_disconnect(receive)
        elif not sending.cancelled():
            sending.result()
        elif self._revoked.is_set():
            error = credential_ended_error()
            await writer.write(_next_message(Result(error_body(error.message, error.code))))
            await writer.write(COMPLETE, more=False)

    async def _send_all(self, writer: _Writer) -> None:
        stopping = self._context.services.live_connections.stopping
        # Browsers and proxies show the response as open only after its first bytes.
        await writer.write(COMMENT)
        stream = self._streams.results(self._operation, self._context, self._allowed)
        async with aclosing(stream):
            async for result in stream:
                await writer.write(_next_message(result))
                if stopping.is_set() and not result.failed:
                    error = server_stopping_error()
                    await writer.write(_next_message(Result(error_body(error.message, error.code))))
                    break
        await writer.write(COMPLETE, more=False)


class _Writer:
    """Writes one message at a time, each within a time limit."""

    def __init__(self, send: Send, timeout_s: float) -> None:
        self._send = send
        self._timeout_s = timeout_s
        self._lock = asyncio.Lock()
        self.timed_out = False
        """Whether the client did not read in time."""

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Send a part of the body. Raises ``TimeoutError`` if the client does not read."""
        async with self._lock:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._send(
                        {"type": "http.response.body", "body": data, "more_body": more}
                    )
            except TimeoutError:
                self.timed_out = True
                raise

    async def keep_alive(self) -> None:
        """Send a comment at regular intervals, without an end."""
        while True:
            await asyncio.sleep(KEEP_ALIVE_INTERVAL_S)
            await self.write(COMMENT)


def abort_function(scope: Scope) -> Callable[[], object]:
    """The function that aborts a request's connection without the client's cooperation."""
    # Only our server protocols provide it; under any other ASGI server it does nothing.
    found: Callable[[], object] = scope.get("extensions", {}).get(ABORT_EXTENSION, lambda: None)
    return found


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _next_message(result: Result) -> bytes:
    cursor = b"" if result.cursor is None else b"id: " + result.cursor.encode() + b"\n"
    return b"event: next\n" + cursor + b"data: " + result.encoded + b"\n\n"
