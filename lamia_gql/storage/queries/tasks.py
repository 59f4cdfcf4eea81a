"""Reading tasks and their tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, literal_column, select, tuple_

from lamia_gql.domain.pagination import Cursors, Page, Slice, cut, int32, int64, moment, string
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.storage.filters import TaskFilter, TaskState
from lamia_gql.storage.key_table import INT, TEXT, key_table
from lamia_gql.storage.models import Process, Tag, Task
from lamia_gql.storage.outlooks import attention
from lamia_gql.storage.queries.bounds import SIZE, Bounds, bound, parameters
from lamia_gql.storage.queries.counts import Count, limited_count
from lamia_gql.storage.queries.fetch import fetch_one_by_place
from lamia_gql.storage.row_shape import TASK, RowShape
from lamia_gql.storage.rows import TASK_JSON_COLUMNS, TaskJson, TaskRow
from lamia_gql.storage.statement import STATEMENTS_KEPT, Statement
from lamia_gql.storage.transaction import Hold, ReadConnection

NO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""Stands for a missing time when tasks are ordered by it."""
RANKS_VERSION = 2
"""To be increased when :func:`attention` ranks otherwise: a cursor with a rank of former ones would
skip tasks."""
SPECIAL_IN_LIKE = re.compile("[%_/]")
"""The characters that LIKE does not take for themselves; a slash before one changes that."""


class TaskOrderField(StrEnum):
    """What tasks can be ordered by."""

    NAME = "NAME"
    RECEIVED_AT = "RECEIVED_AT"
    SUBMITTED_AT = "SUBMITTED_AT"
    LAST_EVENT_AT = "LAST_EVENT_AT"
    FINISHED_AT = "FINISHED_AT"
    ATTENTION = "ATTENTION"


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
        name = f"t{self.field}{self.direction}"
        if self.field is TaskOrderField.ATTENTION:
            return Cursors((name, RANKS_VERSION), (int32, int64))
        value = string if self.field is TaskOrderField.NAME else moment
        return Cursors((name,), (value, int64))

    def cursor(self, task: TaskRow, rank: int = 0) -> str:
        """The cursor of a task in this order; for ATTENTION, ``rank`` is how much it needs."""
        if self.field is TaskOrderField.ATTENTION:
            return self.cursors.encode(rank, task.id)
        value = getattr(task, self.field.lower())
        if self.field is not TaskOrderField.NAME:
            value = (value or NO_TIME).isoformat()
        return self.cursors.encode(value, task.id)

    def column(self) -> Any:
        """The expression that tasks are ordered by; never null."""
        if self.field is TaskOrderField.ATTENTION:
            return attention()
        column = getattr(Task, self.field.lower())
        if self.field in (TaskOrderField.LAST_EVENT_AT, TaskOrderField.FINISHED_AT):
            return func.coalesce(column, NO_TIME)
        return column


class LivenessTerms(NamedTuple):
    """What the outlook of tasks depends on, besides themselves."""

    now: datetime
    """The time at which liveness is judged."""
    beat_interval: float | None
    """That of processes that have none of their own, in seconds."""


class TaskPage(NamedTuple):
    """A page of tasks."""

    tasks: Slice[TaskRow]
    ranks: dict[int, int]
    """How much attention each needs, by its id; empty in other orders."""


def read_tasks(
    connection: ReadConnection,
    wanted: TaskFilter,
    order: TaskOrder,
    page: Page,
    terms: LivenessTerms | None = None,
    shape: RowShape[TaskRow] = TASK,
) -> TaskPage:
    """A page of the tasks, in an order. ``terms`` are for outlooks, in the filter or the order."""
    statement = _tasks_statement(wanted, order, Bounds.of(page), shape)
    is_ranked = order.field is TaskOrderField.ATTENTION
    given = terms._asdict() if terms and (is_ranked or wanted.outlooks is not None) else {}
    rows = statement.fetch(connection, **parameters(page), **given)
    tasks = cut(shape.reader(connection.dialect)(rows), page)
    return TaskPage(tasks, {row[0]: row[-1] for row in rows} if is_ranked else {})


@lru_cache(STATEMENTS_KEPT)
def _tasks_statement(
    wanted: TaskFilter, order: TaskOrder, bounds: Bounds, shape: RowShape[TaskRow]
) -> Statement:
    column, number = order.column(), Task.__table__.c.id
    place, rising = tuple_(column, number), order.direction is Direction.ASC

    def keyset(side: str) -> Any:
        return tuple_(bound(side, column), bound(side, number, 1))

    is_ranked = order.field is TaskOrderField.ATTENTION
    # Instead of the position of a key, which there is not.
    rank = column.label("rank") if is_ranked else literal_column("0")
    # SQLite would compute the rank twice, but for its name.
    ordered = rank if is_ranked else column
    statement = select(*shape.columns, rank).where(*wanted.where())
    if bounds.after:
        statement = statement.where(place > keyset("after") if rising else place < keyset("after"))
    if bounds.before:
        statement = statement.where(
            place < keyset("before") if rising else place > keyset("before")
        )
    descending = rising == bounds.backward
    ends = (ordered.desc(), number.desc()) if descending else (ordered, number)
    return Statement(statement.order_by(*ends).limit(SIZE))


