"""Results of operations, as every transport sends them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLError
from strawberry.types.execution import ExecutionResult, PreExecutionError

from lamia_gql.graph.context import Context
from lamia_gql.graph.schema import add_codes
from lamia_gql.graph.transport.encoding import Encoded, encode

LAST = 2**63
"""Larger than the number of any event."""


SUGGESTION = re.compile(r" Did you mean [^?]*\?")
"""What graphql-core adds to the message about a misspelled name: names, which have no question
mark, and perhaps the value in which it is."""


@dataclass(frozen=True, slots=True)
class Result:
    """One result of an operation."""

    body: dict[str, Any]
    """``errors``, ``data`` and ``extensions``, as far as there are any."""
    cursor: str | None = None
    """The cursor to resume from, in a stream that can be resumed; an error has none."""
    failed: bool = False
    """Whether the operation was refused, or ended by an error: then there is no ``data``."""
    task_id: int | None = None
    """The task that is shown, in a stream of tasks."""
    seq: int = 0
    """The number of the event that is shown, in a stream of events; of an end, the largest one."""
    encoded: Encoded = field(default=b"", compare=False)
    """The body as JSON, encoded once for all clients that receive it."""

    @classmethod
    def of_encoded(cls, encoded: Encoded) -> Result:
        """The successful result of a query, whose body is encoded already."""
        return cls({}, encoded=encoded)

    def __post_init__(self) -> None:
        if not self.encoded:
            object.__setattr__(self, "encoded", orjson.dumps(self.body))


async def build_result(found: ExecutionResult, context: Context) -> Result:
    """The result of an execution; every error in it gets its code."""
    errors = found.errors or []
    add_codes(errors, executed=not isinstance(found, PreExecutionError))
    body: dict[str, Any] = {}
    if not context.settings.introspection:
        for error in errors:
            error.message = SUGGESTION.sub("", error.message)
    if errors:
        context.services.requests.errors.update(
            error.extensions["code"] for error in errors if error.extensions
        )
        body["errors"] = [dict(error.formatted) for error in errors]
    # An error of a field has a path; an error without one concerns the operation as a whole.
    failed = isinstance(found, PreExecutionError) or (
        found.data is None and all(error.path is None for error in errors)
    )
    if not failed:
        body["data"] = found.data
    if found.extensions:
        body["extensions"] = found.extensions
    encoded = await encode(body, context.budget)
    return Result(
        body,
        # Those of a shared execution have come since the latest one of the client's own.
        None if failed else context.cursor,
        failed,
        None if failed else context.task_id,
        LAST if failed else context.seq,
        encoded,
    )


async def build_failure(error: Exception, context: Context) -> Result:
    """The result that says why an operation was refused, or why it ended."""
    if not isinstance(error, GraphQLError):
        error = GraphQLError(str(error), original_error=error)
    return await build_result(PreExecutionError(data=None, errors=[error]), context)


def error_body(message: str, code: str) -> dict[str, Any]:
    """The body of a result that is one error, found by the transport rather than by GraphQL."""
    return {"errors": [{"message": message, "extensions": {"code": code}}]}
