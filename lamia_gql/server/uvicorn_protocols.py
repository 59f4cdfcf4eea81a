"""Uvicorn's protocols with additions for live connections.

Both let the application abort a connection without the client's cooperation: the extension
``lamia.cut`` of the ASGI scope is a function that does it.
"""

from __future__ import annotations

import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from lamia_gql.graph.transport.sse import ABORT_EXTENSION

WEBSOCKET_LOG = "uvicorn.websocket"
"""The name of the log of WebSockets. At the level info, it tells of each that opens or closes."""


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 with ``lamia.cut``."""

    def on_message_begin(self) -> None:
        """Begin a request, and add the extension to its scope."""
        super().on_message_begin()
        self.scope.setdefault("extensions", {})[ABORT_EXTENSION] = self.transport.abort  # type: ignore[assignment] # not in uvicorn's types


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSocket with ``lamia.cut``; it tolerates invalid UTF-8, and clients that do not read."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = self.conn.logger = logging.getLogger(WEBSOCKET_LOG)

    def send_receive_event_to_app(self) -> None:
        """Pass on a message; invalid UTF-8 as bytes, for which uvicorn would log a traceback."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.curr_msg_data_type = "bytes"
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping, unless output is waiting already: the client may never read it."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    async def run_asgi(self) -> None:
        """Serve the connection; then abort it if the client does not close it in time."""
        self.scope["extensions"][ABORT_EXTENSION] = self.transport.abort  # type: ignore[assignment] # not in uvicorn's types
        await super().run_asgi()
        if not self.disconnected:
            self.loop.call_later(self.close_timeout, self.transport.abort)
