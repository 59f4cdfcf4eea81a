"""The shape of a document: its fields and fragments, as far as limits and cost need them.

One pass over what was parsed, before it is validated: unknown names are no errors here, and
fragments are referred to rather than expanded, so the work is linear in the document. Whatever
is nested deeper than ``max_depth`` is refused on the way down, so nothing here can recurse deeper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

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
from lamia_gql.domain.settings import Settings

SIZE_ARGUMENTS = frozenset({"first", "last", "points"})
"""The arguments that say how long a list is to be."""
MAX_SIZE = 2**31 - 1
"""The largest number that GraphQL's Int can be."""

Size = int | VariableNode
"""A size argument: a number, or what will be given for a variable."""


@dataclass(slots=True)
class Field:
    """A field of a selection set, with what its cost depends on."""

    key: str
    """The name that it has in the answer."""
    is_list: bool = False
    is_mutation: bool = False
    sizes: tuple[Size, ...] | None = None
    """The size arguments that it has; None where the schema has none for it."""
    entries: int = 0
    """How many entries the lists in its other arguments have, as far as they are written out."""
    inputs: tuple[tuple[str, GraphQLInputType], ...] = ()
    """The variables in its other arguments, which may hold more entries."""
    selections: Selections | None = None


@dataclass(slots=True)
class Selections:
    """A selection set with its inline fragments dissolved in it."""

    fields: list[Field] = field(default_factory=list)
    spreads: set[str] = field(default_factory=set)
    """The fragments that it spreads; spreading one a second time changes nothing."""


@dataclass(slots=True)
class Definition:
    """An operation or a fragment."""

    node: OperationDefinitionNode | FragmentDefinitionNode
    selections: Selections = field(default_factory=Selections)
    sets: list[Selections] = field(default_factory=list)
    """Its selection sets, on all levels."""
    spreads: set[str] = field(default_factory=set)
    """The fragments that it spreads, on all levels."""


@dataclass(slots=True)
class Shape:
    """A document's operations and fragments."""

    operations: list[Definition]
    fragments: dict[str, Definition]
    """By name; each behind all those that it spreads, which all exist."""
    reach: dict[str, frozenset[str]]
    """The fragments that come with one in the same place: itself, and what it spreads there."""
    aliases: int
    directives: int

    def spread(self, selections: Selections) -> frozenset[str]:
        """The fragments that belong in the place of a selection set, each of them once."""
        return _union(self.reach, selections.spreads)


def read_shape(schema: GraphQLSchema, settings: Settings, document: DocumentNode) -> Shape:
    """The shape of a document.

    Raises :class:`LimitExceeded` where it has too many definitions or is nested too deeply, and
    ``GraphQLError`` where fragments spread each other in a circle.
    """
    if len(document.definitions) > settings.max_definitions:
        raise LimitExceeded(
            ErrorCode.TOO_MANY_DEFINITIONS,
            f"The document has {len(document.definitions)} operations and fragments, of at most"
            f" {settings.max_definitions}.",
            settings.max_definitions,
        )
    return _Reader(schema, settings.max_depth).read(document)


def too_deep(limit: int) -> LimitExceeded:
    """The error for what is nested too deeply."""
    return LimitExceeded(
        ErrorCode.TOO_DEEP, f"The document is nested deeper than {limit} levels.", limit
    )


