"""Runs a fleet of virtual jobs against a server, and checks that no acknowledged event is lost.

The tasks are named ``fleet-0``, ``fleet-1`` …, and must not exist.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress

import orjson
import uvloop

from bench.events import create
from bench.fleet.jobs import PROCESS, Fleet
from bench.fleet.lives import Lives
from bench.fleet.sender import Sender
from bench.fleet.viewers import Viewer
from bench.http_client import Client

TICK_S = 0.02
ROOM = 20
"""An array has so many times as many jobs as are alive at once: those that follow have a place."""
DRAIN_S = 120.0
STORED = "query($name: String!) { task(name: $name) { events(first: 0) { totalCount } } }"


def parse() -> argparse.Namespace:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    add = parser.add_argument
    add("url", metavar="URL", help="the address of the server")
    add("--jobs", type=int, default=10_000, help="how many are alive at once (default: 10000)")
    add("--tasks", type=int, default=100, help="how many tasks they belong to (default: 100)")
    add("--beat", type=float, default=60.0, metavar="S", help="seconds between two beats of a job")
    add("--duration", type=float, default=120.0, metavar="S", help="how long it runs, in seconds")
    add("--batch", type=int, default=1, help="events of a request at most (default: 1)")
    add("--connections", type=int, default=64, help="connections that send events (default: 64)")
    add("--viewers", type=int, default=100, help="people who look (default: 100)")
    add("--execution", action="append", default=[], metavar="FILE", help="in WfFormat; repeatable")
    add("--seed", type=int, default=1, help="the source of chance (default: 1)")
    return parser.parse_args()


async def run(options: argparse.Namespace) -> tuple[Sequence[Sender], Sequence[Viewer], float]:
    """Let the fleet live; the senders, the viewers, and how long it lasted, in seconds."""
    chance = random.Random(options.seed)  # noqa: S311  (no secret)
    lives = Lives(options.execution, chance)
    fleet = Fleet(options.tasks, options.jobs // options.tasks, lives, options.beat, chance)
    begin = time.monotonic()

    def clock() -> float:
        return time.monotonic() - begin

    senders = [Sender(options.url, options.batch, clock) for _ in range(options.connections)]
    viewers = [
        Viewer(options.url, f"fleet-{number % options.tasks}", chance)
        for number in range(options.viewers)
    ]
    running = [asyncio.create_task(sender.run()) for sender in senders]
    running += [asyncio.create_task(viewer.run()) for viewer in viewers]
    while clock() < options.duration:
        for event in fleet.take(clock()):
            # The events of a job stay in their order.
            senders[event.task % len(senders)].add(event)
        await asyncio.sleep(TICK_S)
        for task in running:
            if task.done():
                task.result()
    lasted = clock()
    print(f"waiting at the end: {sum(sender.waiting for sender in senders)}", flush=True)
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            await asyncio.gather(*(sender.idle.wait() for sender in senders))
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return senders, viewers, lasted


def percentiles(values: Iterable[float]) -> str:
    """The median, 95 %, 99 % and the largest, in milliseconds."""
    found = sorted(values)
    if not found:
        return "none"
    shares = ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"), (1.0, "largest"))
    return ", ".join(
        f"{name} {1000 * found[round(share * (len(found) - 1))]:,.0f} ms" for share, name in shares
    )


def lost_events(url: str, acknowledged: Counter[int]) -> int:
    """How many acknowledged events are not in the database."""
    missing = 0
    with closing(Client(url)) as client:
        for task, number in acknowledged.items():
            answer = orjson.loads(client.ask(STORED, name=f"fleet-{task}"))
            missing += max(0, number - answer["data"]["task"]["events"]["totalCount"])
    return missing


def main() -> None:
    """Create the tasks, run the fleet, and report."""
    options = parse()
    alive = options.jobs // options.tasks
    array = {"name": PROCESS, "jobCount": ROOM * alive, "beatInterval": options.beat}
    for number in range(options.tasks):
        create(options.url, f"fleet-{number}", array)
    senders, viewers, lasted = uvloop.run(run(options))
    acknowledged: Counter[int] = Counter()
    for sender in senders:
        acknowledged += sender.acknowledged
    total = acknowledged.total()
    print(f"{options.jobs} jobs in {options.tasks} tasks, {lasted:.0f} s")
    print(f"events: {total} acknowledged, {total / lasted:,.0f} a second")
    print(
        f"bytes of a request for an event: {sum(s.body_bytes for s in senders) / max(total, 1):.0f}"
    )
    print(f"from due to acknowledged: {percentiles(d for s in senders for d in s.delays)}")
    print(f"requests that were sent again: {sum(sender.retries for sender in senders)}")
    pages = [seconds for viewer in viewers for seconds in viewer.page_times]
    print(f"pages of the list: {len(pages)}; {percentiles(pages)}")
    print(f"snapshots pushed: {sum(viewer.pushes for viewer in viewers)}")
    lost = lost_events(options.url, acknowledged)
    print(f"acknowledged events that are missing: {lost}")
    raise SystemExit(lost > 0)


if __name__ == "__main__":
    main()
