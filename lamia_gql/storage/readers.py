"""The threads and connections on which the database is read, and whose turn it is to have one.

Every transaction that reads sees one state of the database, in all of its statements: on SQLite by
WAL, on PostgreSQL by REPEATABLE READ.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from lamia_gql.domain.errors import ErrorCode, LamiaError, LimitExceeded, Unavailable
from lamia_gql.domain.histogram import SECONDS, Histogram
from lamia_gql.storage.cancellation import CancellableRead, Stopped
from lamia_gql.storage.reader_turns import ReaderTurns
from lamia_gql.storage.retries import Retries, is_failure, is_gone

log = logging.getLogger(__name__)
T = TypeVar("T")


class ReplicaFailed(Unavailable):
    """A replica has failed, or is too busy; the primary may answer."""


class Readers:
    """Runs reads in threads. Lives as long as the application.

    Client addresses that wait for a connection take turns; the requests of one address get it in
    the order in which they came. One address never has all connections.

    Args:
        engine: what to read from. All statements of one of its transactions see one state of the
            database, and its pool has a connection for each reader.
        limit: the number of connections that may be used for reading at once.
        timeout_s: the longest wait for a connection, in seconds, and for a database that is gone.
        max_read_s: the longest time that one read may take from then on, in seconds.
        replica: the name of the replica; None for the primary. On a replica,
            :class:`ReplicaFailed` is raised wherever it is :class:`Unavailable` else.
    """

    def __init__(
        self,
        engine: Engine,
        limit: int,
        timeout_s: float,
        max_read_s: float,
        replica: str | None = None,
    ) -> None:
        self._engine = engine
        self._timeout_s = timeout_s
        self._replica = replica
        self.max_read_s = max_read_s
        """The longest time that one read may take, in seconds."""
        self.waits = Histogram(SECONDS)
        """How long those reads waited for a connection that did not get one at once."""
        self.searching: set[ReadSession] = set()
        """Those that wait for a database that is gone."""
        self.is_closing = False
        """Whether nothing waits for the database any more."""
        self._turns = ReaderTurns(limit)
        self._threads = ThreadPoolExecutor(limit, "lamia-read")
        # Stopping a statement is a request to the database: as many at once as there are readers.
        self._stoppers = ThreadPoolExecutor(limit, "lamia-stop")

    @property
    def running(self) -> int:
        """How many operations have a connection."""
        return self._turns.taken

    @property
    def waiting(self) -> int:
        """How many operations wait for a connection."""
        return self._turns.waiting

    async def run(self, read: CancellableRead[T], address: str | None) -> T:
        """The result of a read in a transaction of its own, for a client's address or the server.

        Raises :class:`Unavailable` if the storage fails, or if no connection is free in time;
        :class:`LimitExceeded` if the read takes too long;
        :class:`lamia_gql.storage.cancellation.Stopped`; and what the read raises.
        """
        session = await self.open(address)
        try:
            return await session.run(read, is_last=True)
        except asyncio.CancelledError:
            self.stop(read)
            raise
        finally:
            session.close()

    async def open(self, address: str | None) -> ReadSession:
        """A session, which must be closed, for a client's address or, if None, for the server.

        Raises :class:`Unavailable` if none is free in time.
        """
        begin = time.monotonic()
        if not self._turns.take_free(address):
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._turns.take(address)
            except TimeoutError:
                if self._replica is not None:
                    raise ReplicaFailed(ErrorCode.BUSY, "The replica is busy.") from None
                raise self.late_error(self._timeout_s, None) from None
            finally:
                self.waits.add(time.monotonic() - begin)
        # Instead of a replica that is gone, the primary answers at once.
        search_until = None if self._replica is not None else begin + self._timeout_s
        return ReadSession(self, address, asyncio.get_running_loop(), search_until)

    def late_error(self, limit_s: float, session: ReadSession | None) -> LamiaError:
        """The error for an operation that was stopped after so many seconds.

        ``session`` is where it reads; None if it waits for one, which others may have that wait for
        a database that is gone.
        """
        if self.searching if session is None else session in self.searching:
            return gone_error()
        return _busy_error(limit_s) if session is None else timed_out_error(limit_s)

    def failure(self, error: Exception) -> Unavailable:
        """What to raise for an error of the database, which goes into the log."""
        if self._replica is not None:
            log.warning("replica %s has failed: %s", self._replica, error)
            return ReplicaFailed(ErrorCode.STORAGE_FAILED, "The replica has failed.")
        log.exception("the database failed")
        return gone_error()

    def stop(self, read: CancellableRead[Any]) -> None:
        """Stop a read. Does not wait for its end."""
        self._stoppers.submit(read.stop)

    def connect(self) -> Connection:
        """A connection whose transactions each see one state of the database; blocks."""
        return self._engine.connect()

    def submit(self, work: Any, *arguments: Any) -> Future[Any]:
        """Call ``work`` in a reader's thread."""
        return self._threads.submit(work, *arguments)

    def release(self, address: str | None) -> None:
        """Let the next one have a connection. Must be called in the thread of the event loop."""
        self._turns.give_back(address)

    def close(self) -> None:
        """Wait for running reads, and disconnect. Sessions that are open are not waited for."""
        self.is_closing = True
        self._threads.shutdown()
        self._stoppers.shutdown()
        self._engine.dispose()


