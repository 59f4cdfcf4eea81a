"""Requests in, answers out: methods, bodies, statuses, and the one shape of all errors."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lamia_gql.api.request_body import BadRequest, decode, gather
from lamia_gql.api.services import Services
from lamia_gql.domain.errors import ErrorCode, LamiaError, Unavailable, UserError
from lamia_gql.ingest.task_input import InvalidInput

log = logging.getLogger(__name__)

NOT_FOUND = {ErrorCode.TASK_NOT_FOUND, ErrorCode.PROCESS_NOT_FOUND}
CREATING = ("POST", "PATCH")
"""Methods whose refusals also say that nothing was created."""
FIELDS = {
    "jobCount": "nJobs",
    "failureTolerance": "fTolerance",
    "threshold": "thresholdProgress",
    "email": "emailNotify",
    "dependencies": "depGraph",
    "hostname": "_meta.host",
    "submittedAt": "_meta.time",
    "index": "arrayIndex",
}
"""What fields are called here, where it is not what the services call them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Call:
    """One request, with what it takes to answer it."""

    def __init__(self, request: Request) -> None:
        self.services: Services = request.state.services
        self.now = datetime.now(UTC)
        self.query = request.query_params
        self.path = quote(request.scope["path"])
        self.task: str = request.path_params.get("task", "")
        self.process: str = request.path_params.get("process", "")
        self.client_address = request.client.host if request.client else None
        self._request = request

    async def raw(self) -> bytes:
        """The body. Raises :class:`BadRequest` where it is too large."""
        return await gather(self._request.stream(), self.services.settings.max_request_bytes)

    async def body(self) -> Any:
        """The body as JSON, whatever type it says it has. Raises :class:`BadRequest`."""
        return decode(await self.raw(), "The body")


Handler = Callable[[Call], Awaitable[Answer]]


class Door:
    """An address: a handler for each of its methods. Never a traceback, whatever comes."""

    def __init__(self, **handlers: Handler) -> None:
        self.handlers: Mapping[str, Handler] = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        answer = await self._answer(request)
        response = Response(
            orjson.dumps(answer.body),
            answer.status,
            headers=answer.headers,
            media_type="application/json",
        )
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self._handler(request.method)(Call(request))
        except BadRequest as bad:
            status, headers, told = bad.status, bad.headers, [error(str(bad), code=bad.code)]
        except ClientDisconnect:
            status, headers, told = 400, {}, [error("The client has gone.", code="BAD_REQUEST")]
        except InvalidInput as refused:
            status, headers = status_of(refused.errors), {}
            told = [explain(wrong) for wrong in refused.errors]
        except LamiaError as wrong:
            status, headers, told = status_of([wrong]), {}, [explain(wrong)]
        except Exception:
            incident = uuid.uuid4().hex[:12]
            log.exception("incident %s at %s %s", incident, request.method, request.url.path)
            reason = f"Something went wrong on the server (incident {incident})."
            told = [error(reason, code="INTERNAL", incident=incident)]
            status, headers = 500, {}
        body: dict[str, Any] = {"created": False} if request.method in CREATING else {}
        return Answer(body | {"errors": told}, status, headers)

    def _handler(self, method: str) -> Handler:
        if not self.handlers:
            raise BadRequest(404, "NOT_FOUND", "There is nothing at this address.")
        # The server leaves out the body of an answer to HEAD by itself.
        handler = self.handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            allowed = ", ".join(self.handlers)
            raise BadRequest(
                405, "METHOD_NOT_ALLOWED", f"This address takes {allowed}.", allow=allowed
            )
        return handler


def error(reason: str, **details: Any) -> dict[str, Any]:
    """An error as it is told: a sentence for people, details for programs."""
    return {"reason": reason, "details": details}


def explain(wrong: LamiaError) -> dict[str, Any]:
    """An error of the services, with the names that things have here."""
    if not isinstance(wrong, UserError) or wrong.field is None:
        return error(wrong.message, code=wrong.code)
    path, dot, name = wrong.field.rpartition(".")
    return error(wrong.message, code=wrong.code, field=path + dot + FIELDS.get(name, name))


def status_of(wrong: Iterable[LamiaError]) -> int:
    """The status of a request with these errors: of all alike ones their own, else 400."""
    found = {_status(each) for each in wrong}
    return found.pop() if len(found) == 1 else 400


def _status(wrong: LamiaError) -> int:
    if isinstance(wrong, Unavailable):
        return 503
    if wrong.code in NOT_FOUND:
        return 404
    if wrong.code is ErrorCode.PAYLOAD_TOO_LARGE:
        return 413
    if wrong.code is ErrorCode.EVENT_ID_TAKEN:
        return 409
    # Two processes of one name are a bad task; a task's own name may be in use.
    if (
        wrong.code is ErrorCode.NAME_TAKEN
        and isinstance(wrong, UserError)
        and "processes." not in (wrong.field or "")
    ):
        return 409
    return 400
