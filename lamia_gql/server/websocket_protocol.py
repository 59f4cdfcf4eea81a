"""Uvicorn's WebSocket with bounds for what clients send.

Frames are parsed in pieces, and not while a message waits for the application. So a client that
sends many small frames neither fills the memory nor keeps others waiting.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from lamia_gql.graph.transport.frames import FRAMES_EXTENSION, Frames
from lamia_gql.graph.transport.sse import ABORT_EXTENSION
from lamia_gql.server.connection_limits import MIN_RATE, ConnectionLimits

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from uvicorn._types import ASGIReceiveEvent

WEBSOCKET_LOG = "uvicorn.websocket"
"""The name of the log of WebSockets. At the level info, it tells of each that opens or closes."""
MAX_FRAGMENTS = 1_024
"""The largest number of frames of one message."""
PIECE = 1_024
"""How many bytes are parsed at once: up to 170 frames."""
POLICY_VIOLATION, TOO_BIG, TRY_AGAIN_LATER = 1008, 1009, 1013


def encode_frame(message: bytes) -> bytes:
    """See :class:`lamia_gql.graph.transport.frames.Frames`; no extension changes it."""
    return Frame(Opcode.TEXT, message).serialize(mask=False)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection; it tolerates invalid UTF-8, and clients that do not read.

    The extension ``lamia.cut`` of its ASGI scope is a function that aborts it without the client's
    cooperation. The extension ``lamia.frames`` writes messages without waiting.
    """

    def __init__(self, limits: ConnectionLimits, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self.logger = self.conn.logger = logging.getLogger(WEBSOCKET_LOG)
        self.address = ""
        self.held_bytes = 0
        self._limits = limits
        self._frames = Frames(encode_frame)
        self._unparsed = bytearray()
        """What the client has sent while its messages wait, or others have their turn."""
        self._waits_for_turn = False
        self._begun = self.loop.time()
        """When the client has begun a message at the earliest."""
        self._abort_timer: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Take over a connection from HTTP."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._frames.transport = transport
        self._limits.add(self)

    def pause_writing(self) -> None:
        """Have nothing more written at once: the client does not read."""
        super().pause_writing()
        self._frames.transport = None

    def resume_writing(self) -> None:
        """Write at once again."""
        super().resume_writing()
        self._frames.transport = self.transport

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._frames.transport = None
        self._limits.remove(self)
        self._unparsed.clear()
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what the client sends, in turns if it is much."""
        self._unparsed += data
        if not self._waits_for_turn:
            self._parse(time.monotonic() + self._limits.turns.LENGTH_S)

    def _parse(self, until: float) -> None:
        unparsed = self._unparsed
        while unparsed and self._may_parse():
            piece = bytes(unparsed[:PIECE])
            del unparsed[:PIECE]
            super().data_received(piece)
            if time.monotonic() > until:
                break
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # Uvicorn would leave an invalid request without an answer.
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
        # A part of a message, in frames that are complete, and of a frame.
        self._limits.hold(self, (self.conn.current_size or 0) + len(self.conn.reader.buffer))
        if self.transport.is_closing():
            unparsed.clear()
            self._limits.hold(self, 0)
        elif unparsed:
            self._pause_reading()
            if self._may_parse():
                self._take_turn()
        elif self.read_paused and self._may_parse():
            self.read_paused = False
            self.transport.resume_reading()

    def _may_parse(self) -> bool:
        # After a close, the application takes no more messages, but the client answers the close.
        return (self.queue.empty() or self.close_sent) and not self.transport.is_closing()

    def _take_turn(self) -> None:
        if not self._waits_for_turn:
            self._waits_for_turn = True
            self._limits.turns.take(self._work)

    def _work(self, until: float) -> None:
        self._waits_for_turn = False
        self._parse(until)

    def _pause_reading(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    async def receive(self) -> ASGIReceiveEvent:
        """The next message for the application."""
        message = await self.queue.get()
        if self.read_paused and self._may_parse():
            if self._unparsed:
                self._take_turn()
            else:
                self.read_paused = False
                self.transport.resume_reading()
        return message

    def handle_cont(self, event: Frame) -> None:
        """Take a further frame of a message."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self._fail(TOO_BIG, f"A message may have at most {MAX_FRAGMENTS} frames")
        else:
            super().handle_cont(event)

    def _fail(self, code: int, reason: str) -> None:
        self.frames = []
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()

    def send_receive_event_to_app(self) -> None:
        """Pass on a message; invalid UTF-8 as bytes, for which uvicorn would log a traceback."""
        self._begun = self.loop.time()
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
        self.scope["extensions"][FRAMES_EXTENSION] = self._frames  # type: ignore[assignment]
        await super().run_asgi()
        if not self.disconnected:
            self._abort_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def check_deadline(self, now: float) -> None:
        """Close it if its client has begun a message that does not come in time.

        It may be silent otherwise: uvicorn's pings find a client that has vanished.
        """
        if not self.held_bytes or self.read_paused:
            self._begun = now
        elif now > self._begun + self._limits.request_timeout_s + self.held_bytes / MIN_RATE:
            self._fail(POLICY_VIOLATION, "The message was not complete in time")

    def may_let_go(self) -> bool:
        """See :class:`lamia_gql.server.connection_limits.Connection`: parts of messages only."""
        return True

    def let_go(self) -> None:
        """See :class:`lamia_gql.server.connection_limits.Connection`."""
        self._fail(TRY_AGAIN_LATER, "The server is receiving too much at once; try again later")
