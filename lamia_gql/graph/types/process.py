"""The interface ``Process``, and the types of its two kinds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from lamia_gql.domain import progress as rules
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.pagination import check_size
from lamia_gql.domain.progress import (
    Outlook,
    ProcessKind,
    State,
    is_enough,
    process_progress,
)
from lamia_gql.domain.throughput import Throughput, can_succeed, estimated_finish, jobs_per_minute
from lamia_gql.graph.inputs import COUNTED_JOBS, COUNTERS, END, INPUTS, PROGRESS
from lamia_gql.graph.reads import Reads, RowRead, ValueRead
from lamia_gql.graph.timeline import process_timeline
from lamia_gql.graph.types.arguments import Points
from lamia_gql.graph.types.array_reads import (
    array_job,
    array_jobs,
    indices_of,
    state_ranges_of,
)
from lamia_gql.graph.types.connection import (
    ID_DESCRIPTION,
    Connection,
    Node,
    global_id,
    page_of,
)
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.event_connection import events_of
from lamia_gql.graph.types.failure_group import FailureGroup, failure_groups_of
from lamia_gql.graph.types.fields import column, computed, derived, single, value
from lamia_gql.graph.types.job import FIND_JOBS, Job
from lamia_gql.graph.types.job_statistics import (
    SILENT,
    Counts,
    HistoryPoint,
    JobCounts,
    Progress,
    StateRange,
    TimelinePoint,
    history_point,
)
from lamia_gql.graph.types.parents import require, task_of
from lamia_gql.graph.types.process_usage import USAGE, ProcessUsage, usage_of
from lamia_gql.storage import models
from lamia_gql.storage.queries.job_counts import SilentJobs
from lamia_gql.storage.queries.jobs import jobs_by_key
from lamia_gql.storage.queries.tasks import tasks_by_id
from lamia_gql.storage.row_shape import RowShape
from lamia_gql.storage.rows import ProcessRow

if TYPE_CHECKING:
    from lamia_gql.graph.types.task import Task

RATE = (
    "Jobs that end in a minute, recently: the weight of earlier ones falls exponentially. Null if"
    " none has ended, or all has finished."
)
STALLED_SINCE = (
    "Since when nothing has ended or progressed, although jobs run: for at least ten minutes, and"
    " 1.5 times as long as 95 % of the DONE jobs took; before one is DONE, for a quarter of the"
    " time until then, where jobs report progress. Null otherwise."
)
BOUNDS = ("first_index", "job_count")
"""What the indices of an array follow from."""
COUNTED = (*BOUNDS, "beat_interval", *sorted(COUNTERS))
"""What tells which jobs of an array need to be read."""


def _id(task_id: int, number: int) -> strawberry.ID:
    return global_id("Process", task_id, number)


def _task() -> RowRead:
    def read(
        reads: Reads, rows: Sequence[ProcessRow], shape: RowShape[Any], _owner: RowShape[Any]
    ) -> list[Any]:
        found = reads.once(
            ("task_by_id", shape),
            [process.task_id for process in rows],
            lambda missing: tasks_by_id(reads.connection, missing, shape),
        )
        return [require(task) for task in found]

    return RowRead("process.task", read)


def _finished_at(process_end: datetime | None) -> datetime | None:
    return process_end


def _progress(counted: ProcessRow) -> rules.Progress | None:
    return process_progress(counted, counted)


def _enough(counted: ProcessRow) -> bool:
    return is_enough(counted, counted)


def _counts(
    job_count: int,
    submitted: int,
    held: int,
    running: int,
    done: int,
    failed: int,
    terminated: int,
    silent: SilentJobs | None,
) -> Counts:
    pending = job_count - submitted - held - running - done - failed - terminated
    late, lost = (None, None) if silent is None else silent
    return Counts(
        job_count, pending, submitted, held, running, done, failed, terminated, late, lost
    )


def _outlook(counted: ProcessRow, has_lost: bool) -> Outlook:
    return rules.process_outlook(counted, counted, has_lost)


def _rate(throughput: Throughput | None, counted: ProcessRow) -> float | None:
    return jobs_per_minute(throughput, counted.ended)


def _stalled_since(throughput: Throughput | None) -> datetime | None:
    return None if throughput is None else throughput.stalled_since


def _estimated_finish_at(
    counted: ProcessRow, throughput: Throughput | None, reads: Reads
) -> datetime | None:
    if not can_succeed(counted, counted):
        return None
    return estimated_finish(counted.ratio, throughput, reads.now)


def _timeline(*, points: Points = 60) -> ValueRead:
    def read(reads: Reads, rows: Sequence[ProcessRow]) -> list[list[HistoryPoint]]:
        check_size("points", points, 2, reads.settings.timeline_limit)
        histories = INPUTS["samples"].read(reads, rows)
        return [
            [
                history_point(point, process.job_count)
                for point in process_timeline(process, samples, points, reads.now)
            ]
            for process, samples in zip(rows, histories, strict=True)
        ]

    return ValueRead(("process.timeline", points), read)


def _job_of_solitary() -> RowRead:
    def read(
        reads: Reads, rows: Sequence[ProcessRow], shape: RowShape[Any], _owner: RowShape[Any]
    ) -> list[Any]:
        keys = [(process.task_id, process.number, 0) for process in rows]
        return list(zip(jobs_by_key(reads.connection, keys, shape), rows, strict=True))

    return RowRead("solitary.job", read)


@strawberry.interface(
    description="A part of a task: an array of jobs, or a solitary process with a single job."
)
class Process(Node):
    """What both kinds of process have in common."""

    row: strawberry.Private[ProcessRow]

    id: strawberry.ID = derived(ID_DESCRIPTION, _id)
    name: str = column("name", "Name of the process, unique in its task.")
    kind: ProcessKind = column("kind", "Whether the process is an array or solitary.")
    job_count: int = column("job_count", "Number of jobs; 1 for a solitary process.")
    threshold: float | None = column(
        "threshold",
        "How much progress is enough: a number of DONE jobs or, if the jobs report progress, a sum"
        " of the reported numbers. Null if the process has no threshold.",
    )
    beat_interval: float | None = column(
        "beat_interval",
        "Time between two BEAT events of a job, in seconds. Null if the process has none of its"
        " own; then the server's default applies.",
    )
    state: State = column(
        "state", "Lifecycle state of the process, derived from the states of its jobs."
    )
    started_at: datetime | None = column(
        "started_at", "Time of the first STARTED event. Null until a job has started."
    )
    finished_at: datetime | None = derived(
        "When the process succeeded or failed. Null until then.", _finished_at
    )
    last_event_at: datetime | None = column(
        "last_event_at", "Time of the latest event. Null without events."
    )
    last_event_class: EventClass | None = column(
        "last_event_class", "Class of the latest event. Null without events."
    )
    task: Annotated[Task, strawberry.lazy("lamia_gql.graph.types.task")] = single(
        "The task that the process belongs to.", _task, models.Task, task_of
    )
    progress: Progress | None = derived(
        "Progress of the process. Null only for a solitary process whose job has not reported any"
        " above 0.",
        _progress,
        parts={"ratio": "ratio"},
    )
    enough: bool = derived(
        "Whether the threshold is reached, so that jobs may stop. False without a threshold.",
        _enough,
    )
    counts: JobCounts = derived(
        "Number of jobs in each state.",
        _counts,
        only_for={"silent": SILENT},
        parts=COUNTED_JOBS,
    )
    outlook: Outlook = derived("Whether the process can still succeed.", _outlook)
    rate: float | None = derived(RATE, _rate)
    stalled_since: datetime | None = derived(STALLED_SINCE, _stalled_since)
    estimated_finish_at: datetime | None = derived(
        "When the process will reach a progress ratio of 1, at its recent rate. Null if it has no"
        " progress yet, has reached that ratio, has finished or stalled, or cannot succeed.",
        _estimated_finish_at,
    )
    events: Connection[Event] = events_of(
        "Events of the jobs, in the order in which the server received them.",
        ("task_id", "number"),
        "events",
    )
    usage: ProcessUsage = computed(
        "How long the jobs took, and what they used.",
        usage_of,
        USAGE,
        ProcessUsage.of,
        needs=("kind", "first_index"),
    )
    timeline: list[TimelinePoint] = value(
        "History of progress and job counts, at evenly spaced times. Empty without events.",
        _timeline,
        needs=(*PROGRESS, *END),
    )

    @staticmethod
    def of(found: ProcessRow) -> Process:
        """The process of a row, as an object of its kind."""
        return JobArray(row=found) if found.is_array else SolitaryProcess(row=found)


@strawberry.type(description="A process of many jobs of the same kind, each addressed by an index.")
class JobArray(Process):
    """An array of jobs."""

    first_index: int = column("first_index", "Index of the first job.")
    failure_tolerance: int = column(
        "failure_tolerance",
        "How many jobs may end FAILED or TERMINATED without the array failing.",
    )
    jobs: Connection[Job] = page_of(
        "Jobs of the array, ordered by index, including those that have sent no events yet.",
        array_jobs,
        models.Job,
        Job.of,
        needs=COUNTED,
    )
    job: Job | None = single(
        "The job with this index. Null if the array has no such index.",
        array_job,
        models.Job,
        lambda pair: Job.of(*pair),
        needs=FIND_JOBS,
    )
    state_ranges: list[StateRange] = value(
        "States of all jobs, ordered by index and run-length encoded.",
        state_ranges_of,
        needs=BOUNDS,
    )
    failure_groups: list[FailureGroup] = failure_groups_of(
        "Jobs that ended without success, grouped by their cause; the largest groups first.",
        lambda process: (process.task_id, process.number),
        ("task_id", "number"),
    )
    indices: str = value(
        "Indices of all jobs that match, as ranges: `813,900-904`, the form that `sbatch --array`"
        " takes. Empty if none matches.",
        indices_of,
        needs=COUNTED,
    )


@strawberry.type(description="A process with a single job, which has no index.")
class SolitaryProcess(Process):
    """A solitary process."""

    job: Job = single(
        "The single job of the process.",
        _job_of_solitary,
        models.Job,
        lambda pair: Job.of(*pair),
    )
