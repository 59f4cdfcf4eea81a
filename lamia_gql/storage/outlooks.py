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
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from lamia_gql.domain.liveness import LOST_BEATS
from lamia_gql.domain.progress import FINISHED, Outlook, State
from lamia_gql.storage.column_types import UTCDateTime
from lamia_gql.storage.models import Job, Process, Task
from lamia_gql.storage.queries.job_states import is_running

LONGEST_INTERVAL_S = literal_column("6e8", Float())
"""A longer beat interval counts as one of 19 years: five of some that can be stored are no time, or
no number."""
RANKS = {
    Outlook.ON_TRACK: (0, 1),
    Outlook.AT_RISK: (3,),
    Outlook.CANNOT_SUCCEED: (2, 4),
}
"""The ranks of the tasks with an outlook; the second one is of FAILED tasks, and of the others."""


class _LostSince(ColumnElement[Any]):
    """A job without a sign of life since then is LOST, for a beat interval in seconds.

    On SQLite, it is rounded to a millisecond.
    """

    inherit_cache = True
    type = UTCDateTime()
    _traverse_internals = [  # noqa: RUF012  (SQLAlchemy's own name and form)
        ("now", InternalTraversal.dp_clauseelement),
        ("interval", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, interval: ColumnElement[Any]) -> None:
        self.now = bindparam("now", required=False, type_=UTCDateTime())
        self.interval = interval

    @property
    def _from_objects(self) -> list[Any]:
        return [*self.interval._from_objects]


@compiles(_LostSince, "sqlite")
def _text(since: _LostSince, compiler: SQLCompiler, **options: Any) -> str:
    silence = LOST_BEATS * func.min(since.interval, LONGEST_INTERVAL_S)
    modifier = func.printf("-%f seconds", silence)
    return compiler.process(func.strftime("%Y-%m-%d %H:%M:%f", since.now, modifier), **options)


@compiles(_LostSince, "postgresql")
def _time(since: _LostSince, compiler: SQLCompiler, **options: Any) -> str:
    silence = LOST_BEATS * func.least(since.interval, LONGEST_INTERVAL_S)
    span = func.make_interval(0, 0, 0, 0, 0, 0, silence)
    return compiler.process(since.now - span, **options)


def attention() -> ColumnElement[int]:
    """How much attention a task needs: a rank.

    From the largest: an unfinished task that cannot succeed any more (4), one that is at risk (3),
    a FAILED task (2), any other unfinished one (1), and one that has SUCCEEDED (0).
    """
    return case(
        (Task.state == State.SUCCEEDED, 0),
        (Task.state == State.FAILED, 2),
        (_has_process(_cannot_succeed), 4),
        (_has_process(_is_at_risk), 3),
        else_=literal_column("1", Integer()),
    )


def has_outlook(outlooks: tuple[Outlook, ...]) -> ColumnElement[bool]:
    """Whether a task has one of these outlooks."""
    ranks = sorted(rank for outlook in set(outlooks) for rank in RANKS[outlook])
    return attention().in_(ranks)


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
    job: Any = aliased(Job)
    lost = exists(
        select(job.job_index)
        .where(
            job.task_id == process.task_id,
            job.process_number == process.number,
            is_running(job),
            # SQLite would take no interval for one of 0 s.
            interval.is_not(None),
            job.alive_at <= _LostSince(interval),
        )
        .correlate(process)
    )
    return and_(
        process.state.not_in(sorted(FINISHED)),
        or_(_failures(process) > 0, process.held > 0, and_(process.running > 0, lost)),
    )
