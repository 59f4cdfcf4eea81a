"""Measuring several things in turn, so that a busy machine disturbs all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from bench.environment import Scale
from bench.http_client import Client
from bench.load import Load

WARM_UP_ANSWERS = 5


@dataclass(frozen=True)
class Comparison:
    """The values of several measurements, of each round."""

    rounds: Sequence[Sequence[float]]

    def median(self, place: int) -> float:
        """The median of a measurement over all rounds."""
        return statistics.median(values[place] for values in self.rounds)

    def ratio(self, place: int, other: int) -> float:
        """The median of the ratios of two measurements in the same round."""
        return statistics.median(values[place] / values[other] for values in self.rounds)


def in_turn(rounds: int, *measurements: Callable[[], float]) -> Comparison:
    """Measure one after the other, for so many rounds."""
    return Comparison([[measure() for measure in measurements] for _ in range(rounds)])


def median_ms(ask: Callable[[], object], number: int) -> float:
    """The median time of so many calls, in milliseconds, after a few to warm up."""
    for _ in range(WARM_UP_ANSWERS):
        ask()
    times = []
    for _ in range(number):
        begin = time.perf_counter()
        ask()
        times.append(time.perf_counter() - begin)
    return 1000 * statistics.median(times)


def answers_ms(url: str, query: str, number: int) -> float:
    """The median time of so many answers to a query, in milliseconds."""
    # A connection of its own: servers close one that is idle while something else is measured.
    with closing(Client(url)) as client:
        return median_ms(partial(client.ask, query), number)


def compare_loads(scale: Scale, *loads: Load) -> Comparison:
    """Compare the rates of loads."""
    return in_turn(scale.rounds, *(partial(load.rate, scale.load_s) for load in loads))
