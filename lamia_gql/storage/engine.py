"""The database engine: addresses, pools, and how connections and transactions are set up."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any
from weakref import WeakSet

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from lamia_gql.domain.settings import Settings
from lamia_gql.storage.database_url import (
    DatabaseTooOld,
    DatabaseURLError,
    parse_url,
    session_url,
)
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.postgres_connection import Session
from lamia_gql.storage.unused_connections import note_use

MIN_SQLITE = (3, 35)
"""The first version that knows RETURNING."""
CACHE_KIB = 65536
"""How much of an SQLite database a connection keeps in memory."""
WRITER_CACHE_KIB = 4096
"""How much of the database the connection that writes to SQLite keeps between transactions."""
REPLICA_TIMEOUT_S = 3.0
"""``database_timeout`` of connections to a replica, unless that is less."""
FORMS = {"timezone": "UTC", "datestyle": "ISO", "extra_float_digits": "1", "array_nulls": "on"}
"""In which form PostgreSQL sends times and numbers, and takes arrays with NULL, whatever the
database or the user has set."""
FIND_BY_KEY = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""How PostgreSQL plans the statements of writers: they find few rows, by their keys. While a table
is small or has no statistics, PostgreSQL would read it whole instead, for each transaction. To plan
a statement for its values each time takes as long as to run it. The address of the database may say
otherwise."""
_WRITES = "lamia_writes"
"""The execution option of an engine whose transactions write."""


