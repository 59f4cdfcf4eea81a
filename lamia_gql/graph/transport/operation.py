"""An operation that a client asks for, by whatever transport, and its results."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLError
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from lamia_gql.graph.context import Context
from lamia_gql.graph.schema import Schema, explain_all


class MalformedOperation(ValueError):  # noqa: N818  (it says what is the case)
    """What a client has sent is not an operation; the message says why."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request asks for."""

    query: str
    variables: dict[str, Any] | None
    name: str | None

    @classmethod
    def of(cls, parameters: Any) -> Operation:
        """The operation of a decoded request. Raises :class:`MalformedOperation`."""
        if not isinstance(parameters, dict):
            raise MalformedOperation("The request must be a JSON object with a `query`.")
        for name, kind, what in (
            ("query", str, "a string"),
            ("operationName", str, "a string"),
            ("variables", dict, "an object"),
            ("extensions", dict, "an object"),
        ):
            if parameters.get(name) is not None and not isinstance(parameters[name], kind):
                raise MalformedOperation(f"`{name}` must be {what}.")
        if not parameters.get("query"):
            raise MalformedOperation("`query` is missing.")
        return cls(
            parameters["query"], parameters.get("variables"), parameters.get("operationName")
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One result of an operation, as it goes to the client."""

    body: dict[str, Any]
    cursor: str | None = None
    """Its place, in a stream that can be resumed."""
    failed: bool = False
    """Whether this is why the operation did not begin, or came to an end: there is no data."""
    task_id: int | None = None
    """The task that it shows, in a stream of tasks."""
    json: orjson.Fragment = field(init=False, compare=False)
    """The body as it goes over the wire, made once for all who get it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "json", orjson.Fragment(orjson.dumps(self.body)))


async def results(
    schema: Schema, operation: Operation, context: Context, allowed: set[OperationType]
) -> AsyncGenerator[Result, None]:
    """The one result of a query or mutation, or those of a subscription. Raises nothing."""
    try:
        stream = await schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=context,
            operation_name=operation.name,
            allowed_operation_types=allowed,
        )
        async with aclosing(stream):
            async for result in stream:
                yield _result(result, context)
    except Exception as error:
        # What extensions find while they parse is raised, rather than given as a result.
        yield failure(error, context)


def failure(error: Exception, context: Context) -> Result:
    """The result that tells why an operation did not begin, or came to an end."""
    found = error if isinstance(error, GraphQLError) else None
    found = found or GraphQLError(str(error), original_error=error)
    return _result(PreExecutionError(data=None, errors=[found]), context)


def _result(result: Any, context: Context) -> Result:
    explain_all(result.errors or (), executed=not isinstance(result, PreExecutionError))
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [dict(error.formatted) for error in result.errors]
    # What went wrong in a field has a path; what has none concerns the operation as a whole.
    failed = isinstance(result, PreExecutionError) or (
        result.data is None and all(error.path is None for error in result.errors or ())
    )
    if not failed:
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    return Result(body, context.cursor, failed, None if failed else context.task_id)
