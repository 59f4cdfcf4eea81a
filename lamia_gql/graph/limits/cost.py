"""What an operation costs: how many values its answer may have, by what it asks for.

The arithmetic is told to users in ``docs/limits.md``::

    a field             1, and the cost of what is selected of it
    a list              1, and its size times what is selected of an entry (at least 1)
    the size of a list  ``first``, ``last`` or ``points``, its own or those of the field around it;
                        in the answer to a mutation the number of entries in its input; else 10
    an entry of a list  in a mutation's input 50, in other arguments 1
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLInputType,
    GraphQLNonNull,
    IntValueNode,
    OperationDefinitionNode,
    VariableNode,
    is_input_object_type,
    is_list_type,
)

from lamia_gql.graph.limits.document_summary import MAX_SIZE, Definition, Field, Selections, Shape

UNSIZED = 10
"""How many entries a list is taken to have where nothing says it."""
INPUT = 50
"""What it costs to check and store an entry of a mutation's input, in values of an answer."""
MAX_COST = 2**53 - 1
"""The largest cost that is told: JSON's readers know no larger whole numbers."""
DEEPEST = 8
"""Below so many levels, a variable holds no lists that any input of the schema has."""

Pair = tuple[int, int]
"""What a selection set costs: so much, and so much for each entry of the lists directly in it that
take their size from around it."""


def operation_cost(shape: Shape, operation: Definition, given: Mapping[str, Any]) -> int:
    """The cost of an operation with these values for its variables, right or wrong ones."""
    return _Costs(shape, operation, given).total()


def is_constant(shape: Shape) -> bool:
    """Whether no variable changes what the operations cost."""
    return not any(
        f.inputs or any(isinstance(size, VariableNode) for size in f.sizes or ())
        for definition in (*shape.operations, *shape.fragments.values())
        for selections in definition.sets
        for f in selections.fields
    )


class _Costs:
    def __init__(self, shape: Shape, operation: Definition, given: Mapping[str, Any]) -> None:
        self.shape = shape
        self.operation = operation
        self.given = given
        self.fragments: dict[str, Pair] = {}
        self.defaults: dict[str, int] = {}
        if isinstance(operation.node, OperationDefinitionNode):
            for variable in operation.node.variable_definitions or ():
                if isinstance(variable.default_value, IntValueNode):
                    digits = variable.default_value.value
                    self.defaults[variable.variable.name.value] = int(digits[:12])

    def total(self) -> int:
        # Those that others spread come first, so a chain of them is no recursion.
        for name, fragment in self.shape.fragments.items():
            self.fragments[name] = self._own(fragment.selections)
        fixed, sized = self._pair(self.operation.selections)
        return min(fixed + UNSIZED * sized, MAX_COST)

    def _pair(self, selections: Selections) -> Pair:
        fixed, sized = self._own(selections)
        for name in self.shape.spread(selections):
            more, each = self.fragments[name]
            fixed, sized = fixed + more, sized + each
        return fixed, sized

    def _own(self, selections: Selections) -> Pair:
        fixed = sized = 0
        for f in selections.fields:
            more, each = self._field(f)
            fixed, sized = fixed + more, sized + each
        return fixed, sized

    def _field(self, f: Field) -> Pair:
        below, each = (0, 0) if f.selections is None else self._pair(f.selections)
        entries = f.entries + sum(
            count_entries(self.given.get(name), type_) for name, type_ in f.inputs
        )
        if f.is_mutation:
            return 1 + INPUT * entries + below + max(1, entries) * each, 0
        size = None if f.sizes is None else self._size(f.sizes)
        if not f.is_list:
            return 1 + entries + below + (UNSIZED if size is None else size) * each, 0
        entry = max(1, below + UNSIZED * each)
        return (1 + entries, entry) if size is None else (1 + entries + size * entry, 0)

    def _size(self, sizes: tuple[int | VariableNode, ...]) -> int:
        numbers = [
            size if isinstance(size, int) else self._variable(size.name.value) for size in sizes
        ]
        known = [number for number in numbers if number is not None]
        return min(max(0, *known), MAX_SIZE) if known else UNSIZED

    def _variable(self, name: str) -> int | None:
        value = self.given[name] if name in self.given else self.defaults.get(name)
        # An Int may be given as 5.0; what is no number at all will be refused later.
        if isinstance(value, float) and abs(value) <= MAX_SIZE:
            return int(value)
        return value if isinstance(value, int) else None


def count_entries(value: Any, expected: GraphQLInputType, depth: int = 0) -> int:
    """How many entries the lists in a value have that is given for a type of input.

    Only lists that the type has count; those in a JSON value are none of the schema's.
    """
    if isinstance(expected, GraphQLNonNull):
        expected = expected.of_type
    if isinstance(value, list) and is_list_type(expected):
        item = expected.of_type
        entries = len(value)
        if _has_lists(item, 0):
            entries += sum(count_entries(one, item, depth + 1) for one in value)
        return entries
    if isinstance(value, dict) and is_input_object_type(expected) and depth < DEEPEST:
        return sum(
            count_entries(value[name], part.type, depth + 1)
            for name, part in expected.fields.items()
            if name in value
        )
    return 0


def _has_lists(expected: GraphQLInputType, depth: int) -> bool:
    if isinstance(expected, GraphQLNonNull):
        expected = expected.of_type
    if is_list_type(expected):
        return True
    return (
        is_input_object_type(expected)
        and depth < DEEPEST
        and any(_has_lists(part.type, depth + 1) for part in expected.fields.values())
    )