class SQLiteConnection(sqlite3.Connection):
    """A connection that ends all statements with their transaction.

    A statement that is not read to its end, because the next one has failed, would keep its state
    of the database: whoever uses the connection next would read that, whatever was committed since.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def cursor(self, *arguments: Any, **options: Any) -> sqlite3.Cursor:  # type: ignore[override]
        """A cursor, which is closed with the transaction."""
        found: sqlite3.Cursor = super().cursor(*arguments, **options)
        self._cursors.add(found)
        return found

    def commit(self) -> None:
        """Commit."""
        self._close_cursors()
        super().commit()

    def rollback(self) -> None:
        """Roll back; SQLAlchemy does so, too, before it gives the connection to others."""
        self._close_cursors()
        super().rollback()

    def _close_cursors(self) -> None:
        for cursor in list(self._cursors):
            cursor.close()


def is_sqlite(engine: Engine) -> bool:
    """Whether the engine is SQLite, where one server has the database to itself."""
    return engine.dialect.name == "sqlite"


def create_engine(settings: Settings, *, connections: int | None = None) -> Engine:
    """An engine whose connections are set up for durability, UTC and explicit transactions.

    Raises :class:`DatabaseURLError` and :class:`DatabaseTooOld`.

    Args:
        settings: the settings of the server.
        connections: how many it keeps; by default, as many as read at once.
    """
    url = parse_url(settings.database_url)
    sizes: dict[str, Any] = {
        "pool_size": connections or settings.database_connections,
        "max_overflow": 2,
        "pool_timeout": settings.database_timeout,
    }
    if url.get_backend_name() == "sqlite":
        if sqlite3.sqlite_version_info < MIN_SQLITE:
            raise DatabaseTooOld(
                "SQLite",
                sqlite3.sqlite_version_info,
                MIN_SQLITE,
                "It belongs to this Python: use another Python, or PostgreSQL.",
            )
        engine = sqlalchemy.create_engine(
            url,
            connect_args={"timeout": settings.database_timeout, "factory": SQLiteConnection},
            **sizes,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "checkout", _check_file)
        event.listen(engine, "checkin", note_use)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "handle_error", _give_up_read_only)
        return engine
    return _create_postgres_engine(url, settings, sizes, FORMS)


def create_sqlite_write_engine(settings: Settings) -> Engine:
    """An engine whose one connection writes to SQLite, where one writes at a time.

    It still has the pages that were written last, of which most are written again. Raises
    :class:`DatabaseTooOld`.
    """
    engine = create_engine(settings, connections=1)
    event.listen(engine, "connect", _keep_few_pages)
    return engine


def create_session_engine(settings: Settings) -> Engine:
    """An engine like that of :func:`create_engine`, for what needs more than transactions.

    Raises :class:`DatabaseURLError` and :class:`DatabaseTooOld`.
    """
    if settings.listen_database_url is None:
        return create_engine(settings)
    url = session_url(settings).render_as_string(hide_password=False)
    return create_engine(
        settings.model_copy(update={"database_url": url, "listen_database_url": None})
    )


def create_read_engine(settings: Settings, replica: URL | None = None) -> Engine:
    """An engine for PostgreSQL whose transactions see one state of the database, and cannot write.

    Raises :class:`DatabaseURLError`.

    Args:
        settings: the settings of the server.
        replica: the address of a replica; by default, the engine is for the primary.
    """
    if replica is not None:
        # Another database answers in place of one that is gone: it is given up soon.
        timeout_s = min(REPLICA_TIMEOUT_S, settings.database_timeout)
        settings = settings.model_copy(update={"database_timeout": timeout_s})
    return _create_postgres_engine(
        replica or parse_url(settings.database_url),
        settings,
        {
            "pool_size": settings.database_connections,
            "max_overflow": 0,
            "pool_timeout": settings.database_timeout,
        },
        FORMS,
        reads=True,
    )


def create_write_engine(settings: Settings, connections: int) -> Engine:
    """An engine for PostgreSQL whose transactions never wait long for a lock, nor keep one long.

    A wait for a lock longer than ``database_timeout`` fails. The database itself ends transactions
    that do nothing for that time, because their server is gone: otherwise, their locks would remain
    for hours. Raises :class:`DatabaseURLError`.
    """
    limit = f"{round(1000 * settings.database_timeout)}ms"
    return _create_postgres_engine(
        parse_url(settings.database_url),
        settings,
        {"pool_size": connections, "pool_timeout": settings.database_timeout},
        {
            **FORMS,
            "lock_timeout": limit,
            "idle_in_transaction_session_timeout": limit,
            # It warns of a commit that synchronous standbys may not have.
            "client_min_messages": "warning",
        },
        FIND_BY_KEY,
    )


def _create_postgres_engine(
    url: URL,
    settings: Settings,
    sizes: dict[str, Any],
    parameters: Mapping[str, str],
    defaults: Mapping[str, str] = MappingProxyType({}),
    *,
    reads: bool = False,
) -> Engine:
    session = Session(
        parameters,
        defaults,
        reads=reads,
        is_pooled=settings.listen_database_url is not None,
        timeout_s=settings.database_timeout,
    )
    try:
        engine = sqlalchemy.create_engine(
            url,
            connect_args=session.connect_arguments(url),
            # What PostgreSQL's process for it needs is still in the processor's caches.
            pool_use_lifo=True,
            **sizes,
        )
    except ModuleNotFoundError as error:
        raise DatabaseURLError(
            "PostgreSQL needs its driver: pip install 'lamia-gql[postgres]'."
        ) from error
    session.set_up(engine)
    return engine


def writing(engine: Engine) -> Engine:
    """The same engine, with transactions that write."""
    return engine.execution_options(**{_WRITES: True})


def begin_write(engine: Engine) -> AbstractContextManager[Connection]:
    """A connection in a transaction that writes; committed unless the block raises."""
    return writing(engine).begin()


def _prepare_sqlite(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    # _begin_sqlite begins the transactions; the driver would guess when to.
    connection.isolation_level = None
    # SQLite's own lower() knows ASCII only; a search without case is to find other letters, too.
    connection.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
    cursor = connection.cursor()
    # Of a new file only, and before anything else: free pages at its end can be given back. An
    # older one does not change by it, and would refuse if it may not be written.
    if cursor.execute("PRAGMA page_count").fetchone() == (0,):
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
    cursor.execute("PRAGMA journal_mode = WAL")
    # An acknowledged commit survives a power cut, not only a crash.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.execute("PRAGMA journal_size_limit = 67108864")
    # The same pages change again and again: the more seldom they are copied into the database, the
    # less is written. The file of the log then has 16 MB.
    cursor.execute("PRAGMA wal_autocheckpoint = 4000")
    path = cursor.execute("PRAGMA database_list").fetchone()[2]
    record.info["file"] = path, _identity(path)
    cursor.close()


def _keep_few_pages(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
    # A large transaction has more until its end: some would be written twice otherwise.
    cursor.execute(f"PRAGMA cache_spill = -{CACHE_KIB}")
    cursor.close()


def _check_file(
    _connection: sqlite3.Connection, record: ConnectionPoolEntry, _proxy: object
) -> None:
    if not has_its_file(record.info):
        raise DisconnectionError(f"{record.info['file'][0]} was replaced by another file")


def has_its_file(info: Mapping[str, Any]) -> bool:
    """Whether the file that a connection to SQLite has opened is still the database.

    SQLite goes on writing into one that was deleted or replaced, and the data is lost. ``info`` is
    what is kept with the connection.
    """
    path, identity = info["file"]
    is_same: bool = _identity(path) == identity
    return is_same


def _give_up_read_only(context: ExceptionContext) -> None:
    # SQLite has opened the file for reading, and would not notice that it may be written again.
    if _is_read_only(context.original_exception):
        context.is_disconnect = True


def _is_read_only(error: BaseException | None) -> bool:
    # The lower eight bits are the primary code.
    code: int = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code == sqlite3.SQLITE_READONLY


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another one has written
    # in between. One that says at its start that it will write waits for its turn.
    if connection.get_execution_options().get(_WRITES, False):
        try:
            Driver(connection, begin="BEGIN IMMEDIATE")
        except DBAPIError as error:
            if not _is_read_only(error.orig):
                raise
            # By SQLAlchemy: then all connections are lost, not only this one.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        Driver(connection)
