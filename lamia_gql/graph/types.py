"""Tasks, processes, jobs and events, as clients see them.

Fields that are columns are plain attributes; all others are methods, and read through loaders.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any, Self, TypeVar

import orjson
import strawberry
from strawberry.scalars import JSON

from lamia_gql import filters
from lamia_gql.errors import ErrorCode, RequestError
from lamia_gql.graph import inputs
from lamia_gql.graph.connection import Connection, Node, global_id
from lamia_gql.graph.context import Info
from lamia_gql.graph.fields import (
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
from lamia_gql.graph.measures import (
    JobCounts,
    Progress,
    StateRange,
    TimelinePoint,
    check_points,
    counts,
)
from lamia_gql.lifecycle import ENDED, EventClass, JobState
from lamia_gql.pages import encode_opaque, integer, page
from lamia_gql.progress import (
    Liveness,
    Outlook,
    ProcessKind,
    ProgressBasis,
    State,
    estimated_finish,
    is_enough,
    job_progress,
    liveness,
    process_outlook,
    process_progress,
    task_outlook,
    task_ratio,
)
from lamia_gql.records import EventRecord, JobRecord, ProcessRecord, TaskRecord
from lamia_gql.timeline import process_timeline, task_timeline

T = TypeVar("T")


def _json(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


@strawberry.type(description="One message of a job, as it came.")
class Event(Node):
    """An event."""

    uuid: strawberry.ID = field("The UUID that the client gave it, or that was made for it.")
    event_class: EventClass = field("What the job said.")
    sent_at: datetime | None = field("When it happened, by the job's clock.")
    received_at: datetime = field("When the server took it.")
    progress: float | None = field("How far the job was, in its own unit.")
    hostname: str | None = field("The host that the job ran on, by its own name.")
    client_address: str | None = field("The address that it came from.")
    attempt: int = field("How often the job had been restarted, by its own count.")
    record: strawberry.Private[EventRecord]

    @classmethod
    def of(cls, record: EventRecord) -> Self:
        """The event of a row."""
        return cls(
            id=global_id("Event", record.task_id, record.id),
            uuid=strawberry.ID(record.id),
            event_class=EventClass(record.event_class),
            sent_at=record.sent_at,
            received_at=record.received_at,
            progress=record.progress,
            hostname=record.hostname,
            client_address=record.client_address,
            attempt=record.attempt,
            record=record,
        )

    @resolved("Any JSON that came with it.")
    def payload(self) -> JSON | None:
        """The payload, decoded only where it is asked for."""
        found: JSON | None = _json(self.record.payload)
        return found

    @resolved("The job that sent it.")
    async def job(self, info: Info) -> Job:
        """Its job."""
        record, load = self.record, info.context.load
        process = await _present(load.process_by_key(record.task_id, record.process_number))
        job = await load.job(record.task_id, record.process_number, record.job_index)
        return Job.of(job, process, info)

    @resolved("The process that the job belongs to.")
    async def process(self, info: Info) -> Process:
        """Its process."""
        record, load = self.record, info.context.load
        return make_process(
            await _present(load.process_by_key(record.task_id, record.process_number))
        )


async def _present(awaited: Awaitable[T | None]) -> T:
    """What a child needs of its parent, which may have been deleted in between."""
    found = await awaited
    if found is None:
        raise RequestError(ErrorCode.TASK_NOT_FOUND, "The task was deleted in the meantime.")
    return found


def _event_page(info: Info, **arguments: Any) -> Any:
    return page("e", (integer,), info.context.settings.page_limit, **arguments)


def _event_cursor(record: EventRecord) -> str:
    return encode_opaque("e", record.seq)


async def _events(
    info: Info,
    parent: tuple[int, ...],
    total: int,
    event_class: list[EventClass] | None,
    **arguments: Any,
) -> Connection[Event]:
    wanted = inputs.event_filter(event_class)
    load = info.context.load
    found = await load.events(parent, wanted, _event_page(info, **arguments))
    return Connection[Event].of(
        found,
        Event.of,
        _event_cursor,
        lambda: total if wanted.classes is None else load.count_events(parent, wanted),
    )


@strawberry.type(description="A member of an array, or the one job of a solitary process.")
class Job(Node):
    """A job."""

    index: int | None = field("Its index in the array; null in a solitary process.")
    state: JobState = field("Where it is in its life.")
    liveness: Liveness | None = field(
        "Whether it is still heard of: null unless it runs and a beat interval is known."
    )
    progress: Progress | None = field("How far it is, where it can be told.")
    starts: int = field("How often it has started.")
    started_at: datetime | None = field("When it started, the latest time.")
    finished_at: datetime | None = field("When it ended; null while it has not.")
    last_event_at: datetime | None = field("The time of its latest event.")
    last_event_class: EventClass | None = field("What it said last.")
    hostname: str | None = field("The host that its latest event came from.")
    record: strawberry.Private[JobRecord]
    process_record: strawberry.Private[ProcessRecord]

    @classmethod
    def of(cls, record: JobRecord, process: ProcessRecord, info: Info) -> Self:
        """The job of a row."""
        state = JobState(record.state)
        context = info.context
        beat_interval = process.beat_interval or context.settings.beat_interval
        progress = job_progress(record.progress, state, process.reporting > 0, process.threshold)
        return cls(
            id=global_id("Job", record.task_id, record.process_number, record.job_index),
            index=record.job_index if process.is_array else None,
            state=state,
            liveness=liveness(state, record.alive_at, beat_interval, context.now),
            progress=Progress.of(progress),
            starts=record.starts,
            started_at=record.started_at,
            finished_at=record.closed_at if state in ENDED else None,
            last_event_at=record.seen_at,
            last_event_class=EventClass(record.seen_class) if record.seen_class else None,
            hostname=record.seen_hostname,
            record=record,
            process_record=process,
        )

    @resolved("The process that it belongs to.")
    def process(self) -> Process:
        """Its process."""
        return make_process(self.process_record)

    @resolved("Its events, in the order in which the server took them.")
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
        return await _events(
            info,
            self.record[:3],
            self.record.events,
            event_class,
            first=first,
            after=after,
            last=last,
            before=before,
        )


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
    record: strawberry.Private[ProcessRecord]

    @resolved("The task that it belongs to.")
    async def task(self, info: Info) -> Task:
        """Its task."""
        return Task.of(await _present(info.context.load.task_by_id(self.record.task_id)))

    @resolved("How far it is, where it can be told.")
    def progress(self) -> Progress | None:
        """Its progress, from its counters."""
        return Progress.of(process_progress(self.record.measures()))

    @resolved("Whether its threshold is reached: jobs may stop.")
    def enough(self) -> bool:
        """Whether it is enough."""
        return is_enough(self.record.measures())

    @resolved("Its jobs by state.")
    def counts(self) -> JobCounts:
        """Its counters."""
        return counts([self.record])

    @resolved("Whether it can still succeed.")
    async def outlook(self, info: Info) -> Outlook:
        """Its outlook; asks for lost jobs where there can be any."""
        lost = await info.context.load.lost(self.record)
        return process_outlook(self.record.measures(), lost)

    @resolved("When it will be done, at its rate so far, where that tells.")
    def estimated_finish_at(self, info: Info) -> datetime | None:
        """The estimate."""
        progress = process_progress(self.record.measures())
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
        return await _events(
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


def make_process(record: ProcessRecord) -> Process:
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


async def find_job(info: Info, process: ProcessRecord, index: int) -> Job | None:
    """The job of this index in an array; None where it has none."""
    if not process.first_index <= index <= process.last_index:
        return None
    job = await info.context.load.job(process.task_id, process.number, index)
    return Job.of(job, process, info)


@strawberry.type(description="A set of processes under one name.")
class Task(Node):
    """A task."""

    name: str = field("Its name, unique on this server.")
    username: str | None = field("Who submitted it.")
    email: str | None = field("Whom to write to about it.")
    comment: str | None = field("What it is about.")
    submitted_at: datetime = field("When it was submitted, by its own word.")
    received_at: datetime = field("When the server was told of it.")
    hostname: str | None = field("The host that it was submitted from, by its own name.")
    client_address: str | None = field("The address that it came from.")
    state: State = field("Where it is.")
    started_at: datetime | None = field("The time of its first STARTED.")
    finished_at: datetime | None = field("When it succeeded or failed.")
    last_event_at: datetime | None = field("The time of its latest event.")
    record: strawberry.Private[TaskRecord]

    @classmethod
    def of(cls, record: TaskRecord) -> Self:
        """The task of a row."""
        return cls(
            id=global_id("Task", record.id),
            name=record.name,
            username=record.username,
            email=record.email,
            comment=record.comment,
            submitted_at=record.submitted_at,
            received_at=record.received_at,
            hostname=record.hostname,
            client_address=record.client_address,
            state=State(record.state),
            started_at=record.started_at,
            finished_at=record.finished_at,
            last_event_at=record.last_event_at,
            record=record,
        )

    @resolved("Words by which it is found, sorted.")
    async def tags(self, info: Info) -> list[str]:
        """Its tags."""
        return await info.context.load.tags(self.record.id)

    @resolved("Any JSON that was kept with it.")
    def config(self) -> JSON | None:
        """Its config, decoded only where it is asked for."""
        found: JSON | None = _json(self.record.config)
        return found

    @resolved("The graph of its processes, in the form that it came in.")
    def dependencies(self) -> JSON | None:
        """Its dependencies."""
        found: JSON | None = _json(self.record.dependencies)
        return found

    @resolved(
        "How far it is, in percent: the mean of its processes' ratios, each at most 1,"
        " weighted by their jobs."
    )
    async def progress(self, info: Info) -> Progress:
        """Its progress."""
        ratio = await self._ratio(info)
        return Progress(ratio=ratio, current=100 * ratio, target=100.0, basis=ProgressBasis.PERCENT)

    @resolved("Its jobs by state.")
    async def counts(self, info: Info) -> JobCounts:
        """The counters of its processes, added up."""
        return counts(await info.context.load.all_processes(self.record.id))

    @resolved("Whether it can still succeed: the worst of its processes.")
    async def outlook(self, info: Info) -> Outlook:
        """Its outlook."""
        load = info.context.load
        return task_outlook(
            [
                process_outlook(process.measures(), await load.lost(process))
                for process in await load.all_processes(self.record.id)
            ]
        )

    @resolved("When it will be done, at its rate so far, where that tells.")
    async def estimated_finish_at(self, info: Info) -> datetime | None:
        """The estimate."""
        ratio = await self._ratio(info)
        return estimated_finish(ratio, self.state, self.started_at, info.context.now)

    async def _ratio(self, info: Info) -> float:
        processes = await info.context.load.all_processes(self.record.id)
        return task_ratio(process.measures() for process in processes)[0]

    @resolved("Its processes, in the order in which they were given; all, unless said.")
    async def processes(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[inputs.ProcessFilter | None, argument("Which processes.")] = None,  # noqa: A002  (its name in the schema)
    ) -> Connection[Process]:
        """A page of its processes."""
        load, settings = info.context.load, info.context.settings
        wanted = filters.ProcessFilter() if filter is None else filter.parse()
        part = page(
            "p",
            (integer,),
            settings.page_limit,
            first=first,
            after=after,
            last=last,
            before=before,
            otherwise=settings.max_processes,
        )
        return Connection[Process].of(
            await load.processes(self.record.id, wanted, part),
            make_process,
            lambda process: encode_opaque("p", process.number),
            lambda: load.count_processes(self.record.id, wanted),
        )

    @resolved("The process of this name; null where there is none.")
    async def process(
        self, info: Info, name: Annotated[str, argument("Its name.")]
    ) -> Process | None:
        """One of its processes."""
        found = await info.context.load.process_by_name(self.record.id, name)
        return None if found is None else make_process(found)

    @resolved("All its events, in the order in which the server took them.")
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
        return await _events(
            info,
            (self.record.id,),
            self.record.last_seq,
            event_class,
            first=first,
            after=after,
            last=last,
            before=before,
        )

    @resolved("Its history, as the server saw it, at evenly spaced times.")
    async def timeline(self, info: Info, points: Points = 60) -> list[TimelinePoint]:
        """Its history."""
        load = info.context.load
        check_points(points, info.context.settings.timeline_limit)
        processes = await load.all_processes(self.record.id)
        samples = await load.all_samples(processes)
        found = task_timeline(processes, samples, points, info.context.now)
        return [TimelinePoint.of(p, sum(x.job_count for x in processes)) for p in found]