def gone_error() -> Unavailable:
    """The error for an operation that the database has failed."""
    return Unavailable(
        ErrorCode.STORAGE_FAILED, "The database failed. Nothing was changed; try again later."
    )


def timed_out_error(limit_s: float) -> LimitExceeded:
    """The error for an operation that has run for so many seconds."""
    return LimitExceeded(
        ErrorCode.TIMED_OUT,
        f"The operation was stopped after {limit_s:g} seconds: ask for less at once.",
        limit_s,
    )


def _busy_error(seconds: float) -> Unavailable:
    """The error for a read that has waited so long for a connection."""
    return Unavailable(
        ErrorCode.BUSY,
        f"The server is busy: no connection to the database was free for {seconds:g} seconds. Try"
        " again later.",
    )


class ReadSession:
    """A transaction that sees one state of the database, for several reads in turn.

    Args:
        readers: where it runs.
        address: the address of the client that it is for; None if it is for the server.
        loop: the event loop of its owner.
        search_until: until when its first read waits for a database that is gone, by
            ``time.monotonic``; None if it does not.
    """

    def __init__(
        self,
        readers: Readers,
        address: str | None,
        loop: asyncio.AbstractEventLoop,
        search_until: float | None,
    ) -> None:
        self._readers = readers
        self._address = address
        self._loop = loop
        self._search_until = search_until
        self._connection: Connection | None = None
        self._latest: Future[Any] | None = None
        self._begun: float | None = None
        """When the latest read had a connection, by ``time.monotonic``."""
        self._closed = False

    async def run(self, read: CancellableRead[T], *, is_last: bool = False) -> T:
        """The result of a read; one at a time. After the last one, the session may only be closed.

        Where the caller is cancelled, the read goes on. Raises as :meth:`Readers.run`.
        """
        work = self._run_last if is_last else self._run
        self._latest = future = self._readers.submit(work, read)
        limit_s, overdue = self._readers.max_read_s, False
        timer: asyncio.TimerHandle

        def stop() -> None:
            nonlocal overdue, timer
            if future.done():
                return
            # A wait for a database that is gone does not count.
            left_s = limit_s if self._begun is None else self._begun + limit_s - time.monotonic()
            if left_s > 0:
                timer = self._loop.call_later(left_s, stop)
            else:
                overdue = True
                self._readers.stop(read)

        timer = self._loop.call_later(limit_s, stop)
        try:
            found: T = await asyncio.wrap_future(future)
        except Stopped:
            if not overdue:
                raise
            raise LimitExceeded(
                ErrorCode.TIMED_OUT,
                f"A read of the database was stopped after {limit_s:g} seconds: ask for less at"
                " once.",
                limit_s,
            ) from None
        except (PoolTimeoutError, DBAPIError) as error:
            if not is_failure(error):
                raise
            raise self._readers.failure(error) from error
        finally:
            if future.done():
                timer.cancel()
            else:
                # The caller is cancelled; the read is still stopped if it takes long.
                future.add_done_callback(lambda _: self._call_soon(timer.cancel))
        return found

    def close(self) -> None:
        """Give the connection back as soon as no read runs on it any more. Does not wait."""
        if self._closed:
            return
        self._closed = True
        # Whoever keeps the session must not keep what was read.
        latest, self._latest = self._latest, None
        if latest is not None and not latest.done():
            latest.add_done_callback(lambda _: self._end())
        elif self._connection is None:
            self._readers.release(self._address)
        else:
            try:
                self._readers.submit(self._end)
            except RuntimeError:  # the application has ended
                self._end()

    def _run(self, read: CancellableRead[T]) -> T:
        if self._connection is not None:
            self._begun = time.monotonic()
            return read(self._connection)
        # Nothing has been read yet, so another database may answer in place of one that is gone.
        retries = Retries(self._search_until)
        try:
            while True:
                try:
                    self._connection = self._readers.connect()
                    self._begun = time.monotonic()
                    return read(self._connection)
                except DBAPIError as error:
                    if not is_gone(error) or read.is_stopped or self._readers.is_closing:
                        raise
                    self._begun = None
                    self._readers.searching.add(self)
                    if not retries.wait(error):
                        raise
                    self._disconnect()
        finally:
            self._readers.searching.discard(self)

    def _run_last(self, read: CancellableRead[T]) -> T:
        # One call of a thread instead of two.
        try:
            return self._run(read)
        finally:
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.close()
        except SQLAlchemyError:
            # It can't be rolled back, so the database has ended it. SQLAlchemy may know already.
            if not connection.closed:
                connection.invalidate()
                connection.close()

    def _end(self) -> None:
        try:
            self._disconnect()
        finally:
            self._call_soon(self._readers.release, self._address)

    def _call_soon(self, callback: Callable[..., object], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:  # the loop is closed
            log.debug("a reader outlived its event loop")
