"""GraphQL over HTTP, by its specification (https://graphql.github.io/graphql-over-http)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.schema.exceptions import (
    CannotGetOperationTypeError,
    InvalidOperationTypeError,
)
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from lamia_gql.api.accept import parse_media_type, parse_quality_list
from lamia_gql.api.authentication import authenticate, denied_status
from lamia_gql.api.client_clock import HEADER as CLOCK
from lamia_gql.api.client_clock import clock_offset
from lamia_gql.api.current_request import note_operation
from lamia_gql.api.rate_limits import Client
from lamia_gql.api.read_position import HEADER as POSITION
from lamia_gql.api.read_position import position_header, wanted_position
from lamia_gql.api.request_body import HttpError, parse_json, read_body
from lamia_gql.api.request_headers import request_headers
from lamia_gql.api.services import Services
from lamia_gql.domain.errors import AccessDenied, LimitExceeded, RateExceeded, Unavailable
from lamia_gql.graph.context import Context
from lamia_gql.graph.limits.persisted_documents import PersistedDocuments
from lamia_gql.graph.schema import Schema
from lamia_gql.graph.transport.authorization import require_permission
from lamia_gql.graph.transport.encoding import Encoded
from lamia_gql.graph.transport.operation import MalformedOperation, Operation
from lamia_gql.graph.transport.result import Result, build_result, error_body
from lamia_gql.graph.transport.sse import EVENT_STREAM, EventStream, abort_function
from lamia_gql.graph.transport.streams import OperationStreams
from lamia_gql.storage.read_sources import Freshness

PATH = "/graphql"
JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
OFFERED = {
    GRAPHQL: GRAPHQL,
    JSON: JSON,
    EVENT_STREAM: EVENT_STREAM,
    "*/*": JSON,
    "application/*": JSON,
    "text/*": EVENT_STREAM,
}
"""The media type of the answer, by the media range that a client accepts."""
POST_OPERATIONS = {OperationType.QUERY, OperationType.MUTATION}
GET_OPERATIONS = {OperationType.QUERY}
PIECE_BYTES = 1 << 18
"""A larger answer is sent in pieces, so that it is copied only piece by piece."""


class GraphQLEndpoint:
    """``/graphql`` by POST and GET; answers JSON, or a stream of server-sent events.

    Everything else is for the application. Starlette's routes, and its objects of requests and
    responses, take longer than to decode an event.
    """

    def __init__(self, app: ASGIApp, schema: Schema, streams: OperationStreams) -> None:
        self._app = app
        self._schema = schema
        self._streams = streams

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].removeprefix(scope["root_path"]) == PATH:
            return self._serve(scope, receive, send)
        return self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._respond(scope, receive)
        await answer(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Answer | EventStream:
        """The answer to any request, also to a malformed one."""
        media_type = JSON
        try:
            headers = request_headers(scope)
            media_type = negotiate(headers.get("accept"))
            method = scope["method"]
            if method not in ("GET", "POST"):
                raise HttpError(
                    405,
                    "METHOD_NOT_ALLOWED",
                    "GraphQL is served by GET and POST.",
                    allow="GET, POST",
                )
            services: Services = scope["state"]["services"]
            principal, credential = authenticate(services, headers)
            parameters = (
                _query_parameters(scope)
                if method == "GET"
                else await _body_parameters(headers, receive, services)
            )
            operation = read_operation(parameters, self._schema.documents.persisted)
            note_operation(operation.shown_name)
            require_permission(self._schema, operation, principal)
            # The answer of a stream begins before anything is written: it can't tell a position.
            wanted = (
                Freshness.COMMITTED
                if media_type == EVENT_STREAM
                else wanted_position(headers.get(POSITION))
            )
            address = scope["client"][0] if scope["client"] else None
            context = Context(services, principal, address, wanted)
            context.clock_offset = clock_offset(headers.get(CLOCK), context.now)
            allowed = POST_OPERATIONS if method == "POST" else GET_OPERATIONS
            if media_type == EVENT_STREAM:
                operation = self._streams.without_undeclared_variables(operation)
                context.last_event_id = headers.get("last-event-id")
                allowed = allowed | {OperationType.SUBSCRIPTION}
                stream = EventStream(self._streams, operation, context, credential, allowed)
                stream.headers.add_vary_header("Accept")
                return stream
            return await self._execute(context, operation, media_type, allowed)
        except AccessDenied as error:
            return _refuse(HttpError(denied_status(error), error.code, str(error)), media_type)
        except RateExceeded as error:
            return _refuse(HttpError(429, error.code, str(error), **error.headers), media_type)
        except HttpError as error:
            return _refuse(error, media_type)

    async def _execute(
        self,
        context: Context,
        operation: Operation,
        media_type: str,
        allowed: set[OperationType],
    ) -> Answer:
        client = Client.of(context.principal, context.client_address)
        try:
            context.services.rates.operations.take(client)
            await context.services.request_turns.take(client)
            found: Any = await self._streams.planned.answer(operation, context, allowed)
            if isinstance(found, Result):
                return Answer(found.encoded, 200, media_type, {}, context)
            if found is None:
                found = await self._resolve(context, operation, allowed)
            result = await build_result(found, context)
        except BaseException:
            context.budget.close()
            raise
        headers: dict[str, str] = {}
        for error in found.errors or ():
            if isinstance(error.original_error, RateExceeded):
                headers |= error.original_error.headers
        status = _status(found, result.failed, media_type)
        return Answer(result.encoded, status, media_type, headers, context)

    async def _resolve(
        self, context: Context, operation: Operation, allowed: set[OperationType]
    ) -> Any:
        try:
            return await self._schema.execute(
                operation.query,
                variable_values=operation.variables,
                context_value=context,
                operation_name=operation.name,
                allowed_operation_types=allowed,
            )
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                raise HttpError(
                    406,
                    "NOT_ACCEPTABLE",
                    f"Subscriptions are served as {EVENT_STREAM}, or over WebSocket.",
                ) from error
            raise HttpError(
                405, "METHOD_NOT_ALLOWED", "Mutations are served by POST only.", allow="POST"
            ) from error
        except CannotGetOperationTypeError as error:
            raise HttpError(
                400,
                "OPERATION_NOT_FOUND",
                "The document has no operation of this name: check operationName.",
            ) from error


class Answer:
    """The answer to a request; it gives back the memory of its operation when it is sent.

    Args:
        body: the body.
        status: the HTTP status.
        media_type: the type of the body.
        headers: more headers, their names in lower case.
        context: the context of the operation, if one was executed.
    """

    def __init__(
        self,
        body: Encoded,
        status: int,
        media_type: str,
        headers: Mapping[str, str],
        context: Context | None = None,
    ) -> None:
        self._body = body
        self._status = status
        self._headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", media_type.encode()),
            (b"vary", b"Accept"),
        ]
        if context is not None and context.has_written:
            headers = {**headers, **position_header(context.services)}
        for name, value in headers.items():
            self._headers.append((name.encode("latin-1"), value.encode("latin-1")))
        self._context = context

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the answer, in pieces if it is large; abort if the client does not read."""
        start = {"type": "http.response.start", "status": self._status, "headers": self._headers}
        context = self._context
        try:
            await send(start)
            if context is None or len(self._body) <= PIECE_BYTES:
                await send({"type": "http.response.body", "body": self._body})
            else:
                await self._send_pieces(send, context.settings.send_timeout)
        except TimeoutError:
            abort_function(scope)()
        finally:
            if context is not None:
                context.budget.close()

    async def _send_pieces(self, send: Send, timeout_s: float) -> None:
        whole = memoryview(self._body)
        for begin in range(0, len(whole), PIECE_BYTES):
            piece = bytes(whole[begin : begin + PIECE_BYTES])
            more = begin + PIECE_BYTES < len(whole)
            async with asyncio.timeout(timeout_s):
                await send({"type": "http.response.body", "body": piece, "more_body": more})


