"""Compresses JSON for clients that accept gzip.

Starlette's own middleware takes ten times as long for an answer that is too short to compress, as
most are, and does not understand ``gzip;q=0``.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Iterable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lamia_gql.api.accept import allows

MIN_BYTES = 1024
"""Shorter answers fit into a packet anyway."""
MIN_BYTES_IN_THREAD = 131_072
"""From here on, the event loop would stand still for more than a millisecond."""
LEVEL = 1
"""The usual level 6 takes two to three times as long, for a tenth less."""
GZIP_FORMAT = 16 + zlib.MAX_WBITS


class Compression:
    """Compresses answers in JSON from :data:`MIN_BYTES`, but not streams.

    Nothing in an answer is secret, so its compressed size may depend on the request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request."""
        start: Message | None = None

        def send_compressed(message: Message) -> Awaitable[None]:
            nonlocal start
            if message["type"] == "http.response.start" and _is_long_json(message):
                start = message
                return _nothing()
            if start is None:
                return send(message)
            first, start = start, None
            return _send_long(scope, send, first, message)

        return self._app(scope, receive, send_compressed)


async def _nothing() -> None:
    """The beginning of a long answer is sent with its body."""


async def _send_long(scope: Scope, send: Send, start: Message, message: Message) -> None:
    """Send the beginning of an answer and its body, or the first part of it."""
    _add_vary(start["headers"])
    if allows(_accepted(scope["headers"]), "gzip") and not message.get("more_body", False):
        body = await _compress(message["body"])
        headers = MutableHeaders(raw=start["headers"])
        headers["content-encoding"] = "gzip"
        headers["content-length"] = str(len(body))
        message = {**message, "body": body}
    await send(start)
    await send(message)


def _is_long_json(start: Message) -> bool:
    headers = dict(start["headers"])
    kind = headers.get(b"content-type", b"")
    # Streams have no length.
    return (
        kind.partition(b";")[0].endswith(b"json")
        and int(headers.get(b"content-length", 0)) >= MIN_BYTES
    )


def _accepted(headers: Iterable[tuple[bytes, bytes]]) -> str:
    # To make Starlette's objects of these and of the answer's takes longer than to look.
    return next((value for name, value in headers if name == b"accept-encoding"), b"").decode(
        "latin-1"
    )


def _add_vary(headers: list[tuple[bytes, bytes]]) -> None:
    """Say that the answer depends on ``Accept-Encoding``."""
    for place, (name, value) in enumerate(headers):
        if name == b"vary":
            headers[place] = name, value + b", Accept-Encoding"
            return
    headers.append((b"vary", b"Accept-Encoding"))


async def _compress(body: bytes) -> bytes:
    if len(body) < MIN_BYTES_IN_THREAD:
        return _gzip(body)
    return await run_in_threadpool(_gzip, body)


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(LEVEL, wbits=GZIP_FORMAT)
    return compressor.compress(body) + compressor.flush()
