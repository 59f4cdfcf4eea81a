"""Gives every request an id, counts it, and logs the requests that the server has failed.

It also completes the headers of answers: one more layer around each request would take longer than
all that is done here.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable
from itertools import count
from typing import cast
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lamia_gql.api.current_request import CurrentRequest, current_request
from lamia_gql.api.request_statistics import RequestStatistics
from lamia_gql.server.response_headers import add_defaults

log = logging.getLogger(__name__)

HEADER = b"x-request-id"
GIVEN_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
"""An id of the client's that is used: it can't break a line of the log or a header."""
STARTS = {"http.response.start", "websocket.http.response.start"}
"""The messages that begin an answer; a WebSocket that is accepted begins with another one."""
SHOWN_CHARACTERS = 200
"""How much of a path is shown in the log."""


class RequestLog:
    """Puts the id of a request into :data:`current_request` and into the header of its answer.

    It adds the default headers as well.

    Answers with a status of 500 or more are logged at the level info, all others at debug.

    Args:
        app: the application.
        statistics: counts the answers to HTTP requests.
    """

    def __init__(self, app: ASGIApp, statistics: RequestStatistics) -> None:
        self._app = app
        self._statistics = statistics
        # No other server, nor this one after a restart, gives the same ids.
        self._prefix = secrets.token_hex(5)
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        # Not reset afterwards: the server may still log an error of the same asyncio task.
        request = CurrentRequest(self._request_id(scope))
        current_request.set(request)
        is_http = scope["type"] == "http"
        answered = False

        def send_completed(message: Message) -> Awaitable[None]:
            nonlocal answered
            kind = message["type"]
            if kind in STARTS:
                headers = message["headers"] = [*message["headers"], (HEADER, request.id.encode())]
                add_defaults(headers)
                if is_http:
                    answered = True
                    self._count(scope, request, message["status"], begin)
            elif kind == "websocket.accept":
                message["headers"] = [(HEADER, request.id.encode())]
            return send(message)

        self._statistics.running += is_http
        try:
            await self._app(scope, receive, send_completed)
        finally:
            self._statistics.running -= is_http
            if is_http and not answered:
                # An exception, which is answered outside of this.
                self._count(scope, request, 500, begin)

    def _request_id(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == HEADER and GIVEN_ID.fullmatch(value):
                return cast(bytes, value).decode()
        return f"{self._prefix}-{next(self._numbers)}"

    def _count(self, scope: Scope, request: CurrentRequest, status: int, begin: float) -> None:
        seconds = time.perf_counter() - begin
        operation = request.operation
        self._statistics.count_answer(operation, status, seconds)
        if status >= 500 or log.isEnabledFor(logging.DEBUG):
            label = self._statistics.label(operation)
            log.log(
                logging.INFO if status >= 500 else logging.DEBUG,
                # What is part of the template tells lines apart that are not to be counted as one.
                f"{scope['method']} %s ({label}) was answered {status} after %.3f s",
                quote(scope["path"])[:SHOWN_CHARACTERS],
                seconds,
                extra={"status": status, "seconds": round(seconds, 6)},
            )
