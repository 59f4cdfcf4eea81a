"""Relay's Node, connections and edges, over slices of rows and keyset cursors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import strawberry

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.pagination import Slice, decode_opaque, encode_opaque
from lamia_gql.graph.context import Info
from lamia_gql.graph.types.fields import (
    declare_read,
    field,
    read_declaration,
    resolved,
    row_of,
)
from lamia_gql.storage.base import Base
from lamia_gql.storage.queries.counts import Count
from lamia_gql.storage.row_shape import FULL

N = TypeVar("N")
ID_DESCRIPTION = (
    "Opaque id, unique on this server. It stays the same during the object's lifetime and is"
    " never reused."
)


@strawberry.interface(description="An object that can be fetched again by its id.")
class Node:
    """An object with a global id."""

    id: strawberry.ID = field(ID_DESCRIPTION)


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
    found: strawberry.Private[Slice[Any]]
    """The rows of the nodes."""
    cursor: strawberry.Private[Callable[[Any], str]]
    """From a row to its cursor."""
    count: strawberry.Private[Callable[[], Awaitable[Count]]]
    """The length of the whole list; called only if it is selected."""

    @resolved("Entries of this page, each with its cursor.")
    def edges(self) -> list[Edge[N]]:
        """The nodes with their cursors."""
        return [
            Edge(cursor=self.cursor(row), node=node)
            for row, node in zip(self.found.items, self.nodes, strict=True)
        ]

    @resolved("Position of this page in the list.")
    def page_info(self) -> PageInfo:
        """The cursors at both ends, and whether there is more."""
        rows = self.found.items
        return PageInfo(
            has_next_page=self.found.has_next,
            has_previous_page=self.found.has_previous,
            start_cursor=self.cursor(rows[0]) if rows else None,
            end_cursor=self.cursor(rows[-1]) if rows else None,
        )

    @resolved(
        "Number of entries in the whole list, over all pages. Counted only if selected. A list with"
        " a filter is counted up to 10,000: see `isTotalCountExact`."
    )
    async def total_count(self) -> int:
        """The length of the list, or a lower bound of it."""
        return (await self.count()).number

    @resolved(
        "Whether `totalCount` is exact. If false, more than 10,000 entries match the filter, and"
        " `totalCount` is 10,000."
    )
    async def is_total_count_exact(self) -> bool:
        """Whether the list has been counted to its end."""
        return (await self.count()).is_exact


def page_of(
    description: str,
    function: Callable[..., Any],
    entity: type[Base],
    make: Callable[[Any, Any], Any],
    *,
    needs: Sequence[str] = (),
    cursor_needs: Sequence[str] = (),
    whole: str | None = None,
) -> Any:
    """A field that is a page of rows; ``function`` returns a ``ListRead``.

    ``make`` turns one of these rows, and the row that has the field, into an object of the schema.
    ``whole`` is the input, if there is one, that has all rows of the list.
    """
    declaration = read_declaration(
        function,
        entity=entity,
        needs=frozenset(needs),
        cursor_needs=frozenset(cursor_needs),
        is_page=True,
        whole=whole,
    )

    async def resolve(self: Any, info: Info, **given: Any) -> Connection[Any]:
        load, owner = info.context.load, row_of(self)
        read = declaration.call(load.reads, given)
        found = await load.load(read, owner, FULL[entity])
        return Connection(
            nodes=[make(row, owner) for row in found.items],
            found=found,
            cursor=read.cursor,
            count=lambda: load.count(read, owner),
        )

    return declare_read(declaration, resolve, description)
