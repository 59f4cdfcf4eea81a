"""What a transaction has changed, published to all subscribers once it is committed.

The server that wrote publishes the changes in its own process, with the rows. Other servers on the
same PostgreSQL get a NOTIFY: which tasks changed, and up to which event. PostgreSQL delivers a
notification only if the transaction that sent it commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import Connection

from lamia_gql.storage.driver import Driver
from lamia_gql.storage.rows import EventRow, TaskRow

CHANNEL = "lamia_changes"
"""The channel of LISTEN and NOTIFY. Each database has channels of its own."""
ACCESS_CHANNEL = "lamia_access"
"""The channel by which servers tell each other that access tokens were created or revoked."""
TASKS_PER_NOTIFICATION = 150
"""PostgreSQL limits a payload to less than 8,000 bytes."""
NOTIFY = f"SELECT pg_notify('{CHANNEL}', $1)"


class Change(NamedTuple):
    """A task that was changed or deleted, with the events that the transaction added to it."""

    task_id: int
    last_seq: int
    """The number of the task's latest event."""
    deleted: bool = False
    events: Sequence[EventRow] = ()

    @classmethod
    def of(cls, task: TaskRow, *, deleted: bool = False) -> Change:
        """A change of the task without new events."""
        return cls(task.id, task.last_seq, deleted)


def notify(connection: Connection, server_id: str, changes: Iterable[Change]) -> None:
    """Send changes to other servers on commit; SQLite has no other servers."""
    if connection.dialect.name == "postgresql":
        driver = Driver(connection)
        for payload in encode(server_id, changes):
            driver.execute(NOTIFY, (payload,))


def encode(server_id: str, changes: Iterable[Change]) -> Iterator[str]:
    """The payloads of the notifications of a transaction, as few as possible."""
    rows = [(change.task_id, change.last_seq, change.deleted) for change in changes]
    for begin in range(0, len(rows), TASKS_PER_NOTIFICATION):
        yield orjson.dumps([server_id, rows[begin : begin + TASKS_PER_NOTIFICATION]]).decode()


def decode(payload: str) -> tuple[str, list[Change]]:
    """The id of the server that sent a notification, and the changes, without their events."""
    server_id, rows = orjson.loads(payload)
    return server_id, [Change(*row) for row in rows]
