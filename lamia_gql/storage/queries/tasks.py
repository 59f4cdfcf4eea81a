"""Reading tasks, their tags and their processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import func, select, tuple_

from lamia_gql.domain.pagination import Cursors, Page, Slice, cut, int32, int64, moment, string
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.storage.filters import ProcessFilter, TaskFilter, TaskState
from lamia_gql.storage.key_table import INT, TEXT, key_table
from lamia_gql.storage.models import Process, Tag, Task
from lamia_gql.storage.queries.counts import Count, limited_count
from lamia_gql.storage.queries.top_n_per_key import STATEMENTS_KEPT, TopNPerKey, top_n_per_key
from lamia_gql.storage.row_shape import PROCESS, TASK, RowShape
from lamia_gql.storage.rows import (
    TASK_JSON_COLUMNS,
    ProcessRow,
    TaskJson,
    TaskRow,
)
from lamia_gql.storage.transaction import Hold, ReadConnection

NO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""Stands for a missing time when tasks are ordered by it."""
PROCESS_CURSORS = Cursors(("p",), (int32,))
"""The cursors of processes of a task, by their number."""


class TaskOrderField(StrEnum):
    """What tasks can be ordered by."""

    NAME = "NAME"
    RECEIVED_AT = "RECEIVED_AT"
    SUBMITTED_AT = "SUBMITTED_AT"
    LAST_EVENT_AT = "LAST_EVENT_AT"
    FINISHED_AT = "FINISHED_AT"


class Direction(StrEnum):
    """The direction of an order."""

    ASC = "ASC"
    DESC = "DESC"


@dataclass(frozen=True, slots=True)
class TaskOrder:
    """An order of tasks. Ties are broken by the time of creation, in the same direction."""

    field: TaskOrderField = TaskOrderField.RECEIVED_AT
    direction: Direction = Direction.DESC

    @property
    def cursors(self) -> Cursors:
        """The cursors of this order: a cursor is valid in one order only."""
        value = string if self.field is TaskOrderField.NAME else moment
        return Cursors((f"t{self.field}{self.direction}",), (value, int64))

    def cursor(self, task: TaskRow) -> str:
        """The cursor of a task in this order."""
        value = getattr(task, self.field.lower())
        if self.field is not TaskOrderField.NAME:
            value = (value or NO_TIME).isoformat()
        return self.cursors.encode(value, task.id)

    def column(self) -> Any:
        """The expression that tasks are ordered by; never null."""
        column = getattr(Task, self.field.lower())
        if self.field in (TaskOrderField.LAST_EVENT_AT, TaskOrderField.FINISHED_AT):
            return func.coalesce(column, NO_TIME)
        return column


def read_tasks(
    connection: ReadConnection,
    wanted: TaskFilter,
    order: TaskOrder,
    page: Page,
    shape: RowShape[TaskRow] = TASK,
) -> Slice[TaskRow]:
    """A page of the tasks, in an order."""
    column = order.column()
    descending = (order.direction is Direction.DESC) != page.backward
    statement = select(*shape.columns).where(*wanted.where())
    place = tuple_(column, Task.id)
    rising = order.direction is Direction.ASC
    if page.after is not None:
        mark = tuple_(*page.after, types=[column.type, Task.id.type])
        statement = statement.where(place > mark if rising else place < mark)
    if page.before is not None:
        mark = tuple_(*page.before, types=[column.type, Task.id.type])
        statement = statement.where(place < mark if rising else place > mark)
    ends = (column.desc(), Task.id.desc()) if descending else (column, Task.id)
    rows = connection.execute(statement.order_by(*ends).limit(page.size + 1)).all()
    return cut([shape.make(row) for row in rows], page)


def count_tasks(connection: ReadConnection, wanted: Sequence[TaskFilter]) -> list[Count]:
    """The number of tasks that each filter selects."""
    return [_count_tasks(connection, each) for each in wanted]


