"""What a task has from its processes: state, times, and the number of its latest event."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from lamia_gql.domain.progress import FINISHED, State, task_state
from lamia_gql.ingest.event_statements import Statements
from lamia_gql.storage.key_table import encode


def refresh_tasks(connection: Connection, sql: Statements, last_seq: dict[int, int]) -> None:
    """Set what tasks have from their processes; ``last_seq`` is by task, and is set as well.

    The tasks must be locked.
    """
    rows = connection.execute(
        sql.group_processes, {"keys": encode((task_id,) for task_id in last_seq)}
    )
    found: dict[int, list[Any]] = {}
    for task_id, *row in rows:
        found.setdefault(task_id, []).append(row)
    values = []
    for task_id, groups in found.items():
        states, starts, finishes, latest = zip(*groups, strict=True)
        state = task_state(State(state) for state in states)
        values.append(
            {
                "key_task": task_id,
                "last_seq": last_seq[task_id],
                "state": state,
                "started_at": min(filter(None, starts), default=None),
                "finished_at": max(filter(None, finishes), default=None)
                if state in FINISHED
                else None,
                "last_event_at": max(filter(None, latest), default=None),
            }
        )
    connection.execute(sql.update_task, values)
