"""The database: transactions in threads, the same for SQLite and PostgreSQL.

Statements run on blocking connections in threads of their own. That is the fastest way on both
engines, and the one in which a running statement can be interrupted. Async code calls
:meth:`Database.read` and :meth:`Database.write` with a function that does the work.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from lamia_gql.domain.errors import ErrorCode, Unavailable
from lamia_gql.domain.settings import Settings
from lamia_gql.storage.cancellation import CancellableRead
from lamia_gql.storage.change_feed import Change
from lamia_gql.storage.engine import begin_write, create_engine, is_sqlite
from lamia_gql.storage.readers import Readers
from lamia_gql.storage.transaction import ReadConnection, WriteTransaction

log = logging.getLogger(__name__)
T = TypeVar("T")
W = TypeVar("W")

MAX_ATTEMPTS = 5
"""How often a transaction is run that conflicts with others."""
CONFLICTS = frozenset({"40001", "40P01"})
"""PostgreSQL's codes of conflicts: serialization_failure and deadlock_detected."""
STORAGE_FAILURES = (OperationalError, InterfaceError, PoolTimeoutError)
"""Errors of the storage itself, rather than of the statement."""


class Database:
    """Threads and connections to one database. Lives as long as the application."""

    def __init__(self, settings: Settings) -> None:
        self.engine = create_engine(settings)
        self.readers = Readers(
            self.engine, settings.database_connections, settings.database_timeout
        )
        self._writers = ThreadPoolExecutor(2, "lamia-write")
        # SQLite has one writer at a time: threads queue here rather than poll the file's lock.
        self._write_lock = None if self.has_other_servers else threading.Lock()
        self.id = uuid.uuid4().hex
        """The id of this server among those that share the database."""
        self.on_commit: Callable[[Sequence[Change]], None] | None = None
        """Called, in a writer's thread, with the changes of each committed transaction."""

    @property
    def has_other_servers(self) -> bool:
        """Whether other servers may use the same database: on PostgreSQL, but not on SQLite."""
        return not is_sqlite(self.engine)

    async def read(self, work: Callable[[ReadConnection], T]) -> T:
        """The result of ``work``, run in a reader's thread in a transaction that is rolled back.

        All statements of the transaction see the same state of the database. Where the caller is
        cancelled, the running statement is cancelled as well, so that the thread and its
        connection are free again. Raises :class:`Unavailable` when the storage fails, or when no
        connection is free in time.
        """
        return await self.readers.run(CancellableRead(work))

    async def write(self, work: Callable[[WriteTransaction], T]) -> T:
        """The result of ``work``, run in a writer's thread in a transaction.

        The transaction is committed unless ``work`` raises. ``work`` runs again from the start
        when its transaction conflicts with another one, so it must change nothing but the
        database. Raises :class:`Unavailable` when the storage fails.
        """
        return await self._run(self._writers, self.write_blocking, work)

    async def _run(
        self,
        threads: ThreadPoolExecutor,
        transaction: Callable[[Callable[[W], T]], T],
        work: Callable[[W], T],
    ) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, transaction, work)
        except STORAGE_FAILURES as error:
            log.exception("the database failed")
            raise Unavailable(
                ErrorCode.STORAGE_FAILED,
                "The database failed. Nothing was changed; try again later.",
            ) from error

    def read_blocking(self, work: Callable[[ReadConnection], T]) -> T:
        """:meth:`read`, for code without an event loop."""
        with self.readers.connect() as connection:
            return work(connection)

    def write_blocking(self, work: Callable[[WriteTransaction], T]) -> T:
        """:meth:`write`, for code without an event loop."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                with self._begin() as transaction:
                    result = work(transaction)
            except DBAPIError as error:
                if attempt == MAX_ATTEMPTS or not _is_conflict(error):
                    raise
                log.info("a transaction conflicted with another one; retrying: %s", error.orig)
            else:
                if transaction.changes and (publish := self.on_commit) is not None:
                    publish(transaction.changes)
                return result
        raise AssertionError("unreachable")

    @contextmanager
    def _begin(self) -> Iterator[WriteTransaction]:
        with self._write_lock or nullcontext(), begin_write(self.engine) as connection:
            yield WriteTransaction(connection, self.id)

    def close(self) -> None:
        """Wait for running work, then close every connection."""
        self.readers.close()
        self._writers.shutdown()
        self.engine.dispose()


def _is_conflict(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in CONFLICTS
