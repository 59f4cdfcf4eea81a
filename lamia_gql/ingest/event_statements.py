"""The statements of the write path, built once.

Those that read take the parameter ``keys`` (see :mod:`lamia_gql.storage.key_table`); those that
write take rows, as tuples (see :mod:`lamia_gql.storage.bulk_write`).
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    FromClause,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    select,
    text,
    update,
)

from lamia_gql.storage.bulk_write import (
    DependentWrites,
    bulk_add,
    bulk_insert,
    bulk_update,
    bulk_upsert,
)
from lamia_gql.storage.key_table import INT, TEXT, UUID, key_table
from lamia_gql.storage.keyed_rows import keyed_rows, of_process
from lamia_gql.storage.models import Event, Job, Process, Sample, Task, Usage
from lamia_gql.storage.rows import (
    EVENT_COLUMNS,
    PROCESS_COLUMNS,
    TASK_COLUMNS,
    EventRow,
    JobRow,
    ProcessRow,
    TaskRow,
)
from lamia_gql.storage.statement import BulkRead

PROCESS_COUNTERS = (
    "submitted",
    "running",
    "done",
    "failed",
    "terminated",
    "reporting",
    "progress_sum",
    "held",
    "state",
    "events",
    "event_classes",
    "started_at",
    "last_ended_at",
    "last_event_at",
    "last_event_id",
    "last_event_class",
)
"""The columns of a process that follow from its events."""
process_counters = attrgetter(*PROCESS_COUNTERS)
"""Their values in a row of a process."""
SAMPLED_COUNTERS = PROCESS_COUNTERS[:8]
"""The counters that a sample keeps."""
sampled_counters = attrgetter(*SAMPLED_COUNTERS)
"""Their values in a row of a process."""
TASK_COUNTS = ("last_seq", "events", "last_event_at")
"""The columns of a task that change with each of its events; they follow from the events alone."""
TASK_TOTALS = (*TASK_COUNTS, "state", "started_at", "finished_at")
"""The columns of a task that follow from its processes."""


def _lock_tasks(*, skip_locked: bool) -> Any:
    k = key_table(name=TEXT)
    return (
        select(*TASK_COLUMNS)
        .join(k, Task.name == k.c.name)
        .where(Task.deleted_at.is_(None))
        .order_by(Task.id)
        .with_for_update(of=Task, skip_locked=skip_locked)
    )


def _read_task_names() -> Any:
    k = key_table(name=TEXT)
    return select(Task.name).join(k, Task.name == k.c.name).where(Task.deleted_at.is_(None))


def _read_processes() -> Any:
    k = key_table(task=TEXT, name=TEXT)
    return (
        select(*PROCESS_COLUMNS)
        .join(Task, Task.id == Process.task_id)
        .join(k, (Task.name == k.c.task) & (Process.name == k.c.name))
        .where(Task.deleted_at.is_(None))
    )


def _read_events() -> Any:
    k = key_table(task_id=INT, id=UUID)
    return select(*EVENT_COLUMNS).join(k, (Event.task_id == k.c.task_id) & (Event.id == k.c.id))


def _read_jobs(engine: str) -> Any:
    k = key_table(task_id=INT, number=INT, job_index=INT)

    def belongs(job: Any, k: FromClause) -> list[Any]:
        return [*of_process(job, k), job.job_index == k.c.job_index]

    rows = keyed_rows(engine, k, Job, belongs)
    return select(*(rows.of[name] for name in JobRow._fields)).select_from(rows.source)


def _group_processes() -> Any:
    k = key_table(task_id=INT)
    ended = Process.done + Process.failed + Process.terminated
    reached_early = and_(
        Process.threshold.is_not(None), Process.reporting > 0, ended < Process.job_count
    )
    # The same rule as in ``ProcessRow.finished_at``.
    finished_at = case(
        (reached_early, Process.last_event_at),
        else_=func.coalesce(Process.last_ended_at, Process.last_event_at),
    )
    return (
        select(
            Process.task_id,
            Process.state,
            func.min(Process.started_at),
            func.max(finished_at),
            func.max(Process.last_event_at),
            # PostgreSQL's sum of integers is a decimal number.
            cast(func.sum(Process.events), BigInteger),
        )
        .join(k, Process.task_id == k.c.task_id)
        .group_by(Process.task_id, Process.state)
    )


def _coarsen_samples() -> tuple[Any, ...]:
    of_process = (Sample.task_id == bindparam("key_task")) & (
        Sample.process_number == bindparam("key_number")
    )
    step = bindparam("step", type_=BigInteger())
    begin = Sample.at - Sample.at % step
    last_of_step = select(func.max(Sample.at)).where(of_process).group_by(begin)
    return (
        update(Process)
        .where(Process.task_id == bindparam("key_task"), Process.number == bindparam("key_number"))
        .values(sample_step=step, sampled_since=bindparam("since")),
        delete(Sample).where(of_process, Sample.at.not_in(last_of_step)),
        update(Sample).where(of_process, Sample.at % step != 0).values(at=begin),
    )


MAX_LOCK_WAIT_MS = 250
"""How long a transaction waits for one task, while those of other locked tasks wait for it."""
LOCK_TASKS = BulkRead(_lock_tasks(skip_locked=False), TaskRow._make)
"""Tasks by name, locked in the order of their ids."""
LOCK_FREE_TASKS = BulkRead(_lock_tasks(skip_locked=True), TaskRow._make)
"""Likewise, without those that other transactions have locked."""
READ_TASK_NAMES = BulkRead(_read_task_names(), tuple)
"""The names of the tasks that exist, locked or not."""
LIMIT_LOCK_WAIT = f"SET LOCAL lock_timeout = {MAX_LOCK_WAIT_MS}"
RESET_LOCK_WAIT = "SET LOCAL lock_timeout TO DEFAULT"
READ_PROCESSES = BulkRead(_read_processes(), ProcessRow._make)
"""Processes by the names of their task and their own."""
PLAN_ANEW = text("SET LOCAL plan_cache_mode = force_custom_plan")
READ_EVENTS = _read_events()
"""Events by task and id."""
READ_JOBS = BulkRead(_read_jobs, JobRow._make)
"""Jobs by task, process and index."""
GROUP_PROCESSES = BulkRead(_group_processes(), tuple)
"""For each task and state of a process: the first start, the latest end, the latest event, and
the number of events."""
INSERT_EVENTS = bulk_insert(Event, EventRow._fields, unless=("task_id", "id"))
REMOVE_EVENTS = delete(Event).where(
    Event.task_id == bindparam("key_task"), Event.seq > bindparam("last_seq")
)
"""The events of a task behind this number."""
UPSERT_JOBS = bulk_upsert(Job, JobRow._fields)
UPSERT_SAMPLES = bulk_upsert(Sample, ("task_id", "process_number", "at", *SAMPLED_COUNTERS))
ADD_USAGE = bulk_add(
    Usage,
    ("task_id", "process_number", "measure", "bucket", "jobs", "total"),
    ("jobs", "total"),
)
"""Add to the buckets of processes, or take out."""
COARSEN_SAMPLES = _coarsen_samples()
"""Set the step of a process; keep the last sample of each step, and move it to the step's begin."""
# By the number alone, a PostgreSQL without statistics (a new database) uses the index of the names,
# and reads all processes of the task for each of them.
UPDATE_PROCESSES = bulk_update(Process, ("task_id", "number", "name"), PROCESS_COUNTERS)
UPDATE_TASKS = bulk_update(Task, ("id",), TASK_TOTALS)
UPDATE_TASK_COUNTS = bulk_update(Task, ("id",), TASK_COUNTS)
"""For tasks whose other columns stay: SQLite would write their indexes all the same."""
PLAIN_EVENT = EventRow._fields.index("details")
"""The number of columns of an event that tells no details, and of a job that has none and was never
held: the others are null. There are fewer to write."""
PLAIN_JOB = JobRow._fields.index("held_attempt")
WRITE_PLAIN_EVENTS = DependentWrites(
    bulk_insert(Event, EventRow._fields[:PLAIN_EVENT], unless=("task_id", "id")),
    UPDATE_PROCESSES,
    bulk_upsert(Job, JobRow._fields[:PLAIN_JOB]),
    UPSERT_SAMPLES,
    UPDATE_TASK_COUNTS,
)
"""Like ``WRITE_EVENTS``, for plain events and jobs."""
WRITE_EVENTS = DependentWrites(
    INSERT_EVENTS, UPDATE_PROCESSES, UPSERT_JOBS, UPSERT_SAMPLES, UPDATE_TASK_COUNTS
)
"""New events with all that they change, but for the ``TASK_TOTALS`` of tasks of which more changes
than the ``TASK_COUNTS``; nothing of that if some are stored."""
