"""How far the replicas of the database are behind, for whoever asks for the metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from lamia_gql.domain.errors import LamiaError
from lamia_gql.storage.database import Database
from lamia_gql.storage.replicas import Replica, read_replicas

log = logging.getLogger(__name__)

MAX_AGE_S = 5.0
"""How long an answer of the database is used."""
MAX_WAIT_S = 0.5
"""How long one who asks for the metrics waits for the database."""


class ReplicaLag:
    """Asks the database when somebody wants to know, but not often. Lives as long as the app.

    Args:
        database: the database; on SQLite there are no replicas.
        is_first: whether this is the worker that asks, for all.
    """

    def __init__(self, database: Database, *, is_first: bool) -> None:
        self._database = database
        self._is_needed = is_first and database.has_other_servers
        self._expires = 0.0
        self.replicas: Sequence[Replica] = ()
        """Those that are known; none where the database does not answer at once."""

    async def refresh(self) -> None:
        """Ask the database, if the last answer is old."""
        now = asyncio.get_running_loop().time()
        if not self._is_needed or now < self._expires:
            return
        self._expires = now + MAX_AGE_S
        self.replicas = ()
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                self.replicas = await self._database.read(read_replicas)
        except (TimeoutError, LamiaError) as error:
            log.debug("the replicas are not known now: %s", error)
        except Exception:
            log.exception("the replicas can't be read")
