"""Reading tasks, their tags and their processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, func, select, tuple_

from lamia_gql.domain.pagination import Page, Slice, cut, encode_opaque, integer, moment, string
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.storage.filters import ProcessFilter, TaskFilter
from lamia_gql.storage.key_table import INT, TEXT, encode, keys
from lamia_gql.storage.models import Process, Tag, Task
from lamia_gql.storage.queries.top_n_per_key import top
from lamia_gql.storage.rows import (
    ATTACHED_COLUMNS,
    PROCESS_COLUMNS,
    TASK_COLUMNS,
    Attached,
    ProcessRow,
    TaskRow,
)

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
"""Where tasks without a time are put when ordered by it."""


class TaskOrderField(StrEnum):
    """What tasks can be ordered by."""

    NAME = "NAME"
    RECEIVED_AT = "RECEIVED_AT"
    SUBMITTED_AT = "SUBMITTED_AT"
    LAST_EVENT_AT = "LAST_EVENT_AT"
    FINISHED_AT = "FINISHED_AT"


class Direction(StrEnum):
    """Which way a list goes."""

    ASC = "ASC"
    DESC = "DESC"


@dataclass(frozen=True, slots=True)
class TaskOrder:
    """An order of tasks; equal ones go by their creation, in the same direction."""

    field: TaskOrderField = TaskOrderField.RECEIVED_AT
    direction: Direction = Direction.DESC

    @property
    def kind(self) -> str:
        """The name of this list in cursors: a place in one order is none in another."""
        return f"t{self.field}{self.direction}"

    @property
    def types(self) -> tuple[Any, Any]:
        """What the cursors of this list are made of."""
        return (string if self.field is TaskOrderField.NAME else moment), integer

    def cursor(self, task: TaskRow) -> str:
        """The place of a task in this list."""
        value = getattr(task, self.field.lower())
        if self.field is not TaskOrderField.NAME:
            value = (value or LONG_AGO).isoformat()
        return encode_opaque(self.kind, value, task.id)

    def column(self) -> Any:
        """The expression that tasks are ordered by; never null."""
        column = getattr(Task, self.field.lower())
        if self.field in (TaskOrderField.LAST_EVENT_AT, TaskOrderField.FINISHED_AT):
            return func.coalesce(column, LONG_AGO)
        return column


def read_tasks(
    connection: Connection, is_sqlite: bool, wanted: TaskFilter, order: TaskOrder, page: Page
) -> Slice[TaskRow]:
    """A page of the tasks."""
    column = order.column()
    descending = (order.direction is Direction.DESC) != page.backward
    statement = select(*TASK_COLUMNS).where(*wanted.where(is_sqlite))
    place = tuple_(column, Task.id)
    rising = order.direction is Direction.ASC
    if page.after is not None:
        mark = tuple_(*page.after, types=[column.type, Task.id.type])
        statement = statement.where(place > mark if rising else place < mark)
    if page.before is not None:
        mark = tuple_(*page.before, types=[column.type, Task.id.type])
        statement = statement.where(place < mark if rising else place > mark)
    ends = (column.desc(), Task.id.desc()) if descending else (column, Task.id)
    rows = connection.execute(statement.order_by(*ends).limit(page.size + 1))
    return cut([TaskRow._make(row) for row in rows], page)


def count_tasks(connection: Connection, is_sqlite: bool, wanted: TaskFilter) -> int:
    """How many tasks there are."""
    statement = select(func.count()).select_from(Task).where(*wanted.where(is_sqlite))
    return connection.scalar(statement) or 0


def tasks_by_name(
    connection: Connection, is_sqlite: bool, names: Sequence[str]
) -> list[TaskRow | None]:
    """The task of each name; None where there is none."""
    k = keys(is_sqlite, name=TEXT)
    rows = connection.execute(
        select(*TASK_COLUMNS).join(k, Task.name == k.c.name).where(Task.deleted_at.is_(None)),
        {"keys": encode((name,) for name in names if is_storable(name))},
    )
    found = {row.name: row for row in map(TaskRow._make, rows)}
    return [found.get(name) for name in names]


def tasks_by_id(
    connection: Connection, is_sqlite: bool, ids: Sequence[int]
) -> list[TaskRow | None]:
    """The task of each id; None where there is none."""
    k = keys(is_sqlite, id=INT)
    rows = connection.execute(
        select(*TASK_COLUMNS).join(k, Task.id == k.c.id).where(Task.deleted_at.is_(None)),
        {"keys": encode((task_id,) for task_id in ids)},
    )
    found = {row.id: row for row in map(TaskRow._make, rows)}
    return [found.get(task_id) for task_id in ids]


def read_attached(connection: Connection, is_sqlite: bool, ids: Sequence[int]) -> list[Attached]:
    """What is attached to each task; nothing to one that is not there."""
    k = keys(is_sqlite, id=INT)
    rows = connection.execute(
        select(Task.id, *ATTACHED_COLUMNS).join(k, Task.id == k.c.id),
        {"keys": encode((task_id,) for task_id in ids)},
    )
    found = {row[0]: Attached._make(row[1:]) for row in rows}
    return [found.get(task_id, Attached(None, None)) for task_id in ids]


def matching_ids(
    connection: Connection, is_sqlite: bool, wanted: TaskFilter, limit: int
) -> list[int]:
    """The ids of the newest tasks that match."""
    statement = select(Task.id).where(*wanted.where(is_sqlite)).order_by(Task.id.desc())
    return list(connection.scalars(statement.limit(limit)))


def matching_tasks(
    connection: Connection, is_sqlite: bool, wanted: TaskFilter, ids: Sequence[int]
) -> dict[int, tuple[TaskRow, bool]]:
    """Each of these tasks that is there, and whether it matches."""
    k = keys(is_sqlite, id=INT)
    matches = and_(True, *wanted.where(is_sqlite))
    rows = connection.execute(
        select(matches, *TASK_COLUMNS)
        .join(k, Task.id == k.c.id)
        .where(Task.deleted_at.is_(None))
        .order_by(Task.id),
        {"keys": encode((task_id,) for task_id in ids)},
    )
    return {row[1]: (TaskRow._make(row[1:]), bool(row[0])) for row in rows}


def read_tags(connection: Connection, is_sqlite: bool, ids: Sequence[int]) -> list[list[str]]:
    """The tags of each task, sorted."""
    k = keys(is_sqlite, id=INT)
    found: dict[int, list[str]] = {task_id: [] for task_id in ids}
    rows = connection.execute(
        select(Tag.task_id, Tag.name).join(k, Tag.task_id == k.c.id).order_by(Tag.name),
        {"keys": encode((task_id,) for task_id in found)},
    )
    for task_id, name in rows:
        found[task_id].append(name)
    return [found[task_id] for task_id in ids]


def all_processes(
    connection: Connection, is_sqlite: bool, ids: Sequence[int]
) -> list[list[ProcessRow]]:
    """All processes of each task, in order; a task has a bounded number of them."""
    k = keys(is_sqlite, id=INT)
    found: dict[int, list[ProcessRow]] = {task_id: [] for task_id in ids}
    rows = connection.execute(
        select(*PROCESS_COLUMNS)
        .join(k, Process.task_id == k.c.id)
        .order_by(Process.task_id, Process.number),
        {"keys": encode((task_id,) for task_id in found)},
    )
    for row in map(ProcessRow._make, rows):
        found[row.task_id].append(row)
    return [found[task_id] for task_id in ids]


def read_processes(
    connection: Connection,
    is_sqlite: bool,
    ids: Sequence[int],
    wanted: ProcessFilter,
    page: Page,
) -> list[Slice[ProcessRow]]:
    """A page of the processes of each task, in the order in which they were given."""
    k = keys(is_sqlite, id=INT)

    def belongs(process: Any, _k: Any) -> list[Any]:
        found = [] if page.after is None else [process.number > page.after[0]]
        return found if page.before is None else [*found, process.number < page.before[0]]

    statement = top(
        is_sqlite,
        k,
        Process,
        ProcessRow._fields,
        "number",
        lambda process, k: [process.task_id == k.c.id],
        lambda process, k: [*belongs(process, k), *wanted.where(is_sqlite, process)],
        page.backward,
    )
    found: list[list[ProcessRow]] = [[] for _ in ids]
    rows = connection.execute(
        statement, {"keys": encode((task_id,) for task_id in ids), "size": page.size + 1}
    )
    for place, *row in rows:
        found[place].append(ProcessRow._make(row))
    return [cut(rows, page) for rows in found]


def count_processes(
    connection: Connection, is_sqlite: bool, ids: Sequence[int], wanted: ProcessFilter
) -> list[int]:
    """How many processes each task has."""
    k = keys(is_sqlite, id=INT)
    rows = connection.execute(
        select(Process.task_id, func.count())
        .join(k, Process.task_id == k.c.id)
        .where(*wanted.where(is_sqlite, Process))
        .group_by(Process.task_id),
        {"keys": encode((task_id,) for task_id in ids)},
    )
    found = {row[0]: row[1] for row in rows}
    return [found.get(task_id, 0) for task_id in ids]


def processes_by_name(
    connection: Connection, is_sqlite: bool, wanted: Sequence[tuple[int, str]]
) -> list[ProcessRow | None]:
    """The process of each task and name; None where there is none."""
    k = keys(is_sqlite, task_id=INT, name=TEXT)
    rows = connection.execute(
        select(*PROCESS_COLUMNS).join(
            k, (Process.task_id == k.c.task_id) & (Process.name == k.c.name)
        ),
        {"keys": encode(key for key in wanted if is_storable(key[1]))},
    )
    found = {(row.task_id, row.name): row for row in map(ProcessRow._make, rows)}
    return [found.get(key) for key in wanted]


def processes_by_key(
    connection: Connection, is_sqlite: bool, wanted: Sequence[tuple[int, int]]
) -> list[ProcessRow | None]:
    """The process of each task and number; None where there is none, or no such task any more."""
    k = keys(is_sqlite, task_id=INT, number=INT)
    rows = connection.execute(
        select(*PROCESS_COLUMNS)
        .join(k, (Process.task_id == k.c.task_id) & (Process.number == k.c.number))
        .join(Task, Task.id == Process.task_id)
        .where(Task.deleted_at.is_(None)),
        {"keys": encode(wanted)},
    )
    found = {(row.task_id, row.number): row for row in map(ProcessRow._make, rows)}
    return [found.get(key) for key in wanted]
