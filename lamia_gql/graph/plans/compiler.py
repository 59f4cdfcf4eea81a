"""Compiles a query into a plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    SelectionSetNode,
    get_named_type,
)

from lamia_gql.graph.inputs import INPUTS
from lamia_gql.graph.plans import reading
from lamia_gql.graph.plans.definitions import ArgumentsPlace, strawberry_field
from lamia_gql.graph.plans.levels import Child, Level, TypeLevel
from lamia_gql.graph.plans.page_compiler import PageCompiler
from lamia_gql.graph.plans.pages import PageChild
from lamia_gql.graph.plans.plain_compiler import PlainCompiler
from lamia_gql.graph.plans.plain_values import TIME
from lamia_gql.graph.plans.selection import Fields, NotPlannable, Selection
from lamia_gql.graph.plans.shared_processes import SharedProcesses
from lamia_gql.graph.plans.source import (
    Expression,
    Namespace,
    call,
    column_of,
    columns_of,
    constant,
    dict_of,
    dict_or_null,
    owned,
    variable,
)
from lamia_gql.graph.types.declarations import (
    DECLARATION,
    OWNER,
    Column,
    Declaration,
    Derived,
    OverProcesses,
    Owner,
    Read,
)
from lamia_gql.storage.base import Base
from lamia_gql.storage.models import Job, Process, Task
from lamia_gql.storage.row_shape import KEYS, TASK, ComputedShape

MAX_FIELDS = 1_000
"""A plan with more fields takes longer to make than it saves."""
LONG_TEXTS = frozenset({"comment", "email", "hostname", "seen_hostname"})
"""Columns whose texts may have thousands of characters."""
Sets = Sequence[SelectionSetNode | None]
Parent = type[Base] | ComputedShape[Any]
"""Where the rows of a level are from."""


class Compiler:
    """Compiles one operation.

    Args:
        schema: the schema.
        selection: collects the fields of the document.
    """

    def __init__(self, schema: GraphQLSchema, selection: Selection) -> None:
        self._schema = schema
        self._selection = selection
        self._names = Namespace()
        self.plain = PlainCompiler(self._names, self.collect)
        """Compiles values without rows of their own."""
        self.fields = 0
        """How many fields have been collected."""
        self.is_lookup = True
        """Whether all that is read are a few rows, found by their keys."""
        self.places: list[ArgumentsPlace] = []
        """The fields whose arguments a run of the plan needs."""
        self.processes = SharedProcesses()
        """The processes of a task, for its fields and pages."""

    def query(self, selected: SelectionSetNode) -> TypeLevel:
        """The level of the type ``Query``, whose only row is None. Raises :class:`NotPlannable`."""
        query = self._schema.query_type
        assert query is not None
        level = self._type_level(query, [selected], None)
        self.processes.share()
        level.prepare(None, None)
        return level

    def snapshot(self, below: Sets) -> TypeLevel:
        """The level of a task, whose row is a full one. Raises :class:`NotPlannable`."""
        task = self._schema.type_map[Task.__name__]
        assert isinstance(task, GraphQLObjectType)
        level = self._type_level(task, below, Task)
        self.processes.share()
        level.prepare(TASK, None)
        return level

    def _type_level(
        self,
        type_: GraphQLObjectType,
        sets: Sets,
        entity: Parent | None,
        *,
        in_array: bool = False,
    ) -> TypeLevel:
        level = TypeLevel(self._names)
        inputs: dict[str, str] = {}
        for key, nodes in self.collect(type_, sets).items():
            name = nodes[0].name.value
            if name == "__typename":
                level.entries[key] = constant(type_.name)
                continue
            definition = type_.fields.get(name)
            if definition is None:
                raise NotPlannable(name)
            field = strawberry_field(definition)
            declaration: Declaration | None = field.metadata.get(DECLARATION)
            below = [node.selection_set for node in nodes]
            match declaration:
                case Column():
                    level.entries[key] = self._column(level, declaration, definition)
                case Derived(in_array=str(column)) if in_array:
                    level.needs.names.add(column)
                    level.entries[key] = column_of(column)
                case Derived():
                    if declaration.arguments:
                        raise NotPlannable(f"arguments of {name}")
                    level.entries[key] = self._value(level, declaration, inputs, definition, below)
                case Owner():
                    value = level.child(self._owner(level, definition, below))
                    level.entries[key] = variable(value)
                case Read():
                    self.is_lookup &= declaration.is_lookup
                    self.places.append(ArgumentsPlace(definition, nodes[0], field))
                    level.needs.names |= declaration.needs
                    self.processes.need(declaration.process_needs)
                    child = self._reading(level, declaration, definition, below, entity)
                    expression = variable(level.child(child))
                    if isinstance(child, reading.ValueChild):
                        expression = self.plain.shown(expression, definition.type, below)
                    level.entries[key] = expression
                case None:
                    raise NotPlannable(name)
        reading.share_process(level.children)
        return level

    def collect(self, type_: GraphQLObjectType, sets: Sets) -> Fields:
        """The fields that are asked of a type. Raises :class:`NotPlannable` for too many."""
        found = self._selection.collect(type_, sets)
        self.fields += len(found)
        if self.fields > MAX_FIELDS:
            raise NotPlannable("many fields")
        return found

    def level(self, type_: Any, sets: Sets, entity: type[Base], *, in_array: bool = False) -> Level:
        """The level of the rows of a table, whose type may be the interface of processes.

        ``in_array`` is whether all of them are jobs of arrays.
        """
        concrete = [type_]
        if isinstance(type_, GraphQLInterfaceType):
            concrete = list(self._schema.get_possible_types(type_))
        return Level(
            {
                each.name: self._type_level(each, sets, entity, in_array=in_array)
                for each in concrete
            }
        )

    def _column(
        self, level: TypeLevel, declaration: Column, definition: GraphQLField
    ) -> Expression:
        name = declaration.name
        if get_named_type(definition.type).name == TIME:
            level.needs.stored.add(name)
            return lambda layout: layout.time(name)
        level.needs.names.add(name)
        if name in LONG_TEXTS:
            level.long_texts.add(name)
        return lambda layout: layout.column(name)

    def _value(
        self,
        level: TypeLevel,
        declaration: Derived,
        inputs: dict[str, str],
        definition: GraphQLField,
        below: Sets,
    ) -> Expression:
        parts = self.plain.known(declaration.parts, definition.type, below)
        if parts is not None:
            level.needs.names.update(parts.values())
            columns = {key: column_of(name) for key, name in parts.items()}
            may_be_null = not isinstance(definition.type, GraphQLNonNull)
            return dict_or_null(columns) if may_be_null else dict_of(columns)
        over_processes = self.plain.known(declaration.over_processes, definition.type, below)
        if over_processes is not None:
            processes = self._input(level, "process_columns", inputs)
            return dict_of(
                {key: self._over(processes, each) for key, each in over_processes.items()}
            )
        made = self._derived(level, declaration, inputs, definition, below)
        return self.plain.shown(made, definition.type, below)

    def _over(self, processes: str, declared: OverProcesses) -> Expression:
        self.processes.need(declared.columns, have_names=False)
        function = self._names.name(declared.function)
        # What is read of processes is known once all fields are compiled.
        return lambda _: call(
            function, [columns_of(processes, self.processes.shape, declared.columns)]
        )

    def _derived(
        self,
        level: TypeLevel,
        declaration: Derived,
        inputs: dict[str, str],
        definition: GraphQLField,
        below: Sets,
    ) -> Expression:
        function = self._names.name(declaration.function)
        sources: list[Expression] = []
        for name in declaration.inputs:
            fields = declaration.only_for.get(name)
            if fields is not None and not self._asks_for(definition, below, fields):
                sources.append(variable("None"))
            elif name == "reads":
                sources.append(variable("reads"))
            elif name.startswith(OWNER):
                column = name.removeprefix(OWNER)
                level.needs.owner_names.add(column)
                sources.append(owned(column))
            elif name in INPUTS:
                sources.append(variable(self._input(level, name, inputs)))
            else:
                level.needs.names.add(name)
                sources.append(column_of(name))
        return lambda layout: call(function, [source(layout) for source in sources])

    def _input(self, level: TypeLevel, name: str, inputs: dict[str, str]) -> str:
        """The name of the value of an input, which is read once for a level."""
        self.is_lookup &= INPUTS[name].is_lookup
        level.needs.names |= INPUTS[name].needs
        self.processes.need(INPUTS[name].processes)
        if name not in inputs:
            inputs[name] = level.child(reading.InputChild(name))
        return inputs[name]

    def _asks_for(self, definition: GraphQLField, below: Sets, names: Collection[str]) -> bool:
        type_ = get_named_type(definition.type)
        assert isinstance(type_, GraphQLObjectType)
        selected = self._selection.collect(type_, below).values()
        return any(nodes[0].name.value in names for nodes in selected)

    def _owner(self, level: TypeLevel, definition: GraphQLField, below: Sets) -> Child:
        found = self.level(get_named_type(definition.type), below, Process)
        level.needs.owner_names |= found.needs.names
        level.needs.owner_stored |= found.needs.stored
        return reading.OwnerChild(found)

    def _reading(
        self,
        level: TypeLevel,
        declaration: Read,
        definition: GraphQLField,
        below: Sets,
        parent: Parent | None,
    ) -> Child:
        place = len(self.places) - 1
        type_ = get_named_type(definition.type)
        if declaration.tables is not None:
            children = {
                kind: self._row_child(declaration, place, entity, kind, below)
                for kind, entity in declaration.tables.items()
            }
            return reading.NodeChild(declaration, place, children)
        entity = declaration.entity
        if entity is None:
            key = 0
            if parent is not None:
                key = len(parent.fields if isinstance(parent, ComputedShape) else KEYS[parent])
            if declaration.computed is None:
                return reading.ValueChild(declaration, place, key)
            assert isinstance(type_, GraphQLObjectType)
            rows = self._type_level(type_, below, declaration.computed)
            return reading.ComputedChild(declaration, place, key, rows)
        if declaration.is_page:
            child = self._page_child(declaration, place, entity, type_, below)
            if declaration.whole is not None:
                self.processes.add_page(child)
            if entity is Job:
                level.needs.names |= child.needs.owner_names
                level.needs.stored |= child.needs.owner_stored
            return child
        owner_is_row = entity is Job and parent is Process
        row = self._row_child(
            declaration, place, entity, type_.name, below, owner_is_row=owner_is_row
        )
        if owner_is_row:
            level.needs.names |= row.needs.owner_names
            level.needs.stored |= row.needs.owner_stored
        return row

    def _row_child(
        self,
        declaration: Read,
        place: int,
        entity: type[Base],
        type_name: str,
        below: Sets,
        *,
        owner_is_row: bool = False,
    ) -> reading.RowChild:
        level = self.level(self._schema.type_map[type_name], below, entity)
        return reading.RowChild(declaration, place, entity, level, owner_is_row=owner_is_row)

    def _page_child(
        self, declaration: Read, place: int, entity: type[Base], type_: Any, below: Sets
    ) -> PageChild:
        # Solitary processes have no pages of jobs.
        level = partial(self.level, in_array=entity is Job)
        page = PageCompiler(self.collect, level, type_, entity)
        parts = page.parts(below)
        return PageChild(declaration, place, entity, parts, page.asked)
