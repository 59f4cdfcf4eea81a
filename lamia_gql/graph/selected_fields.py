"""The fields that a client selects below a field."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, InlineFragmentNode

from lamia_gql.graph.context import Info


def asks_for(info: Info, names: Collection[str]) -> bool:
    """Whether one of these fields is selected directly below the present field."""
    # Strawberry's own view of the selection converts all arguments, too.
    raw = info._raw_info
    return any(node.name.value in names for node in fields_below(raw, raw.field_nodes))


def fields_below(info: GraphQLResolveInfo[Any], nodes: Iterable[Any]) -> Iterator[FieldNode]:
    """The fields directly below some nodes; those of a fragment once, however often it is spread.

    Validation has found that fragments do not spread each other in a cycle.
    """
    waiting, spread = list(nodes), set()
    while waiting:
        selections = waiting.pop().selection_set
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                spread.add(node.name.value)
                waiting.append(info.fragments[node.name.value])
