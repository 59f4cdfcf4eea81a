"""Reads how fast processes work, from a few samples of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lamia_gql.domain.counters import Counters
from lamia_gql.domain.throughput import (
    LOOKBACKS,
    MIN_STALL_S,
    Past,
    Throughput,
    is_working,
    stall,
    throughput,
)
from lamia_gql.domain.usage_sketch import MOST_JOBS, MS_PER_S, Measure, quantile
from lamia_gql.graph.reads import Reads
from lamia_gql.storage.queries.samples import (
    Instant,
    SampleRow,
    read_samples,
    sample_time,
    samples_at,
)
from lamia_gql.storage.queries.usage import read_usage
from lamia_gql.storage.rows import ProcessRow

NEEDS = frozenset({"sampled_since", "sample_step"})
"""The columns that it needs, with those of progress."""


def read_throughput(reads: Reads, processes: Sequence[ProcessRow]) -> list[Throughput | None]:
    """How fast each process works; None if it has not begun, or has finished."""
    now = reads.now.timestamp()
    working = [
        (row, row.sampled_since)
        for row in processes
        if row.sampled_since is not None and row.sampled_since < now and is_working(row, row)
    ]
    if not working:
        return [None] * len(processes)
    instants = [
        Instant(row.task_id, row.number, int(now - age))
        for row, since in working
        for age in (MIN_STALL_S, *_ages(now - since))
    ]
    samples = iter(samples_at(reads.connection, instants))
    histories, idle = [], []
    for row, since in working:
        before = next(samples)
        if row.running and before is not None and _work(before.counters) == _work(row):
            idle.append(row)
        past = []
        for age in _ages(now - since):
            sample = next(samples)
            if sample is None:
                past.append(Past(age, Counters()))
            else:
                past.append(Past(max(0, min(age, now - _holds_from(row, sample))), sample.counters))
        past.append(Past(now - since, Counters()))
        histories.append(past)
    stalled = _stalled(reads, idle)
    found: dict[tuple[int, int], Throughput] = {}
    for (row, _), past in zip(working, histories, strict=True):
        key = row.task_id, row.number
        found[key] = throughput(row, row, past, stalled.get(key))
    return [found.get((row.task_id, row.number)) for row in processes]


def _holds_from(row: ProcessRow, sample: SampleRow) -> int:
    """From when on its counters hold: those before, in its interval, are not known."""
    return sample.at + row.sample_step


def _work(counters: Counters | ProcessRow) -> tuple[int, ...]:
    """What changes whenever a job ends or progresses; also one that had ended otherwise before."""
    return counters.done, counters.failed, counters.terminated, counters.progress_sum


def _ages(elapsed: float) -> list[float]:
    return [elapsed * share for share in LOOKBACKS]


def _stalled(reads: Reads, idle: Sequence[ProcessRow]) -> dict[tuple[int, int], datetime]:
    """Since when those have stalled that have, of processes without recent work."""
    if not idle:
        return {}
    keys = [(row.task_id, row.number) for row in idle]
    histories = read_samples(reads.connection, keys)
    usages = read_usage(reads.connection, keys)
    found = {}
    for row, samples, usage in zip(idle, histories, usages, strict=True):
        durations = usage.get(Measure.DURATION)
        p95_s = None if durations is None else quantile(durations, MOST_JOBS) / MS_PER_S
        if not samples or (p95_s is None and not row.reporting):
            # Nothing tells how long its jobs take.
            continue
        changed_at = _holds_from(row, samples[-1])
        for sample in reversed(samples):
            # While no job runs, there is nothing to wait for.
            if _work(sample.counters) != _work(row) or not sample.counters.running:
                break
            changed_at = _holds_from(row, sample)
        since = stall(sample_time(changed_at), sample_time(samples[0].at), p95_s, reads.now)
        if since is not None:
            found[row.task_id, row.number] = since
    return found
