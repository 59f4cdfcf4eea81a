"""One transaction of events: a fixed number of statements, whatever the number of events.

Lock the tasks, read what the events concern, think, write. Nothing in between asks the database
about a single event, job or process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from lamia_gql.domain.errors import ErrorCode, UserError
from lamia_gql.domain.lifecycle import (
    CLOSING,
    EMPTY,
    EventClass,
    Occurrence,
    Summary,
    add,
    event_time,
)
from lamia_gql.domain.progress import (
    Counters,
    is_enough,
    process_state,
)
from lamia_gql.domain.text_checks import is_storable
from lamia_gql.ingest.event_input import NewEvent
from lamia_gql.ingest.event_statements import PROCESS_COUNTERS, SAMPLED, Statements
from lamia_gql.ingest.task_totals import refresh_tasks
from lamia_gql.storage.key_table import encode, encode_uuid
from lamia_gql.storage.rows import (
    CLASS_BITS,
    EventRow,
    JobRow,
    ProcessRow,
    TaskRow,
    job_index,
)

MAX_SAMPLES = 256
"""How many samples a process keeps; then its step doubles and every other one goes."""
JobKey = tuple[int, int, int]
ProcessKey = tuple[int, int]


class Outcome(NamedTuple):
    """What became of an event, and its process as the transaction left it."""

    event: EventRow
    duplicate: bool
    enough: bool
    process: ProcessRow
    task: str


class _Tally:
    """A process while events are added to it."""

    def __init__(self, process: ProcessRow) -> None:
        self.process = process
        self.counters: Counters = process.counters()
        self.changed = False

    def add(self, event: EventRow, old: Summary, new: Summary, time: datetime) -> None:
        self.counters.change(old, new, self.process.threshold)
        process, event_class = self.process, EventClass(event.event_class)
        latest = process.last_event_at is None or (time, event.id) > (
            process.last_event_at,
            process.last_event_id,
        )
        self.process = process._replace(
            events=process.events + 1,
            event_classes=process.event_classes | CLASS_BITS[event_class],
            started_at=_earlier(process.started_at, time)
            if event_class is EventClass.STARTED
            else process.started_at,
            last_ended_at=_later(process.last_ended_at, time)
            if event_class in CLOSING
            else process.last_ended_at,
            last_event_at=time if latest else process.last_event_at,
            last_event_id=event.id if latest else process.last_event_id,
            last_event_class=event.event_class if latest else process.last_event_class,
        )
        self.changed = True

    def finish(self) -> ProcessRow:
        """The process with its new counters and state."""
        counters = self.counters
        return self.process._replace(
            submitted=counters.submitted,
            running=counters.running,
            done=counters.done,
            failed=counters.failed,
            terminated=counters.terminated,
            reporting=counters.reporting,
            progress_sum=counters.progress_sum,
            state=process_state(self.process.progress_inputs(counters)),
        )


def record(
    connection: Connection, sql: Statements, events: Sequence[NewEvent]
) -> list[Outcome | UserError]:
    """Store events in the transaction of ``connection``; one outcome or error each, in order."""
    tasks = _lock_tasks(connection, sql, {event.task for event in events})
    processes = _read_processes(connection, sql, tasks, events)
    placed = [_place(event, tasks, processes) for event in events]
    known = _read_known(connection, sql, events, placed)
    jobs = _read_jobs(connection, sql, placed)

    tallies = {(p.task_id, p.number): _Tally(p) for p in processes.values()}
    last_seq = {task.id: task.last_seq for task in tasks.values()}
    changed_jobs: set[JobKey] = set()
    new: list[EventRow] = []
    results: list[tuple[EventRow, bool] | UserError] = []
    for event, key in zip(events, placed, strict=True):
        if isinstance(key, UserError):
            results.append(key)
            continue
        task_id, number, index = key
        there = known.get((task_id, event.id))
        if there is not None:
            if (there.process_number, there.job_index) == (number, index):
                results.append((there, True))
            else:
                results.append(
                    UserError(
                        ErrorCode.EVENT_ID_TAKEN,
                        f"Another job of this task has sent an event with the id {event.id}.",
                        "id",
                    )
                )
            continue
        last_seq[task_id] += 1
        stored = _event_record(event, key, last_seq[task_id])
        time = event_time(event.sent_at, event.received_at)
        old = jobs.get(key, EMPTY)
        jobs[key] = add(
            old,
            Occurrence(
                event.id, event.event_class, time, event.attempt, event.progress, event.hostname
            ),
        )
        tallies[task_id, number].add(stored, old, jobs[key], time)
        known[task_id, event.id] = stored
        changed_jobs.add(key)
        new.append(stored)
        results.append((stored, False))

    finished = {key: tally.finish() for key, tally in tallies.items()}
    if new:
        changed = {key: finished[key] for key, tally in tallies.items() if tally.changed}
        _write_processes(connection, sql, changed.values())
        connection.execute(
            sql.upsert_jobs,
            [JobRow.of(key, jobs[key])._asdict() for key in sorted(changed_jobs)],
        )
        connection.execute(sql.insert_events, [event._asdict() for event in new])
        _write_samples(connection, sql, changed, new)
        touched = sorted({key[0] for key in changed})
        refresh_tasks(connection, sql, {task_id: last_seq[task_id] for task_id in touched})
    names = {task.id: task.name for task in tasks.values()}
    enough = {key: is_enough(process.progress_inputs()) for key, process in finished.items()}
    return [
        result if isinstance(result, UserError) else _outcome(*result, finished, enough, names)
        for result in results
    ]


def _outcome(
    event: EventRow,
    duplicate: bool,
    processes: dict[ProcessKey, ProcessRow],
    enough: dict[ProcessKey, bool],
    names: dict[int, str],
) -> Outcome:
    key = (event.task_id, event.process_number)
    return Outcome(event, duplicate, enough[key], processes[key], names[event.task_id])


def _place(
    event: NewEvent,
    tasks: dict[str, TaskRow],
    processes: dict[tuple[int, str], ProcessRow],
) -> JobKey | UserError:
    task = tasks.get(event.task)
    if task is None:
        return UserError(ErrorCode.TASK_NOT_FOUND, f"There is no task “{event.task}”.", "task")
    process = processes.get((task.id, event.process))
    if process is None:
        return UserError(
            ErrorCode.PROCESS_NOT_FOUND,
            f"Task “{event.task}” has no process “{event.process}”.",
            "process",
        )
    try:
        return task.id, process.number, job_index(process, event.index)
    except UserError as error:
        return error


def _event_record(event: NewEvent, key: JobKey, seq: int) -> EventRow:
    task_id, number, index = key
    return EventRow(
        task_id,
        seq,
        event.id,
        number,
        index,
        event.event_class,
        event.attempt,
        event.sent_at,
        event.received_at,
        event.progress,
        event.payload,
        event.hostname,
        event.client_address,
    )


def _lock_tasks(connection: Connection, sql: Statements, names: set[str]) -> dict[str, TaskRow]:
    wanted = encode((name,) for name in sorted(names) if is_storable(name))
    rows = connection.execute(sql.lock_tasks, {"keys": wanted})
    return {row.name: row for row in map(TaskRow._make, rows)}


def _read_processes(
    connection: Connection,
    sql: Statements,
    tasks: dict[str, TaskRow],
    events: Sequence[NewEvent],
) -> dict[tuple[int, str], ProcessRow]:
    wanted = {
        (tasks[event.task].id, event.process)
        for event in events
        if event.task in tasks and is_storable(event.process)
    }
    if not wanted:
        return {}
    rows = connection.execute(sql.read_processes, {"keys": encode(wanted)})
    return {(row.task_id, row.name): row for row in map(ProcessRow._make, rows)}


def _read_known(
    connection: Connection,
    sql: Statements,
    events: Sequence[NewEvent],
    placed: Sequence[JobKey | UserError],
) -> dict[tuple[int, str], EventRow]:
    wanted = {
        (key[0], encode_uuid(sql.is_sqlite, event.id))
        for event, key in zip(events, placed, strict=True)
        if not isinstance(key, UserError)
    }
    if not wanted:
        return {}
    rows = connection.execute(sql.read_known, {"keys": encode(wanted)})
    return {(row.task_id, row.id): row for row in map(EventRow._make, rows)}


def _read_jobs(
    connection: Connection, sql: Statements, placed: Sequence[JobKey | UserError]
) -> dict[JobKey, Summary]:
    wanted = {key for key in placed if not isinstance(key, UserError)}
    if not wanted:
        return {}
    rows = connection.execute(sql.read_jobs, {"keys": encode(wanted)})
    return {row[:3]: row.summary() for row in map(JobRow._make, rows)}


def _write_processes(
    connection: Connection, sql: Statements, processes: Iterable[ProcessRow]
) -> None:
    connection.execute(
        sql.update_process,
        [
            {name: getattr(process, name) for name in PROCESS_COUNTERS}
            | {
                "key_task": process.task_id,
                "key_number": process.number,
                "key_name": process.name,
            }
            for process in processes
        ],
    )


def _write_samples(
    connection: Connection,
    sql: Statements,
    processes: dict[ProcessKey, ProcessRow],
    events: Sequence[EventRow],
) -> None:
    now = {(event.task_id, event.process_number): event.received_at for event in events}
    rows, coarser = [], []
    for key, process in processes.items():
        seconds = int(now[key].timestamp())
        since = seconds if process.sampled_since is None else process.sampled_since
        step = process.sample_step
        while (seconds - since) // step >= MAX_SAMPLES:
            step *= 2
        if step != process.sample_step or process.sampled_since is None:
            coarser.append({"key_task": key[0], "key_number": key[1], "step": step, "since": since})
        rows.append(
            {name: getattr(process, name) for name in SAMPLED}
            | {"task_id": key[0], "process_number": key[1], "at": seconds - seconds % step}
        )
    if coarser:
        for statement in sql.coarsen:
            connection.execute(statement, coarser)
    connection.execute(sql.upsert_samples, rows)


def _earlier(known: datetime | None, time: datetime) -> datetime:
    return time if known is None else min(known, time)


def _later(known: datetime | None, time: datetime) -> datetime:
    return time if known is None else max(known, time)
