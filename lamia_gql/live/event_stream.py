"""The events of a task as one stream: past ones, then new ones, without gap or repetition."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

from lamia_gql.live.feeds import Feeds
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.queries.events import events_after
from lamia_gql.storage.rows import EventRow

BATCH_SIZE = 100
"""Events that are read and handed over together. Small batches need little memory while a client
reads slowly, and what is read about their jobs is still current when it is sent."""


async def stream_events(
    database: Database,
    feeds: Feeds,
    task_id: int,
    seq: int,
    wanted: EventFilter,
    address: str | None,
) -> AsyncGenerator[Sequence[EventRow], None]:
    """The wanted events of a task after number ``seq``, in batches, without an end.

    ``address`` is that of the client, if it is known.

    Raises :class:`lamia_gql.live.pubsub.StreamEnded` or one of its subclasses when no more follow.
    """
    # A long past is read before subscribing, or the subscriber's queue would fill up meanwhile.
    async with aclosing(_read_past(database, task_id, seq, wanted, address)) as past:
        async for events in past:
            yield events
            seq = events[-1].seq
    async with feeds.subscribe_to_events(task_id, wanted) as subscriber:
        async with aclosing(_read_past(database, task_id, seq, wanted, address)) as past:
            async for events in past:
                yield events
                seq = events[-1].seq
        while True:
            drained = await subscriber.drain()
            new = [event for event in drained if event.seq > seq]
            for begin in range(0, len(new), BATCH_SIZE):
                yield new[begin : begin + BATCH_SIZE]
            seq = max(seq, drained[-1].seq)


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
