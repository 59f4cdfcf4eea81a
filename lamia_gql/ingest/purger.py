"""Removes the rows of deleted tasks in chunks, so that events never wait long for it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from sqlalchemy import and_, delete, func, select

from lamia_gql.storage.database import Database
from lamia_gql.storage.models import Event, Job, Task
from lamia_gql.storage.transaction import WriteTransaction

log = logging.getLogger(__name__)

CHUNK_ROWS = 2_000
"""Rows per transaction: some tens of milliseconds of the database's time."""
PAUSE_S = 0.02
"""Time between two transactions, for other writers."""
RETRY_S = 30.0
"""Time until a new attempt after the database failed."""


class Purger:
    """A background task that removes the rows. Lives as long as the application."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Start to remove rows: a task was deleted."""
        self._work.set()

    async def start(self) -> None:
        """Start, with the rows that an earlier run of the server has left."""
        self._work.set()
        self._task = asyncio.create_task(self._run(), name="purger")

    async def stop(self) -> None:
        """Stop; the next run of the server removes the remaining rows."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                while await self._database.write(purge_chunk):  # noqa: ASYNC110  (a pause, not a poll)
                    await asyncio.sleep(PAUSE_S)
            except Exception:
                log.exception("deleted tasks could not be purged; trying again in %g s", RETRY_S)
                await asyncio.sleep(RETRY_S)
                self._work.set()


def purge_chunk(transaction: WriteTransaction) -> bool:
    """Remove one chunk of a deleted task; False when no deleted task is left."""
    connection = transaction.connection
    task_id = connection.scalar(
        select(Task.id).where(Task.deleted_at.is_not(None)).order_by(Task.id).limit(1)
    )
    if task_id is None:
        return False
    first = connection.scalar(select(func.min(Event.seq)).where(Event.task_id == task_id))
    if first is not None:
        connection.execute(
            delete(Event).where(Event.task_id == task_id, Event.seq < first + CHUNK_ROWS)
        )
        return True
    job = connection.execute(
        select(Job.process_number, Job.job_index)
        .where(Job.task_id == task_id)
        .order_by(Job.process_number, Job.job_index)
        .limit(1)
    ).first()
    if job is None:
        connection.execute(delete(Task).where(Task.id == task_id))
        return True
    process = and_(Job.task_id == task_id, Job.process_number == job.process_number)
    last = (
        select(Job.job_index)
        .where(process)
        .order_by(Job.job_index)
        .offset(CHUNK_ROWS)
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(delete(Job).where(process, Job.job_index < func.coalesce(last, 2**31)))
    return True
