"""The counters of a process: what its jobs have come to.

The recorder changes them in the transaction of the events, by ``f(new job) - f(old job)``. Sums of
progress are exact integers (see :data:`UNIT`): sums of floats would depend on the order of the
events. Only the comparison with a threshold allows for the rounding of floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lamia_gql.domain.lifecycle import JobState, Summary

UNIT_BITS = 112
UNIT = 1 << UNIT_BITS
"""A progress of 1, as an integer in a sum. Every float from 2**-60 on is a multiple of 1 / UNIT."""
HUNDRED_PERCENT = 100 * UNIT
"""The most that a job without a threshold contributes to a sum."""
FLOAT_PRECISION = 1 << 53
"""A float has 53 significant bits: a rounded sum is off by at most 1 in this number."""
MIN_THRESHOLD = 1e-9
"""The smallest threshold: the floats that matter beside it are exact in sums."""
MAX_PROGRESS = 1e18
"""The largest progress that an event may report."""
COUNTER_NAMES = {state: state.value.lower() for state in JobState if state is not JobState.PENDING}
"""The counter of the jobs in each state."""


class JobCounters(Protocol):
    """What the jobs of a process have come to: :class:`Counters`, or the row of the process."""

    @property
    def submitted(self) -> int:
        """Jobs that wait."""

    @property
    def held(self) -> int:
        """Jobs that are held or suspended."""

    @property
    def running(self) -> int:
        """Jobs that run."""

    @property
    def done(self) -> int:
        """Jobs that ended with success."""

    @property
    def ended(self) -> int:
        """Jobs that ended, with or without success."""

    @property
    def failures(self) -> int:
        """Jobs that ended without success."""

    @property
    def reporting(self) -> int:
        """Jobs that have ever reported a non-zero progress."""

    @property
    def progress_sum(self) -> int:
        """The exact sum of the jobs' contributions; 1 is :data:`UNIT`."""


@dataclass(slots=True)
class Counters:
    """Counters of the jobs of a process. Its other jobs are pending."""

    submitted: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    terminated: int = 0
    reporting: int = 0
    """Jobs that have ever reported a non-zero progress."""
    progress_sum: int = 0
    """The exact sum of the jobs' contributions; 1 is :data:`UNIT`."""
    held: int = 0

    def change(self, old: Summary, new: Summary, threshold: float | None) -> None:
        """Replace the summary of a job, ``old``, by ``new``."""
        before, after = old.state, new.state
        if before is not after:
            self._count(before, -1)
            self._count(after, +1)
        self.reporting += new.reported - old.reported
        self.progress_sum += contribution(new, threshold) - contribution(old, threshold)

    def _count(self, state: JobState, change: int) -> None:
        if state is not JobState.PENDING:
            name = COUNTER_NAMES[state]
            setattr(self, name, getattr(self, name) + change)

    @property
    def ended(self) -> int:
        """The number of jobs that have ended, with or without success."""
        return self.done + self.failed + self.terminated

    @property
    def failures(self) -> int:
        """The number of jobs that have ended without success."""
        return self.failed + self.terminated


def to_units(value: float) -> int:
    """A number as an integer in a sum: exact, but for bits below 1 / UNIT, which are cut off."""
    numerator, denominator = value.as_integer_ratio()
    return (numerator << UNIT_BITS) // denominator


def contribution(job: Summary, threshold: float | None) -> int:
    """What a job contributes to its process' sum of progress; 1 is :data:`UNIT`.

    With a threshold it is the reported value. Without, it is a percentage: at most 100 whatever
    the job reported, and 100 for a DONE job.
    """
    if threshold is None and job.closed is not None and job.state is JobState.DONE:
        return HUNDRED_PERCENT
    value = job.progress
    if value is None:
        return 0
    units = to_units(value)
    return units if threshold is not None else min(units, HUNDRED_PERCENT)


def adds_up(progress_sum: int, reporting: int, threshold: float) -> bool:
    """Whether the numbers that ``reporting`` jobs reported add up to a threshold, as floats do.

    Three times 1/3 is 1, although the float nearest to 1/3 is less. A sum of n floats, rounded
    after each addition in any order, exceeds the exact sum by at most (n - 1) / 2**53 of it. So one
    that falls short of the threshold by at most n / 2**53 of it is enough. That also covers decimal
    numbers that add up to the threshold before they are rounded to floats.
    """
    numerator, denominator = threshold.as_integer_ratio()
    with_slack = progress_sum * (FLOAT_PRECISION + reporting)
    return with_slack * denominator >= (numerator << UNIT_BITS) * FLOAT_PRECISION
