"""Compiles what is asked of the payloads of a mutation, and of the events of a subscription.

It has plans as far as nothing is read for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import GraphQLField, GraphQLObjectType, get_named_type

from lamia_gql.graph.inputs import INPUTS
from lamia_gql.graph.plans.compiler import Compiler, Parent, Sets
from lamia_gql.graph.plans.definitions import strawberry_field
from lamia_gql.graph.plans.levels import Child, Dict, Level, Run, TypeLevel
from lamia_gql.graph.plans.selection import NotPlannable
from lamia_gql.graph.plans.source import Namespace, objects_to_dicts
from lamia_gql.graph.types.declarations import Read
from lamia_gql.storage import models
from lamia_gql.storage.row_shape import FULL

WRITTEN = {"Event": models.Event, "Process": models.Process}
"""The types of a payload whose rows are those that were written."""


class PayloadLevel:
    """Payloads, or edges, and the fields that are asked of them.

    Args:
        names: the names that generated source uses.
        entries: the source of each field; ``o`` is the payload, ``v0``, ``v1`` …: its parts.
        parts: the attribute of a payload, and the level, of each part that has a row.
    """

    def __init__(
        self, names: Namespace, entries: Mapping[str, str], parts: Sequence[tuple[str, Level]]
    ) -> None:
        self._parts = parts
        self._build = objects_to_dicts(names, entries, len(parts))
        self._number = len(entries)
        # The quotes, the colon and the comma of each key.
        self._size = sum(map(len, entries)) + 4 * len(entries) + 2

    def run(self, run: Run, payloads: Sequence[Any]) -> list[Dict]:
        """The dicts of the payloads. Raises the error of the budget."""
        run.reads.charge(self._size * len(payloads), self._number * len(payloads))
        return self._build(
            payloads, [_dicts(run, level, payloads, name) for name, level in self._parts]
        )


class PayloadCompiler(Compiler):
    """Compiles the selection of payloads, and of the edges of events.

    All that it needs is in the rows that were written. Whatever else is asked for would have to be
    read after the commit, and has no plan.
    """

    def payload(self, type_: GraphQLObjectType, sets: Sets) -> PayloadLevel:
        """What is asked of payloads, or edges, of a type. Raises :class:`NotPlannable`."""
        entries: dict[str, str] = {}
        parts: list[tuple[str, Level]] = []
        for key, nodes in self.collect(type_, sets).items():
            name = nodes[0].name.value
            if name == "__typename":
                entries[key] = repr(type_.name)
                continue
            definition = type_.fields[name]
            attribute = strawberry_field(definition).python_name
            below = [node.selection_set for node in nodes]
            entity = WRITTEN.get(get_named_type(definition.type).name)
            if entity is None:
                entries[key] = self.plain.show(definition.type, below)(f"o.{attribute}")
                continue
            level = self.level(get_named_type(definition.type), below, entity)
            level.prepare(FULL[entity])
            entries[key] = f"v{len(parts)}"
            parts.append((attribute, level))
        return PayloadLevel(self._names, entries, parts)

    def _input(self, level: TypeLevel, name: str, inputs: dict[str, str]) -> str:
        if INPUTS[name].is_read:
            raise NotPlannable("an input that is read")
        return super()._input(level, name, inputs)

    def _owner(self, level: TypeLevel, definition: GraphQLField, below: Sets) -> Child:
        raise NotPlannable("the process of a job")

    def _reading(
        self,
        level: TypeLevel,
        declaration: Read,
        definition: GraphQLField,
        below: Sets,
        parent: Parent | None,
    ) -> Child:
        raise NotPlannable("a field that reads")


def _dicts(run: Run, level: Level, payloads: Sequence[Any], name: str) -> Sequence[Dict | None]:
    parts = [getattr(payload, name) for payload in payloads]
    rows = [part.row for part in parts if part is not None]
    dicts = level.run(run, rows)
    if len(rows) == len(parts):
        return dicts
    made = iter(dicts)
    return [None if part is None else next(made) for part in parts]
