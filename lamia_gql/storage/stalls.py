"""Whether a process has stalled as SQL, by the rules of :mod:`lamia_gql.domain.throughput`.

A statement with it has the parameter ``now``. On SQLite, this is rounded to a second.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    and_,
    case,
    cast,
    exists,
    extract,
    func,
    select,
)
from sqlalchemy.orm import aliased

from lamia_gql.domain.progress import FINISHED
from lamia_gql.domain.throughput import MIN_STALL_S, STALL_SHARE
from lamia_gql.domain.usage_sketch import MOST_JOBS, MS_PER_S, STRAGGLER, Measure
from lamia_gql.storage.models import Sample, Usage
from lamia_gql.storage.relative_time import NOW


def is_stalled(process: Any) -> ColumnElement[bool]:
    """Whether jobs of a process run, but nothing has ended or progressed for too long.

    ``process`` is an alias of the table.
    """
    now = cast(extract("epoch", NOW), Float)
    # Most processes have just worked: for them, nothing else is read.
    before: Any = aliased(Sample)
    is_silent = (
        select(_has_work_of(process, before))
        .where(_is_of(process, before), before.at <= cast(now - MIN_STALL_S, BigInteger))
        .order_by(before.at.desc())
        .limit(1)
        .correlate(process)
        .scalar_subquery()
    )
    changed: Any = aliased(Sample)
    silence = now - changed.at - process.sample_step
    is_longer_than_usual = exists(
        select(changed.at)
        .where(
            _is_of(process, changed),
            changed.at == _changed_at(process),
            silence > MIN_STALL_S,
            func.coalesce(
                _is_longer_than_most(process, changed, silence),
                (process.reporting > 0)
                & (silence > STALL_SHARE * (now - silence - _begun_at(process))),
            ),
        )
        .correlate(process)
    )
    is_at_work = (process.running > 0) & process.state.not_in(sorted(FINISHED))
    return case((is_at_work & is_silent, is_longer_than_usual), else_=False)


def _is_of(process: Any, row: Any) -> ColumnElement[bool]:
    return and_(row.task_id == process.task_id, row.process_number == process.number)


def _has_work_of(process: Any, sample: Any) -> ColumnElement[bool]:
    """Whether jobs ran at the time of a sample, and nothing has ended or progressed since."""
    return and_(
        sample.running > 0,
        sample.done == process.done,
        sample.failed == process.failed,
        sample.terminated == process.terminated,
        sample.progress_sum == process.progress_sum,
    )


def _changed_at(process: Any) -> ColumnElement[int]:
    """The first of the last samples that have the work of a process."""
    other: Any = aliased(Sample)
    last_other = (
        select(other.at)
        .where(_is_of(process, other), ~_has_work_of(process, other))
        .order_by(other.at.desc())
        .limit(1)
        .correlate(process)
        .scalar_subquery()
    )
    same: Any = aliased(Sample)
    found: ColumnElement[int] = (
        select(same.at)
        .where(_is_of(process, same), same.at > func.coalesce(last_other, -1))
        .order_by(same.at)
        .limit(1)
        .correlate(process)
        .scalar_subquery()
    )
    return found


def _begun_at(process: Any) -> ColumnElement[int]:
    first: Any = aliased(Sample)
    found: ColumnElement[int] = (
        select(func.min(first.at)).where(_is_of(process, first)).correlate(process)
    ).scalar_subquery()
    return found


def _is_longer_than_most(
    process: Any, changed: Any, silence: ColumnElement[float]
) -> ColumnElement[bool]:
    """Whether a silence since a sample is as long as a straggler runs; NULL if no job is DONE.

    The quantile of the durations is less than a limit where that share of them is in buckets whose
    means are less.
    """
    usage: Any = aliased(Usage)
    limit_ms = silence * (MS_PER_S / STRAGGLER)
    below = func.sum(case((usage.total < limit_ms * usage.jobs, usage.jobs), else_=0))
    found: ColumnElement[bool] = (
        select(below >= MOST_JOBS * cast(func.sum(usage.jobs), Float))
        # Jobs that run again were taken out of their buckets.
        .where(_is_of(process, usage), usage.measure == Measure.DURATION, usage.jobs > 0)
        .correlate(process, changed)
        .scalar_subquery()
    )
    return found