def count_tasks(connection: ReadConnection, wanted: TaskFilter, terms: LivenessTerms) -> Count:
    """The number of tasks that a filter selects."""
    given = {} if wanted.outlooks is None else terms._asdict()
    [(number,)] = _count_statement(wanted).fetch(connection, **given)
    return Count(number) if wanted == TaskFilter() else Count.of_limited(number)


@lru_cache(STATEMENTS_KEPT)
def _count_statement(wanted: TaskFilter) -> Statement:
    if wanted == TaskFilter():
        # Two counts that need no table but only indices.
        deleted = select(func.count()).select_from(Task).where(Task.deleted_at.is_not(None))
        everything = select(func.count()).select_from(Task)
        return Statement(select(everything.scalar_subquery() - deleted.scalar_subquery()))
    return Statement(select(limited_count(select(Task.id).where(*wanted.where()))))


def tasks_by_name(
    connection: ReadConnection, names: Sequence[str], shape: RowShape[TaskRow] = TASK
) -> list[TaskRow | None]:
    """The task of each name; None where there is none."""
    # No task has the name NULL.
    keys = [(name if is_storable(name) else None,) for name in names]
    return fetch_one_by_place(connection, _by_name_statement(shape), shape, len(keys), keys=keys)


@lru_cache(STATEMENTS_KEPT)
def _by_name_statement(shape: RowShape[TaskRow]) -> Statement:
    k = key_table(name=TEXT)
    return Statement(
        select(*shape.columns, k.c.place)
        .join(k, Task.name == k.c.name)
        .where(Task.deleted_at.is_(None))
    )


def tasks_by_id(
    connection: ReadConnection, ids: Sequence[int], shape: RowShape[TaskRow] = TASK
) -> list[TaskRow | None]:
    """The task of each id; None where there is none."""
    keys = [(task_id,) for task_id in ids]
    return fetch_one_by_place(connection, _by_id_statement(shape), shape, len(keys), keys=keys)


@lru_cache(STATEMENTS_KEPT)
def _by_id_statement(shape: RowShape[TaskRow]) -> Statement:
    k = key_table(id=INT)
    return Statement(
        select(*shape.columns, k.c.place)
        .join(k, Task.id == k.c.id)
        .where(Task.deleted_at.is_(None))
    )


def read_task_json(connection: ReadConnection, ids: Sequence[int], hold: Hold) -> list[TaskJson]:
    """The JSON texts of each task; none for a task that does not exist."""
    found = {}
    keys = [(task_id,) for task_id in ids]
    with _task_json_statement().stream(connection, keys=keys) as rows:
        for task_id, *texts in rows:
            hold(sum(len(text) for text in texts if text is not None))
            found[task_id] = TaskJson._make(texts)
    return [found.get(task_id, TaskJson(None, None)) for task_id in ids]


@cache
def _task_json_statement() -> Statement:
    k = key_table(id=INT)
    return Statement(select(Task.id, *TASK_JSON_COLUMNS).join(k, Task.id == k.c.id))


def read_usernames(connection: ReadConnection, prefix: str, size: int) -> list[str]:
    """The first users of tasks whose names begin with a text, in any case, in their order."""
    pattern = SPECIAL_IN_LIKE.sub(r"/\g<0>", prefix) + "%"
    found = _usernames_statement().fetch(connection, pattern=pattern, size=size)
    return [name for (name,) in found]


@cache
def _usernames_statement() -> Statement:
    pattern = func.lower(bindparam("pattern", required=False, type_=TEXT))
    found = select(Task.username).where(
        Task.deleted_at.is_(None),
        Task.username.is_not(None),
        func.lower(Task.username).like(pattern, escape="/"),
    )
    return Statement(found.distinct().order_by(Task.username).limit(SIZE))


def newest_ids(connection: ReadConnection, limit: int) -> list[int]:
    """The ids of the newest tasks, newest first."""
    rows = _newest_statement().fetch(connection, size=limit)
    return [task_id for (task_id,) in rows]


@cache
def _newest_statement() -> Statement:
    newest = select(Task.id).where(Task.deleted_at.is_(None)).order_by(Task.id.desc())
    return Statement(newest.limit(SIZE))


def read_task_states(connection: ReadConnection, ids: Sequence[int]) -> list[TaskState]:
    """Those of these tasks that exist, with what filters depend on."""
    rows = [row for row in tasks_by_id(connection, ids) if row is not None]
    found = [row.id for row in rows]
    tags = read_tags(connection, found)
    masks: dict[int, int] = dict.fromkeys(found, 0)
    keys = [(task_id,) for task_id in found]
    for task_id, mask in _event_classes_statement().fetch(connection, keys=keys):
        masks[task_id] |= mask
    return [
        TaskState(row, tuple(words), masks[row.id]) for row, words in zip(rows, tags, strict=True)
    ]


@cache
def _event_classes_statement() -> Statement:
    k = key_table(id=INT)
    return Statement(
        select(Process.task_id, Process.event_classes).join(k, Process.task_id == k.c.id).distinct()
    )


def read_tags(connection: ReadConnection, ids: Sequence[int]) -> list[list[str]]:
    """The tags of each task, sorted."""
    found: list[list[str]] = [[] for _ in ids]
    keys = [(task_id,) for task_id in ids]
    for place, name in _tags_statement().fetch(connection, keys=keys):
        found[place].append(name)
    return found


@cache
def _tags_statement() -> Statement:
    k = key_table(id=INT)
    return Statement(
        select(k.c.place, Tag.name).join_from(k, Tag, Tag.task_id == k.c.id).order_by(Tag.name)
    )
