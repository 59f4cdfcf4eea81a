"""The database: connections, transactions and threads, the same for SQLite and PostgreSQL.

Statements run on plain blocking connections in threads of their own: the fastest way on both
engines, and the one in which a driver can be interrupted. Code that awaits calls
:meth:`Database.read` and :meth:`Database.write` with a function of a connection.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from lamia_gql.domain.errors import ErrorCode, Unavailable
from lamia_gql.domain.settings import Settings
from lamia_gql.storage.cancellation import CancellableRead

log = logging.getLogger(__name__)
T = TypeVar("T")

TRIES = 5
"""How often a transaction is tried that loses against another one."""
RETRIED = frozenset({"40001", "40P01"})
"""PostgreSQL's codes of lost races: serialization_failure and deadlock_detected."""
STORAGE_FAILURES = (OperationalError, InterfaceError, PoolTimeoutError)
"""Errors of the storage itself, rather than of what was asked of it."""
DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


class DatabaseURLError(ValueError):
    """The database address is not one that this server can use."""


def parse_url(text: str) -> URL:
    """The address with the driver that we use for it.

    Raises :class:`DatabaseURLError` with a sentence for the operator.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    if url is None or url.drivername not in DRIVERS:
        raise DatabaseURLError(
            "The database address must be like sqlite:///lamia.sqlite"
            " or postgresql://user:password@host/name."
        )
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise DatabaseURLError("SQLite needs a file: sqlite:///lamia.sqlite.")
    return url.set(drivername=DRIVERS[url.drivername])


def create_engine(settings: Settings) -> Engine:
    """An engine whose connections are set up for durability, UTC and explicit transactions."""
    url = parse_url(settings.database_url)
    sizes: dict[str, Any] = {
        # Readers, the recorder, and one more writer for everything else.
        "pool_size": settings.database_connections + 2,
        "max_overflow": 2,
        "pool_timeout": settings.database_timeout,
    }
    if url.get_backend_name() == "sqlite":
        engine = sqlalchemy.create_engine(
            url, connect_args={"timeout": settings.database_timeout}, **sizes
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "checkout", _check_file)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return sqlalchemy.create_engine(
            url,
            connect_args={
                "options": "-c timezone=UTC",
                "connect_timeout": max(2, int(settings.database_timeout)),
            },
            pool_pre_ping=True,
            **sizes,
        )
    except ModuleNotFoundError as error:
        raise DatabaseURLError(
            "PostgreSQL needs its driver: pip install 'lamia-gql[postgres]'."
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    # Transactions are begun by _begin_sqlite, not by the driver's guesses.
    connection.isolation_level = None
    # Its own one knows the letters of ASCII only, and searches are to find others in any case.
    connection.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # What is acknowledged survives a power cut, not only a crash.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.execute("PRAGMA journal_size_limit = 67108864")
    path = cursor.execute("PRAGMA database_list").fetchone()[2]
    record.info["file"] = path, _identity(path)
    cursor.close()


def _check_file(
    _connection: sqlite3.Connection, record: ConnectionPoolEntry, _proxy: object
) -> None:
    # A file that was deleted, or replaced, takes what is written, and all of it is lost.
    path, identity = record.info["file"]
    if _identity(path) != identity:
        raise DisconnectionError(f"{path} is another file now")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail at once when another one has
    # written in between; one that is to write says so from the start, and waits its turn.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Database:
    """Threads and connections to one database; born and closed with the application."""

    def __init__(self, settings: Settings) -> None:
        self.engine = create_engine(settings)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._readers = ThreadPoolExecutor(settings.database_connections, "lamia-read")
        self._writers = ThreadPoolExecutor(2, "lamia-write")
        # To stop a statement is to talk to the database: as many at once as there are readers.
        self._stoppers = ThreadPoolExecutor(settings.database_connections, "lamia-stop")
        # SQLite has one writer at a time: threads queue here rather than poll its lock file.
        self._turn = threading.Lock() if self.is_sqlite else None
        self.id = uuid.uuid4().hex
        """Tells what this server has written from what others have."""
        self.on_commit: Callable[[Sequence[Any]], None] | None = None
        """Told, in a writer's thread, of what a committed transaction has announced."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that is rolled back, in a reader's thread.

        Where the caller is cancelled, the running statement is, too, so that the thread and its
        connection are free again. Raises :class:`Unavailable` when the storage fails, and
        :class:`Stopped` where ``work`` is a :class:`CancellableRead` that was stopped.
        """
        reading = work if isinstance(work, CancellableRead) else CancellableRead(work)
        try:
            return await self._run(self._readers, self.read_blocking, reading)
        except asyncio.CancelledError:
            self.stop(reading)
            raise

    def stop(self, reading: CancellableRead[Any]) -> None:
        """Stop a read, soon."""
        self._stoppers.submit(reading.stop)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that is committed unless it raises, in a writer's thread.

        ``work`` runs again from the start when its transaction lost against another one, so it
        must have no effect but on the database. Raises :class:`Unavailable` when the storage fails.
        """
        return await self._run(self._writers, self.write_blocking, work)

    async def _run(
        self,
        threads: ThreadPoolExecutor,
        transaction: Callable[[Callable[[Connection], T]], T],
        work: Callable[[Connection], T],
    ) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, transaction, work)
        except STORAGE_FAILURES as error:
            log.exception("the database failed")
            raise Unavailable(
                ErrorCode.STORAGE_FAILED,
                "The database failed. Nothing was changed; try again later.",
            ) from error

    def read_blocking(self, work: Callable[[Connection], T]) -> T:
        """:meth:`read`, for code that has no event loop."""
        with self.engine.connect() as connection:
            return work(connection)

    def write_blocking(self, work: Callable[[Connection], T]) -> T:
        """:meth:`write`, for code that has no event loop."""
        for attempt in range(1, TRIES + 1):
            changes: list[Any] = []
            try:
                with self._writing(changes) as connection:
                    result = work(connection)
            except DBAPIError as error:
                if attempt == TRIES or getattr(error.orig, "sqlstate", None) not in RETRIED:
                    raise
                log.info("a transaction lost a race and is tried again: %s", error.orig)
            else:
                if changes and (tell := self.on_commit) is not None:
                    tell(changes)
                return result
        raise AssertionError("unreachable")

    @contextmanager
    def _writing(self, changes: list[Any]) -> Iterator[Connection]:
        with self._turn or nullcontext(), self.engine.connect() as connection:
            # See ``changes.publish_on_commit`` for the last two.
            options = {"writes": True, "changes": changes, "server": self.id}
            with connection.execution_options(**options).begin():
                yield connection

    def close(self) -> None:
        """Let running work end, then close every connection."""
        self._readers.shutdown()
        self._stoppers.shutdown()
        self._writers.shutdown()
        self.engine.dispose()
