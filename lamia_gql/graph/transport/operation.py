"""An operation that a client asks for, by any transport."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from lamia_gql.graph.limits.persisted_documents import PersistedDocuments

DEFINITION = re.compile(r"\s*(?:query|mutation|subscription)\s+(\w+)", re.ASCII)
"""The beginning of a document whose first definition is an operation with a name."""
REMEMBERED_CHARACTERS = 4_096
"""The names in documents up to this length are remembered: to find one takes longer."""

HASH_PREFIX = "sha256:"
"""What a ``documentId`` begins with that is the SHA-256 of the document."""


class MalformedOperation(ValueError):  # noqa: N818  (it states what is the case)
    """The request does not contain an operation; the message says why."""

    code = "BAD_REQUEST"


class UnknownDocument(MalformedOperation):
    """The request has only the hash of a document. Clients then send it again with the document.

    Some of them know the errors by their messages, which Apollo has defined.
    """


class PersistedQueryNotSupported(UnknownDocument):
    """The server has no documents."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported")


class PersistedQueryNotFound(UnknownDocument):
    """The server has no document with this hash."""

    code = "PERSISTED_QUERY_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")


@dataclass(frozen=True, slots=True)
class Operation:
    """A GraphQL request, decoded: document, variables and operation name."""

    query: str
    variables: dict[str, Any] | None
    name: str | None

    @property
    def shown_name(self) -> str | None:
        """Its name for the log and the metrics; many clients give it in the document only."""
        if self.name is not None:
            return self.name
        is_short = len(self.query) <= REMEMBERED_CHARACTERS
        return _remembered_name(self.query) if is_short else _name_in(self.query)

    @property
    def size(self) -> int:
        """Its size as JSON, in bytes, without what is around it."""
        try:
            return len(self.query) + len(orjson.dumps(self.variables or {}))
        except orjson.JSONEncodeError:
            # They are nested too deeply, for which the operation will be refused.
            return len(self.query)

    @classmethod
    def of(cls, parameters: Any, persisted: PersistedDocuments | None = None) -> Operation:
        """The operation in a decoded request.

        Raises :class:`MalformedOperation`.

        Args:
            parameters: the decoded request.
            persisted: documents that the client may name by their hash, if there are any.
        """
        if not isinstance(parameters, dict):
            raise MalformedOperation("The request must be a JSON object with a `query`.")
        for name, kind, expected in (
            ("query", str, "a string"),
            ("documentId", str, "a string"),
            ("operationName", str, "a string"),
            ("variables", dict, "an object"),
            ("extensions", dict, "an object"),
        ):
            if parameters.get(name) is not None and not isinstance(parameters[name], kind):
                raise MalformedOperation(f"`{name}` must be {expected}.")
        query = parameters.get("query") or _persisted(parameters, persisted)
        return cls(query, parameters.get("variables"), parameters.get("operationName"))


def _persisted(parameters: dict[str, Any], persisted: PersistedDocuments | None) -> str:
    """The document that a request without one names by its SHA-256.

    That is in `documentId`, by the draft of GraphQL over HTTP, with the prefix `sha256:`; or in the
    extension `persistedQuery`, as clients of Apollo, urql and others send it.
    """
    named = parameters.get("documentId")
    if named is None:
        extension = (parameters.get("extensions") or {}).get("persistedQuery")
        if extension is None:
            raise MalformedOperation("`query` is missing.")
        named = extension.get("sha256Hash") if isinstance(extension, dict) else None
    if persisted is None:
        raise PersistedQueryNotSupported
    found = persisted.find(str(named).removeprefix(HASH_PREFIX))
    if found is None:
        raise PersistedQueryNotFound
    return found


def _name_in(document: str) -> str | None:
    found = DEFINITION.match(document)
    return None if found is None else found[1]


_remembered_name = lru_cache(256)(_name_in)
