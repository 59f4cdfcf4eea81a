"""Runs a fleet of virtual jobs against servers, and checks that no acknowledged event is lost.

The tasks are named ``fleet-0``, ``fleet-1`` …, and must not exist. The variable ``LAMIA_TOKEN``
has the credential, if the servers want one.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from contextlib import closing
from pathlib import Path

import uvloop

from bench.events import CREATE
from bench.fleet.jobs import Fleet
from bench.fleet.lives import Lives, measure, read_known
from bench.fleet.run import Run
from bench.fleet.servers import Servers
from bench.fleet.sizes import Sizes
from bench.http_client import Client, operation
from lamia_gql.commands.wfformat import read_execution
from lamia_gql.server.open_files import raise_file_limit

RECORDED = Path(__file__).parents[3] / "shared" / "data"
"""Where recorded executions may be, beside the repository."""


def parse() -> argparse.Namespace:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    add = parser.add_argument
    add("urls", metavar="URL", nargs="+", help="the address of a server, or of a balancer")
    add("--jobs", type=int, default=10_000, help="how many run at once (default: 10000)")
    add("--tasks", type=int, default=100, help="how many tasks they belong to (default: 100)")
    add("--beat", type=float, default=60.0, metavar="S", help="seconds between two beats of a job")
    add("--duration", type=float, default=120.0, metavar="S", help="how long it runs, in seconds")
    add("--run", type=float, default=1200.0, metavar="S", help="how long half of the jobs run")
    add("--batch", type=int, default=1, help="events of a request at most (default: 1)")
    add("--connections", type=int, default=64, help="connections that send events (default: 64)")
    add("--fresh", action="store_true", help="each request has a connection of its own")
    add("--viewers", type=int, default=100, help="people who look (default: 100)")
    add("--followers", type=int, default=10, help="programs that get all events of a task")
    add(
        "--executions",
        nargs="+",
        default=sorted(RECORDED.glob("*.json")),
        metavar="FILE",
        help="recorded executions in WfFormat, by which jobs live",
    )
    add("--database", metavar="URL", help="the PostgreSQL, to see how much it grows")
    add("--acknowledged", metavar="FILE", help="keeps the acknowledged events, as lines of JSON")
    add("--seed", type=int, default=1, help="the source of chance (default: 1)")
    return parser.parse_args()


def main() -> None:
    """Create the tasks, run the fleet, and report."""
    options = parse()
    raise_file_limit()
    chance = random.Random(options.seed)  # noqa: S311  (no secret)
    recorded = [measure(read_execution(str(path))) for path in options.executions]
    lives = Lives(recorded or read_known(), options.run, chance)
    fleet = Fleet(options.tasks, options.jobs // options.tasks, lives, options.beat, chance)
    servers = Servers(options.urls, os.environ.get("LAMIA_TOKEN"))
    with closing(Client(servers.url)) as client:
        for number in range(options.tasks):
            task = {"name": f"fleet-{number}", "processes": [fleet.array]}
            client.send(servers.request(operation(CREATE, input=task)))
    before = Sizes.read(options.database) if options.database else None
    with (
        open(options.acknowledged, "w+b") if options.acknowledged else tempfile.TemporaryFile()
    ) as file:
        run = Run(options, servers, fleet, file, chance)
        uvloop.run(run.live())
        print(run.report(), flush=True)
        if before is not None:
            after = Sizes.read(options.database)
            print(f"bytes of other tables for a job: {after.growth_by_job(before)}")
            grown = after.growth(before, len(run.ledger.delays))
            print(f"bytes in the database for an event: {grown}", flush=True)
        lost = run.ledger.missing(servers)
    print(f"acknowledged events that are missing: {lost}")
    raise SystemExit(lost > 0 or run.has_failed)


if __name__ == "__main__":
    main()
