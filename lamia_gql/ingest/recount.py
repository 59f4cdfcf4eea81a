"""Recomputing summaries and counters from the events, to compare and repair the stored ones.

The write path updates summaries of jobs and counters of processes incrementally. They are a pure
function of the events: this module checks that, and repairs what differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from lamia_gql.domain.lifecycle import CLOSING, EMPTY, EventClass, Occurrence, event_time, summarise
from lamia_gql.domain.progress import process_state
from lamia_gql.domain.usage_sketch import UsageChanges
from lamia_gql.ingest.event_statements import ADD_USAGE, PROCESS_COUNTERS
from lamia_gql.ingest.task_totals import refresh_tasks
from lamia_gql.ingest.tasks import lock_tasks
from lamia_gql.storage.database import Database
from lamia_gql.storage.details_json import decode_values
from lamia_gql.storage.models import Event, Job, Process, Task, Usage
from lamia_gql.storage.rows import (
    JOB_COLUMNS,
    PROCESS_COLUMNS,
    TASK_COLUMNS,
    JobRow,
    ProcessRow,
    TaskRow,
    class_mask,
)
from lamia_gql.storage.transaction import WriteTransaction

FETCH_ROWS = 5_000
"""Rows that are fetched at once."""


def recount(database: Database, names: Sequence[str] = ()) -> Iterator[str]:
    """Compare these tasks, or all, with their events; repair and describe every difference.

    Each task is compared in a transaction of its own, under its lock. A name that no task has
    counts as a difference.
    """
    wanted = select(Task.name).where(Task.deleted_at.is_(None)).order_by(Task.id)
    if names:
        wanted = wanted.where(Task.name.in_(names))
    found = database.read_blocking(lambda c: list(c.scalars(wanted)))
    for name in names:
        if name not in found:
            yield f"{name}: there is no such task"
    for name in filter(None, found):
        yield from database.write_blocking(partial(_recount_task, name))


def _recount_task(name: str, transaction: WriteTransaction) -> list[str]:
    return list(_compare_task(transaction, name))


def _compare_task(transaction: WriteTransaction, name: str) -> Iterator[str]:
    connection = transaction.connection
    locked = lock_tasks(transaction, [name])
    if not locked:
        return
    task = locked[0]
    processes = connection.execute(
        select(*PROCESS_COLUMNS).where(Process.task_id == task.id).order_by(Process.number)
    ).all()
    last_seq, number = connection.execute(
        select(func.coalesce(func.max(Event.seq), 0), func.count()).where(Event.task_id == task.id)
    ).one()
    # All BEATs of a process may have been thinned; that it had some remains known.
    kept_classes = class_mask([EventClass.BEAT]) if number < last_seq else 0
    for process in map(ProcessRow._make, processes):
        where = f"{name}/{process.name}"
        kept = process.event_classes & kept_classes
        yield from _recount_process(connection, process, where, kept)
    refresh_tasks(connection, {task.id: last_seq})
    row = connection.execute(select(*TASK_COLUMNS).where(Task.id == task.id)).one()
    yield from _differences(name, task, TaskRow._make(row))


def _recount_process(
    connection: Connection, process: ProcessRow, where: str, event_classes: int
) -> Iterator[str]:
    counters = process._replace(
        **{name: ProcessRow._field_defaults[name] for name in PROCESS_COUNTERS}
    )._replace(event_classes=event_classes)
    sums, usage = counters.counters(), UsageChanges()
    stored = _stored_jobs(connection, process)
    there = next(stored, None)
    for index, events in _events_by_job(connection, process):
        while there is not None and there.job_index < index:
            yield from _remove(connection, there, where)
            there = next(stored, None)
        summary = summarise(events)
        sums.change(EMPTY, summary, process.threshold)
        usage.change(EMPTY, summary)
        counters = _with_events(counters, events)
        job = JobRow.of((process.task_id, process.number, index), summary)
        if there is None or there.job_index != index:
            yield f"{where}[{index}]: missing"
            connection.execute(insert(Job).values(job._asdict()))
            continue
        found = list(_differences(f"{where}[{index}]", there, job))
        if found:
            yield from found
            connection.execute(update(Job).where(_is_job(there)).values(job._asdict()))
        there = next(stored, None)
    while there is not None:
        yield from _remove(connection, there, where)
        there = next(stored, None)
    counters = counters._replace(
        submitted=sums.submitted,
        running=sums.running,
        done=sums.done,
        failed=sums.failed,
        terminated=sums.terminated,
        reporting=sums.reporting,
        progress_sum=sums.progress_sum,
        held=sums.held,
    )
    counters = counters._replace(state=process_state(counters, counters))
    found = list(_differences(where, process, counters))
    if found:
        yield from found
        connection.execute(
            update(Process)
            .where(Process.task_id == process.task_id, Process.number == process.number)
            .values({name: getattr(counters, name) for name in PROCESS_COUNTERS})
        )

    yield from _compare_usage(connection, process, where, usage)


def _compare_usage(
    connection: Connection, process: ProcessRow, where: str, counted: UsageChanges
) -> Iterator[str]:
    of_process = and_(Usage.task_id == process.task_id, Usage.process_number == process.number)
    rows = connection.execute(
        select(Usage.measure, Usage.bucket, Usage.jobs, Usage.total).where(of_process)
    )
    # Jobs that ran again may have left empty buckets.
    stored = {(row.measure, row.bucket): (row.jobs, row.total) for row in rows if row[2:] != (0, 0)}
    if stored == counted.buckets:
        return
    for key in sorted(stored.keys() | counted.buckets.keys()):
        if stored.get(key) != counted.buckets.get(key):
            name = f"{key[0]}[{key[1]}]"
            yield f"{where}: {name} was {stored.get(key)}, is {counted.buckets.get(key)}"
    connection.execute(delete(Usage).where(of_process))
    rows_of = [
        (process.task_id, process.number, measure, bucket, jobs, total)
        for (measure, bucket), (jobs, total) in counted.buckets.items()
    ]
    ADD_USAGE.run(connection, rows_of)


def _stored_jobs(connection: Connection, process: ProcessRow) -> Iterator[JobRow]:
    rows = connection.execute(
        select(*JOB_COLUMNS)
        .where(Job.task_id == process.task_id, Job.process_number == process.number)
        .order_by(Job.job_index)
    ).yield_per(FETCH_ROWS)
    return map(JobRow._make, rows)


def _events_by_job(
    connection: Connection, process: ProcessRow
) -> Iterator[tuple[int, list[Occurrence]]]:
    rows = connection.execute(
        select(
            Event.job_index,
            Event.id,
            Event.event_class,
            Event.sent_at,
            Event.received_at,
            Event.attempt,
            Event.progress,
            Event.hostname,
            Event.details,
        )
        .where(Event.task_id == process.task_id, Event.process_number == process.number)
        .order_by(Event.job_index, Event.seq)
    ).yield_per(FETCH_ROWS)
    for index, group in groupby(rows, key=itemgetter(0)):
        yield (
            index,
            [
                Occurrence(
                    row.id,
                    EventClass(row.event_class),
                    event_time(row.sent_at, row.received_at),
                    row.attempt,
                    row.progress,
                    row.hostname,
                    decode_values(row.details),
                )
                for row in group
            ],
        )


def _with_events(process: ProcessRow, events: Sequence[Occurrence]) -> ProcessRow:
    starts = [e.time for e in events if e.event_class is EventClass.STARTED]
    ends = [e.time for e in events if e.event_class in CLOSING]
    latest = max(events, key=lambda e: (e.time, e.id))
    process = process._replace(
        events=process.events + len(events),
        event_classes=process.event_classes | class_mask(e.event_class for e in events),
        started_at=min([*starts, *filter(None, [process.started_at])], default=None),
        last_ended_at=max([*ends, *filter(None, [process.last_ended_at])], default=None),
    )
    if process.last_event_at is None or (latest.time, latest.id) > (
        process.last_event_at,
        process.last_event_id,
    ):
        process = process._replace(
            last_event_at=latest.time,
            last_event_id=latest.id,
            last_event_class=latest.event_class.value,
        )
    return process


def _is_job(job: JobRow) -> ColumnElement[bool]:
    return and_(
        Job.task_id == job.task_id,
        Job.process_number == job.process_number,
        Job.job_index == job.job_index,
    )


def _remove(connection: Connection, job: JobRow, where: str) -> Iterator[str]:
    yield f"{where}[{job.job_index}]: has no events"
    connection.execute(delete(Job).where(_is_job(job)))


def _differences(
    where: str,
    stored: TaskRow | ProcessRow | JobRow,
    counted: TaskRow | ProcessRow | JobRow,
) -> Iterator[str]:
    for name, old, new in zip(stored._fields, stored, counted, strict=True):
        if old != new:
            yield f"{where}: {name} was {old}, is {new}"
