"""Line 13: from the commit of an event to its push to a thousand subscribers."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain

import uvloop

from bench.environment import Environment
from bench.events import ONE, create_array
from bench.http_client import Connection, operation, request
from bench.load import send_evenly
from bench.server import serving
from bench.subscription import Subscription
from bench.table import Measured
from lamia_gql.server.open_files import raise_file_limit

EVENTS = operation('subscription{events(task:"t"){node{sentAt receivedAt}}}')
PER_SECOND = 200
JOBS, CONNECTIONS = 1_000, 16
LOOKED_AT = 10
"""How many subscribers note when an event arrives, spread evenly. To parse what all others get
would take a core: they only read it, in turn, each of them ten times a second."""
TURNS = 20
SETTLE_S = 1.0
GRACE_S = 20.0
"""How long the last events may take. Those that have not arrived then count with their time so far:
a server that can't keep up must not seem fast, nor keep the others waiting."""


class Watched:
    """A subscriber that notes the delays of its events, in seconds.

    Args:
        subscription: its connection.
        number: how many events it will get.
    """

    def __init__(self, subscription: Subscription, number: int) -> None:
        self._subscription = subscription
        self._number = number
        self.complete = asyncio.Event()
        """Set once it has all of them."""
        self.since_sent: list[float] = []
        self.since_received: list[float] = []
        self.missing: list[float] = []
        """The times since events were sent that have not arrived."""
        asyncio.get_running_loop().add_reader(subscription.socket, self._read)

    def _read(self) -> None:
        now = time.time()
        for payload in self._subscription.read():
            event = payload["data"]["events"]["node"]
            self.since_sent.append(now - _seconds(event["sentAt"]))
            self.since_received.append(now - _seconds(event["receivedAt"]))
        if len(self.since_sent) == self._number:
            self.complete.set()


def push(environment: Environment) -> Measured:
    """Line 13, on SQLite: the time in the server, from the receipt of an event until its push.

    That includes its commit. The time from before the event was sent is a part of the details.
    """
    raise_file_limit()
    scale = environment.scale
    with environment.sqlite.empty() as database, serving(database) as server:
        create_array(server.url, JOBS)
        every = [Subscription(server.url, EVENTS) for _ in range(scale.subscribers)]
        number = round(PER_SECOND * scale.live_s)
        before_s = server.cpu_s()
        watched = uvloop.run(_measure(server.url, every, number))
        each_us = 1e6 * (server.cpu_s() - before_s) / (number * len(every))
        for subscription in every:
            subscription.close()
    received = _percentiles(one.since_received + one.missing for one in watched)
    sent = _percentiles(one.since_sent + one.missing for one in watched)
    arrived = min(len(one.since_sent) for one in watched)
    return Measured(
        (received[1],),
        f"50 % within {received[0]:.1f} ms, 99 % within {received[1]:.1f} ms;"
        f" since sent {sent[0]:.1f} ms, {sent[1]:.1f} ms; {arrived:,} of {number:,} events arrived;"
        f" {each_us:.1f} µs of the server's CPU for each push",
    )


async def _measure(url: str, every: list[Subscription], number: int) -> list[Watched]:
    step = len(every) // LOOKED_AT
    watched = [Watched(subscription, number) for subscription in every[::step]]
    others = [one for place, one in enumerate(every) if place % step]
    emptying = asyncio.create_task(_empty(others))
    connections = [await Connection.open(url) for _ in range(CONNECTIONS)]
    await asyncio.sleep(SETTLE_S)
    sent_at: list[float] = []

    def make() -> bytes:
        sent_at.append(time.time())
        event = {
            "task": "t",
            "process": "p",
            "index": len(sent_at) % JOBS,
            "eventClass": "BEAT",
            "sentAt": datetime.fromtimestamp(sent_at[-1], UTC).isoformat(),
        }
        return request(url, "/graphql", operation(ONE, input=event))

    with suppress(TimeoutError):
        async with asyncio.timeout(number / PER_SECOND + GRACE_S):
            await send_evenly(PER_SECOND, number, connections, make)
            for one in watched:
                await one.complete.wait()
    now = time.time()
    for one in watched:
        one.missing = [now - moment for moment in sent_at[len(one.since_sent) :]]
    emptying.cancel()
    for connection in connections:
        connection.close()
    return watched


async def _empty(subscriptions: Sequence[Subscription]) -> None:
    while True:
        for turn in range(TURNS):
            for subscription in subscriptions[turn::TURNS]:
                subscription.drop()
            await asyncio.sleep(0.1 / TURNS)


def _percentiles(delays: Iterable[list[float]]) -> tuple[float, float]:
    """The median, and what 99 % do not exceed, in milliseconds."""
    delays_s = list(chain.from_iterable(delays))
    return 1000 * statistics.median(delays_s), 1000 * statistics.quantiles(delays_s, n=100)[98]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
