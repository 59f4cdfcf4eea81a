"""The type ``Task``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry.scalars import JSON

from lamia_gql.domain.pagination import page
from lamia_gql.domain.progress import (
    Outlook,
    ProgressBasis,
    State,
    estimated_finish,
    process_outlook,
    task_outlook,
    task_ratio,
)
from lamia_gql.graph.context import Info
from lamia_gql.graph.timeline import task_timeline
from lamia_gql.graph.types import filter_inputs
from lamia_gql.graph.types.connection import Connection, Node, global_id
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.event_connection import event_connection
from lamia_gql.graph.types.fields import (
    After,
    Before,
    Classes,
    First,
    Last,
    Points,
    argument,
    field,
    resolved,
    stored_json,
)
from lamia_gql.graph.types.job_statistics import (
    JobCounts,
    Progress,
    TimelinePoint,
    check_points,
)
from lamia_gql.graph.types.process import Process
from lamia_gql.storage import filters
from lamia_gql.storage.queries.tasks import PROCESS_CURSORS
from lamia_gql.storage.rows import TaskRow


@strawberry.type(description="A set of processes that are monitored together under one name.")
class Task(Node):
    """A task."""

    name: str = field("Name of the task, unique on this server.")
    username: str | None = field("User who submitted the task. May be null.")
    email: str | None = field("E-mail address to contact about the task. May be null.")
    comment: str | None = field("Free text that describes the task. May be null.")
    submitted_at: datetime = field(
        "When the task was submitted, as reported by the client. Equal to `receivedAt` if the"
        " client reported no time."
    )
    received_at: datetime = field("When the server created the task.")
    hostname: str | None = field(
        "Host that the task was submitted from, as reported by the client. May be null."
    )
    client_address: str | None = field(
        "Network address that the task was submitted from. Null if unknown."
    )
    state: State = field("Lifecycle state of the task, derived from the states of its processes.")
    started_at: datetime | None = field(
        "Time of the first STARTED event. Null until a job has started."
    )
    finished_at: datetime | None = field("When the task succeeded or failed. Null until then.")
    last_event_at: datetime | None = field("Time of the latest event. Null without events.")
    row: strawberry.Private[TaskRow]

    @classmethod
    def of(cls, row: TaskRow) -> Self:
        """The task of a row."""
        return cls(
            id=global_id("Task", row.id),
            name=row.name,
            username=row.username,
            email=row.email,
            comment=row.comment,
            submitted_at=row.submitted_at,
            received_at=row.received_at,
            hostname=row.hostname,
            client_address=row.client_address,
            state=State(row.state),
            started_at=row.started_at,
            finished_at=row.finished_at,
            last_event_at=row.last_event_at,
            row=row,
        )

    @resolved("Keywords by which the task can be found, in alphabetical order.")
    async def tags(self, info: Info) -> list[str]:
        """The tags, read only if they are selected."""
        return await info.context.load.tags(self.row.id)

    @resolved("Arbitrary JSON that is stored with the task. Null if there is none.")
    async def config(self, info: Info) -> JSON | None:
        """The config, read only if it is selected."""
        attached = await info.context.load.task_json(self.row.id)
        found: JSON | None = stored_json(attached.config)
        return found

    @resolved(
        "Dependency graph of the processes, in the client's own format; the server does not"
        " interpret it. Null if there is none."
    )
    async def dependencies(self, info: Info) -> JSON | None:
        """The dependencies, read only if they are selected."""
        attached = await info.context.load.task_json(self.row.id)
        found: JSON | None = stored_json(attached.dependencies)
        return found

    @resolved(
        "Progress of the task in percent: the mean of the progress ratios of its processes, each"
        " capped at 1, weighted by the number of jobs. A process whose ratio is unknown counts 1"
        " if it has succeeded, else 0."
    )
    async def progress(self, info: Info) -> Progress:
        """The progress, from the counters of the processes."""
        ratio = await self._ratio(info)
        return Progress(ratio=ratio, current=100 * ratio, target=100.0, basis=ProgressBasis.PERCENT)

    @resolved("Number of jobs in each state, over all processes.")
    async def counts(self, info: Info) -> JobCounts:
        """The counters of all processes, added up."""
        return JobCounts.of(await info.context.load.all_processes(self.row.id))

    @resolved("Whether the task can still succeed: the worst outlook of its processes.")
    async def outlook(self, info: Info) -> Outlook:
        """The outlook, from those of the processes."""
        load = info.context.load
        return task_outlook(
            [
                process_outlook(process.progress_inputs(), await load.has_lost_jobs(process))
                for process in await load.all_processes(self.row.id)
            ]
        )

    @resolved(
        "When the task will reach a progress ratio of 1, at its mean rate since the first start."
        " Null if it has not started, has no progress yet, has reached that ratio or has finished."
    )
    async def estimated_finish_at(self, info: Info) -> datetime | None:
        """The estimate, by linear extrapolation."""
        ratio = await self._ratio(info)
        return estimated_finish(ratio, self.state, self.started_at, info.context.now)

    async def _ratio(self, info: Info) -> float:
        processes = await info.context.load.all_processes(self.row.id)
        return task_ratio(process.progress_inputs() for process in processes)[0]

    @resolved(
        "Processes of the task, in the order in which they were given. All of them without `first`"
        " and `last`."
    )
    async def processes(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[  # noqa: A002  (its name in the schema)
            filter_inputs.ProcessFilter | None,
            argument("Only processes that match. Defaults to all."),
        ] = None,
    ) -> Connection[Process]:
        """A page of processes."""
        load, settings = info.context.load, info.context.settings
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
        return Connection[Process].of(
            await load.processes(self.row.id, wanted, part),
            Process.of,
            lambda process: PROCESS_CURSORS.encode(process.number),
            lambda: load.count_processes(self.row.id, wanted),
        )

    @resolved("The process with this name. Null if the task has none.")
    async def process(
        self, info: Info, name: Annotated[str, argument("Name of the process.")]
    ) -> Process | None:
        """One process."""
        found = await info.context.load.process_by_name(self.row.id, name)
        return None if found is None else Process.of(found)

    @resolved("Events of all jobs, in the order in which the server received them.")
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
            (self.row.id,),
            self.row.last_seq,
            event_class,
            first=first,
            after=after,
            last=last,
            before=before,
        )

    @resolved("History of progress and job counts, at evenly spaced times. Empty without events.")
    async def timeline(self, info: Info, points: Points = 60) -> list[TimelinePoint]:
        """The history, from the samples of all processes."""
        load = info.context.load
        check_points(points, info.context.settings.timeline_limit)
        processes = await load.all_processes(self.row.id)
        samples = await load.all_samples(processes)
        found = task_timeline(processes, samples, points, info.context.now)
        job_count = sum(process.job_count for process in processes)
        return [TimelinePoint.of(point, job_count) for point in found]
