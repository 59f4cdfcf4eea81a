"""Connections to SQLite that nobody uses give back the memory that they keep for later."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

UNUSED_S = 1.0
"""A connection that nobody has used for so long gives back its memory."""
KEPT_CURSORS = 200
"""Python keeps references to so many closed cursors of a connection, until it makes new ones."""


def note_use(_connection: sqlite3.Connection | None, record: ConnectionPoolEntry) -> None:
    """Note when a connection was given back to its pool; a listener for ``checkin``."""
    record.info["used_at"] = time.monotonic()


def release_memory(engine: Engine) -> None:
    """Give back what unused connections keep for later: pages, up to 64 MiB each.

    Blocks. Does nothing about a database that fails: whoever uses it is told.
    """
    with suppress(SQLAlchemyError):
        assert isinstance(engine.pool, QueuePool)
        # Each gets its turn: the pool gives out the one that has waited for the longest time.
        for _ in range(engine.pool.checkedin()):
            with engine.connect() as connection:
                used_at = connection.info.get("used_at", 0.0)
                if time.monotonic() - used_at > UNUSED_S:
                    connection.exec_driver_sql("PRAGMA shrink_memory")
                    driver = connection.connection.dbapi_connection
                    assert driver is not None
                    # References that lie among other objects keep whole arenas of Python.
                    for _ in range(KEPT_CURSORS + 1):
                        driver.cursor()