def _count_tasks(connection: ReadConnection, wanted: TaskFilter) -> Count:
    if wanted == TaskFilter():
        # Two counts that need no table but only indices.
        deleted = select(func.count()).select_from(Task).where(Task.deleted_at.is_not(None))
        everything = select(func.count()).select_from(Task)
        counts = select(everything.scalar_subquery() - deleted.scalar_subquery())
        return Count(connection.scalar(counts) or 0)
    rows = select(Task.id).where(*wanted.where())
    return Count.of_limited(connection.scalar(select(limited_count(rows))) or 0)


def tasks_by_name(
    connection: ReadConnection, names: Sequence[str], shape: RowShape[TaskRow] = TASK
) -> list[TaskRow | None]:
    """The task of each name; None where there is none."""
    k = key_table(name=TEXT)
    rows = connection.execute(
        select(Task.name, *shape.columns)
        .join(k, Task.name == k.c.name)
        .where(Task.deleted_at.is_(None)),
        {"keys": [(name,) for name in names if is_storable(name)]},
    ).all()
    found = {name: shape.make(row) for name, *row in rows}
    return [found.get(name) for name in names]


def tasks_by_id(
    connection: ReadConnection, ids: Sequence[int], shape: RowShape[TaskRow] = TASK
) -> list[TaskRow | None]:
    """The task of each id; None where there is none."""
    k = key_table(id=INT)
    rows = connection.execute(
        select(*shape.columns).join(k, Task.id == k.c.id).where(Task.deleted_at.is_(None)),
        {"keys": [(task_id,) for task_id in ids]},
    ).all()
    found = {row.id: row for row in map(shape.make, rows)}
    return [found.get(task_id) for task_id in ids]


def read_task_json(connection: ReadConnection, ids: Sequence[int], hold: Hold) -> list[TaskJson]:
    """The JSON texts of each task; none for a task that does not exist."""
    k = key_table(id=INT)
    found = {}
    # Closed also where the read is ended: an open result would keep its state of the database.
    with connection.execute(
        select(Task.id, *TASK_JSON_COLUMNS).join(k, Task.id == k.c.id),
        {"keys": [(task_id,) for task_id in ids]},
    ) as rows:
        for task_id, *texts in rows:
            hold(sum(len(text) for text in texts if text is not None))
            found[task_id] = TaskJson._make(texts)
    return [found.get(task_id, TaskJson(None, None)) for task_id in ids]


def newest_ids(connection: ReadConnection, limit: int) -> list[int]:
    """The ids of the newest tasks, newest first."""
    statement = select(Task.id).where(Task.deleted_at.is_(None)).order_by(Task.id.desc())
    return list(connection.scalars(statement.limit(limit)))


def read_task_states(connection: ReadConnection, ids: Sequence[int]) -> list[TaskState]:
    """Those of these tasks that exist, with what filters depend on."""
    rows = [row for row in tasks_by_id(connection, ids) if row is not None]
    found = [row.id for row in rows]
    tags = read_tags(connection, found)
    k = key_table(id=INT)
    masks: dict[int, int] = dict.fromkeys(found, 0)
    classes = connection.execute(
        select(Process.task_id, Process.event_classes)
        .join(k, Process.task_id == k.c.id)
        .distinct(),
        {"keys": [(task_id,) for task_id in found]},
    )
    for task_id, mask in classes:
        masks[task_id] |= mask
    return [
        TaskState(row, tuple(words), masks[row.id]) for row, words in zip(rows, tags, strict=True)
    ]


def read_tags(connection: ReadConnection, ids: Sequence[int]) -> list[list[str]]:
    """The tags of each task, sorted."""
    k = key_table(id=INT)
    found: dict[int, list[str]] = {task_id: [] for task_id in ids}
    rows = connection.execute(
        select(Tag.task_id, Tag.name).join(k, Tag.task_id == k.c.id).order_by(Tag.name),
        {"keys": [(task_id,) for task_id in found]},
    ).all()
    for task_id, name in rows:
        found[task_id].append(name)
    return [found[task_id] for task_id in ids]


