"""Removes old BEATs on which no fact depends, from tasks that are kept.

A job that runs for weeks has sent thousands of them. What follows from its events stays the same,
but for their number: :func:`lamia_gql.domain.lifecycle.is_needed` has the rule. The last event of a
task is kept as well, so that its number is known, and that of a process.

A task remembers up to which event it was thinned, so no event is looked at twice.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from lamia_gql.domain.lifecycle import EMPTY, EventClass, Occurrence, event_time, is_needed
from lamia_gql.ingest.event_statements import READ_JOBS
from lamia_gql.ingest.pace import Pace
from lamia_gql.storage.bulk_write import bulk_update
from lamia_gql.storage.details_json import decode_values
from lamia_gql.storage.driver import Driver
from lamia_gql.storage.key_table import INT, key_table
from lamia_gql.storage.models import Event, Job, Process, Task
from lamia_gql.storage.transaction import ReadConnection, WriteTransaction

MAX_TASKS_PER_READ = 200
_K = key_table(seq=INT)
# By their numbers, a PostgreSQL without statistics would read all events of the task.
DELETE_BEATS = delete(Event).where(
    Event.task_id == bindparam("key_task"),
    Event.seq > bindparam("after"),
    Event.seq <= bindparam("last"),
    Event.event_class == EventClass.BEAT,
    Event.progress.is_(None),
    Event.seq.not_in(select(_K.c.seq)),
)
"""The BEATs of a stretch of a task's events, but for those with a progress and these numbers."""
UPDATE_JOBS = bulk_update(Job, ("task_id", "process_number", "job_index"), ("events",))
UPDATE_PROCESSES = bulk_update(Process, ("task_id", "number", "name"), ("events",))


class Beats(NamedTuple):
    """The BEATs that can go from a stretch of the events of a task."""

    keys: list[tuple[int, int, int]]
    """The number, the process and the job of each."""
    kept: list[int]
    """The numbers of those that are needed, but for those that carry a progress."""
    last_seq: int
    """The number of the last event of the stretch; that of the one before it where it is empty."""
    is_last: bool
    """Whether no later event is old enough."""
    is_full: bool = False
    """Whether the stretch ends because it has as many BEATs as were wanted."""


class ThinningPace:
    """How much of a task one transaction handles.

    Events that are only looked at take little time. However many of them there were before, the
    transaction with the first BEATs that can go must not have thousands of these.
    """

    def __init__(self) -> None:
        self._looking = Pace()
        self._removing = Pace()

    @property
    def rows(self) -> int:
        """How many events to look at."""
        return self._looking.rows

    @property
    def beats(self) -> int:
        """How many BEATs, of these, to handle."""
        return self._removing.rows

    def adapt(self, found: Beats, seconds: float) -> None:
        """Adapt the number that has ended the stretch to the time that it has taken."""
        if found.is_full:
            self._removing.adapt(seconds)
            # More would be read in vain.
            self._looking.rows = min(self._looking.rows, 2 * self._removing.rows)
        else:
            self._looking.adapt(seconds)


def tasks_to_thin(connection: ReadConnection, before: datetime, after_id: int) -> list[int]:
    """The ids of the first tasks behind this one with events that may be thinned."""
    statement = (
        select(Task.id)
        .join(Event, (Event.task_id == Task.id) & (Event.seq == Task.thinned_seq + 1))
        .where(
            Task.id > after_id,
            Task.deleted_at.is_(None),
            Task.thinned_seq < Task.last_seq,
            Event.received_at < before,
        )
        .order_by(Task.id)
        .limit(MAX_TASKS_PER_READ)
    )
    return list(connection.scalars(statement))


