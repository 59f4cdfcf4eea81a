"""Measures the overhead of `lamia-job run` for a program of ten seconds.

Each round runs the program directly, and wrapped with one beat per second and an available server.
Prints the medians of the differences in time and in CPU time, and the load of the machine.

    .venv/bin/python -m bench.overhead [rounds]
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.harness import Server
from tests.support.job_side import LAMIA_JOB, ROOT, job_environment

PROGRAM_DURATION_S = 10
PROGRAM = ["sh", "-c", f"date +%s%N; sleep {PROGRAM_DURATION_S}; date +%s%N"]


def run(environ: dict[str, str], *prefix: str) -> tuple[float, float, float]:
    """Return milliseconds before the program's start, after its end, and of CPU time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.time_ns()
    done = subprocess.run(
        [*prefix, *PROGRAM], env=environ, cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    end = time.time_ns()
    first, last = map(int, done.stdout.split())
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return (first - begin) / 1e6, (end - last) / 1e6, 1000 * cpu


def main() -> None:
    """Run the rounds, and print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Server(f"sqlite:///{folder}/lamia.sqlite", folder) as server:
            server.create("t", {"name": "p"})
            environ = job_environment(server.url, folder, LAMIA_INDEX="none")
            wrapped = [*LAMIA_JOB, "run", "--beat", "1", "--"]
            subprocess.run([*wrapped, "true"], env=environ, cwd=ROOT, check=True)
            pairs = [(run(environ), run(environ, *wrapped)) for _ in range(rounds)]
    extra = [tuple(w - b for b, w in zip(*pair, strict=True)) for pair in pairs]
    totals = [start + end for start, end, _cpu in extra]
    load = os.getloadavg()[0]
    print(f"{rounds} rounds of {PROGRAM_DURATION_S} s, load {load:.1f}; median (all), in ms")
    for what, values in (
        ("before the start", [start for start, _end, _cpu in extra]),
        ("after the end", [end for _start, end, _cpu in extra]),
        ("total", totals),
        ("CPU time", [cpu for _start, _end, cpu in extra]),
    ):
        every = " ".join(f"{value:.0f}" for value in sorted(values))
        print(f"{what:20} {statistics.median(values):6.1f}  ({every})")
    share = statistics.median(totals) / 10 / PROGRAM_DURATION_S
    print(f"overhead             {share:6.2f} %")


if __name__ == "__main__":
    main()
