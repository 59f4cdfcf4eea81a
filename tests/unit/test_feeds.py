"""Feeds deliver committed events exactly once, in order, and nothing else."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from functools import partial

import pytest
from sqlalchemy import text

from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.ingest.event_batch import Outcome, record
from lamia_gql.ingest.event_input import check_event
from lamia_gql.ingest.tasks import delete_tasks
from lamia_gql.live.feeds import ALL_TASKS, Feeds
from lamia_gql.live.pg_listener import PgListener
from lamia_gql.live.pubsub import StreamEnded, Subscriber
from lamia_gql.storage.change_feed import Change
from lamia_gql.storage.database import Database
from lamia_gql.storage.filters import EventFilter
from lamia_gql.storage.queries.events import events_after
from lamia_gql.storage.rows import EventRow
from lamia_gql.storage.transaction import WriteTransaction
from tests.support.backend import NOW, Backend, running_backend
from tests.support.waiting import until_async


async def take_seqs(subscriber: Subscriber[EventRow], number: int) -> list[int]:
    """The sequence numbers of the next ``number`` events or more."""
    found: list[int] = []
    while len(found) < number:
        found += [event.seq for event in await asyncio.wait_for(subscriber.drain(), 10)]
    return found


async def changed(subscriber: Subscriber[int], last: int) -> list[int]:
    """The ids of changed tasks, up to and including ``last``."""
    found: list[int] = []
    while last not in found:
        found += await asyncio.wait_for(subscriber.drain(), 10)
    return found


async def test_rolled_back_changes_are_not_published(database_url: str) -> None:
    """A rolled-back transaction is published neither here nor on other servers."""
    async with running_backend(database_url) as backend:
        task_id = await backend.make_task()
        other = Database(backend.settings)
        heard = Feeds(other, 100)
        listener = PgListener(other, heard, lambda: None)
        await listener.start()
        with backend.live.subscribe_to_changes() as here, heard.subscribe_to_changes() as there:
            if backend.database.has_other_servers:
                assert await asyncio.wait_for(there.drain(), 10) == [ALL_TASKS]

            def fail(transaction: WriteTransaction) -> None:
                transaction.publish_on_commit([Change(task_id, 99)])
                raise ArithmeticError

            for _ in range(3):
                with pytest.raises(ArithmeticError):
                    await backend.database.write(fail)
            # What is told of later comes first: nothing was told of what was rolled back.
            other_id = await backend.make_task("u")
            await backend.record()
            assert await changed(here, task_id) == [other_id, task_id]
            assert here.waiting == 0
            if backend.database.has_other_servers:
                assert await changed(there, task_id) == [other_id, task_id]
            assert there.waiting == 0
            async with backend.live.subscribe_to_events(task_id) as subscriber:
                with pytest.raises(ArithmeticError):
                    await backend.database.write(fail)
                await backend.record()
                assert await take_seqs(subscriber, 1) == [2]
        await listener.stop()
        other.close()


async def test_commits_published_out_of_order_are_delivered_in_order(sqlite_url: str) -> None:
    """A commit of this server waits for an earlier one of another server."""
    async with running_backend(sqlite_url) as backend:
        task_id = await backend.make_task()
        async with backend.live.subscribe_to_events(task_id) as subscriber:
            await backend.record()
            assert await take_seqs(subscriber, 1) == [1]
            # As if somebody else had written these, and his message were late, or lost.
            backend.database.on_commit = None
            await backend.record(5)
            await backend.live.start()
            await backend.record(2)
            assert await take_seqs(subscriber, 7) == [2, 3, 4, 5, 6, 7, 8]
            backend.live.receive([Change(task_id, 6)])
            backend.live.receive([Change(task_id, 8)])
            await backend.record()
            assert await take_seqs(subscriber, 1) == [9]


async def test_many_missed_events_fit_into_a_small_queue(sqlite_url: str) -> None:
    """Missed events are read in pieces that fit into the queue."""
    async with running_backend(sqlite_url, max_waiting=10) as backend:
        task_id = await backend.make_task()
        async with backend.live.subscribe_to_events(task_id) as subscriber:
            backend.database.on_commit = None
            await backend.recorder.record([backend.event() for _ in range(100)])
            await backend.live.start()
            backend.live.receive([Change(task_id, 100)])
            assert await take_seqs(subscriber, 100) == list(range(1, 101))


async def test_a_commit_while_a_feed_begins_is_in_the_past_or_in_the_feed(sqlite_url: str) -> None:
    """Following first and reading the past then misses no event."""
    async with running_backend(sqlite_url) as backend:
        task_id = await backend.make_task()
        for round_ in range(30):
            writing = asyncio.create_task(backend.record(3))
            # Each time, another moment of the writing.
            await asyncio.sleep(0.0007 * (round_ % 10))
            async with backend.live.subscribe_to_events(task_id) as subscriber:
                past = await backend.database.read(
                    partial(
                        events_after,
                        task_id=task_id,
                        seq=3 * round_,
                        wanted=EventFilter(),
                        limit=10,
                    )
                )
                seen = [event.seq for event in past]
                while not seen or seen[-1] < 3 * round_ + 3:
                    last = seen[-1] if seen else 3 * round_
                    seen += [seq for seq in await take_seqs(subscriber, 1) if seq > last]
            assert seen == [3 * round_ + 1, 3 * round_ + 2, 3 * round_ + 3]
            await writing


async def test_feeds_without_followers_are_removed(sqlite_url: str) -> None:
    """A feed exists only as long as it has followers."""
    async with running_backend(sqlite_url) as backend:
        task_id = await backend.make_task()
        live = backend.live

        async def follow() -> None:
            async with live.subscribe_to_events(task_id) as subscriber:
                while True:
                    await subscriber.drain()

        for _ in range(5):
            followers = [asyncio.create_task(follow()) for _ in range(50)]
            # They run until they wait.
            await asyncio.sleep(0)
            assert len(live.events) == 50
            await backend.record()
            for follower in followers:
                follower.cancel()
            await asyncio.gather(*followers, return_exceptions=True)
            assert (len(live.events), len(live.changes), list(live.events)) == (0, 0, [])


async def test_a_deleted_task_ends_its_followers(sqlite_url: str) -> None:
    """Followers of a deleted task get StreamEnded, also those that come later."""
    async with running_backend(sqlite_url) as backend:
        task_id = await backend.make_task()
        async with backend.live.subscribe_to_events(task_id) as subscriber:
            await backend.record()
            await backend.database.write(delete_tasks(backend.settings, ["t"], NOW))
            assert await take_seqs(subscriber, 1) == [1]
            with pytest.raises(StreamEnded):
                await subscriber.drain()
        async with backend.live.subscribe_to_events(task_id) as subscriber:
            with pytest.raises(StreamEnded):
                await subscriber.drain()


async def test_one_that_stays_does_not_keep_others_at_a_deleted_task(sqlite_url: str) -> None:
    """Whoever comes after the deletion is ended, also while a subscriber from before is there."""
    async with running_backend(sqlite_url) as backend:
        task_id = await backend.make_task()
        with backend.live.subscribe_to_changes() as changes:
            stack = AsyncExitStack()
            await stack.enter_async_context(backend.live.subscribe_to_events(task_id))
            await backend.database.write(delete_tasks(backend.settings, ["t"], NOW))
            assert await changed(changes, task_id) == [task_id]
            async with backend.live.subscribe_to_events(task_id) as late:
                with pytest.raises(StreamEnded):
                    await asyncio.wait_for(late.drain(), 5)
            await stack.aclose()


async def test_a_commit_that_is_held_back_is_not_overtaken(postgres_url: str) -> None:
    """No event is committed before an earlier-numbered one, across servers.

    A server has written an event and keeps its commit back: another one can't commit a later event
    of the task meanwhile, though events of other tasks. Who resumes all the time, and who follows
    on the other server, sees both, in the order of their numbers.
    """
    async with running_backend(postgres_url) as backend:
        task_id = await backend.make_task()
        await backend.make_task("u")
        written, release = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def hold(transaction: WriteTransaction) -> None:
            [outcome] = record(transaction, [backend.event()])
            assert isinstance(outcome, Outcome)
            transaction.publish_on_commit(
                [Change(task_id, outcome.event.seq, events=[outcome.event])]
            )
            loop.call_soon_threadsafe(written.set)
            assert release.wait(20)

        other = Backend(postgres_url)
        await other.live.start()
        listener = PgListener(other.database, other.live, lambda: None)
        await listener.start()
        await other.recorder.start()

        async def resume() -> list[int]:
            seen: list[int] = []
            while len(seen) < 2:
                page = partial(events_after, task_id=task_id, wanted=EventFilter(), limit=10)
                last = seen[-1] if seen else 0
                found = await other.database.read(partial(page, seq=last))
                seen += [event.seq for event in found]
            return seen

        async with other.live.subscribe_to_events(task_id) as subscriber:
            resuming = asyncio.create_task(resume())
            first = asyncio.create_task(backend.database.write(hold))
            await asyncio.wait_for(written.wait(), 20)
            beside = check_event(
                backend.settings,
                task="u",
                process="alone",
                event_class=EventClass.BEAT,
                received_at=NOW,
            )
            await asyncio.wait_for(other.recorder.record([beside]), 20)
            second = asyncio.create_task(other.record())
            await until_async(
                lambda: waiting_for_locks(backend.database) == 1, "a commit that waits"
            )
            assert not second.done()
            assert subscriber.waiting == 0
            release.set()
            await asyncio.gather(first, second)
            assert await take_seqs(subscriber, 2) == [1, 2]
            assert await asyncio.wait_for(resuming, 20) == [1, 2]
        await other.live.stop()
        await listener.stop()
        await other.recorder.stop()
        other.database.close()


def waiting_for_locks(database: Database) -> int:
    """The number of PostgreSQL connections that wait for a lock."""
    query = """SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    return int(database.read_blocking(lambda c: c.scalar(text(query))) or 0)
