"""Rows as plain tuples: the queries read them, the recorder writes them, the APIs show them.

The fields of each are columns of its table. Unpacking a tuple takes a tenth of the time of reading
a SQLAlchemy row by attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self

from sqlalchemy import ColumnElement

from lamia_gql.domain.counters import Counters
from lamia_gql.domain.lifecycle import (
    EMPTY,
    End,
    EventClass,
    LastSeen,
    Moment,
    Reading,
    Summary,
)
from lamia_gql.domain.progress import FINISHED, ProcessKind, State, process_ratio
from lamia_gql.storage.base import Base
from lamia_gql.storage.details_json import NO_DETAILS, decode_details, detail_columns
from lamia_gql.storage.models import Event, Job, Process, Task

CLASSES: dict[str, EventClass] = {event_class.value: event_class for event_class in EventClass}
"""The event classes by their names, which columns contain."""


def columns(entity: type[Base], row: type[tuple[Any, ...]]) -> list[ColumnElement[Any]]:
    """The columns of a table that are the fields of a row, in the order of the row."""
    table = entity.__table__
    names: Sequence[str] = row._fields  # type: ignore[attr-defined] # it is a NamedTuple
    return [table.c[name] for name in names]


class TaskRow(NamedTuple):
    """A row of ``task``, without its :class:`TaskJson`."""

    id: int
    name: str
    username: str | None
    email: str | None
    comment: str | None
    submitted_at: datetime
    received_at: datetime
    hostname: str | None
    client_address: str | None
    last_seq: int
    events: int
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    last_event_at: datetime | None
    notify: int | None
    owner: str | None = None
    token_generation: int = 0


class TaskJson(NamedTuple):
    """The JSON texts of a task. Each may have a megabyte, so they are read only on demand."""

    config: str | None
    dependencies: str | None


class ProcessRow(NamedTuple):
    """A row of ``process``."""

    task_id: int
    number: int
    name: str
    kind: str
    job_count: int
    first_index: int
    failure_tolerance: int
    threshold: float | None
    beat_interval: float | None
    submitted: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    terminated: int = 0
    reporting: int = 0
    progress_sum: int = 0
    state: str = State.PENDING
    events: int = 0
    event_classes: int = 0
    started_at: datetime | None = None
    last_ended_at: datetime | None = None
    last_event_at: datetime | None = None
    last_event_id: str | None = None
    last_event_class: str | None = None
    sample_step: int = 1
    sampled_since: int | None = None
    held: int = 0

    @property
    def is_array(self) -> bool:
        """Whether jobs are addressed by an index."""
        return self.kind == ProcessKind.ARRAY

    @property
    def last_index(self) -> int:
        """The index of the last job."""
        return self.first_index + self.job_count - 1

    @property
    def ratio(self) -> float | None:
        """The ratio of its progress; None where not available."""
        return process_ratio(self, self)

    @property
    def pending(self) -> int:
        """The number of jobs without any event."""
        others = self.submitted + self.running + self.done + self.failed + self.terminated
        return self.job_count - others - self.held

    @property
    def ended(self) -> int:
        """The number of jobs that have ended, with or without success."""
        return self.done + self.failed + self.terminated

    @property
    def failures(self) -> int:
        """The number of jobs that have ended without success."""
        return self.failed + self.terminated

    @property
    def finished_at(self) -> datetime | None:
        """When the process succeeded or failed: the latest end of a job.

        A threshold can be reached while jobs still run; then it is the time of the latest event.
        """
        if self.state not in FINISHED:
            return None
        # The same rule as in ``event_statements.GROUP_PROCESSES``.
        if self.threshold is not None and self.reporting and self.ended < self.job_count:
            return self.last_event_at
        return self.last_ended_at or self.last_event_at

    def counters(self) -> Counters:
        """A copy of the counters."""
        return Counters(
            self.submitted,
            self.running,
            self.done,
            self.failed,
            self.terminated,
            self.reporting,
            self.progress_sum,
            self.held,
        )


class JobRow(NamedTuple):
    """A row of ``job``. A job without events has no row: see :func:`pending_job`."""

    task_id: int
    process_number: int
    job_index: int
    state: str
    progress: float | None
    events: int
    starts: int
    reported: bool
    opened_attempt: int | None
    opened_at: datetime | None
    started_attempt: int | None
    started_at: datetime | None
    closed_attempt: int | None
    closed_at: datetime | None
    closed_id: str | None
    closed_class: str | None
    reading_attempt: int | None
    reading_at: datetime | None
    reading_id: str | None
    reading_value: float | None
    alive_attempt: int | None
    alive_at: datetime | None
    seen_attempt: int | None
    seen_at: datetime | None
    seen_id: str | None
    seen_class: str | None
    seen_hostname: str | None
    held_attempt: int | None
    held_at: datetime | None
    details: str | None
    exit_code: int | None
    signal: str | None
    message: str | None
    message_key: int | None
    batch_id: str | None
    usage: str | None

    @classmethod
    def of(cls, key: tuple[int, int, int], summary: Summary) -> Self:
        """The row of a job with this summary; ``key`` is task, process and index."""
        nothing = (None, None, None, None, None)
        state = summary.state
        return cls(
            *key,
            state,
            summary.progress,
            summary.events,
            summary.starts,
            summary.reported,
            *(summary.opened or nothing[:2]),
            *(summary.started or nothing[:2]),
            *(summary.closed or nothing[:4]),
            *(summary.reading or nothing[:4]),
            *(summary.alive or nothing[:2]),
            *(summary.seen or nothing),
            *(summary.held or nothing[:2]),
            *(detail_columns(summary, state) if summary.details else NO_DETAILS),
        )

    def summary(self) -> Summary:
        """The summary of which this is the row; the inverse of :meth:`of`."""
        if self.seen_at is None:
            return EMPTY
        assert self.seen_attempt is not None
        assert self.seen_id is not None
        assert self.seen_class is not None
        closed = reading = None
        if (
            self.closed_attempt is not None
            and self.closed_at is not None
            and self.closed_id is not None
            and self.closed_class is not None
        ):
            end = CLASSES[self.closed_class]
            closed = End(self.closed_attempt, self.closed_at, self.closed_id, end)
        if (
            self.reading_attempt is not None
            and self.reading_at is not None
            and self.reading_id is not None
            and self.reading_value is not None
        ):
            reading = Reading(
                self.reading_attempt, self.reading_at, self.reading_id, self.reading_value
            )
        return Summary(
            self.events,
            self.starts,
            self.reported,
            _moment(self.opened_attempt, self.opened_at),
            _moment(self.started_attempt, self.started_at),
            closed,
            reading,
            _moment(self.alive_attempt, self.alive_at),
            LastSeen(
                self.seen_attempt,
                self.seen_at,
                self.seen_id,
                CLASSES[self.seen_class],
                self.seen_hostname,
            ),
            _moment(self.held_attempt, self.held_at),
            *decode_details(self.details),
        )


def _moment(attempt: int | None, time: datetime | None) -> Moment | None:
    return None if attempt is None or time is None else Moment(attempt, time)


def pending_job(task_id: int, process_number: int, job_index: int) -> JobRow:
    """The row of a job without events, which the table does not have."""
    return JobRow.of((task_id, process_number, job_index), EMPTY)


class EventRow(NamedTuple):
    """A row of ``event``."""

    task_id: int
    seq: int
    id: str
    process_number: int
    job_index: int
    event_class: str
    attempt: int
    sent_at: datetime | None
    received_at: datetime
    progress: float | None
    payload: str | None
    hostname: str | None
    client_address: str | None
    details: str | None = None


TASK_COLUMNS = columns(Task, TaskRow)
TASK_JSON_COLUMNS = columns(Task, TaskJson)
PROCESS_COLUMNS = columns(Process, ProcessRow)
JOB_COLUMNS = columns(Job, JobRow)
EVENT_COLUMNS = columns(Event, EventRow)
CLASS_BITS = {event_class: 1 << place for place, event_class in enumerate(EventClass)}
"""The bit of each event class in ``process.event_classes``."""


def class_mask(classes: Iterable[EventClass]) -> int:
    """The bits of several event classes, combined."""
    mask = 0
    for event_class in classes:
        mask |= CLASS_BITS[event_class]
    return mask
