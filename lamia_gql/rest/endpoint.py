"""Addresses of REST: their methods, answers, status codes and the format of errors."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import Send

from lamia_gql.api.authentication import CHALLENGE, authenticate, denied_status
from lamia_gql.api.current_request import note_operation
from lamia_gql.api.rate_limits import Client
from lamia_gql.api.read_position import position_header
from lamia_gql.api.request_body import HttpError
from lamia_gql.domain.errors import (
    AccessDenied,
    ErrorCode,
    LamiaError,
    RateExceeded,
    Unavailable,
    UserError,
)
from lamia_gql.ingest.task_input import InvalidInput
from lamia_gql.rest.request import JSON, LINES, RestRequest

log = logging.getLogger(__name__)

JSON_TYPE, LINES_TYPE = JSON.encode(), LINES.encode()
NOT_FOUND_CODES = {ErrorCode.TASK_NOT_FOUND, ErrorCode.PROCESS_NOT_FOUND}
CREATING_METHODS = ("POST", "PATCH")
"""Methods whose error responses also contain ``"created": false``."""
REST_FIELDS = {
    "jobCount": "nJobs",
    "failureTolerance": "fTolerance",
    "threshold": "thresholdProgress",
    "email": "emailNotify",
    "dependencies": "depGraph",
    "hostname": "_meta.host",
    "submittedAt": "_meta.time",
    "index": "arrayIndex",
}
"""The names of fields in REST, where they differ from those of the services."""


@dataclass(frozen=True, slots=True)
class RestResponse:
    """A response with a JSON body."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    lines: bool = False
    """Whether the body is bytes already: lines that each have a JSON value."""

    @property
    def encoded(self) -> bytes:
        """The body as it is sent."""
        return (
            self.body if self.lines else orjson.dumps(self.body, option=orjson.OPT_APPEND_NEWLINE)
        )


Handler = Callable[[RestRequest], Awaitable[RestResponse]]


class Endpoint:
    """An address: one handler per method. Every exception becomes a JSON error.

    Args:
        path: the address, with the names of its variable parts in braces.
        handlers: the handlers, by method.
    """

    def __init__(self, path: str, **handlers: Handler) -> None:
        self.handlers: Mapping[str, Handler] = handlers
        self.operations = {method: f"{method} {path}" for method in handlers}
        """The names of its operations, by method, for the metrics."""
        if "GET" in handlers:
            self.operations["HEAD"] = self.operations["GET"]

    async def serve(self, request: RestRequest, send: Send) -> None:
        """Serve one request."""
        note_operation(self.operations.get(request.method))
        try:
            answer = await self._respond(request)
            body = answer.encoded
            headers = [
                (b"content-length", b"%d" % len(body)),
                (b"content-type", LINES_TYPE if answer.lines else JSON_TYPE),
            ]
            written = {} if request.is_read else position_header(request.services)
            for name, value in (answer.headers | written).items():
                headers.append((name.encode("latin-1"), value.encode("latin-1")))
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        finally:
            request.close()

    async def _respond(self, request: RestRequest) -> RestResponse:
        try:
            services = request.services
            request.principal, _ = authenticate(services, request.headers)
            services.rates.operations.take(Client.of(request.principal, request.client_address))
            return await self._handler(request.method)(request)
        except HttpError as error:
            status, headers = error.status, error.headers
            errors = [format_error(str(error), code=error.code)]
        except InvalidInput as invalid:
            status, headers = status_of(invalid.errors), {}
            errors = [serialize_error(error) for error in invalid.errors]
        except AccessDenied as error:
            status = denied_status(error)
            headers = CHALLENGE if status == 401 else {}
            errors = [serialize_error(error)]
        except RateExceeded as error:
            status, headers, errors = 429, error.headers, [serialize_error(error)]
        except LamiaError as error:
            status, headers, errors = status_of([error]), {}, [serialize_error(error)]
        except Exception:
            incident = uuid.uuid4().hex[:12]
            log.exception(
                "incident %s at %s %s",
                incident,
                request.method,
                request.path,
                extra={"incident": incident},
            )
            reason = f"Something went wrong on the server (incident {incident})."
            errors = [format_error(reason, code="INTERNAL", incident=incident)]
            status, headers = 500, {}
        return RestResponse(error_content(request.method, errors), status, headers)

    def _handler(self, method: str) -> Handler:
        if not self.handlers:
            raise HttpError(404, "NOT_FOUND", "There is nothing at this address.")
        # The server itself omits the body of a response to HEAD.
        handler = self.handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            allowed = ", ".join(self.handlers)
            raise HttpError(
                405, "METHOD_NOT_ALLOWED", f"This address takes {allowed}.", allow=allowed
            )
        return handler


def error_content(method: str | None, errors: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of a response with errors, each by :func:`format_error`."""
    body: dict[str, Any] = {"created": False} if method in CREATING_METHODS else {}
    return body | {"errors": errors}


def format_error(reason: str, **details: Any) -> dict[str, Any]:
    """An error in a response: a sentence for people, details for programs."""
    return {"reason": reason, "details": details}


def serialize_error(error: LamiaError, fields: Mapping[str, str] = REST_FIELDS) -> dict[str, Any]:
    """An error of the services, with its field by the name that it has in REST."""
    if not isinstance(error, UserError) or error.field is None:
        return format_error(error.message, code=error.code)
    path, dot, name = error.field.rpartition(".")
    field = path + dot + fields.get(name, name)
    return format_error(error.message, code=error.code, field=field)


def status_of(errors: Iterable[LamiaError]) -> int:
    """The HTTP status for these errors: the one that they have in common, else 400."""
    statuses = {_status(error) for error in errors}
    return statuses.pop() if len(statuses) == 1 else 400


def _status(error: LamiaError) -> int:
    if isinstance(error, Unavailable) or error.code is ErrorCode.TIMED_OUT:
        return 503
    if error.code in NOT_FOUND_CODES:
        return 404
    if error.code is ErrorCode.PAYLOAD_TOO_LARGE:
        return 413
    if error.code is ErrorCode.FORBIDDEN:
        return 403
    if error.code is ErrorCode.EVENT_ID_TAKEN:
        return 409
    # The name of the task is taken; two processes of one name are a bad request instead.
    if (
        error.code is ErrorCode.NAME_TAKEN
        and isinstance(error, UserError)
        and "processes." not in (error.field or "")
    ):
        return 409
    return 400
