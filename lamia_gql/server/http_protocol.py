"""Uvicorn's HTTP/1.1 with deadlines and bounds for what clients send.

Requests are parsed in pieces. So the headers of a request are bounded even while they are not
complete, and of a connection that sends requests without waiting for answers only a few are parsed.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lamia_gql.domain.errors import ErrorCode
from lamia_gql.graph.transport.result import error_body
from lamia_gql.graph.transport.sse import ABORT_EXTENSION
from lamia_gql.server.connection_limits import MIN_RATE, ConnectionLimits
from lamia_gql.server.unread_data import has_unread_data

MAX_HEADER_BYTES = 65_536
"""The largest size of a request's first line and headers; also of the trailers behind a body."""
MAX_HEADERS = 200
LONGEST_PIECE = 16_384
"""How much is parsed at once."""
SHORTEST_PIECE = 256
"""A piece ends with the first blank line behind so many bytes. The shortest request has 18 bytes
and ends with a blank line, so that a piece has at most 16 requests."""
BLANK_LINE = b"\r\n\r\n"
LINGER_S = 2.0
"""How long a client that was refused may take to read why, before the connection is cut."""
RETRY_AFTER_S = 5


class Stage(Enum):
    """What a client is sending."""

    NOTHING = auto()
    HEADERS = auto()
    BODY = auto()


class RequestRefused(Exception):  # noqa: N818  (a decision, not an error of the program)
    """The request has been refused: parsing is to end."""


