"""Removes what is kept no longer: whole tasks, and old BEATs of others.

Everything happens in small transactions, so that events never wait long for it. Of several servers
on one PostgreSQL, one prunes at a time: its transactions take a lock, and whoever finds it taken
leaves the round to the other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import partial
from typing import NamedTuple, TypeVar

from sqlalchemy import text

from lamia_gql.domain.background_task import BackgroundTask
from lamia_gql.domain.retention import Retention
from lamia_gql.ingest.expiry import (
    MAX_TASKS_PER_WRITE,
    Candidate,
    Size,
    find_expired,
    read_candidates,
    read_size,
    remove_expired,
)
from lamia_gql.ingest.pace import MOST_ROWS, PAUSE_S
from lamia_gql.ingest.purger import Purger
from lamia_gql.ingest.retention_clock import RetentionClock, read_clock
from lamia_gql.ingest.thinning import ThinningPace, find_beats, tasks_to_thin, thin_task
from lamia_gql.storage.database import Database
from lamia_gql.storage.transaction import WriteTransaction

log = logging.getLogger(__name__)
T = TypeVar("T")

PRUNE_LOCK_ID = 4_962_110
"""An arbitrary number, as in ``storage/migrations.py``: the lock of whoever prunes."""


class OtherPrunes(Exception):  # noqa: N818  (it says what is the case)
    """Another server prunes this database now."""


class Pruned(NamedTuple):
    """What a round has removed, or would remove."""

    size: Size = Size()
    """The rows of tasks that are kept no longer."""
    beats: int = 0
    """Old BEATs of tasks that are kept."""

    @property
    def rows(self) -> int:
        """All rows."""
        return self.size.rows + self.beats


class Pruning:
    """One round: what is kept no longer at the time ``now``.

    Its methods raise what those of the database raise; then a part may have been removed.
    """

    def __init__(self, database: Database, retention: Retention, now: datetime) -> None:
        self._database = database
        self._retention = retention
        self._now = now
        self._pruned = Pruned()

    async def expired(self) -> AsyncIterator[list[Candidate]]:
        """The tasks that are kept no longer, page by page."""
        after_id = 0
        while True:
            page = await self._database.read(
                partial(
                    read_candidates, retention=self._retention, now=self._now, after_id=after_id
                )
            )
            if not page:
                return
            after_id = page[-1].id
            yield await self._database.read(
                partial(find_expired, candidates=page, retention=self._retention, now=self._now)
            )

    async def run(self) -> Pruned:
        """Delete the tasks that are kept no longer, and thin the BEATs of the others.

        The rows of the deleted tasks remain for the purger. Where another server begins to prune
        meanwhile, the rest is left to it; raises :class:`OtherPrunes` if that is everything.
        """
        try:
            await self._remove_tasks()
            await self._thin()
        except OtherPrunes:
            if not self._pruned.rows:
                raise
        return self._pruned

    async def _remove_tasks(self) -> None:
        async for tasks in self.expired():
            for begin in range(0, len(tasks), MAX_TASKS_PER_WRITE):
                names = [task.name for task in tasks[begin : begin + MAX_TASKS_PER_WRITE]]
                work = partial(
                    remove_expired, names=names, retention=self._retention, now=self._now
                )
                removed = await self._write(work)
                self._pruned = self._pruned._replace(size=self._pruned.size.plus(removed))

    async def _thin(self) -> None:
        pace = ThinningPace()
        async for task_id, before in self._old_beats():
            is_last = False
            while not is_last:
                thinned = await self._write(
                    partial(thin_task, task_id=task_id, before=before, pace=pace)
                )
                is_last = thinned.is_last
                beats = self._pruned.beats + len(thinned.keys)
                self._pruned = self._pruned._replace(beats=beats)

    async def estimate(self) -> Pruned:
        """What :meth:`run` would remove; changes nothing."""
        size = Size()
        gone: set[int] = set()
        async for tasks in self.expired():
            ids = [task.id for task in tasks]
            gone.update(ids)
            size = size.plus(await self._database.read(partial(read_size, task_ids=ids)))
        beats = 0
        async for task_id, before in self._old_beats():
            is_last, after = task_id in gone, None
            while not is_last:
                work = partial(
                    find_beats,
                    task_id=task_id,
                    before=before,
                    rows=MOST_ROWS,
                    max_beats=MOST_ROWS,
                    after=after,
                )
                found = await self._database.read(work)
                beats, is_last, after = beats + len(found.keys), found.is_last, found.last_seq
        return Pruned(size, beats)

    async def _old_beats(self) -> AsyncIterator[tuple[int, datetime]]:
        """The ids of tasks that may have BEATs that are kept no longer, and the time before."""
        if self._retention.beats is None:
            return
        before = self._now - self._retention.beats
        after_id = 0
        while ids := await self._database.read(
            partial(tasks_to_thin, before=before, after_id=after_id)
        ):
            for task_id in ids:
                yield task_id, before
            after_id = ids[-1]

    async def _write(self, work: Callable[[WriteTransaction], T]) -> T:
        result = await self._database.write(partial(_run_alone, work))
        await asyncio.sleep(PAUSE_S)
        return result


def _run_alone(work: Callable[[WriteTransaction], T], transaction: WriteTransaction) -> T:
    connection = transaction.connection
    if connection.dialect.name == "postgresql" and not connection.scalar(
        text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": PRUNE_LOCK_ID}
    ):
        raise OtherPrunes
    return work(transaction)


class Pruner:
    """A background task that prunes again and again. Lives as long as the application.

    Args:
        database: the database.
        retention: what is kept for how long.
        interval_s: the time between two rounds, in seconds; the first one is at the start.
        purger: removes the rows of the tasks that are deleted here.
    """

    def __init__(
        self, database: Database, retention: Retention, interval_s: float, purger: Purger
    ) -> None:
        self._database = database
        self._retention = retention
        self._interval_s = interval_s
        self._purger = purger
        self._clock = RetentionClock()
        self._task = BackgroundTask("pruner", self._run)

    async def start(self) -> None:
        """Start, if anything is to be removed at all."""
        if self._retention.removes_anything:
            self._task.start()

    async def stop(self) -> None:
        """Stop; the next round goes on where this one has ended."""
        await self._task.stop()

    async def _run(self) -> None:
        while True:
            try:
                pruned = await self._prune()
            except OtherPrunes:
                log.debug("another server prunes now")
            except Exception:
                log.exception("could not prune; trying again in %g s", self._interval_s)
            else:
                if pruned.rows:
                    log.info(
                        "pruned %d tasks with %d events, and %d BEATs of others",
                        pruned.size.tasks,
                        pruned.size.events,
                        pruned.beats,
                    )
                # Also for what has waited long enough.
                self._purger.wake()
            await asyncio.sleep(self._interval_s)

    async def _prune(self) -> Pruned:
        read = partial(read_clock, with_latest=self._clock.is_new)
        now = self._clock.believe(await self._database.read(read), time.monotonic())
        if now is None:
            return Pruned()
        return await Pruning(self._database, self._retention, now).run()
