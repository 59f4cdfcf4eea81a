"""Relay's Node, connections and edges, over slices of rows and keyset cursors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, Self, TypeVar

import strawberry

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.pagination import Slice, decode_opaque, encode_opaque
from lamia_gql.graph.types.fields import field, resolved
from lamia_gql.storage.queries.counts import Count

N = TypeVar("N")


@strawberry.interface(description="An object that can be fetched again by its id.")
class Node:
    """An object with a global id."""

    id: strawberry.ID = field(
        "Opaque id, unique on this server. It stays the same during the object's lifetime and is"
        " never reused."
    )


def global_id(kind: str, *key: Any) -> strawberry.ID:
    """The id of a node, from the name of its type and its key."""
    return strawberry.ID(encode_opaque(kind, *key))


def parse_id(text: str) -> tuple[str, tuple[Any, ...]]:
    """The name of the type and the key in a node's id. Raises :class:`RequestError`."""
    parts = decode_opaque(text)
    if not parts or not isinstance(parts[0], str):
        raise invalid_id_error()
    return parts[0], tuple(parts[1:])


def invalid_id_error() -> RequestError:
    """The error for an id that does not come from this server."""
    return RequestError(ErrorCode.ID_INVALID, "The id was not issued by this server.")


@strawberry.type(description="Position of a page in its list.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = field("Whether entries follow this page.")
    has_previous_page: bool = field("Whether entries precede this page.")
    start_cursor: str | None = field("Cursor of the first entry. Null if the page is empty.")
    end_cursor: str | None = field("Cursor of the last entry. Null if the page is empty.")


@strawberry.type(description="An entry of a list together with its cursor.")
class Edge(Generic[N]):
    """Relay's edge."""

    cursor: str = field("Position of the entry in the list, to be passed as `after` or `before`.")
    node: N = field("The entry.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[N]):
    """Relay's connection, which also offers its nodes without edges."""

    nodes: list[N] = field("Entries of this page.")
    cursors: strawberry.Private[Callable[[int], str]]
    """From the position of an entry in the page to its cursor."""
    has_next_and_previous: strawberry.Private[tuple[bool, bool]]
    count: strawberry.Private[Callable[[], Awaitable[Count] | Count]]

    @classmethod
    def of(
        cls,
        found: Slice[Any],
        make: Callable[[Any], N],
        cursor: Callable[[Any], str],
        count: Callable[[], Awaitable[Count] | Count],
    ) -> Self:
        """The connection over a slice of rows.

        Args:
            found: The rows of the page.
            make: Turns a row into a node.
            cursor: The cursor of a row.
            count: The length of the whole list; called only if it is selected.
        """
        return cls(
            nodes=[make(item) for item in found.items],
            cursors=lambda place: cursor(found.items[place]),
            has_next_and_previous=(found.has_next, found.has_previous),
            count=count,
        )

    @resolved("Entries of this page, each with its cursor.")
    def edges(self) -> list[Edge[N]]:
        """The nodes with their cursors."""
        return [Edge(cursor=self.cursors(place), node=n) for place, n in enumerate(self.nodes)]

    @resolved("Position of this page in the list.")
    def page_info(self) -> PageInfo:
        """The cursors at both ends, and whether there is more."""
        return PageInfo(
            has_next_page=self.has_next_and_previous[0],
            has_previous_page=self.has_next_and_previous[1],
            start_cursor=self.cursors(0) if self.nodes else None,
            end_cursor=self.cursors(len(self.nodes) - 1) if self.nodes else None,
        )

    @resolved(
        "Number of entries in the whole list, over all pages. Counted only if selected. A list with"
        " a filter is counted up to 10,000: see `isTotalCountExact`."
    )
    async def total_count(self) -> int:
        """The length of the list, or a lower bound of it."""
        return (await self._count()).number

    @resolved(
        "Whether `totalCount` is exact. If false, more than 10,000 entries match the filter, and"
        " `totalCount` is 10,000."
    )
    async def is_total_count_exact(self) -> bool:
        """Whether the list has been counted to its end."""
        return (await self._count()).is_exact

    async def _count(self) -> Count:
        count = self.count()
        return count if isinstance(count, Count) else await count
