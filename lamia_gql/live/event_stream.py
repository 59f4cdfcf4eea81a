"""The events of a task as a stream: past ones, then new ones, without gap or repetition."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial

from lamia_gql.live.pubsub import Subscriber
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.queries.events import events_after
from lamia_gql.storage.rows import EventRow

BATCH_SIZE = 100
"""Events that are read and handed over together. Small batches need little memory while a client
reads slowly, and what is read about their jobs is still current when it is sent."""


async def past_events(
    database: Database,
    task_id: int,
    seq: int,
    wanted: EventFilter,
    address: str | None,
    join: Callable[[], Awaitable[None]],
) -> AsyncGenerator[Sequence[EventRow], None]:
    """The wanted events of a task after number ``seq``, in batches, until there are no more.

    ``join`` begins to follow new events. It is called after a long past was read, or the
    follower's queue would fill up meanwhile. What was committed until then is read after it, so
    that nothing is missed; some of that may come as new, too. ``address`` is that of the client, if
    it is known.
    """
    async with aclosing(_read_past(database, task_id, seq, wanted, address)) as past:
        async for events in past:
            yield events
            seq = events[-1].seq
    await join()
    async with aclosing(_read_past(database, task_id, seq, wanted, address)) as past:
        async for events in past:
            yield events


async def new_events(
    subscriber: Subscriber[EventRow],
) -> AsyncGenerator[Sequence[EventRow], None]:
    """What a subscriber gets, in batches.

    Raises :class:`lamia_gql.live.pubsub.StreamEnded` or one of its subclasses when no more follow.
    """
    while True:
        drained = await subscriber.drain()
        for begin in range(0, len(drained), BATCH_SIZE):
            yield drained[begin : begin + BATCH_SIZE]


async def _read_past(
    database: Database, task_id: int, seq: int, wanted: EventFilter, address: str | None
) -> AsyncGenerator[Sequence[EventRow], None]:
    more = True
    while more:
        events = await database.read(
            partial(events_after, task_id=task_id, seq=seq, wanted=wanted, limit=BATCH_SIZE),
            address,
        )
        if events:
            yield events
            seq = events[-1].seq
        more = len(events) == BATCH_SIZE
