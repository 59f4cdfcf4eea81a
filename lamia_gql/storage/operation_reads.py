"""The reads of one operation, which end with it at the latest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from lamia_gql.domain.errors import ErrorCode, LimitExceeded
from lamia_gql.storage.cancellation import CancellableRead, Stopped
from lamia_gql.storage.database import Database

T = TypeVar("T")


class OperationReads:
    """Reads that can be stopped together, also those whose reader nobody waits for any more."""

    def __init__(self, database: Database, time_limit: float) -> None:
        self._database = database
        self._time_limit = time_limit
        self._running: set[CancellableRead[Any]] = set()
        self._stopped = False

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self._database.is_sqlite

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What :meth:`Database.read` gives, unless the operation is over before.

        Raises :class:`LimitExceeded` where it is, and :class:`Unavailable`.
        """
        if self._stopped:
            raise self.error()
        reading = CancellableRead(work)
        self._running.add(reading)
        try:
            return await self._database.read(reading)
        except Stopped:
            raise self.error() from None
        finally:
            self._running.discard(reading)

    def stop(self) -> None:
        """Stop all that runs, and let nothing begin any more."""
        self._stopped = True
        for reading in self._running:
            self._database.stop(reading)

    def error(self) -> LimitExceeded:
        """The error for an operation that takes too long."""
        return LimitExceeded(
            ErrorCode.TIMED_OUT,
            f"The operation was stopped after {self._time_limit:g} seconds: ask for less at once.",
            self._time_limit,
        )
