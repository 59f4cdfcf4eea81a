"""Whether the server can do its work now: read and write its database."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from lamia_gql.domain.errors import Unavailable
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import NotMigrated, is_usable
from lamia_gql.storage.trial_write import write_on_trial

log = logging.getLogger(__name__)

MAX_AGE_S = 1.0
"""How long the outcome of a test is used."""
MAX_WAIT_S = 1.0
"""How long a request waits for the end of a test."""


class Readiness:
    """Tests the database when somebody asks; one test at a time. Lives as long as the application.

    A test that takes too long goes on, and its outcome is used when it is there.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._test: asyncio.Task[str | None] | None = None
        self._expires = 0.0
        self._is_off = False

    def turn_off(self) -> None:
        """The server is not ready from now on: it is about to stop, though it still answers."""
        self._is_off = True

    async def problem(self) -> str | None:
        """Why the server is not ready, as a sentence; None if it is."""
        if self._is_off:
            return "The server is stopping."
        loop = asyncio.get_running_loop()
        if self._test is None or (self._test.done() and loop.time() >= self._expires):
            self._test = asyncio.create_task(self._run(), name="readiness")
        done, _ = await asyncio.wait([self._test], timeout=MAX_WAIT_S)
        if not done:
            return f"The database has not completed a small write within {MAX_WAIT_S:g} s."
        return self._test.result()

    async def stop(self) -> None:
        """Wait for no test any more."""
        if self._test is not None:
            self._test.cancel()
            with suppress(asyncio.CancelledError):
                await self._test

    async def _run(self) -> str | None:
        try:
            if not await self._database.read(is_usable):
                return str(NotMigrated())
            await self._database.write(write_on_trial)
        except Unavailable as error:
            return error.message
        except Exception:
            log.exception("the database failed a test")
            return "The database failed."
        finally:
            self._expires = asyncio.get_running_loop().time() + MAX_AGE_S
        return None
