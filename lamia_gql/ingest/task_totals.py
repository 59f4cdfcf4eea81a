"""The columns of a task that follow from its processes and events: state, times, numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from lamia_gql.domain.progress import FINISHED, State, task_state
from lamia_gql.ingest.event_statements import GROUP_PROCESSES, UPDATE_TASKS
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.rows import ProcessRow, TaskRow


class TaskCounts(NamedTuple):
    """A row of ``UPDATE_TASK_COUNTS``: the task, and its columns ``TASK_COUNTS`` in their order."""

    id: int
    last_seq: int
    events: int
    last_event_at: datetime | None


class TaskTotals(NamedTuple):
    """A row of ``UPDATE_TASKS``: the task, and its columns ``TASK_TOTALS`` in their order."""

    id: int
    last_seq: int
    events: int
    last_event_at: datetime | None
    state: str
    started_at: datetime | None
    finished_at: datetime | None


def refresh_tasks(connection: Connection, last_seq: Mapping[int, int]) -> None:
    """Update the totals of tasks, which must be locked.

    ``last_seq`` has the number of the last event of each task, by the task's id.
    """
    driver = Driver(connection)
    groups = GROUP_PROCESSES.run_on(driver, [(task_id,) for task_id in last_seq])
    UPDATE_TASKS.run_on(driver, task_totals(groups, last_seq))


def task_counts(
    tasks: Mapping[int, TaskRow],
    changed: Iterable[tuple[ProcessRow, ProcessRow]],
    last_seq: Mapping[int, int],
) -> list[TaskCounts]:
    """The rows of ``UPDATE_TASK_COUNTS``, for those tasks of which nothing else changes.

    What the others are depends on all of their processes, also on those that have no new events.

    Args:
        tasks: the tasks, as they were before these events, by their ids.
        changed: their processes with new events, as they were before and as they are now.
        last_seq: the number of the last event of each task with new events, by the task's id.
    """
    counts = {
        task_id: TaskCounts(task_id, seq, tasks[task_id].events, tasks[task_id].last_event_at)
        for task_id, seq in last_seq.items()
        if tasks[task_id].state not in FINISHED
    }
    for before, after in changed:
        found = counts.get(after.task_id)
        if found is None:
            continue
        if (after.state, after.started_at) != (before.state, before.started_at):
            del counts[after.task_id]
            continue
        counts[after.task_id] = found._replace(
            events=found.events + after.events - before.events,
            last_event_at=max(
                filter(None, (found.last_event_at, after.last_event_at)), default=None
            ),
        )
    return sorted(counts.values())


def task_totals(groups: Iterable[tuple[Any, ...]], last_seq: Mapping[int, int]) -> list[TaskTotals]:
    """The rows of ``UPDATE_TASKS``, from those of ``GROUP_PROCESSES``."""
    found: dict[int, list[Any]] = {}
    for task_id, *row in groups:
        found.setdefault(task_id, []).append(row)
    updated = []
    for task_id, rows in found.items():
        states, starts, finishes, latest, events = zip(*rows, strict=True)
        state = task_state(State(state) for state in states)
        updated.append(
            TaskTotals(
                task_id,
                last_seq[task_id],
                sum(events),
                max(filter(None, latest), default=None),
                state,
                min(filter(None, starts), default=None),
                max(filter(None, finishes), default=None) if state in FINISHED else None,
            )
        )
    return updated
