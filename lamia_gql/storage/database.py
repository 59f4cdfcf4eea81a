"""The database: transactions in threads, the same for SQLite and PostgreSQL.

Statements run on blocking connections in threads of their own. That is the fastest way on both
engines, and the one in which a running statement can be interrupted. Async code calls
:meth:`Database.read` and :meth:`Database.write` with a function that does the work.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from lamia_gql.domain.errors import ErrorCode, OutcomeUnknown, Unavailable
from lamia_gql.domain.settings import Settings
from lamia_gql.storage.cancellation import CancellableRead
from lamia_gql.storage.change_feed import Change, catch_up_statement
from lamia_gql.storage.database_url import session_url
from lamia_gql.storage.engine import (
    create_engine,
    create_read_engine,
    create_sqlite_write_engine,
    create_write_engine,
    is_sqlite,
    writing,
)
from lamia_gql.storage.kept_connection import KeptConnection
from lamia_gql.storage.lookups import Lookups
from lamia_gql.storage.read_position import Position
from lamia_gql.storage.read_replica import LOOKUPS, ReadSource, connect_replicas
from lamia_gql.storage.read_sources import ReadSources
from lamia_gql.storage.readers import Readers
from lamia_gql.storage.retries import is_failure, sqlstate
from lamia_gql.storage.transaction import ReadConnection, WriteTransaction
from lamia_gql.storage.unused_connections import release_memory
from lamia_gql.storage.write import CommitUnconfirmed, GivenUp, Write
from lamia_gql.storage.write_statistics import WriteStatistics
from lamia_gql.storage.write_threads import WriteThreads

log = logging.getLogger(__name__)
T = TypeVar("T")

LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's code of a lock that was not available in time."""
QUERY_CANCELED = "57014"
"""PostgreSQL's code of a statement that waited for locks until the deadline of its write."""
EVENT_TRANSACTIONS = 4
"""So many transactions of events may run at once on PostgreSQL."""
WRITE_THREADS = 4
"""So many other writes can wait for locks before the next one waits for a thread."""
WRITE_MARGIN_S = 1.0
"""How much longer than ``database_timeout`` a write may take, as locks time out after that."""
END_OF_COMMIT_S = 0.5
"""How long a write that is given up while it commits may take to say what came of it."""


