"""The operations on tasks: create, edit, add processes, delete.

A request is checked in full before anything is written. A request that is refused changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.progress import ProcessKind
from lamia_gql.domain.settings import Settings
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.ingest.task_input import (
    Check,
    InvalidInput,
    ProcessSpec,
    TaskEdit,
    TaskSpec,
    check_distinct,
    check_fields,
    check_number,
    check_processes,
    check_tags,
    check_task,
)
from lamia_gql.ingest.task_totals import refresh_tasks
from lamia_gql.storage.change_feed import Change
from lamia_gql.storage.models import Process, Tag, Task
from lamia_gql.storage.rows import PROCESS_COLUMNS, TASK_COLUMNS, ProcessRow, TaskRow
from lamia_gql.storage.transaction import WriteTransaction
from lamia_gql.storage.upsert import insert_or_ignore


def create_tasks(
    transaction: WriteTransaction, settings: Settings, specs: Sequence[TaskSpec], now: datetime
) -> list[TaskRow]:
    """Create all of these tasks or none. Raises :class:`InvalidInput`."""
    connection = transaction.connection
    check = Check(settings, now)
    check_number(check, len(specs), settings.max_tasks_per_request, "tasks")
    many = len(specs) != 1
    rows = []
    for place, spec in enumerate(specs):
        rows.append(check_task(check.at(f"tasks.{place}.") if many else check, spec))
    check_distinct(check, [spec.name for spec in specs], "tasks.{}.name", "tasks")
    check.raise_errors()
    if not specs:
        return []

    made = {
        task.name: task
        for task in map(
            TaskRow._make,
            connection.execute(
                # In the order of the names, so that two requests never deadlock.
                insert_or_ignore(Task, "name").returning(*TASK_COLUMNS),
                sorted(rows, key=lambda row: row["name"]),
            ),
        )
    }
    for place, spec in enumerate(specs):
        if spec.name not in made:
            part = check.at(f"tasks.{place}.") if many else check
            part.add(ErrorCode.NAME_TAKEN, f"There is a task “{spec.name}” already.", "name")
    check.raise_errors()
    tags = [
        {"task_id": made[spec.name].id, "name": tag} for spec in specs for tag in set(spec.tags)
    ]
    if tags:
        connection.execute(insert(Tag), tags)
    connection.execute(
        insert(Process),
        [row for spec in specs for row in _process_rows(made[spec.name].id, 0, spec.processes)],
    )
    transaction.publish_on_commit([Change.of(task) for task in made.values()])
    return [made[spec.name] for spec in specs]


def add_processes(
    transaction: WriteTransaction,
    settings: Settings,
    name: str,
    specs: Sequence[ProcessSpec],
    now: datetime,
) -> tuple[TaskRow, list[ProcessRow]]:
    """Add processes to a task, which may be running: all or none. Raises :class:`InvalidInput`."""
    connection = transaction.connection
    check = Check(settings, now)
    check_processes(check, specs)
    task = _lock_one(connection, name)
    there = list(
        connection.execute(select(Process.number, Process.name).where(Process.task_id == task.id))
    )
    check_number(check, len(there) + len(specs), settings.max_processes, "processes")
    taken = {row.name for row in there}
    for place, spec in enumerate(specs):
        if spec.name in taken:
            check.at(f"processes.{place}.").add(
                ErrorCode.NAME_TAKEN, f"The task has a process “{spec.name}” already.", "name"
            )
    check.raise_errors()
    first = 1 + max(row.number for row in there)
    connection.execute(insert(Process), _process_rows(task.id, first, specs))
    refresh_tasks(connection, {task.id: task.last_seq})
    made = connection.execute(
        select(*PROCESS_COLUMNS)
        .where(Process.task_id == task.id, Process.number >= first)
        .order_by(Process.number)
    )
    transaction.publish_on_commit([Change.of(task)])
    return _lock_one(connection, name), [ProcessRow._make(row) for row in made]


def update_tasks(
    transaction: WriteTransaction, settings: Settings, edits: Sequence[TaskEdit], now: datetime
) -> list[TaskRow]:
    """Edit the descriptive fields of all of these tasks or none. Raises :class:`InvalidInput`."""
    connection = transaction.connection
    check = Check(settings, now)
    check_number(check, len(edits), settings.max_tasks_per_request, "tasks")
    tasks = {task.name: task for task in lock_tasks(connection, [edit.name for edit in edits])}
    for place, edit in enumerate(edits):
        part = check.at(f"tasks.{place}.") if len(edits) != 1 else check
        changes = {**edit.changes}
        tags = changes.pop("tags", None)
        values = check_fields(part, changes)
        if tags is not None:
            check_tags(part, tags)
        task = tasks.get(edit.name)
        if task is None:
            part.add(ErrorCode.TASK_NOT_FOUND, f"There is no task “{edit.name}”.", "name")
        if task is None or check.errors:
            continue
        if values:
            connection.execute(update(Task).where(Task.id == task.id).values(values))
        if tags is not None:
            connection.execute(delete(Tag).where(Tag.task_id == task.id))
            if tags:
                rows = [{"task_id": task.id, "name": tag} for tag in set(tags)]
                connection.execute(insert(Tag), rows)
    check.raise_errors()
    tasks = {task.name: task for task in lock_tasks(connection, list(tasks))}
    transaction.publish_on_commit([Change.of(task) for task in tasks.values()])
    return [tasks[edit.name] for edit in edits]


def delete_tasks(
    transaction: WriteTransaction, settings: Settings, names: Sequence[str], now: datetime
) -> list[TaskRow]:
    """Soft-delete those of the tasks that exist, and free their names.

    Their rows are removed later, in chunks (see ``purger``). Raises :class:`InvalidInput`.
    """
    connection = transaction.connection
    check = Check(settings, now)
    check_number(check, len(names), settings.max_tasks_per_request, "names")
    check.raise_errors()
    found = lock_tasks(connection, names)
    connection.execute(
        update(Task)
        .where(Task.id.in_([task.id for task in found]))
        .values(name=None, deleted_at=now)
    )
    transaction.publish_on_commit([Change.of(task, deleted=True) for task in found])
    return found


def lock_tasks(connection: Connection, names: Iterable[str]) -> list[TaskRow]:
    """The tasks of these names, locked in the order of their ids, as everywhere."""
    statement = (
        select(*TASK_COLUMNS)
        .where(Task.name.in_(sorted(filter(is_storable, names))), Task.deleted_at.is_(None))
        .order_by(Task.id)
        .with_for_update()
    )
    return [TaskRow._make(row) for row in connection.execute(statement)]


def _lock_one(connection: Connection, name: str) -> TaskRow:
    found = lock_tasks(connection, [name])
    if not found:
        raise InvalidInput(
            [UserError(ErrorCode.TASK_NOT_FOUND, f"There is no task “{name}”.", "task")]
        )
    return found[0]


def _process_rows(task_id: int, first: int, specs: Sequence[ProcessSpec]) -> list[dict[str, Any]]:
    return [
        {
            "task_id": task_id,
            "number": number,
            "name": spec.name,
            "kind": ProcessKind.SOLITARY if spec.job_count is None else ProcessKind.ARRAY,
            "job_count": 1 if spec.job_count is None else spec.job_count,
            "first_index": spec.first_index or 0,
            "failure_tolerance": spec.failure_tolerance or 0,
            "threshold": spec.threshold,
            "beat_interval": spec.beat_interval,
        }
        for number, spec in enumerate(specs, first)
    ]
