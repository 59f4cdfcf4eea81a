"""Reading events: of tasks, of processes and of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import FromClause, exists, literal, select

from lamia_gql.domain.pagination import Cursors, Page, Slice, cut, int64
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.key_table import INT, UUID, key_table
from lamia_gql.storage.models import Event, Process, Task
from lamia_gql.storage.queries.counts import Count, limited_count
from lamia_gql.storage.queries.top_n_per_key import STATEMENTS_KEPT, TopNPerKey, top_n_per_key
from lamia_gql.storage.row_shape import EVENT, RowShape
from lamia_gql.storage.rows import EVENT_COLUMNS, EventRow, class_mask
from lamia_gql.storage.transaction import Hold, ReadConnection

KEY_COLUMNS = ("task_id", "process_number", "job_index")
"""The columns of a job's key. The first two are a process' key, the first one a task's."""
Parent = tuple[int, ...]
"""The key of a task, a process or a job: one to three values of :data:`KEY_COLUMNS`."""
START_CURSOR = ""
"""Marks the position before the first event of any task, in a stream; no list issues it."""


def event_cursors(task_id: int) -> Cursors:
    """The cursors of events of a task. They are valid in all lists and streams of its events.

    They carry the id of the task, because a later task of the same name numbers its events anew:
    to continue there from a position in the earlier task would leave out events.
    """
    return Cursors(("e", task_id), (int64,))


def _parents(depth: int) -> FromClause:
    return key_table(**dict.fromkeys(KEY_COLUMNS[:depth], INT))


def _is_child(event: Any, k: FromClause, depth: int) -> list[Any]:
    return [getattr(event, name) == k.c[name] for name in KEY_COLUMNS[:depth]]


def read_events(
    connection: ReadConnection,
    parents: Sequence[Parent],
    wanted: EventFilter,
    page: Page,
    hold: Hold,
    shape: RowShape[EventRow] = EVENT,
) -> list[Slice[EventRow]]:
    """A page of the events of each parent, in the order of their commits.

    The parents must be all tasks, all processes or all jobs.
    """
    has_payload = "payload" in shape.names
    # The size is a parameter of the statement.
    statement = _events_statement(len(parents[0]), wanted, page._replace(size=0), shape)
    found: list[list[EventRow]] = [[] for _ in parents]
    # Closed also where the read is ended: an open result would keep its state of the database.
    with connection.execute(statement, {"keys": parents, "size": page.size + 1}) as rows:
        for place, *row in rows:
            event = shape.make(row)
            if has_payload and event.payload is not None:
                hold(len(event.payload))
            found[place].append(event)
    return [cut(rows, page) for rows in found]


@lru_cache(STATEMENTS_KEPT)
def _events_statement(
    depth: int, wanted: EventFilter, page: Page, shape: RowShape[EventRow]
) -> TopNPerKey:
    def belongs(event: Any, k: FromClause) -> list[Any]:
        found = _is_child(event, k, depth)
        if page.after is not None:
            found.append(event.seq > page.after[0])
        if page.before is not None:
            found.append(event.seq < page.before[0])
        return [*found, *wanted.where(event)]

    return top_n_per_key(
        _parents(depth),
        Event,
        shape,
        "seq",
        lambda event, k: [event.task_id == k.c.task_id],
        belongs,
        page.backward,
    )


def count_events(
    connection: ReadConnection, parents: Sequence[Parent], wanted: EventFilter
) -> list[Count]:
    """The number of wanted events of each parent; all tasks, all processes or all jobs."""
    depth = len(parents[0])
    k = _parents(depth)
    events = select(literal(1)).where(*_is_child(Event, k, depth), *wanted.where(Event))
    statement = select(k.c.place, limited_count(events.correlate(k)))
    if wanted.classes is not None:
        # Where no process has such events, none are looked for.
        statement = statement.where(
            exists(select(Process.number))
            .where(
                Process.task_id == k.c.task_id,
                Process.event_classes.bitwise_and(class_mask(wanted.classes)) != 0,
                *([Process.number == k.c.process_number] if depth > 1 else []),
            )
            .correlate(k)
        )
    found = {row[0]: row[1] for row in connection.execute(statement, {"keys": parents})}
    return [Count.of_limited(found.get(place, 0)) for place in range(len(parents))]


def events_after(
    connection: ReadConnection, task_id: int, seq: int, wanted: EventFilter, limit: int
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
    connection: ReadConnection,
    wanted: Sequence[tuple[int, str]],
    shape: RowShape[EventRow] = EVENT,
) -> list[EventRow | None]:
    """The event of each task and event id; None where it, or its task, does not exist."""
    k = key_table(task_id=INT, id=UUID)
    rows = connection.execute(
        select(Event.id, *shape.columns)
        .join(k, (Event.task_id == k.c.task_id) & (Event.id == k.c.id))
        .join(Task, Task.id == Event.task_id)
        .where(Task.deleted_at.is_(None)),
        {"keys": wanted},
    )
    identified = ((event_id, shape.make(row)) for event_id, *row in rows)
    found = {(row.task_id, event_id): row for event_id, row in identified}
    return [found.get(key) for key in wanted]
