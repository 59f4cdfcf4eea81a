"""The inputs that fields of the graph name as parameters, besides columns and arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

from lamia_gql.domain.job_details import Values
from lamia_gql.domain.throughput import Throughput
from lamia_gql.graph.reads import Input, Reads
from lamia_gql.graph.throughput import NEEDS as THROUGHPUT
from lamia_gql.graph.throughput import read_throughput
from lamia_gql.storage.details_json import decode_values
from lamia_gql.storage.models import Process
from lamia_gql.storage.queries import processes, samples, tasks
from lamia_gql.storage.queries.job_counts import SilentJobs, count_silent_jobs, have_lost_jobs
from lamia_gql.storage.queries.samples import SampleRow
from lamia_gql.storage.row_shape import row_shape
from lamia_gql.storage.rows import EventRow, ProcessRow, TaskJson, TaskRow
from lamia_gql.storage.transaction import ReadConnection

V = TypeVar("V")
COUNTERS = frozenset({"submitted", "held", "running", "done", "failed", "terminated"})
COUNTED_JOBS = {"total": "job_count"} | {name: name for name in COUNTERS}
"""By the names of fields of counts, the columns of a process that they are equal to."""
PROGRESS = COUNTERS | {
    "kind",
    "job_count",
    "failure_tolerance",
    "threshold",
    "reporting",
    "progress_sum",
}
"""What progress, state and outlook of a process depend on."""
LIVENESS = frozenset({"running", "beat_interval"})
END = frozenset({"state", "last_ended_at", "last_event_at"})
"""What tells when a process finished, with :data:`PROGRESS`."""
COUNTED = row_shape(Process, PROGRESS | LIVENESS | END | THROUGHPUT)


def _processes(reads: Reads, rows: Sequence[TaskRow]) -> list[list[ProcessRow]]:
    return reads.once(
        "processes",
        [task.id for task in rows],
        lambda ids: processes.all_processes(
            reads.connection, ids, reads.processes_shape or COUNTED
        ),
    )


def _tags(reads: Reads, rows: Sequence[TaskRow]) -> list[list[str]]:
    return reads.once(
        "tags", [task.id for task in rows], lambda ids: tasks.read_tags(reads.connection, ids)
    )


def _task_json(reads: Reads, rows: Sequence[TaskRow]) -> list[TaskJson]:
    return reads.once(
        "task_json",
        [task.id for task in rows],
        lambda ids: tasks.read_task_json(reads.connection, ids, reads.budget.hold),
    )


def _has_lost(reads: Reads, rows: Sequence[ProcessRow]) -> list[bool]:
    return _of_running(reads, rows, "has_lost", have_lost_jobs, False)


def _silent(reads: Reads, rows: Sequence[ProcessRow]) -> list[SilentJobs]:
    return _of_running(reads, rows, "silent", count_silent_jobs, SilentJobs(0, 0))


def _of_running(
    reads: Reads,
    rows: Sequence[ProcessRow],
    kind: str,
    read: Callable[[ReadConnection, Sequence[ProcessRow], datetime, float | None], Sequence[V]],
    nothing: V,
) -> list[V]:
    """What is read of processes whose jobs run and beat; nothing of the others."""
    asked = [row for row in rows if row.running and (row.beat_interval or reads.beat_interval)]
    by_key = {(row.task_id, row.number): row for row in asked}
    found = reads.once(
        kind,
        list(by_key),
        lambda keys: read(
            reads.connection, [by_key[key] for key in keys], reads.now, reads.beat_interval
        ),
    )
    known = dict(zip(by_key, found, strict=True))
    return [known.get((row.task_id, row.number), nothing) for row in rows]


def _has_lost_by_process(reads: Reads, rows: Sequence[TaskRow]) -> list[list[bool]]:
    return _by_process(reads, rows, _has_lost)


def _silent_by_process(reads: Reads, rows: Sequence[TaskRow]) -> list[list[SilentJobs]]:
    return _by_process(reads, rows, _silent)


def _by_process(
    reads: Reads,
    rows: Sequence[TaskRow],
    read: Callable[[Reads, Sequence[ProcessRow]], Sequence[V]],
) -> list[list[V]]:
    """What is read of the processes of each task."""
    groups = _processes(reads, rows)
    found = iter(read(reads, [process for group in groups for process in group]))
    return [list(islice(found, len(group))) for group in groups]


def _samples(reads: Reads, rows: Sequence[ProcessRow]) -> list[list[SampleRow]]:
    return reads.once(
        "samples",
        [(process.task_id, process.number) for process in rows],
        lambda keys: samples.read_samples(reads.connection, keys),
    )


def _throughput(reads: Reads, rows: Sequence[ProcessRow]) -> list[Throughput | None]:
    by_key = {(row.task_id, row.number): row for row in rows}
    return reads.once(
        "throughput",
        list(by_key),
        lambda keys: read_throughput(reads, [by_key[key] for key in keys]),
    )


def _throughput_by_process(reads: Reads, rows: Sequence[TaskRow]) -> list[list[Throughput | None]]:
    return _by_process(reads, rows, _throughput)


def _samples_by_process(reads: Reads, rows: Sequence[TaskRow]) -> list[list[list[SampleRow]]]:
    return _by_process(reads, rows, _samples)


def _counted(_reads: Reads, rows: Sequence[ProcessRow]) -> Sequence[ProcessRow]:
    return rows


def _process_end(_reads: Reads, rows: Sequence[ProcessRow]) -> list[datetime | None]:
    return [process.finished_at for process in rows]


def _told(_reads: Reads, rows: Sequence[EventRow]) -> list[Values]:
    return [decode_values(row.details) or {} for row in rows]


NOTHING: frozenset[str] = frozenset()
INPUTS = {
    # Of a task.
    "processes": Input(NOTHING, _processes, processes=PROGRESS),
    # Those columns that a field declares.
    "process_columns": Input(NOTHING, _processes),
    "has_lost_by_process": Input(NOTHING, _has_lost_by_process, processes=PROGRESS | LIVENESS),
    "silent_by_process": Input(NOTHING, _silent_by_process, processes=LIVENESS, is_lookup=False),
    "throughput_by_process": Input(
        NOTHING, _throughput_by_process, processes=PROGRESS | THROUGHPUT, is_lookup=False
    ),
    "samples_by_process": Input(
        NOTHING, _samples_by_process, processes=PROGRESS | END, is_lookup=False
    ),
    "tags": Input(NOTHING, _tags),
    "task_json": Input(NOTHING, _task_json, is_lookup=False),
    # Of a process.
    "counted": Input(PROGRESS, _counted, is_read=False),
    "process_end": Input(PROGRESS | END, _process_end, is_read=False),
    "has_lost": Input(LIVENESS, _has_lost),
    "silent": Input(LIVENESS, _silent, is_lookup=False),
    "throughput": Input(PROGRESS | THROUGHPUT, _throughput, is_lookup=False),
    "samples": Input(NOTHING, _samples, is_lookup=False),
    # Of an event.
    "told": Input(frozenset({"details"}), _told, is_read=False),
}
"""By the name of the parameter. Rows have their keys, whatever columns are asked for."""