class HttpProtocol(HttpToolsProtocol):
    """One connection.

    The extension ``lamia.cut`` of its ASGI scopes is a function that aborts it without the client's
    cooperation.
    """

    def __init__(self, limits: ConnectionLimits, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self.address = ""
        self.held_bytes = 0
        self._limits = limits
        self._stage = Stage.NOTHING
        self._deadline = math.inf
        """When the client must have sent what it is to send."""
        self._unparsed = b""
        """What the client has sent while its earlier requests wait."""
        self._overhead = 0
        """The bytes that were parsed since the request, its headers or a part of its body ended."""
        self._ended = False
        """Whether nothing more is parsed: the client was refused, or speaks another protocol."""
        self._begin_reading = 0.0
        """When the client has begun to read an answer, if it has not read all of it."""

    def connection_made(self, transport: Any) -> None:
        """Begin a connection, or refuse it."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        if self._limits.admit(self):
            self._expect()
        else:
            self._ended = True
            self.transport.write(
                _answer(
                    503,
                    ErrorCode.TOO_MANY_CONNECTIONS,
                    "The server has too many connections. Try again later.",
                )
            )
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._limits.remove(self)
        self._unparsed = b""
        self._ended = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what the client sends, as long as no request waits."""
        if self._ended:
            return
        self._unset_keepalive_if_required()
        if self._unparsed or self.pipeline:
            self._unparsed += data
            self.flow.pause_reading()
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        begin, size = 0, len(data)
        while begin < size and not self._ended and not (begin and self.pipeline):
            end = data.find(BLANK_LINE, begin + SHORTEST_PIECE, begin + LONGEST_PIECE)
            end = min(begin + LONGEST_PIECE, size) if end < 0 else end + len(BLANK_LINE)
            self._overhead += end - begin
            self._parse_piece(data if end - begin == size else data[begin:end])
            if self._stage is Stage.NOTHING:
                self._overhead = 0
                self._expect()
            elif self._overhead >= MAX_HEADER_BYTES and not self._ended:
                self._refuse_headers()
            elif self._stage is Stage.HEADERS and not self._ended:
                self._limits.hold(self, self.held_bytes + end - begin)
            begin = end
        if begin < size and not self._ended:
            self._unparsed = data[begin:]
            self.flow.pause_reading()

    def _parse_piece(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            # Whoever asks for another protocol, as for HTTP/2, is answered by HTTP/1.1.
            if self._should_upgrade():
                self._ended = True
                self.handle_websocket_upgrade()
                self._limits.remove(self)
        except httptools.HttpParserError as error:
            if not self._ended:
                self._refuse(400, "BAD_REQUEST", f"This is not an HTTP request: {error}.")

    def _parse_more(self) -> None:
        if self.pipeline or self._ended or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        data, self._unparsed = self._unparsed, b""
        self.flow.resume_reading()
        self._parse(data)

    def _expect(self) -> None:
        """Let the time for the next headers begin, unless it runs or an answer comes first."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if self._deadline == math.inf and not answering:
            self._deadline = self._next_deadline()

    def on_message_begin(self) -> None:
        """Begin a request, and add the extension to its scope."""
        super().on_message_begin()
        self.scope.setdefault("extensions", {})[ABORT_EXTENSION] = self.transport.abort  # type: ignore[assignment] # not in uvicorn's types
        self._stage = Stage.HEADERS
        self._expect()

    def on_headers_complete(self) -> None:
        """Start to answer a request."""
        if len(self.headers) > MAX_HEADERS:
            self._refuse_headers()
        if self._ended:
            raise RequestRefused
        super().on_headers_complete()
        if self._limits.end_with_answers:
            self.end_with_answer()
        self._limits.wait(self)
        self._stage = Stage.BODY
        self._overhead = 0
        self._deadline = self._next_deadline()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if self._ended:
            return
        super().on_body(body)
        self._overhead = 0
        self._deadline += len(body) / MIN_RATE
        if not self.cycle.response_complete:
            self._limits.hold(self, self.held_bytes + len(body))

    def on_message_complete(self) -> None:
        """End a request."""
        if self._ended:
            return
        super().on_message_complete()
        if self.cycle is not None and not self.cycle.response_complete:
            self._limits.work(self)
        self._stage = Stage.NOTHING
        self._deadline = math.inf

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one."""
        super().on_response_complete()
        if self._unparsed and not self.pipeline:
            self.flow.pause_reading()
            self.loop.call_soon(self._parse_more)
        if not self.cycle.response_complete:
            # There is a later request, whose rest had to wait.
            if self._stage is Stage.BODY:
                self._deadline = max(self._deadline, self._next_deadline())
            return
        self._limits.hold(self, self._unread_bytes())
        if self._stage is Stage.NOTHING:
            # Uvicorn closes a connection that is idle.
            self._deadline = math.inf
            self._limits.wait(self)
            # Headers are large, and it may wait for long.
            self.url, self.headers, self.scope, self.cycle.scope = b"", [], {}, {}  # type: ignore[typeddict-item]
        else:
            self._deadline = self._next_deadline()

    def pause_writing(self) -> None:
        """Let the time begin in which the client must read."""
        super().pause_writing()
        self._begin_reading = self.loop.time()
        if self.cycle is not None and self.cycle.response_complete:
            self._limits.hold(self, self._unread_bytes())

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        super().resume_writing()
        if self.cycle is not None and self.cycle.response_complete:
            self._limits.hold(self, 0)

    def _unread_bytes(self) -> int:
        """How much of an answer waits for the client, if it is so much that one is told."""
        return self.transport.get_write_buffer_size() if self.flow.write_paused else 0

    def _next_deadline(self) -> float:
        return self.loop.time() + self._limits.request_timeout_s

    def end_with_answer(self) -> None:
        """Tell the client that the connection ends with the answer to the request that it has sent.

        If its headers are on their way already, the next answer tells.
        """
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """End the connection, after a request that is being received or answered."""
        if self._ended:
            self.transport.close()
        elif self._stage is not Stage.HEADERS and not has_unread_data(self.transport):
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, unless its next request came while the event loop was busy."""
        if not self.transport.is_closing() and not has_unread_data(self.transport):
            self.transport.close()

    def check_deadline(self, now: float) -> None:
        """See :class:`lamia_gql.server.connection_limits.Connection`."""
        if self.flow.write_paused:
            allowed = self._limits.send_timeout_s + self.held_bytes / MIN_RATE
            if now > self._begin_reading + allowed:
                self.transport.abort()
            return
        if now < self._deadline or self.flow.read_paused:
            return
        if self._ended:
            self.transport.abort()
        elif self._stage is Stage.BODY:
            # An earlier request may have to be answered first.
            if not self.pipeline:
                self._refuse_late()
        elif self.cycle is None or self.cycle.response_complete:
            if self._stage is Stage.NOTHING:
                self.transport.close()
            else:
                self._refuse_late()

    def give_way(self) -> None:
        """See :class:`lamia_gql.server.connection_limits.Connection`."""
        self._ended = True
        self.transport.close()

    def may_let_go(self) -> bool:
        """See :class:`lamia_gql.server.connection_limits.Connection`."""
        return self._stage is not Stage.NOTHING or self.cycle.response_complete

    def let_go(self) -> None:
        """See :class:`lamia_gql.server.connection_limits.Connection`."""
        self._refuse(
            503,
            ErrorCode.BUSY,
            "The server is receiving too much at once. Nothing was stored; try again later.",
        )

    def _refuse_late(self) -> None:
        self._refuse(
            408,
            "REQUEST_TIMEOUT",
            f"The request was not complete in time: headers have {self._limits.request_timeout_s:g}"
            f" seconds, and then the body, plus one for each {MIN_RATE} bytes.",
        )

    def _refuse_headers(self) -> None:
        if len(self.url) > MAX_HEADER_BYTES // 2:
            self._refuse(
                414,
                "URI_TOO_LONG",
                f"A URL and the headers may have at most {MAX_HEADER_BYTES} bytes: use POST.",
            )
        else:
            self._refuse(
                431,
                "HEADERS_TOO_LARGE",
                f"A request may have at most {MAX_HEADERS} headers, of {MAX_HEADER_BYTES} bytes"
                " together.",
            )

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer the request that is being received with an error, and end the connection."""
        self._ended = True
        self._unparsed = b""
        self._limits.work(self)
        self._limits.hold(self, 0)
        before = self.cycle is not None and not self.cycle.response_complete
        started = False
        if self._stage is Stage.BODY:
            before = bool(self.pipeline)
            started = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.pipeline.clear()
        if before or started or self._unread_bytes() or self.transport.is_closing():
            # Another answer is on its way, or this one: an error can't be told in between.
            self.transport.abort()
            return
        self.transport.write(_answer(status, code, message))
        # If it were closed while the client still sends, the client would lose the answer.
        self.transport.write_eof()
        self._deadline = self.loop.time() + LINGER_S
        self.flow.resume_reading()


def _answer(status: int, code: str, message: str) -> bytes:
    body = orjson.dumps(error_body(message, code))
    retry = f"retry-after: {RETRY_AFTER_S}\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{retry}connection: close\r\n\r\n"
    )
    return head.encode() + body
