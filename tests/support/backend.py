"""The storage, the recorder and the feeds of a server, without its interfaces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.settings import load
from lamia_gql.ingest.event_input import NewEvent, check_event
from lamia_gql.ingest.recorder import Recorder
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.live.feeds import Feeds
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import migrate

NOW = datetime.now(UTC)
JOBS = 4


class Backend:
    """A database, with the recorder that writes to it and the feeds of what is written."""

    def __init__(self, url: str, max_waiting: int = 1_000) -> None:
        self.settings = load(database_url=url)
        self.database = Database(self.settings)
        migrate(self.database.engine, "head")
        self.live = Feeds(self.database, max_waiting)
        self.recorder = Recorder(self.database, batch_size=100, max_waiting=1_000)

    async def make_task(self, name: str = "t") -> int:
        """Create a task, and return its id."""
        spec = TaskSpec(name, [ProcessSpec("p", JOBS), ProcessSpec("alone")])
        [task] = await self.database.write(create_tasks(self.settings, [spec], NOW))
        return task.id

    def event(self, event_class: EventClass = EventClass.BEAT, index: int = 0) -> NewEvent:
        """An event of the array."""
        return check_event(
            self.settings,
            task="t",
            process="p",
            index=index,
            event_class=event_class,
            received_at=NOW,
        )

    async def record(self, number: int = 1) -> None:
        """Store events, one per request."""
        for _ in range(number):
            await self.recorder.record([self.event()])


@asynccontextmanager
async def running_backend(url: str, **options: int) -> AsyncIterator[Backend]:
    """Run a backend for the duration of the block, at most 30 seconds."""
    backend = Backend(url, **options)
    await backend.live.start()
    await backend.recorder.start()
    try:
        async with asyncio.timeout(30):
            yield backend
    finally:
        await backend.live.stop()
        await backend.recorder.stop()
        backend.database.close()
