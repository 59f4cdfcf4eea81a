"""Tasks with an array, and events for it, as the recorder gets and stores them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import select

from lamia_gql.domain.lifecycle import EventClass, Occurrence
from lamia_gql.domain.settings import load
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.storage.database import Database
from lamia_gql.storage.models import Event, Task
from tests.support.strategies import NOON

ARRAY = 3


def create(database: Database, *processes: ProcessSpec) -> str:
    """A fresh task with an array and these processes; its name."""
    spec = TaskSpec(uuid.uuid4().hex, [ProcessSpec("array", ARRAY, threshold=7.5), *processes])
    database.write_blocking(create_tasks(load(), [spec], datetime.now(UTC)))
    return spec.name


def event(task: str, index: int | None, told: Occurrence, process: str = "array") -> NewEvent:
    """An event as GraphQL and REST hand it to the recorder, of the only submission of its job."""
    details = {name: value for name, value in (told.details or {}).items() if name != "base"}
    if "batch_id" in details:
        details["batch_id"] = "1_1"
    return NewEvent(
        id=told.id,
        task=task,
        process=process,
        index=index,
        event_class=told.event_class,
        attempt=told.attempt,
        sent_at=told.time,
        received_at=NOON,
        progress=told.progress,
        payload=None,
        hostname=told.hostname,
        client_address=None,
        details=details,
    )


def occurrences_of(*classes: str) -> list[Occurrence]:
    """Events of these classes, one after the other."""
    return [Occurrence(str(uuid.uuid4()), EventClass(name), NOON) for name in classes]


def event_ids(database: Database, task: str) -> list[str]:
    """The ids of a task's events, in the order of their numbers."""
    with database.engine.connect() as connection:
        stored = connection.scalars(
            select(Event.id)
            .join(Task, Task.id == Event.task_id)
            .where(Task.name == task)
            .order_by(Event.seq)
        )
        return list(stored)
