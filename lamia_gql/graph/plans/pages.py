"""Pages of rows below a level: connections with nodes, edges, and where they are in their lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from lamia_gql.domain.limits import MAX_INT
from lamia_gql.domain.pagination import Slice
from lamia_gql.graph.plans.levels import Dict, Level, Needs, Run
from lamia_gql.graph.plans.reading import ReadingChild, raise_first
from lamia_gql.graph.reads import ListRead, Rows
from lamia_gql.graph.types.declarations import Read
from lamia_gql.storage.base import Base
from lamia_gql.storage.models import Event, Job, Process
from lamia_gql.storage.queries.counts import Count
from lamia_gql.storage.row_shape import RowShape

MANY = frozenset({Process, Job, Event})
"""The tables of which it is worth reading a page as plain tuples."""


class TooLarge(Exception):  # noqa: N818  (it states what is the case)
    """A number does not fit into GraphQL's Int: resolving the field says so to the client."""


@dataclass(frozen=True, slots=True)
class EdgePart:
    """A field of an edge: a constant, the cursor, or a node of this number."""

    constant: str | None = None
    node: int | None = None


PagePart = Callable[["Page", int], Any]
"""From a page, and the number of the row that has it, to the value of a field."""


class Page:
    """One page, while the fields of a connection are made."""

    __slots__ = ("begin", "end", "pages", "slice")

    def __init__(self, pages: Pages, found: Slice[Any], begin: int) -> None:
        self.pages = pages
        self.slice = found
        self.begin = begin
        self.end = begin + len(found.items)


class Pages:
    """The pages of all rows of a level."""

    __slots__ = ("counts", "cursors", "nodes", "read")

    def __init__(
        self,
        read: ListRead,
        nodes: Sequence[Sequence[Dict]],
        cursors: Sequence[str],
        counts: Sequence[Count],
    ) -> None:
        self.read = read
        self.nodes = nodes
        self.cursors = cursors
        self.counts = counts


@dataclass
class Asked:
    """What is asked of a connection, besides its fields."""

    levels: list[Level] = field(default_factory=list)
    """A level for each place where nodes are asked for."""
    counts: bool = False
    """Whether the length of the list is asked for."""
    cursors: bool = False
    """Whether the cursor of each row is asked for."""
    shows_cursors: bool = False
    """Whether the cursor of any row is."""
    edge_fields: int = 0
    """How many fields are asked of each edge."""


class PageChild(ReadingChild):
    """A page of rows.

    Args:
        declaration: the declaration of the field.
        place: where its arguments are.
        entity: the table of the rows.
        parts: the fields of the connection.
        asked: what else is asked of it.
    """

    def __init__(
        self,
        declaration: Read,
        place: int,
        entity: type[Base],
        parts: Mapping[str, PagePart],
        asked: Asked,
    ) -> None:
        super().__init__(declaration, place)
        self._parts = list(parts.items())
        self._asked = asked
        self.needs = Needs()
        for level in asked.levels:
            self.needs.add(level.needs)
        if asked.shows_cursors:
            self.needs.names |= declaration.cursor_needs
        self._entity = entity
        # Only generated code reads such rows.
        self.is_plain = (
            entity in MANY
            and not asked.shows_cursors
            and not any(level.has_children for level in asked.levels)
        )
        """Whether rows need no names."""
        self._shape: RowShape[Any]
        self._has_owners = entity is Job and bool(self.needs.owner_names | self.needs.owner_stored)

    def prepare(self, shape: RowShape[Any] | None, _owner: RowShape[Any] | None) -> None:
        """Learn what the row of the level looks like: the jobs of its page belong to it."""
        self._shape = self.needs.shape(self._entity, is_plain=self.is_plain)
        for level in self._asked.levels:
            level.prepare(self._shape, shape if self._entity is Job else None)

    def values(self, run: Run, rows: Rows, _owners: Rows) -> Sequence[Any]:
        """The dict of each page."""
        read: ListRead = self.read(run)
        slices: Sequence[Any] = read.read(run.reads, rows, self._shape)
        raise_first(slices)
        flat = list(chain.from_iterable([found.items for found in slices]))
        owners: Rows = ()
        if self._has_owners:
            owners = [row for row, found in zip(rows, slices, strict=True) for _ in found.items]
        pages = Pages(
            read,
            [level.run(run, flat, owners) for level in self._asked.levels],
            [read.cursor(row) for row in flat] if self._asked.cursors else (),
            self._count(run, read, rows) if self._asked.counts else (),
        )
        run.reads.charge(0, len(slices) * len(self._parts) + len(flat) * self._asked.edge_fields)
        made, begin = [], 0
        for place, found in enumerate(slices):
            page = Page(pages, found, begin)
            made.append({key: part(page, place) for key, part in self._parts})
            begin = page.end
        return made

    def _count(self, run: Run, read: ListRead, rows: Rows) -> Sequence[Count]:
        counts = read.count(run.reads, rows)
        if max(count.number for count in counts) > MAX_INT:
            raise TooLarge
        return counts


def nodes_part(level: int) -> PagePart:
    """``nodes``, made by the level of this number."""
    return lambda page, _: page.pages.nodes[level][page.begin : page.end]


def edges_part(parts: Mapping[str, EdgePart]) -> PagePart:
    """``edges``, with these fields."""

    def edge(page: Page, place: int) -> Dict:
        made: Dict = {}
        for key, part in parts.items():
            if part.node is not None:
                made[key] = page.pages.nodes[part.node][place]
            elif part.constant is not None:
                made[key] = part.constant
            else:
                made[key] = page.pages.cursors[place]
        return made

    return lambda page, _: [edge(page, place) for place in range(page.begin, page.end)]


def count_part(page: Page, place: int) -> int:
    """``totalCount``."""
    return page.pages.counts[place].number


def exactness_part(page: Page, place: int) -> bool:
    """``isTotalCountExact``."""
    return page.pages.counts[place].is_exact


def info_part(fields: Mapping[str, Callable[[Page], Any]]) -> PagePart:
    """``pageInfo``, with these fields."""
    return lambda page, _: {key: value(page) for key, value in fields.items()}


def _cursor_at(place: int) -> Callable[[Page], str | None]:
    def cursor(page: Page) -> str | None:
        rows = page.slice.items
        return page.pages.read.cursor(rows[place]) if rows else None

    return cursor


PAGE_INFO: Mapping[str, Callable[[Page], Any]] = {
    "hasNextPage": lambda page: page.slice.has_next,
    "hasPreviousPage": lambda page: page.slice.has_previous,
    "startCursor": _cursor_at(0),
    "endCursor": _cursor_at(-1),
    "__typename": lambda _: "PageInfo",
}
"""The fields of ``pageInfo``."""
