"""Which columns of a table a read selects, and in which form.

The answer to a query shows few of the columns of a job. What is not selected is neither read nor
converted, and a time that is only shown stays as the driver gives it.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from types import FunctionType
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, DateTime, Dialect, String, type_coerce
from sqlalchemy.types import TypeDecorator, TypeEngine

from lamia_gql.domain.progress import counted_ratio
from lamia_gql.storage.base import Base
from lamia_gql.storage.models import Event, Job, Process, Task
from lamia_gql.storage.rows import EventRow, JobRow, ProcessRow, TaskRow, pending_job

R = TypeVar("R", bound=tuple[Any, ...])
DriverRows = Sequence[Sequence[Any]]
STORED_PREFIX = "stored_"
"""What the fields of a row begin with that are a time in the driver's form."""
SHAPES_KEPT = 1_024


class StoredTime(TypeDecorator[Any]):
    """A time as the driver gives it: text on SQLite, a ``datetime`` in UTC on PostgreSQL."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type of the driver's value."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String())
        return dialect.type_descriptor(DateTime(timezone=True))


STORED_TIME = StoredTime()


def shown_time(stored: str | datetime | None) -> str | datetime | None:
    """What becomes the time in an answer, from the driver's form of it.

    An encoder of JSON writes a ``datetime`` like ``isoformat``, which leaves out zero microseconds.
    """
    if isinstance(stored, str):
        # SQLAlchemy stores "2026-11-24 09:36:48.000000".
        text = stored[:19] if stored[20:] == "000000" else stored
        return text.replace(" ", "T") + "+00:00"
    return stored


class Computed(NamedTuple):
    """A property of full rows that other rows have as a field: it is computed as they are read."""

    name: str
    function: Callable[..., Any]
    columns: tuple[str, ...]
    """What the function takes."""


RATIO = Computed(
    "ratio",
    counted_ratio,
    ("kind", "job_count", "threshold", "reporting", "progress_sum", "done"),
)
COMPUTED = {RATIO.name: RATIO}


class RowShape(Generic[R]):
    """The columns of one table that are read, and the class of the rows that they make.

    Args:
        entity: the table.
        full: the class of its full rows. Rows of a part have its methods and properties.
        names: the columns to read as Python values; those of the key come first, whatever is asked
            for, and in the order of ``full``. Those of :data:`COMPUTED` come last.
        stored: the columns of times to read in the driver's form, in fields that begin with
            ``stored_``.
        is_plain: whether rows are plain tuples, without names, which end with the position of the
            key that they belong to: a row costs a third less. Those of jobs and of processes have
            the last column only of their key, unless more of it is asked for.
    """

    def __init__(
        self,
        entity: type[Base],
        full: type[R],
        names: Iterable[str],
        stored: Iterable[str] = (),
        *,
        is_plain: bool = False,
    ) -> None:
        self.entity = entity
        key = KEYS[entity]
        if is_plain and entity in (Job, Process) and not {*key[:-1]}.intersection(names):
            key = key[-1:]
        self.key_width = len(key)
        """How many of the fields, which are the first, are of the key."""
        wanted = {*key, *names}
        fields: tuple[str, ...] = full._fields  # type: ignore[attr-defined] # it is a NamedTuple
        self.names = tuple(name for name in fields if name in wanted)
        self.stored = tuple(name for name in fields if name in set(stored))
        computed = wanted.intersection(COMPUTED) if entity is Process else ()
        unknown = wanted.union(stored) - set(fields) - set(computed)
        if unknown:
            raise ValueError(f"{entity.__tablename__} has no {sorted(unknown)}")
        self._computed = [COMPUTED[name] for name in sorted(computed)]
        needed = dict.fromkeys(name for each in self._computed for name in each.columns)
        self._only_needed = [name for name in needed if name not in self.names]
        """Columns that are read, but are no fields."""
        shown = (STORED_PREFIX + name for name in self.stored)
        self.fields = (*self.names, *shown, *(each.name for each in self._computed))
        self.is_plain = is_plain
        self.row: type[R] = full if self.fields == fields else _part(full, self.fields)
        self.make: Callable[[Iterable[Any]], R] = self.row._make  # type: ignore[attr-defined] # it is a NamedTuple
        self._readers: dict[str, Callable[[DriverRows], Sequence[R]]] = {}

    def __repr__(self) -> str:
        return f"RowShape({self.entity.__tablename__}: {', '.join(self.fields)})"

    @property
    def columns_read(self) -> tuple[str, ...]:
        """The columns of the table, each once."""
        return tuple(dict.fromkeys((*self.names, *self.stored, *self._only_needed)))

    def select(self, column: Callable[[str], ColumnElement[Any]]) -> list[ColumnElement[Any]]:
        """What to select, from the columns that ``column`` gives for their names."""
        return [
            *(column(name) for name in self.names),
            *(type_coerce(column(name), STORED_TIME) for name in self.stored),
            *(column(name) for name in self._only_needed),
        ]

    def reader(self, dialect: Dialect) -> Callable[[DriverRows], Sequence[R]]:
        """From the driver's rows, which end with a place, to rows of this shape."""
        found = self._readers.get(dialect.name)
        if found is None:
            found = self._readers[dialect.name] = self._make_reader(dialect)
        return found

    def _make_reader(self, dialect: Dialect) -> Callable[[DriverRows], Sequence[R]]:
        given = [*self.fields[: len(self.fields) - len(self._computed)], *self._only_needed]
        targets = ", ".join(f"c{place}" for place in range(len(given)))
        values: dict[str, str] = {}
        names: dict[str, Any] = {"new": tuple.__new__, "row": self.row}
        for place, name in enumerate(given):
            convert = self._conversion(name, dialect)
            values[name] = f"c{place}"
            if convert is not None:
                values[name] = f"f{place}(c{place})"
                names[f"f{place}"] = convert
        for place, each in enumerate(self._computed):
            values[each.name] = f"g{place}({', '.join(values[name] for name in each.columns)})"
            names[f"g{place}"] = each.function
        row = ", ".join(values[name] for name in self.fields)
        if not self.is_plain:
            source = f"[new(row, ({row},)) for {targets}, place in rows]"
        elif row == targets:
            source = "rows"
        else:
            source = f"[({row}, place) for {targets}, place in rows]"
        found: Callable[[DriverRows], Sequence[R]]
        # Of numbers only: no name of a column is in it.
        found = eval(f"lambda rows: {source}", names)  # noqa: S307
        return found

    def _conversion(self, name: str, dialect: Dialect) -> Callable[[Any], Any] | None:
        """What makes of the driver's value that of a field; None where they are the same."""
        column = self.entity.__table__.c.get(name)
        # The drivers give the values of all other types as they are; so is a time that is stored.
        if column is None or not isinstance(column.type, TypeDecorator):
            return None
        return column.type.dialect_impl(dialect).result_processor(dialect, None)

    @property
    def columns(self) -> list[ColumnElement[Any]]:
        """What to select from the table itself."""
        return self.select(self.entity.__table__.c.__getitem__)


