"""Tasks that others have locked, or whose transactions take long, delay no other task."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, text, update

from lamia_gql.domain.errors import Unavailable, UserError
from lamia_gql.domain.settings import load
from lamia_gql.ingest.event_batch import Outcome
from lamia_gql.ingest.recorder import LANES, Recorder
from lamia_gql.ingest.recount import recount
from lamia_gql.storage.database import Database
from lamia_gql.storage.migrations import migrate
from lamia_gql.storage.models import Process, Task
from tests.support.new_events import create, event, event_ids, occurrences_of
from tests.support.strategies import NOON
from tests.support.waiting import until_async


def create_in_two_lanes(database: Database) -> list[str]:
    """The names of two new tasks, that of the lane with the lower number first."""
    lanes: dict[int, str] = {}
    while len(lanes) < 2:
        name = create(database)
        lanes[hash(name) % LANES] = name
    return [lanes[number] for number in sorted(lanes)]


async def test_events_of_a_locked_task_keep_their_order(postgres_url: str) -> None:
    """They wait for the lock while others are stored; then the earlier come before the later."""
    database = Database(load(database_url=postgres_url))
    migrate(database.engine)
    locked, free, deleted = create(database), create(database), create(database)
    recorder = Recorder(database, batch_size=3, max_waiting=1000)
    await recorder.start()
    sent = occurrences_of(*["BEAT"] * 20)
    with database.engine.connect() as other:
        other.execute(select(Task).where(Task.name.in_([locked, deleted])).with_for_update())
        waiting = [
            asyncio.create_task(recorder.record([event(locked, 0, told), event(free, 0, beat)]))
            for told, beat in zip(sent, occurrences_of(*["BEAT"] * 20), strict=True)
        ]
        gone = asyncio.create_task(recorder.record([event(deleted, 0, occurrences_of("BEAT")[0])]))
        for told in occurrences_of(*["BEAT"] * 5):
            assert isinstance((await recorder.record([event(free, 1, told)]))[0], Outcome)
        assert not any(task.done() for task in (*waiting, gone))
        other.execute(update(Task).where(Task.name == deleted).values(name=None, deleted_at=NOON))
        other.commit()
    for answer in await asyncio.gather(*waiting):
        assert all(isinstance(outcome, Outcome) for outcome in answer)
    [result] = await gone
    assert isinstance(result, UserError)
    assert result.code == "TASK_NOT_FOUND"
    assert event_ids(database, locked) == [told.id for told in sent]
    await recorder.stop()
    assert list(recount(database)) == []
    database.close()


async def test_a_slow_transaction_delays_no_other_task(postgres_url: str) -> None:
    """It waits for a row that somebody else has locked. Later events of its task wait behind it."""
    database = Database(load(database_url=postgres_url))
    migrate(database.engine)
    slow, free = create_in_two_lanes(database)
    recorder = Recorder(database, batch_size=100, max_waiting=1000)
    await recorder.start()
    sent = occurrences_of(*["BEAT"] * 10)
    with database.engine.connect() as other:
        other.execute(
            select(Process.number).join(Task).where(Task.name == slow).with_for_update(of=Process)
        )
        first = asyncio.create_task(recorder.record([event(slow, 0, sent[0])]))
        await until_async(lambda: _waits_for_a_lock(database), "it does not wait")
        both = asyncio.create_task(
            recorder.record([event(slow, 0, sent[1]), event(free, 0, occurrences_of("BEAT")[0])])
        )
        rest = [asyncio.create_task(recorder.record([event(slow, 0, told)])) for told in sent[2:]]
        for told in occurrences_of(*["BEAT"] * 5):
            assert isinstance((await recorder.record([event(free, 1, told)]))[0], Outcome)
        assert not any(task.done() for task in (first, both, *rest))
    for answer in await asyncio.gather(first, both, *rest):
        assert all(isinstance(outcome, Outcome) for outcome in answer)
    await recorder.stop()
    assert event_ids(database, slow) == [told.id for told in sent]
    assert list(recount(database)) == []
    database.close()


async def test_a_request_that_has_failed_stores_nothing_more(postgres_url: str) -> None:
    """Its client is told that nothing is stored, so the events of its other tasks are dropped."""
    database = Database(load(database_url=postgres_url))
    migrate(database.engine)
    failing, other = create_in_two_lanes(database)
    with database.engine.connect() as connection, connection.begin():
        task_id = connection.scalar(select(Task.id).where(Task.name == failing))
        rule = f"ALTER TABLE event ADD CONSTRAINT failing CHECK (task_id <> {task_id})"
        connection.exec_driver_sql(rule)
    recorder = Recorder(database, batch_size=100, max_waiting=1000)
    await recorder.start()
    [one, two] = occurrences_of("BEAT", "BEAT")
    with pytest.raises(Unavailable) as refused:
        await recorder.record([event(failing, 0, one), event(other, 0, two)])
    await recorder.stop()
    assert refused.value.code == "STORAGE_FAILED"
    assert event_ids(database, other) == []
    database.close()


async def test_a_recorder_that_stops_refuses_what_is_locked(postgres_url: str) -> None:
    """It does not wait for the lock; the clients send again."""
    database = Database(load(database_url=postgres_url))
    migrate(database.engine)
    locked, free = create(database), create(database)
    recorder = Recorder(database, batch_size=3, max_waiting=1000)
    await recorder.start()
    with database.engine.connect() as other:
        other.execute(select(Task).where(Task.name == locked).with_for_update())
        waiting = asyncio.create_task(
            recorder.record([event(locked, 0, occurrences_of("BEAT")[0])])
        )
        assert await recorder.record([event(free, 0, occurrences_of("BEAT")[0])])
        await recorder.stop()
        with pytest.raises(Unavailable) as refused:
            await waiting
        assert refused.value.code == "BUSY"
    database.close()


def _waits_for_a_lock(database: Database) -> bool:
    query = """SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    return bool(database.read_blocking(lambda c: c.scalar(text(query))))
