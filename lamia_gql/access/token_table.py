"""The access tokens in the memory of one server: whose they are is known without a query."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from lamia_gql.access.access_tokens import (
    AccessTokenRow,
    digest_of,
    note_use,
    read_all,
    read_version,
)
from lamia_gql.domain.background_task import BackgroundTask
from lamia_gql.domain.errors import LamiaError
from lamia_gql.storage.database import Database
from lamia_gql.storage.transaction import ReadConnection

log = logging.getLogger(__name__)

REFRESH_INTERVAL_S = 2.0
"""How soon a token that another program creates or revokes is known here, at the latest."""
MIN_REFRESH_INTERVAL_S = 0.2
"""How often unknown tokens may have them read again."""
USE_INTERVAL = timedelta(hours=1)
"""How old the stored time of the last use may be."""


class TokenTable:
    """All access tokens. Lives as long as the application.

    While the database is unavailable, the tokens that are known stay valid.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_digest: dict[str, AccessTokenRow] = {}
        self._by_id: dict[int, AccessTokenRow] = {}
        self._version = (0, 0)
        self._read_at = 0.0
        """When they were read last, by ``time.monotonic``."""
        self._used: dict[int, datetime] = {}
        """Tokens whose use is to be stored."""
        self._wake = asyncio.Event()
        self._task = BackgroundTask("access tokens", self._run)
        self.on_refresh: Callable[[], None] = lambda: None
        """Called after each interval, when tokens may have been revoked or have expired."""

    def __len__(self) -> int:
        return len(self._by_id)

    async def start(self) -> None:
        """Read the tokens, and keep them up to date. Raises :class:`Unavailable`."""
        await self.refresh()
        self._task.start()

    async def stop(self) -> None:
        """Stop, and store which tokens were used."""
        await self._task.stop()
        with suppress(LamiaError):
            await self._store_use()

    def rows(self) -> Sequence[AccessTokenRow]:
        """All of them, by name, also those that have expired."""
        return sorted(self._by_id.values(), key=lambda row: row.name)

    def find(self, token: str) -> AccessTokenRow | None:
        """The row of a token that is valid; else None."""
        row = self._by_digest.get(digest_of(token))
        return None if row is None or _has_expired(row) else row

    def find_id(self, token_id: int) -> AccessTokenRow | None:
        """The row of the valid token with this id; else None."""
        row = self._by_id.get(token_id)
        return None if row is None or _has_expired(row) else row

    def note_use(self, row: AccessTokenRow) -> None:
        """Remember that a token was used; it is stored about once an hour."""
        if row.id in self._used:
            return
        now = datetime.now(UTC)
        if row.last_used_at is None or now - row.last_used_at > USE_INTERVAL:
            self._used[row.id] = now

    def wake(self) -> None:
        """Read the tokens again now: they have changed."""
        self._wake.set()

    async def refresh(self) -> None:
        """Read the tokens again if they have changed. Raises :class:`Unavailable`."""
        self._read_at = time.monotonic()
        found = await self._database.read(self._read)
        if found is not None:
            version, rows = found
            self._by_digest = {row.digest: row for row in rows}
            self._by_id = {row.id: row for row in rows}
            self._version = version
        self.on_refresh()

    async def find_new(self, token: str) -> AccessTokenRow | None:
        """As :meth:`find`, but also a token that was created just now.

        Raises :class:`Unavailable`.
        """
        row = self.find(token)
        if row is None:
            asked_at = time.monotonic()
            await asyncio.sleep(self._read_at + MIN_REFRESH_INTERVAL_S - asked_at)
            # Of many who ask together, the first one has them read.
            if self._read_at < asked_at:
                await self.refresh()
            row = self.find(token)
        return row

    def _read(
        self, connection: ReadConnection
    ) -> tuple[tuple[int, int], list[AccessTokenRow]] | None:
        version = read_version(connection)
        return None if version == self._version else (version, read_all(connection))

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), REFRESH_INTERVAL_S)
            self._wake.clear()
            try:
                await self.refresh()
                await self._store_use()
            except LamiaError as error:
                log.warning("the access tokens can't be read; trying again: %s", error)
                self.on_refresh()
            except Exception:
                log.exception("the access tokens can't be read; trying again")

    async def _store_use(self) -> None:
        used, self._used = self._used, {}
        if not used:
            return
        now = max(used.values())
        await self._database.write(lambda t: note_use(t.connection, list(used), now))
        for token_id in used:
            row = self._by_id.get(token_id)
            if row is not None:
                row = row._replace(last_used_at=now)
                self._by_id[token_id] = self._by_digest[row.digest] = row


def _has_expired(row: AccessTokenRow) -> bool:
    return row.expires_at is not None and row.expires_at.timestamp() <= time.time()
