"""What a transaction has changed, told to everybody who watches, once it is committed.

The server that wrote tells itself, rows and all. Other servers on the same PostgreSQL hear of it by
NOTIFY: which tasks, and up to which event. The database delivers a notification only with the
commit that it was made in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, text

from lamia_gql.storage.rows import EventRow, TaskRow

CHANNEL = "lamia_changes"
"""The channel of LISTEN and NOTIFY; PostgreSQL keeps the channels of its databases apart."""
PER_NOTIFICATION = 150
"""Tasks in one notification: a payload must stay below 8,000 bytes."""
NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', :payload)")


class Change(NamedTuple):
    """That a task is different, or gone; with the events that a transaction has added to it."""

    task_id: int
    last_seq: int
    """The number of the task's latest event."""
    deleted: bool = False
    events: Sequence[EventRow] = ()

    @classmethod
    def of(cls, task: TaskRow, *, deleted: bool = False) -> Change:
        """The change of a task in something else than its events."""
        return cls(task.id, task.last_seq, deleted)


def publish_on_commit(connection: Connection, changes: Sequence[Change]) -> None:
    """Tell of changes when, and only when, the transaction of ``connection`` is committed.

    The connection must be one that :meth:`lamia_gql.storage.database.Database.write` has given.
    """
    if not changes:
        return
    options = connection.get_execution_options()
    options["changes"].extend(changes)
    if connection.dialect.name == "postgresql":
        for payload in encode(options["server"], changes):
            connection.execute(NOTIFY, {"payload": payload})


def encode(server: str, changes: Iterable[Change]) -> Iterator[str]:
    """The notifications of a transaction: as few as can be."""
    rows = [(change.task_id, change.last_seq, change.deleted) for change in changes]
    for begin in range(0, len(rows), PER_NOTIFICATION):
        yield orjson.dumps([server, rows[begin : begin + PER_NOTIFICATION]]).decode()


def decode(payload: str) -> tuple[str, list[Change]]:
    """The server that sent a notification, and what it tells."""
    server, rows = orjson.loads(payload)
    return server, [Change(*row) for row in rows]
