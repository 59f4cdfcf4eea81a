"""When the jobs of a recorded execution were ready, and when they started."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

STEPS = 50
"""How often the interval of the pace is halved: no more can be seen in a float."""


class Times(NamedTuple):
    """When a job's parents had ended, and when it started, in seconds since the beginning."""

    ready: float
    start: float


class UnorderedError(Exception):
    """The jobs wait for one another in a cycle, or for one that is not there; a sentence."""


def replay_times(
    parents: Mapping[str, Sequence[str]],
    runtimes: Mapping[str, float],
    starts: Mapping[str, float],
    makespan: float | None,
) -> dict[str, Times]:
    """The times of each job.

    Where the starts of all jobs are known, they are used. Otherwise a job starts when its parents
    have ended, but the jobs go to the machines one after the other, at an even pace: the one by
    which the last job ends at the recorded makespan. Without a makespan, or with one that is
    shorter than the longest chain of jobs, none waits.

    Args:
        parents: the jobs that each job waits for.
        runtimes: how long each job ran, in seconds.
        starts: when jobs started, in seconds since the beginning of the execution.
        makespan: how long the execution took, in seconds.

    Raises :class:`UnorderedError`.
    """
    order = _topological_order(parents)
    if all(job in starts for job in order):
        return {
            job: Times(min(_ready(job, parents, starts, runtimes), starts[job]), starts[job])
            for job in order
        }
    pace = 0.0
    if makespan is not None and len(order) > 1:
        low, high = 0.0, 2 * makespan / (len(order) - 1)
        for _ in range(STEPS):
            pace = (low + high) / 2
            if _end(_released(order, parents, runtimes, pace), runtimes) > makespan:
                high = pace
            else:
                low = pace
        pace = low
    return _released(order, parents, runtimes, pace)


def _released(
    order: Sequence[str],
    parents: Mapping[str, Sequence[str]],
    runtimes: Mapping[str, float],
    pace: float,
) -> dict[str, Times]:
    """The times if the jobs go to the machines in this order, ``pace`` seconds apart."""
    starts: dict[str, float] = {}
    times = {}
    for place, job in enumerate(order):
        ready = _ready(job, parents, starts, runtimes)
        starts[job] = max(ready, place * pace)
        times[job] = Times(ready, starts[job])
    return times


def _ready(
    job: str,
    parents: Mapping[str, Sequence[str]],
    starts: Mapping[str, float],
    runtimes: Mapping[str, float],
) -> float:
    return max((starts[parent] + runtimes[parent] for parent in parents[job]), default=0.0)


def _end(times: Mapping[str, Times], runtimes: Mapping[str, float]) -> float:
    return max((time.start + runtimes[job] for job, time in times.items()), default=-math.inf)


def _topological_order(parents: Mapping[str, Sequence[str]]) -> list[str]:
    """The jobs, each after its parents, by Kahn's algorithm."""
    children: dict[str, list[str]] = {job: [] for job in parents}
    waits = {job: len(found) for job, found in parents.items()}
    for job, found in parents.items():
        for parent in found:
            if parent not in children:
                raise UnorderedError(f"{job} waits for {parent}, which is not in it.")
            children[parent].append(job)
    order = [job for job, number in waits.items() if number == 0]
    for job in order:
        for child in children[job]:
            waits[child] -= 1
            if waits[child] == 0:
                order.append(child)
    if len(order) != len(parents):
        raise UnorderedError("its tasks wait for one another in a cycle.")
    return order
