"""Delivers what is in the outbox: at least once, and not again once it was confirmed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from lamia_gql.domain.errors import Unavailable
from lamia_gql.domain.notifications import retry_delay
from lamia_gql.domain.settings import Settings
from lamia_gql.ingest.outbox_claims import (
    Attempt,
    NotificationRow,
    claim,
    expire,
    is_due,
    settle,
)
from lamia_gql.notification.notice import Notice
from lamia_gql.notification.receiver import NotDelivered, Receiver
from lamia_gql.storage.database import Database

log = logging.getLogger(__name__)

AT_ONCE = 4
"""How many notifications a server sends to one receiver at the same time."""
POLL_S = 1.0
"""How often a server looks whether anything is due."""
LEASE_MARGIN_S = 10.0
"""How much longer than an attempt a claim lasts, so that its outcome can be stored."""
RETRY_S = 2.0
"""Time until a new attempt to store an outcome, after the database failed."""
EXPIRY_INTERVAL_S = 60.0
"""How often a server looks for notifications whose receiver nobody has any more."""
EXPIRED_AT_ONCE = 1_000
STOP_S = 3.0
"""How long attempts may take to end when the server stops."""


class Deliverer:
    """Background tasks, one for each receiver, so that none delays another.

    Lives as long as the application.

    Args:
        database: where the outbox is.
        settings: the settings of the server.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._receivers = make_receivers(settings)
        self._public_url = settings.public_url
        self._give_up_after = timedelta(seconds=settings.notify_give_up_after)
        self._lease = timedelta(seconds=settings.notify_timeout + LEASE_MARGIN_S)
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start, with what an earlier run of the server has left."""
        work = [self._deliver(receiver) for receiver in self._receivers]
        if work:
            work.append(self._expire())
        self._tasks = [asyncio.create_task(each, name="deliverer") for each in work]

    async def stop(self) -> None:
        """Let the running attempts end for a short time, and store what has come of them."""
        self._stopping.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_S)
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for receiver in self._receivers:
            await receiver.close()

    async def _deliver(self, receiver: Receiver) -> None:
        while not self._stopping.is_set():
            try:
                claimed = await self._claim(receiver)
                if not claimed:
                    await self._pause(POLL_S)
                    continue
            except Unavailable:
                await self._pause(RETRY_S)
                continue
            except Exception:
                log.exception("notifications can't be read; trying again")
                await self._pause(RETRY_S)
                continue
            await self._settle(
                await asyncio.gather(*(self._attempt(receiver, row) for row in claimed))
            )

    async def _claim(self, receiver: Receiver) -> list[NotificationRow]:
        queue, now = receiver.queue, datetime.now(UTC)
        since = now - self._give_up_after
        # A read first: on SQLite, writers wait for each other.
        if not await self._database.read(partial(is_due, queue=queue, now=now, since=since)):
            return []
        return await self._database.write(
            partial(claim, queue=queue, limit=AT_ONCE, lease=self._lease, now=now, since=since)
        )

    async def _attempt(self, receiver: Receiver, row: NotificationRow) -> Attempt:
        try:
            await receiver.send(Notice(row, self._public_url))
        except NotDelivered as failure:
            reason, is_final = str(failure), failure.is_final
        except Exception as error:
            log.exception("a notification can't be sent")
            reason, is_final = f"{type(error).__name__}, an unexpected error", False
        else:
            return Attempt(row, is_ended=True, due_at=None)
        due_at = datetime.now(UTC) + retry_delay(row.attempts)
        if is_final or due_at >= row.created_at + self._give_up_after:
            _log_end(row, f"{receiver.name}, {reason}")
            return Attempt(row, is_ended=True, due_at=None)
        # Its name is not an argument: what is repeated for one receiver hides no other.
        name = receiver.name.replace("%", "%%")
        log.warning(f"{name} has not taken a notification, trying again: %s", reason)
        return Attempt(row, is_ended=False, due_at=due_at)

    async def _settle(self, attempts: Sequence[Attempt]) -> None:
        """Store outcomes, until the database takes them: what was confirmed is not sent again."""
        while True:
            try:
                await self._database.write(partial(settle, attempts=attempts))
            except Unavailable:
                pass
            except Exception:
                log.exception("the outcome of notifications can't be stored; trying again")
            else:
                return
            await asyncio.sleep(RETRY_S)

    async def _expire(self) -> None:
        """Give up, by and by, what no server has a receiver for any more."""
        while not self._stopping.is_set():
            now = datetime.now(UTC)
            since = now - self._give_up_after - self._lease
            try:
                removed = await self._database.write(
                    partial(expire, now=now, since=since, limit=EXPIRED_AT_ONCE)
                )
            except Unavailable:
                removed = []
            except Exception:
                log.exception("old notifications can't be given up; trying again")
                removed = []
            for row in removed:
                _log_end(row, "no server has this receiver in its settings any more")
            await self._pause(EXPIRY_INTERVAL_S)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


def make_receivers(settings: Settings) -> list[Receiver]:
    """The receivers of the settings; what they need is imported only if there are any."""
    found: list[Receiver] = []
    if settings.smtp_url is not None:
        from lamia_gql.notification.mail import Mail

        found.append(Mail(settings.smtp_url, settings))
    if settings.notify_webhook_urls:
        from lamia_gql.notification.webhook import Webhook

        found += [Webhook(url, settings) for url in dict.fromkeys(settings.notify_webhook_urls)]
    if settings.notify_apprise_urls:
        from lamia_gql.notification.apprise_service import AppriseService

        urls = dict.fromkeys(settings.notify_apprise_urls)
        found += [AppriseService(url, settings) for url in urls]
    return found


def _log_end(row: NotificationRow, reason: str) -> None:
    log.error(
        "notification %s (task “%s”, %s) is given up after %d attempts: %s",
        row.id,
        row.task,
        row.occasion,
        row.attempts,
        reason,
        # Or the log would only count them.
        extra={"incident": row.id},
    )
