"""The levels of a plan: rows of one table, and what is read below them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from lamia_gql.domain.progress import ProcessKind
from lamia_gql.graph.plans.source import Build, Expression, Layout, Namespace, rows_to_dicts
from lamia_gql.graph.reads import Reads, Rows
from lamia_gql.storage.base import Base
from lamia_gql.storage.models import Process
from lamia_gql.storage.row_shape import RowShape, row_shape

Dict = dict[str, Any]
ARRAY = ProcessKind.ARRAY.value
"""A member of an enumeration takes longer to look up, and to compare, than a text."""
FEW_ROWS = 256
"""So many rows with long texts are less than the smallest amount of memory that is counted."""


class Run:
    """One run of a plan.

    Args:
        reads: what the operation reads.
        arguments: the arguments of a field, by its place in the plan.
    """

    __slots__ = ("arguments", "reads")

    def __init__(self, reads: Reads, arguments: Callable[[int], Mapping[str, Any]]) -> None:
        self.reads = reads
        self.arguments = arguments


class Child(ABC):
    """Gives a value for each row of a level: what is read below it."""

    @abstractmethod
    def values(self, run: Run, rows: Rows, owners: Rows) -> Sequence[Any]:
        """The values, in the order of the rows, of which there is at least one."""

    def prepare(  # noqa: B027  (those that read by the key of a row need to learn nothing)
        self, shape: RowShape[Any] | None, owner: RowShape[Any] | None
    ) -> None:
        """Learn what the rows of the level, and their owners, look like."""


@dataclass
class Needs:
    """The columns that a level needs of its rows, and of the processes of jobs."""

    names: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    owner_names: set[str] = field(default_factory=set)
    owner_stored: set[str] = field(default_factory=set)

    def add(self, other: Needs) -> None:
        """Need what another one needs, too."""
        self.names |= other.names
        self.stored |= other.stored
        self.owner_names |= other.owner_names
        self.owner_stored |= other.owner_stored

    def shape(self, entity: type[Base], *, is_plain: bool = False) -> RowShape[Any]:
        """The shape of the rows."""
        return row_shape(entity, frozenset(self.names), frozenset(self.stored), is_plain=is_plain)

    def owner_shape(self) -> RowShape[Any]:
        """The shape of the processes of jobs."""
        return row_shape(Process, frozenset(self.owner_names), frozenset(self.owner_stored))


class TypeLevel:
    """Rows of one type of the schema, and the fields that are asked of them."""

    def __init__(self, names: Namespace) -> None:
        self.entries: dict[str, Expression] = {}
        self.children: list[Child] = []
        self.needs = Needs()
        self.long_texts: set[str] = set()
        """The columns among them whose texts may be long."""
        self._long_places: list[int] = []
        self._size = 0
        self._names = names
        self._build: Build | None = None

    def child(self, child: Child) -> str:
        """Add a child; the name of its value in expressions."""
        self.children.append(child)
        return f"v{len(self.children) - 1}"

    def prepare(self, shape: RowShape[Any] | None, owner: RowShape[Any] | None) -> None:
        """Generate the function that makes the dicts."""
        for child in self.children:
            child.prepare(shape, owner)
        if shape is not None:
            self._long_places = [shape.fields.index(name) for name in self.long_texts]
        # The quotes, the colon and the comma of each key.
        self._size = sum(map(len, self.entries)) + 4 * len(self.entries) + 2
        layout = Layout(shape, owner)
        self._build = rows_to_dicts(self._names, self.entries, layout, len(self.children))

    def run(self, run: Run, rows: Rows, owners: Rows) -> list[Dict]:
        """The dicts of the rows."""
        if not rows:
            return []
        self._charge(run.reads, rows)
        values = [child.values(run, rows, owners) for child in self.children]
        return self._make(run.reads, rows, owners, values)

    def run_with(self, run: Run, rows: Rows, values: Sequence[Sequence[Any]]) -> list[Dict]:
        """The dicts of rows without owners; ``values`` has what the children give for them."""
        self._charge(run.reads, rows)
        return self._make(run.reads, rows, (), values)

    def _make(
        self, reads: Reads, rows: Rows, owners: Rows, values: Sequence[Sequence[Any]]
    ) -> list[Dict]:
        assert self._build is not None
        return self._build(rows, owners, reads, values)

    def _charge(self, reads: Reads, rows: Rows) -> None:
        reads.charge(len(rows) * self._size, len(rows) * len(self.entries))
        if len(rows) > FEW_ROWS:
            for place in self._long_places:
                reads.charge(sum(map(len, filter(None, map(itemgetter(place), rows)))))


class Level:
    """Rows of one table: of one type, or processes of both kinds.

    Args:
        types: the level of each type, by its name.
    """

    def __init__(self, types: Mapping[str, TypeLevel]) -> None:
        self._types = list(types.values())
        self._by_kind: tuple[TypeLevel, TypeLevel] | None = None
        self.needs = Needs()
        for each in self._types:
            self.needs.add(each.needs)
        if len(types) > 1:
            self._by_kind = types["JobArray"], types["SolitaryProcess"]
            self.needs.names.add("kind")
        self._kind = 0

    @property
    def has_children(self) -> bool:
        """Whether anything is read below the rows."""
        return any(each.children for each in self._types)

    def prepare(self, shape: RowShape[Any] | None, owner: RowShape[Any] | None = None) -> None:
        """Learn what the rows look like, and their owners: all that needs a column has it."""
        if self._by_kind is not None:
            assert shape is not None
            self._kind = shape.fields.index("kind")
        for each in self._types:
            each.prepare(shape, owner)

    def run(self, run: Run, rows: Rows, owners: Rows = ()) -> list[Dict]:
        """The dicts of the rows; ``owners`` are the processes of jobs, one for each row."""
        if self._by_kind is None:
            return self._types[0].run(run, rows, owners)
        kind = self._kind
        is_array = [row[kind] == ARRAY for row in rows]
        array, solitary = self._by_kind
        if all(is_array):
            return array.run(run, rows, owners)
        of_array = iter(array.run(run, _chosen(rows, is_array, True), ()))
        of_solitary = iter(solitary.run(run, _chosen(rows, is_array, False), ()))
        return [next(of_array) if each else next(of_solitary) for each in is_array]


def _chosen(rows: Rows, marks: Iterable[bool], wanted: bool) -> Rows:
    return [row for row, mark in zip(rows, marks, strict=True) if mark is wanted]
