"""Tasks and what can be done to them: create, edit, extend, delete.

What is wrong with an input is found in full before anything is written; a request that is refused
changes nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lamia_gql.batch import refresh_tasks
from lamia_gql.changes import Change, announce
from lamia_gql.errors import ErrorCode, UserError
from lamia_gql.events import check_time, encode_json
from lamia_gql.models import Process, Tag, Task
from lamia_gql.progress import ProcessKind
from lamia_gql.records import PROCESS_COLUMNS, TASK_COLUMNS, ProcessRecord, TaskRecord
from lamia_gql.settings import Settings
from lamia_gql.statements import statements
from lamia_gql.texts import check_name, check_text, is_storable

MAX_INDEX = 2**31 - 1
MAX_TAGS = 100
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process to be made: an array where ``job_count`` is given, else solitary."""

    name: str
    job_count: int | None = None
    first_index: int | None = None
    failure_tolerance: int | None = None
    threshold: float | None = None
    beat_interval: float | None = None


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task to be made."""

    name: str
    processes: Sequence[ProcessSpec]
    username: str | None = None
    email: str | None = None
    comment: str | None = None
    tags: Sequence[str] = ()
    submitted_at: datetime | None = None
    hostname: str | None = None
    client_address: str | None = None
    config: Any = None
    dependencies: Any = None


@dataclass(frozen=True, slots=True)
class TaskEdit:
    """What is to be different about a task: only the names that are in ``changes``.

    They may be ``username``, ``email``, ``comment``, ``config``, ``dependencies`` and ``tags``.
    """

    name: str
    changes: dict[str, Any]


class Refused(Exception):  # noqa: N818  (not an error of the program: an answer)
    """A request that was refused, with all that is wrong with it."""

    def __init__(self, errors: list[UserError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors


@dataclass(slots=True)
class _Check:
    """Collects what is wrong, so that users mend all of it at once."""

    settings: Settings
    now: datetime
    path: str = ""
    errors: list[UserError] = field(default_factory=list)

    def at(self, path: str) -> _Check:
        """The same collection, for a part of the input."""
        return _Check(self.settings, self.now, self.path + path, self.errors)

    def add(self, code: ErrorCode, message: str, name: str) -> None:
        """Note a problem with the field ``name`` of this part."""
        self.errors.append(UserError(code, message, self.path + name))

    def run(self, check: Callable[..., T], *arguments: Any) -> T | None:
        """The checked value; None where it is refused. The field's name comes last."""
        try:
            return check(*arguments[:-1], self.path + arguments[-1])
        except UserError as error:
            self.errors.append(error)
            return None

    def done(self) -> None:
        """Raise :class:`Refused` where anything was wrong."""
        if self.errors:
            raise Refused(self.errors)


def create_tasks(
    connection: Connection, settings: Settings, specs: Sequence[TaskSpec], now: datetime
) -> list[TaskRecord]:
    """Make all of these tasks or none. Raises :class:`Refused`."""
    check = _Check(settings, now)
    _check_number(check, len(specs), settings.max_tasks_per_request, "tasks")
    many = len(specs) != 1
    rows = []
    for place, spec in enumerate(specs):
        rows.append(_check_task(check.at(f"tasks.{place}.") if many else check, spec))
    _check_distinct(check, [spec.name for spec in specs], "tasks.{}.name", "tasks")
    check.done()
    if not specs:
        return []

    is_sqlite = connection.dialect.name == "sqlite"
    statement: Any = (sqlite.insert if is_sqlite else postgresql.insert)(Task)
    made = {
        task.name: task
        for task in map(
            TaskRecord._make,
            connection.execute(
                # In the order of the names, so that two requests never wait for one another.
                statement.on_conflict_do_nothing(index_elements=["name"]).returning(*TASK_COLUMNS),
                sorted(rows, key=lambda row: row["name"]),
            ),
        )
    }
    for place, spec in enumerate(specs):
        if spec.name not in made:
            part = check.at(f"tasks.{place}.") if many else check
            part.add(ErrorCode.NAME_TAKEN, f"There is a task “{spec.name}” already.", "name")
    check.done()
    tags = [
        {"task_id": made[spec.name].id, "name": tag} for spec in specs for tag in set(spec.tags)
    ]
    if tags:
        connection.execute(insert(Tag), tags)
    connection.execute(
        insert(Process),
        [row for spec in specs for row in _process_rows(made[spec.name].id, 0, spec.processes)],
    )
    announce(connection, [Change.of(task) for task in made.values()])
    return [made[spec.name] for spec in specs]


