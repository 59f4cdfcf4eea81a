"""Processes of both kinds, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from lamia_gql.domain.lifecycle import EventClass, JobState
from lamia_gql.domain.pagination import encode_opaque, integer, page
from lamia_gql.domain.progress import (
    Liveness,
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
from lamia_gql.graph.types import inputs
from lamia_gql.graph.types.connection import Connection, Node, global_id
from lamia_gql.graph.types.event import Event, event_connection, present
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
from lamia_gql.graph.types.job import Job, find_job
from lamia_gql.graph.types.statistics import (
    JobCounts,
    Progress,
    StateRange,
    TimelinePoint,
    check_points,
    counts,
)
from lamia_gql.storage import filters
from lamia_gql.storage.rows import ProcessRow

if TYPE_CHECKING:
    from lamia_gql.graph.types.task import Task


@strawberry.interface(description="An entry of a task: an array of jobs, or a solitary one.")
class Process(Node):
    """A process of either kind."""

    name: str = field("Its name, unique in the task.")
    kind: ProcessKind = field("Whether it is an array.")
    job_count: int = field("How many jobs it has.")
    threshold: float | None = field("How much progress is enough.")
    beat_interval: float | None = field("How often, in seconds, its jobs should give a sign.")
    state: State = field("Where it is.")
    started_at: datetime | None = field("The time of its first STARTED.")
    finished_at: datetime | None = field("When it succeeded or failed.")
    last_event_at: datetime | None = field("The time of its latest event.")
    last_event_class: EventClass | None = field("The class of its latest event.")
    record: strawberry.Private[ProcessRow]

    @resolved("The task that it belongs to.")
    async def task(
        self, info: Info
    ) -> Annotated[Task, strawberry.lazy("lamia_gql.graph.types.task")]:
        """Its task."""
        from lamia_gql.graph.types.task import Task

        return Task.of(await present(info.context.load.task_by_id(self.record.task_id)))

    @resolved("How far it is, where it can be told.")
    def progress(self) -> Progress | None:
        """Its progress, from its counters."""
        return Progress.of(process_progress(self.record.progress_inputs()))

    @resolved("Whether its threshold is reached: jobs may stop.")
    def enough(self) -> bool:
        """Whether it is enough."""
        return is_enough(self.record.progress_inputs())

    @resolved("Its jobs by state.")
    def counts(self) -> JobCounts:
        """Its counters."""
        return counts([self.record])

    @resolved("Whether it can still succeed.")
    async def outlook(self, info: Info) -> Outlook:
        """Its outlook; asks for lost jobs where there can be any."""
        lost = await info.context.load.lost(self.record)
        return process_outlook(self.record.progress_inputs(), lost)

    @resolved("When it will be done, at its rate so far, where that tells.")
    def estimated_finish_at(self, info: Info) -> datetime | None:
        """The estimate."""
        progress = process_progress(self.record.progress_inputs())
        ratio = None if progress is None else progress.ratio
        return estimated_finish(ratio, self.state, self.started_at, info.context.now)

    @resolved("Its jobs' events, in the order in which the server took them.")
    async def events(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        event_class: Classes = None,
    ) -> Connection[Event]:
        """A page of its events."""
        return await event_connection(
            info,
            (self.record.task_id, self.record.number),
            self.record.events,
            event_class,
            first=first,
            after=after,
            last=last,
            before=before,
        )

    @resolved("Its history, as the server saw it, at evenly spaced times.")
    async def timeline(self, info: Info, points: Points = 60) -> list[TimelinePoint]:
        """Its history."""
        check_points(points, info.context.settings.timeline_limit)
        samples = await info.context.load.samples(self.record)
        found = process_timeline(self.record, samples, points, info.context.now)
        return [TimelinePoint.of(point, self.job_count) for point in found]


@strawberry.type(description="Many jobs of a kind, addressed by an index.")
class Array(Process):
    """An array."""

    first_index: int = field("The index of its first job.")
    failure_tolerance: int = field("How many jobs may end without success before it fails.")

    @resolved("Its jobs, by index; also those that nothing was heard of yet.")
    async def jobs(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        filter: Annotated[inputs.JobFilter | None, argument("Which jobs.")] = None,  # noqa: A002  (its name in the schema)
    ) -> Connection[Job]:
        """A page of its jobs."""
        context, array = info.context, self.record
        wanted = filters.JobFilter() if filter is None else filter.parse()
        part = page("j", (integer,), context.settings.page_limit, first=first, after=after)
        return Connection[Job].of(
            await context.load.jobs(array, wanted, part),
            lambda job: Job.of(job, array, info),
            lambda job: encode_opaque("j", job.job_index),
            lambda: context.load.count_jobs(array, wanted),
        )

    @resolved("The job of this index; null where there is none.")
    async def job(self, info: Info, index: Index) -> Job | None:
        """One of its jobs."""
        return await find_job(info, self.record, index)

    @resolved("The states of all its jobs, run-length encoded, by index.")
    async def state_ranges(self, info: Info) -> list[StateRange]:
        """Its jobs' states."""
        runs = await info.context.load.state_ranges(self.record)
        return [StateRange(first=run.first, last=run.last, state=run.state) for run in runs]

    @resolved("The indices of some jobs, like `813,900-904`: for `sbatch --array`, say.")
    async def indices(
        self,
        info: Info,
        state: Annotated[
            list[JobState] | None, argument("Jobs in these states; in all, unless said.")
        ] = None,
        liveness: Annotated[
            Liveness | None, argument("Running jobs that are, or are not, heard of in this way.")
        ] = None,
    ) -> str:
        """The indices of its jobs in one of these states, and of this liveness."""
        return await info.context.load.indices(
            self.record, inputs.job_filter(state, liveness, "state")
        )


@strawberry.type(description="A process of a single job.")
class SolitaryProcess(Process):
    """A solitary process."""

    @resolved("Its one job.")
    async def job(self, info: Info) -> Job:
        """Its job."""
        record = self.record
        job = await info.context.load.job(record.task_id, record.number, 0)
        return Job.of(job, record, info)


def make_process(record: ProcessRow) -> Process:
    """The process of a row, as the kind that it is."""
    common: dict[str, Any] = {
        "id": global_id("Process", record.task_id, record.number),
        "name": record.name,
        "kind": ProcessKind(record.kind),
        "job_count": record.job_count,
        "threshold": record.threshold,
        "beat_interval": record.beat_interval,
        "state": State(record.state),
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "last_event_at": record.last_event_at,
        "last_event_class": EventClass(record.last_event_class)
        if record.last_event_class
        else None,
        "record": record,
    }
    if not record.is_array:
        return SolitaryProcess(**common)
    return Array(
        **common,
        first_index=record.first_index,
        failure_tolerance=record.failure_tolerance,
    )
