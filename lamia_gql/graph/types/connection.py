"""Relay's Node, connections and edges, over slices and keyset cursors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, Self, TypeVar

import strawberry

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.pagination import Slice, decode_opaque, encode_opaque
from lamia_gql.graph.types.fields import field, resolved

N = TypeVar("N")


@strawberry.interface(description="An object that can be asked for again by its id.")
class Node:
    """An object with a global id."""

    id: strawberry.ID = field("An opaque id: the same for as long as the object is.")


def global_id(kind: str, *key: Any) -> strawberry.ID:
    """The id of a node: its kind and its key."""
    return strawberry.ID(encode_opaque(kind, *key))


def parse_id(text: str) -> tuple[str, tuple[Any, ...]]:
    """The kind and key of a node's id. Raises :class:`RequestError`."""
    parts = decode_opaque(text)
    if not parts or not isinstance(parts[0], str):
        raise bad_id()
    return parts[0], tuple(parts[1:])


def bad_id() -> RequestError:
    """The error for an id that this server has not given."""
    return RequestError(ErrorCode.ID_INVALID, "The id is not one that this server has given.")


@strawberry.type(description="Where a page begins and ends, and whether there is more around it.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = field("Whether more follows this page.")
    has_previous_page: bool = field("Whether something precedes this page.")
    start_cursor: str | None = field("The cursor of the first edge.")
    end_cursor: str | None = field("The cursor of the last edge.")


@strawberry.type(description="An entry of a list, and its place in it.")
class Edge(Generic[N]):
    """Relay's edge."""

    cursor: str = field("The place; pass it as `after` or `before`.")
    node: N = field("The entry.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[N]):
    """Relay's connection, with its nodes also at hand without edges."""

    nodes: list[N] = field("The entries of this page.")
    cursors: strawberry.Private[Callable[[int], str]]
    """From an entry's place in the page to its cursor."""
    more: strawberry.Private[tuple[bool, bool]]
    count: strawberry.Private[Callable[[], Awaitable[int] | int]]

    @classmethod
    def of(
        cls,
        found: Slice[Any],
        make: Callable[[Any], N],
        cursor: Callable[[Any], str],
        count: Callable[[], Awaitable[int] | int],
    ) -> Self:
        """The connection over a slice of records."""
        return cls(
            nodes=[make(item) for item in found.items],
            cursors=lambda place: cursor(found.items[place]),
            more=(found.has_next, found.has_previous),
            count=count,
        )

    @resolved("The entries of this page, each with its cursor.")
    def edges(self) -> list[Edge[N]]:
        """The nodes with their cursors."""
        return [Edge(cursor=self.cursors(place), node=n) for place, n in enumerate(self.nodes)]

    @resolved("Where this page begins and ends.")
    def page_info(self) -> PageInfo:
        """The ends of this page."""
        return PageInfo(
            has_next_page=self.more[0],
            has_previous_page=self.more[1],
            start_cursor=self.cursors(0) if self.nodes else None,
            end_cursor=self.cursors(len(self.nodes) - 1) if self.nodes else None,
        )

    @resolved("How many entries the whole list has, on all pages.")
    async def total_count(self) -> int:
        """The length of the list; asked of the database only where it is selected."""
        count = self.count()
        return count if isinstance(count, int) else await count
