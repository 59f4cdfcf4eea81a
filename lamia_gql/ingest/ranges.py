"""Begins new ranges of the ids of tasks, and drops those whose tasks are all deleted.

On PostgreSQL only: see ``storage/partitions.py``. Where tasks are removed by their age, those of an
eighth of the longest time for which any are kept share a range, so there are about ten ranges. Else
there is one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, false, or_, select, text
from sqlalchemy.exc import DBAPIError

from lamia_gql.domain.background_task import BackgroundTask
from lamia_gql.domain.errors import ErrorCode, Unavailable
from lamia_gql.domain.retention import Retention
from lamia_gql.storage.database import Database
from lamia_gql.storage.models import Task
from lamia_gql.storage.partitions import (
    PARTITIONED,
    WIDTH,
    IdRange,
    add_range,
    drop_partition,
    has_tasks,
    limit_lock_wait,
    lock_ids,
    move_ids,
    read_ranges,
)
from lamia_gql.storage.transaction import ReadConnection, WriteTransaction

log = logging.getLogger(__name__)
T = TypeVar("T")

RANGES_LOCK_ID = 4_962_111
"""An arbitrary number, as in ``storage/migrations.py``: the lock of whoever changes the ranges."""
ROUND_S = 3_600.0
"""Time between two rounds."""
RANGES_PER_RETENTION = 8
"""How many ranges there are for the longest time for which tasks are kept. With more, transactions
take longer; with fewer, the first tasks of a range wait longer for its last ones."""
MAX_RANGES = 24
"""Beyond, no new one begins: a few tasks that are kept much longer keep theirs."""
WAIT_PER_RETENTION = 1 / 4
"""How much longer than asked for the rows of deleted tasks may wait for their range to go."""
ATTEMPTS = 10
"""How often a change is tried for which others have a lock."""
PAUSE_S = 1.0
"""Time to the second attempt; it grows with each."""


class RangeKeeper:
    """A background task that begins ranges. Lives as long as the application.

    Args:
        database: the database.
        retention: what is kept for how long.
    """

    def __init__(self, database: Database, retention: Retention) -> None:
        self._database = database
        longest = retention.longest
        self._period = None if longest is None else longest / RANGES_PER_RETENTION
        self._task = BackgroundTask("ranges", self._run)

    async def start(self) -> None:
        """Start, on PostgreSQL."""
        if self._database.has_other_servers:
            self._task.start()

    async def stop(self) -> None:
        """Stop."""
        await self._task.stop()

    async def _run(self) -> None:
        while True:
            try:
                work = partial(begin_range, period=self._period)
                begun = await _write_when_free(self._database, work)
            except Exception:
                log.exception("no new range of tasks could begin; trying again in %g s", ROUND_S)
            else:
                if begun is not None:
                    log.info("from id %d on, tasks have partitions of their own", begun.begin)
            await asyncio.sleep(ROUND_S)


def begin_range(transaction: WriteTransaction, period: timedelta | None) -> IdRange | None:
    """Begin a new range if it is time to; that range, or None.

    Where the ids of the last range are half used, only the partitions of the next one are made.

    Its wait for those who are just creating tasks is limited, as others wait to create some
    meanwhile: see :func:`lamia_gql.storage.partitions.limit_lock_wait`.

    Args:
        transaction: a transaction on PostgreSQL.
        period: after which time since the first task of a range the next one begins; None to begin
            one only when the ids of the last one end.
    """
    connection = transaction.connection
    if not _lock(connection):
        return None
    ranges = read_ranges(connection)
    current = ranges.current
    if not ranges.ahead and ranges.last_id >= current.end - WIDTH // 2:
        add_range(connection, current.end)
        # What follows may fail, again and again, and would undo it until the ids have ended.
        return None
    if period is None or len(ranges.ended) + 1 >= MAX_RANGES:
        return None
    first = connection.scalar(
        select(Task.received_at).where(Task.id >= current.begin).order_by(Task.id).limit(1)
    )
    if first is None or first > datetime.now(UTC) - period:
        return None
    limit_lock_wait(connection)
    lock_ids(connection)
    ranges = read_ranges(connection)
    following = ranges.ahead[0] if ranges.ahead else add_range(connection, ranges.current.end)
    move_ids(connection, following)
    return following


async def drop_ranges(database: Database) -> None:
    """Drop the partitions of ended ranges whose tasks are all deleted, unless they are in use."""
    for dropped in await database.write(_read_droppable):
        for table in PARTITIONED:
            if not await _drop(database, table, dropped):
                break
        else:
            first, last = dropped.begin, dropped.end - 1
            log.info("dropped all of the tasks with ids from %d to %d", first, last)


async def _drop(database: Database, table: str, of: IdRange) -> bool:
    try:
        return await _write_when_free(database, partial(_drop_partition, table=table, of=of))
    except Unavailable as error:
        if error.code != ErrorCode.BUSY:
            raise
        log.info("%s is in use, and can't be dropped now", of.partition(table))
    except DBAPIError as error:
        # A view that somebody has made needs it, for example. Its rows are deleted one by one.
        log.error("%s can't be dropped: %s", of.partition(table), error.orig)
    return False


async def _write_when_free(database: Database, work: Callable[[WriteTransaction], T]) -> T:
    """The result of a write that waits only briefly for locks: tried again while others have them.

    Raises as :meth:`Database.write`.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return await database.write(work)
        except Unavailable as error:
            if error.code != ErrorCode.BUSY:
                raise
        await asyncio.sleep(attempt * PAUSE_S)
    return await database.write(work)


def _drop_partition(transaction: WriteTransaction, table: str, of: IdRange) -> bool:
    connection = transaction.connection
    return _lock(connection) and drop_partition(connection, table, of)


def _lock(connection: ReadConnection) -> bool:
    return bool(
        connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": RANGES_LOCK_ID})
    )


def _read_droppable(transaction: WriteTransaction) -> list[IdRange]:
    connection = transaction.connection
    return [found for found in read_ranges(connection).ended if not has_tasks(connection, found)]


def may_be_dropped(connection: ReadConnection, shortest: timedelta | None) -> ColumnElement[bool]:
    """The condition that a deleted task should wait, because its range may soon be dropped.

    Args:
        connection: a connection.
        shortest: the shortest time for which any task is kept; None if none is removed by its age.
    """
    if connection.dialect.name == "sqlite" or shortest is None:
        return false()
    since = datetime.now(UTC) - shortest * WAIT_PER_RETENTION
    ended = [and_(Task.id >= r.begin, Task.id < r.end) for r in read_ranges(connection).ended]
    return and_(Task.deleted_at > since, or_(false(), *ended))
