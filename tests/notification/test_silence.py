"""Tasks that fall silent are told, once for each silence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
from sqlalchemy import select

from lamia_gql.domain.notifications import is_silent
from lamia_gql.domain.settings import load
from lamia_gql.ingest.outbox import Outbox
from lamia_gql.ingest.outbox_claims import COLUMNS, NotificationRow
from lamia_gql.ingest.silence import SilenceWatch
from lamia_gql.storage.database import Database
from lamia_gql.storage.service_models import Notification
from tests.notification.conftest import settings_for
from tests.support.harness import Server, StartServer
from tests.support.mail_server import MailServer
from tests.support.waiting import until, until_async
from tests.support.webhook_receiver import SECRET, WebhookReceiver

INTERVAL_S = 0.3
"""How often a watch looks that is started."""
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_silence_is_five_beats_or_a_setting() -> None:
    """Whichever is known; the beats tell more than the setting."""
    heard = NOON - timedelta(seconds=60)
    for interval, silence, expected in (
        (12.0, None, True),
        (12.1, None, False),
        (12.1, 1.0, False),
        (None, 60.0, True),
        (None, 60.1, False),
        (None, None, False),
    ):
        assert is_silent(heard, interval, silence, NOON) is expected


class Watch:
    """A watch of the database of a server, which it looks at when a test says so."""

    def __init__(self, database: Database, settings: Any) -> None:
        self._database = database
        self.watch = SilenceWatch(database, Outbox(settings), settings, INTERVAL_S)

    async def outbox(self) -> list[NotificationRow]:
        """What is in the outbox."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                select(*COLUMNS).order_by(Notification.task)
            ).all()
        )
        return [NotificationRow._make(row) for row in rows]

    async def told(self) -> list[tuple[str, str]]:
        """The tasks and occasions in the outbox, after another look."""
        await self.watch.look()
        return [(row.task, row.occasion) for row in await self.outbox()]

    async def until_told(self, *expected: str) -> None:
        """Look until there are notifications of the silence of these tasks."""
        found = [(task, "SILENT") for task in expected]

        async def is_told() -> bool:
            return await self.told() == found

        await until_async(is_told, f"silence of {expected}")


@asynccontextmanager
async def watching(server: Server, **given: Any) -> AsyncIterator[Watch]:
    """A watch with these settings, for the duration of the block."""
    settings = load(
        database_url=server.database_url,
        notify_webhook_urls=["http://127.0.0.1:9/"],
        notify_webhook_secret=SECRET,
        **given,
    )
    database = Database(settings)
    try:
        yield Watch(database, settings)
    finally:
        database.close()


async def test_running_tasks_without_an_event_are_silent(server: Server) -> None:
    """Once, until the next event; who waits, has ended or has no interval is not."""
    fast = {"name": "p", "jobCount": 2, "beatInterval": 0.04}
    for name in ("silent", "waiting", "ended", "deleted"):
        server.create(name, fast)
        server.submit(name, "p", "SUBMITTED", index=0)
    server.create("unknown", {"name": "p"})
    server.create("slow", fast, {"name": "q", "beatInterval": 3600})
    for name in ("silent", "ended", "deleted", "slow"):
        server.submit(name, "p", "STARTED", index=0)
    server.submit("unknown", "p", "STARTED")
    server.submit("slow", "q", "STARTED")
    for index in (0, 1):
        server.submit("ended", "p", "DONE", index=index)
    server.graphql('mutation { deleteTask(input: {name: "deleted"}) { deletedId } }')
    async with watching(server) as watch:
        await watch.until_told("silent")
        # A second look, and a second server, find nothing new.
        async with watching(server) as other:
            assert await other.told() == [("silent", "SILENT")]
        server.submit("silent", "p", "BEAT", index=0)
        await watch.until_told("silent", "silent")


