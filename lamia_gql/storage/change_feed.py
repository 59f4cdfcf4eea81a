"""What a transaction has changed, published to all subscribers once it is committed.

The server that wrote publishes the changes in its own process, with the rows. Other servers on the
same PostgreSQL get a NOTIFY: which tasks changed, and up to which event. It is sent to PostgreSQL
together with COMMIT, and done after it: a transaction with a NOTIFY would lock out all others of
its kind until its commit is on the disk, and on a synchronous standby.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import orjson

from lamia_gql.storage.rows import EventRow, TaskRow

CHANNEL = "lamia_changes"
"""The channel of LISTEN and NOTIFY. Each database has channels of its own."""
ACCESS_CHANNEL = "lamia_access"
"""The channel by which servers tell each other that access tokens were created or revoked."""
TASKS_PER_NOTIFICATION = 150
"""PostgreSQL limits a payload to less than 8,000 bytes."""


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


def notify_statement(server_id: str, changes: Iterable[Change]) -> str:
    """The statement that sends changes to other servers; empty if there are none."""
    # A payload has no quotes but those of JSON.
    calls = [f"pg_notify('{CHANNEL}', '{payload}')" for payload in encode(server_id, changes)]
    return f"SELECT {', '.join(calls)}" if calls else ""


def catch_up_statement(server_id: str) -> str:
    """The statement that has other servers find out what was committed.

    Its notification names no task.
    """
    # A full queue remains full until somebody asks for its usage, also once all have read it.
    notify = f"pg_notify('{CHANNEL}', '{_payload(server_id, [])}')"
    return f"SELECT pg_notification_queue_usage(), {notify}"


def encode(server_id: str, changes: Iterable[Change]) -> Iterator[str]:
    """The payloads of the notifications of a transaction, as few as possible."""
    rows = [(change.task_id, change.last_seq, change.deleted) for change in changes]
    for begin in range(0, len(rows), TASKS_PER_NOTIFICATION):
        yield _payload(server_id, rows[begin : begin + TASKS_PER_NOTIFICATION])


def _payload(server_id: str, rows: Sequence[tuple[int, int, bool]]) -> str:
    return orjson.dumps([server_id, rows]).decode()


def decode(payload: str) -> tuple[str, list[Change]]:
    """The id of the server that sent a notification, and the changes, without their events.

    There are none if there may be changes that nobody knows.
    """
    server_id, rows = orjson.loads(payload)
    return server_id, [Change(*row) for row in rows]
