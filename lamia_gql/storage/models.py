"""The tables.

The keys of processes, jobs, events and samples start with the task. PostgreSQL has jobs, events and
samples in partitions by it (see ``partitions``). No foreign key leads from them to their process
there: it would be looked for with each row, and to drop a partition would lock all processes. They
need none: what is stored for a task is stored under the lock of its row, and what a deleted task
has is removed before the task.

A job without events has no row: an array of a million jobs starts as one row. Events are numbered
within their task (``seq``) under the lock of the task's row, so the order of the numbers is the
order of the commits, whichever server wrote them. Old BEATs may be thinned (see
``ingest/thinning.py``); their numbers are not used again.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from lamia_gql.domain.lifecycle import EventClass, JobState
from lamia_gql.domain.progress import ProcessKind, State
from lamia_gql.domain.usage_sketch import Measure
from lamia_gql.storage.base import Base
from lamia_gql.storage.column_types import ExactInteger, UUIDText
from lamia_gql.storage.constraints import one_of

_DELETED = text("deleted_at IS NOT NULL")
_RUNNING = text("state = 'RUNNING'")
_FAILED = text("state IN ('FAILED', 'TERMINATED')")
_BY_TASK = {"postgresql_partition_by": "RANGE (task_id)"}


def _of_process() -> ForeignKeyConstraint:
    """The key to the process, which goes with its rows; on SQLite only."""
    return ForeignKeyConstraint(
        ["task_id", "process_number"], ["process.task_id", "process.number"], ondelete="CASCADE"
    ).ddl_if(dialect="sqlite")


class Task(Base):
    """A set of processes under one name, with the totals of its processes."""

    __tablename__ = "task"
    __table_args__ = (
        one_of("state", State),
        Index("ix_task_received_at_id", "received_at", "id"),
        Index("ix_task_submitted_at_id", "submitted_at", "id"),
        Index("ix_task_state_id", "state", "id"),
        Index("ix_task_username_id", "username", "id"),
        Index("ix_task_finished_at_id", "finished_at", "id"),
        Index("ix_task_last_event_at_id", "last_event_at", "id"),
        # Partial, or SQLite would use it for lists of tasks that are not deleted, and sort them.
        Index("ix_task_deleted", "id", sqlite_where=_DELETED, postgresql_where=_DELETED),
        # An id is never used twice, so that an old link never shows another task.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    name: Mapped[str | None] = mapped_column(String(255), unique=True)
    """Null once deleted: the name is free again before the rows are removed."""
    owner: Mapped[str | None] = mapped_column(String(255))
    """Who created it, by the credential; null where the server is open to all."""
    token_generation: Mapped[int] = mapped_column(default=0, server_default="0")
    """Job tokens of earlier generations are revoked."""
    username: Mapped[str | None]
    email: Mapped[str | None]
    comment: Mapped[str | None]
    submitted_at: Mapped[datetime]
    received_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    hostname: Mapped[str | None]
    client_address: Mapped[str | None]
    config: Mapped[str | None]
    """JSON text."""
    dependencies: Mapped[str | None]
    """JSON text; never interpreted."""
    last_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    """The number of the task's latest event, which is always there; earlier ones may be thinned."""
    state: Mapped[str] = mapped_column(String(16), default=State.PENDING)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    last_event_at: Mapped[datetime | None]
    events: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """How many events the task has."""
    thinned_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The number of the event up to which BEATs were thinned; behind it, no number is left out."""
    notify: Mapped[int | None] = mapped_column(Integer)
    """A bit for each occasion on which its address gets an e-mail, in the order of ``Occasion``;
    null for the setting ``notify_on``."""
    notifications: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """How many there have been."""
    silent_seq: Mapped[int | None] = mapped_column(BigInteger)
    """The number of its latest event when it was last found silent."""


class Tag(Base):
    """A tag of a task."""

    __tablename__ = "tag"
    __table_args__ = (Index("ix_tag_name_task_id", "name", "task_id"), {"sqlite_with_rowid": False})

    task_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(255), primary_key=True)


class Process(Base):
    """A process of a task, array or solitary, with the counters of its jobs."""

    __tablename__ = "process"
    __table_args__ = (
        UniqueConstraint("task_id", "name"),
        one_of("kind", ProcessKind),
        one_of("state", State),
        CheckConstraint("job_count >= 1", name="job_count"),
        CheckConstraint("first_index >= 0", name="first_index"),
        CheckConstraint(
            "failure_tolerance >= 0 AND failure_tolerance <= job_count", name="failure_tolerance"
        ),
        CheckConstraint("kind = 'ARRAY' OR (job_count = 1 AND first_index = 0)", name="solitary"),
        CheckConstraint("threshold > 0", name="threshold"),
        CheckConstraint("beat_interval > 0", name="beat_interval"),
        CheckConstraint(
            "submitted >= 0 AND running >= 0 AND done >= 0 AND failed >= 0 AND terminated >= 0"
            " AND submitted + running + done + failed + terminated <= job_count",
            name="counters",
        ),
        CheckConstraint("held >= 0 AND held <= job_count", name="held"),
    )

    task_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """The position in the task, from 0."""
    name: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(16))
    job_count: Mapped[int] = mapped_column(Integer)
    first_index: Mapped[int] = mapped_column(Integer)
    failure_tolerance: Mapped[int] = mapped_column(Integer)
    threshold: Mapped[float | None]
    beat_interval: Mapped[float | None]

    submitted: Mapped[int] = mapped_column(Integer, default=0)
    running: Mapped[int] = mapped_column(Integer, default=0)
    done: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    terminated: Mapped[int] = mapped_column(Integer, default=0)
    reporting: Mapped[int] = mapped_column(Integer, default=0)
    progress_sum: Mapped[int] = mapped_column(ExactInteger, default=0)
    """A progress of 1 is ``counters.UNIT``."""
    state: Mapped[str] = mapped_column(String(16), default=State.PENDING)
    events: Mapped[int] = mapped_column(BigInteger, default=0)
    event_classes: Mapped[int] = mapped_column(Integer, default=0)
    """A bit for each class of event ever received, in the order of ``EventClass``."""
    started_at: Mapped[datetime | None]
    """The time of the first STARTED."""
    last_ended_at: Mapped[datetime | None]
    """The time of the latest DONE, FAILED or TERMINATED."""
    last_event_at: Mapped[datetime | None]
    last_event_id: Mapped[str | None] = mapped_column(UUIDText)
    last_event_class: Mapped[str | None] = mapped_column(String(16))
    sample_step: Mapped[int] = mapped_column(Integer, default=1)
    """Seconds between two samples; doubles as the history grows."""
    sampled_since: Mapped[int | None] = mapped_column(BigInteger)
    """The time of the first sample, in seconds since 1970."""
    held: Mapped[int] = mapped_column(Integer, default=0, server_default="0")


class Job(Base):
    """A job that has events: their summary (see ``lifecycle``)."""

    __tablename__ = "job"
    __table_args__ = (
        _of_process(),
        one_of("state", [state for state in JobState if state is not JobState.PENDING]),
        Index("ix_job_state", "task_id", "process_number", "state", "job_index"),
        # Partial, or PostgreSQL without statistics uses it to find single jobs, and reads the whole
        # array for each.
        Index(
            "ix_job_alive_at",
            "task_id",
            "process_number",
            "alive_at",
            sqlite_where=_RUNNING,
            postgresql_where=_RUNNING,
        ),
        # Failures are grouped from it alone.
        Index(
            "ix_job_failure",
            *("task_id", "process_number", "exit_code", "signal", "message_key", "seen_hostname"),
            *("closed_at", "state", "job_index"),
            sqlite_where=_FAILED,
            postgresql_where=_FAILED,
        ),
        {"sqlite_with_rowid": False, **_BY_TASK},
    )

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    process_number: Mapped[int] = mapped_column(Integer, primary_key=True)
    job_index: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    progress: Mapped[float | None]
    events: Mapped[int] = mapped_column(Integer)
    starts: Mapped[int] = mapped_column(Integer)
    reported: Mapped[bool]
    opened_attempt: Mapped[int | None] = mapped_column(Integer)
    opened_at: Mapped[datetime | None]
    started_attempt: Mapped[int | None] = mapped_column(Integer)
    started_at: Mapped[datetime | None]
    closed_attempt: Mapped[int | None] = mapped_column(Integer)
    closed_at: Mapped[datetime | None]
    closed_id: Mapped[str | None] = mapped_column(UUIDText)
    closed_class: Mapped[str | None] = mapped_column(String(16))
    reading_attempt: Mapped[int | None] = mapped_column(Integer)
    reading_at: Mapped[datetime | None]
    reading_id: Mapped[str | None] = mapped_column(UUIDText)
    reading_value: Mapped[float | None]
    alive_attempt: Mapped[int | None] = mapped_column(Integer)
    alive_at: Mapped[datetime | None]
    seen_attempt: Mapped[int] = mapped_column(Integer)
    seen_at: Mapped[datetime]
    seen_id: Mapped[str] = mapped_column(UUIDText)
    seen_class: Mapped[str] = mapped_column(String(16))
    seen_hostname: Mapped[str | None]
    held_attempt: Mapped[int | None] = mapped_column(Integer)
    held_at: Mapped[datetime | None]
    details: Mapped[str | None]
    """JSON text: what its events tell beside that, and its submissions."""
    exit_code: Mapped[int | None] = mapped_column(Integer)
    """This and the following columns are those of the details that hold now."""
    signal: Mapped[str | None]
    message: Mapped[str | None]
    message_key: Mapped[int | None] = mapped_column(BigInteger)
    """Equal for messages of the same form; only of jobs that have failed."""
    batch_id: Mapped[str | None]
    usage: Mapped[str | None]
    """JSON text."""


class Event(Base):
    """One message of a job, as it was received."""

    __tablename__ = "event"
    __table_args__ = (
        _of_process(),
        UniqueConstraint("task_id", "id"),
        one_of("event_class", EventClass),
        CheckConstraint("progress >= 0", name="progress"),
        CheckConstraint("attempt >= 0", name="attempt"),
        Index("ix_event_job", "task_id", "process_number", "job_index", "seq"),
        Index("ix_event_process", "task_id", "process_number", "seq"),
        _BY_TASK,
    )

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(UUIDText)
    """The client's id of the event, or a generated one."""
    process_number: Mapped[int] = mapped_column(Integer)
    job_index: Mapped[int] = mapped_column(Integer)
    event_class: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(Integer)
    sent_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    progress: Mapped[float | None]
    payload: Mapped[str | None]
    """JSON text."""
    hostname: Mapped[str | None]
    client_address: Mapped[str | None]
    details: Mapped[str | None]
    """JSON text: what else the event tells about its job, like an exit code."""


