"""Learns by LISTEN what other servers on the same PostgreSQL have committed."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lamia_gql.domain.background_task import BackgroundTask
from lamia_gql.domain.errors import ErrorCode, Unavailable
from lamia_gql.live.feeds import Feeds
from lamia_gql.storage.change_feed import ACCESS_CHANNEL, CHANNEL, decode
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import SERVER_LOCK_ID, NotMigrated, is_usable
from lamia_gql.storage.own_connection import connect
from lamia_gql.storage.transaction import WriteTransaction

if TYPE_CHECKING:
    from psycopg import AsyncConnection

log = logging.getLogger(__name__)

HEALTH_CHECK_INTERVAL_S = 30.0
"""After how long without a notification the connection is tested."""
RECONNECT_DELAY_S = 0.5
CONNECTION_TIMEOUT_S = 10
"""How long the database may take to answer a test."""
TRIAL_TIME_S = 5.0
"""How long a notification may take to arrive."""


async def hears(database: Database) -> bool:
    """Whether a notification of the database arrives where the server listens.

    Raises :class:`Unavailable` if it can't listen there.
    """
    import psycopg

    channel = f"lamia_trial_{uuid.uuid4().hex}"

    def notify(transaction: WriteTransaction) -> None:
        transaction.connection.exec_driver_sql(f"NOTIFY {channel}")

    try:
        async with await _connect(database) as connection:
            await connection.execute(f"LISTEN {channel}".encode())
            await database.write(notify)
            heard = connection.notifies(timeout=TRIAL_TIME_S, stop_after=1)
            return [notification.channel async for notification in heard] == [channel]
    except (psycopg.Error, OSError) as error:
        reason = str(error).strip().splitlines()[0].removesuffix(".")
        message = f"The server can't listen for changes: {reason}."
        raise Unavailable(ErrorCode.STORAGE_FAILED, message) from error


async def _connect(database: Database) -> AsyncConnection[Any]:
    return await connect(
        database.engine, database.listen_url, database.timeout_s, "lamia-gql listener"
    )


class PgListener:
    """Keeps one listening connection open. Lives as long as the application.

    After every reconnection it reads what was missed.

    Args:
        database: where to listen.
        feeds: gets the changes of tasks.
        on_access: called when access tokens were created or revoked, and where that may have been
            missed.
    """

    def __init__(self, database: Database, feeds: Feeds, on_access: Callable[[], None]) -> None:
        self._database = database
        self._feeds = feeds
        self._on_access = on_access
        self._task = BackgroundTask("listener", self._run)
        self.is_connected = False
        """Whether it learns of changes now."""
        self.connections = 0
        """How often it was connected."""

    @property
    def is_needed(self) -> bool:
        """Whether there may be other servers to learn of."""
        return self._database.has_other_servers

    async def start(self) -> None:
        """Start to listen on PostgreSQL; on SQLite there are no other servers."""
        if self.is_needed:
            self._task.start()

    async def stop(self) -> None:
        """Stop to listen, and close the connection."""
        await self._task.stop()

    async def _run(self) -> None:
        import psycopg

        while True:
            try:
                async with await _connect(self._database) as connection:
                    await self._listen(connection)
            except NotMigrated:
                log.error("the database was migrated meanwhile: this version can't use it any more")
            except (psycopg.Error, OSError, Unavailable) as error:
                reason = str(error).strip() or "the database does not answer"
                log.warning("cannot listen for changes of other servers; trying again: %s", reason)
            except Exception:
                log.exception("cannot listen for changes of other servers; trying again")
            finally:
                self.is_connected = False
            await asyncio.sleep(RECONNECT_DELAY_S)

    async def _listen(self, connection: AsyncConnection[Any]) -> None:
        async with asyncio.timeout(CONNECTION_TIMEOUT_S):
            await connection.execute(f"LISTEN {CHANNEL}")
            await connection.execute(f"LISTEN {ACCESS_CHANNEL}")
            # For as long as the connection lasts, nobody migrates the database.
            await connection.execute("SELECT pg_advisory_lock_shared(%s)", [SERVER_LOCK_ID])
        if not await self._database.read(is_usable):
            raise NotMigrated
        self._on_access()
        await self._feeds.catch_up()
        self.is_connected = True
        self.connections += 1
        while True:
            async for notification in connection.notifies(timeout=HEALTH_CHECK_INTERVAL_S):
                if notification.channel == ACCESS_CHANNEL:
                    self._on_access()
                    continue
                server, changes = decode(notification.payload)
                # Changes of this server were received at once, together with their rows.
                is_own = server == self._database.id
                if not changes:
                    if not is_own:
                        await self._feeds.catch_up()
                elif is_own:
                    self._feeds.notifications.receive(changes)
                else:
                    self._feeds.receive(changes)
            # A dead connection is silent, and gives no error unless it is used.
            async with asyncio.timeout(CONNECTION_TIMEOUT_S):
                await connection.execute("SELECT 1")
