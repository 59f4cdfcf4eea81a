"""A connection to a server that takes events, and the parser of its responses."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lamia_gql.client.configuration import ServerConfig, is_token
from lamia_gql.client.event import encode_json
from lamia_gql.client.http_exchange import CLOCK_HEADER, HttpExchange
from lamia_gql.client.redirects import PERMANENT_STATUSES
from lamia_gql.client.watchdog import Watchdog

EXCHANGE_TIMEOUT_S = 15.0
"""Time for a whole request and response, however slowly the bytes arrive."""
SLOW_AFTER_S = 1.0
"""Time after which a server counts as slow, and the interval of calls to ``on_slow``."""
SLOW_BODY_BYTES = 64 * 1024
"""The size from which a request may be too large for a slow line."""
DOCUMENT = """\
mutation SubmitEvents($input: SubmitEventsInput!) {
  submitEvents(input: $input) {
    results {
      duplicate
      enough
      userErrors {
        code
        field
        message
      }
    }
    userErrors {
      code
      field
      message
    }
  }
}
"""
"""A copy of ``schema/operations/submit_events.graphql``, which a single file can't read."""
COMMITTED = {"Lamia-Position": "committed"}
"""The header that asks for all that is committed, also where the server reads from replicas: who
has changed something expects to see it."""
TASK_HEADER = "Lamia-Task"
"""The header with the task of all events of a request, percent-encoded: balancers send a task's
events to the same server, since one at a time can write to a task."""
UNKNOWN_CODE = "BAD_USER_INPUT"
"""The code of an error that is caused by a field or a value that the server does not know."""
REQUEST_ERROR_CODES = {
    "BAD_REQUEST",
    UNKNOWN_CODE,
    "REQUEST_TOO_LARGE",
    "TOO_COSTLY",
    "TOO_DEEP",
    "TOO_MANY",
}
"""Codes of errors that are caused by an event, not by the server or its state."""
UNEXPECTED_ERROR_CODES = {"INTERNAL", None}
"""Codes of errors that an event may have caused, but need not."""
TOO_LARGE_STATUS = 413
REJECTED_STATUSES = (400, TOO_LARGE_STATUS, 422)
"""Statuses by which a proxy refuses a request for what is in it, or for its size."""
REDIRECT_STATUSES = (*PERMANENT_STATUSES, 302, 303, 307)
OUTAGE_STATUSES = (*REDIRECT_STATUSES, 401, 403, 404, 429, 502, 503, 504)
"""Statuses that do not depend on the events in the request."""


class ServerUnavailableError(Exception):
    """The events were not accepted for a reason that may pass; one sentence for the user.

    ``may_be_event``: whether an event in the request may have caused it, because the server could
    be reached, but has not answered properly.
    """

    def __init__(self, message: str, *, may_be_event: bool = False) -> None:
        super().__init__(message)
        self.may_be_event = may_be_event


