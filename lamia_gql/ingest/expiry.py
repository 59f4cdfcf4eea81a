"""Which tasks are kept no longer, by their state and tags and the time since their last event.

That time is by the clocks of servers: those of jobs may say anything, and a replay tells of a past
that is long over. A task without events counts from its creation.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select

from lamia_gql.domain.progress import State
from lamia_gql.domain.retention import Retention
from lamia_gql.ingest.tasks import lock_tasks, mark_deleted
from lamia_gql.storage.models import Event, Process, Sample, Task
from lamia_gql.storage.queries.tasks import read_tags
from lamia_gql.storage.transaction import ReadConnection, WriteTransaction

MAX_TASKS_PER_READ = 500
MAX_TASKS_PER_WRITE = 50


class Candidate(NamedTuple):
    """A task that has been there for longer than the shortest time for which any is kept."""

    id: int
    name: str
    state: State
    last_received_at: datetime
    """When its last event was received, or the task itself."""


class Size(NamedTuple):
    """Rows of tasks."""

    tasks: int = 0
    processes: int = 0
    jobs: int = 0
    events: int = 0
    samples: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(self)

    def plus(self, other: Size) -> Size:
        """The rows of both."""
        return Size(*map(sum, zip(self, other, strict=True)))


def read_candidates(
    connection: ReadConnection, retention: Retention, now: datetime, after_id: int
) -> list[Candidate]:
    """The first candidates behind this id; none if no task is ever removed."""
    if retention.shortest is None:
        return []
    statement = (
        _candidates()
        .where(Task.id > after_id, Task.received_at < now - retention.shortest)
        .order_by(Task.id)
        .limit(MAX_TASKS_PER_READ)
    )
    return _make(connection, statement)


def find_expired(
    connection: ReadConnection,
    candidates: Sequence[Candidate],
    retention: Retention,
    now: datetime,
) -> list[Candidate]:
    """Those of the candidates that are kept no longer."""
    tags = read_tags(connection, [candidate.id for candidate in candidates])
    found = []
    for candidate, names in zip(candidates, tags, strict=True):
        kept = retention.of_task(candidate.state, names)
        if kept is not None and candidate.last_received_at < now - kept:
            found.append(candidate)
    return found


def remove_expired(
    transaction: WriteTransaction, names: Sequence[str], retention: Retention, now: datetime
) -> Size:
    """Soft-delete those of these tasks that are still kept no longer; their size."""
    locked = lock_tasks(transaction, names)
    connection = transaction.connection
    # What has come since they were found counts.
    candidates = _make(connection, _candidates().where(Task.id.in_([task.id for task in locked])))
    ids = {candidate.id for candidate in find_expired(connection, candidates, retention, now)}
    gone = [task for task in locked if task.id in ids]
    found = read_size(connection, list(ids))
    mark_deleted(transaction, gone, now)
    return found


def read_size(connection: ReadConnection, task_ids: Sequence[int] | None = None) -> Size:
    """The rows of these tasks, or of all, deleted ones included."""
    processes = select(
        func.count(),
        func.sum(
            Process.submitted
            + Process.held
            + Process.running
            + Process.done
            + Process.failed
            + Process.terminated
        ),
        func.sum(Process.events),
    )
    samples = select(func.count()).select_from(Sample)
    tasks = select(func.count()).select_from(Task)
    if task_ids is not None:
        processes = processes.where(Process.task_id.in_(task_ids))
        samples = samples.where(Sample.task_id.in_(task_ids))
        tasks = tasks.where(Task.id.in_(task_ids))
    number, jobs, events = connection.execute(processes).one()
    return Size(
        connection.scalar(tasks) or 0,
        number,
        int(jobs or 0),
        int(events or 0),
        connection.scalar(samples) or 0,
    )


def _candidates() -> Any:
    return (
        select(Task.id, Task.name, Task.state, Task.received_at, Event.received_at)
        .outerjoin(Event, (Event.task_id == Task.id) & (Event.seq == Task.last_seq))
        .where(Task.deleted_at.is_(None))
    )


def _make(connection: ReadConnection, statement: Any) -> list[Candidate]:
    return [
        Candidate(task_id, name or "", State(state), event_at or received_at)
        for task_id, name, state, received_at, event_at in connection.execute(statement)
    ]