class _Reader:
    def __init__(self, schema: GraphQLSchema, max_depth: int) -> None:
        self.schema = schema
        self.max_depth = max_depth
        self.aliases = 0
        self.directives = 0
        self.definition: Definition

    def read(self, document: DocumentNode) -> Shape:
        operations: list[Definition] = []
        fragments: dict[str, Definition] = {}
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                self.definition = Definition(node)
                operations.append(self.definition)
                for variable in node.variable_definitions or ():
                    self._directives(variable.directives)
                    if variable.default_value is not None:
                        self._literal(variable.default_value, None, [], 0)
                parent: GraphQLNamedType | None = self.schema.get_root_type(node.operation)
            elif isinstance(node, FragmentDefinitionNode):
                self.definition = fragments[node.name.value] = Definition(node)
                parent = self.schema.get_type(node.type_condition.name.value)
            else:
                continue
            self._directives(node.directives)
            self.definition.sets.append(self.definition.selections)
            self._select(node.selection_set, parent, self.definition.selections, 1, 1)
        for definition in (*operations, *fragments.values()):
            definition.spreads &= fragments.keys()
            for selections in definition.sets:
                selections.spreads &= fragments.keys()
        fragments = _sorted(fragments)
        reach: dict[str, frozenset[str]] = {}
        for name, fragment in fragments.items():
            reach[name] = _union(reach, fragment.selections.spreads) | {name}
        return Shape(operations, fragments, reach, self.aliases, self.directives)

    def _select(
        self,
        node: SelectionSetNode,
        parent: GraphQLNamedType | None,
        into: Selections,
        depth: int,
        nesting: int,
    ) -> None:
        # Inline fragments are no level of the answer; still they must not nest without end.
        if depth > self.max_depth or nesting > 2 * self.max_depth:
            raise too_deep(self.max_depth)
        for selection in node.selections:
            self._directives(selection.directives)
            if isinstance(selection, FieldNode):
                into.fields.append(self._field(selection, parent, depth, nesting))
            elif isinstance(selection, FragmentSpreadNode):
                into.spreads.add(selection.name.value)
                self.definition.spreads.add(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                on = parent if condition is None else self.schema.get_type(condition.name.value)
                self._select(selection.selection_set, on, into, depth, nesting + 1)

    def _field(
        self, node: FieldNode, parent: GraphQLNamedType | None, depth: int, nesting: int
    ) -> Field:
        known: GraphQLField | None = None
        if is_composite_type(parent):
            known = self.schema.get_field(parent, node.name.value)
        found = Field(node.name.value)
        if node.alias is not None:
            self.aliases += 1
            found.key = node.alias.value
        if known is not None:
            found.is_mutation = parent is self.schema.mutation_type
            found.is_list = is_list_type(
                known.type.of_type if isinstance(known.type, GraphQLNonNull) else known.type
            )
        self._arguments(node, known, found)
        if node.selection_set is not None:
            found.selections = Selections()
            self.definition.sets.append(found.selections)
            self._select(
                node.selection_set,
                None if known is None else get_named_type(known.type),
                found.selections,
                depth + 1,
                nesting + 1,
            )
        return found

    def _arguments(self, node: FieldNode, known: GraphQLField | None, found: Field) -> None:
        sizes: list[Size] = []
        inputs: list[tuple[str, GraphQLInputType]] = []
        for argument in node.arguments or ():
            name, value = argument.name.value, argument.value
            expected = None if known is None or name not in known.args else known.args[name].type
            is_size = expected is not None and name in SIZE_ARGUMENTS
            if is_size and isinstance(value, VariableNode):
                sizes.append(value)
            elif is_size and isinstance(value, IntValueNode):
                sizes.append(_integer(value.value))
            else:
                found.entries += self._literal(value, expected, inputs, 0)
        found.inputs = tuple(inputs)
        if known is not None:
            possible = SIZE_ARGUMENTS.intersection(known.args)
            if possible:
                defaults = (known.args[name].default_value for name in possible)
                found.sizes = tuple(sizes or (size for size in defaults if isinstance(size, int)))

    def _literal(
        self,
        node: ValueNode,
        expected: GraphQLInputType | None,
        inputs: list[tuple[str, GraphQLInputType]],
        depth: int,
    ) -> int:
        """Count the entries of the lists in a value, and gather the variables in it."""
        if depth > self.max_depth:
            raise too_deep(self.max_depth)
        if isinstance(expected, GraphQLNonNull):
            expected = expected.of_type
        if isinstance(node, ListValueNode):
            item = expected.of_type if is_list_type(expected) else None
            below = sum(self._literal(value, item, inputs, depth + 1) for value in node.values)
            # A list inside of a JSON value is none of the schema's.
            return below if item is None else len(node.values) + below
        if isinstance(node, ObjectValueNode):
            fields = expected.fields if is_input_object_type(expected) else {}
            return sum(
                self._literal(
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

    def _directives(self, nodes: Iterable[DirectiveNode] | None) -> None:
        for node in nodes or ():
            self.directives += 1
            for argument in node.arguments or ():
                self._literal(argument.value, None, [], 0)


def _union(reach: dict[str, frozenset[str]], names: set[str]) -> frozenset[str]:
    return frozenset[str]().union(*(reach[name] for name in names))


def _integer(digits: str) -> int:
    # Python refuses to read numbers of thousands of digits; validation will refuse them, too.
    return min(int(digits[:12]), MAX_SIZE)


def _sorted(fragments: dict[str, Definition]) -> dict[str, Definition]:
    order = TopologicalSorter({name: found.spreads for name, found in fragments.items()})
    try:
        return {name: fragments[name] for name in order.static_order()}
    except CycleError as error:
        name = error.args[1][0]
        raise GraphQLError(
            f"Cannot spread fragment “{name}” within itself.", fragments[name].node
        ) from None
