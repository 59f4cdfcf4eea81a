"""The transactions that read and write, as the rest of the program sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from sqlalchemy import Connection, text

from lamia_gql.storage.change_feed import Change

ReadConnection: TypeAlias = Connection
"""A connection in a transaction that reads; what the functions of ``queries`` take."""
Hold: TypeAlias = Callable[[int], None]
"""Is told the size of each large text that is read; it raises an error to end the read."""


class WriteTransaction:
    """A transaction that writes: its connection, and what it publishes once it is committed.

    Args:
        connection: a connection on which the transaction has begun.
        deadline: until when it may wait for locks, by ``time.monotonic``; None for no limit.
    """

    __slots__ = ("_deadline", "changes", "connection")

    def __init__(self, connection: Connection, deadline: float | None) -> None:
        self.connection = connection
        self.changes: list[Change] = []
        """What is published after the commit, here and to other servers."""
        self._deadline = deadline

    @contextmanager
    def locking(self) -> Iterator[None]:
        """For statements that may wait for locks of others: PostgreSQL ends them at the deadline.

        Its ``lock_timeout`` alone does not do that: the wait for a row can have two parts, of which
        each may take that time, and the transaction may have waited for a thread before.
        """
        if self._deadline is None or self.connection.dialect.name != "postgresql":
            yield
            return
        left_ms = max(1, round(1000 * (self._deadline - time.monotonic())))
        self.connection.execute(text(f"SET LOCAL statement_timeout = {left_ms}"))
        yield
        self.connection.execute(text("SET LOCAL statement_timeout TO DEFAULT"))

    def publish_on_commit(self, changes: Sequence[Change]) -> None:
        """Publish changes here and to other servers if, and only if, the transaction commits."""
        self.changes.extend(changes)