class ComputedShape(RowShape[R]):
    """The shape of rows that are computed, not columns of a table; they are always read whole.

    Args:
        full: the class of the rows, whose first fields are their key.
    """

    def __init__(self, full: type[R]) -> None:
        self.entity = Base
        self.fields = self.names = full._fields  # type: ignore[attr-defined] # it is a NamedTuple
        self.stored = ()
        self.is_plain = False
        self.row = full


def _part(full: type[R], fields: tuple[str, ...]) -> type[R]:
    base = namedtuple(full.__name__, fields)  # type: ignore[misc] # mypy wants literal names
    shared = {
        name: value
        for name, value in vars(full).items()
        if isinstance(value, (property, FunctionType))
        and not name.startswith("_")
        and name not in fields
    }
    return type(full.__name__, (base,), {"__slots__": (), **shared})


KEYS: dict[type[Base], tuple[str, ...]] = {
    Task: ("id",),
    Process: ("task_id", "number"),
    Job: ("task_id", "process_number", "job_index"),
    Event: ("task_id", "seq"),
}
"""The columns by which rows are found again."""
TASK = RowShape(Task, TaskRow, TaskRow._fields)
PROCESS = RowShape(Process, ProcessRow, ProcessRow._fields)
JOB = RowShape(Job, JobRow, JobRow._fields)
EVENT = RowShape(Event, EventRow, EventRow._fields)
FULL: dict[type[Base], RowShape[Any]] = {Task: TASK, Process: PROCESS, Job: JOB, Event: EVENT}


@lru_cache(SHAPES_KEPT)
def row_shape(
    entity: type[Base],
    names: frozenset[str],
    stored: frozenset[str] = frozenset(),
    *,
    is_plain: bool = False,
) -> RowShape[Any]:
    """The shape of these columns; equal ones are one object, which statements are cached by."""
    full = FULL[entity]
    return RowShape(entity, full.row, names, stored, is_plain=is_plain)


@lru_cache(SHAPES_KEPT)
def _pending_values(shape: RowShape[JobRow]) -> tuple[Any, ...]:
    pending = pending_job(0, 0, 0)
    known = {STORED_PREFIX + name: getattr(pending, name) for name in shape.stored}
    known |= pending._asdict()
    values = tuple(known[name] for name in shape.fields[shape.key_width :])
    # No one asks for the position of its key.
    return (*values, None) if shape.is_plain else values


def pending_row(shape: RowShape[JobRow], key: tuple[int, int, int]) -> JobRow:
    """The row of a job without events."""
    row: Any = (*key[-shape.key_width :], *_pending_values(shape))
    return row if shape.is_plain else shape.make(row)