class Database:
    """Threads and connections to one database. Lives as long as the application."""

    def __init__(self, settings: Settings) -> None:
        self.engine = create_engine(settings)
        self.readers = Readers(
            create_read_engine(settings) if self.has_other_servers else self.engine,
            settings.database_connections,
            settings.database_timeout,
            settings.max_read_time,
        )
        # SQLite is in the process: nothing waits for it.
        self.lookups = Lookups(self.readers, LOOKUPS if self.has_other_servers else 1)
        self.sources = ReadSources(
            ReadSource(self.readers, self.lookups),
            connect_replicas(settings),
            settings.max_replica_lag,
        )
        """Where queries read."""
        self.event_transactions = EVENT_TRANSACTIONS if self.has_other_servers else 1
        """How many transactions of events run at once, besides one for tasks that are locked."""
        event_threads = self.event_transactions + 1
        self._write_engine = writing(
            create_write_engine(settings, event_threads + WRITE_THREADS)
            if self.has_other_servers
            else create_sqlite_write_engine(settings)
        )
        self._kept = None if self.has_other_servers else KeptConnection(self._write_engine)
        self._connect = self._write_engine.connect if self._kept is None else self._kept.use
        """Gives a connection that writes, for a block."""
        self._writers = WriteThreads(WRITE_THREADS, "lamia-write")
        self._event_writers = WriteThreads(event_threads, "lamia-write-events")
        self._writes: set[Write[Any]] = set()
        # SQLite has one writer at a time: threads queue here rather than poll the file's lock.
        self._write_lock = None if self.has_other_servers else threading.Lock()
        self.event_writes = WriteStatistics()
        """Of the transactions of events."""
        self.other_writes = WriteStatistics()
        self.listen_url = session_url(settings)
        """Where PostgreSQL can be listened to."""
        self.timeout_s = settings.database_timeout
        """The setting ``database_timeout``."""
        self.id = uuid.uuid4().hex
        """The id by which this server ignores its own notifications.

        It changes when the outcome of a transaction is unknown: if that was committed, or will be,
        its notification has the former id and is not ignored.
        """
        self.position: Position | None = None
        """Everything that this server has committed is before it. None if that is not known, and
        where there are no replicas."""
        self.on_commit: Callable[[Sequence[Change]], None] | None = None
        """Called, in the event loop, with the changes of each committed transaction."""
        self.on_unheard_commit: Callable[[], None] | None = None
        """Called, in a writer's thread, when a transaction may have been committed of which nobody
        was told, or only this server. Without it, others are told when this is closed."""
        self._is_unheard = False
        """Whether they are to be told then."""

    @property
    def has_other_servers(self) -> bool:
        """Whether other servers may use the same database: on PostgreSQL, but not on SQLite."""
        return not is_sqlite(self.engine)

    async def read(self, work: Callable[[ReadConnection], T], address: str | None = None) -> T:
        """The result of ``work``, run in a reader's thread in a transaction of its own.

        All statements of the transaction see the same state of the database. Where the caller is
        cancelled, the running statement is cancelled as well, so that the thread and its
        connection are free again. ``address`` is that of the client that asks, if any: addresses
        take turns. Raises :class:`Unavailable` when the storage fails, or when no connection is
        free in time, and :class:`LimitExceeded` if it takes too long.
        """
        return await self.readers.run(CancellableRead(work), address)

    async def write(self, work: Callable[[WriteTransaction], T]) -> T:
        """The result of ``work``, run in a writer's thread in a transaction.

        The transaction is committed unless ``work`` raises. ``work`` runs again from the start
        when its transaction conflicts with another one, or the database is gone and another one may
        take over, so it must change nothing but the database.

        Returns or raises soon after ``database_timeout``, whatever the database does. Raises
        :class:`Unavailable` when the storage fails: with the code BUSY if others keep a lock, and
        as :class:`OutcomeUnknown` if the transaction may have been committed all the same.
        """
        return await self._write(
            self._writers, self.other_writes, work, self.timeout_s + WRITE_MARGIN_S
        )

    async def write_events(self, work: Callable[[WriteTransaction], T], timeout_s: float) -> T:
        """Like :meth:`write`, in threads in which no other write has to wait for a lock.

        ``timeout_s`` is the time for it, of which the last :data:`WRITE_MARGIN_S` are for its end.
        """
        return await self._write(self._event_writers, self.event_writes, work, timeout_s)

    async def _write(
        self,
        threads: WriteThreads,
        statistics: WriteStatistics,
        work: Callable[[WriteTransaction], T],
        timeout_s: float,
    ) -> T:
        write = Write(
            work,
            time.monotonic() + timeout_s - WRITE_MARGIN_S,
            with_position=bool(self.sources.replicas),
        )
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._writes.add(write)
        threads.run(partial(self._run, write), partial(self._end, write, statistics, answer))
        timer = loop.call_later(timeout_s, self._end_late, write, answer, timeout_s)
        try:
            # A write goes on if its caller is cancelled.
            return await answer
        finally:
            timer.cancel()

    def _end(
        self,
        write: Write[T],
        statistics: WriteStatistics,
        answer: asyncio.Future[T],
        done: tuple[T, Sequence[Change]] | None,
        error: BaseException | None,
    ) -> None:
        """Take the end of a write: its result and its changes, or its error."""
        self._writes.discard(write)
        statistics.add(write, error)
        if write.retries.has_searched:
            self.sources.lose_primary()
        if done is None:
            assert error is not None
            _fail(answer, error)
            return
        result, changes = done
        position = write.position
        self.position = None if position is None else max(self.position or 0, position)
        if not answer.done():
            answer.set_result(result)
        if changes and self.on_commit is not None:
            self.on_commit(changes)

    def _end_late(self, write: Write[T], answer: asyncio.Future[T], timeout_s: float) -> None:
        """Give up a write that takes too long, and answer its caller."""
        log.error("the database has not completed a write within %.3g s", timeout_s)
        if write.give_up():
            loop = asyncio.get_running_loop()
            loop.call_later(END_OF_COMMIT_S, _fail, answer, OutcomeUnknown())
        elif write.has_begun:
            _fail(answer, _failure("The database did not answer in time."))
        else:
            _fail(answer, _busy("Other changes keep the database busy."))

    def _run(self, write: Write[T]) -> tuple[T, Sequence[Change]]:
        try:
            return self._run_write(write)
        except CommitUnconfirmed as error:
            log.exception("the database has not confirmed a commit")
            raise OutcomeUnknown from error
        except GivenUp as error:
            raise _failure("The database did not answer in time.") from error
        except (PoolTimeoutError, DBAPIError) as error:
            if _is_lock_timeout(error, write):
                log.info("a lock was not available in time: %s", error)
                raise _busy("Another transaction keeps a lock.") from error
            if not is_failure(error):
                raise
            log.exception("the database failed")
            raise _failure("The database failed.") from error

    def release_memory(self) -> None:
        """Give back memory that connections keep for later, if nobody uses them; blocks."""
        if not self.has_other_servers:
            release_memory(self.engine)

    def read_blocking(self, work: Callable[[ReadConnection], T]) -> T:
        """:meth:`read`, for code without an event loop."""
        with self.readers.connect() as connection:
            return work(connection)

    def write_blocking(self, work: Callable[[WriteTransaction], T]) -> T:
        """:meth:`write`, for code without an event loop; it may take as long as it likes.

        What has changed is published to other servers only. Raises what the database raises; and
        :class:`OutcomeUnknown`.
        """
        try:
            return self._run_write(Write(work))[0]
        except CommitUnconfirmed as error:
            raise OutcomeUnknown from error

    def _run_write(self, write: Write[T]) -> tuple[T, Sequence[Change]]:
        """The result of a write that is committed, and the changes to publish."""
        while True:
            try:
                with self._write_lock or nullcontext():
                    result, changes = write.run(self._connect, self.id)
            except CommitUnconfirmed:
                self.id = uuid.uuid4().hex
                self._note_unheard()
                raise
            except DBAPIError as error:
                if not write.retries.wait(error):
                    raise
            else:
                if not write.is_told:
                    self._note_unheard()
                return result, changes

    def _note_unheard(self) -> None:
        if (note := self.on_unheard_commit) is not None:
            note()
        else:
            self.leave_unheard()

    def leave_unheard(self) -> None:
        """Have :meth:`close` tell other servers to find out what was committed."""
        self._is_unheard = True

    def tell_to_catch_up(self, transaction: WriteTransaction) -> None:
        """Have other servers find out what was committed; on PostgreSQL only."""
        transaction.connection.exec_driver_sql(catch_up_statement(self.id))

    def close(self) -> None:
        """Wait for running reads, give up writes whose outcome nobody awaits, and disconnect.

        Before that, other servers are told of a commit of which they were not, within
        ``database_timeout``.
        """
        for write in list(self._writes):
            write.give_up()
        self.readers.close()
        for replica in self.sources.replicas:
            replica.source.readers.close()
        self._writers.close()
        self._event_writers.close()
        if self._is_unheard and self.has_other_servers:
            try:
                self._run_write(Write(self.tell_to_catch_up, time.monotonic() + self.timeout_s))
            except (CommitUnconfirmed, DBAPIError):
                log.exception("other servers were not told of a change, which they may not show")
        if self._kept is not None:
            self._kept.close()
        self._write_engine.dispose()
        self.engine.dispose()


def _fail(answer: asyncio.Future[Any], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)


def _failure(reason: str) -> Unavailable:
    return Unavailable(ErrorCode.STORAGE_FAILED, f"{reason} Nothing was changed; try again later.")


def _busy(reason: str) -> Unavailable:
    return Unavailable(ErrorCode.BUSY, f"{reason} Nothing was changed; try again later.")


def _is_lock_timeout(error: Exception, write: Write[Any]) -> bool:
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.Error):
        # The lower eight bits are the primary code.
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    code = sqlstate(error)
    # A write that has spent its time on a search for the database has none left for statements.
    is_late = code == QUERY_CANCELED and not write.retries.has_searched
    return code == LOCK_NOT_AVAILABLE or is_late
