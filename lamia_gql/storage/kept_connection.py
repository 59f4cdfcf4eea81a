"""A connection that stays out of its pool between transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from lamia_gql.storage.engine import has_its_file


class KeptConnection:
    """The connection of SQLite's writers, for one of them at a time.

    To take it from its pool and to give it back takes longer than to begin a transaction and to
    commit it.

    Args:
        engine: an engine for SQLite, from which it is taken.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    @contextmanager
    def use(self) -> Iterator[Connection]:
        """The connection, without a transaction.

        If the block raises, the pool gets the connection back, and rolls back what it has begun.
        """
        connection, self._connection = self._connection, None
        if connection is not None and not has_its_file(connection.info):
            # The pool will notice that, too.
            connection.close()
            connection = None
        if connection is None:
            connection = self._engine.connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def close(self) -> None:
        """Give it back to its pool. Nobody may use it any more."""
        if self._connection is not None:
            self._connection.close()
