"""The reads of one operation, which are stopped together when it takes too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from lamia_gql.domain.errors import ErrorCode, LimitExceeded
from lamia_gql.storage.cancellation import CancellableRead, Stopped
from lamia_gql.storage.database import Database
from lamia_gql.storage.transaction import ReadConnection

T = TypeVar("T")


class OperationReads:
    """Reads that can be stopped together, including those whose caller was cancelled.

    Args:
        database: where to read.
        time_limit: the time in seconds after which the owner stops them; for the error's message.
    """

    def __init__(self, database: Database, time_limit: float) -> None:
        self._database = database
        self._time_limit = time_limit
        self._running: set[CancellableRead[Any]] = set()
        self._stopped = False

    async def read(self, work: Callable[[ReadConnection], T]) -> T:
        """The result of ``work``, like :meth:`Database.read`.

        Raises :class:`LimitExceeded` where the operation was stopped, and :class:`Unavailable`.
        """
        if self._stopped:
            raise self.error()
        read = CancellableRead(work)
        self._running.add(read)
        try:
            return await self._database.run_read(read)
        except Stopped:
            raise self.error() from None
        finally:
            self._running.discard(read)

    def stop(self) -> None:
        """Stop the running reads, and refuse new ones."""
        self._stopped = True
        for read in self._running:
            self._database.stop(read)

    def error(self) -> LimitExceeded:
        """The error for an operation that takes too long."""
        return LimitExceeded(
            ErrorCode.TIMED_OUT,
            f"The operation was stopped after {self._time_limit:g} seconds: ask for less at once.",
            self._time_limit,
        )
