"""Measures how fast one, two and four servers store single events of one task, or of many.

Each figure is for a number of tasks and of servers, as the commits of the database are: as they
come, or slower by some milliseconds, as those that wait for a synchronous standby are. Connections
send the next event, of a task by chance, as soon as the last one is stored; either to any server,
or always to that of its task, as the balancers of ``deploy/`` do. Where the time goes is told by
the CPU time of the servers and of PostgreSQL for an event, and by the part of a core that the load
itself takes.

    .venv/bin/python -m bench.contention [--seconds 3] [--delays 0 20] [--tasks 1 100 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import product

import psycopg
import uvloop

from bench.databases import PostgresCluster
from bench.environment import cache_folder
from bench.http_client import Connection, request
from bench.server import Server, serving
from lamia_gql.domain.settings import load
from lamia_gql.ingest.task_input import ProcessSpec, TaskSpec
from lamia_gql.ingest.tasks import create_tasks
from lamia_gql.storage.database import Database

CONNECTIONS = 128
JOBS = 1_000
SERVERS = (1, 2, 4)
CHUNK = 100
WARM_UP_S = 1.0
ROUTES = ("any", "that of the task")


@dataclass(frozen=True)
class Figures:
    """What one measurement has found."""

    per_s: float
    """Events that were stored in a second."""
    median_ms: float
    p99_ms: float
    servers_us: float
    """CPU time of all servers for an event."""
    database_us: float
    """Likewise, of PostgreSQL."""
    load_cores: float
    """How much of a core this process took."""


@contextmanager
def filled(cluster: PostgresCluster, tasks: int, delay_ms: int) -> Iterator[str]:
    """The address of a database with so many tasks, and with slow commits."""
    with cluster.temporary() as name:
        url = cluster.url(name)
        database = Database(load(database_url=url))
        for begin in range(0, tasks, CHUNK):
            specs = [
                TaskSpec(f"t{number}", [ProcessSpec("p", JOBS)])
                for number in range(begin, min(begin + CHUNK, tasks))
            ]
            database.write_blocking(create_tasks(load(), specs, datetime.now(UTC)))
        database.close()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ANALYZE")
            connection.execute(f"ALTER DATABASE {name} SET commit_siblings = 0")
            connection.execute(f"ALTER DATABASE {name} SET commit_delay = {1000 * delay_ms}")
        yield url


async def send(urls: Sequence[str], tasks: int, seconds: float, is_by_task: bool) -> list[float]:
    """Send events for so long, after a while to warm up; how long each took, in seconds."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + WARM_UP_S
    times: list[float] = []

    async def run(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 # no secret
        connections = {url: await Connection.open(url) for url in urls}
        while (sent_at := loop.time()) < begin + seconds:
            task = chance.randrange(tasks)
            url = urls[task % len(urls)] if is_by_task else chance.choice(urls)
            body = b'{"eventClass":"BEAT","arrayIndex":%d}' % chance.randrange(JOBS)
            path = f"/api/v0/t{task}/p/event"
            await connections[url].ask(request(url, path, body))
            if sent_at >= begin:
                times.append(loop.time() - sent_at)
        for connection in connections.values():
            connection.close()

    await asyncio.gather(*map(run, range(CONNECTIONS)))
    return times


def measure(
    servers: Sequence[Server],
    database: Callable[[], float],
    send_all: Callable[[], Coroutine[None, None, list[float]]],
) -> Figures:
    """Let events be sent, and see what that takes."""

    def used() -> tuple[float, float, float]:
        return sum(server.cpu_s() for server in servers), database(), time.process_time()

    before, began = used(), time.monotonic()
    times = uvloop.run(send_all())
    took, after = time.monotonic() - began, used()
    servers_s, database_s, load_s = (b - a for a, b in zip(before, after, strict=True))
    cuts = statistics.quantiles(times, n=100)
    share = (took - WARM_UP_S) / took
    return Figures(
        len(times) / (took - WARM_UP_S),
        1e3 * cuts[49],
        1e3 * cuts[98],
        1e6 * servers_s * share / len(times),
        1e6 * database_s * share / len(times),
        load_s / took,
    )


def row(tasks: int, servers: int, route: str, found: Figures) -> str:
    """A line of the table."""
    figures = (
        f"{found.per_s:,.0f} | {found.median_ms:.0f}; {found.p99_ms:.0f} ms |"
        f" {found.servers_us:.0f}; {found.database_us:.0f} µs | {found.load_cores:.1f}"
    )
    return f"| {tasks:,} | {servers} | {route} | {figures} |"


def main() -> None:
    """Measure, and print a table for each delay."""
    parser = argparse.ArgumentParser(description="Measures contention.")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--delays", type=int, nargs="+", default=[0, 20], help="milliseconds")
    parser.add_argument("--tasks", type=int, nargs="+", default=[1, 100, 10_000])
    options = parser.parse_args()
    cluster = PostgresCluster(cache_folder() / "postgresql")
    try:
        for delay_ms in options.delays:
            print(f"\nCommits take {delay_ms} ms more; load {os.getloadavg()[0]:.0f}.\n")
            print("| tasks | servers | events go to | events/s | median; p99 | CPU | load |")
            print("| --- | --- | --- | --- | --- | --- | --- |")
            for tasks in options.tasks:
                with filled(cluster, tasks, delay_ms) as url, ExitStack() as stack:
                    servers = [stack.enter_context(serving(url)) for _ in range(max(SERVERS))]
                    for number, route in product(SERVERS, ROUTES):
                        if number == 1 and route is not ROUTES[0]:
                            continue
                        used = servers[:number]
                        urls = [server.url for server in used]
                        found = measure(
                            used,
                            cluster.cpu_s,
                            partial(send, urls, tasks, options.seconds, route is ROUTES[1]),
                        )
                        print(row(tasks, number, route, found), flush=True)
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
