"""How long virtual jobs wait and run, as jobs of recorded executions did.

Writes ``lives.json`` from executions in WfFormat:

    .venv/bin/python -m bench.fleet.lives FILE … > bench/fleet/lives.json
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from lamia_gql.commands.wfformat import Execution, read_execution

KNOWN = Path(__file__).with_name("lives.json")
STEPS = 40
"""Between so many quantiles, lives are interpolated."""


class Life(NamedTuple):
    """How long a job waits before it starts, and how long it runs."""

    wait: float
    run: float


class Distribution(NamedTuple):
    """Quantiles of the waits and runs of an execution, in units of the median of its runs.

    They are at even distances, from the smallest value to the largest.
    """

    waits: Sequence[float]
    runs: Sequence[float]


def measure(execution: Execution) -> Distribution:
    """The distribution of a recorded execution."""
    runs = sorted(job.end - job.start for job in execution.jobs)
    waits = sorted(job.start - job.ready for job in execution.jobs)
    unit = statistics.median(runs)
    return Distribution(*([value / unit for value in _quantiles(each)] for each in (waits, runs)))


def read_known() -> list[Distribution]:
    """The distributions in ``lives.json``."""
    return [Distribution(**each) for each in orjson.loads(KNOWN.read_bytes()).values()]


class Lives:
    """Draws lives; each execution is as likely as the others.

    Args:
        distributions: of the executions.
        median_run_s: how long half of the jobs run at most, in seconds.
        chance: the source of chance.
    """

    def __init__(
        self, distributions: Sequence[Distribution], median_run_s: float, chance: random.Random
    ) -> None:
        self._distributions, self._unit_s, self._chance = distributions, median_run_s, chance

    def draw(self) -> Life:
        """The life of one job, in seconds."""
        waits, runs = self._chance.choice(self._distributions)
        return Life(self._unit_s * self._between(waits), self._unit_s * self._between(runs))

    def _between(self, quantiles: Sequence[float]) -> float:
        place, part = divmod(self._chance.random() * (len(quantiles) - 1), 1)
        low, high = quantiles[int(place) : int(place) + 2]
        return low + part * (high - low)


def _quantiles(values: Sequence[float]) -> Iterable[float]:
    """Those of sorted values, with the first and the last of them."""
    for step in range(STEPS + 1):
        yield values[round(step / STEPS * (len(values) - 1))]


def main() -> None:
    """Write the distributions of the files that the command names."""
    found = {}
    for path in sys.argv[1:]:
        execution = read_execution(path)
        rounded = {
            name: [round(value, 3) for value in values]
            for name, values in measure(execution)._asdict().items()
        }
        found[execution.name] = rounded
    sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main()
