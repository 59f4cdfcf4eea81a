"""The type ``Job``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self

import strawberry

from lamia_gql.domain import progress as rules
from lamia_gql.domain.lifecycle import ENDED, EventClass, JobState
from lamia_gql.domain.liveness import Liveness, liveness
from lamia_gql.domain.progress import ProcessKind, job_progress
from lamia_gql.graph.reads import Reads
from lamia_gql.graph.types.connection import ID_DESCRIPTION, Connection, Node, global_id
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.event_connection import events_of
from lamia_gql.graph.types.fields import column, derived, owner
from lamia_gql.graph.types.job_statistics import Progress
from lamia_gql.graph.types.parents import process_of
from lamia_gql.graph.types.usage import JobUsage, UsageValues, usage_values
from lamia_gql.storage.details_json import decode_values
from lamia_gql.storage.queries.jobs import jobs_by_key
from lamia_gql.storage.row_shape import RowShape
from lamia_gql.storage.rows import JobRow, ProcessRow

if TYPE_CHECKING:
    from lamia_gql.graph.types.process import Process

KEY = ("task_id", "process_number", "job_index")


def _id(task_id: int, process_number: int, job_index: int) -> strawberry.ID:
    return global_id("Job", task_id, process_number, job_index)


def _index(job_index: int, owner_kind: str) -> int | None:
    return job_index if owner_kind == ProcessKind.ARRAY else None


def _liveness(
    state: str, alive_at: datetime | None, owner_beat_interval: float | None, reads: Reads
) -> Liveness | None:
    interval = owner_beat_interval or reads.beat_interval
    return liveness(JobState(state), alive_at, interval, reads.now)


def _progress(
    progress: float | None, state: str, owner_reporting: int, owner_threshold: float | None
) -> rules.Progress | None:
    return job_progress(progress, JobState(state), owner_reporting > 0, owner_threshold)


def _finished_at(state: str, closed_at: datetime | None) -> datetime | None:
    return closed_at if state in ENDED else None


def _attempt(seen_attempt: int | None) -> int:
    return seen_attempt or 0


def _usage(usage: str | None) -> UsageValues | None:
    return usage_values(decode_values(usage))


def find_jobs(
    reads: Reads,
    processes: Sequence[ProcessRow | None],
    index: int,
    shape: RowShape[Any],
) -> list[tuple[Any, ProcessRow] | None]:
    """The job of an index in each process, with its process; None where there is no such job."""
    there = [p for p in processes if p is not None and p.first_index <= index <= p.last_index]
    keys = [(process.task_id, process.number, index) for process in there]
    jobs = jobs_by_key(reads.connection, keys, shape) if keys else []
    found = {process[:2]: (job, process) for job, process in zip(jobs, there, strict=True)}
    return [None if process is None else found.get(process[:2]) for process in processes]


FIND_JOBS = ("first_index", "job_count")
"""What :func:`find_jobs` needs of a process."""


@strawberry.type(description="A member of an array, or the single job of a solitary process.")
class Job(Node):
    """A job, whether or not it has sent events."""

    row: strawberry.Private[JobRow]
    owner_row: strawberry.Private[ProcessRow]
    """The row of the process."""

    id: strawberry.ID = derived(ID_DESCRIPTION, _id)
    index: int | None = derived(
        "Index in the array. Null in a solitary process.", _index, in_array="job_index"
    )
    state: JobState = column("state", "Lifecycle state of the job, derived from its events.")
    liveness: Liveness | None = derived(
        "Whether the job still sends events. Null if it is not RUNNING, or if neither its process"
        " nor the server has a beat interval.",
        _liveness,
    )
    progress: Progress | None = derived(
        "Latest progress that the job has reported since its latest start, 0 if none: percent if"
        " its process has no threshold (a DONE job counts 100), else a number in the unit of the"
        " threshold. Null as long as no job of the process has reported progress above 0.",
        _progress,
    )
    starts: int = column("starts", "Number of STARTED events.")
    started_at: datetime | None = column(
        "started_at",
        "When the job started; after restarts, the latest time. Null until it has started.",
    )
    finished_at: datetime | None = derived(
        "When the job ended. Null unless it has ended.", _finished_at
    )
    last_event_at: datetime | None = column(
        "seen_at", "Time of the latest event. Null without events."
    )
    last_event_class: EventClass | None = column(
        "seen_class", "Class of the latest event. Null without events."
    )
    hostname: str | None = column(
        "seen_hostname", "Host name in the latest event. Null if it has none."
    )
    attempt: int = derived(
        "How many times the job had been restarted, by its latest event. A later submission to the"
        " batch system continues counting where the earlier one ended.",
        _attempt,
    )
    exit_code: int | None = column(
        "exit_code", "Exit code with which the job ended. Null if it runs again or told none."
    )
    signal: str | None = column(
        "signal",
        "Name of the signal that ended the job. Null if it runs again or told none.",
    )
    message: str | None = column(
        "message", "Why the job ended or is held. Null if it runs again or did not tell."
    )
    batch_id: str | None = column(
        "batch_id", "Id of the job in its batch system; the latest. Null if it told none."
    )
    usage: JobUsage | None = derived(
        "What the job has used since its latest start, and what it was given. Null if it did not"
        " tell.",
        _usage,
    )
    process: Annotated[Process, strawberry.lazy("lamia_gql.graph.types.process")] = owner(
        "The process that the job belongs to.", process_of
    )
    events: Connection[Event] = events_of(
        "Events of the job, in the order in which the server received them.", KEY, "events"
    )

    @classmethod
    def of(cls, found: JobRow, process: ProcessRow) -> Self:
        """The job of a row, and of the row of its process."""
        return cls(row=found, owner_row=process)
