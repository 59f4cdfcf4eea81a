"""The transactions that read and write, as the rest of the program sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from sqlalchemy import Connection

from lamia_gql.storage.change_feed import Change, notify

ReadConnection: TypeAlias = Connection
"""A connection in a transaction that reads; what the functions of ``queries`` take."""
Hold: TypeAlias = Callable[[int], None]
"""Is told the size of each large text that is read; it raises an error to end the read."""


class WriteTransaction:
    """A transaction that writes: its connection, and what it publishes once it is committed.

    Args:
        connection: a connection on which the transaction has begun.
        server_id: the id of this server, by which it ignores its own notifications.
    """

    __slots__ = ("_server_id", "changes", "connection")

    def __init__(self, connection: Connection, server_id: str) -> None:
        self.connection = connection
        self.changes: list[Change] = []
        """What is published in this process after the commit."""
        self._server_id = server_id

    def publish_on_commit(self, changes: Sequence[Change]) -> None:
        """Publish changes here and to other servers if, and only if, the transaction commits."""
        if changes:
            self.changes.extend(changes)
            notify(self.connection, self._server_id, changes)
