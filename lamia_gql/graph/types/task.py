"""The type ``Task``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

import strawberry
from strawberry.scalars import JSON

from lamia_gql.domain import progress as rules
from lamia_gql.domain.notifications import Occasion, occasions_of
from lamia_gql.domain.pagination import Page, Slice, check_size, cut, page
from lamia_gql.domain.progress import (
    Outlook,
    ProgressBasis,
    State,
    process_outlook,
    task_outlook,
    task_ratio,
)
from lamia_gql.domain.throughput import (
    Throughput,
    can_succeed,
    estimated_finish,
    jobs_per_minute,
    together,
)
from lamia_gql.graph.inputs import COUNTED_JOBS, END, INPUTS, PROGRESS
from lamia_gql.graph.reads import ListRead, Reads, RowRead, ValueRead
from lamia_gql.graph.timeline import task_timeline
from lamia_gql.graph.types import filter_inputs
from lamia_gql.graph.types.arguments import After, Before, First, Last, Points, argument
from lamia_gql.graph.types.connection import (
    ID_DESCRIPTION,
    Connection,
    Node,
    global_id,
    page_of,
)
from lamia_gql.graph.types.declarations import OverProcesses
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.event_connection import events_of
from lamia_gql.graph.types.failure_group import FailureGroup, failure_groups_of
from lamia_gql.graph.types.fields import column, derived, single, value
from lamia_gql.graph.types.job_statistics import (
    SILENT,
    Counts,
    HistoryPoint,
    JobCounts,
    Progress,
    TimelinePoint,
    add_counts,
    history_point,
)
from lamia_gql.graph.types.process import RATE, STALLED_SINCE, Process
from lamia_gql.graph.types.scalars import stored_json
from lamia_gql.storage import filters, models
from lamia_gql.storage.queries.counts import Count
from lamia_gql.storage.queries.job_counts import SilentJobs
from lamia_gql.storage.queries.processes import (
    PROCESS_CURSORS,
    count_processes,
    processes_by_name,
    read_processes,
)
from lamia_gql.storage.row_shape import RowShape
from lamia_gql.storage.rows import ProcessRow, TaskJson, TaskRow

PROCESSES_OF_A_VALUE = 5
"""To add up so many processes for a point of a timeline takes as long as a value of an answer."""


def _id(id: int) -> strawberry.ID:  # noqa: A002  (the name of the column)
    return global_id("Task", id)


def _tags(tags: list[str]) -> list[str]:
    return tags


def _notify(notify: int | None) -> list[Occasion] | None:
    return None if notify is None else occasions_of(notify)


def _config(task_json: TaskJson) -> Any:
    return stored_json(task_json.config)


def _dependencies(task_json: TaskJson) -> Any:
    return stored_json(task_json.dependencies)


def _ratio(processes: Sequence[ProcessRow]) -> float:
    return task_ratio((each.ratio, each.done, each.job_count) for each in processes)


def _progress(processes: Sequence[ProcessRow]) -> rules.Progress:
    ratio = _ratio(processes)
    return rules.Progress(100 * ratio, 100.0, ratio, ProgressBasis.PERCENT)


def _counts(
    processes: Sequence[ProcessRow], silent_by_process: Sequence[SilentJobs] | None
) -> Counts:
    return add_counts(processes, silent_by_process)


def _outlook(processes: Sequence[ProcessRow], has_lost_by_process: Sequence[bool]) -> Outlook:
    return task_outlook(
        process_outlook(process, process, lost)
        for process, lost in zip(processes, has_lost_by_process, strict=True)
    )


Throughputs = Sequence[Throughput | None]


def _together(processes: Sequence[ProcessRow], found: Throughputs) -> Throughput | None:
    return together(zip(processes, found, strict=True))


def _rate(processes: Sequence[ProcessRow], throughput_by_process: Throughputs) -> float | None:
    ended = sum(process.ended for process in processes)
    return jobs_per_minute(_together(processes, throughput_by_process), ended)


def _stalled_since(
    processes: Sequence[ProcessRow], throughput_by_process: Throughputs
) -> datetime | None:
    found = _together(processes, throughput_by_process)
    return None if found is None else found.stalled_since


def _estimated_finish_at(
    processes: Sequence[ProcessRow], throughput_by_process: Throughputs, reads: Reads
) -> datetime | None:
    if not all(can_succeed(process, process) for process in processes):
        return None
    found = _together(processes, throughput_by_process)
    return estimated_finish(_ratio(processes), found, reads.now)


def _processes(
    reads: Reads,
    *,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    filter: Annotated[  # noqa: A002  (its name in the schema)
        filter_inputs.ProcessFilter | None,
        argument("Only processes that match. Defaults to all."),
    ] = None,
) -> ListRead:
    settings = reads.settings
    wanted = filters.ProcessFilter() if filter is None else filter.parse()
    part = page(
        PROCESS_CURSORS,
        settings.page_limit,
        first=first,
        after=after,
        last=last,
        before=before,
        default=settings.max_processes,
    )

    def ids(rows: Sequence[TaskRow]) -> list[int]:
        return [task.id for task in rows]

    begins_list = wanted == filters.ProcessFilter() and part == Page(part.size, False, None, None)

    def read(reads: Reads, rows: Sequence[TaskRow], shape: RowShape[Any]) -> Sequence[Slice[Any]]:
        if begins_list and shape is reads.processes_shape:
            # Fields of the task need all of its processes: they are read once for both.
            processes = INPUTS["processes"].read(reads, rows)
            return [cut(found, part) for found in processes]
        return read_processes(reads.connection, ids(rows), wanted, part, shape)

    def count(reads: Reads, rows: Sequence[TaskRow]) -> list[Count]:
        return count_processes(reads.connection, ids(rows), wanted)

    return ListRead(
        ("processes", wanted, part),
        read,
        lambda process: PROCESS_CURSORS.encode(process.number),
        ("count_processes", wanted),
        count,
    )


def _process(*, name: Annotated[str, argument("Name of the process.")]) -> RowRead:
    def read(
        reads: Reads, rows: Sequence[TaskRow], shape: RowShape[Any], _owner: RowShape[Any]
    ) -> Sequence[Any]:
        return processes_by_name(reads.connection, [(task.id, name) for task in rows], shape)

    return RowRead(("process", name), read)


def _timeline(*, points: Points = 60) -> ValueRead:
    def read(reads: Reads, rows: Sequence[TaskRow]) -> list[list[HistoryPoint]]:
        check_size("points", points, 2, reads.settings.timeline_limit)
        groups = INPUTS["processes"].read(reads, rows)
        histories = INPUTS["samples_by_process"].read(reads, rows)
        found = []
        for processes, samples in zip(groups, histories, strict=True):
            reads.charge(0, points * len(processes) // PROCESSES_OF_A_VALUE)
            total = sum(process.job_count for process in processes)
            timeline = task_timeline(processes, samples, points, reads.now)
            found.append([history_point(point, total) for point in timeline])
        return found

    return ValueRead(("task.timeline", points), read)


@strawberry.type(description="A set of processes that are monitored together under one name.")
class Task(Node):
    """A task."""

    row: strawberry.Private[TaskRow]

    id: strawberry.ID = derived(ID_DESCRIPTION, _id)
    name: str = column("name", "Name of the task, unique on this server.")
    owner: str | None = column(
        "owner",
        "Who created the task, by the credential: they, and administrators, may change it. Null for"
        " a task that was created without one.",
    )
    username: str | None = column("username", "User who submitted the task. May be null.")
    email: str | None = column("email", "E-mail address to contact about the task. May be null.")
    comment: str | None = column("comment", "Free text that describes the task. May be null.")
    submitted_at: datetime = column(
        "submitted_at",
        "When the task was submitted, as reported by the client. Equal to `receivedAt` if the"
        " client reported no time.",
    )
    received_at: datetime = column("received_at", "When the server created the task.")
    hostname: str | None = column(
        "hostname",
        "Host that the task was submitted from, as reported by the client. May be null.",
    )
    client_address: str | None = column(
        "client_address",
        "Network address that the task was submitted from. Null if unknown.",
    )
    state: State = column(
        "state", "Lifecycle state of the task, derived from the states of its processes."
    )
    started_at: datetime | None = column(
        "started_at", "Time of the first STARTED event. Null until a job has started."
    )
    finished_at: datetime | None = column(
        "finished_at", "When the task succeeded or failed. Null until then."
    )
    last_event_at: datetime | None = column(
        "last_event_at", "Time of the latest event. Null without events."
    )
    tags: list[str] = derived(
        "Keywords by which the task can be found, in alphabetical order.", _tags
    )
    notify: list[Occasion] | None = derived(
        "On what the address in `email` gets an e-mail, if the server sends any. Null if the"
        " server's setting says.",
        _notify,
    )
    config: JSON | None = derived(
        "Arbitrary JSON that is stored with the task. Null if there is none.", _config
    )
    dependencies: JSON | None = derived(
        "Dependency graph of the processes, as it was sent; the server does not interpret it. The"
        " dashboard draws an object from the names of processes to lists of those that they wait"
        " for. Null if there is none.",
        _dependencies,
    )
    progress: Progress = derived(
        "Progress of the task in percent: the mean of the progress ratios of its processes, each"
        " capped at 1, weighted by the number of jobs. A process whose ratio is unknown counts 1"
        " if it has succeeded, else 0.",
        _progress,
        over_processes={"ratio": OverProcesses(task_ratio, ("ratio", "done", "job_count"))},
    )
    counts: JobCounts = derived(
        "Number of jobs in each state, over all processes.",
        _counts,
        only_for={"silent_by_process": SILENT},
        over_processes={
            name: OverProcesses(sum, (column,)) for name, column in COUNTED_JOBS.items()
        },
    )
    outlook: Outlook = derived(
        "Whether the task can still succeed: the worst outlook of its processes.", _outlook
    )
    rate: float | None = derived(RATE, _rate)
    stalled_since: datetime | None = derived(
        f"The earliest of its processes: {STALLED_SINCE[0].lower()}{STALLED_SINCE[1:]}",
        _stalled_since,
    )
    estimated_finish_at: datetime | None = derived(
        "When the task will reach a progress ratio of 1, at its recent rate. Null if it has no"
        " progress yet, has reached that ratio, has finished or stalled, or cannot succeed.",
        _estimated_finish_at,
    )
    processes: Connection[Process] = page_of(
        "Processes of the task, in the order in which they were given. All of them without `first`"
        " and `last`.",
        _processes,
        models.Process,
        lambda process, _owner: Process.of(process),
        whole="processes",
    )
    process: Process | None = single(
        "The process with this name. Null if the task has none.",
        _process,
        models.Process,
        Process.of,
    )
    events: Connection[Event] = events_of(
        "Events of all jobs, in the order in which the server received them.",
        ("id",),
        "events",
    )
    failure_groups: list[FailureGroup] = failure_groups_of(
        "Jobs of all processes that ended without success, grouped by their cause; the largest"
        " groups first.",
        lambda task: (task.id, None),
        ("id",),
    )
    timeline: list[TimelinePoint] = value(
        "History of progress and job counts, at evenly spaced times. Empty without events.",
        _timeline,
        process_needs=(*PROGRESS, *END),
    )

    @classmethod
    def of(cls, found: TaskRow) -> Self:
        """The task of a row."""
        return cls(row=found)
