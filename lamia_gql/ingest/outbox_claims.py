"""Takes notifications out of the outbox, so that each is delivered by one server at a time.

A server claims what it delivers for a limited time. If it is killed, the time passes, and any
server tries again: what was not confirmed is delivered at least once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, select, update

from lamia_gql.domain.notifications import Channel
from lamia_gql.storage.rows import columns
from lamia_gql.storage.service_models import Notification
from lamia_gql.storage.transaction import ReadConnection, WriteTransaction


class NotificationRow(NamedTuple):
    """A row of ``notification``."""

    id: str
    occasion: str
    channel: str
    receiver: str
    task: str
    facts: str
    created_at: datetime
    attempts: int


class Queue(NamedTuple):
    """What waits for one receiver of the settings; for e-mails, all of them."""

    channel: Channel
    receiver: str | None

    def due(self, now: datetime, since: datetime) -> list[ColumnElement[bool]]:
        """The conditions of what may be tried now, and is not older than ``since``."""
        found = [
            Notification.channel == self.channel,
            Notification.due_at <= now,
            Notification.created_at > since,
        ]
        if self.receiver is not None:
            found.append(Notification.receiver == self.receiver)
        return found


class Attempt(NamedTuple):
    """What came of an attempt."""

    notification: NotificationRow
    is_ended: bool
    """Whether it was delivered or given up."""
    due_at: datetime | None
    """When to try next; None at the end."""


COLUMNS = columns(Notification, NotificationRow)


def is_due(connection: ReadConnection, queue: Queue, now: datetime, since: datetime) -> bool:
    """Whether anything of the queue can be claimed."""
    return connection.scalar(select(1).where(*queue.due(now, since)).limit(1)) is not None


def claim(
    transaction: WriteTransaction,
    queue: Queue,
    limit: int,
    lease: timedelta,
    now: datetime,
    since: datetime,
) -> list[NotificationRow]:
    """Take the oldest of what is due, for the time of the lease; nobody else gets it meanwhile."""
    connection = transaction.connection
    ids = connection.scalars(
        select(Notification.id)
        .where(*queue.due(now, since))
        .order_by(Notification.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not ids:
        return []
    claimed = connection.execute(
        update(Notification)
        .where(Notification.id.in_(ids))
        .values(due_at=now + lease, attempts=Notification.attempts + 1)
        .returning(*COLUMNS)
    )
    return [NotificationRow._make(row) for row in claimed]


def settle(transaction: WriteTransaction, attempts: Iterable[Attempt]) -> None:
    """Remove what has ended, and give back what has not."""
    connection = transaction.connection
    found = list(attempts)
    ended = [attempt.notification.id for attempt in found if attempt.is_ended]
    if ended:
        connection.execute(delete(Notification).where(Notification.id.in_(ended)))
    for notification, _, due_at in found:
        if due_at is not None:
            # Unless the claim has expired, and another server tries.
            connection.execute(
                update(Notification)
                .where(
                    Notification.id == notification.id,
                    Notification.attempts == notification.attempts,
                )
                .values(due_at=due_at)
            )


def expire(
    transaction: WriteTransaction, now: datetime, since: datetime, limit: int
) -> Sequence[NotificationRow]:
    """Remove what is older than ``since`` and not being tried: nobody has its receiver any more."""
    connection = transaction.connection
    ids = connection.scalars(
        select(Notification.id)
        .where(Notification.created_at <= since, Notification.due_at <= now)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not ids:
        return []
    removed = connection.execute(
        delete(Notification).where(Notification.id.in_(ids)).returning(*COLUMNS)
    )
    return [NotificationRow._make(row) for row in removed]
