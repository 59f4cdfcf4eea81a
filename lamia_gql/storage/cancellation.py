"""A piece of work that reads the database, and can be stopped from another thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

T_co = TypeVar("T_co", covariant=True)
PATIENCE = 0.05
"""Seconds between attempts to stop: one that falls between two statements stops neither."""
CANCEL_TIMEOUT = 5
"""Seconds that PostgreSQL has to take a request to cancel."""


class Stopped(Exception):  # noqa: N818  (what was wanted, not an error)
    """The work was stopped."""


class CancellableRead(Generic[T_co]):
    """``work`` on a connection; call it in one thread, and :meth:`stop` it in another."""

    def __init__(self, work: Callable[[Connection], T_co]) -> None:
        self._work = work
        # Holds back the end of the work while it is being interrupted, and the other way round.
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._stopped = threading.Event()
        self._over = threading.Event()

    def __call__(self, connection: Connection) -> T_co:
        """Do the work. Raises :class:`Stopped`, and what the work raises."""
        with self._lock:
            if self._stopped.is_set():
                raise Stopped
            self._connection = connection
        try:
            return self._work(connection)
        except DBAPIError as error:
            if self._stopped.is_set():
                raise Stopped from error
            raise
        finally:
            self._over.set()
            with self._lock:
                self._connection = None
                if self._stopped.is_set():
                    # PostgreSQL may act late on a request to cancel, and must not cancel then
                    # what somebody else does on the same connection.
                    connection.invalidate()

    def stop(self) -> None:
        """Stop the work if it runs, or else as soon as it would begin; wait until it is over."""
        with self._lock:
            self._stopped.set()
            running = self._connection is not None
        while running and not self._over.wait(PATIENCE):
            with self._lock:
                if self._connection is not None:
                    _interrupt(self._connection.connection.driver_connection)


def _interrupt(driver: Any) -> None:
    if isinstance(driver, sqlite3.Connection):
        driver.interrupt()
    else:
        driver.cancel_safe(timeout=CANCEL_TIMEOUT)
