"""GraphQL over server-sent events, one operation a request.

This is the "distinct connections mode" of the graphql-sse protocol
(https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md). Messages of streams that can
be resumed carry their cursor as ``id``, which a client sends again as ``Last-Event-ID``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import orjson
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from strawberry.types.graphql import OperationType

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.graph.context import Context
from lamia_gql.graph.transport.operation import Operation, Result
from lamia_gql.graph.transport.streams import Streams
from lamia_gql.live.live_connections import stopping

EVENT_STREAM = "text/event-stream"
COMPLETE = b"event: complete\ndata:\n\n"
SILENCE = 12.0
"""Seconds without a message after which a comment shows that the connection is there."""
COMMENT = b":\n\n"
CUT = "lamia.cut"
"""The extension of the scope that ends a connection without the client's cooperation."""


class EventStream(Response):
    """The results of an operation, as they come."""

    media_type = EVENT_STREAM

    def __init__(
        self, streams: Streams, operation: Operation, context: Context, allowed: set[OperationType]
    ) -> None:
        # Proxies are not to keep what should be seen at once.
        super().__init__(headers={"cache-control": "no-cache", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._streams = streams
        self._operation = operation
        self._context = context
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the operation ends, the client leaves, or it does not read for too long."""
        sessions = self._context.services.live_connections
        try:
            cut = cutter(scope)
            with sessions.connected(self._context.client_address, cut):
                await self._serve(receive, send, cut)
        except RequestError as error:
            status = 429 if error.code is ErrorCode.TOO_MANY_CONNECTIONS else 503
            refusal = JSONResponse({"errors": [_formatted(error)]}, status)
            await refusal(scope, receive, send)

    async def _serve(self, receive: Receive, send: Send, cut: Callable[[], object]) -> None:
        writer = _Writer(send, self._context.settings.send_timeout)
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send_all(writer))
        others = [asyncio.create_task(_gone(receive)), asyncio.create_task(writer.show_life())]
        try:
            await asyncio.wait([sending, *others], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *others):
                task.cancel()
            await asyncio.gather(sending, *others, return_exceptions=True)
        if writer.blocked:
            # It has not read for so long that it would not read of its end, either.
            cut()
            await _gone(receive)
        elif not sending.cancelled():
            sending.result()

    async def _send_all(self, writer: _Writer) -> None:
        stopping_soon = self._context.services.live_connections.stopping
        # The first bytes make browsers and proxies take note.
        await writer.write(COMMENT)
        stream = self._streams.results(self._operation, self._context, self._allowed)
        async with aclosing(stream):
            async for result in stream:
                await writer.write(_next(result))
                if stopping_soon.is_set() and not result.failed:
                    await writer.write(_next(Result({"errors": [_formatted(stopping())]})))
                    break
        await writer.write(COMPLETE, more=False)


class _Writer:
    """Writes to a client, one at a time, and not for ever."""

    def __init__(self, send: Send, timeout: float) -> None:
        self._send = send
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self.blocked = False
        """Whether the client did not read in time."""

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Write; raises ``TimeoutError`` where the client does not read."""
        async with self._lock:
            try:
                async with asyncio.timeout(self._timeout):
                    await self._send(
                        {"type": "http.response.body", "body": data, "more_body": more}
                    )
            except TimeoutError:
                self.blocked = True
                raise

    async def show_life(self) -> None:
        """Write a comment now and then."""
        while True:
            await asyncio.sleep(SILENCE)
            await self.write(COMMENT)


def cutter(scope: Scope) -> Callable[[], object]:
    """What ends the connection of a request without its client's cooperation."""
    # Only our own protocols have it; a server of the tests' kind has no connections.
    found: Callable[[], object] = scope.get("extensions", {}).get(CUT, lambda: None)
    return found


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _next(result: Result) -> bytes:
    place = b"" if result.cursor is None else b"id: " + result.cursor.encode() + b"\n"
    return b"event: next\n" + place + b"data: " + orjson.dumps(result.json) + b"\n\n"


def _formatted(error: RequestError) -> dict[str, object]:
    return {"message": error.message, "extensions": {"code": error.code}}
