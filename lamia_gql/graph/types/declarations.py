"""What is declared of a field of the graph: both executors of the schema go by it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from lamia_gql.graph.reads import Reads
from lamia_gql.storage.base import Base
from lamia_gql.storage.row_shape import ComputedShape

OWNER = "owner_"
"""What parameters begin with that are columns of the process of a job."""
DECLARATION = "declaration"
"""The key of a field's declaration in its metadata."""


@dataclass(frozen=True, slots=True)
class Column:
    """The declaration of a field whose value is a column of the row."""

    name: str


@dataclass(frozen=True, slots=True)
class OverProcesses:
    """What is a function of some columns of all processes of a task."""

    function: Callable[[list[Any]], Any]
    columns: tuple[str, ...]
    """What it takes of each process: the value of a single column, or a tuple of several."""


@dataclass(frozen=True, slots=True)
class Derived:
    """The declaration of a field whose value follows from inputs."""

    function: Callable[..., Any]
    inputs: tuple[str, ...]
    arguments: tuple[inspect.Parameter, ...]
    only_for: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Inputs that are None unless one of these fields of the value is asked for."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Fields of the value that are columns: where nothing else is asked for, it is not made. If the
    value may be null, it is so where these are."""
    over_processes: Mapping[str, OverProcesses] = field(default_factory=dict)
    """Likewise, fields of the value of a task that need a few columns of its processes."""
    in_array: str | None = None
    """For a job of an array, the column that the value is equal to."""


@dataclass(frozen=True, slots=True)
class Read:
    """The declaration of a field that reads: ``function`` returns what, for its arguments."""

    function: Callable[..., Any]
    takes_reads: bool
    arguments: tuple[inspect.Parameter, ...]
    entity: type[Base] | None
    """The table of the rows that are read; None if they are plain values."""
    needs: frozenset[str] = frozenset()
    """The columns of the row that the read needs."""
    cursor_needs: frozenset[str] = frozenset()
    """The columns of the rows of a page that their cursors need."""
    process_needs: frozenset[str] = frozenset()
    """The columns that the read needs of all processes of a task."""
    owner_needs: frozenset[str] = frozenset()
    """The columns of the process of a job that is read that the read itself needs."""
    is_page: bool = False
    """Whether pages of rows are read."""
    is_by_key: bool = False
    """Whether the function returns a ``KeyRead``."""
    whole: str | None = None
    """The input that has all rows of the list, if fields of the row read it."""
    tables: Mapping[str, type[Base]] | None = None
    """Where a row of any type is read: the tables by the names of the types."""
    computed: ComputedShape[Any] | None = None
    """Where a computed row is read, or a list of them: their shape."""

    @property
    def is_lookup(self) -> bool:
        """Whether a few rows are found by their keys, so that it never takes long."""
        finds_rows = self.entity is not None or self.tables is not None
        # A list that an input has is short: that of the processes of a task.
        return finds_rows and (not self.is_page or self.whole is not None)

    def call(self, reads: Reads, given: Mapping[str, Any]) -> Any:
        """What is read, for these arguments. Raises the errors of the arguments."""
        return self.function(reads, **given) if self.takes_reads else self.function(**given)


@dataclass(frozen=True, slots=True)
class Owner:
    """The declaration of the field of a job that is its process, whose row comes with it."""


Declaration = Column | Derived | Owner | Read
