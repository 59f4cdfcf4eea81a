"""The reads of one operation: they see one state of the database, and are stopped together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from lamia_gql.domain.access import ANYONE, Principal
from lamia_gql.domain.errors import LamiaError, LimitExceeded, Unavailable
from lamia_gql.storage import lookups
from lamia_gql.storage.cancellation import CancellableRead, Stopped
from lamia_gql.storage.database import Database
from lamia_gql.storage.read_replica import ReadSource
from lamia_gql.storage.read_sources import Freshness, Outcome, Wanted
from lamia_gql.storage.readers import (
    Readers,
    ReadSession,
    ReplicaFailed,
    gone_error,
    timed_out_error,
)
from lamia_gql.storage.transaction import ReadConnection

Q = TypeVar("Q")
T = TypeVar("T")
Work = Callable[[ReadConnection], T]


class Snapshot:
    """One state of the database, which is that of the first read.

    The reads run one after the other, on one connection, which is taken for the first of them and
    given back by :meth:`close`. A caller that is cancelled does not end its read while it runs, as
    the others need the connection.

    Args:
        readers: where to read.
        address: the address of the client that asks; None for the server.
        time_limit: the time in seconds after which the owner closes it; for the error's message.
        principal: who asks.
    """

    def __init__(
        self, readers: Readers, address: str | None, time_limit: float, principal: Principal
    ) -> None:
        self._readers = readers
        self._principal = principal
        self._address = address
        self._time_limit = time_limit
        self._waiting: deque[tuple[Work[Any], asyncio.Future[Any]]] | None = None
        """None while nothing waits: an empty one would take 600 bytes of each subscription."""
        self._worker: asyncio.Task[None] | None = None
        self._opening = False
        self._begun = False
        self._session: ReadSession | None = None
        self._running: CancellableRead[Any] | None = None
        self._failure: Exception | None = None
        self._closed = False

    def error(self) -> LamiaError:
        """The error for reads after the end: they take too long, or get no connection."""
        if not self._begun:
            return timed_out_error(self._time_limit)
        return self._readers.late_error(self._time_limit, self._session)

    async def read(self, work: Work[T]) -> T:
        """The result of ``work``.

        Raises the error of the end; :class:`Unavailable` if the storage fails or no connection is
        free in time; :class:`LimitExceeded` if it takes too long; :class:`AccessDenied` if the
        principal may not read; and what the work raises. An error of the database ends the
        transaction, so all further reads raise it, too.
        """
        self._principal.require_reading()
        if self._closed:
            raise self.error()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append((work, answer))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="reads of an operation")
        return await answer

    def close(self) -> None:
        """Stop the running read, refuse those to come, and give the connection back at once."""
        if self._closed:
            return
        self._closed = True
        for _, answer in self._waiting or ():
            if not answer.done():
                answer.set_exception(self.error())
        self._waiting = None
        if self._running is not None:
            self._readers.stop(self._running)
        elif self._opening:
            assert self._worker is not None
            self._worker.cancel()
        elif self._worker is None:
            self._give_back()
        # Else the worker has not begun yet: it will find nothing to do.

    async def _work(self) -> None:
        try:
            while self._waiting:
                work, answer = self._waiting.popleft()
                if not answer.done():
                    await self._answer(work, answer)
        finally:
            self._waiting = self._worker = None
            if self._closed:
                self._give_back()

    async def _answer(self, work: Work[T], answer: asyncio.Future[T]) -> None:
        try:
            found = await self._run(work)
        except asyncio.CancelledError:
            # By close, or because the event loop ends.
            if not answer.done():
                answer.set_exception(self.error())
            self.close()
            raise
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(found)

    async def _run(self, work: Work[T]) -> T:
        if self._failure is not None:
            raise self._failure
        try:
            if self._session is None:
                self._begun = self._opening = True
                try:
                    self._session = await self._readers.open(self._address)
                finally:
                    self._opening = False
            self._running = read = CancellableRead(work)
            return await self._session.run(read)
        except Stopped:
            raise self.error() from None
        except (LimitExceeded, Unavailable, SQLAlchemyError) as error:
            self._failure = error
            raise
        finally:
            self._running = None

    def _give_back(self) -> None:
        if self._session is not None:
            self._session.close()


class OperationReads:
    """The snapshots of one operation, one at a time.

    Args:
        database: where to read.
        time_limit: the time in seconds after which the owner, or :meth:`read_in_time`, stops them.
        address: the address of the client that asks; None for the server.
        principal: who asks. One that may not read gets :class:`AccessDenied` for every read.
        wanted: what :meth:`read_once`, :meth:`look_up` and :meth:`read_in_time` must see: they may
            read from a replica. Snapshots are of the primary.
    """

    def __init__(
        self,
        database: Database,
        time_limit: float,
        address: str | None = None,
        principal: Principal = ANYONE,
        wanted: Wanted = Freshness.PRIMARY,
    ) -> None:
        self._sources = database.sources
        self._wanted = wanted
        self._principal = principal
        self._time_limit = time_limit
        self._address = address
        self._stopped = False
        self._source: ReadSource | None = None
        """Where :meth:`read_once` reads, or waits for a session."""
        self._session: ReadSession | None = None
        """That of :meth:`read_once`."""
        self.snapshot = self._new_snapshot()
        """The present snapshot."""

    async def read(self, work: Work[T]) -> T:
        """The result of ``work`` in the present snapshot; see :meth:`Snapshot.read`.

        Raises :meth:`error` where the operation was stopped.
        """
        return await self.snapshot.read(work)

    async def read_once(self, work: Work[T]) -> T:
        """The result of ``work`` in a snapshot of its own. Raises as :meth:`read`.

        For an operation that reads everything in one go: it takes fewer turns of threads. Where the
        caller is cancelled, the read is stopped. Where a database fails, ``work`` may run once
        more, on another connection.
        """
        return await self._on_source(lambda source: self._read_once(source, work))

    async def look_up(self, work: lookups.Work[Q, T], asked: Q) -> T:
        """What a work finds by keys for ``asked``: a few rows. Like :meth:`read_once`.

        Equal works of several operations are called once. It goes on where the caller is cancelled.
        Raises an error like :meth:`error` after the time limit.
        """
        deadline = asyncio.get_running_loop().time() + self._time_limit
        try:
            return await self._on_source(lambda source: source.lookups.run(work, asked, deadline))
        except TimeoutError:
            # It has no session of its own.
            is_gone = self._sources.primary.readers.searching
            raise (gone_error() if is_gone else timed_out_error(self._time_limit)) from None

    async def _on_source(self, read: Callable[[ReadSource], Awaitable[T]]) -> T:
        self._principal.require_reading()
        if self._stopped:
            raise self.error()
        source = await self._sources.choose(self._wanted)
        try:
            return await read(source)
        except ReplicaFailed:
            self._sources.outcomes[Outcome.FAILED] += 1
        return await read(self._sources.primary)

    async def _read_once(self, source: ReadSource, work: Work[T]) -> T:
        self._source, self._session = source, None
        self._session = session = await source.readers.open(self._address)
        read = CancellableRead(work)
        try:
            return await session.run(read, is_last=True)
        except asyncio.CancelledError:
            source.readers.stop(read)
            raise
        except Stopped:
            raise self.error() from None
        finally:
            session.close()

    async def read_in_time(self, work: Work[T]) -> T:
        """Like :meth:`read_once`; stopped after the time limit, and nothing can be read then."""
        try:
            async with asyncio.timeout(self._time_limit):
                return await self.read_once(work)
        except TimeoutError:
            raise self.error() from None
        finally:
            self.stop()

    def renew(self) -> Snapshot:
        """End the present snapshot, and return a new one."""
        self.snapshot.close()
        self.snapshot = self._new_snapshot()
        if self._stopped:
            self.snapshot.close()
        return self.snapshot

    def end(self) -> None:
        """End the present snapshot: its connection is for others until there is a new one."""
        self.snapshot.close()

    def stop(self) -> None:
        """Stop the running reads, and refuse new ones."""
        self._stopped = True
        self.snapshot.close()

    def _new_snapshot(self) -> Snapshot:
        readers = self._sources.primary.readers
        return Snapshot(readers, self._address, self._time_limit, self._principal)

    def error(self) -> LamiaError:
        """The error for an operation that takes too long, or gets no connection for so long."""
        if self._source is not None:
            return self._source.readers.late_error(self._time_limit, self._session)
        return self.snapshot.error()
