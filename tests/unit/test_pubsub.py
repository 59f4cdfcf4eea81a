"""Publish and subscribe: bounded queues that are removed at the end of their block."""

from __future__ import annotations

import asyncio

import pytest

from lamia_gql.live.pubsub import (
    CoalescingSubscriber,
    ServerStopping,
    StreamEnded,
    Subscriber,
    Subscribers,
    SubscriberTooSlow,
)


async def test_items_come_in_order_to_those_who_listen() -> None:
    """A subscriber gets what is published until it unsubscribes."""
    hub: Subscribers[int] = Subscribers()
    one: Subscriber[int] = Subscriber(10)
    two: Subscriber[int] = Subscriber(10)
    with hub.subscribe(one):
        with hub.subscribe(two):
            assert len(hub) == 2
            hub.publish([1, 2])
            hub.publish([3])
            assert await one.drain() == [1, 2, 3]
            assert await two.drain() == [1, 2, 3]
        hub.publish([5])
        assert two.waiting == 0
        assert await one.drain() == [5]
    assert len(hub) == 0


async def test_a_full_queue_raises_too_slow() -> None:
    """A full queue raises SubscriberTooSlow for its subscriber only; publishers never wait."""
    hub: Subscribers[int] = Subscribers()
    slow: Subscriber[int] = Subscriber(5)
    quick: Subscriber[int] = Subscriber(5)
    with hub.subscribe(slow), hub.subscribe(quick):
        for item in range(100):
            hub.publish([item])
            assert await quick.drain() == [item]
            assert slow.waiting <= 5
        with pytest.raises(SubscriberTooSlow):
            await slow.drain()


async def test_waiting_items_come_before_the_end() -> None:
    """Waiting items are delivered before StreamEnded or Stopping."""
    hub: Subscribers[int] = Subscribers()
    one: Subscriber[int] = Subscriber(5)
    two: Subscriber[int] = Subscriber(5)
    late: Subscriber[int] = Subscriber(5)
    with hub.subscribe(one), hub.subscribe(two):
        hub.publish([1])
        one.end(StreamEnded())
        hub.publish([2])
        assert await two.drain() == [1, 2]
        assert await one.drain() == [1]
        with pytest.raises(StreamEnded):
            await one.drain()
        waiting = asyncio.create_task(two.drain())
        # It runs until it waits.
        await asyncio.sleep(0)
        hub.stop()
        with pytest.raises(ServerStopping):
            await waiting
    with hub.subscribe(late):
        with pytest.raises(ServerStopping):
            await late.drain()


async def test_gathered_items_come_once() -> None:
    """Equal items that wait are delivered once; when they are too many, one stands for all."""
    gatherer: CoalescingSubscriber[int] = CoalescingSubscriber(3, 0)
    for _ in range(100):
        gatherer.add([1, 2, 1])
    assert await gatherer.drain() == [1, 2]
    gatherer.add([2])
    assert await gatherer.drain() == [2]
    gatherer.add([1, 2, 3, 4])
    gatherer.end(StreamEnded())
    assert await gatherer.drain() == [0]
    with pytest.raises(StreamEnded):
        await gatherer.drain()


async def test_a_subscriber_that_is_cancelled_leaves_nothing() -> None:
    """A cancelled subscriber is removed."""
    hub: Subscribers[int] = Subscribers()

    async def listen() -> None:
        subscriber: Subscriber[int] = Subscriber(5)
        with hub.subscribe(subscriber):
            await subscriber.drain()

    tasks = [asyncio.create_task(listen()) for _ in range(1_000)]
    # They run until they wait.
    await asyncio.sleep(0)
    assert len(hub) == 1_000
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(hub) == 0
