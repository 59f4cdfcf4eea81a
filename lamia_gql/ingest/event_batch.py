"""One transaction of events, with a fixed number of statements for any number of events.

First the events are resolved: the tasks are locked, and everything that the events concern is
read. Then the events are applied in memory, and at last what has changed is written. No statement
is about a single event, job or process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from sqlalchemy import Connection

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.lifecycle import EMPTY, Occurrence, Summary, add, event_time
from lamia_gql.domain.progress import is_enough
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.event_statements import (
    INSERT_EVENTS,
    LIMIT_LOCK_WAIT,
    LOCK_FREE_TASKS,
    LOCK_TASKS,
    PROCESS_COUNTERS,
    READ_EVENTS,
    READ_JOBS,
    READ_PROCESSES,
    READ_TASK_NAMES,
    RESET_LOCK_WAIT,
    UPDATE_PROCESSES,
    UPSERT_JOBS,
)
from lamia_gql.ingest.process_accumulator import ProcessAccumulator
from lamia_gql.ingest.samples import write_samples
from lamia_gql.ingest.task_totals import refresh_tasks
from lamia_gql.storage.rows import EventRow, JobRow, ProcessRow, TaskRow, job_index

JobKey = tuple[int, int, int]
"""Task, process and index."""
ProcessKey = tuple[int, int]
"""Task and process."""
EventKey = tuple[int, str]
"""Task and the event's own id."""


class LockMode(Enum):
    """What to do about tasks that another transaction has locked; there are none on SQLite."""

    SKIP = auto()
    """Leave their events undecided."""
    WAIT = auto()
    """Wait for their locks for a short time, then fail with a lock timeout."""


class Outcome(NamedTuple):
    """What became of an event, and its process as the transaction left it."""

    event: EventRow
    duplicate: bool
    enough: bool
    process: ProcessRow
    task: str


@dataclass(slots=True)
class _Batch:
    """What the events of one transaction concern, as read from the database, then as changed."""

    tasks: dict[int, TaskRow]
    job_keys: Sequence[JobKey | UserError | None]
    """The job of each event, or why it has none, or None if its task is locked; in order."""
    processes: dict[ProcessKey, ProcessAccumulator]
    jobs: dict[JobKey, Summary]
    stored: dict[EventKey, EventRow]
    """Events that are stored already, also by this batch."""
    last_seq: dict[int, int]
    """The number of the last event of each task."""
    changed_jobs: set[JobKey] = field(default_factory=set)
    added: list[EventRow] = field(default_factory=list)
    """The new events, in order."""


def record(
    connection: Connection, events: Sequence[NewEvent], mode: LockMode = LockMode.SKIP
) -> list[Outcome | UserError | None]:
    """Store events in the transaction of ``connection``; one outcome or error each, in order.

    It is None for events that were not stored because their task is locked.
    """
    batch = _resolve(connection, events, mode)
    results = [
        _apply(batch, event, key) if isinstance(key, tuple) else key
        for event, key in zip(events, batch.job_keys, strict=True)
    ]
    processes = {key: process.finish() for key, process in batch.processes.items()}
    if batch.added:
        _persist(connection, batch, processes)
    enough = {key: is_enough(process.progress_inputs()) for key, process in processes.items()}
    outcomes: list[Outcome | UserError | None] = []
    for result in results:
        if result is None or isinstance(result, UserError):
            outcomes.append(result)
            continue
        event, duplicate = result
        key = (event.task_id, event.process_number)
        task = batch.tasks[event.task_id].name
        outcomes.append(Outcome(event, duplicate, enough[key], processes[key], task))
    return outcomes


def _resolve(connection: Connection, events: Sequence[NewEvent], mode: LockMode) -> _Batch:
    """Lock the tasks of the events, and read all that they concern."""
    names = {event.task for event in events}
    tasks = _lock_tasks(connection, names, mode)
    locked = _locked_by_others(connection, names - tasks.keys(), mode)
    processes = _read_processes(connection, tasks, events)
    job_keys = [
        None if event.task in locked else _resolve_job(event, tasks, processes) for event in events
    ]
    return _Batch(
        tasks={task.id: task for task in tasks.values()},
        job_keys=job_keys,
        processes={(p.task_id, p.number): ProcessAccumulator(p) for p in processes.values()},
        stored=_read_events(connection, events, job_keys),
        jobs=_read_jobs(connection, job_keys),
        last_seq={task.id: task.last_seq for task in tasks.values()},
    )


