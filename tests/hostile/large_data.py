"""A database in which answers can be as large as the limits allow."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, update

from lamia_gql.domain.settings import load
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import prepare
from lamia_gql.storage.models import Event, Job, Process, Sample, Task

TASK = "large"
PROCESS = "array"
SAMPLES = 256
NOW = datetime.now(UTC)


async def fill_large(url: str, *, jobs: int = 100_000, events: int = 1_000) -> None:
    """Store a task with a config of 1 MB, an array of jobs, and events with large payloads.

    The states of the jobs alternate, so that each is a range of its own. The history of the
    array is as long as it can be.
    """
    settings = load(database_url=url)
    database = Database(settings)
    prepare(database.engine)
    config = {"text": "c" * 1_048_000}
    task = TaskSpec(TASK, [ProcessSpec(PROCESS, jobs), ProcessSpec("one")], config=config)
    try:
        await database.write(create_tasks(settings, [task], NOW))
        await database.write(lambda c: _fill(c.connection, jobs, events))
    finally:
        database.close()


def _fill(connection: Any, jobs: int, events: int) -> None:
    common = {
        "task_id": 1,
        "process_number": 0,
        "events": 1,
        "starts": 0,
        "reported": False,
        "closed_attempt": 0,
        "closed_at": NOW,
        "seen_attempt": 0,
        "seen_at": NOW,
        "seen_id": str(uuid.UUID(int=1)),
    }
    states = ("DONE", "FAILED")
    of_state = [
        common | {"state": state, "closed_class": state, "seen_class": state} for state in states
    ]
    connection.execute(
        insert(Job), [of_state[index % 2] | {"job_index": index} for index in range(jobs)]
    )
    payload = '{"text":"' + "p" * 60_000 + '"}'
    for begin in range(0, events, 100):
        connection.execute(
            insert(Event),
            [
                {
                    "task_id": 1,
                    "seq": seq,
                    "id": str(uuid.UUID(int=seq)),
                    "process_number": 0,
                    "job_index": seq % jobs,
                    "event_class": "BEAT",
                    "attempt": 0,
                    "received_at": NOW + timedelta(milliseconds=seq),
                    "payload": payload,
                }
                for seq in range(begin + 1, min(begin + 100, events) + 1)
            ],
        )
    begin = int(NOW.timestamp()) - SAMPLES
    connection.execute(
        insert(Sample),
        [
            {
                "task_id": 1,
                "process_number": 0,
                "at": begin + number,
                "done": number,
                "submitted": 0,
                "running": 0,
                "failed": 0,
                "terminated": 0,
                "reporting": 0,
                "progress_sum": 0,
            }
            for number in range(SAMPLES)
        ],
    )
    done = (jobs + 1) // 2
    connection.execute(
        update(Process)
        .where(Process.task_id == 1, Process.number == 0)
        .values(done=done, failed=jobs - done, events=events)
    )
    connection.execute(update(Task).where(Task.id == 1).values(last_seq=events, events=events))
