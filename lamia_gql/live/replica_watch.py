"""Asks the primary and its replicas how far they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from lamia_gql.domain.background_task import BackgroundTask
from lamia_gql.storage.database import Database
from lamia_gql.storage.own_connection import connect
from lamia_gql.storage.read_position import READ_PRIMARY, READ_REPLICA, Replayed
from lamia_gql.storage.read_replica import ReadReplica

if TYPE_CHECKING:
    from psycopg import AsyncConnection

log = logging.getLogger(__name__)

NAME = "lamia-gql positions"
"""How PostgreSQL shows the connections."""
INTERVAL_S = 0.5
"""Between two questions, while nobody waits for the answer; also before a new connection."""
WAITING_INTERVAL_S = 0.005
"""The same while reads wait until a replica has what they must see."""
ANSWER_TIMEOUT_S = 2.0
"""How long a database may take to accept a connection, or to answer."""


class ReplicaWatch:
    """Tells :class:`lamia_gql.storage.read_sources.ReadSources` the positions of all databases.

    Lives as long as the application. It does nothing where there are no replicas.
    """

    def __init__(self, database: Database) -> None:
        self._sources = database.sources
        self._tasks: list[BackgroundTask] = []
        if database.sources.replicas:
            watch = partial(_watch, "the primary", database, self._follow_primary)
            self._tasks.append(BackgroundTask("position of the primary", watch))
        for replica in database.sources.replicas:
            follow = partial(self._follow_replica, replica)
            watch = partial(_watch, f"replica {replica.name}", replica, follow)
            self._tasks.append(BackgroundTask(f"position of {replica.name}", watch))

    async def start(self) -> None:
        """Begin to ask."""
        for task in self._tasks:
            task.start()

    async def stop(self) -> None:
        """Ask no more."""
        for task in self._tasks:
            await task.stop()

    async def _follow_primary(self, connection: AsyncConnection[Any]) -> None:
        sources = self._sources
        while True:
            asking = sources.ask()
            before = {replica: replica.position for replica in sources.replicas}
            position = timeline = None
            try:
                position, timeline = await _ask(connection, READ_PRIMARY) or (None, None)
            finally:
                if position is None:
                    sources.lose_primary()
                for answer in asking:
                    if not answer.done():
                        answer.set_result(position)
            if position is not None:
                sources.see_primary(position, timeline, before)
            await _sleep_until(sources.primary_asked)

    async def _follow_replica(self, replica: ReadReplica, connection: AsyncConnection[Any]) -> None:
        sources = self._sources
        try:
            while True:
                replica.asked.clear()
                found = await _ask(connection, READ_REPLICA)
                sources.see_replica(replica, None if found is None else Replayed(*found))
                if sources.has_waiting:
                    await asyncio.sleep(WAITING_INTERVAL_S)
                else:
                    await _sleep_until(replica.asked)
        finally:
            sources.see_replica(replica, None)


async def _watch(
    name: str,
    place: Database | ReadReplica,
    follow: Callable[[AsyncConnection[Any]], Awaitable[None]],
) -> None:
    """Follow a database on a connection, again and again."""
    import psycopg

    about = {"database": name}
    is_reported = False
    while True:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                connection = await connect(place.engine, place.engine.url, ANSWER_TIMEOUT_S, NAME)
            async with connection:
                if is_reported:
                    log.warning("it is known again how far %s is", name, extra=about)
                is_reported = False
                await follow(connection)
        except (psycopg.Error, OSError) as error:
            if not is_reported:
                reason = str(error).strip() or "it does not answer"
                log.warning("it is not known how far %s is: %s", name, reason, extra=about)
            is_reported = True
        await asyncio.sleep(INTERVAL_S)


async def _ask(connection: AsyncConnection[Any], query: str) -> tuple[Any, ...] | None:
    """The row of a query; None if it finds none."""
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        return await (await connection.execute(query.encode())).fetchone()


async def _sleep_until(asked: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(INTERVAL_S):
            await asked.wait()