def _apply(batch: _Batch, event: NewEvent, key: JobKey) -> tuple[EventRow, bool] | UserError:
    """Add an event to its job and process; the stored event, and whether it is a duplicate."""
    task_id, number, index = key
    known = batch.stored.get((task_id, event.id))
    if known is not None:
        if (known.process_number, known.job_index) == (number, index):
            return known, True
        return UserError(
            ErrorCode.EVENT_ID_TAKEN,
            f"Another job of this task has sent an event with the id {event.id}.",
            "id",
        )
    batch.last_seq[task_id] = seq = batch.last_seq[task_id] + 1
    row = EventRow(
        task_id=task_id,
        seq=seq,
        id=event.id,
        process_number=number,
        job_index=index,
        event_class=event.event_class,
        attempt=event.attempt,
        sent_at=event.sent_at,
        received_at=event.received_at,
        progress=event.progress,
        payload=event.payload,
        hostname=event.hostname,
        client_address=event.client_address,
    )
    time = event_time(event.sent_at, event.received_at)
    old = batch.jobs.get(key, EMPTY)
    batch.jobs[key] = new = add(
        old,
        Occurrence(
            event.id, event.event_class, time, event.attempt, event.progress, event.hostname
        ),
    )
    batch.processes[task_id, number].add(row, old, new, time)
    batch.stored[task_id, event.id] = row
    batch.changed_jobs.add(key)
    batch.added.append(row)
    return row, False


def _persist(
    connection: Connection, batch: _Batch, processes: dict[ProcessKey, ProcessRow]
) -> None:
    """Write what the batch has changed."""
    changed = {key: processes[key] for key, process in batch.processes.items() if process.changed}
    connection.execute(
        UPDATE_PROCESSES,
        [
            {name: getattr(process, name) for name in PROCESS_COUNTERS}
            | {
                "key_task": process.task_id,
                "key_number": process.number,
                "key_name": process.name,
            }
            for process in changed.values()
        ],
    )
    connection.execute(
        UPSERT_JOBS,
        # In the order of the primary key.
        [JobRow.of(key, batch.jobs[key])._asdict() for key in sorted(batch.changed_jobs)],
    )
    connection.execute(INSERT_EVENTS, [event._asdict() for event in batch.added])
    last_at = {(event.task_id, event.process_number): event.received_at for event in batch.added}
    write_samples(connection, [(process, last_at[key]) for key, process in changed.items()])
    touched = sorted({task_id for task_id, _ in changed})
    refresh_tasks(connection, {task_id: batch.last_seq[task_id] for task_id in touched})


def _resolve_job(
    event: NewEvent,
    tasks: dict[str, TaskRow],
    processes: dict[tuple[int, str], ProcessRow],
) -> JobKey | UserError:
    task = tasks.get(event.task)
    if task is None:
        return UserError(ErrorCode.TASK_NOT_FOUND, f"There is no task “{event.task}”.", "task")
    process = processes.get((task.id, event.process))
    if process is None:
        return UserError(
            ErrorCode.PROCESS_NOT_FOUND,
            f"Task “{event.task}” has no process “{event.process}”.",
            "process",
        )
    try:
        return task.id, process.number, job_index(process, event.index)
    except UserError as error:
        return error


def _lock_tasks(connection: Connection, names: set[str], mode: LockMode) -> dict[str, TaskRow]:
    keys = {"keys": _name_keys(names)}
    if connection.dialect.name == "sqlite":
        rows = connection.execute(LOCK_TASKS, keys)
    elif mode is LockMode.SKIP:
        rows = connection.execute(LOCK_FREE_TASKS, keys)
    else:
        connection.execute(LIMIT_LOCK_WAIT)
        rows = connection.execute(LOCK_TASKS, keys)
        connection.execute(RESET_LOCK_WAIT)
    return {row.name: row for row in map(TaskRow._make, rows)}


def _locked_by_others(connection: Connection, missing: set[str], mode: LockMode) -> set[str]:
    """Those of the tasks that were not found which exist: they were skipped."""
    if not missing or mode is not LockMode.SKIP or connection.dialect.name == "sqlite":
        return set()
    return set(connection.scalars(READ_TASK_NAMES, {"keys": _name_keys(missing)}))


def _name_keys(names: set[str]) -> list[tuple[str]]:
    return [(name,) for name in sorted(names) if is_storable(name)]


def _read_processes(
    connection: Connection, tasks: dict[str, TaskRow], events: Sequence[NewEvent]
) -> dict[tuple[int, str], ProcessRow]:
    wanted = {
        (tasks[event.task].id, event.process)
        for event in events
        if event.task in tasks and is_storable(event.process)
    }
    if not wanted:
        return {}
    rows = connection.execute(READ_PROCESSES, {"keys": wanted})
    return {(row.task_id, row.name): row for row in map(ProcessRow._make, rows)}


def _read_events(
    connection: Connection,
    events: Sequence[NewEvent],
    job_keys: Sequence[JobKey | UserError | None],
) -> dict[EventKey, EventRow]:
    wanted = {
        (key[0], event.id)
        for event, key in zip(events, job_keys, strict=True)
        if isinstance(key, tuple)
    }
    if not wanted:
        return {}
    rows = connection.execute(READ_EVENTS, {"keys": wanted})
    return {(row.task_id, row.id): row for row in map(EventRow._make, rows)}


def _read_jobs(
    connection: Connection, job_keys: Sequence[JobKey | UserError | None]
) -> dict[JobKey, Summary]:
    wanted = {key for key in job_keys if isinstance(key, tuple)}
    if not wanted:
        return {}
    rows = connection.execute(READ_JOBS, {"keys": wanted})
    return {row[:3]: row.summary() for row in map(JobRow._make, rows)}
