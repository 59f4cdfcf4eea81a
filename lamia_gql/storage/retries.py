"""Which writes that have failed are run again, and when.

A transaction that conflicts with another one is run again at once. One whose database is gone, or
must not be written any more, is run again until its deadline: another one may take over.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

log = logging.getLogger(__name__)

MAX_CONFLICTS = 4
"""How often a transaction is run again that conflicts with others."""
CONFLICTS = frozenset({"40001", "40P01"})
"""PostgreSQL's codes of conflicts: serialization_failure and deadlock_detected."""
READ_ONLY = "25006"
"""PostgreSQL's code of a write in a transaction that only reads, as all on a standby do."""
GONE = frozenset({READ_ONLY, "57P01", "57P02", "57P03", "08000", "08003", "08006", "08P01"})
"""PostgreSQL's codes of a database that was or is being shut down, is not ready yet, or is a
standby, and those of PgBouncer when it has lost the database."""
PAUSES_S = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Before each attempt to find a database that is gone; the last one also before all that follow.
The first is for a connection that has died alone."""


class Retries:
    """Decides after each failure of one write whether it is run again.

    Args:
        deadline: until when a database may be gone, by ``time.monotonic``; None if it may not. The
            first attempt to find it is made even later.
    """

    def __init__(self, deadline: float | None) -> None:
        self._deadline = deadline
        self._conflicts = 0
        self._searches = 0

    @property
    def has_searched(self) -> bool:
        """Whether the database was gone, and looked for again."""
        return self._searches > 0

    def wait(self, error: DBAPIError) -> bool:
        """Wait until the write can be run again; False if that is of no use, or too late."""
        if sqlstate(error) in CONFLICTS:
            self._conflicts += 1
            if self._conflicts <= MAX_CONFLICTS:
                log.info("a transaction conflicted with another one; retrying: %s", error.orig)
                return True
            return False
        if self._deadline is None or not is_gone(error):
            return False
        pause_s = PAUSES_S[min(self._searches, len(PAUSES_S) - 1)]
        is_too_late = time.monotonic() + pause_s >= self._deadline
        # The connection may have died alone while the write waited, for whatever it waited.
        if is_too_late and self._searches:
            return False
        self._searches += 1
        log.warning("the database is gone; looking for it again: %s", error.orig)
        time.sleep(pause_s)
        return True


def is_failure(error: DBAPIError | PoolTimeoutError) -> bool:
    """Whether an error is one of the database itself, rather than of the statement."""
    if isinstance(error, (PoolTimeoutError, OperationalError, InterfaceError)):
        return True
    # Of a damaged file, SQLite's driver tells by no narrower class.
    is_damaged = type(error) is DatabaseError
    return is_damaged or error.connection_invalidated or is_gone(error)


def is_gone(error: DBAPIError) -> bool:
    """Whether the database can't be reached, or must not be written; never so on SQLite."""
    code = sqlstate(error)
    if code is not None:
        return code in GONE or error.connection_invalidated
    # The driver itself says so: it found no database, or has lost it.
    return hasattr(error.orig, "sqlstate") and isinstance(error, OperationalError)


def sqlstate(error: Any) -> str | None:
    """PostgreSQL's code of an error, if it has one."""
    code: str | None = getattr(getattr(error, "orig", None), "sqlstate", None)
    return code