def add_processes(
    connection: Connection,
    settings: Settings,
    name: str,
    specs: Sequence[ProcessSpec],
    now: datetime,
) -> tuple[TaskRecord, list[ProcessRecord]]:
    """Extend a task, which may run already. Raises :class:`Refused`."""
    check = _Check(settings, now)
    _check_processes(check, specs)
    task = _lock_one(connection, name)
    there = list(
        connection.execute(select(Process.number, Process.name).where(Process.task_id == task.id))
    )
    _check_number(check, len(there) + len(specs), settings.max_processes, "processes")
    taken = {row.name for row in there}
    for place, spec in enumerate(specs):
        if spec.name in taken:
            check.at(f"processes.{place}.").add(
                ErrorCode.NAME_TAKEN, f"The task has a process “{spec.name}” already.", "name"
            )
    check.done()
    first = 1 + max(row.number for row in there)
    connection.execute(insert(Process), _process_rows(task.id, first, specs))
    refresh_tasks(
        connection, statements(connection.dialect.name == "sqlite"), {task.id: task.last_seq}
    )
    made = connection.execute(
        select(*PROCESS_COLUMNS)
        .where(Process.task_id == task.id, Process.number >= first)
        .order_by(Process.number)
    )
    announce(connection, [Change.of(task)])
    return _lock_one(connection, name), [ProcessRecord._make(row) for row in made]


def update_tasks(
    connection: Connection, settings: Settings, edits: Sequence[TaskEdit], now: datetime
) -> list[TaskRecord]:
    """Edit what people say of tasks, in all of them or none. Raises :class:`Refused`."""
    check = _Check(settings, now)
    _check_number(check, len(edits), settings.max_tasks_per_request, "tasks")
    tasks = {task.name: task for task in lock_tasks(connection, [edit.name for edit in edits])}
    for place, edit in enumerate(edits):
        part = check.at(f"tasks.{place}.") if len(edits) != 1 else check
        changes = {**edit.changes}
        tags = changes.pop("tags", None)
        values = _check_words(part, changes)
        if tags is not None:
            _check_tags(part, tags)
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
    check.done()
    tasks = {task.name: task for task in lock_tasks(connection, list(tasks))}
    announce(connection, [Change.of(task) for task in tasks.values()])
    return [tasks[edit.name] for edit in edits]


def delete_tasks(
    connection: Connection, settings: Settings, names: Sequence[str], now: datetime
) -> list[TaskRecord]:
    """Take tasks away from everybody's sight and free their names; those that there are.

    Their rows go later, little by little (see ``sweeper``). Raises :class:`Refused`.
    """
    check = _Check(settings, now)
    _check_number(check, len(names), settings.max_tasks_per_request, "names")
    check.done()
    found = lock_tasks(connection, names)
    connection.execute(
        update(Task)
        .where(Task.id.in_([task.id for task in found]))
        .values(name=None, deleted_at=now)
    )
    announce(connection, [Change.of(task, deleted=True) for task in found])
    return found


def lock_tasks(connection: Connection, names: Iterable[str]) -> list[TaskRecord]:
    """The tasks of these names, locked in the order in which everybody locks them."""
    statement = (
        select(*TASK_COLUMNS)
        .where(Task.name.in_(sorted(filter(is_storable, names))), Task.deleted_at.is_(None))
        .order_by(Task.id)
        .with_for_update()
    )
    return [TaskRecord._make(row) for row in connection.execute(statement)]


def _lock_one(connection: Connection, name: str) -> TaskRecord:
    found = lock_tasks(connection, [name])
    if not found:
        raise Refused([UserError(ErrorCode.TASK_NOT_FOUND, f"There is no task “{name}”.", "task")])
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