async def test_the_setting_tells_where_no_interval_does(server: Server) -> None:
    """`notify_silence` is for tasks without an interval; `beat_interval` of the server is one."""
    server.create("plain", {"name": "p"})
    server.create("slow", {"name": "p", "beatInterval": 3600})
    for name in ("plain", "slow"):
        server.submit(name, "p", "STARTED")
    async with watching(server, notify_silence=3600) as watch:
        assert await watch.told() == []
    async with watching(server, beat_interval=3600, notify_silence=0.1) as watch:
        assert await watch.told() == []
    async with watching(server, notify_silence=0.1) as watch:
        await watch.until_told("plain")


async def test_old_times_of_events_are_no_silence(server: Server) -> None:
    """A spool that is sent late, or a job whose clock is wrong: the time of receipt counts."""
    server.create("late", {"name": "p", "beatInterval": 60})
    hours_ago = (datetime.now(UTC) - timedelta(hours=5)).isoformat()
    server.submit("late", "p", "STARTED", sentAt=hours_ago)
    async with watching(server) as watch:
        assert await watch.told() == []


async def test_what_the_server_could_not_hear_is_no_silence(server: Server) -> None:
    """A server that was down for longer than five beats first listens as long."""
    server.create("quiet", {"name": "p", "beatInterval": 0.1})
    server.submit("quiet", "p", "STARTED")
    async with watching(server) as watch:
        await watch.until_told("quiet")
    server.submit("quiet", "p", "BEAT")
    async with watching(server) as watch:
        begin = datetime.now(UTC)
        await watch.until_told("quiet", "quiet")
        assert datetime.now(UTC) - begin >= timedelta(seconds=0.5)


async def test_a_machine_that_was_asleep_has_heard_nobody(sqlite_server: Server) -> None:
    """When it wakes, it first listens for as long as a task may be silent."""
    silence_s = 0.8
    sqlite_server.create("t", {"name": "p"})
    sqlite_server.submit("t", "p", "STARTED")
    async with watching(sqlite_server, notify_silence=silence_s) as watch:
        await watch.watch.start()
        await asyncio.sleep(0)
        time.sleep(silence_s + 3 * INTERVAL_S)  # noqa: ASYNC251  (nothing runs meanwhile)
        woken_at = datetime.now(UTC)
        await until_async(watch.outbox, "silence")
        [told] = await watch.outbox()
        assert told.created_at - woken_at >= timedelta(seconds=silence_s)
        await watch.watch.stop()


async def test_a_clock_that_is_set_back_hides_no_silence(
    sqlite_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day ahead for a while, then right again: silence is not counted from tomorrow on."""
    leap = timedelta()

    class Clock(datetime):
        """The clock of the machine, which somebody sets."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            """The time on it."""
            return cls.fromtimestamp((datetime.now(UTC) + leap).timestamp(), tz)

    monkeypatch.setattr("lamia_gql.ingest.silence.datetime", Clock)
    sqlite_server.create("t", {"name": "p"})
    async with watching(sqlite_server, notify_silence=0.5) as watch:
        leap = timedelta(days=1)
        await watch.watch.start()
        await asyncio.sleep(0)
        leap = timedelta()
        sqlite_server.submit("t", "p", "STARTED")
        await until_async(watch.outbox, "silence")
        await watch.watch.stop()


@pytest.mark.slow
def test_silence_is_told_by_a_running_server(
    start_server: StartServer, database_url: str, mail: MailServer, hooks: WebhookReceiver
) -> None:
    """By e-mail and webhook, with the state and the time of the last event."""
    server = start_server(database_url, **settings_for(mail, hooks))
    server.create("t", {"name": "p", "beatInterval": 0.1}, email="ada@example.org")
    server.submit("t", "p", "STARTED")
    until(lambda: hooks.confirmed, server.log, 60)
    until(lambda: mail.accepted, server.log, 60)
    assert hooks.seen() == [("t", "silent")]
    assert mail.subjects() == ["Task “t” is silent"]
    text = mail.accepted[0].get_content()
    assert "State:      RUNNING" in text
    assert "Last event: 20" in text
