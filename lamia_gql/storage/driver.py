"""The driver below SQLAlchemy, for statements whose text is known.

SQLAlchemy takes longer for most statements than the database does. What the driver raises becomes
the error that SQLAlchemy would raise.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from lamia_gql.storage.postgres_statements import STATEMENTS, PostgresStatements

log = logging.getLogger(__name__)

Cursor: TypeAlias = Any
"""A cursor of the driver."""


class Driver:
    """Runs statements in the transaction of a connection.

    Args:
        connection: a connection; its transaction begins here if it has not begun yet.
        begin: the statement with which SQLite begins it.
    """

    __slots__ = ("_connection", "_driver", "_statements", "dialect", "is_sqlite")

    def __init__(self, connection: Connection, begin: str = "BEGIN") -> None:
        self._connection = connection
        driver: Any = connection.connection.driver_connection
        self._driver = driver
        self.dialect = connection.dialect
        self.is_sqlite = self.dialect.name == "sqlite"
        """Whether the engine is SQLite."""
        if self.is_sqlite:
            # SQLAlchemy rolls back before others get it.
            if not driver.in_transaction:
                self.execute(begin)
            return
        self._statements: PostgresStatements = connection.info[STATEMENTS]

    def execute(
        self, statement: str, parameters: Sequence[Any] = (), *, many: bool = False
    ) -> Cursor:
        """Run a statement; its cursor.

        Args:
            statement: its text; the parameters are ``?`` on SQLite, ``$1`` … on PostgreSQL.
            parameters: the values of the parameters.
            many: whether they are rows of values, and SQLite runs the statement for each.
        """
        try:
            return self._run(statement, parameters, many)
        except Exception as error:
            raise self._translated(error, statement, parameters) from error

    def _run(self, statement: str, parameters: Sequence[Any], many: bool) -> Cursor:
        if not self.is_sqlite:
            return self._statements.execute(statement, parameters)
        # The connection's own ``execute`` makes a cursor that is not closed by its rollback.
        cursor = self._driver.cursor()
        return (cursor.executemany if many else cursor.execute)(statement, parameters)

    def fetch(self, cursor: Cursor) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        try:
            return cursor.fetchall()  # type: ignore[no-any-return] # the driver's
        except Exception as error:
            raise self._translated(error, None, None) from error

    def iterate(self, cursor: Cursor) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement, one by one."""
        try:
            yield from cursor
        except Exception as error:
            raise self._translated(error, None, None) from error

    @contextmanager
    def together(self) -> Iterator[None]:
        """Have PostgreSQL run the statements of the block without an answer in between.

        Their cursors have rows only after it, and an error of any of them is raised at its end.
        SQLite runs each at once.
        """
        if self.is_sqlite:
            yield
            return
        try:
            with self._statements.together():
                yield
        except DBAPIError:
            raise
        except Exception as error:
            raise self._translated(error, None, None) from error

    def flush(self) -> None:
        """Have PostgreSQL begin with the statements that are to run together."""
        if not self.is_sqlite:
            self._statements.flush()

    def commit(self, *, afterwards: Sequence[str]) -> list[str]:
        """Commit on PostgreSQL, which then runs SELECTs in another transaction; the value of each.

        It gets all in one message, so it does so even if nobody waits for the answer any more. If
        only a SELECT fails, that is logged, and it has no value, nor have those after it; nor has
        the last one, if their transaction fails at its end.
        """
        try:
            values, failed = self._commit("; ".join(("COMMIT", *afterwards)))
        except Exception as error:
            raise self._translated(error, "COMMIT", None) from error
        if failed is None:
            return values
        log.error("a statement after a commit failed: %s", failed)
        return values[: len(afterwards) - 1]

    def _commit(self, statements: str) -> tuple[list[str], Exception | None]:
        """Run COMMIT and what follows, which may fail: the values, and the error."""
        dbapi = self.dialect.loaded_dbapi
        self._driver.pgconn.send_query(statements.encode())
        committed, *results = self._driver.wait(dbapi.generators.execute(self._driver.pgconn))
        if committed.error_message:
            raise dbapi.errors.error_from_result(committed)
        values: list[str] = []
        for result in results:
            if result.error_message:
                return values, dbapi.errors.error_from_result(result)
            values.append((result.get_value(0, 0) or b"").decode())
        return values, None

    def _translated(self, error: Exception, statement: str | None, parameters: Any) -> Exception:
        """What SQLAlchemy raises for an error of the driver; the error itself if it is none."""
        errors = self.dialect.loaded_dbapi.Error
        if not isinstance(error, errors):
            return error
        lost = self.dialect.is_disconnect(error, self._driver, None)
        if lost:
            self._connection.invalidate(error)
        return DBAPIError.instance(
            statement,
            parameters,
            error,
            errors,
            connection_invalidated=lost,
            dialect=self.dialect,
        )
