"""Tasks, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry.scalars import JSON

from lamia_gql.domain.pagination import encode_opaque, integer, page
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
from lamia_gql.graph.types import inputs
from lamia_gql.graph.types.connection import Connection, Node, global_id
from lamia_gql.graph.types.event import Event, event_connection
from lamia_gql.graph.types.fields import (
    After,
    Before,
    Classes,
    First,
    Last,
    Points,
    argument,
    decoded,
    field,
    resolved,
)
from lamia_gql.graph.types.process import Process, make_process
from lamia_gql.graph.types.statistics import (
    JobCounts,
    Progress,
    TimelinePoint,
    check_points,
    counts,
)
from lamia_gql.storage import filters
from lamia_gql.storage.rows import TaskRow


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
    record: strawberry.Private[TaskRow]

    @classmethod
    def of(cls, record: TaskRow) -> Self:
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
    async def config(self, info: Info) -> JSON | None:
        """Its config, read and decoded only where it is asked for."""
        attached = await info.context.load.task_json(self.record.id)
        found: JSON | None = decoded(attached.config)
        return found

    @resolved("The graph of its processes, in the form that it came in.")
    async def dependencies(self, info: Info) -> JSON | None:
        """Its dependencies, in the same way."""
        attached = await info.context.load.task_json(self.record.id)
        found: JSON | None = decoded(attached.dependencies)
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
                process_outlook(process.progress_inputs(), await load.lost(process))
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
        return task_ratio(process.progress_inputs() for process in processes)[0]

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
            default=settings.max_processes,
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
        return await event_connection(
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
