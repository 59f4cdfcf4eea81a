"""Compiles what is asked of values without rows of their own: scalars, objects, lists of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from graphql import (
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    SelectionSetNode,
    get_named_type,
    is_leaf_type,
)

from lamia_gql.graph.plans.definitions import strawberry_field
from lamia_gql.graph.plans.plain_values import CONVERSIONS, JSON, charge_json
from lamia_gql.graph.plans.selection import Fields, NotPlannable
from lamia_gql.graph.plans.source import (
    Expression,
    Namespace,
    call,
    object_to_dict,
)

V = TypeVar("V")
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

    def known(self, declared: Mapping[str, V], type_: Any, below: Sets) -> dict[str, V] | None:
        """What is declared of the fields that are asked for; None if there are others, or none.

        Args:
            declared: what is declared of fields, by their names.
            type_: the type of the object that has them.
            below: what is selected of it.
        """
        named = get_named_type(type_)
        if not declared or not isinstance(named, GraphQLObjectType):
            return None
        names = {key: nodes[0].name.value for key, nodes in self._collect(named, below).items()}
        # A condition may leave none.
        if not names or not declared.keys() >= set(names.values()):
            return None
        return {key: declared[name] for key, name in names.items()}

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