class RequestRejectedError(Exception):
    """The whole request was rejected because of an event, without telling which.

    ``is_from_server``: whether lamia-gql itself has answered, and not a proxy. ``is_too_large``:
    whether the reason is the size of the request. ``is_unknown``: whether the reason is a field or
    a value that the server does not know.
    """

    def __init__(
        self,
        message: str,
        *,
        is_from_server: bool = True,
        is_too_large: bool = False,
        is_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.is_from_server = is_from_server
        self.is_too_large = is_too_large
        self.is_unknown = is_unknown


class EventResult(NamedTuple):
    """The server's result for one event."""

    code: str | None
    """The code of the user error; None if the event is stored."""
    message: str
    enough: bool
    """Whether the process has reached its threshold."""
    field: str = ""
    """The optional field of the event that the error complains about."""


class ServerConnection:
    """Connects on first use, and stays connected. Not thread-safe.

    Args:
        server: The server to connect to.
        on_slow: Called from another thread about every second while a request takes long.
    """

    def __init__(self, server: ServerConfig, on_slow: Callable[[], object] = lambda: None) -> None:
        self._server = server
        self._exchange = HttpExchange(server)
        self._on_slow = on_slow
        self._watchdog = Watchdog(self._check_duration, SLOW_AFTER_S)

    @property
    def retry_after_s(self) -> float:
        """How long the server, by its last answer, wants to be left alone."""
        return self._exchange.retry_after_s

    def submit(
        self, events: Sequence[dict[str, Any]], *, with_clock: bool = False
    ) -> list[EventResult]:
        """Send events, and return their results in the same order.

        ``with_clock`` sends the time, too: the server then corrects the times of the events.

        Raises :class:`ServerUnavailableError` or :class:`RequestRejectedError`; the server may
        have stored the events nevertheless. Raises ValueError, TypeError or RecursionError if an
        event can't be encoded.
        """
        body = encode_json({"query": DOCUMENT, "variables": {"input": {"events": events}}})
        more = {CLOCK_HEADER: ""} if with_clock else {}
        tasks = {str(event.get("task", "")) for event in events}
        if len(tasks) == 1:
            more[TASK_HEADER] = urllib.parse.quote(tasks.pop(), safe="", errors="replace")
        status, content = self._send(body, more)
        return self._parse_response(status, content, len(events))

    def execute(self, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Execute an operation that is not about events, and return its data.

        Raises :class:`ServerUnavailableError` if there is none. Raises ValueError, TypeError or
        RecursionError if a variable can't be encoded.
        """
        body = encode_json({"query": document, "variables": variables})
        status, content = self._send(body, COMMITTED)
        try:
            answer = json.loads(content)
            errors = answer.get("errors")
            if errors:
                raise ServerUnavailableError(str(errors[0].get("message")))
            data: dict[str, Any] = answer["data"]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            message = f"The server at {self._server.url} answers with status {status}."
            raise ServerUnavailableError(message) from error
        return data

    def _send(self, body: bytes, more: Mapping[str, str]) -> tuple[int, bytes]:
        """The status and the content of the answer. Raises :class:`ServerUnavailableError`."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", **more}
        try:
            with self._watchdog:
                token = self._read_token()
                if token:
                    headers["Authorization"] = f"Bearer {token}"
                return self._exchange.post(body, headers)
        except (OSError, http.client.HTTPException, ValueError, ImportError) as error:
            self._exchange.reset()
            reason = str(error) or type(error).__name__
            proxy = self._exchange.proxy
            way = f" through the proxy {proxy}" if proxy else ""
            message = f"The server at {self._server.url} can't be reached{way}: {reason}."
            is_dropped = isinstance(error, (http.client.HTTPException, ConnectionResetError))
            is_too_slow = isinstance(error, socket.timeout) and len(body) > SLOW_BODY_BYTES
            raise ServerUnavailableError(message, may_be_event=is_dropped or is_too_slow) from error

    def close(self) -> None:
        """Disconnect, and end the watchdog; the connection can't be used again."""
        self._exchange.disconnect()
        self._watchdog.stop()

    def _check_duration(self, seconds: float) -> None:
        if seconds >= EXCHANGE_TIMEOUT_S:
            self._exchange.interrupt()
        self._on_slow()

    def _read_token(self) -> str | None:
        token = self._server.token
        if token is None and self._server.token_file:
            try:
                # Read for every request, because tokens are renewed while jobs run.
                with open(self._server.token_file, encoding="utf-8") as file:
                    token = file.read(65536).strip()
            except (OSError, ValueError) as error:
                raise ServerUnavailableError(f"The token can't be read: {error}.") from error
        if token and not is_token(token):
            raise ServerUnavailableError("The token has characters that no token has.")
        return token

    def _parse_response(self, status: int, content: bytes, event_count: int) -> list[EventResult]:
        url = self._server.url
        if status in (401, 403):
            raise ServerUnavailableError(f"The server at {url} denies access (status {status}).")
        is_too_large = status == TOO_LARGE_STATUS
        may_be_event = status not in OUTAGE_STATUSES
        try:
            body = json.loads(content)
            errors = body.get("errors")
            if errors:
                codes = {(error.get("extensions") or {}).get("code") for error in errors}
                message = str(errors[0].get("message"))
                if status < 500 and codes <= REQUEST_ERROR_CODES:
                    raise RequestRejectedError(
                        message, is_too_large=is_too_large, is_unknown=UNKNOWN_CODE in codes
                    )
                raise ServerUnavailableError(
                    f"The server at {url} can't accept events now: {message}",
                    may_be_event=may_be_event and codes <= UNEXPECTED_ERROR_CODES,
                )
            if status != 200:
                raise LookupError("no errors in the body")
            payload = body["data"]["submitEvents"]
            if payload["userErrors"]:
                raise RequestRejectedError(str(payload["userErrors"][0]["message"]))
            results = [_parse_result(result) for result in payload["results"]]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            if status in REJECTED_STATUSES:
                message = f"A request to {url} was refused with status {status}."
                raise RequestRejectedError(
                    message, is_from_server=False, is_too_large=is_too_large
                ) from error
            problem = "is not lamia-gql" if status == 200 else f"answers with status {status}"
            if status in REDIRECT_STATUSES:
                problem += (
                    f", and has moved to {self._exchange.redirect}: use that address if it is yours"
                )
            raise ServerUnavailableError(
                f"The server at {url} {problem}.", may_be_event=may_be_event
            ) from error
        if len(results) != event_count:
            raise ServerUnavailableError(
                f"The server at {url} answered {len(results)} of {event_count} events.",
                may_be_event=True,
            )
        return results


def _parse_result(result: dict[str, Any]) -> EventResult:
    for error in result["userErrors"]:
        # A part of a field is like "usage.cpus".
        field = str(error["field"] or "").partition(".")[0]
        return EventResult(str(error["code"]), str(error["message"]), False, field)
    return EventResult(None, "", result["enough"] is True)
