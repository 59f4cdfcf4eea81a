"""Uvicorn's protocols, with what live connections need of them in addition.

Both give the application a way to end a connection without the client's cooperation: a function
in the scope's extensions, by the name ``lamia.cut``.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from lamia_gql.graph.transport.sse import ABORT_EXTENSION


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope.setdefault("extensions", {})[ABORT_EXTENSION] = self.transport.abort  # type: ignore[assignment] # an extension of ours


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSocket."""

    def send_receive_event_to_app(self) -> None:
        """Hand on a message; text that is not UTF-8 as bytes, instead of logging a traceback."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.curr_msg_data_type = "bytes"
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping, unless answers wait already: a client may never read them."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    async def run_asgi(self) -> None:
        """Serve the connection; afterwards the client has a while to leave by itself."""
        self.scope["extensions"][ABORT_EXTENSION] = self.transport.abort  # type: ignore[assignment] # an extension of ours
        await super().run_asgi()
        if not self.disconnected:
            self.loop.call_later(self.close_timeout, self.transport.abort)