def all_processes(
    connection: ReadConnection, ids: Sequence[int], shape: RowShape[ProcessRow] = PROCESS
) -> list[list[ProcessRow]]:
    """All processes of each task, in order; a task has a bounded number of them."""
    k = key_table(id=INT)
    found: dict[int, list[ProcessRow]] = {task_id: [] for task_id in ids}
    rows = connection.execute(
        select(*shape.columns)
        .join(k, Process.task_id == k.c.id)
        .order_by(Process.task_id, Process.number),
        {"keys": [(task_id,) for task_id in found]},
    ).all()
    for row in map(shape.make, rows):
        found[row.task_id].append(row)
    return [found[task_id] for task_id in ids]


def read_processes(
    connection: ReadConnection,
    ids: Sequence[int],
    wanted: ProcessFilter,
    page: Page,
    shape: RowShape[ProcessRow] = PROCESS,
) -> list[Slice[ProcessRow]]:
    """A page of the processes of each task, in the order in which they were created."""
    # The size is a parameter of the statement.
    statement = _processes_statement(wanted, page._replace(size=0), shape)
    found: list[list[ProcessRow]] = [[] for _ in ids]
    rows = connection.execute(
        statement, {"keys": [(task_id,) for task_id in ids], "size": page.size + 1}
    ).all()
    for place, *row in rows:
        found[place].append(shape.make(row))
    return [cut(rows, page) for rows in found]


@lru_cache(STATEMENTS_KEPT)
def _processes_statement(
    wanted: ProcessFilter, page: Page, shape: RowShape[ProcessRow]
) -> TopNPerKey:
    def belongs(process: Any, _k: Any) -> list[Any]:
        found = [] if page.after is None else [process.number > page.after[0]]
        if page.before is not None:
            found.append(process.number < page.before[0])
        return [*found, *wanted.where(process)]

    return top_n_per_key(
        key_table(id=INT),
        Process,
        shape,
        "number",
        lambda process, k: [process.task_id == k.c.id],
        belongs,
        page.backward,
    )


def count_processes(
    connection: ReadConnection, ids: Sequence[int], wanted: ProcessFilter
) -> list[Count]:
    """The number of wanted processes of each task, which has a bounded number of them."""
    k = key_table(id=INT)
    rows = connection.execute(
        select(Process.task_id, func.count())
        .join(k, Process.task_id == k.c.id)
        .where(*wanted.where(Process))
        .group_by(Process.task_id),
        {"keys": [(task_id,) for task_id in ids]},
    )
    found = {row[0]: row[1] for row in rows}
    return [Count(found.get(task_id, 0)) for task_id in ids]


def processes_by_name(
    connection: ReadConnection,
    wanted: Sequence[tuple[int, str]],
    shape: RowShape[ProcessRow] = PROCESS,
) -> list[ProcessRow | None]:
    """The process of each task and name; None where there is none."""
    k = key_table(task_id=INT, name=TEXT)
    rows = connection.execute(
        select(Process.name, *shape.columns).join(
            k, (Process.task_id == k.c.task_id) & (Process.name == k.c.name)
        ),
        {"keys": [key for key in wanted if is_storable(key[1])]},
    ).all()
    named = ((name, shape.make(row)) for name, *row in rows)
    found = {(row.task_id, name): row for name, row in named}
    return [found.get(key) for key in wanted]


def processes_by_key(
    connection: ReadConnection,
    wanted: Sequence[tuple[int, int]],
    shape: RowShape[ProcessRow] = PROCESS,
) -> list[ProcessRow | None]:
    """The process of each task and number; None where it, or its task, does not exist."""
    k = key_table(task_id=INT, number=INT)
    rows = connection.execute(
        select(*shape.columns)
        .join(k, (Process.task_id == k.c.task_id) & (Process.number == k.c.number))
        .join(Task, Task.id == Process.task_id)
        .where(Task.deleted_at.is_(None)),
        {"keys": wanted},
    ).all()
    found = {(row.task_id, row.number): row for row in map(shape.make, rows)}
    return [found.get(key) for key in wanted]
