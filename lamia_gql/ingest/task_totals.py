"""The columns of a task that follow from its processes and events: state, times, numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from lamia_gql.domain.progress import FINISHED, State, task_state
from lamia_gql.ingest.event_statements import (
    GROUP_PROCESSES,
    TASK_COUNTS,
    UPDATE_TASK_COUNTS,
    UPDATE_TASKS,
)
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.rows import TaskRow

COUNTED = 1 + len(TASK_COUNTS)
"""How many fields of ``TaskTotals`` come first that any event may change, with the id."""


class TaskTotals(NamedTuple):
    """A row of ``UPDATE_TASKS``: the task, and its columns ``TASK_TOTALS`` in their order."""

    id: int
    last_seq: int
    events: int
    last_event_at: datetime | None
    state: str
    started_at: datetime | None
    finished_at: datetime | None

    def keeps(self, before: TaskRow) -> bool:
        """Whether nothing changes but the columns ``TASK_COUNTS``."""
        return self[COUNTED:] == (before.state, before.started_at, before.finished_at)


def refresh_tasks(connection: Connection, last_seq: Mapping[int, int]) -> None:
    """Update the totals of tasks, which must be locked.

    ``last_seq`` has the number of the last event of each task, by the task's id.
    """
    driver = Driver(connection)
    groups = GROUP_PROCESSES.run_on(driver, [(task_id,) for task_id in last_seq])
    UPDATE_TASKS.run_on(driver, task_totals(groups, last_seq))


def update_tasks(
    driver: Driver, totals: Sequence[TaskTotals], before: Mapping[int, TaskRow]
) -> None:
    """Update the totals of tasks, which were ``before``, by their ids."""
    if all(row.keeps(before[row.id]) for row in totals):
        UPDATE_TASK_COUNTS.start(driver, [row[:COUNTED] for row in totals])
    else:
        UPDATE_TASKS.start(driver, totals)


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
