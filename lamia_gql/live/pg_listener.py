"""What other servers on the same PostgreSQL have committed, heard by LISTEN."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lamia_gql.domain.errors import Unavailable
from lamia_gql.live.feeds import Feeds
from lamia_gql.storage.change_feed import CHANNEL, decode
from lamia_gql.storage.database import Database

if TYPE_CHECKING:
    from psycopg import AsyncConnection

log = logging.getLogger(__name__)

CHECK = 30.0
"""Seconds of silence after which the connection is tried."""
RETRY = 0.5
"""Seconds until a lost connection is made anew."""
TIMEOUT = 10
"""Seconds that the database has to take the connection, and to answer when it is tried."""


class PgListener:
    """A connection that listens for as long as the server runs; born in the lifespan.

    After every loss of the connection it finds out what was missed.
    """

    def __init__(self, database: Database, feeds: Feeds) -> None:
        self._database = database
        self._feeds = feeds
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen, where there can be other servers at all."""
        if self._database.has_other_servers:
            self._task = asyncio.create_task(self._run(), name="listener")

    async def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        import psycopg

        while True:
            try:
                async with await self._connect() as connection:
                    await self._listen(connection)
            except (psycopg.Error, OSError, Unavailable) as error:
                reason = str(error).strip() or "the database does not answer"
                log.warning("other servers can't be heard; trying again: %s", reason)
            except Exception:
                log.exception("other servers can't be heard; trying again")
            await asyncio.sleep(RETRY)

    async def _connect(self) -> AsyncConnection[Any]:
        from psycopg import AsyncConnection

        engine = self._database.engine
        places, given = engine.dialect.create_connect_args(engine.url)
        options: dict[str, Any] = {
            "connect_timeout": TIMEOUT,
            "keepalives_idle": TIMEOUT,
            "application_name": "lamia-gql listener",
        }
        return await AsyncConnection.connect(*places, autocommit=True, **{**options, **given})

    async def _listen(self, connection: AsyncConnection[Any]) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        await self._feeds.catch_up()
        while True:
            async for notification in connection.notifies(timeout=CHECK):
                server, changes = decode(notification.payload)
                # What was written here was heard of at once, rows and all.
                if server != self._database.id:
                    self._feeds.hear(changes)
            # A line that has gone dead says nothing; neither of events, nor that it is dead.
            async with asyncio.timeout(TIMEOUT):
                await connection.execute("SELECT 1")
