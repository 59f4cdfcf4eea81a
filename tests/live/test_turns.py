"""Many equal subscribers are served in turn, and each gets all that it lacks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing

import pytest

from lamia_gql.domain.access import ANYONE
from lamia_gql.graph.context import Context
from lamia_gql.graph.transport.result import Result
from lamia_gql.graph.transport.shared_operation import MAX_KEPT_BYTES, SharedOperation
from lamia_gql.graph.transport.waiting_results import Push, ResultSubscriber
from lamia_gql.live.pubsub import StreamEnded
from tests.support.unserved_app import UnservedApp, running_app
from tests.support.waiting import until_async

EVENTS = """subscription($task: String!) { events(task: $task) { cursor node { payload } } }"""
SUBSCRIBERS, EVENT_COUNT = 100, 120
WRITE_S = 0.0002
LARGE, LARGE_COUNT = MAX_KEPT_BYTES // 3, 30


class Client:
    """A client whose results are written at once, which takes the server a moment.

    Args:
        app: the application.
        turns: gets the client at each of its turns.
    """

    def __init__(self, app: UnservedApp, turns: list[Client]) -> None:
        self.seqs: list[int] = []
        """The numbers of the events that it got."""
        self.most = 0
        """The largest number that it got at once."""
        self._turns = turns
        self._stream = app.watch(EVENTS, write=self._write, task="t")

    async def follow(self) -> None:
        """Follow the events until the end."""
        async with aclosing(self._stream) as stream:
            async for result in stream:
                self.seqs.append(result.seq)

    def _write(self, push: Push) -> bool:
        time.sleep(WRITE_S)
        self._turns.append(self)
        self.seqs += [shared.result.seq for shared in push.shared]
        self.most = max(self.most, len(push.shared))
        return True


async def test_subscribers_get_all_in_turn(sqlite_url: str) -> None:
    """While much happens, each gets several events at once, and no turn before all others.

    Whoever comes or leaves meanwhile changes nothing for the others.
    """
    turns: list[Client] = []
    async with running_app(sqlite_url) as app, AsyncExitStack() as stack:
        await app.make("t")

        def begin(number: int) -> tuple[list[Client], list[asyncio.Task[None]]]:
            clients = [Client(app, turns) for _ in range(number)]
            tasks = [asyncio.create_task(client.follow()) for client in clients]
            for task in tasks:
                stack.callback(task.cancel)
            return clients, tasks

        async def until_all_have(clients: Sequence[Client], seq: int) -> None:
            await until_async(
                lambda: all(client.seqs[-1:] == [seq] for client in clients),
                lambda: [client.seqs for client in clients],
            )

        def joined() -> int:
            return sum(map(len, app.streams._shared.values()))

        staying, _ = begin(SUBSCRIBERS)
        leaving, tasks = begin(10)
        await until_async(lambda: joined() == SUBSCRIBERS + 10, joined)
        await app.done("t", 0)
        await until_all_have(staying + leaving, 1)
        turns.clear()
        storing = asyncio.gather(*(app.done("t", index % 100) for index in range(EVENT_COUNT)))
        await until_async(lambda: len(turns) > SUBSCRIBERS, lambda: len(turns))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        late, _ = begin(10)
        await until_async(lambda: joined() == SUBSCRIBERS + 10, joined)
        await storing
        await app.done("t", 0)
        last = EVENT_COUNT + 2
        await until_all_have(staying + late, last)
        for client in staying + leaving + late:
            assert client.seqs == list(range(client.seqs[0], client.seqs[-1] + 1))
        assert {client.seqs[0] for client in staying} == {1}
        assert all(client.most > 1 for client in staying)
        found = [client for client in turns if client in staying]
        for place in range(len(found)):
            assert found[place] not in found[max(0, place - SUBSCRIBERS + 1) : place]


async def test_large_results_are_made_as_they_are_handed_out(sqlite_url: str) -> None:
    """While subscribers lack more than is kept of large results, no more are made."""
    made = 0
    lacking: list[int] = []

    async def results() -> AsyncGenerator[Result, None]:
        nonlocal made
        for made in range(1, LARGE_COUNT + 1):
            yield Result({}, seq=made, encoded=b"x" * LARGE)

    class Subscriber(ResultSubscriber):
        def put(self, push: Push) -> None:
            time.sleep(WRITE_S)
            lacking.append(made - push.first_seq + 1)
            super().put(push)

    async with running_app(sqlite_url) as app:
        shared = SharedOperation(results(), Context(app.services, ANYONE))
        subscribers = [
            Subscriber(LARGE_COUNT, app.services.subscriptions) for _ in range(SUBSCRIBERS)
        ]
        for subscriber in subscribers:
            shared.join(subscriber)
        await shared.running
        for subscriber in subscribers:
            found = await subscriber.drain()
            assert [result.seq for result in found] == list(range(1, LARGE_COUNT + 1))
            with pytest.raises(StreamEnded):
                await subscriber.drain()
            subscriber.close()
        # The one that fills it is made, and the next one waits for room.
        assert 1 < max(lacking) <= MAX_KEPT_BYTES // LARGE + 1
