"""Reading events: of tasks, of processes and of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import FromClause, Select, bindparam, exists, literal, select

from lamia_gql.domain.pagination import Cursors, Page, Slice, cut, int64
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.key_table import INT, UUID, key_table, within_keys
from lamia_gql.storage.keyed_rows import keyed_rows
from lamia_gql.storage.models import Event, Process, Task
from lamia_gql.storage.queries.bounds import SIZE, Bounds, between, bound, parameters
from lamia_gql.storage.queries.counts import Count, limited_count
from lamia_gql.storage.queries.fetch import fetch_by_place, fetch_one_by_place
from lamia_gql.storage.queries.top_n_per_key import top_n_per_key
from lamia_gql.storage.row_shape import EVENT, RowShape
from lamia_gql.storage.rows import EVENT_COLUMNS, EventRow, class_mask
from lamia_gql.storage.statement import STATEMENTS_KEPT, Statement
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
    statement = _events_statement(len(parents[0]), wanted, Bounds.of(page), shape)
    given = {"keys": parents, **parameters(page)}
    if "payload" in shape.names:
        found = _read_payloads(connection, statement, given, hold, shape, len(parents))
        for rows in found:
            rows.sort(reverse=page.backward)
    else:
        found = fetch_by_place(
            connection, statement, shape, len(parents), backward=page.backward, **given
        )
    return [cut(rows, page) for rows in found]


def _read_payloads(
    connection: ReadConnection,
    statement: Statement,
    given: Mapping[str, Any],
    hold: Hold,
    shape: RowShape[EventRow],
    number: int,
) -> list[list[EventRow]]:
    """The rows of each key, in any order, read one by one: payloads may be large."""
    payload = shape.fields.index("payload")
    found: list[list[Any]] = [[] for _ in range(number)]
    read = shape.reader(connection.dialect)
    with statement.stream(connection, **given) as rows:
        for row in rows:
            if row[payload] is not None:
                hold(len(row[payload]))
            found[row[-1]] += read([row])
    return found


@lru_cache(STATEMENTS_KEPT)
def _events_statement(
    depth: int, wanted: EventFilter, bounds: Bounds, shape: RowShape[EventRow]
) -> Statement:
    def belongs(event: Any, k: FromClause) -> list[Any]:
        return [
            *_is_child(event, k, depth),
            *between(event.seq, bounds),
            *wanted.where(event),
        ]

    return top_n_per_key(
        _parents(depth),
        Event,
        shape,
        "seq",
        lambda event, k: [event.task_id == k.c.task_id],
        belongs,
        bounds.backward,
    )


def count_events(
    connection: ReadConnection, parents: Sequence[Parent], wanted: EventFilter
) -> list[Count]:
    """The number of wanted events of each parent; all tasks, all processes or all jobs."""
    found: dict[int, int] = dict(
        _count_statement(len(parents[0]), wanted).fetch(connection, keys=parents)
    )
    return [Count.of_limited(found.get(place, 0)) for place in range(len(parents))]


@lru_cache(STATEMENTS_KEPT)
def _count_statement(depth: int, wanted: EventFilter) -> Statement:
    k = _parents(depth)
    is_child = (*_is_child(Event, k, depth), within_keys(Event.task_id))
    events = select(literal(1)).where(*is_child, *wanted.where(Event))
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
    return Statement(statement)


def events_after(
    connection: ReadConnection, task_id: int, seq: int, wanted: EventFilter, limit: int
) -> list[EventRow]:
    """The first events of a task after its event ``seq``, in the order of their commits."""
    rows = _after_statement(wanted).values(connection, task_id=task_id, after_0=seq, size=limit)
    return list(map(EventRow._make, rows))


@lru_cache(STATEMENTS_KEPT)
def _after_statement(wanted: EventFilter) -> Statement:
    columns = Event.__table__.c
    task_id = bindparam("task_id", required=False, type_=columns.task_id.type)
    of_task = (Event.task_id == task_id, columns.seq > bound("after", columns.seq))
    events = select(*EVENT_COLUMNS).where(*of_task, *wanted.where(Event))
    return Statement(events.order_by(columns.seq).limit(SIZE))


def events_by_id(
    connection: ReadConnection,
    wanted: Sequence[tuple[int, str]],
    shape: RowShape[EventRow] = EVENT,
) -> list[EventRow | None]:
    """The event of each task and event id; None where it, or its task, does not exist."""
    return fetch_one_by_place(connection, _by_id_statement(shape), shape, len(wanted), keys=wanted)


@lru_cache(STATEMENTS_KEPT)
def _by_id_statement(shape: RowShape[EventRow]) -> Statement:
    k = key_table(task_id=INT, id=UUID)

    def belongs(event: Any, k: FromClause) -> list[Any]:
        task = exists().where(Task.id == event.task_id, Task.deleted_at.is_(None))
        return [event.task_id == k.c.task_id, event.id == k.c.id, task]

    def by_id(engine: str) -> Select[Any]:
        rows = keyed_rows(engine, k, Event, belongs)
        return select(*shape.select(rows.of.__getitem__), k.c.place).select_from(rows.source)

    return Statement(by_id)
