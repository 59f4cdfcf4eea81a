"""What the events of a transaction concern: their tasks, which are locked, processes and jobs.

No statement is about a single event, job or process.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Connection

from lamia_gql.domain.errors import UserError
from lamia_gql.domain.job_indices import job_index
from lamia_gql.domain.not_found import process_not_found, task_not_found
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
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.rows import EventRow, JobRow, ProcessRow, TaskRow

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
    jobs: dict[JobKey, JobRow]
    """Those that have events."""


def resolve(driver: Driver, events: Sequence[NewEvent], mode: LockMode) -> Targets:
    """Lock the tasks of the events, and read all that they concern."""
    places = {(event.task, event.process) for event in events}
    names = {task for task, _ in places}
    tasks, processes = _lock_and_read(driver, names, places, mode)
    locked = _locked_by_others(driver, names - tasks.keys(), mode)
    job_keys = [_job_key(event, tasks, locked, processes) for event in events]
    wanted = {key for key in job_keys if isinstance(key, tuple)}
    jobs = READ_JOBS.run_on(driver, wanted)
    return Targets(
        {task.id: task for task in tasks.values()},
        list(processes.values()),
        job_keys,
        {row[:3]: row for row in jobs},
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
    if not event.principal.is_admin and event.task in tasks:
        task = tasks[event.task]
        refusal = event.principal.event_refusal(
            task.id, task.name, task.owner, task.token_generation, event.process
        )
        if refusal is not None:
            return refusal
    process = processes.get((event.task, event.process))
    if process is not None:
        try:
            return process.task_id, process.number, job_index(process, event.index)
        except UserError as error:
            return error
    if event.task in locked:
        return None
    if event.task in tasks:
        return process_not_found(event.task, event.process)
    return task_not_found(event.task)


def _lock_and_read(
    driver: Driver, names: set[str], places: Collection[ProcessName], mode: LockMode
) -> tuple[dict[str, TaskRow], dict[ProcessName, ProcessRow]]:
    """The tasks, which are locked, and their processes.

    The processes are read by a statement of its own: it sees what was committed before the locks
    were there.
    """
    task_keys = _name_keys(names)
    process_keys = [key for key in places if all(map(is_storable, key))]
    with driver.together():
        if mode is LockMode.SKIP and not driver.is_sqlite:
            locked = LOCK_FREE_TASKS.start(driver, task_keys)
        elif driver.is_sqlite:
            locked = LOCK_TASKS.start(driver, task_keys)
        else:
            driver.execute(LIMIT_LOCK_WAIT)
            locked = LOCK_TASKS.start(driver, task_keys)
            driver.execute(RESET_LOCK_WAIT)
        found = READ_PROCESSES.start(driver, process_keys)
    tasks = {task.id: task for task in locked()}
    # Those of tasks that others have locked are no concern of this transaction.
    processes = [process for process in found() if process.task_id in tasks]
    return (
        {task.name: task for task in tasks.values()},
        {(tasks[process.task_id].name, process.name): process for process in processes},
    )


def _locked_by_others(driver: Driver, missing: set[str], mode: LockMode) -> set[str]:
    """Those of the tasks that were not found which exist: they were skipped."""
    if not missing or mode is not LockMode.SKIP or driver.is_sqlite:
        return set()
    return {name for (name,) in READ_TASK_NAMES.run_on(driver, _name_keys(missing))}


def _name_keys(names: set[str]) -> list[tuple[str]]:
    return [(name,) for name in sorted(names) if is_storable(name)]
