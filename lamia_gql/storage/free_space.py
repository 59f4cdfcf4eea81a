"""How large the database is, and giving back what removed rows have left.

PostgreSQL uses the space again for new rows, by its own autovacuum. A SQLite file shrinks if it was
made to (``PRAGMA auto_vacuum = INCREMENTAL``, see ``engine``); an older one after :func:`rewrite`.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from sqlalchemy import Connection, Engine, text

from lamia_gql.storage.sqlite_file import exclusive_use
from lamia_gql.storage.transaction import ReadConnection, WriteTransaction

INCREMENTAL = 2
"""SQLite's number of the mode in which pages can be given back."""
MAX_PAGES = 500
"""How many pages are given back in one transaction; each may take the writing of another one."""


class Space(NamedTuple):
    """The size of a database, in bytes."""

    total: int
    """All of it; of SQLite, the file."""
    free: int
    """What new rows will use first; it is not known of PostgreSQL, and 0."""
    can_shrink: bool
    """Whether free space can be given back while servers run."""


def read_space(connection: ReadConnection) -> Space:
    """The size of the database."""
    if connection.dialect.name != "sqlite":
        total = connection.scalar(text("SELECT pg_database_size(current_database())"))
        return Space(int(total or 0), 0, can_shrink=False)
    page = _pragma(connection, "page_size")
    return Space(
        page * _pragma(connection, "page_count"),
        page * _pragma(connection, "freelist_count"),
        _pragma(connection, "auto_vacuum") == INCREMENTAL,
    )


def give_back(transaction: WriteTransaction, limit_s: float) -> bool:
    """Give free pages of a SQLite file back; whether there are more of them.

    Args:
        transaction: the transaction.
        limit_s: after how many seconds to end.
    """
    connection = transaction.connection
    if connection.dialect.name != "sqlite" or not read_space(connection).can_shrink:
        return False
    end = time.monotonic() + limit_s
    for _ in range(min(MAX_PAGES, _pragma(connection, "freelist_count"))):
        # Python's driver runs one step of it, which is one page, whatever number it is given.
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")
        if time.monotonic() > end:
            break
    return _pragma(connection, "freelist_count") > 0


def rewrite(engine: Engine) -> None:
    """Write a SQLite file anew, without free space and so that it can shrink from now on.

    It needs as much free disk space again. Raises
    :class:`lamia_gql.storage.sqlite_file.FileInUse` while a server uses the file.
    """
    with exclusive_use(engine.url), engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        # Outside of a transaction, as SQLite wants it.
        driver.execute("PRAGMA auto_vacuum = INCREMENTAL")
        driver.execute("VACUUM")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
