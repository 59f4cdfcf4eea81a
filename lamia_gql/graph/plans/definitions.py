"""What Strawberry knows of the fields of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import FieldNode, GraphQLField, Node, get_argument_values, visit
from graphql.language import Visitor
from strawberry.schema import Schema
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from lamia_gql.graph.plans.selection import NotPlannable


class ArgumentsPlace:
    """A field whose arguments a plan needs, and how Strawberry wants them."""

    def __init__(self, definition: GraphQLField, node: FieldNode, field: StrawberryField) -> None:
        self._definition = definition
        self._node = node
        self._field = field
        self.depends = any(map(has_variables, node.arguments or ()))
        """Whether they depend on variables."""
        self._constant: Mapping[str, Any] | None = None

    def values(self, variables: Any, schema: Schema) -> Mapping[str, Any]:
        """The arguments, for the coerced variables of the operation."""
        if self._constant is not None:
            return self._constant
        found = convert_arguments(
            get_argument_values(self._definition, self._node, variables),
            self._field.arguments,
            schema.schema_converter.scalar_registry,
            schema.config,
        )
        if not self.depends:
            self._constant = found
        return found


def has_variables(node: Node) -> bool:
    """Whether a part of a document names a variable."""
    finder = _VariableFinder()
    visit(node, finder)
    return finder.found


class _VariableFinder(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_variable(self, *_: Any) -> None:
        self.found = True


def strawberry_field(definition: GraphQLField) -> StrawberryField:
    """The definition of a field. Raises :class:`NotPlannable`."""
    field = definition.extensions.get("strawberry-definition")
    if not isinstance(field, StrawberryField):
        raise NotPlannable("a field that is not ours")
    return field
