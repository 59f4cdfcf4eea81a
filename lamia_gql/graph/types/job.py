"""Jobs, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from lamia_gql.domain.lifecycle import ENDED, EventClass, JobState
from lamia_gql.domain.progress import (
    Liveness,
    job_progress,
    liveness,
)
from lamia_gql.graph.context import Info
from lamia_gql.graph.types.connection import Connection, Node, global_id
from lamia_gql.graph.types.event import Event, event_connection
from lamia_gql.graph.types.fields import (
    After,
    Before,
    Classes,
    First,
    Last,
    field,
    resolved,
)
from lamia_gql.graph.types.statistics import (
    Progress,
)
from lamia_gql.storage.rows import JobRow, ProcessRow

if TYPE_CHECKING:
    from lamia_gql.graph.types.process import Process


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
    record: strawberry.Private[JobRow]
    process_record: strawberry.Private[ProcessRow]

    @classmethod
    def of(cls, record: JobRow, process: ProcessRow, info: Info) -> Self:
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
    def process(self) -> Annotated[Process, strawberry.lazy("lamia_gql.graph.types.process")]:
        """Its process."""
        from lamia_gql.graph.types.process import make_process

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
        return await event_connection(
            info,
            self.record[:3],
            self.record.events,
            event_class,
            first=first,
            after=after,
            last=last,
            before=before,
        )


async def find_job(info: Info, process: ProcessRow, index: int) -> Job | None:
    """The job of this index in an array; None where it has none."""
    if not process.first_index <= index <= process.last_index:
        return None
    job = await info.context.load.job(process.task_id, process.number, index)
    return Job.of(job, process, info)
