"""GraphQL over HTTP, by its specification (https://graphql.github.io/graphql-over-http)."""

from __future__ import annotations

from typing import Any

import orjson
from graphql import GraphQLError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import (
    CannotGetOperationTypeError,
    InvalidOperationTypeError,
)
from strawberry.types.graphql import OperationType

from lamia_gql.api.request_body import BadRequest, decode, gather
from lamia_gql.api.services import Services
from lamia_gql.domain.errors import LimitExceeded, Unavailable
from lamia_gql.graph.context import Context
from lamia_gql.graph.schema import Schema
from lamia_gql.graph.transport.operation import MalformedOperation, Operation
from lamia_gql.graph.transport.sse import EVENT_STREAM, EventStream
from lamia_gql.graph.transport.streams import Streams

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
POST = {OperationType.QUERY, OperationType.MUTATION}
GET = {OperationType.QUERY}


class GraphQLEndpoint:
    """The address ``/graphql``, by POST and GET; answers are JSON, or a stream of events."""

    def __init__(self, schema: Schema, streams: Streams) -> None:
        self.schema = schema
        self.streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The answer to a request, whatever it is: never a traceback."""
        media_type = JSON
        try:
            media_type = negotiate(request.headers.get("accept"))
            if request.method not in ("GET", "POST"):
                raise BadRequest(
                    405,
                    "METHOD_NOT_ALLOWED",
                    "GraphQL is served by GET and POST.",
                    allow="GET, POST",
                )
            operation = await read(request)
            allowed = POST if request.method == "POST" else GET
            if media_type == EVENT_STREAM:
                return self._stream(request, operation, allowed | {OperationType.SUBSCRIPTION})
            return await self._execute(request, operation, media_type, allowed)
        except BadRequest as bad:
            body = {"errors": [{"message": str(bad), "extensions": {"code": bad.code}}]}
            return Response(
                orjson.dumps(body),
                bad.status,
                headers=bad.headers,
                media_type=JSON if media_type == EVENT_STREAM else media_type,
            )

    def _stream(
        self, request: Request, operation: Operation, allowed: set[OperationType]
    ) -> Response:
        context = _context(request)
        context.last_event_id = request.headers.get("last-event-id")
        return EventStream(self.streams, operation, context, allowed)

    async def _execute(
        self,
        request: Request,
        operation: Operation,
        media_type: str,
        allowed: set[OperationType],
    ) -> Response:
        context = _context(request)
        try:
            result = await self.schema.execute(
                operation.query,
                variable_values=operation.variables,
                context_value=context,
                operation_name=operation.name,
                allowed_operation_types=allowed,
            )
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                raise BadRequest(
                    406,
                    "NOT_ACCEPTABLE",
                    f"Subscriptions are served as {EVENT_STREAM}, or over WebSocket.",
                ) from error
            raise BadRequest(
                405, "METHOD_NOT_ALLOWED", "Mutations are served by POST only.", allow="POST"
            ) from error
        except CannotGetOperationTypeError as error:
            raise BadRequest(
                400, "OPERATION_NOT_FOUND", "The document has no such operation: see operationName."
            ) from error
        errors = result.errors or []
        body: dict[str, Any] = {}
        if errors:
            body["errors"] = [dict(error.formatted) for error in errors]
        # A request that was refused before its execution has no data, not even null.
        refused = result.data is None and all(error.path is None for error in errors)
        if not refused:
            body["data"] = result.data
        if result.extensions:
            body["extensions"] = result.extensions
        return Response(
            orjson.dumps(body), _status(errors, refused, media_type), media_type=media_type
        )


def _context(request: Request) -> Context:
    services: Services = request.state.services
    return Context(services, request.client.host if request.client else None)


def _status(errors: list[GraphQLError], refused: bool, media_type: str) -> int:
    causes = [error.original_error for error in errors]
    if any(isinstance(cause, Unavailable) for cause in causes):
        return 503
    if not refused:
        return 200
    if any(isinstance(cause, LimitExceeded) for cause in causes):
        return 400
    if any(cause is not None and not isinstance(cause, GraphQLError) for cause in causes):
        return 500
    # What is wrong with a document is told by the body alone to those who ask for plain JSON.
    return 400 if media_type == GRAPHQL else 200


def negotiate(accept: str | None) -> str:
    """The media type of the answer. Raises :class:`BadRequest` where none is acceptable."""
    if not accept:
        return JSON
    best, chosen = 0.0, None
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
            elif parameter.startswith("charset=") and parameter[8:].strip('"') != "utf-8":
                quality = 0.0
        offered = OFFERED.get(name)
        if offered is not None and quality > best:
            best, chosen = quality, offered
    if chosen is None:
        raise BadRequest(
            406, "NOT_ACCEPTABLE", f"Answers are {GRAPHQL}, {JSON} or {EVENT_STREAM}, in UTF-8."
        )
    return chosen


async def read(request: Request) -> Operation:
    """The operation that a request asks for. Raises :class:`BadRequest`."""
    if request.method == "GET":
        parameters: Any = dict(request.query_params)
        for name in ("variables", "extensions"):
            if name in parameters:
                parameters[name] = decode(parameters[name] or "null", name)
    else:
        encoding = request.headers.get("content-encoding", "identity")
        content_type = request.headers.get("content-type", "")
        name, *rest = (piece.strip().lower() for piece in content_type.split(";"))
        charset = next((p[8:].strip('"') for p in rest if p.startswith("charset=")), "utf-8")
        if name != JSON or charset not in ("utf-8", "utf8") or encoding.lower() != "identity":
            raise BadRequest(
                415,
                "UNSUPPORTED_MEDIA_TYPE",
                f"Send the request as {JSON}, in UTF-8, uncompressed.",
            )
        limit = request.state.services.settings.max_request_bytes
        parameters = decode(await _body(request, limit), "The body")
    try:
        return Operation.of(parameters)
    except MalformedOperation as error:
        raise BadRequest(400, "BAD_REQUEST", str(error)) from error


async def _body(request: Request, limit: int) -> bytes:
    try:
        return await gather(request.stream(), limit)
    except ClientDisconnect:
        raise BadRequest(400, "BAD_REQUEST", "The client has gone.") from None
