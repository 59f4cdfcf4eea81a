"""The operations on tasks: create, edit, add processes, delete.

A request is checked in two steps. Each function checks what needs no database, which may take a
while; the work that it returns is for a transaction, in which nothing slow may happen, because it
has locks. It checks the rest before it writes. A request that is refused changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import delete, insert, select, update

from lamia_gql.domain.access import ANYONE, Principal
from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.not_found import task_not_found
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

T = TypeVar("T")
Work = Callable[[WriteTransaction], T]
"""The part of an operation that runs in a transaction. Raises :class:`InvalidInput`."""


def create_tasks(
    settings: Settings, specs: Sequence[TaskSpec], now: datetime, principal: Principal = ANYONE
) -> Work[list[TaskRow]]:
    """Create all of these tasks or none; they belong to ``principal``.

    Raises :class:`InvalidInput`.
    """
    check = Check(settings, now)
    if check.accepts(len(specs), settings.max_tasks_per_request, "tasks"):
        rows = [
            check_task(_part(check, place, len(specs)), spec) for place, spec in enumerate(specs)
        ]
        check_distinct(check, [spec.name for spec in specs], "tasks.{}.name", "tasks")
        for place, spec in enumerate(specs):
            if not principal.may_create(spec.name):
                _part(check, place, len(specs)).add(
                    ErrorCode.FORBIDDEN,
                    "This credential may only create tasks whose names begin with"
                    f" “{principal.prefix}”.",
                    "name",
                )
        rows = [row | {"owner": principal.subject} for row in rows]
    check.raise_errors()
    return lambda transaction: _create_tasks(transaction, Check(settings, now), specs, rows)


def _create_tasks(
    transaction: WriteTransaction,
    check: Check,
    specs: Sequence[TaskSpec],
    rows: Sequence[dict[str, Any]],
) -> list[TaskRow]:
    if not specs:
        return []
    connection = transaction.connection
    with transaction.locking():
        inserted = connection.execute(
            # In the order of the names, so that two requests never deadlock.
            insert_or_ignore(Task, "name").returning(*TASK_COLUMNS),
            sorted(rows, key=lambda row: row["name"]),
        ).all()
    made = {task.name: task for task in map(TaskRow._make, inserted)}
    for place, spec in enumerate(specs):
        if spec.name not in made:
            part = _part(check, place, len(specs))
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
    settings: Settings,
    name: str,
    specs: Sequence[ProcessSpec],
    now: datetime,
    principal: Principal = ANYONE,
) -> Work[tuple[TaskRow, list[ProcessRow]]]:
    """Add processes to a task, which may be running: all or none. Raises :class:`InvalidInput`."""
    check = Check(settings, now)
    check_processes(check, specs)
    check.raise_errors()
    return lambda transaction: _add_processes(
        transaction, principal, Check(settings, now), name, specs
    )


def _add_processes(
    transaction: WriteTransaction,
    principal: Principal,
    check: Check,
    name: str,
    specs: Sequence[ProcessSpec],
) -> tuple[TaskRow, list[ProcessRow]]:
    connection = transaction.connection
    task = lock_task(transaction, principal, name)
    there = list(
        connection.execute(select(Process.number, Process.name).where(Process.task_id == task.id))
    )
    check.accepts(len(there) + len(specs), check.settings.max_processes, "processes")
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
    [task] = lock_tasks(transaction, [name])
    return task, [ProcessRow._make(row) for row in made]


def update_tasks(
    settings: Settings, edits: Sequence[TaskEdit], now: datetime, principal: Principal = ANYONE
) -> Work[list[TaskRow]]:
    """Edit the descriptive fields of all of these tasks or none. Raises :class:`InvalidInput`."""
    check = Check(settings, now)
    checked = []
    if check.accepts(len(edits), settings.max_tasks_per_request, "tasks"):
        for place, edit in enumerate(edits):
            part = _part(check, place, len(edits))
            changes = {**edit.changes}
            tags = changes.pop("tags", None)
            checked.append((edit.name, check_fields(part, changes), tags))
            if tags is not None:
                check_tags(part, tags)
    check.raise_errors()
    return lambda transaction: _update_tasks(transaction, principal, Check(settings, now), checked)


def _update_tasks(
    transaction: WriteTransaction,
    principal: Principal,
    check: Check,
    edits: Sequence[tuple[str, dict[str, Any], Sequence[str] | None]],
) -> list[TaskRow]:
    connection = transaction.connection
    tasks = {task.name: task for task in lock_tasks(transaction, [name for name, _, _ in edits])}
    for place, (name, values, tags) in enumerate(edits):
        task = tasks.get(name)
        if task is None:
            part = _part(check, place, len(edits))
            part.add(ErrorCode.TASK_NOT_FOUND, task_not_found(name).message, "name")
        elif not principal.may_change(task.name, task.owner):
            part = _part(check, place, len(edits))
            part.add(ErrorCode.FORBIDDEN, _not_changeable(name), "name")
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
    tasks = {task.name: task for task in lock_tasks(transaction, list(tasks))}
    transaction.publish_on_commit([Change.of(task) for task in tasks.values()])
    return [tasks[name] for name, _, _ in edits]


def delete_tasks(
    settings: Settings, names: Sequence[str], now: datetime, principal: Principal = ANYONE
) -> Work[list[TaskRow]]:
    """Soft-delete those of the tasks that exist, and free their names: all of them or none.

    Their rows are removed later, in chunks (see ``purger``). Raises :class:`InvalidInput`.
    """
    check = Check(settings, now)
    check.accepts(len(names), settings.max_tasks_per_request, "names")
    check.raise_errors()
    return lambda transaction: _delete_tasks(
        transaction, principal, Check(settings, now), names, now
    )


def _delete_tasks(
    transaction: WriteTransaction,
    principal: Principal,
    check: Check,
    names: Sequence[str],
    now: datetime,
) -> list[TaskRow]:
    found = lock_tasks(transaction, names)
    owners = {task.name: task.owner for task in found}
    for place, name in enumerate(names):
        if name in owners and not principal.may_change(name, owners[name]):
            field = "name" if len(names) == 1 else f"names.{place}"
            check.add(ErrorCode.FORBIDDEN, _not_changeable(name), field)
    check.raise_errors()
    mark_deleted(transaction, found, now)
    return found


def mark_deleted(transaction: WriteTransaction, tasks: Sequence[TaskRow], now: datetime) -> None:
    """Soft-delete tasks, which must be locked."""
    transaction.connection.execute(
        update(Task)
        .where(Task.id.in_([task.id for task in tasks]))
        .values(name=None, deleted_at=now)
    )
    transaction.publish_on_commit([Change.of(task, deleted=True) for task in tasks])


def lock_tasks(transaction: WriteTransaction, names: Iterable[str]) -> list[TaskRow]:
    """The tasks of these names, locked in the order of their ids, as everywhere."""
    statement = (
        select(*TASK_COLUMNS)
        .where(Task.name.in_(sorted(filter(is_storable, names))), Task.deleted_at.is_(None))
        .order_by(Task.id)
        .with_for_update()
    )
    with transaction.locking():
        found = transaction.connection.execute(statement).all()
    return [TaskRow._make(row) for row in found]


def _part(check: Check, place: int, number: int) -> Check:
    """The check of one task of a request; the only one of a request has no place."""
    return check if number == 1 else check.at(f"tasks.{place}.")


def lock_task(transaction: WriteTransaction, principal: Principal, name: str) -> TaskRow:
    """The task of this name, locked, to be changed by ``principal``. Raises :class:`InvalidInput`.

    The field of the error is ``task``.
    """
    for task in lock_tasks(transaction, [name]):
        if principal.may_change(task.name, task.owner):
            return task
        raise InvalidInput([UserError(ErrorCode.FORBIDDEN, _not_changeable(name), "task")])
    raise InvalidInput([task_not_found(name)])


def _not_changeable(name: str) -> str:
    return f"This credential may not change task “{name}”: only its owner and administrators may."


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
