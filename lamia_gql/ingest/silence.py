"""Finds tasks that have fallen silent, and puts their notifications into the outbox, once each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select, update

from lamia_gql.domain.background_task import BackgroundTask
from lamia_gql.domain.errors import Unavailable
from lamia_gql.domain.notifications import Occasion, is_silent
from lamia_gql.domain.progress import State
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.outbox import Outbox
from lamia_gql.storage.database import Database
from lamia_gql.storage.models import Event, Process, Task
from lamia_gql.storage.rows import TASK_COLUMNS, TaskRow
from lamia_gql.storage.transaction import ReadConnection, WriteTransaction

log = logging.getLogger(__name__)

INTERVAL_S = 15.0
"""How often the running tasks are looked at."""
CHUNK_TASKS = 500
"""How many are read, or written, in one transaction."""


class Heard(NamedTuple):
    """When a running task was last heard of."""

    task_id: int
    last_seq: int
    at: datetime
    """When the server received its latest event, by the server's clock."""
    beat_interval: float | None
    """The longest of its processes whose jobs run, in seconds; None if none is known."""


class SilenceWatch:
    """A background task that looks for silent tasks. Lives as long as the application.

    What the server could not hear itself, because it did not run, its machine was asleep, or the
    database was unavailable, does not count as silence; nor do hours that a clock leaps.

    Args:
        database: where the tasks are.
        outbox: where the notifications go.
        settings: the settings of the server.
        interval_s: how often it looks, in seconds.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        settings: Settings,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._beat_interval = settings.beat_interval
        self._silence = settings.notify_silence
        self._interval_s = interval_s
        self._listening_since = datetime.now(UTC)
        self._task = BackgroundTask("silence watch", self._run)

    async def start(self) -> None:
        """Start to look, if anybody can be told."""
        if self._outbox.may_tell(Occasion.SILENT):
            self._listening_since = datetime.now(UTC)
            self._task.start()

    async def stop(self) -> None:
        """Stop."""
        await self._task.stop()

    async def _run(self) -> None:
        while True:
            begun_at = datetime.now(UTC)
            await asyncio.sleep(self._interval_s)
            now = datetime.now(UTC)
            has_leapt = now - begun_at > timedelta(seconds=2 * self._interval_s)
            if has_leapt or now < self._listening_since:
                # The machine was asleep, or its clock was set.
                self._listening_since = now
            try:
                await self.look()
            except Unavailable:
                self._listening_since = datetime.now(UTC)
            except Exception:
                log.exception("silent tasks can't be found; trying again")
                self._listening_since = datetime.now(UTC)

    async def look(self) -> None:
        """Look once at all running tasks. Raises :class:`Unavailable`."""
        last_id = 0
        while True:
            heard = await self._database.read(
                partial(read_heard, after=last_id, beat_interval=self._beat_interval)
            )
            if not heard:
                return
            last_id = heard[-1].task_id
            now = datetime.now(UTC)
            silent = {
                task.task_id: task.last_seq
                for task in heard
                if is_silent(
                    max(task.at, self._listening_since), task.beat_interval, self._silence, now
                )
            }
            if silent:
                await self._database.write(partial(self._tell, silent=silent))

    def _tell(self, transaction: WriteTransaction, silent: Mapping[int, int]) -> None:
        connection = transaction.connection
        rows = connection.execute(
            select(*TASK_COLUMNS)
            .where(Task.id.in_(silent), *_untold())
            .order_by(Task.id)
            # Who has locked a task adds events to it.
            .with_for_update(skip_locked=True)
        )
        tasks = {
            task.id: task for task in map(TaskRow._make, rows) if task.last_seq == silent[task.id]
        }
        self._outbox.add(connection, tasks, dict.fromkeys(tasks, (Occasion.SILENT,)), {})
        connection.execute(update(Task).where(Task.id.in_(tasks)).values(silent_seq=Task.last_seq))


def read_heard(connection: ReadConnection, after: int, beat_interval: float | None) -> list[Heard]:
    """When running tasks were last heard of which nobody knows to be silent, in order of their ids.

    Args:
        connection: a connection to read on.
        after: the id of the last task that was read.
        beat_interval: that of processes that have none of their own, in seconds.
    """
    own = Process.beat_interval
    intervals = own if beat_interval is None else func.coalesce(own, beat_interval)
    longest = (
        select(func.max(intervals))
        .where(Process.task_id == Task.id, Process.running > 0)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(
            Task.id,
            Task.last_seq,
            func.coalesce(Event.received_at, Task.last_event_at, Task.received_at),
            longest,
        )
        # Its time of receipt: the job's own clock may be wrong, and its spool old.
        .outerjoin(Event, (Event.task_id == Task.id) & (Event.seq == Task.last_seq))
        .where(Task.id > after, *_untold())
        .order_by(Task.id)
        .limit(CHUNK_TASKS)
    )
    return [Heard._make(row) for row in rows]


def _untold() -> list[ColumnElement[bool]]:
    """The conditions of running tasks that were not silent at their latest event."""
    return [
        Task.state == State.RUNNING,
        Task.deleted_at.is_(None),
        or_(Task.silent_seq.is_(None), Task.silent_seq < Task.last_seq),
    ]
