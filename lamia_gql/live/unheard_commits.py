"""Commits of which servers were not told, as the connection broke before the notification."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from lamia_gql.domain.background_task import BackgroundTask
from lamia_gql.storage.database import Database

log = logging.getLogger(__name__)

RETRY_DELAY_S = 1.0
"""How long to wait after the database has failed."""


class UnheardCommits:
    """Has this server, and then all others, find out what was committed. Lives as long as the app.

    A transaction that is committed only after that sends its own notification: see ``Database.id``.

    Args:
        database: where to notify the others.
        catch_up: has this server find out; it may raise.
    """

    def __init__(self, database: Database, catch_up: Callable[[], Awaitable[None]]) -> None:
        self._database = database
        self._catch_up = catch_up
        self._noted = asyncio.Event()
        self._task = BackgroundTask("unheard commits", self._run)

    async def start(self) -> None:
        """Begin to wait for such commits."""
        self._task.start()

    async def stop(self) -> None:
        """End. What the others were not told is left to ``Database.close``."""
        await self._task.stop()
        if self._noted.is_set():
            self._database.leave_unheard()

    def note(self) -> None:
        """Note that there may be one. Must be called in the thread of the event loop."""
        self._noted.set()

    async def _run(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            try:
                await self._catch_up()
                if self._database.has_other_servers:
                    await self._database.write(self._database.tell_to_catch_up)
            except asyncio.CancelledError:
                self._noted.set()
                raise
            except Exception:
                log.exception("cannot find out what was committed; trying again")
                self._noted.set()
                await asyncio.sleep(RETRY_DELAY_S)
