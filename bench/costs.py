"""Measures what an event takes of a server and of PostgreSQL, while a fleet reports to them.

    .venv/bin/python -m bench.costs [OPTION …]

The options are those of ``bench.fleet``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from bench.databases import PostgresCluster
from bench.environment import cache_folder
from bench.server import serving

LAST = "bytes in the database for an event"
"""What a fleet reports last of its run. Then it sends the events again."""


def main() -> None:
    """Run a fleet against a server on an empty database."""
    cluster = PostgresCluster(cache_folder() / "postgresql")
    try:
        with cluster.empty() as database, serving(database) as server:
            options = [server.url, f"--database={database}", *sys.argv[1:]]
            each = _spend(options, (server.cpu_s, cluster.cpu_s))
    finally:
        cluster.stop()
    print(f"CPU time for an event: server {each[0]:,.0f} µs, PostgreSQL {each[1]:,.0f} µs")
    print(f"load: {os.getloadavg()[0]:.1f}")


def _spend(options: Sequence[str], clocks: Sequence[Callable[[], float]]) -> list[float]:
    """By how much clocks advance while a fleet runs, in microseconds for each event."""
    before = [clock() for clock in clocks]
    command = [sys.executable, "-m", "bench.fleet", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as fleet:
        assert fleet.stdout is not None
        found, after = {}, before
        for line in fleet.stdout:
            print(line, end="", flush=True)
            name, _, value = line.partition(": ")
            found[name] = value
            if name == LAST:
                after = [clock() for clock in clocks]
    assert fleet.returncode == 0, found
    events = int(found["events"].split()[0].replace(",", ""))
    return [1e6 * (now - then) / events for now, then in zip(after, before, strict=True)]


if __name__ == "__main__":
    main()
