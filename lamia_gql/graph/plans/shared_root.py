"""The root of a query that finds rows by keys: it may run for many operations at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lamia_gql.graph.plans.definitions import ArgumentsPlace
from lamia_gql.graph.plans.levels import Dict, Run, TypeLevel
from lamia_gql.graph.plans.reading import RowChild

Arguments = Callable[[int], Mapping[str, Any]]
"""The arguments of a field, by its place in the plan."""


class SharedRoot:
    """The fields of the root, each of which finds a row by a key.

    Args:
        level: the level of the root.
        children: its children.
    """

    def __init__(self, level: TypeLevel, children: Sequence[RowChild]) -> None:
        self._level = level
        self._children = children

    @classmethod
    def of(cls, level: TypeLevel, places: Sequence[ArgumentsPlace]) -> SharedRoot | None:
        """The root of a plan; None where it reads otherwise, or other fields have variables.

        Args:
            level: the level of the root.
            places: the fields of the plan that have arguments.
        """
        children = [child for child in level.children if isinstance(child, RowChild)]
        if not children or len(children) < len(level.children):
            return None
        own = {child.place for child in children}
        others = [each for place, each in enumerate(places) if place not in own]
        if not all(child.is_by_key for child in children) or any(each.depends for each in others):
            return None
        return cls(level, children)

    def run(self, run: Run, each: Sequence[Arguments]) -> list[Dict]:
        """The data of the answer to each of several operations, from their arguments."""
        values = [
            child.shown(run, child.find_many(run.reads, [one(child.place) for one in each]))
            for child in self._children
        ]
        return self._level.run_with(run, [None] * len(each), values)
