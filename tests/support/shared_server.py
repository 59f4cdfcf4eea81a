"""A server that many tests share."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError

from lamia_gql.domain.settings import load
from lamia_gql.storage.base import Base
from lamia_gql.storage.database import Database
from lamia_gql.storage.transaction import WriteTransaction
from tests.support.harness import Server


class SharedServer:
    """A server that each test gets running and empty, whatever the last one did to it.

    Its connections to the database stay: to make them anew takes ten times as long as to delete
    what a test has left.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._database = Database(load(database_url=server.database_url))

    def lend(self) -> Iterator[Server]:
        """Yield the server; then delete everything."""
        if not self._server.is_running:
            self._server.start()
        self._server.clear_log()
        yield self._server
        try:
            self._empty()
        except DBAPIError:
            # A test has ended all connections to the database.
            self._empty()

    def _empty(self) -> None:
        # What the server does in background may conflict with it: then it is run again.
        self._database.write_blocking(_delete_all)

    def close(self) -> None:
        """Disconnect from the database."""
        self._database.close()


def _delete_all(transaction: WriteTransaction) -> None:
    for table in reversed(Base.metadata.sorted_tables):
        transaction.connection.execute(delete(table))
