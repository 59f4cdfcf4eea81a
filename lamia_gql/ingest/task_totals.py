"""The columns of a task that follow from its processes: state, times, number of its last event."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from lamia_gql.domain.progress import FINISHED, State, task_state
from lamia_gql.ingest.event_statements import GROUP_PROCESSES, UPDATE_TASKS


def refresh_tasks(connection: Connection, last_seq: dict[int, int]) -> None:
    """Update the totals of tasks, which must be locked.

    ``last_seq`` has the number of the last event of each task, by the task's id.
    """
    rows = connection.execute(GROUP_PROCESSES, {"keys": [(task_id,) for task_id in last_seq]})
    found: dict[int, list[Any]] = {}
    for task_id, *row in rows:
        found.setdefault(task_id, []).append(row)
    updated = []
    for task_id, groups in found.items():
        states, starts, finishes, latest = zip(*groups, strict=True)
        state = task_state(State(state) for state in states)
        updated.append(
            (
                task_id,
                last_seq[task_id],
                state,
                min(filter(None, starts), default=None),
                max(filter(None, finishes), default=None) if state in FINISHED else None,
                max(filter(None, latest), default=None),
            )
        )
    UPDATE_TASKS.run(connection, updated)
