"""How fast the work of a process goes now, and whether it has stalled.

Recent work counts more: it is weighted by ``exp(-age / window)``, where the window is an eighth of
the time since the first event. So the figure follows changes, and does not jump with each job.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from lamia_gql.domain.counters import Counters, JobCounters
from lamia_gql.domain.progress import (
    FINISHED,
    Outlook,
    ProcessTerms,
    process_outlook,
    process_ratio,
    process_state,
)
from lamia_gql.domain.usage_sketch import STRAGGLER

WINDOW = 1 / 8
"""The window of the weights, as a part of the time since the first event."""
LOOKBACKS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""How old the states are that are compared with the present one, as parts of that time; the state
at its begin is compared, too."""
MIN_STALL_S = 600.0
"""A process has not stalled after a shorter time without a change, in seconds."""
STALL_SHARE = 1 / 4
"""Where no duration is known: nor after a shorter part of the time before."""


class Throughput(NamedTuple):
    """How fast a process or a task works."""

    jobs: float
    """Jobs that end in a second."""
    ratio: float
    """By how much the progress ratio rises in a second."""
    stalled_since: datetime | None = None
    """Since when nothing has changed, although jobs run, for longer than it should."""


class Past(NamedTuple):
    """The counters of a process at a time in the past."""

    age: float
    """How long ago that was, in seconds."""
    counters: Counters


def throughput(
    process: ProcessTerms,
    counters: JobCounters,
    past: Sequence[Past],
    stalled_since: datetime | None,
) -> Throughput:
    """How fast a process works.

    Args:
        process: its terms.
        counters: its present counters.
        past: earlier ones, the latest first; the last ones are those of its begin.
        stalled_since: since when it has stalled, if it has.
    """
    jobs = ratio = weights = 0.0
    window = WINDOW * past[-1].age
    age, ended, reached = 0.0, counters.ended, _reached(process, counters)
    for earlier in past:
        span = earlier.age - age
        weight = math.exp(-(age + span / 2) / window)
        before = _reached(process, earlier.counters)
        # A job that runs again has not ended any more.
        jobs += weight * max(0, ended - earlier.counters.ended)
        ratio += weight * max(0.0, reached - before)
        weights += weight * span
        age, ended, reached = earlier.age, earlier.counters.ended, before
    return Throughput(jobs / weights, ratio / weights, stalled_since)


def _reached(process: ProcessTerms, counters: JobCounters) -> float:
    return min(1.0, process_ratio(process, counters) or 0.0)


def is_working(process: ProcessTerms, counters: JobCounters) -> bool:
    """Whether a process has begun, and has not finished."""
    begun = counters.running or counters.ended
    return bool(begun) and process_state(process, counters) not in FINISHED


def stall(
    changed_at: datetime, begun_at: datetime, p95_s: float | None, now: datetime
) -> datetime | None:
    """Since when a process with running jobs has stalled; None if it has not.

    Args:
        changed_at: when its counters changed last.
        begun_at: when they changed first.
        p95_s: in how many seconds 95 % of its DONE jobs were done; None if none is.
        now: the present time.
    """
    if p95_s is None:
        usual = STALL_SHARE * (changed_at - begun_at).total_seconds()
    else:
        usual = STRAGGLER * p95_s
    unchanged_s = (now - changed_at).total_seconds()
    return changed_at if unchanged_s > max(MIN_STALL_S, usual) else None


def together(processes: Iterable[tuple[ProcessTerms, Throughput | None]]) -> Throughput | None:
    """The throughput of a task, from that of its processes; None where none of them works.

    It has stalled as soon as one of its processes has.
    """
    jobs = ratio = 0.0
    total, working = 0, False
    stalled = []
    for process, found in processes:
        total += process.job_count
        if found is not None:
            working = True
            jobs += found.jobs
            ratio += found.ratio * process.job_count
            if found.stalled_since is not None:
                stalled.append(found.stalled_since)
    if not working:
        return None
    return Throughput(jobs, ratio / total, min(stalled, default=None))


def can_succeed(process: ProcessTerms, counters: JobCounters) -> bool:
    """Whether a process can still succeed."""
    return process_outlook(process, counters, has_lost=False) is not Outlook.CANNOT_SUCCEED


def jobs_per_minute(found: Throughput | None, ended: int) -> float | None:
    """The rate that is shown; None where nothing works, or none of the jobs has ended."""
    return 60 * found.jobs if found is not None and ended else None


def estimated_finish(
    ratio: float | None, found: Throughput | None, now: datetime
) -> datetime | None:
    """When the work will be done at its recent rate; None where unknown, or where it has stalled.

    Args:
        ratio: the progress ratio.
        found: how fast the work goes.
        now: the present time.
    """
    if ratio is None or found is None or ratio >= 1 or found.ratio <= 0 or found.stalled_since:
        return None
    try:
        return now + timedelta(seconds=(1 - ratio) / found.ratio)
    except OverflowError:
        return None