class Usage(Base):
    """The jobs in one bucket of what they used: see ``usage_sketch``."""

    __tablename__ = "usage"
    __table_args__ = (
        ForeignKeyConstraint(
            ["task_id", "process_number"], ["process.task_id", "process.number"], ondelete="CASCADE"
        ),
        one_of("measure", Measure),
        {"sqlite_with_rowid": False},
    )

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    process_number: Mapped[int] = mapped_column(Integer, primary_key=True)
    measure: Mapped[str] = mapped_column(String(16), primary_key=True)
    bucket: Mapped[int] = mapped_column(Integer, primary_key=True)
    jobs: Mapped[int] = mapped_column(Integer)
    total: Mapped[int] = mapped_column(BigInteger)


class Sample(Base):
    """The counters of a process at one time. Its samples are its history, of bounded length."""

    __tablename__ = "sample"
    __table_args__ = (
        _of_process(),
        {"sqlite_with_rowid": False, **_BY_TASK},
    )

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    process_number: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """The begin of the interval, in seconds since 1970; a multiple of the process' step."""
    submitted: Mapped[int] = mapped_column(Integer)
    running: Mapped[int] = mapped_column(Integer)
    done: Mapped[int] = mapped_column(Integer)
    failed: Mapped[int] = mapped_column(Integer)
    terminated: Mapped[int] = mapped_column(Integer)
    reporting: Mapped[int] = mapped_column(Integer)
    progress_sum: Mapped[int] = mapped_column(ExactInteger)
    held: Mapped[int] = mapped_column(Integer, server_default="0")
