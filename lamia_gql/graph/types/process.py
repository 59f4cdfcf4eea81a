"""The interface ``Process``, and the types of its two kinds."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

import strawberry

from lamia_gql.domain.lifecycle import EventClass, JobState
from lamia_gql.domain.liveness import Liveness
from lamia_gql.domain.pagination import page
from lamia_gql.domain.progress import (
    Outlook,
    ProcessKind,
    State,
    estimated_finish,
    is_enough,
    process_outlook,
    process_progress,
)
from lamia_gql.graph.context import Info
from lamia_gql.graph.timeline import process_timeline
from lamia_gql.graph.types import filter_inputs
from lamia_gql.graph.types.connection import Connection, Node, global_id
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.event_connection import event_connection
from lamia_gql.graph.types.fields import (
    After,
    Before,
    Classes,
    First,
    Index,
    Last,
    Points,
    argument,
    field,
    resolved,
)
from lamia_gql.graph.types.job import Job
from lamia_gql.graph.types.job_statistics import (
    JobCounts,
    Progress,
    StateRange,
    TimelinePoint,
    check_points,
)
from lamia_gql.graph.types.parents import load_task
from lamia_gql.storage import filters
from lamia_gql.storage.queries.jobs import JOB_CURSORS
from lamia_gql.storage.rows import ProcessRow

if TYPE_CHECKING:
    from lamia_gql.graph.types.task import Task


@strawberry.interface(
    description="A part of a task: an array of jobs, or a solitary process with a single job."
)
class Process(Node):
    """What both kinds of process have in common."""

    name: str = field("Name of the process, unique in its task.")
    kind: ProcessKind = field("Whether the process is an array or solitary.")
    job_count: int = field("Number of jobs; 1 for a solitary process.")
    threshold: float | None = field(
        "How much progress is enough: a number of DONE jobs or, if the jobs report progress, a sum"
        " of the reported numbers. Null if the process has no threshold."
    )
    beat_interval: float | None = field(
        "Time between two BEAT events of a job, in seconds. Null if the process has none of its"
        " own; then the server's default applies."
    )
    state: State = field("Lifecycle state of the process, derived from the states of its jobs.")
    started_at: datetime | None = field(
        "Time of the first STARTED event. Null until a job has started."
    )
    finished_at: datetime | None = field("When the process succeeded or failed. Null until then.")
    last_event_at: datetime | None = field("Time of the latest event. Null without events.")
    last_event_class: EventClass | None = field("Class of the latest event. Null without events.")
    row: strawberry.Private[ProcessRow]

    @staticmethod
    def of(row: ProcessRow) -> Process:
        """The process of a row, as an object of its kind."""
        common: dict[str, Any] = {
            "id": global_id("Process", row.task_id, row.number),
            "name": row.name,
            "kind": ProcessKind(row.kind),
            "job_count": row.job_count,
            "threshold": row.threshold,
            "beat_interval": row.beat_interval,
            "state": State(row.state),
            "started_at": row.started_at,
            "finished_at": row.finished_at,
            "last_event_at": row.last_event_at,
            "last_event_class": EventClass(row.last_event_class) if row.last_event_class else None,
            "row": row,
        }
        if not row.is_array:
            return SolitaryProcess(**common)
        return JobArray(
            **common,
            first_index=row.first_index,
            failure_tolerance=row.failure_tolerance,
        )

    @resolved("The task that the process belongs to.")
    async def task(
        self, info: Info
    ) -> Annotated[Task, strawberry.lazy("lamia_gql.graph.types.task")]:
        """The task, in its present state."""
        return await load_task(info, self.row.task_id)

    @resolved(
        "Progress of the process. Null only for a solitary process whose job has not reported any"
        " above 0."
    )
    def progress(self) -> Progress | None:
        """The progress, from the counters of the process."""
        return Progress.of(process_progress(self.row.progress_inputs()))

    @resolved("Whether the threshold is reached, so that jobs may stop. False without a threshold.")
    def enough(self) -> bool:
        """Whether the threshold is reached, from the counters of the process."""
        return is_enough(self.row.progress_inputs())

    @resolved("Number of jobs in each state.")
    def counts(self) -> JobCounts:
        """The counters of the process."""
        return JobCounts.of([self.row])

    @resolved("Whether the process can still succeed.")
    async def outlook(self, info: Info) -> Outlook:
        """The outlook; looks for LOST jobs only if there can be any."""
        has_lost = await info.context.load.has_lost_jobs(self.row)
        return process_outlook(self.row.progress_inputs(), has_lost)

    @resolved(
        "When the process will reach a progress ratio of 1, at its mean rate since the first start."
        " Null if it has not started, has no progress yet, has reached that ratio or has finished."
    )
    def estimated_finish_at(self, info: Info) -> datetime | None:
        """The estimate, by linear extrapolation."""
        progress = process_progress(self.row.progress_inputs())
        ratio = None if progress is None else progress.ratio
        return estimated_finish(ratio, self.state, self.started_at, info.context.now)

    @resolved("Events of the jobs, in the order in which the server received them.")
    async def events(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        event_class: Classes = None,
    ) -> Connection[Event]:
        """A page of events."""
        return await event_connection(
            info,
            (self.row.task_id, self.row.number),
            self.row.events,
            event_class,
            first=first,
            after=after,
            last=last,
            before=before,
        )

    @resolved("History of progress and job counts, at evenly spaced times. Empty without events.")
    async def timeline(self, info: Info, points: Points = 60) -> list[TimelinePoint]:
        """The history, from the samples of the process."""
        check_points(points, info.context.settings.timeline_limit)
        samples = await info.context.load.samples(self.row)
        found = process_timeline(self.row, samples, points, info.context.now)
        return [TimelinePoint.of(point, self.job_count) for point in found]


@strawberry.type(description="A process of many jobs of the same kind, each addressed by an index.")
class JobArray(Process):
    """An array of jobs."""

    first_index: int = field("Index of the first job.")
    failure_tolerance: int = field(
        "How many jobs may end FAILED or TERMINATED without the array failing."
    )

    @resolved("Jobs of the array, ordered by index, including those that have sent no events yet.")
    async def jobs(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[  # noqa: A002  (its name in the schema)
            filter_inputs.JobFilter | None, argument("Only jobs that match. Defaults to all.")
        ] = None,
    ) -> Connection[Job]:
        """A page of jobs."""
        context, row = info.context, self.row
        wanted = filters.JobFilter() if filter is None else filter.parse()
        part = page(
            JOB_CURSORS,
            context.settings.page_limit,
            first=first,
            after=after,
            last=last,
            before=before,
        )
        return Connection[Job].of(
            await context.load.jobs(row, wanted, part),
            lambda job: Job.of(job, row, info),
            lambda job: JOB_CURSORS.encode(job.job_index),
            lambda: context.load.count_jobs(row, wanted),
        )

    @resolved("The job with this index. Null if the array has no such index.")
    async def job(self, info: Info, index: Index) -> Job | None:
        """One job."""
        return await Job.find(info, self.row, index)

    @resolved("States of all jobs, ordered by index and run-length encoded.")
    async def state_ranges(self, info: Info) -> list[StateRange]:
        """The runs of equal states."""
        # A run has the attributes of a range, and there may be many.
        return cast(list[StateRange], await info.context.load.state_ranges(self.row))

    @resolved(
        "Indices of all jobs that match, as ranges: `813,900-904`, the form that `sbatch --array`"
        " takes. Empty if none matches."
    )
    async def indices(
        self,
        info: Info,
        states: Annotated[
            list[JobState] | None, argument("Only jobs in one of these states. Defaults to all.")
        ] = None,
        liveness: Annotated[
            Liveness | None,
            argument("Only RUNNING jobs of this liveness. Defaults to all jobs."),
        ] = None,
    ) -> str:
        """The indices as text."""
        return await info.context.load.indices(
            self.row, filter_inputs.job_filter(states, liveness, "states")
        )


@strawberry.type(description="A process with a single job, which has no index.")
class SolitaryProcess(Process):
    """A solitary process."""

    @resolved("The single job of the process.")
    async def job(self, info: Info) -> Job:
        """The job, which is stored with index 0."""
        row = self.row
        return Job.of(await info.context.load.job(row.task_id, row.number, 0), row, info)
