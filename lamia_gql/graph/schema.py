"""The schema: its roots, its extensions, and how errors are sent to clients."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from copy import copy
from functools import cache

import strawberry
from graphql import GraphQLError, GraphQLSyntaxError, print_schema
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import ExecutionContext

from lamia_gql.domain.errors import LamiaError, LimitExceeded
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.executor import BudgetedExecutor
from lamia_gql.graph.limits.deadline import Deadline
from lamia_gql.graph.limits.documents import DocumentLimits, Documents
from lamia_gql.graph.mutation import Mutation
from lamia_gql.graph.query import Query
from lamia_gql.graph.subscription import Subscription
from lamia_gql.graph.types.process import JobArray, SolitaryProcess
from lamia_gql.graph.types.scalars import SCALARS

log = logging.getLogger(__name__)

__all__ = ["Schema", "make_schema", "sdl"]

DESCRIPTION = (
    "Monitoring of batch work: jobs send events, and the server computes progress, state and"
    " outlook of the tasks and processes that the jobs belong to."
)


def add_code(error: GraphQLError, default_code: str) -> None:
    """Add the code to an error, in place; the message of an unexpected error is masked.

    ``default_code`` is the code of an error that GraphQL itself has found.
    """
    if error.extensions is None:
        error.extensions = {}
    if "code" in error.extensions:
        return
    original = error.original_error
    if isinstance(original, LamiaError):
        error.extensions["code"] = original.code.value
        if isinstance(original, LimitExceeded):
            error.extensions["limit"] = original.limit
    elif original is None or isinstance(original, GraphQLError):
        error.extensions["code"] = default_code
    else:
        incident = uuid.uuid4().hex[:12]
        log.error(
            "incident %s at %s",
            incident,
            error.path,
            exc_info=original,
            extra={"incident": incident},
        )
        error.message = f"Something went wrong on the server (incident {incident})."
        error.extensions |= {"code": "INTERNAL", "incident": incident}


class Schema(strawberry.Schema):
    """A schema whose errors all have a code, and which masks unexpected errors."""

    documents: Documents

    def _extend_introspection(self) -> None:
        """Keep graphql-core's `isOneOf`: Strawberry's fails for lists and non-null types."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Add the codes to the errors of an operation."""
        add_codes(
            errors, executed=execution_context is not None and execution_context.result is not None
        )


def add_codes(errors: Iterable[GraphQLError], *, executed: bool) -> None:
    """Add the codes to the errors of an operation; ``executed`` is false if it was refused."""
    for error in errors:
        if isinstance(error, GraphQLSyntaxError):
            add_code(error, "GRAPHQL_PARSE_FAILED")
        else:
            add_code(error, "BAD_USER_INPUT" if executed else "GRAPHQL_VALIDATION_FAILED")


def make_schema(settings: Settings | None = None) -> Schema:
    """The schema with the limits of these settings; they default to the built-in values.

    Raises :class:`UnusableDocuments` if there are persisted documents that could not be executed.
    """
    settings = settings or Settings.model_construct()
    documents = Documents(settings)
    schema = copy(_types())
    schema.extensions = (lambda: DocumentLimits(documents), Deadline)
    schema.documents = documents
    if settings.persisted_documents is not None:
        documents.allow_persisted_only(schema._schema, settings.persisted_documents)
    return schema


@cache
def _types() -> Schema:
    """The schema without limits; made once, because that takes half of a server's start."""
    schema = Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[JobArray, SolitaryProcess],
        execution_context_class=BudgetedExecutor,
        config=StrawberryConfig(sort_schema=True, scalar_map=SCALARS),
    )
    schema._schema.description = DESCRIPTION  # Strawberry has no argument for it
    return schema


def sdl() -> str:
    """The schema in GraphQL's schema definition language, as published in ``schema/``."""
    # Strawberry does not print the description of the schema.
    return print_schema(make_schema()._schema) + "\n"
