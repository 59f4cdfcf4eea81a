"""A read of the database that can be stopped from another thread."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from lamia_gql.domain.errors import LamiaError
from lamia_gql.storage.postgres_connection import cut
from lamia_gql.storage.postgres_statements import CANCEL_TIMEOUT_S

log = logging.getLogger(__name__)
T_co = TypeVar("T_co", covariant=True)
INTERRUPT_INTERVAL_S = 0.05
"""Pause between attempts to interrupt: one that falls between two statements has no effect."""


class Stopped(Exception):  # noqa: N818  (a requested outcome, not an error)
    """The read was stopped."""


class CancellableRead(Generic[T_co]):
    """A call of ``work`` with a connection: run it in a thread, :meth:`stop` it in another.

    It may be run again, one run after the other.
    """

    def __init__(self, work: Callable[[Connection], T_co]) -> None:
        self._work = work
        # The read can't end while it is being interrupted, and the other way round.
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._stopped = threading.Event()
        self._ended = threading.Event()

    def __call__(self, connection: Connection) -> T_co:
        """Run the work. Raises :class:`Stopped`, and what the work raises."""
        with self._lock:
            if self._stopped.is_set():
                raise Stopped
            self._connection = connection
            self._ended.clear()
        try:
            return self._work(connection)
        except DBAPIError as error:
            if self._stopped.is_set():
                raise Stopped from error
            raise
        except LamiaError as error:
            # Those who wait for the error are in cycles with it: it must not keep what was read.
            raise error.with_traceback(None) from None
        finally:
            self._ended.set()
            with self._lock:
                self._connection = None
                if self._stopped.is_set():
                    # PostgreSQL may act late on a cancel request; it must not hit the next
                    # statement on the same connection.
                    connection.invalidate()

    @property
    def is_stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Stop the work now, or before it starts. Blocks until it has ended."""
        with self._lock:
            self._stopped.set()
            running = self._connection is not None
        while running and not self._ended.wait(INTERRUPT_INTERVAL_S):
            with self._lock:
                if self._connection is not None:
                    _interrupt(self._connection.connection.driver_connection)


def _interrupt(driver: Any) -> None:
    if isinstance(driver, sqlite3.Connection):
        driver.interrupt()
    else:
        try:
            driver.cancel_safe(timeout=CANCEL_TIMEOUT_S)
        except Exception:
            # Where the database does not answer, only the end of the connection frees its thread.
            log.warning("a statement can't be cancelled; its connection is ended", exc_info=True)
            cut(driver)
