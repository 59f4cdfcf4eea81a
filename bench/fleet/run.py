"""A run of a fleet: its jobs, senders, viewers and followers, and what they have seen."""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Iterable
from itertools import chain
from typing import IO

from bench.fleet.jobs import Fleet
from bench.fleet.ledger import Ledger
from bench.fleet.sender import FAILURES, Sender
from bench.fleet.servers import Servers
from bench.fleet.viewers import Follower, Viewer

TICK_S = 0.02
DRAIN_S, DRAINS = 0.5, 240
"""How often, in seconds, and how many times it is seen whether anything waits at the end."""


class Run:
    """A run.

    Args:
        options: those of the command.
        servers: where all of them go.
        fleet: the jobs.
        file: gets the acknowledged events.
        chance: the source of chance.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        servers: Servers,
        fleet: Fleet,
        file: IO[bytes],
        chance: random.Random,
    ) -> None:
        self._options, self._fleet = options, fleet
        self._begin = time.monotonic()
        self.ledger = Ledger(file, self._clock)
        tasks = options.tasks
        self._senders = [
            Sender(servers.for_client(number), options.batch, self.ledger, fresh=options.fresh)
            for number in range(options.connections)
        ]
        self._viewers = [
            Viewer(servers.for_client(number), f"fleet-{number % tasks}", chance)
            for number in range(options.viewers)
        ]
        self._followers = [
            Follower(servers.for_client(number), f"fleet-{number % tasks}")
            for number in range(options.followers)
        ]
        self._lasted_s = 0.0
        self._left = 0
        self._missed = 0

    @property
    def has_failed(self) -> bool:
        """Whether events were not acknowledged in the end, or a follower has not each once."""
        return bool(self.ledger.waiting or self._missed or self._repeated)

    @property
    def _repeated(self) -> int:
        return sum(follower.repeated for follower in self._followers)

    async def live(self) -> None:
        """Let the fleet live as long as it shall."""
        running = [
            asyncio.create_task(run)
            for run in chain(
                (follower.stream.run() for follower in self._followers),
                (viewer.run() for viewer in self._viewers),
                (sender.run() for sender in self._senders),
            )
        ]
        self._begin = time.monotonic()
        while self._clock() < self._options.duration:
            self._send_due()
            await asyncio.sleep(TICK_S)
            for task in running:
                if task.done():
                    task.result()
        self._lasted_s = self._clock()
        self._left = self.ledger.waiting
        for _ in range(DRAINS):
            if await self._count_missed() == 0 and self.ledger.waiting == 0:
                break
            await asyncio.sleep(DRAIN_S)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def report(self) -> str:
        """What was seen, a line each."""
        delays = self.ledger.delays
        pages = list(chain.from_iterable(viewer.page_times for viewer in self._viewers))
        requests = sum(sender.requests for sender in self._senders)
        sent = sum(sender.bytes_sent for sender in self._senders)
        watching: list[Viewer | Follower] = [*self._viewers, *self._followers]
        rate = len(delays) / max(self.ledger.last_s, 1)
        lines = {
            "jobs": f"{self._options.jobs:,} in {self._options.tasks:,} tasks",
            "events": f"{len(delays):,} acknowledged, {rate:,.0f} a second",
            "requests": f"{requests:,}, {sent / max(requests, 1):,.0f} bytes each",
            "waiting at the end": f"{self._left:,}, then {self.ledger.waiting:,}",
            "from due to acknowledged": percentiles(delays),
            "longest time without an acknowledgement": f"{self.ledger.longest_pause_s:.2f} s",
            "requests that failed": f"{sum(sender.failures for sender in self._senders):,}",
            "pages": f"{len(pages):,}; {percentiles(pages)}",
            "pages that failed": f"{sum(viewer.failures for viewer in self._viewers):,}",
            "snapshots pushed": f"{sum(viewer.pushes for viewer in self._viewers):,}",
            "subscriptions begun anew": f"{sum(one.stream.ends for one in watching):,}",
            "events that followers missed": f"{self._missed:,}",
            "events that followers got again": f"{self._repeated:,}",
        }
        return "\n".join(f"{name}: {value}" for name, value in lines.items())

    def _clock(self) -> float:
        """Seconds since the fleet began."""
        return time.monotonic() - self._begin

    def _send_due(self) -> None:
        number = len(self._senders)
        # The events of a job stay in their order; those of few tasks still use all connections.
        share = max(1, number // self._options.tasks)
        for event in self._fleet.take(self._clock()):
            self._senders[(event.task * share + event.job % share) % number].add(event)

    async def _count_missed(self) -> int:
        """How many events of their tasks the followers have not got."""
        try:
            self._missed = sum([await follower.missing() for follower in self._followers])
        except FAILURES:
            self._missed = 1
        return self._missed


def percentiles(values: Iterable[float]) -> str:
    """The median, 95 %, 99 % and the largest, in milliseconds."""
    found = sorted(values)
    if not found:
        return "none"
    shares = ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"), (1.0, "largest"))
    return ", ".join(
        f"{name} {1000 * found[round(share * (len(found) - 1))]:,.0f} ms" for share, name in shares
    )
