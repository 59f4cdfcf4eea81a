"""A summary of a document: its fields and fragments, as far as limits and cost depend on them.

It is made in one pass over the parsed document, before validation, so unknown names are no errors
here. Fragments are referred to instead of expanded, so the time is linear in the document's length.
Nesting deeper than ``max_depth`` is refused during the descent, which bounds the recursion.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from inspect import iscoroutinefunction

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInputType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    is_input_object_type,
    is_list_type,
)

from lamia_gql.domain.errors import ErrorCode, LimitExceeded
from lamia_gql.domain.limits import MAX_INT
from lamia_gql.domain.settings import Settings

SIZE_ARGUMENTS = frozenset({"first", "last", "points"})
"""The arguments that determine the length of a list."""
FILTER_ARGUMENTS = frozenset({"filter", "eventClass"})
"""The arguments that choose entries of a list."""
COUNT_FIELDS = frozenset({"totalCount", "isTotalCountExact"})
"""The fields for which all entries of a list are counted."""

Size = int | VariableNode
"""The value of a size argument: a number, or a variable."""


@dataclass(slots=True)
class FieldSummary:
    """A field of a selection set, with everything that its cost depends on."""

    key: str
    """Its key in the response: the alias, or else the name."""
    is_list: bool = False
    is_mutation: bool = False
    is_read: bool = False
    """Whether its resolver reads the database."""
    is_filtered: bool = False
    """Whether it is a list, or a page of one, that has to be searched for its entries."""
    is_count: bool = False
    sizes: tuple[Size, ...] | None = None
    """The values of its size arguments; None if the schema defines none for this field."""
    entries: int = 0
    """The number of list entries in its other arguments, as far as they are literals."""
    inputs: tuple[tuple[str, GraphQLInputType], ...] = ()
    """The variables in its other arguments, which may contain more list entries."""
    selections: Selections | None = None


@dataclass(slots=True)
class Selections:
    """A selection set, with the fields of inline fragments merged into it."""

    fields: list[FieldSummary] = field(default_factory=list)
    spreads: set[str] = field(default_factory=set)
    """The fragments that it spreads directly."""


@dataclass(slots=True)
class Definition:
    """An operation or a fragment."""

    node: OperationDefinitionNode | FragmentDefinitionNode
    selections: Selections = field(default_factory=Selections)
    sets: list[Selections] = field(default_factory=list)
    """Its selection sets at all levels."""
    spreads: set[str] = field(default_factory=set)
    """The fragments that it spreads at all levels."""


@dataclass(slots=True)
class DocumentSummary:
    """The operations and fragments of a document."""

    operations: list[Definition]
    fragments: dict[str, Definition]
    """By name, each after all those that it spreads. Spreads of unknown fragments are left out."""
    closures: dict[str, frozenset[str]]
    """For each fragment: itself, and those that it spreads into the same selection set, by any
    number of steps."""
    alias_count: int
    directive_count: int

    def all_spreads(self, selections: Selections) -> frozenset[str]:
        """All fragments whose fields belong to a selection set."""
        return _union(self.closures, selections.spreads)


def summarize_document(
    schema: GraphQLSchema, settings: Settings, document: DocumentNode
) -> DocumentSummary:
    """The summary of a document.

    Raises :class:`LimitExceeded` if it has too many definitions or is nested too deeply, and
    ``GraphQLError`` if fragments spread each other in a cycle.
    """
    if len(document.definitions) > settings.max_definitions:
        raise LimitExceeded(
            ErrorCode.TOO_MANY_DEFINITIONS,
            f"The document has {len(document.definitions)} operations and fragments, of at most"
            f" {settings.max_definitions}.",
            settings.max_definitions,
        )
    return _Summarizer(schema, settings.max_depth).summarize(document)


def reads_database(declared: GraphQLField) -> bool:
    """Whether the resolver of a field reads the database."""
    # Resolvers that read wait for what they read, so they are asynchronous; no others are.
    definition = declared.extensions.get("strawberry-definition")
    resolver = definition and definition.base_resolver
    return bool(resolver and iscoroutinefunction(resolver.wrapped_func))


def too_deep_error(limit: int) -> LimitExceeded:
    """The error for a document that is nested deeper than ``limit`` levels."""
    return LimitExceeded(
        ErrorCode.TOO_DEEP, f"The document is nested deeper than {limit} levels.", limit
    )


class _Summarizer:
    def __init__(self, schema: GraphQLSchema, max_depth: int) -> None:
        self.schema = schema
        self.max_depth = max_depth
        self.alias_count = 0
        self.directive_count = 0
        self.definition: Definition

    def summarize(self, document: DocumentNode) -> DocumentSummary:
        operations: list[Definition] = []
        fragments: dict[str, Definition] = {}
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                self.definition = Definition(node)
                operations.append(self.definition)
                for variable in node.variable_definitions or ():
                    self._count_directives(variable.directives)
                    if variable.default_value is not None:
                        self._count_entries(variable.default_value, None, [], 0)
                parent: GraphQLNamedType | None = self.schema.get_root_type(node.operation)
            elif isinstance(node, FragmentDefinitionNode):
                self.definition = fragments[node.name.value] = Definition(node)
                parent = self.schema.get_type(node.type_condition.name.value)
            else:
                continue
            self._count_directives(node.directives)
            self.definition.sets.append(self.definition.selections)
            self._add_selections(node.selection_set, parent, self.definition.selections, 1, 1)
        for definition in (*operations, *fragments.values()):
            definition.spreads &= fragments.keys()
            for selections in definition.sets:
                selections.spreads &= fragments.keys()
        fragments = _sort_by_spreads(fragments)
        closures: dict[str, frozenset[str]] = {}
        for name, fragment in fragments.items():
            closures[name] = _union(closures, fragment.selections.spreads) | {name}
        return DocumentSummary(
            operations, fragments, closures, self.alias_count, self.directive_count
        )

    def _add_selections(
        self,
        node: SelectionSetNode,
        parent: GraphQLNamedType | None,
        into: Selections,
        depth: int,
        nesting: int,
    ) -> None:
        # Inline fragments add no level to the answer, but their nesting must be bounded, too.
        if depth > self.max_depth or nesting > 2 * self.max_depth:
            raise too_deep_error(self.max_depth)
        for selection in node.selections:
            self._count_directives(selection.directives)
            if isinstance(selection, FieldNode):
                into.fields.append(self._summarize_field(selection, parent, depth, nesting))
            elif isinstance(selection, FragmentSpreadNode):
                into.spreads.add(selection.name.value)
                self.definition.spreads.add(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                on = parent if condition is None else self.schema.get_type(condition.name.value)
                self._add_selections(selection.selection_set, on, into, depth, nesting + 1)

    def _summarize_field(
        self, node: FieldNode, parent: GraphQLNamedType | None, depth: int, nesting: int
    ) -> FieldSummary:
        declared: GraphQLField | None = None
        if is_composite_type(parent):
            declared = self.schema.get_field(parent, node.name.value)
        found = FieldSummary(node.name.value)
        if node.alias is not None:
            self.alias_count += 1
            found.key = node.alias.value
        found.is_count = node.name.value in COUNT_FIELDS
        found.is_filtered = any(
            argument.name.value in FILTER_ARGUMENTS
            and not isinstance(argument.value, NullValueNode)
            for argument in node.arguments or ()
        )
        if declared is not None:
            found.is_mutation = parent is self.schema.mutation_type
            found.is_read = reads_database(declared)
            found.is_list = is_list_type(
                declared.type.of_type
                if isinstance(declared.type, GraphQLNonNull)
                else declared.type
            )
        self._add_arguments(node, declared, found)
        if node.selection_set is not None:
            found.selections = Selections()
            self.definition.sets.append(found.selections)
            self._add_selections(
                node.selection_set,
                None if declared is None else get_named_type(declared.type),
                found.selections,
                depth + 1,
                nesting + 1,
            )
        return found

    def _add_arguments(
        self, node: FieldNode, declared: GraphQLField | None, found: FieldSummary
    ) -> None:
        sizes: list[Size] = []
        inputs: list[tuple[str, GraphQLInputType]] = []
        for argument in node.arguments or ():
            name, value = argument.name.value, argument.value
            expected = (
                None if declared is None or name not in declared.args else declared.args[name].type
            )
            is_size = expected is not None and name in SIZE_ARGUMENTS
            if is_size and isinstance(value, VariableNode):
                sizes.append(value)
            elif is_size and isinstance(value, IntValueNode):
                sizes.append(_integer(value.value))
            else:
                found.entries += self._count_entries(value, expected, inputs, 0)
        found.inputs = tuple(inputs)
        if declared is not None:
            possible = SIZE_ARGUMENTS.intersection(declared.args)
            if possible:
                defaults = (declared.args[name].default_value for name in possible)
                found.sizes = tuple(sizes or (size for size in defaults if isinstance(size, int)))

    def _count_entries(
        self,
        node: ValueNode,
        expected: GraphQLInputType | None,
        inputs: list[tuple[str, GraphQLInputType]],
        depth: int,
    ) -> int:
        """Count the list entries in a literal, and add the variables in it to ``inputs``."""
        if depth > self.max_depth:
            raise too_deep_error(self.max_depth)
        if isinstance(expected, GraphQLNonNull):
            expected = expected.of_type
        if isinstance(node, ListValueNode):
            item = expected.of_type if is_list_type(expected) else None
            below = sum(
                self._count_entries(value, item, inputs, depth + 1) for value in node.values
            )
            # Lists inside a JSON scalar are not lists of the schema.
            return below if item is None else len(node.values) + below
        if isinstance(node, ObjectValueNode):
            fields = expected.fields if is_input_object_type(expected) else {}
            return sum(
                self._count_entries(
                    part.value,
                    fields[part.name.value].type if part.name.value in fields else None,
                    inputs,
                    depth + 1,
                )
                for part in node.fields
            )
        if isinstance(node, VariableNode) and expected is not None:
            inputs.append((node.name.value, expected))
        return 0

    def _count_directives(self, nodes: Iterable[DirectiveNode] | None) -> None:
        for node in nodes or ():
            self.directive_count += 1
            for argument in node.arguments or ():
                self._count_entries(argument.value, None, [], 0)


def _union(closures: dict[str, frozenset[str]], names: set[str]) -> frozenset[str]:
    return frozenset[str]().union(*(closures[name] for name in names))


def _integer(digits: str) -> int:
    # Python refuses to parse very long integers; validation will refuse them as well.
    return min(int(digits[:12]), MAX_INT)


def _sort_by_spreads(fragments: dict[str, Definition]) -> dict[str, Definition]:
    order = TopologicalSorter({name: fragment.spreads for name, fragment in fragments.items()})
    try:
        return {name: fragments[name] for name in order.static_order()}
    except CycleError as error:
        name = error.args[1][0]
        raise GraphQLError(
            f"Cannot spread fragment “{name}” within itself.", fragments[name].node
        ) from None