def find_beats(
    connection: Connection,
    task_id: int,
    after: int | None,
    before: datetime,
    rows: int,
    max_beats: int,
) -> Beats:
    """Which BEATs can go from the next events of a task.

    Args:
        connection: a connection in a transaction.
        task_id: the task.
        after: the number of the event behind which to begin; None to go on where it was thinned.
        before: the time before which they were received.
        rows: how many events to look at.
        max_beats: how many BEATs without a progress there may be among them.
    """
    if after is None:
        after = connection.scalar(select(Task.thinned_seq).where(Task.id == task_id)) or 0
    found = connection.execute(
        select(
            Event.seq,
            Event.process_number,
            Event.job_index,
            Event.event_class,
            Event.received_at,
            Event.sent_at,
            Event.id,
            Event.attempt,
            Event.progress,
            Event.details,
        )
        .where(Event.task_id == task_id, Event.seq > after)
        .order_by(Event.seq)
        .limit(rows)
    ).all()
    # Times need not be in order: there may be several servers.
    old: list[Any] = []
    beats: list[Any] = []
    is_full = False
    for row in found:
        if row.received_at >= before:
            break
        if row.event_class == EventClass.BEAT and row.progress is None:
            if len(beats) == max_beats:
                is_full = True
                break
            beats.append(row)
        old.append(row)
    gone = _not_needed(connection, task_id, beats)
    numbers = {key[0] for key in gone}
    return Beats(
        gone,
        [row.seq for row in beats if row.seq not in numbers],
        old[-1].seq if old else after,
        is_last=len(old) < rows and not is_full,
        is_full=is_full,
    )


def _not_needed(
    connection: Connection, task_id: int, beats: Sequence[Any]
) -> list[tuple[int, int, int]]:
    if not beats:
        return []
    jobs = {(task_id, row.process_number, row.job_index) for row in beats}
    summaries = {row[1:3]: row.summary() for row in READ_JOBS.run_on(Driver(connection), jobs)}
    last_seq = connection.scalar(select(Task.last_seq).where(Task.id == task_id))
    last_ids = set(
        connection.scalars(select(Process.last_event_id).where(Process.task_id == task_id))
    )
    found = []
    for row in beats:
        key = (row.process_number, row.job_index)
        at = event_time(row.sent_at, row.received_at)
        event = Occurrence(
            row.id,
            EventClass.BEAT,
            at,
            row.attempt,
            details=decode_values(row.details),
        )
        is_last = row.seq == last_seq or row.id in last_ids
        if not (is_last or is_needed(summaries.get(key, EMPTY), event)):
            found.append((row.seq, *key))
    return found


def thin_task(
    transaction: WriteTransaction, task_id: int, before: datetime, pace: ThinningPace
) -> Beats:
    """Remove what can go from the next events of a task."""
    connection = transaction.connection
    lock = (
        select(Task.thinned_seq)
        .where(Task.id == task_id, Task.deleted_at.is_(None))
        .with_for_update()
    )
    with transaction.locking():
        after = connection.scalar(lock)
    if after is None:
        return Beats([], [], 0, is_last=True)
    begin = time.monotonic()
    found = find_beats(connection, task_id, after, before, pace.rows, pace.beats)
    if found.keys:
        stretch = {"key_task": task_id, "after": after, "last": found.last_seq}
        kept = [(seq,) for seq in found.kept]
        connection.execute(DELETE_BEATS, {**stretch, "keys": kept})
        _count_anew(connection, task_id, found.keys)
    connection.execute(
        update(Task)
        .where(Task.id == task_id)
        .values(thinned_seq=found.last_seq, events=Task.events - len(found.keys))
    )
    pace.adapt(found, time.monotonic() - begin)
    return found


def _count_anew(connection: Connection, task_id: int, keys: Sequence[tuple[int, int, int]]) -> None:
    driver = Driver(connection)
    of_jobs = Counter((task_id, number, index) for _, number, index in keys)
    jobs = READ_JOBS.run_on(driver, of_jobs.keys())
    UPDATE_JOBS.run_on(driver, [(*row[:3], row.events - of_jobs[row[:3]]) for row in jobs])
    of_processes = Counter(number for _, number, _ in keys)
    processes = connection.execute(
        select(Process.number, Process.name, Process.events).where(
            Process.task_id == task_id, Process.number.in_(list(of_processes))
        )
    )
    UPDATE_PROCESSES.run_on(
        driver,
        [(task_id, n, name, events - of_processes[n]) for n, name, events in processes],
    )
