"""Events, as clients see them, and pages of them.

An event knows its job, a job its process, a process its task, and each of these lists what it
owns: the modules import downwards, and upwards only within a resolver.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

import strawberry
from strawberry.scalars import JSON

from lamia_gql.domain.errors import ErrorCode, RequestError
from lamia_gql.domain.lifecycle import EventClass
from lamia_gql.domain.pagination import encode_opaque, integer, page
from lamia_gql.graph.context import Info
from lamia_gql.graph.types import inputs
from lamia_gql.graph.types.connection import Connection, Node, global_id
from lamia_gql.graph.types.fields import decoded, field, resolved
from lamia_gql.storage.rows import EventRow

if TYPE_CHECKING:
    from lamia_gql.graph.types.job import Job
    from lamia_gql.graph.types.process import Process

T = TypeVar("T")


async def present(awaited: Awaitable[T | None]) -> T:
    """What a child needs of its parent, which may have been deleted in between."""
    found = await awaited
    if found is None:
        raise RequestError(ErrorCode.TASK_NOT_FOUND, "The task was deleted in the meantime.")
    return found


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
    record: strawberry.Private[EventRow]

    @classmethod
    def of(cls, record: EventRow) -> Self:
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
        found: JSON | None = decoded(self.record.payload)
        return found

    @resolved("The job that sent it.")
    async def job(self, info: Info) -> Annotated[Job, strawberry.lazy("lamia_gql.graph.types.job")]:
        """Its job."""
        from lamia_gql.graph.types.job import Job

        record, load = self.record, info.context.load
        process, job = await asyncio.gather(
            present(load.process_by_key(record.task_id, record.process_number)),
            load.job(record.task_id, record.process_number, record.job_index),
        )
        return Job.of(job, process, info)

    @resolved("The process that the job belongs to.")
    async def process(
        self, info: Info
    ) -> Annotated[Process, strawberry.lazy("lamia_gql.graph.types.process")]:
        """Its process."""
        from lamia_gql.graph.types.process import make_process

        record, load = self.record, info.context.load
        return make_process(
            await present(load.process_by_key(record.task_id, record.process_number))
        )


def _page(info: Info, **arguments: Any) -> Any:
    return page("e", (integer,), info.context.settings.page_limit, **arguments)


def _cursor(record: EventRow) -> str:
    return encode_opaque("e", record.seq)


async def event_connection(
    info: Info,
    parent: tuple[int, ...],
    total: int,
    event_class: list[EventClass] | None,
    **arguments: Any,
) -> Connection[Event]:
    """A page of the events of a task, a process or a job: the parent's key tells whose.

    ``total`` is how many events the parent has in all; ``arguments`` are those of the page.
    """
    wanted = inputs.event_filter(event_class)
    load = info.context.load
    found = await load.events(parent, wanted, _page(info, **arguments))
    return Connection[Event].of(
        found,
        Event.of,
        _cursor,
        lambda: total if wanted.classes is None else load.count_events(parent, wanted),
    )
