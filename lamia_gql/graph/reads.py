"""What the fields of an operation read, and how: always for many rows of one level at once.

A field of the graph is a function of its *inputs*: columns of its row, values that are read for
many rows in one statement (:class:`Input`), and the arguments of the field. A field that leads to
other rows returns a *read*. Both executors of the schema, the one that resolves field by field and
the one that runs compiled plans, use these declarations, so that a field has one meaning.

Reads run in a thread that has a connection, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from lamia_gql.api.answer_budget import AnswerBudget
from lamia_gql.domain.access import Principal
from lamia_gql.domain.pagination import Slice
from lamia_gql.domain.settings import Settings
from lamia_gql.storage.queries.counts import Count
from lamia_gql.storage.row_shape import PROCESS, RowShape
from lamia_gql.storage.transaction import ReadConnection

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Rows = Sequence[Any]
"""The rows of one level. Those of the roots ``Query`` and ``Subscription`` are a single None."""


class Reads:
    """What one operation reads in one snapshot; nothing is read twice.

    Args:
        now: the time at which liveness, outlook and estimates are judged.
        settings: the settings of the server.
        budget: what the answer may take.
        principal: who asks.
    """

    def __init__(
        self, now: datetime, settings: Settings, budget: AnswerBudget, principal: Principal
    ) -> None:
        self.principal = principal
        self.now = now
        self.settings = settings
        self.budget = budget
        self.processes_shape: RowShape[Any] | None = None
        """What is read of all processes of a task; None for all that fields of a task may need."""
        self._connection: ReadConnection | None = None
        self._known: dict[Hashable, dict[Any, Any]] = {}

    def on(self, connection: ReadConnection) -> Reads:
        """The same reads, on this connection from now on.

        What was read on another one, which has failed, is forgotten, as it is of another state of
        the database. The answer is counted anew.
        """
        if connection is not self._connection:
            if self._connection is not None:
                self._known.clear()
                self.budget.restart()
            self._connection = connection
        return self

    @property
    def connection(self) -> ReadConnection:
        """The connection to read on."""
        assert self._connection is not None
        return self._connection

    @property
    def beat_interval(self) -> float | None:
        """The beat interval in seconds of processes that have none of their own."""
        return self.settings.beat_interval

    def charge(self, size: int, values: int = 0) -> None:
        """Count bytes and values of the answer. Raises the error of the budget."""
        self.budget.charge(size, values)
        if self.budget.exceeded:
            raise self.budget.error()

    def once(
        self, kind: Hashable, keys: Sequence[K], read: Callable[[list[K]], Sequence[V]]
    ) -> list[V]:
        """The value of each key, of which those are read that no earlier call of this kind had."""
        known = self._known.setdefault(kind, {})
        missing = [key for key in dict.fromkeys(keys) if key not in known]
        if missing:
            known.update(zip(missing, read(missing), strict=True))
        return [known[key] for key in keys]


class Input(NamedTuple):
    """Values that fields need, computed or read for all rows of a level together.

    Fields name an input as a parameter of their function.
    """

    needs: frozenset[str]
    """The columns of the rows that it needs."""
    read: Callable[[Reads, Rows], Sequence[Any]]
    """From the rows to the value of each."""
    is_read: bool = True
    """Whether it needs the database."""
    processes: frozenset[str] = frozenset()
    """The columns that it needs of all processes of a task."""
    is_lookup: bool = True
    """Whether it never takes long for one row."""


@dataclass(frozen=True, slots=True)
class ValueRead:
    """Reads a plain value for each row."""

    key: Hashable
    """Equal for equal reads of one operation."""
    read: Callable[[Reads, Rows], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class RowRead:
    """Reads one row for each row.

    It gives None where there is none, and an exception where the argument is wrong for that row. A
    job comes together with the row of its process, as a pair.
    """

    key: Hashable
    read: Callable[[Reads, Rows, RowShape[Any], RowShape[Any]], Sequence[Any]]
    """The last two arguments are the shapes of what is read; the second one is of the process of a
    job."""


@dataclass(frozen=True, slots=True)
class KeyRead:
    """Reads one row by a key that is not a row: a field of the root, which many operations ask for.

    It gives None where there is none. Like a :class:`RowRead`, and one statement may find the rows
    of several operations.
    """

    kind: str
    """What is read: of equal kinds, ``find`` is the same."""
    wanted: Hashable
    """The key."""
    find: Callable[[ReadConnection, Sequence[Any], RowShape[Any]], Sequence[Any]]
    """From keys to the row of each."""

    @property
    def key(self) -> Hashable:
        """Equal for equal reads of one operation."""
        return self.kind, self.wanted

    def read(
        self, reads: Reads, _rows: Rows, shape: RowShape[Any], _owner: RowShape[Any]
    ) -> Sequence[Any]:
        """The row, in a list."""
        return self.find(reads.connection, [self.wanted], shape)


@dataclass(frozen=True, slots=True)
class NodeRead:
    """Reads one row of any type, which is known from an id."""

    kind: str
    """The name of the type: Task, Process, Job or Event."""
    row: RowRead


@dataclass(frozen=True, slots=True)
class ListRead:
    """Reads a page of rows for each row."""

    key: Hashable
    read: Callable[[Reads, Rows, RowShape[Any]], Sequence[Slice[Any] | Exception]]
    cursor: Callable[[Any], str]
    """The cursor of a row of a page."""
    count_key: Hashable
    count: Callable[[Reads, Rows], Sequence[Count]]
    """The length of the whole list of each row."""


AnyRead = ValueRead | RowRead | KeyRead | ListRead


def run(read: AnyRead, reads: Reads, rows: Rows, full: RowShape[Any] | None) -> Sequence[Any]:
    """What is read for each row, with full rows: of ``full``, and of processes."""
    if isinstance(read, ValueRead):
        return read.read(reads, rows)
    assert full is not None
    if isinstance(read, ListRead):
        return read.read(reads, rows, full)
    return read.read(reads, rows, full, PROCESS)
