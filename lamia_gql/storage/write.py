"""A write to the database that can be given up from another thread when it takes too long."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Transaction
from sqlalchemy.exc import DBAPIError

from lamia_gql.storage.change_feed import Change, notify_statement
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.engine import is_sqlite
from lamia_gql.storage.postgres_connection import (
    collected_warnings,
    cut_socket,
    duplicate_socket,
)
from lamia_gql.storage.read_position import READ_COMMITTED_POSITION, Position
from lamia_gql.storage.retries import Retries, is_gone, sqlstate
from lamia_gql.storage.transaction import WriteTransaction

T = TypeVar("T")


class GivenUp(Exception):  # noqa: N818  (a requested outcome, not an error)
    """The write was given up before it began to commit: nothing was changed."""


class CommitUnconfirmed(Exception):  # noqa: N818  (it says what is the case)
    """The database may or may not have committed, or only where the commit may yet be lost.

    The connection broke during COMMIT; or the wait for a synchronous standby was cancelled.
    """


@dataclass(slots=True)
class WriteTimes:
    """When a write did what, by ``time.monotonic``; None for what it has not done."""

    created: float = field(default_factory=time.monotonic)
    begun: float | None = None
    """When it had its turn, and a connection."""
    commit_begun: float | None = None
    ended: float | None = None
    """When it was committed."""


class Write(Generic[T]):
    """A call of ``work`` with a transaction: run it in a thread, :meth:`give_up` in another.

    It may be run again, one run after the other, as :attr:`retries` decide.

    Args:
        work: what to do in the transaction.
        deadline: until when it may wait for locks, and for a database that is gone, by
            ``time.monotonic``; None for no limit of the first, and nothing of the other.
        with_position: whether to find the :attr:`position`; on PostgreSQL only.
    """

    def __init__(
        self,
        work: Callable[[WriteTransaction], T],
        deadline: float | None = None,
        *,
        with_position: bool = False,
    ) -> None:
        self._work = work
        self._deadline = deadline
        self._with_position = with_position
        self.times = WriteTimes()
        self.position: Position | None = None
        """A position behind its commit, if it is to find one."""
        self.is_told = True
        """Whether other servers were told of its commit, if it changes anything."""
        self.retries = Retries(deadline)
        """Whether it is run again where it has failed."""
        # Guards everything below: a connection is only cut while it is in use.
        self._lock = threading.Lock()
        self._given_up = False
        self._may_be_committed = False
        self._socket: int | None = None
        self._sqlite: sqlite3.Connection | None = None

    @property
    def has_begun(self) -> bool:
        """Whether it has got its turn, and a connection."""
        return self.times.begun is not None

    def run(
        self, connect: Callable[[], AbstractContextManager[Connection]], server_id: str
    ) -> tuple[T, list[Change]]:
        """Run the work and commit; the result, and the changes to publish.

        ``connect`` gives a connection whose transactions write, for a block.

        Raises :class:`GivenUp`, :class:`CommitUnconfirmed`, and what the work and the database
        raise; then nothing was changed, unless it is :class:`CommitUnconfirmed`.
        """
        self._check()
        times = self.times
        with connect() as connection, self._stoppable(connection):
            begun = connection.begin()
            try:
                times.begun = times.begun or time.monotonic()
                transaction = WriteTransaction(connection, self._deadline)
                result = self._work(transaction)
                self._begin_commit()
                times.commit_begun = time.monotonic()
            except BaseException as error:
                # Here rather than by the pool, because a dead connection can still be cut.
                begun.rollback()
                if isinstance(error, DBAPIError):
                    if self._given_up:
                        raise GivenUp from error
                    if is_gone(error):
                        # The others of its pool are connected to the same database.
                        connection.invalidate()
                        connection.engine.dispose()
                raise
            try:
                warnings = self._commit(begun, connection, server_id, transaction.changes)
            except Exception as error:
                if is_sqlite(connection.engine) or _is_refusal(error):
                    with self._lock:
                        self._may_be_committed = False
                    # Or the pool would hand on a connection whose transaction is still open.
                    begun.rollback()
                    raise
                connection.invalidate()
                raise CommitUnconfirmed from error
            if warnings:
                raise CommitUnconfirmed("; ".join(warnings))
            times.ended = time.monotonic()
            return result, transaction.changes

    def give_up(self) -> bool:
        """End the write, whether it has begun or not. Does not block.

        Returns whether it has begun to commit; otherwise, it changes nothing.
        """
        with self._lock:
            self._given_up = True
            if self._socket is not None:
                cut_socket(self._socket)
            elif self._sqlite is not None and not self._may_be_committed:
                self._sqlite.interrupt()
            return self._may_be_committed

    def _check(self) -> None:
        with self._lock:
            if self._given_up:
                raise GivenUp

    def _begin_commit(self) -> None:
        with self._lock:
            if self._given_up:
                raise GivenUp
            self._may_be_committed = True

    def _commit(
        self, begun: Transaction, connection: Connection, server_id: str, changes: Sequence[Change]
    ) -> list[str]:
        """Commit and notify; the warnings of standbys that PostgreSQL did not wait for."""
        driver: Any = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            begun.commit()
            return []
        notify = notify_statement(server_id, changes)
        afterwards = [READ_COMMITTED_POSITION] if self._with_position else []
        if notify:
            afterwards.append(notify)
        with collected_warnings(driver) as warnings:
            values = Driver(connection).commit(afterwards=afterwards) if afterwards else []
            self.is_told = not notify or len(values) == len(afterwards)
            if afterwards and driver.closed:
                # It has broken after its answer to COMMIT.
                connection.invalidate()
            else:
                # The driver may have nothing left to commit.
                begun.commit()
        self.position = int(values[0]) if self._with_position and values else None
        return warnings

    @contextmanager
    def _stoppable(self, connection: Connection) -> Iterator[None]:
        driver: Any = connection.connection.driver_connection
        with self._lock:
            if self._given_up:
                raise GivenUp
            if isinstance(driver, sqlite3.Connection):
                self._sqlite = driver
            else:
                # The driver may close its own one at any time, and another file get its number.
                self._socket = duplicate_socket(driver)
        try:
            yield
        finally:
            with self._lock:
                self._sqlite = None
                if self._socket is not None:
                    os.close(self._socket)
                self._socket = None


def _is_refusal(error: Exception) -> bool:
    """Whether the database itself has refused to commit, and said so."""
    return (
        isinstance(error, DBAPIError)
        and not error.connection_invalidated
        and sqlstate(error) is not None
    )
