"""The type ``Job``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from lamia_gql.domain.lifecycle import ENDED, EventClass, JobState
from lamia_gql.domain.liveness import Liveness, liveness
from lamia_gql.domain.progress import job_progress
from lamia_gql.graph.context import Info
from lamia_gql.graph.types.connection import Connection, Node, global_id
from lamia_gql.graph.types.event import Event
from lamia_gql.graph.types.event_connection import event_connection
from lamia_gql.graph.types.fields import After, Before, Classes, First, Last, field, resolved
from lamia_gql.graph.types.job_statistics import Progress
from lamia_gql.graph.types.parents import process_of
from lamia_gql.storage.rows import JobRow, ProcessRow

if TYPE_CHECKING:
    from lamia_gql.graph.types.process import Process


@strawberry.type(description="A member of an array, or the single job of a solitary process.")
class Job(Node):
    """A job, whether or not it has sent events."""

    index: int | None = field("Index in the array. Null in a solitary process.")
    state: JobState = field("Lifecycle state of the job, derived from its events.")
    liveness: Liveness | None = field(
        "Whether the job still sends events. Null if it is not RUNNING, or if neither its process"
        " nor the server has a beat interval."
    )
    progress: Progress | None = field(
        "Latest progress that the job has reported since its latest start, 0 if none: percent if"
        " its process has no threshold (a DONE job counts 100), else a number in the unit of the"
        " threshold. Null as long as no job of the process has reported progress above 0."
    )
    starts: int = field("Number of STARTED events.")
    started_at: datetime | None = field(
        "When the job started; after restarts, the latest time. Null until it has started."
    )
    finished_at: datetime | None = field("When the job ended. Null unless it has ended.")
    last_event_at: datetime | None = field("Time of the latest event. Null without events.")
    last_event_class: EventClass | None = field("Class of the latest event. Null without events.")
    hostname: str | None = field("Host name in the latest event. Null if it has none.")
    row: strawberry.Private[JobRow]
    process_row: strawberry.Private[ProcessRow]

    @classmethod
    def of(cls, row: JobRow, process: ProcessRow, info: Info) -> Self:
        """The job of a row, and of the row of its process."""
        state = JobState(row.state)
        context = info.context
        beat_interval = process.beat_interval or context.settings.beat_interval
        progress = job_progress(row.progress, state, process.reporting > 0, process.threshold)
        return cls(
            id=global_id("Job", row.task_id, row.process_number, row.job_index),
            index=row.job_index if process.is_array else None,
            state=state,
            liveness=liveness(state, row.alive_at, beat_interval, context.now),
            progress=Progress.of(progress),
            starts=row.starts,
            started_at=row.started_at,
            finished_at=row.closed_at if state in ENDED else None,
            last_event_at=row.seen_at,
            last_event_class=EventClass(row.seen_class) if row.seen_class else None,
            hostname=row.seen_hostname,
            row=row,
            process_row=process,
        )

    @classmethod
    async def find(cls, info: Info, process: ProcessRow, index: int) -> Self | None:
        """The job with this index; None if it is not an index of the process."""
        if not process.first_index <= index <= process.last_index:
            return None
        return cls.of(
            await info.context.load.job(process.task_id, process.number, index), process, info
        )

    @resolved("The process that the job belongs to.")
    def process(self) -> Annotated[Process, strawberry.lazy("lamia_gql.graph.types.process")]:
        """The process, which was read together with the job."""
        return process_of(self.process_row)

    @resolved("Events of the job, in the order in which the server received them.")
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
            self.row[:3],
            self.row.events,
            event_class,
            first=first,
            after=after,
            last=last,
            before=before,
        )
