"""The fields that a selection set asks of one type, with its fragments and conditions resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)

Fields = Mapping[str, Sequence[FieldNode]]
"""By response key, in the order of the answer, the nodes that ask for it."""
CONDITIONS = ("include", "skip")


class NotPlannable(Exception):  # noqa: N818  (a decision, not an error of the program)
    """The operation has something that plans do not do: it is resolved field by field."""


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragments of a document, by name."""
    return {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }


class Selection:
    """Collects fields, by the rules of "Field Collection" in the specification of GraphQL.

    Args:
        schema: the schema.
        fragments: the fragments of the document, by name.
        variables: the values of the variables that conditions use.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables

    def collect(
        self, concrete: GraphQLObjectType, sets: Iterable[SelectionSetNode | None]
    ) -> Fields:
        """The fields that these selection sets together ask of an object of this type."""
        found: dict[str, list[FieldNode]] = {}
        spread: set[str] = set()
        for selections in sets:
            if selections is not None:
                self._collect(concrete, selections.selections, found, spread)
        return found

    def _collect(
        self,
        concrete: GraphQLObjectType,
        nodes: Iterable[SelectionNode],
        found: dict[str, list[FieldNode]],
        spread: set[str],
    ) -> None:
        for node in nodes:
            if not self._is_included(node.directives or ()):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                found.setdefault(key, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                if condition is None or self._is(concrete, condition.name.value):
                    self._collect(concrete, node.selection_set.selections, found, spread)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                spread.add(node.name.value)
                fragment = self._fragments[node.name.value]
                if self._is(concrete, fragment.type_condition.name.value):
                    self._collect(concrete, fragment.selection_set.selections, found, spread)

    def _is(self, concrete: GraphQLObjectType, name: str) -> bool:
        return concrete.name == name or any(i.name == name for i in concrete.interfaces)

    def _is_included(self, directives: Iterable[DirectiveNode]) -> bool:
        for directive in directives:
            name = directive.name.value
            if name not in CONDITIONS:
                raise NotPlannable(f"@{name}")
            [condition] = directive.arguments or ()
            value = condition.value
            if isinstance(value, VariableNode):
                is_true = self._variables[value.name.value]
            elif isinstance(value, BooleanValueNode):
                is_true = value.value
            else:
                raise NotPlannable(f"the condition of @{name}")
            if is_true is not (name == "include"):
                return False
        return True