def _refuse(error: HttpError, media_type: str) -> Answer:
    body = orjson.dumps(error_body(str(error), error.code))
    shown = JSON if media_type == EVENT_STREAM else media_type
    return Answer(body, error.status, shown, error.headers)


def _status(found: ExecutionResult, failed: bool, media_type: str) -> int:
    causes = [error.original_error for error in found.errors or []]
    if any(isinstance(cause, RateExceeded) for cause in causes):
        return 429
    if any(isinstance(cause, Unavailable) for cause in causes):
        return 503
    for cause in causes:
        if isinstance(cause, AccessDenied) and found.data is None:
            return denied_status(cause)
    if not failed:
        return 200
    if any(isinstance(cause, LimitExceeded) for cause in causes):
        return 400
    if any(cause is not None and not isinstance(cause, GraphQLError) for cause in causes):
        return 500
    # By the specification, plain JSON is answered by 200 even if the document is not valid.
    return 400 if media_type == GRAPHQL else 200


def negotiate(accept: str | None) -> str:
    """The media type of the answer, by the ``Accept`` header.

    Raises :class:`HttpError` if the client accepts none that is offered.
    """
    if not accept:
        return JSON
    best, chosen = 0.0, None
    for name, quality, parameters in parse_quality_list(accept):
        offered = OFFERED.get(name)
        is_utf8 = parameters.get("charset", "utf-8") == "utf-8"
        if offered is not None and is_utf8 and quality > best:
            best, chosen = quality, offered
    if chosen is None:
        raise HttpError(
            406, "NOT_ACCEPTABLE", f"Answers are {GRAPHQL}, {JSON} or {EVENT_STREAM}, in UTF-8."
        )
    return chosen


def read_operation(parameters: Any, persisted: PersistedDocuments | None) -> Operation:
    """The operation in a decoded request; its document may be one of these.

    Raises :class:`HttpError`.
    """
    try:
        return Operation.of(parameters, persisted)
    except MalformedOperation as error:
        raise HttpError(400, error.code, str(error)) from error


def _query_parameters(scope: Scope) -> Any:
    parameters: dict[str, Any] = dict(QueryParams(scope["query_string"]))
    for name in ("variables", "extensions"):
        if name in parameters:
            parameters[name] = parse_json(parameters[name] or "null", name)
    return parameters


async def _body_parameters(headers: Mapping[str, str], receive: Receive, services: Services) -> Any:
    encoding = headers.get("content-encoding", "identity")
    if not _is_json(headers.get("content-type", "")) or encoding.lower() != "identity":
        raise HttpError(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            f"Send the request as {JSON}, in UTF-8, uncompressed.",
        )
    return parse_json(await read_body(receive, services.settings.max_request_bytes), "The body")


def _is_json(content_type: str) -> bool:
    """Whether it declares JSON in UTF-8."""
    # Nearly all clients write it like this.
    if content_type == JSON:
        return True
    name, parameters = parse_media_type(content_type)
    return name == JSON and parameters.get("charset", "utf-8") in ("utf-8", "utf8")
