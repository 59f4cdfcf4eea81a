"""The history of a process or task at evenly spaced times."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from lamia_gql.domain.counters import Counters
from lamia_gql.domain.progress import process_ratio, task_ratio
from lamia_gql.storage.queries.samples import SampleRow, sample_time
from lamia_gql.storage.rows import ProcessRow


class Point(NamedTuple):
    """Job counts and progress at one time."""

    at: datetime
    pending: int
    counters: Counters
    ratio: float | None


def process_timeline(
    process: ProcessRow, samples: Sequence[SampleRow], points: int, now: datetime
) -> list[Point]:
    """The history of one process, in ``points`` points; empty without samples."""
    found = []
    for at in _times([samples], [process], points, now):
        counters = _counters_at(samples, at)
        ratio = process_ratio(process, counters)
        found.append(_point(at, process.job_count, [counters], ratio))
    return found


def task_timeline(
    processes: Sequence[ProcessRow],
    samples: Sequence[Sequence[SampleRow]],
    points: int,
    now: datetime,
) -> list[Point]:
    """The history of all processes of a task together, in ``points`` points."""
    found = []
    job_count = sum(process.job_count for process in processes)
    for at in _times(samples, processes, points, now):
        counters = [_counters_at(history, at) for history in samples]
        ratio = task_ratio(
            (process_ratio(process, counted), counted.done, process.job_count)
            for process, counted in zip(processes, counters, strict=True)
        )
        found.append(_point(at, job_count, counters, ratio))
    return found


def _times(
    samples: Sequence[Sequence[SampleRow]],
    processes: Sequence[ProcessRow],
    points: int,
    now: datetime,
) -> list[datetime]:
    """Evenly spaced times from the first sample to the last one, or to now if any process runs."""
    known = [history for history in samples if history]
    if not known:
        return []
    begin = sample_time(min(history[0].at for history in known))
    end = sample_time(max(history[-1].at for history in known) + 1)
    if any(process.finished_at is None for process in processes):
        end = max(end, now)
    step = (end - begin) / (points - 1)
    return [begin + step * place for place in range(points - 1)] + [end]


def _counters_at(samples: Sequence[SampleRow], at: datetime) -> Counters:
    place = bisect_right(samples, at.timestamp(), key=lambda sample: sample.at)
    return samples[place - 1].counters if place else Counters()


def _point(
    at: datetime, job_count: int, processes: Sequence[Counters], ratio: float | None
) -> Point:
    total = Counters()
    for counters in processes:
        total.submitted += counters.submitted
        total.running += counters.running
        total.done += counters.done
        total.failed += counters.failed
        total.terminated += counters.terminated
        total.held += counters.held
    pending = job_count - (total.submitted + total.held + total.running + total.ended)
    return Point(at, pending, total, ratio)
