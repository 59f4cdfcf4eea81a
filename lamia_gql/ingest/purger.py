"""Removes the rows of deleted tasks: whole partitions, else in chunks.

So events never wait long for it.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection, and_, delete, func, select

from lamia_gql.domain.background_task import BackgroundTask
from lamia_gql.domain.usage_sketch import MAX_BUCKETS, Measure
from lamia_gql.ingest.expiry import MAX_TASKS_PER_READ
from lamia_gql.ingest.pace import PAUSE_S, TARGET_S, Pace
from lamia_gql.ingest.ranges import drop_ranges, may_be_dropped
from lamia_gql.ingest.samples import MAX_SAMPLES
from lamia_gql.storage.database import Database
from lamia_gql.storage.free_space import give_back
from lamia_gql.storage.models import Event, Job, Process, Sample, Task, Usage
from lamia_gql.storage.transaction import WriteTransaction

log = logging.getLogger(__name__)

STEP_ROWS = 10
"""As many rows take the time of the statements of a step, which may find fewer."""
RETRY_S = 30.0
"""Time until a new attempt after the database failed."""


class Purger:
    """A background task that removes the rows. Lives as long as the application.

    Args:
        database: the database.
        shortest: the shortest time for which any task is kept; None if none is removed by its age.
    """

    def __init__(self, database: Database, shortest: timedelta | None) -> None:
        self._database = database
        self._shortest = shortest
        self._work = asyncio.Event()
        self._task = BackgroundTask("purger", self._run)

    def wake(self) -> None:
        """Start to remove rows: a task was deleted, or may have waited long enough."""
        self._work.set()

    async def start(self) -> None:
        """Start, with the rows that an earlier run of the server has left."""
        self._work.set()
        self._task.start()

    async def stop(self) -> None:
        """Stop; the next run of the server removes the remaining rows."""
        await self._task.stop()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await purge(self._database, self._shortest)
            except Exception:
                log.exception("deleted tasks could not be purged; trying again in %g s", RETRY_S)
                await asyncio.sleep(RETRY_S)
                self._work.set()


async def purge(database: Database, shortest: timedelta | None) -> None:
    """Remove the rows of deleted tasks, and give the free space back as far as possible.

    Where tasks are removed by their age, rows on PostgreSQL wait for a while for their partition to
    be dropped: see :func:`lamia_gql.ingest.ranges.may_be_dropped`.
    """
    if database.has_other_servers:
        await drop_ranges(database)
    pace = Pace()
    while left := await database.write(partial(_read_deleted, shortest=shortest)):
        while left := await database.write(partial(purge_chunk, task_ids=left, pace=pace)):  # noqa: ASYNC110  (a pause, not a poll)
            await asyncio.sleep(PAUSE_S)
        await asyncio.sleep(PAUSE_S)
    while await database.write(partial(give_back, limit_s=TARGET_S)):  # noqa: ASYNC110  (likewise)
        await asyncio.sleep(PAUSE_S)


def _read_deleted(transaction: WriteTransaction, shortest: timedelta | None) -> list[int]:
    """The first deleted tasks whose rows are to be removed."""
    connection = transaction.connection
    wait = may_be_dropped(connection, shortest)
    found = select(Task.id).where(Task.deleted_at.is_not(None), ~wait).order_by(Task.id)
    return list(connection.scalars(found.limit(MAX_TASKS_PER_READ)))


def purge_chunk(transaction: WriteTransaction, task_ids: list[int], pace: Pace) -> list[int]:
    """Remove some rows of these deleted tasks; those tasks of which rows may be left."""
    connection = transaction.connection
    rows = pace.rows
    with pace.measured():
        while task_ids and rows > 0:
            removed = _remove_some(connection, task_ids[0], rows)
            rows -= max(removed, STEP_ROWS)
            if not removed:
                task_ids = task_ids[1:]
    return task_ids


def _remove_some(connection: Connection, task_id: int, rows: int) -> int:
    # Those without children first: what goes with its parent would be one transaction.
    for remove in (
        _remove_events,
        _remove_jobs,
        _remove_samples,
        _remove_usage,
        _remove_processes,
        _remove_task,
    ):
        number = remove(connection, task_id, rows)
        if number:
            return number
    return 0


def _remove_events(connection: Connection, task_id: int, rows: int) -> int:
    first = connection.scalar(select(func.min(Event.seq)).where(Event.task_id == task_id))
    if first is None:
        return 0
    return connection.execute(
        delete(Event).where(Event.task_id == task_id, Event.seq < first + rows)
    ).rowcount


def _remove_jobs(connection: Connection, task_id: int, rows: int) -> int:
    job = connection.execute(
        select(Job.process_number, Job.job_index)
        .where(Job.task_id == task_id)
        .order_by(Job.process_number, Job.job_index)
        .limit(1)
    ).first()
    if job is None:
        return 0
    process = and_(Job.task_id == task_id, Job.process_number == job.process_number)
    last = (
        select(Job.job_index)
        .where(process)
        .order_by(Job.job_index)
        .offset(rows)
        .limit(1)
        .scalar_subquery()
    )
    return connection.execute(
        delete(Job).where(process, Job.job_index < func.coalesce(last, 2**31))
    ).rowcount


def _remove_samples(connection: Connection, task_id: int, rows: int) -> int:
    of_task = Sample.task_id == task_id
    first = connection.scalar(select(func.min(Sample.process_number)).where(of_task))
    if first is None:
        return 0
    behind = first + max(1, rows // MAX_SAMPLES)
    return connection.execute(
        delete(Sample).where(of_task, Sample.process_number < behind)
    ).rowcount


def _remove_usage(connection: Connection, task_id: int, rows: int) -> int:
    of_task = Usage.task_id == task_id
    first = connection.scalar(select(func.min(Usage.process_number)).where(of_task))
    if first is None:
        return 0
    behind = first + max(1, rows // (MAX_BUCKETS * len(Measure)))
    return connection.execute(delete(Usage).where(of_task, Usage.process_number < behind)).rowcount


def _remove_processes(connection: Connection, task_id: int, rows: int) -> int:
    of_task = Process.task_id == task_id
    first = connection.scalar(select(func.min(Process.number)).where(of_task))
    if first is None:
        return 0
    return connection.execute(
        delete(Process).where(of_task, Process.number < first + rows)
    ).rowcount


def _remove_task(connection: Connection, task_id: int, _rows: int) -> int:
    return connection.execute(delete(Task).where(Task.id == task_id)).rowcount
