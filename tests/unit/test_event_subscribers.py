"""Events are chosen for subscribers as the database chooses them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from functools import partial

import pytest

from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.ingest.event_input import check_event
from lamia_gql.live.event_subscribers import EventSubscribers
from lamia_gql.live.pubsub import Subscriber
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.queries.events import events_after
from lamia_gql.storage.rows import EventRow
from tests.support.backend import JOBS, NOW, Backend

CHOICES = [None, (), (EventClass.BEAT,), (EventClass.DONE, EventClass.FAILED)]


@pytest.mark.parametrize(
    "wanted",
    [
        EventFilter(classes, number, index)
        for classes, number, index in itertools.product(CHOICES, (None, 0, 1), (None, 0, 2))
    ],
    ids=str,
)
def test_stored_and_new_events_are_chosen_alike(
    stored: tuple[Database, int], wanted: EventFilter
) -> None:
    """Subscribers get just those events that their filter selects in the database."""
    database, task_id = stored
    read = partial(events_after, task_id=task_id, seq=0, limit=100)
    everything = database.read_blocking(partial(read, wanted=EventFilter()))
    assert len(everything) == 3 * (JOBS + 1)
    selected = database.read_blocking(partial(read, wanted=wanted))
    subscribers, subscriber = EventSubscribers(), Subscriber[EventRow](100)
    with subscribers.subscribe(subscriber, task_id, wanted):
        subscribers.publish(task_id, everything)
        assert subscriber.waiting == len(selected)
        assert not selected or asyncio.run(subscriber.drain()) == selected
    assert len(subscribers) == 0
    assert list(subscribers) == []


@pytest.fixture(scope="module")
async def stored(
    tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[tuple[Database, int]]:
    """A database with some events of every job of a task."""
    backend = Backend(f"sqlite:///{tmp_path_factory.mktemp('live')}/lamia.sqlite")
    task_id = await backend.make_task()
    await backend.recorder.start()
    for event_class in (EventClass.BEAT, EventClass.DONE, EventClass.FAILED):
        await backend.recorder.record([backend.event(event_class, index) for index in range(JOBS)])
        alone = check_event(
            backend.settings, task="t", process="alone", event_class=event_class, received_at=NOW
        )
        await backend.recorder.record([alone])
    await backend.recorder.stop()
    yield backend.database, task_id
    backend.database.close()
