"""An operation that a client asks for, by any transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class MalformedOperation(ValueError):  # noqa: N818  (it states what is the case)
    """The request does not contain an operation; the message says why."""

    code = "BAD_REQUEST"


class PersistedQueryNotSupported(MalformedOperation):
    """The request has only the hash of a document. Clients then send it again with the document."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported")  # some clients know it by this message


@dataclass(frozen=True, slots=True)
class Operation:
    """A GraphQL request, decoded: document, variables and operation name."""

    query: str
    variables: dict[str, Any] | None
    name: str | None

    @classmethod
    def of(cls, parameters: Any) -> Operation:
        """The operation in a decoded request. Raises :class:`MalformedOperation`."""
        if not isinstance(parameters, dict):
            raise MalformedOperation("The request must be a JSON object with a `query`.")
        for name, kind, expected in (
            ("query", str, "a string"),
            ("operationName", str, "a string"),
            ("variables", dict, "an object"),
            ("extensions", dict, "an object"),
        ):
            if parameters.get(name) is not None and not isinstance(parameters[name], kind):
                raise MalformedOperation(f"`{name}` must be {expected}.")
        if not parameters.get("query"):
            if "persistedQuery" in (parameters.get("extensions") or {}):
                raise PersistedQueryNotSupported
            raise MalformedOperation("`query` is missing.")
        return cls(
            parameters["query"], parameters.get("variables"), parameters.get("operationName")
        )
