"""Which columns of a table a read selects, and in which form.

The answer to a query shows few of the columns of a job. What is not selected is neither read nor
converted, and a time that is only shown is never made a ``datetime``.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from types import FunctionType
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, DateTime, Dialect, String, type_coerce
from sqlalchemy.types import TypeDecorator, TypeEngine

from lamia_gql.storage.models import Base, Event, Job, Process, Task
from lamia_gql.storage.rows import EventRow, JobRow, ProcessRow, TaskRow, pending_job

R = TypeVar("R", bound=tuple[Any, ...])
TEXT_PREFIX = "text_of_"
"""What the fields of a row begin with that are a time as text."""
SHAPES_KEPT = 1_024


class TimeText(TypeDecorator[str]):
    """A time as text in ISO 8601 and UTC: equal to ``isoformat`` of what UTCDateTime gives."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type of the driver's value: SQLite stores text."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String())
        return dialect.type_descriptor(DateTime(timezone=True))

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str | None]:
        """From the driver's value to the text."""
        return _text_of_sqlite if dialect.name == "sqlite" else _text_of_datetime


TIME_TEXT = TimeText()


def _text_of_sqlite(stored: str | None) -> str | None:
    # SQLAlchemy stores "2026-11-24 09:36:48.000000"; isoformat() leaves out zero microseconds.
    if stored is None:
        return None
    end = 19 if stored.endswith(".000000") else 26
    return f"{stored[:10]}T{stored[11:end]}+00:00"


def _text_of_datetime(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat()


class RowShape(Generic[R]):
    """The columns of one table that are read, and the class of the rows that they make.

    Args:
        entity: the table.
        full: the class of its full rows. Rows of a part have its methods and properties.
        names: the columns to read as Python values; those of the key come first, whatever is asked
            for, and in the order of ``full``.
        texts: the columns of times to read as text, in fields that begin with ``text_of_``.
    """

    def __init__(
        self, entity: type[Base], full: type[R], names: Iterable[str], texts: Iterable[str] = ()
    ) -> None:
        self.entity = entity
        wanted = {*KEYS[entity], *names}
        fields: tuple[str, ...] = full._fields  # type: ignore[attr-defined] # it is a NamedTuple
        self.names = tuple(name for name in fields if name in wanted)
        self.texts = tuple(name for name in fields if name in set(texts))
        unknown = wanted.union(texts) - set(fields)
        if unknown:
            raise ValueError(f"{entity.__tablename__} has no {sorted(unknown)}")
        self.fields = (*self.names, *(TEXT_PREFIX + name for name in self.texts))
        self.row: type[R] = full if self.fields == fields else _part(full, self.fields)
        self.make: Callable[[Iterable[Any]], R] = self.row._make  # type: ignore[attr-defined] # it is a NamedTuple

    def __repr__(self) -> str:
        return f"RowShape({self.entity.__tablename__}: {', '.join(self.fields)})"

    @property
    def columns_read(self) -> tuple[str, ...]:
        """The columns of the table, each once."""
        return tuple(dict.fromkeys((*self.names, *self.texts)))

    def select(self, column: Callable[[str], ColumnElement[Any]]) -> list[ColumnElement[Any]]:
        """What to select, from the columns that ``column`` gives for their names."""
        return [
            *(column(name) for name in self.names),
            *(type_coerce(column(name), TIME_TEXT) for name in self.texts),
        ]

    @property
    def columns(self) -> list[ColumnElement[Any]]:
        """What to select from the table itself."""
        return self.select(self.entity.__table__.c.__getitem__)


def _part(full: type[R], fields: tuple[str, ...]) -> type[R]:
    base = namedtuple(full.__name__, fields)  # type: ignore[misc] # mypy wants literal names
    shared = {
        name: value
        for name, value in vars(full).items()
        if isinstance(value, (property, FunctionType)) and not name.startswith("_")
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
    entity: type[Base], names: frozenset[str], texts: frozenset[str] = frozenset()
) -> RowShape[Any]:
    """The shape of these columns; equal ones are one object, which statements are cached by."""
    full = FULL[entity]
    return RowShape(entity, full.row, names, texts)


@lru_cache(SHAPES_KEPT)
def pending_values(shape: RowShape[JobRow]) -> tuple[Any, ...]:
    """What follows the key in the row of a job without events."""
    pending = pending_job(0, 0, 0)
    known = {TEXT_PREFIX + name: getattr(pending, name) for name in shape.texts}
    known |= pending._asdict()
    return tuple(known[name] for name in shape.fields[3:])
