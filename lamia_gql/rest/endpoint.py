"""HTTP requests and responses: methods, bodies, status codes and the format of errors."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lamia_gql.api.accept import parse_media_type
from lamia_gql.api.request_body import HttpError, parse_json, read_body
from lamia_gql.api.services import Services
from lamia_gql.domain.errors import ErrorCode, LamiaError, Unavailable, UserError
from lamia_gql.ingest.task_input import InvalidInput
from lamia_gql.storage.operation_reads import OperationReads
from lamia_gql.storage.transaction import ReadConnection

log = logging.getLogger(__name__)
T = TypeVar("T")

JSON = "application/json"
LINES = "application/x-ndjson"
"""The media type of lines that each have a JSON value: NDJSON."""
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
    """Whether the body is a list that is sent as lines, each with the JSON of one entry."""

    @property
    def encoded(self) -> bytes:
        """The body as it is sent."""
        if not self.lines:
            return orjson.dumps(self.body)
        return b"".join(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in self.body)


class RestRequest:
    """One request, with its time, and with the task and process in its address."""

    def __init__(self, request: Request) -> None:
        self.services: Services = request.state.services
        self.now = datetime.now(UTC)
        self.query = request.query_params
        self.task: str = request.path_params.get("task", "")
        self.process: str = request.path_params.get("process", "")
        self.client_address = request.client.host if request.client else None
        self.budget = self.services.answer_budget()
        """What the answer may take."""
        self._request = request

    @property
    def path(self) -> str:
        """The path of the address, percent-encoded."""
        return quote(self._request.scope["path"])

    @property
    def has_lines(self) -> bool:
        """Whether the body is declared as lines of JSON."""
        return self._media_type == LINES

    @property
    def _media_type(self) -> str:
        return parse_media_type(self._request.headers.get("content-type", ""))[0]

    async def read(self, work: Callable[[ReadConnection], T]) -> T:
        """The result of a read of the database, which is stopped after ``max_operation_time``.

        Raises :class:`LimitExceeded`, :class:`Unavailable`, and what the work raises.
        """
        services = self.services
        reads = OperationReads(
            services.database, services.settings.max_operation_time, self.client_address
        )
        return await reads.read_in_time(work)

    async def raw_body(self) -> bytes:
        """The body.

        Raises :class:`HttpError` if it is too large, or sent by a web page as anything but JSON.
        """
        if "origin" in self._request.headers:
            _require_json(self._media_type)
        return await read_body(self._request.stream(), self.services.settings.max_request_bytes)

    async def json_body(self) -> Any:
        """The body, parsed as JSON. Raises :class:`HttpError`."""
        return parse_json(await self.raw_body(), "The body")


Handler = Callable[[RestRequest], Awaitable[RestResponse]]


class Endpoint:
    """An address: one handler per method. Every exception becomes a JSON error."""

    def __init__(self, **handlers: Handler) -> None:
        self.handlers: Mapping[str, Handler] = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        rest_request = RestRequest(request)
        try:
            answer = await self._respond(request, rest_request)
            response = Response(
                answer.encoded,
                answer.status,
                headers=answer.headers,
                media_type=LINES if answer.lines else JSON,
            )
            await response(scope, receive, send)
        finally:
            rest_request.budget.close()

    async def _respond(self, request: Request, rest_request: RestRequest) -> RestResponse:
        try:
            return await self._handler(request.method)(rest_request)
        except HttpError as error:
            status, headers = error.status, error.headers
            errors = [format_error(str(error), code=error.code)]
        except ClientDisconnect:
            status, headers = 400, {}
            errors = [format_error("The client has disconnected.", code="BAD_REQUEST")]
        except InvalidInput as invalid:
            status, headers = status_of(invalid.errors), {}
            errors = [serialize_error(error) for error in invalid.errors]
        except LamiaError as error:
            status, headers, errors = status_of([error]), {}, [serialize_error(error)]
        except Exception:
            incident = uuid.uuid4().hex[:12]
            log.exception("incident %s at %s %s", incident, request.method, request.url.path)
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


def _require_json(media_type: str) -> None:
    # Pages may send forms and plain text anywhere, without asking first. Other programs have no
    # origin; curl declares a form where it sends JSON.
    if media_type not in (JSON, LINES):
        raise HttpError(
            415, "UNSUPPORTED_MEDIA_TYPE", "Web pages must send their requests as application/json."
        )


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
