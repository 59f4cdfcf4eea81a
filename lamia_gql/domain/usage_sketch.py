"""How long the jobs of a process took and what they used, as counts by size.

A job is counted in one bucket of each measure, so that a job that runs again is taken out exactly,
and the order of events does not matter. The bounds of buckets grow by a constant factor, as in the
sketches of DDSketch (https://arxiv.org/abs/1908.10693): an estimate from a bucket is within 2 % of
the value. Totals are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from lamia_gql.domain.lifecycle import ENDED, JobState, Summary

ACCURACY = 0.02
"""How far an estimate may be from the value, as a part of it."""
GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
"""The ratio of the bounds of a bucket."""
MAX_AMOUNT = 2**43
"""A larger amount counts as this: 8.8 TB, or 278 years. A million of them fit into 64 bits."""
MAX_BUCKETS = 750
"""A measure has fewer."""
MAX_BINS = 24
"""How many bins a histogram has at most."""
MOST_JOBS = 0.95
"""What most jobs of a process are: so large a part of those that are DONE."""
STRAGGLER = 1.5
"""A job that runs so many times as long as most jobs did is a straggler."""
MS_PER_S = 1000
"""Durations are counted in milliseconds."""


class Measure(StrEnum):
    """What is counted of the jobs that have ended."""

    DURATION = "DURATION"
    """How long the DONE ones ran, in milliseconds."""
    MEMORY = "MEMORY"
    """The largest memory of each, in bytes."""
    REQUESTED_MEMORY = "REQUESTED_MEMORY"
    """The memory that was requested for each, in bytes; in one bucket."""
    CPU = "CPU"
    """The CPU time of each whose allocation is known, in milliseconds; in one bucket."""
    ALLOCATED_CPU = "ALLOCATED_CPU"
    """The CPU time that it was given: its CPUs, for as long as it ran; likewise."""


class Amount(NamedTuple):
    """What a job contributes to a measure."""

    measure: Measure
    bucket: int
    amount: int


class Bucket(NamedTuple):
    """The jobs in one bucket of a measure."""

    bucket: int
    jobs: int
    total: int
    """The sum of their amounts."""


class Bin(NamedTuple):
    """A part of a histogram."""

    begin: float
    end: float
    jobs: int


def amounts(job: Summary) -> Iterator[Amount]:
    """What a job contributes: something only once it has ended."""
    if job.closed is None:
        return
    state = job.state
    if state not in ENDED:
        return
    if state is JobState.DONE and job.started is not None:
        duration = (job.closed.time - job.started.time).total_seconds()
        yield _amount(Measure.DURATION, MS_PER_S * duration)
    if not job.details:
        return
    told = job.shown_details
    if "max_rss_bytes" in told:
        yield _amount(Measure.MEMORY, told["max_rss_bytes"])
    if "requested_memory_bytes" in told:
        yield _amount(Measure.REQUESTED_MEMORY, told["requested_memory_bytes"])._replace(bucket=0)
    if all(name in told for name in ("cpu_seconds", "wall_seconds", "cpus")):
        given = MS_PER_S * told["wall_seconds"] * told["cpus"]
        yield _amount(Measure.CPU, MS_PER_S * told["cpu_seconds"])._replace(bucket=0)
        yield _amount(Measure.ALLOCATED_CPU, given)._replace(bucket=0)


def _amount(measure: Measure, value: float) -> Amount:
    amount = round(min(max(value, 0), MAX_AMOUNT))
    return Amount(measure, bucket_of(amount), amount)


def bucket_of(amount: int) -> int:
    """The bucket of an amount: 0 for 0 and 1."""
    return 0 if amount <= 1 else math.ceil(math.log(amount) / _LOG_GROWTH)


_LOG_GROWTH = math.log(GROWTH)


class UsageChanges:
    """How the buckets of a process change when jobs do."""

    __slots__ = ("buckets",)

    def __init__(self) -> None:
        self.buckets: dict[tuple[Measure, int], tuple[int, int]] = {}
        """By measure and bucket: jobs and amount that are added, or taken out if negative."""

    def change(self, old: Summary, new: Summary) -> None:
        """Replace the summary of a job, ``old``, by ``new``."""
        before, after = list(amounts(old)), list(amounts(new))
        if before != after:
            for each in before:
                self._add(each, -1)
            for each in after:
                self._add(each, +1)

    def _add(self, amount: Amount, sign: int) -> None:
        key = amount.measure, amount.bucket
        jobs, total = self.buckets.get(key, (0, 0))
        self.buckets[key] = jobs + sign, total + sign * amount.amount


def quantile(buckets: Sequence[Bucket], share: float) -> float:
    """The amount that this share of the jobs does not exceed.

    Args:
        buckets: in their order; there is at least one, and each has jobs.
        share: from 0, the least amount, to 1, the largest.
    """
    rank = max(1, math.ceil(share * sum(bucket.jobs for bucket in buckets)))
    found = next(
        bucket
        for bucket, below in zip(buckets, accumulate(b.jobs for b in buckets), strict=True)
        if below >= rank
    )
    # The mean of a bucket is between its bounds, too, and exact where all amounts are equal.
    return found.total / found.jobs


def histogram(buckets: Iterable[Bucket]) -> tuple[Bin, ...]:
    """The jobs by their amounts, in bins that follow each other and grow by a constant factor."""
    counted = {each.bucket: each.jobs for each in buckets if each.jobs}
    if not counted:
        return ()
    first, last = min(counted), max(counted)
    width = -(-(last - first + 1) // MAX_BINS)
    return tuple(
        Bin(
            _bound(begin - 1),
            _bound(begin + width - 1),
            sum(counted.get(bucket, 0) for bucket in range(begin, begin + width)),
        )
        for begin in range(first, last + 1, width)
    )


def _bound(bucket: int) -> float:
    """The largest amount of a bucket."""
    return 0.0 if bucket < 0 else GROWTH**bucket
