"""The documents that clients send: parsed, measured and validated once, remembered for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    specified_rules,
    validate,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from lamia_gql.domain.errors import ErrorCode, LimitExceeded
from lamia_gql.domain.settings import Settings
from lamia_gql.graph.limits.cost import is_constant, operation_cost
from lamia_gql.graph.limits.document_summary import Shape, read_shape
from lamia_gql.graph.limits.limits import check_shape, parse_document

CACHED_DOCUMENTS = 256
MAX_ERRORS = 5
"""How many errors of validation are looked for: each costs time, and few are read."""
RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)


class Document:
    """A document within the limits; what is asked of it is worked out once."""

    def __init__(self, schema: GraphQLSchema, node: DocumentNode, shape: Shape) -> None:
        self.node = node
        self._schema = schema
        self._shape = shape
        self._constant = is_constant(shape)
        self._costs: dict[str | None, int] = {}

    @cached_property
    def errors(self) -> list[GraphQLError]:
        """What validation finds."""
        return validate(self._schema, self.node, RULES, MAX_ERRORS)

    def cost(self, name: str | None, given: Mapping[str, Any]) -> int:
        """What the operation of this name, else the first one, costs with these variables."""
        if name in self._costs:
            return self._costs[name]
        operations = self._shape.operations
        for operation in operations:
            if operation.node.name is not None and operation.node.name.value == name:
                break
        else:
            name, operation = None, operations[0]
        cost = operation_cost(self._shape, operation, given)
        if self._constant:
            self._costs[name] = cost
        return cost

    def subscribed(self, name: str | None) -> str | None:
        """The field that the subscription of this name, or the only one, begins with.

        None for anything else, and where that is not to be seen at a glance.
        """
        found = [
            operation.node
            for operation in self._shape.operations
            if name is None or (operation.node.name and operation.node.name.value == name)
        ]
        match found:
            case [
                OperationDefinitionNode(
                    operation=OperationType.SUBSCRIPTION,
                    selection_set=SelectionSetNode(selections=(FieldNode() as root,)),
                )
            ]:
                return root.name.value
        return None


class Documents:
    """The latest documents; those that were refused are not kept, as they cost little."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.read = lru_cache(CACHED_DOCUMENTS)(self._read)

    def _read(self, schema: GraphQLSchema, text: str) -> Document:
        """The document of a text. Raises :class:`LimitExceeded` and ``GraphQLError``."""
        node = parse_document(self.settings, text)
        shape = read_shape(schema, self.settings, node)
        check_shape(self.settings, shape)
        return Document(schema, node, shape)


class Limits(SchemaExtension):
    """Refuses an operation beyond the limits before it costs anything, and tells what it costs."""

    def __init__(self, documents: Documents) -> None:
        super().__init__()
        self.documents = documents
        self.document: Document | None = None
        self.cost: int | None = None

    def on_parse(self) -> Iterator[None]:
        """Find or read the document."""
        context = self.execution_context
        if context.query is not None:
            self.document = self.documents.read(context.schema._schema, context.query)
            context.graphql_document = self.document.node
        yield

    def on_validate(self) -> Iterator[None]:
        """Hold the cost against its limit, then validate."""
        context = self.execution_context
        if self.document is not None:
            limit = self.documents.settings.max_cost
            self.cost = self.document.cost(context.operation_name, context.variables or {})
            if self.cost > limit:
                raise LimitExceeded(
                    ErrorCode.TOO_COSTLY,
                    f"The answer may have {self.cost} values, of at most {limit}: ask for less at"
                    " once.",
                    limit,
                )
            context.pre_execution_errors = self.document.errors
        yield

    def get_results(self) -> dict[str, Any]:
        """The cost, for ``extensions``."""
        if self.cost is None:
            return {}
        return {"cost": {"requested": self.cost, "limit": self.documents.settings.max_cost}}
