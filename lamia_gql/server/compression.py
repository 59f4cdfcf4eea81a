"""Compresses responses for clients that accept gzip."""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from lamia_gql.server.static_pages import accepts

MIN_BYTES = 1024
"""Shorter responses fit into a packet anyway."""
LEVEL = 1
"""The usual level 6 takes two to three times as long, for a tenth less."""


class Compression:
    """Compresses all responses from :data:`MIN_BYTES` that are not streams or compressed already.

    What is longer than 128 KiB is compressed in a thread. Nothing in a response is secret, so its
    compressed size may depend on the request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._gzip = GZipMiddleware(app, minimum_size=MIN_BYTES, compresslevel=LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        # The middleware itself looks for the word only, and a client may refuse: `gzip;q=0`.
        app = self._gzip if scope["type"] == "http" and _accepts_gzip(scope) else self._app
        await app(scope, receive, send)


def _accepts_gzip(scope: Scope) -> bool:
    return any(
        name == b"accept-encoding" and accepts(value.decode("latin-1"), "gzip")
        for name, value in scope["headers"]
    )
