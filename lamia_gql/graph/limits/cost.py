"""The cost of an operation: an upper estimate of the number of values in its answer.

``docs/limits.md`` explains the rules to users::

    a field             1 + the cost of its selection
    one that is read    10 + the cost of its selection; its resolver reads the database
    a list              1 + its size * the cost of an entry's selection, but at least 1
    the size of a list  ``first``, ``last`` or ``points`` of its field or of the parent field;
                        in the payload of a mutation, the number of entries in the input; else 10
    a filtered list     1,000 more if ``totalCount`` or ``isTotalCountExact`` is selected
    an argument         1 for each list entry; in the input of a mutation 50
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache
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

from lamia_gql.domain.limits import MAX_COST, MAX_INT
from lamia_gql.graph.limits.document_summary import (
    Definition,
    DocumentSummary,
    FieldSummary,
    Selections,
)

DEFAULT_LIST_SIZE = 10
"""The assumed length of a list if no argument determines it."""
READ_COST = 10
"""The cost of a field whose resolver reads the database, without its selection."""
COUNT_COST = 1_000
"""The cost to count the entries of a filtered list, in values of an answer."""
INPUT_ENTRY_COST = 50
"""The cost to check and store one entry of a mutation's input, in values of an answer."""
RESOLVED_SHARE = 3
"""What is resolved field by field may have this part of ``max_cost``: that takes the event loop, up
to 25 microseconds a value, whereas plans run in threads."""
MAX_INPUT_DEPTH = 8
"""Input types of the schema contain no lists below this level."""

PartialCost = tuple[int, int]
"""The cost of a selection set in two parts: a fixed one, and one for each entry of those lists
directly in it whose size is determined by the parent field."""


def max_resolved(max_cost: int) -> int:
    """The largest number of values of an answer that is resolved field by field."""
    return max_cost // RESOLVED_SHARE


def operation_cost(
    summary: DocumentSummary, operation: Definition, variables: Mapping[str, Any]
) -> int:
    """The cost of an operation with these variables, which may be invalid."""
    return _CostCounter(summary, operation, variables).total()


class CostInputs:
    """What the costs of the operations of a document depend on, besides the document."""

    def __init__(self, summary: DocumentSummary) -> None:
        fields = [
            f
            for definition in (*summary.operations, *summary.fragments.values())
            for selections in definition.sets
            for f in selections.fields
        ]
        inputs = dict.fromkeys(each for f in fields for each in f.inputs)
        self._inputs = [each for each in inputs if _has_lists(each[1], 0)]
        sizes = [size for f in fields for size in f.sizes or () if isinstance(size, VariableNode)]
        self._sizes = sorted({size.name.value for size in sizes})

    def key(self, variables: Mapping[str, Any]) -> Hashable:
        """Equal for variables of equal costs."""
        return (
            *(count_entries(variables.get(name), type_) for name, type_ in self._inputs),
            *(_known_number(variables, name) for name in self._sizes),
        )


def _known_number(variables: Mapping[str, Any], name: str) -> Hashable:
    value = variables.get(name)
    return name in variables, value if isinstance(value, (int, float)) else None


class _CostCounter:
    def __init__(
        self, summary: DocumentSummary, operation: Definition, variables: Mapping[str, Any]
    ) -> None:
        self.summary = summary
        self.operation = operation
        self.variables = variables
        self.fragments: dict[str, PartialCost] = {}
        self.defaults: dict[str, int] = {}
        if isinstance(operation.node, OperationDefinitionNode):
            for variable in operation.node.variable_definitions or ():
                if isinstance(variable.default_value, IntValueNode):
                    digits = variable.default_value.value
                    self.defaults[variable.variable.name.value] = int(digits[:12])

    def total(self) -> int:
        # Fragments come after those that they spread, so chains of them need no recursion.
        for name, fragment in self.summary.fragments.items():
            self.fragments[name] = self._cost_without_fragments(fragment.selections)
        fixed, sized = self._cost(self.operation.selections)
        return min(fixed + DEFAULT_LIST_SIZE * sized, MAX_COST)

    def _cost(self, selections: Selections) -> PartialCost:
        fixed, sized = self._cost_without_fragments(selections)
        for name in self.summary.all_spreads(selections):
            more, each = self.fragments[name]
            fixed, sized = fixed + more, sized + each
        return fixed, sized

    def _cost_without_fragments(self, selections: Selections) -> PartialCost:
        fixed = sized = 0
        for f in selections.fields:
            more, each = self._field_cost(f)
            fixed, sized = fixed + more, sized + each
        return fixed, sized

    def _field_cost(self, f: FieldSummary) -> PartialCost:
        below, each = (0, 0) if f.selections is None else self._cost(f.selections)
        if f.is_filtered and f.selections is not None and self._counts(f.selections):
            below += COUNT_COST
        entries = f.entries + sum(
            count_entries(self.variables.get(name), type_) for name, type_ in f.inputs
        )
        if f.is_mutation:
            return 1 + INPUT_ENTRY_COST * entries + below + max(1, entries) * each, 0
        size = None if f.sizes is None else self._size(f.sizes)
        own = entries + (READ_COST if f.is_read else 1)
        if not f.is_list:
            return own + below + (DEFAULT_LIST_SIZE if size is None else size) * each, 0
        entry = max(1, below + DEFAULT_LIST_SIZE * each)
        return (own, entry) if size is None else (own + size * entry, 0)

    def _counts(self, selections: Selections) -> bool:
        """Whether the length of a list is selected directly in a selection set."""
        parts = [self.summary.fragments[name] for name in self.summary.all_spreads(selections)]
        return any(
            f.is_count
            for part in (selections, *(part.selections for part in parts))
            for f in part.fields
        )

    def _size(self, sizes: tuple[int | VariableNode, ...]) -> int:
        numbers = [
            size if isinstance(size, int) else self._variable(size.name.value) for size in sizes
        ]
        known = [number for number in numbers if number is not None]
        return min(max(0, *known), MAX_INT) if known else DEFAULT_LIST_SIZE

    def _variable(self, name: str) -> int | None:
        value = self.variables[name] if name in self.variables else self.defaults.get(name)
        # 5.0 is a valid Int. Values that are not numbers are refused by validation.
        if isinstance(value, float) and abs(value) <= MAX_INT:
            return int(value)
        return value if isinstance(value, int) else None


def count_entries(value: Any, expected: GraphQLInputType, depth: int = 0) -> int:
    """The number of list entries in a value for an input type.

    Only lists of the type count, not those inside a JSON scalar.
    """
    if isinstance(expected, GraphQLNonNull):
        expected = expected.of_type
    if isinstance(value, list) and is_list_type(expected):
        item = expected.of_type
        entries = len(value)
        if _has_lists(item, 0):
            entries += sum(count_entries(one, item, depth + 1) for one in value)
        return entries
    if (
        isinstance(value, dict)
        and is_input_object_type(expected)
        and _has_lists(expected, 0)
        and depth < MAX_INPUT_DEPTH
    ):
        return sum(
            count_entries(value[name], part.type, depth + 1)
            for name, part in expected.fields.items()
            if name in value
        )
    return 0


@lru_cache(256)
def _has_lists(expected: GraphQLInputType, depth: int) -> bool:
    if isinstance(expected, GraphQLNonNull):
        expected = expected.of_type
    if is_list_type(expected):
        return True
    return (
        is_input_object_type(expected)
        and depth < MAX_INPUT_DEPTH
        and any(_has_lists(part.type, depth + 1) for part in expected.fields.values())
    )
