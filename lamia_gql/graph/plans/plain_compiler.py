"""Compiles what is asked of values without rows of their own: scalars, objects, lists of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from graphql import (
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    SelectionSetNode,
    get_named_type,
    is_leaf_type,
)

from lamia_gql.graph.plans.definitions import strawberry_field
from lamia_gql.graph.plans.levels import Needs
from lamia_gql.graph.plans.plain_values import CONVERSIONS, JSON, charge_json
from lamia_gql.graph.plans.selection import Fields, NotPlannable
from lamia_gql.graph.plans.source import (
    Expression,
    Namespace,
    call,
    column_of,
    dict_of,
    object_to_dict,
)
from lamia_gql.graph.types.fields import Derived

Sets = Sequence[SelectionSetNode | None]


class PlainCompiler:
    """Compiles the expressions of plain values, as they are in the answer.

    Args:
        names: the names that generated source uses.
        collect: gives the fields that are asked of a type.
    """

    def __init__(
        self, names: Namespace, collect: Callable[[GraphQLObjectType, Sets], Fields]
    ) -> None:
        self._names = names
        self._collect = collect

    def parts(
        self, needs: Needs, declaration: Derived, type_: Any, below: Sets
    ) -> Expression | None:
        """The object of a field of which only columns are asked for; None if there is more."""
        named = get_named_type(type_)
        if not declaration.parts or not isinstance(named, GraphQLObjectType):
            return None
        names = {key: nodes[0].name.value for key, nodes in self._collect(named, below).items()}
        if not declaration.parts.keys() >= set(names.values()):
            return None
        columns = {key: declaration.parts[name] for key, name in names.items()}
        needs.names.update(columns.values())
        return dict_of({key: column_of(name) for key, name in columns.items()})

    def alone(
        self, declaration: Derived, type_: Any, below: Sets
    ) -> tuple[Derived, Callable[[str], str]] | None:
        """Where only one field of the value is asked for: what derives it, and how it is shown.

        None if there is more, or it has no function of its own.
        """
        named = get_named_type(type_)
        if not declaration.alone or not isinstance(named, GraphQLObjectType):
            return None
        fields = self._collect(named, below)
        names = {nodes[0].name.value for nodes in fields.values()}
        # A condition may leave none.
        function = declaration.alone.get(min(names)) if len(names) == 1 else None
        if function is None:
            return None
        build = object_to_dict(self._names, dict.fromkeys(fields, lambda value: value))
        return replace(declaration, function=function), lambda value: call(build, [value])

    def shown(self, expression: Expression, type_: Any, below: Sets) -> Expression:
        """A plain value as it is in the answer: without rows of its own."""
        show = self.show(type_, below)
        if get_named_type(type_).name != JSON:
            return lambda layout: show(expression(layout))
        charge = self._names.name(charge_json)
        return lambda layout: call(charge, ["reads", expression(layout)])

    def show(self, type_: Any, below: Sets) -> Callable[[str], str]:
        """From the source of a value to that of what the answer has of it."""
        if isinstance(type_, GraphQLNonNull):
            return self.show(type_.of_type, below)
        if isinstance(type_, GraphQLList):
            item = self.show(type_.of_type, below)
            shown = item("x")
            return lambda value: value if shown == "x" else f"[{shown} for x in {value}]"
        if is_leaf_type(type_):
            convert = CONVERSIONS.get(type_.name)
            if convert is None:
                return lambda value: value
            function = self._names.name(convert)
            return lambda value: call(function, [value])
        if not isinstance(type_, GraphQLObjectType):
            raise NotPlannable(str(type_))
        entries: dict[str, Callable[[str], str]] = {}
        for key, nodes in self._collect(type_, below).items():
            name = nodes[0].name.value
            if name == "__typename":
                entries[key] = _typename(type_.name)
                continue
            definition = type_.fields[name]
            field = strawberry_field(definition)
            if field.base_resolver is not None:
                raise NotPlannable(name)
            show = self.show(definition.type, [node.selection_set for node in nodes])
            entries[key] = _attribute(field.python_name, show)
        build = object_to_dict(self._names, entries)
        return lambda value: call(build, [value])


def _typename(name: str) -> Callable[[str], str]:
    return lambda _: repr(name)


def _attribute(name: str, show: Callable[[str], str]) -> Callable[[str], str]:
    return lambda value: show(f"{value}.{name}")
