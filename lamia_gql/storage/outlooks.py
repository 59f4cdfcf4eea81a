"""The outlook of tasks as SQL, by the rules of :mod:`lamia_gql.domain.progress`.

A statement with it has two parameters: ``now``, at which liveness is judged, and ``beat_interval``,
that of processes that have none of their own, in seconds.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from lamia_gql.domain.liveness import LOST_BEATS
from lamia_gql.domain.progress import FINISHED, Outlook, State
from lamia_gql.storage.models import Job, Process, Task
from lamia_gql.storage.queries.job_states import is_running
from lamia_gql.storage.relative_time import Ago
from lamia_gql.storage.stalls import is_stalled

LONGEST_INTERVAL_S = literal_column("6e8", Float())
"""A longer beat interval counts as one of 19 years: five of some that can be stored are no time, or
no number."""
RECENT_S = literal_column("86400.0", Float())
"""A task that failed no longer ago needs more attention than one that runs well, in seconds; the
pages count these failures, too."""


def attention() -> ColumnElement[int]:
    """How much attention a task needs: a rank.

    From the largest: an unfinished task that cannot succeed any more (6), one that is at risk (5),
    one that has stalled (4), one that FAILED in the last 24 hours (3), any other unfinished one
    (2), one that FAILED earlier (1), and one that has SUCCEEDED (0).
    """
    return case(
        (Task.state == State.SUCCEEDED, 0),
        (and_(Task.state == State.FAILED, Task.finished_at > Ago(RECENT_S)), 3),
        (Task.state == State.FAILED, 1),
        (_has_process(_cannot_succeed), 6),
        (_has_process(_is_at_risk), 5),
        (_has_process(is_stalled), 4),
        else_=literal_column("2", Integer()),
    )


def has_outlook(outlooks: tuple[Outlook, ...]) -> ColumnElement[bool]:
    """Whether a task has one of these outlooks."""
    outlook = case(
        (Task.state == State.SUCCEEDED, Outlook.ON_TRACK),
        (Task.state == State.FAILED, Outlook.CANNOT_SUCCEED),
        (_has_process(_cannot_succeed), Outlook.CANNOT_SUCCEED),
        (_has_process(_is_at_risk), Outlook.AT_RISK),
        else_=Outlook.ON_TRACK,
    )
    return outlook.in_(sorted(set(outlooks)))


def _has_process(condition: Any) -> ColumnElement[bool]:
    process: Any = aliased(Process)
    return exists(
        select(process.number).where(process.task_id == Task.id, condition(process)).correlate(Task)
    )


def _failures(process: Any) -> Any:
    return process.failed + process.terminated


def _cannot_succeed(process: Any) -> ColumnElement[bool]:
    threshold, left = process.threshold, process.job_count - _failures(process)
    return or_(
        process.state == State.FAILED,
        and_(
            process.state != State.SUCCEEDED,
            or_(
                and_(threshold.is_(None), _failures(process) > process.failure_tolerance),
                and_(
                    threshold.is_not(None),
                    process.reporting == 0,
                    left < threshold,
                    threshold <= process.job_count,
                ),
            ),
        ),
    )


def _is_at_risk(process: Any) -> ColumnElement[bool]:
    interval = func.coalesce(
        process.beat_interval, cast(bindparam("beat_interval", required=False), Float())
    )
    shortened = case((interval < LONGEST_INTERVAL_S, interval), else_=LONGEST_INTERVAL_S)
    silence = LOST_BEATS * shortened
    job: Any = aliased(Job)
    lost = exists(
        select(job.job_index)
        .where(
            job.task_id == process.task_id,
            job.process_number == process.number,
            is_running(job),
            # SQLite would take no interval for one of 0 s.
            interval.is_not(None),
            job.alive_at <= Ago(silence),
        )
        .correlate(process)
    )
    return and_(
        process.state.not_in(sorted(FINISHED)),
        or_(_failures(process) > 0, process.held > 0, and_(process.running > 0, lost)),
    )
