"""Compiles what is asked of a connection: nodes, edges, and where the page is in its list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphql import GraphQLObjectType, SelectionSetNode, get_named_type

from lamia_gql.graph.plans import pages
from lamia_gql.graph.plans.levels import Level
from lamia_gql.graph.plans.pages import Asked, EdgePart, PagePart
from lamia_gql.graph.plans.selection import Fields, NotPlannable
from lamia_gql.storage.base import Base

Sets = Sequence[SelectionSetNode | None]


class PageCompiler:
    """Compiles the selection of one connection.

    Args:
        collect: gives the fields that are asked of a type.
        level: compiles what is asked of nodes.
        type_: the type of the connection.
        entity: the table of its nodes.
    """

    def __init__(
        self,
        collect: Callable[[GraphQLObjectType, Sets], Fields],
        level: Callable[[Any, Sets, type[Base]], Level],
        type_: GraphQLObjectType,
        entity: type[Base],
    ) -> None:
        self._collect = collect
        self._level = level
        self._type = type_
        self._entity = entity
        self.asked = Asked()
        """What is asked of the connection, besides its fields."""

    def parts(self, sets: Sets) -> dict[str, PagePart]:
        """The fields of the connection."""
        parts: dict[str, PagePart] = {}
        for key, nodes in self._collect(self._type, sets).items():
            below = [node.selection_set for node in nodes]
            match nodes[0].name.value:
                case "__typename":
                    parts[key] = _page_constant(self._type.name)
                case "nodes":
                    parts[key] = pages.nodes_part(self._node(self._type, "nodes", below))
                case "edges":
                    parts[key] = self._edges(below)
                case "pageInfo":
                    parts[key] = self._info(below)
                case "totalCount":
                    self.asked.counts = True
                    parts[key] = pages.count_part
                case "isTotalCountExact":
                    self.asked.counts = True
                    parts[key] = pages.exactness_part
                case other:
                    raise NotPlannable(other)
        return parts

    def _node(self, type_: GraphQLObjectType, name: str, below: Sets) -> int:
        node = get_named_type(type_.fields[name].type)
        self.asked.levels.append(self._level(node, below, self._entity))
        return len(self.asked.levels) - 1

    def _edges(self, sets: Sets) -> PagePart:
        edge = get_named_type(self._type.fields["edges"].type)
        assert isinstance(edge, GraphQLObjectType)
        parts: dict[str, EdgePart] = {}
        for key, nodes in self._collect(edge, sets).items():
            match nodes[0].name.value:
                case "__typename":
                    parts[key] = EdgePart(constant=edge.name)
                case "node":
                    below = [node.selection_set for node in nodes]
                    parts[key] = EdgePart(node=self._node(edge, "node", below))
                case "cursor":
                    self.asked.cursors = self.asked.shows_cursors = True
                    parts[key] = EdgePart()
                case other:
                    raise NotPlannable(other)
        self.asked.edge_fields += len(parts)
        return pages.edges_part(parts)

    def _info(self, sets: Sets) -> PagePart:
        info = get_named_type(self._type.fields["pageInfo"].type)
        assert isinstance(info, GraphQLObjectType)
        fields = {}
        for key, nodes in self._collect(info, sets).items():
            name = nodes[0].name.value
            if name not in pages.PAGE_INFO:
                raise NotPlannable(name)
            self.asked.shows_cursors |= name.endswith("Cursor")
            fields[key] = pages.PAGE_INFO[name]
        return pages.info_part(fields)


def _page_constant(name: str) -> PagePart:
    return lambda _page, _place: name