def _check_task(check: _Check, spec: TaskSpec) -> dict[str, Any]:
    check.run(check_name, spec.name, check.settings.max_name_length, "name")
    row = _check_words(
        check,
        {
            "username": spec.username,
            "email": spec.email,
            "comment": spec.comment,
            "hostname": spec.hostname,
            "config": spec.config,
            "dependencies": spec.dependencies,
        },
    )
    submitted_at = check.run(check_time, spec.submitted_at, check.now, "submittedAt")
    _check_tags(check, spec.tags)
    _check_processes(check, spec.processes)
    return {
        "name": spec.name,
        "submitted_at": submitted_at or check.now,
        "received_at": check.now,
        "client_address": spec.client_address,
        **row,
    }


def _check_words(check: _Check, words: dict[str, Any]) -> dict[str, Any]:
    limits = check.settings
    checked: dict[str, Any] = {}
    for name, value in words.items():
        if name in ("config", "dependencies"):
            checked[name] = check.run(
                encode_json, value, limits.max_config_bytes, ErrorCode.JSON_INVALID, name
            )
        else:
            checked[name] = check.run(check_text, value, limits.max_text_length, name)
    return checked


def _check_tags(check: _Check, tags: Sequence[str]) -> None:
    _check_number(check, len(tags), MAX_TAGS, "tags")
    for place, tag in enumerate(tags):
        check.run(check_name, tag, check.settings.max_name_length, f"tags.{place}")


def _check_processes(check: _Check, specs: Sequence[ProcessSpec]) -> None:
    if not specs:
        check.add(ErrorCode.NO_PROCESSES, "A task needs at least one process.", "processes")
    _check_number(check, len(specs), check.settings.max_processes, "processes")
    for place, spec in enumerate(specs[: check.settings.max_processes]):
        _check_process(check.at(f"processes.{place}."), spec)
    _check_distinct(check, [spec.name for spec in specs], "processes.{}.name", "processes")


def _check_process(check: _Check, spec: ProcessSpec) -> None:
    check.run(check_name, spec.name, check.settings.max_name_length, "name")
    limit = check.settings.max_job_count
    if spec.job_count is not None and not 1 <= spec.job_count <= limit:
        check.add(
            ErrorCode.JOB_COUNT_INVALID,
            f"An array has from 1 to {limit} jobs, not {spec.job_count}.",
            "jobCount",
        )
    _check_indices(check, spec)
    for name, value, code in (
        ("threshold", spec.threshold, ErrorCode.THRESHOLD_INVALID),
        ("beatInterval", spec.beat_interval, ErrorCode.BEAT_INTERVAL_INVALID),
    ):
        if value is not None and not (math.isfinite(value) and value > 0):
            check.add(code, f"{name} must be a finite number above 0, not {value}.", name)


def _check_indices(check: _Check, spec: ProcessSpec) -> None:
    first, tolerance, count = spec.first_index, spec.failure_tolerance, spec.job_count
    if count is None:
        for name, value, code in (
            ("firstIndex", first, ErrorCode.FIRST_INDEX_INVALID),
            ("failureTolerance", tolerance, ErrorCode.FAILURE_TOLERANCE_INVALID),
        ):
            if value is not None:
                message = f"{name} is for arrays only: give jobCount, or leave it out."
                check.add(code, message, name)
        return
    if first is not None and not 0 <= first <= MAX_INDEX - count:
        check.add(
            ErrorCode.FIRST_INDEX_INVALID,
            f"firstIndex must be from 0 to {MAX_INDEX - count}, not {first}.",
            "firstIndex",
        )
    if tolerance is not None and not 0 <= tolerance <= count:
        check.add(
            ErrorCode.FAILURE_TOLERANCE_INVALID,
            f"failureTolerance must be from 0 to jobCount, {count}, not {tolerance}.",
            "failureTolerance",
        )


def _check_number(check: _Check, number: int, limit: int, name: str) -> None:
    if number > limit:
        check.add(ErrorCode.TOO_MANY, f"{number} {name}; the server takes at most {limit}.", name)


def _check_distinct(check: _Check, names: Sequence[str], path: str, what: str) -> None:
    twice = {name for name, times in Counter(names).items() if times > 1}
    for place, name in enumerate(names):
        if name in twice and name in names[:place]:
            check.add(ErrorCode.NAME_TAKEN, f"Two {what} are called “{name}”.", path.format(place))
