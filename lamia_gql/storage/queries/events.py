"""Reading events: of tasks, of processes and of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, FromClause, func, select

from lamia_gql.domain.pagination import Page, Slice, cut
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.key_table import INT, UUID, encode, encode_uuid, keys
from lamia_gql.storage.models import Event, Task
from lamia_gql.storage.queries.top_n_per_key import top
from lamia_gql.storage.rows import EVENT_COLUMNS, EventRow

PARTS = ("task_id", "process_number", "job_index")
"""What events belong to: a task, or a process of it, or a job of that."""
Parent = tuple[int, ...]
"""The key of a task, a process or a job."""


def _keys(is_sqlite: bool, depth: int) -> FromClause:
    return keys(is_sqlite, **dict.fromkeys(PARTS[:depth], INT))


def _owned(depth: int) -> Any:
    def owned(event: Any, k: FromClause) -> list[Any]:
        return [getattr(event, part) == k.c[part] for part in PARTS[:depth]]

    return owned


def read_events(
    connection: Connection,
    is_sqlite: bool,
    parents: Sequence[Parent],
    wanted: EventFilter,
    page: Page,
) -> list[Slice[EventRow]]:
    """A page of the events of each parent, in the order of their commits.

    All parents must be of one kind.
    """
    depth = len(parents[0])
    owned = _owned(depth)

    def belongs(event: Any, _k: FromClause) -> list[Any]:
        found = []
        if page.after is not None:
            found.append(event.seq > page.after[0])
        if page.before is not None:
            found.append(event.seq < page.before[0])
        return [*found, *wanted.where(event)]

    k = _keys(is_sqlite, depth)
    statement = top(
        is_sqlite,
        k,
        Event,
        EventRow._fields,
        "seq",
        lambda event, k: [event.task_id == k.c.task_id],
        lambda event, k: [*owned(event, k), *belongs(event, k)],
        page.backward,
    )
    found: list[list[EventRow]] = [[] for _ in parents]
    rows = connection.execute(statement, {"keys": encode(parents), "size": page.size + 1})
    for place, *row in rows:
        found[place].append(EventRow._make(row))
    return [cut(rows, page) for rows in found]


def count_events(
    connection: Connection, is_sqlite: bool, parents: Sequence[Parent], wanted: EventFilter
) -> list[int]:
    """How many events of the wanted classes each parent has; all of one kind."""
    depth = len(parents[0])
    k = _keys(is_sqlite, depth)
    statement = select(k.c.place, func.count(Event.seq)).where(
        *_owned(depth)(Event, k), *wanted.where(Event)
    )
    rows = connection.execute(statement.group_by(k.c.place), {"keys": encode(parents)})
    found = {row[0]: row[1] for row in rows}
    return [found.get(place, 0) for place in range(len(parents))]


def events_after(
    connection: Connection, task_id: int, seq: int, wanted: EventFilter, limit: int
) -> list[EventRow]:
    """The first events of a task after its event ``seq``, in the order of their commits."""
    statement = (
        select(*EVENT_COLUMNS)
        .where(Event.task_id == task_id, Event.seq > seq, *wanted.where(Event))
        .order_by(Event.seq)
        .limit(limit)
    )
    return [EventRow._make(row) for row in connection.execute(statement)]


def events_by_id(
    connection: Connection, is_sqlite: bool, wanted: Sequence[tuple[int, str]]
) -> list[EventRow | None]:
    """The event of each task and event id; None where there is none, or no such task any more."""
    k = keys(is_sqlite, task_id=INT, id=UUID)
    rows = connection.execute(
        select(*EVENT_COLUMNS)
        .join(k, (Event.task_id == k.c.task_id) & (Event.id == k.c.id))
        .join(Task, Task.id == Event.task_id)
        .where(Task.deleted_at.is_(None)),
        {"keys": encode((task, encode_uuid(is_sqlite, event)) for task, event in wanted)},
    )
    found = {(row.task_id, row.id): row for row in map(EventRow._make, rows)}
    return [found.get(key) for key in wanted]
