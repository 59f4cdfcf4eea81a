"""The schema, put together: roots, extensions, and how errors reach the wire."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import ParserCache, SchemaExtension, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import ExecutionContext

from lamia_gql.errors import LamiaError
from lamia_gql.graph import enums
from lamia_gql.graph.mutation import Mutation
from lamia_gql.graph.process import Array, SolitaryProcess
from lamia_gql.graph.query import Query
from lamia_gql.graph.subscription import Subscription

log = logging.getLogger(__name__)
CACHED_DOCUMENTS = 256

__all__ = ["Schema", "enums", "make_schema", "sdl"]


class Errors(SchemaExtension):
    """Gives every error a code, and hides what is none of the client's business."""

    def on_operation(self) -> Iterator[None]:
        """Look at the errors of the finished operation."""
        yield
        result: Any = self.execution_context.result
        found = getattr(result, "errors", None) or self.execution_context.pre_execution_errors
        for error in found or ():
            explain(error)


def explain(error: GraphQLError) -> None:
    """Give an error its code, in place; one that is unexpected also loses its message."""
    if error.extensions is None:
        error.extensions = {}
    if "code" in error.extensions:
        return
    original = error.original_error
    if isinstance(original, LamiaError):
        error.extensions["code"] = original.code.value
    elif isinstance(original, RecursionError):
        error.message = "The document is nested too deeply."
        error.extensions["code"] = "TOO_DEEP"
    elif original is None or isinstance(original, GraphQLError):
        error.extensions["code"] = _stage(error)
    else:
        incident = uuid.uuid4().hex[:12]
        log.error("incident %s at %s", incident, error.path, exc_info=original)
        error.message = f"Something went wrong on the server (incident {incident})."
        error.extensions |= {"code": "INTERNAL", "incident": incident}


def _stage(error: GraphQLError) -> str:
    if error.message.startswith("Syntax Error"):
        return "GRAPHQL_PARSE_FAILED"
    if error.message.startswith("Variable "):
        return "BAD_USER_INPUT"
    return "GRAPHQL_VALIDATION_FAILED"


class Schema(strawberry.Schema):
    """A schema that logs what :class:`Errors` finds, and nothing twice."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Leave logging to :func:`explain`, which knows what is unexpected."""


def make_schema() -> Schema:
    """The schema."""
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Array, SolitaryProcess],
        extensions=[
            Errors,
            lambda: ParserCache(maxsize=CACHED_DOCUMENTS),
            lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
        ],
        config=StrawberryConfig(sort_schema=True),
    )


def sdl() -> str:
    """The schema in GraphQL's own language, as it is published in ``schema/``."""
    return make_schema().as_str() + "\n"
