"""What `lamia-job run` costs a program of ten seconds, with a server that answers.

Each round runs the program bare, and wrapped with a beat a second. Quoted are the medians of the
differences, as time and as time of the processor; the load tells what else the machine has to do.

    PYTHONPATH=. .venv/bin/python bench/overhead.py [rounds]
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

SECONDS = 10
PROGRAM = ["sh", "-c", f"date +%s%N; sleep {SECONDS}; date +%s%N"]


def run(environ: dict[str, str], *prefix: str) -> tuple[float, float, float]:
    """Milliseconds until the program begins, and after its end; and of the processor."""
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
    """Print the table."""
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
    print(f"{rounds} rounds of {SECONDS} s, load {os.getloadavg()[0]:.1f}; median (all), in ms")
    for what, values in (
        ("before the program", [start for start, _end, _cpu in extra]),
        ("after it", [end for _start, end, _cpu in extra]),
        ("together", totals),
        ("of the processor", [cpu for _start, _end, cpu in extra]),
    ):
        every = " ".join(f"{value:.0f}" for value in sorted(values))
        print(f"{what:20} {statistics.median(values):6.1f}  ({every})")
    share = statistics.median(totals) / 10 / SECONDS
    print(f"overhead             {share:6.2f} %")


if __name__ == "__main__":
    main()
