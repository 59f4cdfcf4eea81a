"""Headers that every response has unless it says otherwise."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEFAULTS = {
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
}
"""Browsers take no response for another type than it declares, and nobody keeps the data."""


class ResponseHeaders:
    """Adds :data:`DEFAULTS` to the responses of an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def send_with_defaults(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = [*message["headers"]]
                names = {name.lower() for name, _ in headers}
                headers += [entry for entry in DEFAULTS.items() if entry[0] not in names]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_defaults)
