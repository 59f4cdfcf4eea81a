"""What the events of a transaction concern: their tasks, which are locked, processes and jobs.

No statement is about a single event, job or process.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Connection

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.lifecycle import Summary
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.event_statements import (
    LIMIT_LOCK_WAIT,
    LOCK_FREE_TASKS,
    LOCK_TASKS,
    PLAN_ANEW,
    READ_EVENTS,
    READ_JOBS,
    READ_PROCESSES,
    READ_TASK_NAMES,
    RESET_LOCK_WAIT,
)
from lamia_gql.storage.rows import EventRow, JobRow, ProcessRow, TaskRow, job_index

ProcessName = tuple[str, str]
"""The names of a task and of its process."""
JobKey = tuple[int, int, int]
"""Task, process and index."""
EventKey = tuple[int, str]
"""Task and the event's own id."""


class LockMode(Enum):
    """What to do about tasks that another transaction has locked; there are none on SQLite."""

    SKIP = auto()
    """Leave their events undecided."""
    WAIT = auto()
    """Wait for their locks for a short time, then fail with a lock timeout."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What the events of one transaction concern, as it is before them."""

    tasks: dict[int, TaskRow]
    processes: list[ProcessRow]
    job_keys: list[JobKey | UserError | None]
    """The job of each event, or why it has none, or None if its task is locked; in order."""
    jobs: dict[JobKey, Summary]
    """Those that have events."""


def resolve(connection: Connection, events: Sequence[NewEvent], mode: LockMode) -> Targets:
    """Lock the tasks of the events, and read all that they concern."""
    places = {(event.task, event.process) for event in events}
    names = {task for task, _ in places}
    tasks = _lock_tasks(connection, names, mode)
    locked = _locked_by_others(connection, names - tasks.keys(), mode)
    processes = _read_processes(connection, tasks, places)
    job_keys = [_job_key(event, tasks, locked, processes) for event in events]
    return Targets(
        {task.id: task for task in tasks.values()},
        list(processes.values()),
        job_keys,
        _read_jobs(connection, {key for key in job_keys if isinstance(key, tuple)}),
    )


def read_stored(
    connection: Connection, events: Sequence[NewEvent], targets: Targets
) -> dict[EventKey, EventRow]:
    """Those of the events that are stored already."""
    wanted = {
        (key[0], event.id)
        for event, key in zip(events, targets.job_keys, strict=True)
        if isinstance(key, tuple)
    }
    if connection.dialect.name == "postgresql":
        # A plan from the time when the task had few events would read all of them for each id.
        connection.execute(PLAN_ANEW)
    rows = connection.execute(READ_EVENTS, {"keys": wanted})
    return {(row.task_id, row.id): row for row in map(EventRow._make, rows)}


def _job_key(
    event: NewEvent,
    tasks: dict[str, TaskRow],
    locked: Collection[str],
    processes: dict[ProcessName, ProcessRow],
) -> JobKey | UserError | None:
    process = processes.get((event.task, event.process))
    if process is not None:
        try:
            return process.task_id, process.number, job_index(process, event.index)
        except UserError as error:
            return error
    if event.task in locked:
        return None
    if event.task in tasks:
        return UserError(
            ErrorCode.PROCESS_NOT_FOUND,
            f"Task “{event.task}” has no process “{event.process}”.",
            "process",
        )
    return UserError(ErrorCode.TASK_NOT_FOUND, f"There is no task “{event.task}”.", "task")


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
    connection: Connection, tasks: dict[str, TaskRow], places: Collection[ProcessName]
) -> dict[ProcessName, ProcessRow]:
    wanted = [
        (tasks[task].id, process)
        for task, process in places
        if task in tasks and is_storable(process)
    ]
    if not wanted:
        return {}
    names = {task.id: task.name for task in tasks.values()}
    rows = connection.execute(READ_PROCESSES, {"keys": wanted})
    return {(names[row.task_id], row.name): row for row in map(ProcessRow._make, rows)}


def _read_jobs(connection: Connection, keys: set[JobKey]) -> dict[JobKey, Summary]:
    if not keys:
        return {}
    rows = connection.execute(READ_JOBS, {"keys": keys}).all()
    return {row[:3]: row.summary() for row in map(JobRow._make, rows)}
